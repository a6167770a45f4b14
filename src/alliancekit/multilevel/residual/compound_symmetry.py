"""Compound symmetry: every two rows of a unit are equally correlated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.later import Later
from alliancekit.multilevel.residual.rows import Blocks, RowReader, make_blocks
from alliancekit.multilevel.residual.terms import BoundCorrelation, Correlation, Names, column_names, shown

if TYPE_CHECKING:
    from scipy import special
else:
    special = Later("scipy.special")

Floats = NDArray[np.float64]


def compound_symmetry(*, by: str | Sequence[str]) -> CompoundSymmetry:
    """Every two residuals of a unit have the same correlation Rho.

    Parameters
    ----------
    by : column (or columns) of the unit whose rows are correlated, such as the patient.

    Returns
    -------
    CompoundSymmetry : for ``ak.mixed(..., residual_structure=)``; may be joined with a variance structure by ``+``.

    Raises
    ------
    SpecError : a name is not text. When fitted, DesignError: no unit has two rows.

    Notes
    -----
    Rho lies between -1 / (m - 1) and 1, m being the size of the largest unit. A positive Rho is the same model as a
    random intercept; unlike a variance it may be negative (members of a group who compete). As ``corCompSymm`` of nlme.

    Examples
    --------
    >>> import alliancekit as ak
    >>> ak.compound_symmetry(by="group") + ak.heteroscedastic(by="arm")
    ak.compound_symmetry(by="group") + ak.heteroscedastic(by="arm")

    Checked against
    ---------------
    nlme 3.1-162 (tests/reference/nlme).

    When not to use
    ---------------
    Together with a random intercept of the same unit: the two are one parameter.
    """
    return CompoundSymmetry(column_names(by, "by", "ak.compound_symmetry", several=True))


@dataclass(frozen=True, slots=True, repr=False)
class CompoundSymmetry(Correlation):
    """See ``compound_symmetry``."""

    by: Names

    @property
    def columns(self) -> Names:
        """Columns read."""
        return self.by

    def __str__(self) -> str:
        return f"ak.compound_symmetry(by={shown(self.by)})"

    __repr__ = __str__

    def bind(self, reader: RowReader) -> BoundCompoundSymmetry:
        """Return the structure for given rows."""
        return BoundCompoundSymmetry(make_blocks(reader.factor(self.by), ":".join(self.by), None))


class BoundCompoundSymmetry(BoundCorrelation):
    """Compound symmetry with Rho = low + (1 - low) expit(phi), low = -1 / (m - 1)."""

    names = ("Rho",)

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.low = -1.0 / (int(blocks.sizes.max()) - 1)

    @property
    def n_parameters(self) -> int:
        """One."""
        return 1

    def _rho(self, phi: Floats) -> tuple[float, float, float]:
        """Return Rho, 1 - Rho, and dRho / dphi."""
        up, down = float(special.expit(phi[0])), float(special.expit(-phi[0]))
        span = 1.0 - self.low
        return self.low + span * up, max(span * down, np.finfo(float).tiny), span * up * down

    def _total(self, rho: float, rest: float) -> Floats:
        """Return the variance of the sum of a block over its size: 1 + (n - 1) Rho."""
        return np.asarray(np.maximum(rest + self.blocks.sizes * rho, np.finfo(float).tiny), dtype=np.float64)

    def starts(self, residuals: Floats) -> list[Floats]:
        """Return the moment estimate."""
        sizes = self.blocks.sizes
        sums = np.bincount(self.blocks.codes, residuals, self.blocks.size)
        squares = float(residuals @ residuals)
        pairs = float((sizes * (sizes - 1)).sum())
        rho = (float(sums @ sums) - squares) / pairs / (squares / len(residuals)) if squares > 0 else 0.0
        rho = float(np.clip(rho, 0.9 * self.low, 0.95))
        return [self.link(np.array([rho]))]

    def log_det(self, phi: Floats) -> tuple[float, Floats]:
        """Return the sum of (n - 1) log(1 - Rho) + log(1 + (n - 1) Rho)."""
        rho, rest, slope = self._rho(phi)
        total, sizes = self._total(rho, rest), self.blocks.sizes
        value = float((sizes - 1).sum() * np.log(rest) + np.log(total).sum())
        by_rho = float((-(sizes - 1) / rest + (sizes - 1) / total).sum())
        return value, np.array([by_rho * slope])

    def _sums(self, U: Floats) -> Floats:
        return np.add.reduceat(U, self.blocks.starts[:-1], axis=1)

    def whiten(self, phi: Floats, U: Floats) -> Floats:
        """Return the symmetric square root of the inverse, applied."""
        rho, rest, _ = self._rho(phi)
        share = (1.0 - np.sqrt(rest / self._total(rho, rest))) / self.blocks.sizes
        return np.asarray((U - (self._sums(U) * share)[:, self.blocks.codes]) / np.sqrt(rest))

    def solve(self, phi: Floats, U: Floats) -> Floats:
        """Return C^-1 U."""
        rho, rest, _ = self._rho(phi)
        share = rho / self._total(rho, rest)
        return np.asarray((U - (self._sums(U) * share)[:, self.blocks.codes]) / rest)

    def slopes(self, phi: Floats, U: Floats, V: Floats) -> Floats:
        """Return the derivative of (sum of u v - g sum(u) sum(v)) / (1 - Rho), g = Rho / (1 + (n - 1) Rho)."""
        rho, rest, slope = self._rho(phi)
        total = self._total(rho, rest)
        both = np.einsum("dl,dl->l", self._sums(U), self._sums(V))
        own = float(np.einsum("dn,dn->", U, V))
        by_rho = own / rest**2 - float((both * (rho / total / rest**2 + 1.0 / total**2 / rest)).sum())
        return np.array([by_rho * slope])

    def natural(self, phi: Floats) -> Floats:
        """Return Rho."""
        return np.array([self._rho(phi)[0]])

    def link(self, natural: Floats) -> Floats:
        """Return log((Rho - low) / (1 - Rho)), low = -1 / (m - 1)."""
        return np.log((natural - self.low) / (1.0 - natural))

    def unlink(self, linked: Floats) -> Floats:
        """Return Rho."""
        return np.asarray(self.low + (1.0 - self.low) * special.expit(linked), dtype=np.float64)

    def matrix(self, phi: Floats, block: int) -> Floats:
        """Return a matrix of Rho with ones on the diagonal."""
        n = int(self.blocks.sizes[block])
        out = np.full((n, n), self._rho(phi)[0])
        np.fill_diagonal(out, 1.0)
        return out

    def at_boundary(self, phi: Floats) -> bool:
        """Return True where Rho is at one of its limits."""
        return bool(min(special.expit(phi[0]), special.expit(-phi[0])) < 1e-6)
