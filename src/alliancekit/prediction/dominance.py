"""Relative importance of correlated predictors: dominance analysis and its relatives.

Every quantity is a function of the R² of all subsets of the predictors, or of their correlations:

- dominance (Budescu 1993, Psychological Bulletin 114, 542-551; Azen & Budescu 2003, Psychological Methods 8,
  129-148): the additional contribution of a predictor, R²(S + x) - R²(S), compared over all subsets S (complete),
  averaged within the size of S (conditional), averaged over the sizes (general). General dominance weights are the
  LMG or Shapley shares (Lindeman, Merenda & Gold 1980);
- first (alone), last (beside all others), betasq, Pratt's product beta * r (Pratt 1987);
- relative weights (Genizi 1993, Statistica Sinica 3, 407-420; Johnson 2000, Multivariate Behavioral Research 35,
  1-19, the same numbers) and CAR scores (Zuber & Strimmer 2011, eq. 3, squared);
- commonality (Mood 1969; Nimon & Reio 2011): the part of R² that a set of predictors has in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.prediction.moments import ALIASED, Floats

MAX_PREDICTORS = 12
# Contributions that differ by less than this are equal: the rounding error of an R².
TIE = 1e-12


def all_subsets_r2(covariance: Floats) -> Floats:
    """Return R² of every subset of predictors.

    Parameters
    ----------
    covariance : covariances (or correlations, or centred cross-products) of the predictors and, last, the outcome;
        shape (p + 1, p + 1), or (B, p + 1, p + 1) for a batch.

    Returns
    -------
    shape (2**p,) or (B, 2**p); bit j of the index says whether predictor j is in the subset.
    """
    batch = covariance if covariance.ndim == 3 else covariance[None]
    p = batch.shape[1] - 1
    own = np.diagonal(batch, axis1=1, axis2=2)
    explained = np.zeros((len(batch), 2**p))

    def descend(A: Floats, first: int, mask: int) -> None:
        for j in range(first, p):
            usable = A[:, j, j] > ALIASED * own[:, j]
            safe = np.where(usable, A[:, j, j], 1.0)
            row = np.where(usable[:, None], A[:, j, :], 0.0)
            larger = mask | 1 << j
            explained[:, larger] = explained[:, mask] + row[:, -1] ** 2 / safe
            if j + 1 < p:
                descend(A - row[:, :, None] * (row / safe[:, None])[:, None, :], j + 1, larger)

    descend(batch, 0, 0)
    r2 = explained / own[:, -1:]
    return r2 if covariance.ndim == 3 else r2[0]


def contributions_by_size(r2: Floats, p: int) -> Floats:
    """Return mean additional contributions, shape (..., p, p): predictor by size of the subset it is added to."""
    masks = np.arange(2**p)
    sizes = np.bitwise_count(masks)
    out = np.zeros((*r2.shape[:-1], p, p))
    for j in range(p):
        without = masks[masks >> j & 1 == 0]
        gain = r2[..., without | 1 << j] - r2[..., without]
        for size in range(p):
            out[..., j, size] = gain[..., sizes[without] == size].mean(axis=-1)
    return out


def general_weights(covariance: Floats) -> Floats:
    """Return general dominance (LMG) weights, shape (..., p), from covariances with the outcome last."""
    p = covariance.shape[-1] - 1
    return np.asarray(contributions_by_size(all_subsets_r2(covariance), p).mean(axis=-1))


@dataclass(frozen=True, eq=False)
class DominanceAnalysis:
    """Dominance analysis of one regression; made by :func:`dominance_analysis`.

    Attributes
    ----------
    outcome : name of the outcome.
    predictors : names, in the order given.
    n : rows used.
    correlations : of the predictors and, last, the outcome; shape (p + 1, p + 1).
    r2 : R² of every subset, shape (2**p,); bit j of the index is predictor j.
    """

    outcome: str
    predictors: tuple[str, ...]
    n: int
    correlations: Floats
    r2: Floats

    def _names(self, mask: int) -> tuple[str, ...]:
        return tuple(name for j, name in enumerate(self.predictors) if mask >> j & 1)

    def subsets(self) -> pd.DataFrame:
        """Return R² and adjusted R² of every subset that is not empty: predictors (joined by " + "), size."""
        masks = sorted(range(1, len(self.r2)), key=lambda m: (int(m).bit_count(), m))
        sizes = np.array([int(m).bit_count() for m in masks])
        r2 = self.r2[masks]
        adjusted = 1.0 - (1.0 - r2) * (self.n - 1) / (self.n - 1 - sizes)
        names = [" + ".join(self._names(m)) for m in masks]
        return pd.DataFrame({"predictors": names, "size": sizes, "r2": r2, "adjusted_r2": adjusted})

    def by_size(self) -> pd.DataFrame:
        """Return the mean additional contribution of each predictor (rows) to subsets of each size (columns)."""
        p = len(self.predictors)
        return pd.DataFrame(contributions_by_size(self.r2, p), index=list(self.predictors), columns=list(range(p)))

    def complete(self) -> pd.DataFrame:
        """Return complete dominance: 1 row dominates column in every subset, 0 the reverse, 0.5 undecided."""
        p = len(self.predictors)
        masks = np.arange(len(self.r2))

        def gains(i: int, j: int) -> Floats:
            neither = masks[(masks >> i & 1 == 0) & (masks >> j & 1 == 0)]
            return np.asarray(self.r2[neither | 1 << i] - self.r2[neither | 1 << j])

        return self._square([[_verdict(gains(i, j)) if i != j else 0.5 for j in range(p)] for i in range(p)])

    def conditional(self) -> pd.DataFrame:
        """Return conditional dominance: 1 the row's mean contribution is larger at every subset size."""
        levels = self.by_size().to_numpy()
        return self._square([[_verdict(a - b) for b in levels] for a in levels])

    def general(self) -> pd.DataFrame:
        """Return general dominance: 1 the row's overall mean contribution is larger."""
        means = self.by_size().to_numpy().mean(axis=1)
        return self._square([[_verdict(np.array([a - b])) for b in means] for a in means])

    def _square(self, values: list[list[float]]) -> pd.DataFrame:
        return pd.DataFrame(values, index=list(self.predictors), columns=list(self.predictors))

    def tidy(self) -> pd.DataFrame:
        """Return one row per predictor: general dominance weight (= LMG), its share of R², and the other indices."""
        R, r = self.correlations[:-1, :-1], self.correlations[:-1, -1]
        beta = np.linalg.solve(R, r)
        values, vectors = np.linalg.eigh(R)
        root = (vectors * np.sqrt(values)) @ vectors.T
        car = (vectors / np.sqrt(values)) @ (vectors.T @ r)
        by_size = self.by_size().to_numpy()
        general = by_size.mean(axis=1)
        return pd.DataFrame(
            {
                "term": list(self.predictors),
                "general": general,
                "share": general / self.r2[-1],
                "first": by_size[:, 0],
                "last": by_size[:, -1],
                "beta_squared": beta**2,
                "pratt": beta * r,
                "relative_weight": root**2 @ car**2,
                "car_squared": car**2,
            }
        )

    def glance(self) -> pd.DataFrame:
        """Return one row: outcome, n, number of predictors, R² and adjusted R² of the full model."""
        p = len(self.predictors)
        adjusted = 1.0 - (1.0 - self.r2[-1]) * (self.n - 1) / (self.n - 1 - p)
        row = {"outcome": self.outcome, "n": self.n, "predictors": p, "r2": self.r2[-1], "adjusted_r2": adjusted}
        return pd.DataFrame([row])

    def commonality(self) -> pd.DataFrame:
        """Return the part of R² common to each set of predictors (one predictor: unique to it); they sum to R².

        Negative parts are possible and mean suppression.
        """
        p, full = len(self.predictors), len(self.r2) - 1
        signed = self.r2.copy()
        masks = np.arange(full + 1)
        for j in range(p):
            without = masks[masks >> j & 1 == 0]
            signed[without] -= signed[without | 1 << j]
        sets = sorted(range(1, full + 1), key=lambda m: (int(m).bit_count(), m))
        return pd.DataFrame(
            {
                "predictors": [" + ".join(self._names(m)) for m in sets],
                "size": [int(m).bit_count() for m in sets],
                "common": [-signed[full ^ m] for m in sets],
            }
        )


