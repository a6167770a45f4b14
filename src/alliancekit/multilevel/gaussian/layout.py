"""Where the rows go: what the grouping factors alone decide, whatever the columns and weights are.

A factor crossed with the chain meets only some of its levels within each level of the chain. The pairs that occur are
*cells* (level of the chain, random effect of the border); products are kept for these alone, never for all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.factors import ChainLink, Factor, Ints, Runs, find_runs

_PAIRS = 2_000_000  # pairs of cells held at a time
_FULL = 0.08  # share of cells that occur from which dense products are faster


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of one chain factor, sorted by level and column.

    Attributes
    ----------
    level, column : (C,) level of the chain factor, column of the border. starts : (L + 1,) first cell of each level.
    up : (C,) cell of the next chain factor that each cell belongs to; None for the last.
    n_columns : columns of the border. dense : whether so many cells occur that matrices are faster.
    kept : the pairs of cells, once they have been made and if they are few enough.
    """

    level: Ints
    column: Ints
    starts: Ints
    up: Ints | None
    n_columns: int
    dense: bool
    kept: list[Pairs] = field(default_factory=list)

    def chunks(self) -> Iterator[slice]:
        """Yield ranges of levels whose pairs of cells, or whose full rows, fit into memory."""
        counts = np.diff(self.starts)
        work = np.cumsum(np.full_like(counts, self.n_columns) if self.dense else counts * (counts + 1) // 2)
        first, n_levels = 0, counts.size
        while first < n_levels:
            done = work[first - 1] if first else 0
            last = max(int(np.searchsorted(work, done + _PAIRS, side="right")), first + 1)
            yield slice(first, last)
            first = last

    def pairs(self) -> Iterator[Pairs]:
        """Yield all pairs of cells within each level, chunk by chunk; a single chunk is kept for the next pass."""
        if self.kept:
            yield self.kept[0]
            return
        chunks = list(self.chunks())
        for levels in chunks:
            pairs = self._pairs(levels)
            if len(chunks) == 1:
                self.kept.append(pairs)
            yield pairs

    def matrices(self, values: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield ranges of levels with the values (q, C) of their cells as full matrices, (q, levels, columns)."""
        for levels in self.chunks():
            own = slice(self.starts[levels.start], self.starts[levels.stop])
            full = np.zeros((values.shape[0], levels.stop - levels.start, self.n_columns))
            full[:, self.level[own] - levels.start, self.column[own]] = values[:, own]
            yield levels, full

    def _pairs(self, levels: slice) -> Pairs:
        begin, end = self.starts[levels.start], self.starts[levels.stop]
        cells = np.arange(begin, end)
        partners = self.starts[self.level[begin:end] + 1] - cells
        first = np.repeat(cells, partners)
        second = first + np.arange(first.size) - np.repeat(np.cumsum(partners) - partners, partners)
        place = self.column[first] * self.n_columns + self.column[second]
        return Pairs(first, second, self.level[first], place, np.where(first == second, 0.5, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs (first <= second) of cells of one level.

    Attributes
    ----------
    first, second : places in the list of cells. level : which level. place : entry of the border's matrix, row by row,
    always on or above the diagonal. share : one half for a cell with itself, else one.
    """

    first: Ints
    second: Ints
    level: Ints
    place: Ints
    share: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CellRows:
    """Cells of one border factor by row: ``at`` (n,) numbers its cells, ``places[j]`` says where effect j's stand."""

    factor: int
    at: Ints
    places: tuple[Ints, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Structure of one data set, used again by every refit, reweighting and transformation of its columns.

    Attributes
    ----------
    runs : rows of the first chain factor where each level stands together, else None.
    cells : per chain link, its cells with the border; empty without a border.
    rows : per border factor, the cell of each row. starts : first column of each border factor. m : columns.
    """

    runs: Runs | None
    cells: tuple[Cells, ...]
    rows: tuple[CellRows, ...]
    starts: tuple[int, ...]
    m: int


def make_layout(factors: tuple[Factor, ...], chain: tuple[ChainLink, ...], border: tuple[int, ...]) -> Layout:
    """Return the layout of factors in elimination order."""
    if not chain:
        return Layout(None, (), (), *_columns(factors, border))
    first = factors[chain[0].factor]
    runs = find_runs(first.codes, first.n_levels)
    occurring, ats = [], []
    for index in border:
        f = factors[index]
        keys, at = _distinct(first.codes * f.n_levels + f.codes, first.n_levels * f.n_levels)
        occurring.append(keys)
        ats.append(at)
    return lay_out(factors, chain, border, runs, tuple(occurring), tuple(ats))


def lay_out(
    factors: tuple[Factor, ...],
    chain: tuple[ChainLink, ...],
    border: tuple[int, ...],
    runs: Runs | None,
    occurring: tuple[Ints, ...],
    ats: tuple[Ints, ...],
) -> Layout:
    """Return the layout of factors whose cells are known.

    Parameters
    ----------
    runs : rows of the first chain factor, as in ``Layout``.
    occurring : per border factor, the pairs with the first chain factor that occur, sorted, as keys (level of the
        first) * (levels of the border factor) + (level of the border factor).
    ats : per border factor, the key of each row; of no rows where they are not at hand.
    """
    starts, m = _columns(factors, border)
    if not border:
        return Layout(runs, (), (), (), 0)
    keys: list[Ints] = []
    for index, start, pairs in zip(border, starts, occurring, strict=True):
        f = factors[index]
        level, other = np.divmod(pairs, f.n_levels)
        keys += [level * m + start + other * f.q + j for j in range(f.q)]
    order = np.argsort(np.concatenate(keys), kind="stable")
    place = np.empty(order.size, dtype=np.intp)
    place[order] = np.arange(order.size)
    level, column = np.divmod(np.concatenate(keys)[order], m)
    rows: list[CellRows] = []
    used = effect = 0
    for index, at in zip(border, ats, strict=True):
        places: list[Ints] = []
        for _ in range(factors[index].q):
            places.append(place[used : used + keys[effect].size])
            used += keys[effect].size
            effect += 1
        rows.append(CellRows(index, at, tuple(places)))
    return Layout(runs, _climb(chain, level, column, m), tuple(rows), starts, m)


def _columns(factors: tuple[Factor, ...], border: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Return the first column of each border factor, and the number of columns."""
    starts, m = [], 0
    for index in border:
        starts.append(m)
        m += factors[index].n_levels * factors[index].q
    return tuple(starts), m


def _climb(chain: tuple[ChainLink, ...], level: Ints, column: Ints, m: int) -> tuple[Cells, ...]:
    """Return the cells of every chain link from those of the first."""
    out = []
    for link in chain:
        starts = np.searchsorted(level, np.arange(link.n_levels + 1)).astype(np.intp)
        dense = level.size > _FULL * link.n_levels * m
        up: Ints | None = None
        if link.parent is not None:
            keys, up = _distinct(link.parent[level] * m + column, (int(link.parent.max()) + 1) * m)
        out.append(Cells(level, column, starts, up, m, dense))
        if link.parent is not None:
            level, column = np.divmod(keys, m)
    return tuple(out)


def _distinct(keys: Ints, span: int) -> tuple[Ints, Ints]:
    """Return the sorted distinct keys (all below ``span``) and the place of each key among them."""
    if span <= 8 * keys.size + 1_000_000:
        seen = np.zeros(span, dtype=bool)
        seen[keys] = True
        found = np.flatnonzero(seen)
        lookup = np.empty(span, dtype=np.intp)
        lookup[found] = np.arange(found.size)
        return found, lookup[keys]
    found, at = np.unique(keys, return_inverse=True)
    return found, at.astype(np.intp, copy=False)
