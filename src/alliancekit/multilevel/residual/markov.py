"""Correlations that decay along time: each row depends on the one before it alone, so that whitening is one step.

In a block with times t_1 < t_2 < ... the whitened rows are u_1 and (u_i - r_i u_{i-1}) / sqrt(1 - r_i^2) with
r_i = phi^(t_i - t_{i-1}). It holds for any spacing, because the process is Markov (Jones & Boadi-Boateng 1991,
Biometrics 47, 161-175). All rows are kept in one array; the first row of each block has r = 0.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.residual.rows import Blocks
from alliancekit.multilevel.residual.terms import BoundCorrelation

Floats = NDArray[np.float64]


class Markov(BoundCorrelation):
    """A correlation phi^distance; subclasses say how phi hangs on its unconstrained parameter."""

    names = ("Phi",)

    def __init__(self, blocks: Blocks, time: Floats) -> None:
        self.blocks, self.time = blocks, time
        self.later = np.flatnonzero(blocks.codes[1:] == blocks.codes[:-1]) + 1
        self.gap = time[self.later] - time[self.later - 1]

    @property
    def n_parameters(self) -> int:
        """One."""
        return 1

    @abstractmethod
    def _lag(self, phi: Floats) -> tuple[Floats, Floats, Floats]:
        """Return, for each later row, its correlation r with the row before, dr/dphi, and 1 - r^2."""

    def _neighbours(self, residuals: Floats) -> float:
        """Return the correlation of neighbouring residuals, kept inside (-.9, .95)."""
        now, before = residuals[self.later], residuals[self.later - 1]
        size = float(np.sqrt((now @ now) * (before @ before)))
        return float(np.clip(now @ before / size, -0.9, 0.95)) if size > 0 else 0.0

    def log_det(self, phi: Floats) -> tuple[float, Floats]:
        """Return the sum of log(1 - r^2)."""
        r, slope, rest = self._lag(phi)
        return float(np.log(rest).sum()), np.array([float((-2.0 * r * slope / rest).sum())])

    def whiten(self, phi: Floats, U: Floats) -> Floats:
        """Return innovations, standardised."""
        r, _, rest = self._lag(phi)
        out = U.copy()
        out[:, self.later] = (U[:, self.later] - r * U[:, self.later - 1]) / np.sqrt(rest)
        return out

    def solve(self, phi: Floats, U: Floats) -> Floats:
        """Return the transpose of the whitening applied to whitened columns."""
        r, _, rest = self._lag(phi)
        out = self.whiten(phi, U)
        innovation = out[:, self.later] / np.sqrt(rest)
        out[:, self.later] = innovation
        out[:, self.later - 1] -= r * innovation
        return out

    def slopes(self, phi: Floats, U: Floats, V: Floats) -> Floats:
        """Return the derivative of the sum of (q - r c + r^2 p) / (1 - r^2)."""
        r, slope, rest = self._lag(phi)
        own = np.einsum("dn,dn->n", U, V)
        q, p = own[self.later], own[self.later - 1]
        c = np.einsum("dn,dn->n", U[:, self.later], V[:, self.later - 1])
        c = c + np.einsum("dn,dn->n", V[:, self.later], U[:, self.later - 1])
        value = (q - r * c + r**2 * p) / rest
        by_r = (2.0 * r * (p + value) - c) / rest
        return np.array([float((by_r * slope).sum())])

    def matrix(self, phi: Floats, block: int) -> Floats:
        """Return phi to the power of each distance."""
        value = float(self.natural(phi)[0])
        time = self.time[self.blocks.starts[block] : self.blocks.starts[block + 1]]
        distance = np.abs(time[:, None] - time[None, :])
        with np.errstate(divide="ignore", invalid="ignore"):
            out = np.sign(value) ** distance * np.exp(distance * np.log(abs(value)))
        np.fill_diagonal(out, 1.0)
        return np.asarray(out)