def _verdict(differences: Floats) -> float:
    """Return 1 where every difference is positive, 0 where every one is negative, else 0.5."""
    if (differences > TIE).all():
        return 1.0
    return 0.0 if (differences < -TIE).all() else 0.5


def dominance_analysis(X: Floats, y: Floats, predictors: tuple[str, ...], *, outcome: str = "y") -> DominanceAnalysis:
    """Return the dominance analysis of the regression of ``y`` on the columns of ``X``.

    Parameters
    ----------
    X : shape (n, p), complete, no constant column, 2 to 12 columns.
    y : shape (n,).
    predictors : names of the columns of X.
    outcome : name of y.

    Raises
    ------
    SpecError : one predictor, or more than 12 (4,096 regressions).
    DesignError : a predictor is a linear combination of the others.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(200, 2))
    >>> found = dominance_analysis(X, X @ [1.0, 0.5] + rng.normal(size=200), ("task", "bond"))
    >>> [float(v) for v in found.complete().loc["task"]]
    [0.5, 1.0]

    Checked against
    ---------------
    R packages dominanceanalysis 2.1.1, relaimpo 2.2-7 and yhat 2.0-4 to 1e-8 (tests/reference/dominance).

    When not to use
    ---------------
    Weights describe how R² is shared out in this sample; they say nothing of causes, and two scales that correlate
    .85 share theirs almost evenly whichever of them matters. For that question see the specificity test of
    :func:`alliancekit.incremental_validity`.
    """
    p = X.shape[1]
    if not 2 <= p <= MAX_PREDICTORS:
        wanted = f"Give between 2 and {MAX_PREDICTORS} predictors"
        raise SpecError(message(f"dominance analysis of {p} predictor{'s' * (p != 1)} is not possible", do=wanted))
    R: Floats = np.asarray(np.corrcoef(np.column_stack([X, y]), rowvar=False))
    if np.linalg.eigvalsh(R[:-1, :-1])[0] < ALIASED:
        raise DesignError(
            message(
                "a predictor is a linear combination of the others", where=", ".join(predictors), do="Leave one out"
            )
        )
    return DominanceAnalysis(outcome, tuple(predictors), len(y), R, all_subsets_r2(R))
