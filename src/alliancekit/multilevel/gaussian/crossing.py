"""The part of one chain factor's elimination that concerns its cells with the border.

Symbols as in ``chain``: C holds a level's products with the border at its cells, K is (q, q) for each level, S is the
adjoint of the Schur complement; only its entries between cells of one level are ever needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.layout import Cells

Floats = NDArray[np.float64]


def forward_cells(cells: Cells, values: Floats, shrunk: Floats, free: Floats, tail: Floats) -> Floats:
    """Subtract C'KC and C'K[X y] from the dense tail, (m + e, m + e), in place; return KC at the cells, (q, C)."""
    m = cells.n_columns
    solved = at_cells(shrunk, values, cells)
    weights = np.einsum("ic,iec->ec", solved, np.take(free, cells.level, axis=2))
    for k in range(free.shape[1]):
        gone = np.bincount(cells.column, weights[k], m)
        tail[:m, m + k] -= gone
        tail[m + k, :m] -= gone
    square = tail[:m, :m]
    if cells.dense:
        for levels, dense in cells.matrices(values):
            scaled = np.einsum("ijl,jlm->ilm", shrunk[:, :, levels], dense)
            for i in range(dense.shape[0]):
                square -= scaled[i].T @ dense[i]
        return solved
    for pairs in cells.pairs():
        product = solved[0][pairs.first] * values[0][pairs.second]
        for i in range(1, len(values)):
            product += solved[i][pairs.first] * values[i][pairs.second]
        gone = np.bincount(pairs.place, product * pairs.share, m * m).reshape(m, m)
        square -= gone
        square -= gone.T
    return solved


def at_cells(shrunk: Floats, values: Floats, cells: Cells) -> Floats:
    """Return KC at the cells: (q, q, L) with (q, C)."""
    if shrunk.shape[0] == 1:
        return np.asarray(shrunk[0, 0][cells.level] * values)
    return np.asarray(np.einsum("ijc,jc->ic", np.take(shrunk, cells.level, axis=2), values))


def pass_up(cells: Cells, solved: Floats, upper: Floats, n_above: int) -> Floats:
    """Return B'KC added up to the cells of the next factor, (u, C above)."""
    assert cells.up is not None
    product = np.einsum("iuc,ic->uc", np.take(upper, cells.level, axis=2), solved)
    return np.stack([np.bincount(cells.up, row, n_above) for row in product])


def adjoint_within(cells: Cells, values: Floats, tail: Floats) -> Floats:
    """Return C S at the cells, (q, C), for the border's own corner of S."""
    m = cells.n_columns
    square = np.ascontiguousarray(tail[:m, :m])
    out = np.zeros_like(values)
    if cells.dense:
        for levels, dense in cells.matrices(values):
            own = slice(cells.starts[levels.start], cells.starts[levels.stop])
            row = cells.level[own] - levels.start
            for i in range(dense.shape[0]):
                out[i, own] = (dense[i] @ square)[row, cells.column[own]]
        return out
    n_cells, flat = cells.level.size, square.reshape(-1)
    for pairs in cells.pairs():
        between = flat[pairs.place] * pairs.share
        for i in range(values.shape[0]):
            out[i] += np.bincount(pairs.first, between * values[i][pairs.second], n_cells)
            out[i] += np.bincount(pairs.second, between * values[i][pairs.first], n_cells)
    return out


def quadratic_within(cells: Cells, values: Floats, tail: Floats, n_levels: int) -> Floats:
    """Return C S C' for the border's own corner of S, (q, q, L)."""
    if cells.dense:
        return by_level(cells, adjoint_within(cells, values, tail), values, n_levels)
    m, q = cells.n_columns, values.shape[0]
    square = np.ascontiguousarray(tail[:m, :m]).reshape(-1)
    out = np.zeros((q, q, n_levels))
    for pairs in cells.pairs():
        between = square[pairs.place] * pairs.share
        first, second = values[:, pairs.first], values[:, pairs.second]
        for i in range(q):
            for j in range(i, q):
                product = first[i] * second[j]
                product += second[i] * first[j]
                out[i, j] += np.bincount(pairs.level, between * product, n_levels)
                out[j, i] = out[i, j]
    return out


def adjoint_to_free(cells: Cells, values: Floats, tail: Floats, n_levels: int) -> Floats:
    """Return C S in the columns of [X y], (q, e, L)."""
    m = cells.n_columns
    corner = tail[:m, m:]
    out = np.empty((values.shape[0], corner.shape[1], n_levels))
    for k in range(corner.shape[1]):
        at = corner[:, k][cells.column]
        for i in range(values.shape[0]):
            out[i, k] = np.bincount(cells.level, values[i] * at, n_levels)
    return out


def adjoint_from_free(cells: Cells, free: Floats, tail: Floats) -> Floats:
    """Return [X y] S at the cells, (q, C)."""
    m = cells.n_columns
    corner = np.take(tail[m:, :m], cells.column, axis=1)
    return np.asarray(np.einsum("iec,ec->ic", np.take(free, cells.level, axis=2), corner))


def by_level(cells: Cells, left: Floats, right: Floats, n_levels: int) -> Floats:
    """Return the sum of left[i] right[j] over the cells of each level, (q, d, L)."""
    return np.stack([[np.bincount(cells.level, a * b, n_levels) for b in right] for a in left])
