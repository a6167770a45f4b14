"""What a fit keeps of its residual structure; no methods beyond lookups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.residual.design import ResidualDesign
from alliancekit.multilevel.residual.terms import BoundCorrelation, BoundVariance, ResidualStructure

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ResidualPart:
    """The residual structure of a fitted model: covariance of the residuals sigma^2 S C S.

    Attributes
    ----------
    structure : as asked for. rows : the rows in the structure's order, to be whitened.
    phi : (n_phi,) unconstrained parameters, correlation first. free : False for a parameter at a boundary.
    rounds : fits made until weights by fitted values did not change any more; 1 for any other structure.
    """

    structure: ResidualStructure
    rows: ResidualDesign
    phi: Floats
    free: NDArray[np.bool_]
    rounds: int = 1

    @property
    def correlation(self) -> BoundCorrelation | None:
        """The correlation, bound to the rows."""
        return self.rows.correlation

    @property
    def variance(self) -> BoundVariance | None:
        """The variance structure, bound to the rows."""
        return self.rows.variance

    @property
    def correlation_phi(self) -> Floats:
        """The correlation's parameters."""
        return self.phi[: self.rows.n_correlation]

    @property
    def variance_phi(self) -> Floats:
        """The variance structure's parameters."""
        return self.phi[self.rows.n_correlation :]

    @property
    def at_boundary(self) -> bool:
        """True where the correlation has degenerated."""
        return self.correlation is not None and self.correlation.at_boundary(self.correlation_phi)
