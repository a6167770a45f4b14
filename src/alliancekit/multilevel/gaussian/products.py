"""Cross-products of the model's columns: all that the likelihood needs of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.factors import ChainLink, Factor, Ints, Runs
from alliancekit.multilevel.gaussian.layout import Layout, make_layout
from alliancekit.multilevel.gaussian.patterns import Patterns, find_patterns

Floats = NDArray[np.float64]
_LONG_RUNS = 6  # mean length of a run from which summing by run beats counting
_MANY = 12  # columns from which one matrix product beats products of pairs


@dataclass(frozen=True, slots=True, eq=False)
class LinkProducts:
    """Products of one chain factor's own q columns, summed within each of its L levels; the last axis is the level.

    Attributes
    ----------
    square : (q, a, L) with themselves, then with the columns of the chain factors above (a in all).
    free : (q, p + 1, L) with X and, last, y. cells : (q, C) with the border, at its cells (see ``Layout``).
    """

    square: Floats
    free: Floats
    cells: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CrossProducts:
    """What the likelihood needs of the data.

    Attributes
    ----------
    n, p : rows used, fixed-effect columns. m : random effects in the border.
    links : per chain factor, first to last, the products within its levels.
    total : shape (m + p, m + p): border and X with themselves. total_response : (m + p,). yy : y'y.
    log_weights : sum of the logs of the prior weights.
    layout : which cells occur, where the rows go. patterns : levels of the first chain factor that share their
        products, collapsed; None where few do.
    """

    n: int
    p: int
    m: int
    links: tuple[LinkProducts, ...]
    total: Floats
    total_response: Floats
    yy: float
    log_weights: float
    layout: Layout
    patterns: Patterns | None


def cross_products(
    factors: tuple[Factor, ...],
    chain: tuple[ChainLink, ...],
    border: tuple[int, ...],
    Zs: list[Floats],
    X: Floats,
    y: Floats,
    log_weights: float,
    layout: Layout | None = None,
) -> CrossProducts:
    """Return the cross-products of transformed columns.

    Parameters
    ----------
    factors, chain, border : as in ``GaussianDesign``. Zs : per factor, shape (n, q), the engine's columns.
    X : shape (n, p). y : shape (n,). Weights or a whitening are already multiplied into Zs, X and y.
    log_weights : sum of the logs of prior weights, or of the log-determinant of the whitening.
    layout : that of earlier products of the same rows and factors; None makes it.
    """
    n, p = X.shape
    if layout is None:
        layout = make_layout(factors, chain, border)
    if not chain:
        sums = Sums(None, [*X.T, y])
        total, total_response, yy = _total(factors, border, Zs, sums, [], p, layout)
        return CrossProducts(n, p, 0, (), total, total_response, yy, log_weights, layout, None)
    first = factors[chain[0].factor]
    columns = [Zs[link.factor][:, j] for link in chain for j in range(factors[link.factor].q)]
    by_level = LevelSums(first.codes, chain[0].n_levels, layout.runs)
    sums = Sums(by_level, [*columns, *X.T, y])
    links = _links(factors, chain, Zs, columns, sums, p, layout)
    total, total_response, yy = _total(factors, border, Zs, sums, columns, p, layout)
    patterns = find_patterns(chain, links, layout, n)
    return CrossProducts(n, p, layout.m, links, total, total_response, yy, log_weights, layout, patterns)


def _links(
    factors: tuple[Factor, ...],
    chain: tuple[ChainLink, ...],
    Zs: list[Floats],
    columns: list[Floats],
    sums: Sums,
    p: int,
    layout: Layout,
) -> tuple[LinkProducts, ...]:
    """Return the products within the levels of each chain factor; those above are added up from the first."""
    a = len(columns)
    climb: list[tuple[Ints, int]] = []
    cells_up: list[tuple[Ints, int]] = []
    cells = _cell_sums(Zs, columns, layout)
    out = []
    at = 0
    for position, link in enumerate(chain):
        q = factors[link.factor].q
        square = np.empty((q, a - at, link.n_levels))
        free = np.empty((q, p + 1, link.n_levels))
        for i in range(q):
            for j in range(a - at):
                square[i, j] = square[j, i] if j < i else climb_up(sums(at + i, at + j), climb)
            for j in range(p + 1):
                free[i, j] = climb_up(sums(at + i, a + j), climb)
        own = np.stack([climb_up(row, cells_up) for row in cells[at : at + q]]) if layout.m else np.zeros((q, 0))
        out.append(LinkProducts(square, free, own))
        at += q
        if link.parent is not None:
            climb.append((link.parent, chain[position + 1].n_levels))
            if layout.m:
                up = layout.cells[position].up
                assert up is not None
                cells_up.append((up, layout.cells[position + 1].level.size))
    return tuple(out)


def climb_up(values: Floats, climb: list[tuple[Ints, int]]) -> Floats:
    """Add values by level up the chain."""
    for parent, size in climb:
        values = np.asarray(np.bincount(parent, values, size), dtype=np.float64)
    return values


def _cell_sums(Zs: list[Floats], columns: list[Floats], layout: Layout) -> Floats:
    """Return the products of the chain's columns with the border at the cells of the first link, (a, C)."""
    if not layout.m:
        return np.zeros((len(columns), 0))
    out = np.empty((len(columns), layout.cells[0].level.size))
    for row in layout.rows:
        Z = Zs[row.factor]
        for j, place in enumerate(row.places):
            for i, column in enumerate(columns):
                out[i, place] = np.bincount(row.at, column * Z[:, j], place.size)
    return out


