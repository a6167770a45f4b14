"""Explained variance by source and level: the decomposition of Rights and Sterba."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.multilevel.estimates import Estimates, random_columns

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
COMBINED = (("f", "fixed effects"), ("fv", "fixed effects and slopes"), ("fvm", "fixed and random effects"))


@dataclass(frozen=True, eq=False)
class R2Partition:
    """Variance of the outcome by source and by level. Made by ``MixedFit.r2_partition``.

    Attributes
    ----------
    frame : one row per source: source (f1, f2, ... fixed part at level 1, 2, ...; v slope variation; m variation of
        unit means; sigma2), group (what the effects vary over; missing for fixed part and residual), level, variance.
    levels : names of the levels from the bottom up. units : the grouping factors, finest first.
    centred : True where no random slope's column and no fixed effect mixes levels.
    formula : of the model. outcome : label of its outcome.
    """

    frame: pd.DataFrame
    levels: tuple[str, ...]
    units: tuple[str, ...]
    centred: bool
    formula: str
    outcome: str

    def tidy(self) -> pd.DataFrame:
        """Return one row per source and level: source, group, level, variance, r2_total, r2_level.

        ``r2_total`` is the share of the whole variance, ``r2_level`` that of the variance at the source's own level.
        """
        out = self.frame.copy()
        out["r2_total"] = out["variance"] / out["variance"].sum()
        out["r2_level"] = out["variance"] / out.groupby("level")["variance"].transform("sum")
        return out

    def measures(self) -> pd.DataFrame:
        """Return one row per measure: scope ("total" or a level), measure (f, fv, fvm), meaning, r2."""
        table, rows = self.frame, []
        for scope in ("total", *self.levels):
            part = table if scope == "total" else table[table["level"] == scope]
            kind, whole = part["source"].str[0], float(part["variance"].sum())
            for name, meaning in COMBINED:
                inside = float(part.loc[kind.isin(list(name)), "variance"].sum())
                rows.append((scope, name, meaning, inside / whole if whole > 0 else np.nan))
        return pd.DataFrame(rows, columns=["scope", "measure", "meaning", "r2"])

    def glance(self) -> pd.DataFrame:
        """Return one row: total variance, its share at each level, and the shares of f, fv and fvm in the total."""
        total = float(self.frame["variance"].sum())
        row: dict[str, float] = {"variance": total}
        for level in self.levels:
            own = self.frame[self.frame["level"] == level]["variance"]
            row[f"share_{level}"] = float(own.sum()) / total
        whole = self.measures()
        for name, _ in COMBINED:
            own_measure = whole[(whole["scope"] == "total") & (whole["measure"] == name)]
            row[f"r2_{name}"] = float(own_measure["r2"].iloc[0])
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        return self.tidy().to_string(index=False, na_rep="", float_format=lambda v: f"{v:.4g}")


def partition(fit: Estimates, residual: float, outcome: str) -> R2Partition:
    """Return the decomposition; ``residual`` is the residual variance, the mean over rows where they differ.

    Raises
    ------
    DesignError : there is no grouping factor, or they are not nested.
    """
    if not fit.factors:
        what = "a model without random effects has no levels"
        raise DesignError(message(what, where=fit.design.formula.text, do="Use fit.r2()"))
    order = _nested(fit)
    levels = ("within", "between", *(fit.factors[i].group for i in order[1:]))
    codes = [fit.factors[i].codes for i in order]
    n = fit.design.X.shape[0]
    rows: list[tuple[str, str | None, str, float]] = []
    spreads = _by_level((fit.design.X @ fit.beta)[:, None], codes)
    rows += [(f"f{k + 1}", None, levels[k], float(s[0, 0])) for k, s in enumerate(spreads)]
    mixed = False
    for place, index in enumerate(order, start=1):
        factor, matrix = fit.factors[index], fit.covariances[index]
        Z = random_columns(fit.design, factor.group)
        below = _by_level(Z, codes)
        own = levels[place]
        suffix = str(place + 1) if len(order) > 1 else ""
        for k in range(place):
            if suffix and not np.diag(below[k]).any():
                continue  # no column of the random effects varies at that level
            rows.append((f"v{k + 1 if suffix else ''}{suffix}", factor.group, levels[k], _trace(matrix, below[k])))
        above = float(sum(_trace(matrix, s) for s in below[place:]))
        if above > 1e-10 * _trace(matrix, Z.T @ Z / n):
            rows.append((f"v{place + 1}{suffix}" if suffix else "v", factor.group, own, above))
            mixed = True
        mean = Z.mean(axis=0)
        rows.append((f"m{suffix}", factor.group, own, float(mean @ matrix @ mean)))
    rows.append(("sigma2", None, levels[0], residual))
    frame = pd.DataFrame(rows, columns=["source", "group", "level", "variance"])
    units = tuple(fit.factors[i].group for i in order)
    centred = not mixed and not _mixing(fit.design.X, codes)
    return R2Partition(frame, levels, units, centred, fit.design.formula.text, outcome)


def _nested(fit: Estimates) -> list[int]:
    """Return the grouping factors from the finest to the coarsest; DesignError where they are not nested."""
    order = sorted(range(len(fit.factors)), key=lambda i: -fit.factors[i].n_levels)
    for fine, coarse in pairwise(order):
        one, other = fit.factors[fine], fit.factors[coarse]
        parent = np.zeros(one.n_levels, dtype=np.intp)
        parent[one.codes] = other.codes
        if not np.array_equal(parent[one.codes], other.codes):
            what = f"the variance has no levels here: '{one.group}' is crossed with '{other.group}'"
            raise DesignError(message(what, where=fit.design.formula.text, do="Use fit.r2() and fit.icc()"))
    return order


def _by_level(columns: Floats, codes: list[Ints]) -> list[Floats]:
    """Return the covariance matrix of columns within the finest units, between them, ..., over n - 1; they add up."""
    n = columns.shape[0]
    parts = []
    rest = columns
    for level in codes:
        sizes = np.bincount(level)
        sums = np.stack([np.bincount(level, column, len(sizes)) for column in rest.T], axis=1)
        means = (sums / np.maximum(sizes, 1)[:, None])[level]
        parts.append(rest - means)
        rest = means
    parts.append(rest - rest.mean(axis=0))
    return [np.asarray(p.T @ p / (n - 1), dtype=np.float64) for p in parts]


def _trace(matrix: Floats, spread: Floats) -> float:
    return float(np.einsum("ij,ij->", matrix, spread))


def _mixing(X: Floats, codes: list[Ints]) -> bool:
    """Return True where a column of the fixed part varies at more than one level."""
    spreads = np.stack([np.diag(s) for s in _by_level(X, codes)])
    size = np.einsum("ij,ij->j", X, X) / X.shape[0]
    return bool(((spreads > 1e-10 * size).sum(axis=0) > 1).any())
