"""A model within linear equality constraints: its parameters are offset + basis z, and the search is in z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block, Mapping

Floats = NDArray[np.float64]


class Reduced:
    """A mapping from the free directions z (k,) of the parameters x (size,) = offset + basis z.

    spent: degrees of freedom that the model uses (k where None); more than k where inequalities are active. limited:
    whether bounds, inequalities or equalities that are not linear limit the parameters. whole: nothing is constrained,
    and z is x.
    """

    def __init__(
        self,
        model: Mapping,
        basis: Floats,
        offset: Floats | None = None,
        spent: int | None = None,
        *,
        limited: bool = False,
    ) -> None:
        self.model = model
        self.basis = basis
        self.limited = limited
        self.spent = int(basis.shape[1]) if spent is None else spent
        self.offset = np.zeros(basis.shape[0]) if offset is None else offset
        self.whole = (
            basis.shape[0] == basis.shape[1] and not self.offset.any() and bool((basis == np.eye(len(basis))).all())
        )

    @property
    def size(self) -> int:
        """Number of free directions."""
        return int(self.basis.shape[1])

    def expand(self, z: Floats) -> Floats:
        """Return the parameters."""
        return z if self.whole else np.asarray(self.offset + self.basis @ z)

    def reduce(self, x: Floats) -> Floats:
        """Return the directions whose parameters are nearest to ``x``."""
        if self.whole:
            return x
        return np.asarray(np.linalg.lstsq(self.basis, x - self.offset, rcond=None)[0])

    def moments(self, x: Floats) -> tuple[Block, ...]:
        """Return the blocks of moments."""
        return self.model.moments(self.expand(x))

    def jacobian(self, x: Floats) -> tuple[Floats, ...]:
        """Return d moments / d z of each group."""
        found = self.model.jacobian(self.expand(x))
        return found if self.whole else tuple(part @ self.basis for part in found)

    def gradient(self, x: Floats, slopes: Sequence[Block]) -> Floats:
        """Return the derivative by z."""
        found = self.model.gradient(self.expand(x), slopes)
        return found if self.whole else np.asarray(self.basis.T @ found)

    def bend(self, x: Floats, slopes: Sequence[Block]) -> Floats:
        """Return what the second derivatives of the moments add to the Hessian, by z."""
        return np.asarray(self.basis.T @ self.model.bend(self.expand(x), slopes) @ self.basis)
