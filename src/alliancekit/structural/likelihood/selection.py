"""Models whose parameters are some of the moments themselves: the saturated and the baseline model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import from_half, half_vector
from alliancekit.structural.likelihood.contract import Block
from alliancekit.structural.likelihood.search import flatten_slopes

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


class Selection:
    """The moments marked as free are the parameters, group after group; the others stay as they are.

    origin: all blocks of moments; free: the mark of every moment of each group; per_group: blocks in a group.
    """

    def __init__(self, origin: Sequence[Block], free: Sequence[Booleans], per_group: int = 1) -> None:
        self._widths = [block.mu.size for block in origin]
        self._origin = np.concatenate([part for block in origin for part in (block.mu, half_vector(block.sigma))])
        self._free = np.concatenate(list(free))
        self._sizes = [part.size for part in free]
        self._per_group = per_group

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return int(self._free.sum())

    @property
    def start(self) -> Floats:
        """Parameters at the moments that were given."""
        return np.asarray(self._origin[self._free])

    def moments(self, x: Floats) -> tuple[Block, ...]:
        """Return the blocks of moments."""
        flat = self._origin.copy()
        flat[self._free] = x
        out = []
        at = 0
        for p in self._widths:
            end = at + p + p * (p + 1) // 2
            out.append(Block(flat[at : at + p], from_half(flat[at + p : end], p)))
            at = end
        return tuple(out)

    def jacobian(self, x: Floats) -> tuple[Floats, ...]:
        """Return d moments / d x of each group."""
        whole = np.eye(self._free.size)[:, self._free]
        return tuple(np.split(whole, np.cumsum(self._sizes)[:-1]))

    def gradient(self, x: Floats, slopes: Sequence[Block]) -> Floats:
        """Return the derivative by the free moments."""
        return np.asarray(flatten_slopes(slopes)[self._free])

    def bend(self, x: Floats, slopes: Sequence[Block]) -> Floats:
        """Return zero: the moments are the parameters."""
        return np.zeros((self.size, self.size))
