"""Cross-products added up over chunks of rows; the sums that ``gaussian.products`` takes of all rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.factors import ChainLink, Factor
from alliancekit.multilevel.gaussian.layout import Layout
from alliancekit.multilevel.gaussian.patterns import find_patterns
from alliancekit.multilevel.gaussian.products import CrossProducts, LinkProducts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_WIDE = 4  # a chunk's levels may span this many times its rows before they are renumbered


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Levels of the rows of one chunk, renumbered: ``code`` (n,) from 0, ``at`` where these numbers stand among all."""

    code: Ints
    at: slice | Ints
    count: int

    def add(self, total: Floats, values: Floats) -> None:
        """Add the sums of ``values`` (n,) by level to ``total`` (L,)."""
        total[self.at] += np.bincount(self.code, values, self.count)


def find_places(codes: Ints) -> Places:
    """Return the levels that occur in a chunk, as a range where they lie close together."""
    low, high = int(codes.min()), int(codes.max()) + 1
    if high - low <= _WIDE * codes.size:
        return Places(codes - low, slice(low, high), high - low)
    present, code = np.unique(codes, return_inverse=True)
    return Places(code.astype(np.intp, copy=False), present, present.size)


class Accumulator:
    """Adds up the products of factors in elimination order.

    Parameters
    ----------
    factors, chain, border : as in ``GaussianDesign``. layout : cells of the border. occurring : per border factor, the
    sorted keys (level of the first chain factor times levels of the border factor, plus its level) that occur.
    p : columns of X.
    """

    def __init__(
        self,
        factors: tuple[Factor, ...],
        chain: tuple[ChainLink, ...],
        border: tuple[int, ...],
        layout: Layout,
        occurring: tuple[Ints, ...],
        p: int,
    ) -> None:
        self.factors, self.chain, self.border, self.layout, self.occurring = factors, chain, border, layout, occurring
        self.p, self.n, self.log_weights = p, 0, 0.0
        qs = [factors[link.factor].q for link in chain]
        self.square = [
            np.zeros((q, sum(qs[k:]), link.n_levels)) for k, (q, link) in enumerate(zip(qs, chain, strict=True))
        ]
        self.free = [np.zeros((q, p + 1, link.n_levels)) for q, link in zip(qs, chain, strict=True)]
        n_cells = layout.cells[0].level.size if layout.m else 0
        self.cells = np.zeros((sum(qs), n_cells))
        self.total = np.zeros((layout.m + p + 1, layout.m + p + 1))

    def add(self, codes: list[Ints], Zs: list[Floats], X: Floats, y: Floats, root: Floats | None) -> None:
        """Add a chunk: level of each row by factor, and the engine's columns (root: square root of the weights)."""
        if root is not None:
            X, y, Zs = X * root[:, None], y * root, [Z * root[:, None] for Z in Zs]
            self.log_weights += 2.0 * float(np.log(root).sum())
        self.n += len(y)
        free = [*X.T, y]
        chained = [(k, column) for k, link in enumerate(self.chain) for column in Zs[link.factor].T]
        at = 0
        for k, link in enumerate(self.chain):
            places = find_places(codes[link.factor])
            own = [column for level, column in chained if level == k]
            above = [column for level, column in chained if level >= k]
            for i, first in enumerate(own):
                for j, second in enumerate(above):
                    if j >= i:
                        places.add(self.square[k][i, j], first * second)
                for j, second in enumerate(free):
                    places.add(self.free[k][i, j], first * second)
            at += len(own)
        self._add_border(codes, Zs, [column for _, column in chained], free)

    def _add_border(self, codes: list[Ints], Zs: list[Floats], chained: list[Floats], free: list[Floats]) -> None:
        m, total = self.layout.m, self.total
        stacked = np.column_stack(free)
        total[m:, m:] += stacked.T @ stacked
        for position, index in enumerate(self.border):
            f, Z, start = self.factors[index], Zs[index], self.layout.starts[position]
            key = codes[self.chain[0].factor] * f.n_levels + codes[index]
            cell = find_places(np.searchsorted(self.occurring[position], key).astype(np.intp, copy=False))
            row = self.layout.rows[position]
            for j in range(f.q):
                for i, column in enumerate(chained):
                    sums = np.bincount(cell.code, column * Z[:, j], cell.count)
                    self.cells[i, row.places[j][cell.at]] += sums
                own = slice(start + j, start + f.n_levels * f.q, f.q)
                for k, column in enumerate(free):
                    total[own, m + k] += np.bincount(codes[index], Z[:, j] * column, f.n_levels)
                for k in range(f.q):
                    diagonal = np.arange(start, start + f.n_levels * f.q, f.q)
                    total[diagonal + j, diagonal + k] += np.bincount(codes[index], Z[:, j] * Z[:, k], f.n_levels)
                for later in range(position + 1, len(self.border)):
                    g, there = self.factors[self.border[later]], self.layout.starts[later]
                    both = codes[index] * g.n_levels + codes[self.border[later]]
                    for k in range(g.q):
                        values = Z[:, j] * Zs[self.border[later]][:, k]
                        block = np.bincount(both, values, f.n_levels * g.n_levels).reshape(f.n_levels, g.n_levels)
                        total[own, there + k : there + g.n_levels * g.q : g.q] += block

    def finish(self) -> CrossProducts:
        """Return the products of all rows added."""
        m, p = self.layout.m, self.p
        links: list[LinkProducts] = []
        at, cells = 0, self.cells
        for k, (square, free) in enumerate(zip(self.square, self.free, strict=True)):
            q = square.shape[0]
            for i in range(q):
                for j in range(i):
                    square[i, j] = square[j, i]
            links.append(LinkProducts(square, free, cells[at : at + q].copy() if m else np.zeros((q, 0))))
            at += q
            if m and k + 1 < len(self.chain):
                up = self.layout.cells[k].up
                assert up is not None
                size = self.layout.cells[k + 1].level.size
                cells = np.stack([np.bincount(up, row, size) for row in cells])
        total = self.total
        total[:m, :m] = np.triu(total[:m, :m]) + np.triu(total[:m, :m], 1).T
        total[m:, :m] = total[:m, m:].T
        patterns = find_patterns(self.chain, tuple(links), self.layout, self.n)
        return CrossProducts(
            self.n,
            p,
            m,
            tuple(links),
            np.ascontiguousarray(total[: m + p, : m + p]),
            total[: m + p, m + p].copy(),
            float(total[m + p, m + p]),
            self.log_weights,
            self.layout,
            patterns,
        )
