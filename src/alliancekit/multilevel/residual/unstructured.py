"""Unstructured: a free correlation for each pair of occasions, and a free variance for each occasion (MMRM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.formula.factors import Factor
from alliancekit.multilevel.residual.heteroscedastic import Heteroscedastic
from alliancekit.multilevel.residual.rows import Blocks, RowReader, make_blocks, refuse_duplicates
from alliancekit.multilevel.residual.terms import BoundCorrelation, OverTime, Variance, column_names, shown

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def unstructured(*, time: str, by: str | Sequence[str], equal_variances: bool = False) -> Unstructured:
    """Any covariance among the occasions of a unit: the model for repeated measures (MMRM).

    Parameters
    ----------
    time : column of the planned occasion, such as the visit: text, a categorical or numbers.
    by : column (or columns) of the unit whose rows are correlated, such as the patient.
    equal_variances : True for free correlations but one variance for all occasions; may then be joined with another
        variance structure by ``+``.

    Returns
    -------
    Unstructured : for ``ak.mixed(..., residual_structure=)``.

    Raises
    ------
    SpecError : a name is not text. When fitted, DesignError: an occasion occurs twice in a unit, or two occasions are
        never seen in the same unit, so that their correlation cannot be estimated.

    Notes
    -----
    T occasions take T (T + 1) / 2 parameters. A unit may miss any of its occasions; estimates are valid when values are
    missing at random (Mallinckrodt et al. 2008, Drug Inf J 42, 303-319). Inside, the correlation is N N' with the rows
    of a unit lower-triangular matrix scaled to length one, so that the search is not bounded (Pinheiro & Bates 1996,
    Stat Comput 6, 289-296). As ``corSymm`` with ``varIdent`` of nlme, ``us(visit | patient)`` of the R package mmrm,
    and ``TYPE=UN`` of SAS.

    Examples
    --------
    >>> import alliancekit as ak
    >>> ak.unstructured(time="visit", by="patient")
    ak.unstructured(time="visit", by="patient")

    Checked against
    ---------------
    nlme 3.1-162 and glmmTMB 1.1.5 (tests/reference/nlme), complete and incomplete data; exact degrees of freedom of
    multivariate analysis of variance for complete data (tests/unit/multilevel/residual).

    When not to use
    ---------------
    Many occasions and few patients; times that differ from patient to patient: use ``ak.car1``.
    """
    (column,) = column_names(time, "time", "ak.unstructured", several=False)
    if not isinstance(equal_variances, bool):
        raise SpecError(message(f"equal_variances={equal_variances!r} is not an option", do="Use True or False"))
    return Unstructured(column, column_names(by, "by", "ak.unstructured", several=True), equal_variances)


@dataclass(frozen=True, slots=True, repr=False)
class Unstructured(OverTime):
    """See ``unstructured``."""

    word: ClassVar[str] = "unstructured"
    equal_variances: bool

    @property
    def variance(self) -> Variance | None:
        """One variance for each occasion, unless they are equal."""
        return None if self.equal_variances else Heteroscedastic((self.time,))

    def __str__(self) -> str:
        more = ", equal_variances=True" if self.equal_variances else ""
        return f'ak.unstructured(time="{self.time}", by={shown(self.by)}{more})'

    __repr__ = __str__

    def bind(self, reader: RowReader) -> BoundUnstructured:
        """Return the structure for given rows."""
        occasion = reader.factor((self.time,))
        blocks = make_blocks(reader.factor(self.by), ":".join(self.by), occasion.codes)
        labels = occasion.labels.all()
        codes = occasion.codes[blocks.order]
        refuse_duplicates(blocks, codes, self.time, labels)
        if len(labels) < 2:
            raise DesignError(
                message(
                    f"'{self.time}' has one value, so there is no correlation between occasions",
                    where=str(self),
                    do="Name the column of the occasion in time=",
                )
            )
        return BoundUnstructured(blocks, Factor(codes, occasion.labels), self.time)


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Units seen at the same occasions: ``seen`` (t,) occasions, ``rows`` (L, t) their rows in the order of blocks."""

    seen: Ints
    rows: Ints