def _total(
    factors: tuple[Factor, ...],
    border: tuple[int, ...],
    Zs: list[Floats],
    sums: Sums,
    columns: list[Floats],
    p: int,
    layout: Layout,
) -> tuple[Floats, Floats, float]:
    """Return the products of border and X with themselves, (m + p, m + p), and with y, and y'y."""
    m, a = layout.m, len(columns)
    total = np.zeros((m + p, m + p))
    response = np.empty(m + p)
    corner = sums.corner(a, p + 1)
    total[m:, m:], response[m:] = corner[:p, :p], corner[:p, p]
    for position, index in enumerate(border):
        f, Z, start = factors[index], Zs[index], layout.starts[position]
        stop = start + f.n_levels * f.q
        for j in range(f.q):
            own = slice(start + j, stop, f.q)
            by_level = LevelSums(f.codes, f.n_levels, None)
            for k in range(p):
                total[own, m + k] = total[m + k, own] = by_level(Z[:, j] * sums.columns[a + k])
            response[own] = by_level(Z[:, j] * sums.columns[a + p])
            for k in range(f.q):
                total[np.arange(start + j, stop, f.q), np.arange(start + k, stop, f.q)] = by_level(Z[:, j] * Z[:, k])
            for later in range(position + 1, len(border)):
                g, there = factors[border[later]], layout.starts[later]
                for k in range(g.q):
                    other = slice(there + k, there + g.n_levels * g.q, g.q)
                    product = Z[:, j] * Zs[border[later]][:, k]
                    cell = f.codes * g.n_levels + g.codes
                    block = np.bincount(cell, product, f.n_levels * g.n_levels).reshape(f.n_levels, g.n_levels)
                    total[own, other] = block
                    total[other, own] = block.T
    return total, response, float(corner[p, p])


class LevelSums:
    """Sums of a column within each level, by the fastest way that the order of the rows allows."""

    def __init__(self, codes: Ints, n_levels: int, runs: Runs | None) -> None:
        self.codes, self.n_levels, self.runs = codes, n_levels, runs
        self.ones = np.ones(runs.length) if runs is not None and runs.length else None

    def __call__(self, values: Floats) -> Floats:
        """Return the sum of values (n,) within each level, (L,)."""
        runs = self.runs
        if runs is None or (self.ones is None and values.size < _LONG_RUNS * self.n_levels):
            return np.asarray(np.bincount(self.codes, values, self.n_levels), dtype=np.float64)
        if self.ones is not None:
            sums = np.ascontiguousarray(values).reshape(self.n_levels, -1) @ self.ones
        else:
            sums = np.add.reduceat(values, runs.starts)
        if runs.level is None:
            return sums
        out = np.empty(self.n_levels)
        out[runs.level] = sums
        return out

    def count(self) -> Floats:
        """Return the number of rows in each level."""
        if self.ones is not None:
            return np.full(self.n_levels, float(self.ones.size))
        return np.bincount(self.codes, minlength=self.n_levels).astype(np.float64)


class Sums:
    """Per-level sums of products of columns. Equal columns are summed once; a column that is constant is a factor."""

    def __init__(self, by_level: LevelSums | None, columns: list[Floats]) -> None:
        self.by_level, self.columns = by_level, columns
        self.same: list[int] = []
        self.constant = [_constant(column) for column in columns]
        for i, column in enumerate(columns):
            self.same.append(next((j for j in range(i) if self.same[j] == j and self._twins(j, i, column)), i))
        self.known: dict[tuple[int, int], Floats] = {}

    def _twins(self, j: int, i: int, column: Floats) -> bool:
        """Return whether columns j and i are equal."""
        if self.constant[i] is not None or self.constant[j] is not None:
            return self.constant[i] == self.constant[j]
        return _equal(self.columns[j], column)

    def __call__(self, i: int, j: int) -> Floats:
        """Return the sums of columns i times j within each level, (L,)."""
        i, j = sorted((self.same[i], self.same[j]))
        if (i, j) not in self.known:
            self.known[i, j] = self._sum(i, j)
        return self.known[i, j]

    def _sum(self, i: int, j: int) -> Floats:
        assert self.by_level is not None
        one, two = self.constant[i], self.constant[j]
        if one is not None and two is not None:
            if (-1, -1) not in self.known:
                self.known[-1, -1] = self.by_level.count()
            return one * two * self.known[-1, -1]
        if one is not None or two is not None:
            factor, column = (one, j) if one is not None else (two, i)
            assert factor is not None
            if (-1, column) not in self.known:
                self.known[-1, column] = self.by_level(self.columns[column])
            return self.known[-1, column] if factor == 1.0 else factor * self.known[-1, column]
        return self.by_level(self.columns[i] * self.columns[j])

    def corner(self, start: int, size: int) -> Floats:
        """Return the products of the columns from ``start`` on over all rows, (size, size)."""
        out = np.empty((size, size))
        if size > _MANY:
            stacked = np.column_stack(self.columns[start : start + size])
            return np.asarray(stacked.T @ stacked, dtype=np.float64)
        for i in range(size):
            for j in range(i, size):
                out[i, j] = out[j, i] = self._whole(start + i, start + j)
        return out

    def _whole(self, i: int, j: int) -> float:
        i, j = sorted((self.same[i], self.same[j]))
        if (i, j) in self.known:
            return float(self.known[i, j].sum())
        return float(self.columns[i] @ self.columns[j])


def _equal(a: Floats, b: Floats) -> bool:
    return bool(a[0] == b[0] and a[-1] == b[-1] and np.array_equal(a, b)) if a.size else True


def _constant(column: Floats) -> float | None:
    flat = column.size > 0 and column[0] == column[-1] and bool((column == column[0]).all())
    return float(column[0]) if flat else None
