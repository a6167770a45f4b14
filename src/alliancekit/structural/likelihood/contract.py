"""What a likelihood of raw data offers, and how a model is seen by it.

Data come in groups; a group has one block of moments (means and covariances), or two in a two-level model. Vectors of
moments of a group stand block after block: means, then the lower triangle of the covariances column by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Block(NamedTuple):
    """Means (p,) and covariances (p, p) of one block; or the derivatives of a criterion by them.

    As derivative, sigma is symmetric and an off-diagonal entry counts once: the change of the criterion is the sum over
    the whole matrix of derivative times change.
    """

    mu: Floats
    sigma: Floats


class Likelihood(Protocol):
    """-2 log-likelihood of raw data as a function of the moments, with derivatives, information and scores."""

    @property
    def n(self) -> int:
        """Rows of all groups."""
        ...

    @property
    def units(self) -> tuple[int, ...]:
        """Independent units of each group: rows, or clusters in a two-level model."""
        ...

    @property
    def analytic(self) -> bool:
        """Whether the observed information about the moments is known in closed form."""
        ...

    def evaluate(self, blocks: Sequence[Block]) -> tuple[float, tuple[Block, ...]] | None:
        """Return -2 log-likelihood and its derivatives; None where the moments are not admissible."""
        ...

    def information(self, kind: str, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the information of each group, summed over its rows; kind: "expected", "observed" or "first.order"."""
        ...

    def scores(self, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return d log-likelihood / d moments of each unit, one array (units, moments) for each group."""
        ...


class Mapping(Protocol):
    """How free parameters become moments."""

    @property
    def size(self) -> int:
        """Number of free parameters."""
        ...

    def moments(self, x: Floats) -> tuple[Block, ...]:
        """Return the blocks of moments."""
        ...

    def jacobian(self, x: Floats) -> tuple[Floats, ...]:
        """Return d moments / d x of each group, (moments, size)."""
        ...

    def gradient(self, x: Floats, slopes: Sequence[Block]) -> Floats:
        """Return the derivative by x of a criterion whose derivatives by the moments are given."""
        ...

    def bend(self, x: Floats, slopes: Sequence[Block]) -> Floats:
        """Return what the second derivatives of the moments add to the Hessian of such a criterion, (size, size)."""
        ...