class BoundUnstructured(BoundCorrelation):
    """Free correlations; phi is the lower triangle of the unscaled factor, row by row."""

    def __init__(self, blocks: Blocks, occasion: Factor, column: str) -> None:
        self.blocks, self.occasions = blocks, occasion.labels.all()
        size = len(self.occasions)
        self.lower = np.tril_indices(size, -1)
        self.pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
        self.names = tuple(f"cor({self.occasions[i]},{self.occasions[j]})" for i, j in self.pairs)
        self.codes = occasion.codes
        self.patterns = self._find_patterns()
        self._refuse_unseen_pairs(column)

    @property
    def n_parameters(self) -> int:
        """T (T - 1) / 2."""
        return len(self.pairs)

    def _find_patterns(self) -> list[Pattern]:
        seen = np.zeros((self.blocks.size, len(self.occasions)), dtype=bool)
        seen[self.blocks.codes, self.codes] = True
        kinds, which = np.unique(seen, axis=0, return_inverse=True)
        which = which.reshape(-1)
        out = []
        for k, kind in enumerate(kinds):
            first = self.blocks.starts[:-1][which == k]
            out.append(Pattern(np.flatnonzero(kind), first[:, None] + np.arange(int(kind.sum()))))
        return out

    def _refuse_unseen_pairs(self, column: str) -> None:
        together = np.zeros((len(self.occasions),) * 2, dtype=bool)
        for pattern in self.patterns:
            together[np.ix_(pattern.seen, pattern.seen)] = True
        unseen = [(i, j) for i, j in self.pairs if not together[i, j]]
        if unseen:
            i, j = unseen[0]
            more = f" (and {len(unseen) - 1} other pairs)" if len(unseen) > 1 else ""
            raise DesignError(
                message(
                    f"no '{self.blocks.name}' was seen at both '{column}' {self.occasions[i]} and "
                    f"{self.occasions[j]}{more}",
                    where="their correlation cannot be estimated",
                    do="Join rare occasions, or use a structure with fewer parameters, such as ak.ar1",
                )
            )

    def starts(self, residuals: Floats) -> list[Floats]:
        """Return the correlations of residuals over the units seen at both occasions, made positive definite."""
        size = len(self.occasions)
        wide = np.full((self.blocks.size, size), np.nan)
        wide[self.blocks.codes, self.codes] = residuals
        known = np.isfinite(wide).astype(float)
        filled = np.where(known > 0, wide, 0.0)
        count = known.T @ known
        sd = np.sqrt(np.maximum((filled**2).sum(axis=0) / np.maximum(np.diag(count), 1), np.finfo(float).tiny))
        corr = filled.T @ filled / np.maximum(count, 1) / np.outer(sd, sd)
        values, vectors = np.linalg.eigh((corr + corr.T) / 2)
        fixed = (vectors * np.maximum(values, 0.05)) @ vectors.T
        root = np.linalg.cholesky(fixed)
        scaled = root / np.diag(root)[:, None]
        return [scaled[self.lower]]

    def _factor(self, phi: Floats) -> tuple[Floats, Floats]:
        """Return N, rows of length one, and the lengths before scaling."""
        size = len(self.occasions)
        out = np.eye(size)
        out[self.lower] = phi
        lengths = np.sqrt((out**2).sum(axis=1))
        return out / lengths[:, None], lengths

    def correlation(self, phi: Floats) -> Floats:
        """Return the correlation matrix of the occasions, (T, T)."""
        factor, _ = self._factor(phi)
        return np.asarray(factor @ factor.T)

    def _roots(self, phi: Floats) -> list[Floats]:
        """Return the inverse Cholesky factor of each pattern."""
        corr = self.correlation(phi)
        return [np.linalg.inv(np.linalg.cholesky(corr[np.ix_(p.seen, p.seen)])) for p in self.patterns]

    def _back(self, phi: Floats, adjoint: Floats) -> Floats:
        """Return the derivative by phi of <adjoint, C>, adjoint symmetric."""
        factor, lengths = self._factor(phi)
        by_factor = 2.0 * adjoint @ factor
        by_raw = (by_factor - (by_factor * factor).sum(axis=1)[:, None] * factor) / lengths[:, None]
        return np.asarray(by_raw[self.lower])

    def log_det(self, phi: Floats) -> tuple[float, Floats]:
        """Return the log-determinants of all units."""
        value, adjoint = 0.0, np.zeros((len(self.occasions),) * 2)
        for pattern, root in zip(self.patterns, self._roots(phi), strict=True):
            count = len(pattern.rows)
            value -= 2.0 * count * float(np.log(np.diag(root)).sum())
            adjoint[np.ix_(pattern.seen, pattern.seen)] += count * root.T @ root
        return value, self._back(phi, adjoint)

    def _apply(self, matrices: list[Floats], U: Floats) -> Floats:
        out = np.empty_like(U)
        for pattern, matrix in zip(self.patterns, matrices, strict=True):
            out[:, pattern.rows] = U[:, pattern.rows] @ matrix.T
        return out

    def whiten(self, phi: Floats, U: Floats) -> Floats:
        """Return the inverse Cholesky factor of each unit's matrix, applied."""
        return self._apply(self._roots(phi), U)

    def solve(self, phi: Floats, U: Floats) -> Floats:
        """Return C^-1 U."""
        return self._apply([root.T @ root for root in self._roots(phi)], U)

    def slopes(self, phi: Floats, U: Floats, V: Floats) -> Floats:
        """Return the derivative by way of d C^-1 = -C^-1 dC C^-1."""
        adjoint = np.zeros((len(self.occasions),) * 2)
        for pattern, root in zip(self.patterns, self._roots(phi), strict=True):
            t = len(pattern.seen)
            inverse = root.T @ root
            products = U[:, pattern.rows].reshape(-1, t).T @ V[:, pattern.rows].reshape(-1, t)
            part = inverse @ products @ inverse
            adjoint[np.ix_(pattern.seen, pattern.seen)] -= (part + part.T) / 2
        return self._back(phi, adjoint)

    def natural(self, phi: Floats) -> Floats:
        """Return the correlations (1, 2), (1, 3), ..., (2, 3), ..."""
        corr = self.correlation(phi)
        return np.array([corr[i, j] for i, j in self.pairs])

    def link(self, natural: Floats) -> Floats:
        """Return Fisher's z."""
        return np.arctanh(natural)

    def unlink(self, linked: Floats) -> Floats:
        """Return correlations of Fisher's z."""
        return np.tanh(linked)

    def matrix(self, phi: Floats, block: int) -> Floats:
        """Return the correlations of the occasions at which a unit was seen."""
        seen = self.codes[self.blocks.starts[block] : self.blocks.starts[block + 1]]
        return np.asarray(self.correlation(phi)[np.ix_(seen, seen)])

    def at_boundary(self, phi: Floats) -> bool:
        """Return True where the matrix is singular for every practical purpose."""
        return bool(np.linalg.eigvalsh(self.correlation(phi))[0] < 1e-8)
