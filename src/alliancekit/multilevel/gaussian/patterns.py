"""Levels of the first chain factor that have the same products of their random-effect columns, collapsed.

Patients with the same sessions have the same Z'Z, and with it the same K = (Z'Z + Sigma^-1)^-1. Then R'KR summed over
them needs only their number and the second moments of R = Z'[X y], taken once; what is passed on to the therapists
needs only the sums of R by therapist and pattern. The cost of a pass no longer depends on the number of patients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.factors import ChainLink, Ints
from alliancekit.multilevel.gaussian.layout import Cells, Layout
from alliancekit.numerics.stacks import gram

if TYPE_CHECKING:
    from alliancekit.multilevel.gaussian.products import LinkProducts

Floats = NDArray[np.float64]
_GRAIN = 2.0**42  # products that agree to this share of the largest are the same: rounding of their sums is smaller
_PROBE = 512
_SHARE = 4  # levels per pattern from which collapsing pays
_LARGEST = 2_000_000  # numbers in the moments of a model with a border


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """P patterns of the L levels of the first chain factor; q own, a own and upper, m border columns, e = p + 1.

    Attributes
    ----------
    code : (L,) pattern of each level. count : (P,) levels. square : (q, a, P) products that its levels share.
    moments : (q * q * P, (m + e)^2) sums over the levels of R[i, x] R[j, y], rows (i, j, pattern), columns (x, y); R
        are the products with the border, then with [X y].
    members : (P, T) levels of each pattern under each level of the next factor; None where the chain has one factor.
    sums : (q * P, e * T) sums of R by column, pattern, free column and level of the next factor; None likewise.
    """

    code: Ints
    count: Floats
    square: Floats
    moments: Floats
    members: Floats | None
    sums: Floats | None


def find_patterns(
    chain: tuple[ChainLink, ...], links: tuple[LinkProducts, ...], layout: Layout, n: int
) -> Patterns | None:
    """Return the patterns of the first factor's levels, or None where too few levels share one.

    With a border they are used where the chain has one factor and their moments take little memory.
    """
    square, free = links[0].square, links[0].free
    q, a, n_levels = square.shape
    e = free.shape[1]
    if layout.m and (len(links) > 1 or q * q * (layout.m + e) ** 2 > _LARGEST):
        return None
    rows = [square[i, j] for i in range(q) for j in range(i, a)]
    scales = _scales(square, n)
    stride = max(n_levels // _PROBE, 1)
    probe = _keys([row[::stride] for row in rows], scales)
    distinct = np.unique(probe).size
    if distinct > max(probe.size // _SHARE, 1):
        return None
    if distinct == 1 and all(np.ptp(row) <= scale / _GRAIN for row, scale in zip(rows, scales, strict=True)):
        code, first = np.zeros(n_levels, dtype=np.intp), np.zeros(1, dtype=np.intp)
    else:
        code, first = _code(_keys(rows, scales))
    P = first.size
    n_parents = links[1].square.shape[2] if len(links) > 1 else 0
    if n_levels < P * _SHARE or P * n_parents > 2 * n_levels or P * q * e > 2 * n_levels + 4096:
        return None
    if layout.m and P * q * q * (layout.m + e) ** 2 > _LARGEST:
        return None
    shared = np.ascontiguousarray(square[:, :, first])
    if P > 1:
        for row, scale in zip(rows, scales, strict=True):
            if np.abs(row - row[first][code]).max() > 4.0 / _GRAIN * scale:  # two keys alike by chance
                return None
    count = np.bincount(code, minlength=P).astype(np.float64) if P > 1 else np.array([float(n_levels)])
    moments, members, sums = collapse(code, count, links[0], chain[0].parent, n_parents, layout)
    return Patterns(code, count, shared, moments, members, sums)


def collapse(
    code: Ints, count: Floats, link: LinkProducts, parent: Ints | None, n_parents: int, layout: Layout
) -> tuple[Floats, Floats | None, Floats | None]:
    """Return moments, members and sums (see ``Patterns``) of the first chain factor's products."""
    free = link.free
    q, e, _ = free.shape
    P, m = count.size, layout.m
    moments = _moments(code, count, free)
    if m:
        wide = np.zeros((q, q, P, m + e, m + e))
        wide[:, :, :, m:, m:] = moments
        _add_border(wide, code, link, layout.cells[0])
        moments = wide
    moments = moments.reshape(q * q * P, (m + e) ** 2)
    if parent is None:
        return moments, None, None
    cell = parent if P == 1 else code * n_parents + parent
    members = np.bincount(cell, minlength=P * n_parents).astype(np.float64).reshape(P, n_parents)
    sums = np.empty((q, P, e, n_parents))
    for i in range(q):
        for x in range(e):
            sums[i, :, x] = np.bincount(cell, free[i, x], P * n_parents).reshape(P, n_parents)
    return moments, members, sums.reshape(q * P, e * n_parents)


def with_response(old: Patterns, link: LinkProducts, parent: Ints | None, n_parents: int, layout: Layout) -> Patterns:
    """Return the same patterns with another y, the last column of ``link.free``; only what involves it is taken."""
    q, e, _ = link.free.shape
    P, m = old.count.size, layout.m
    moments = old.moments.reshape(q, q, P, m + e, m + e).copy()
    y = link.free[:, -1]
    for i in range(q):
        for j in range(q):
            for x in range(e):
                product = np.bincount(old.code, link.free[i, x] * y[j], P)
                moments[i, j, :, m + x, -1] = moments[j, i, :, -1, m + x] = product
            if m:
                cells = layout.cells[0]
                at = old.code[cells.level] * m + cells.column
                column = np.bincount(at, link.cells[i] * y[j][cells.level], P * m).reshape(P, m)
                moments[i, j, :, :m, -1] = moments[j, i, :, -1, :m] = column
    sums = old.sums
    if sums is not None and parent is not None:
        sums = sums.copy()
        cell = old.code * n_parents + parent
        for i in range(q):
            part = np.bincount(cell, y[i], P * n_parents).reshape(P, n_parents)
            sums.reshape(q, P, e, n_parents)[i, :, -1] = part
    return replace(old, moments=moments.reshape(old.moments.shape), sums=sums)


def _moments(code: Ints, count: Floats, free: Floats) -> Floats:
    """Return the second moments of the products with [X y] within each pattern, (q, q, P, e, e)."""
    q, e, n_levels = free.shape
    flat = free.reshape(q * e, n_levels)
    if count.size == 1:
        found = gram(flat)[None]
    else:
        ordered = flat[:, np.argsort(code, kind="stable")]
        ends = np.cumsum(count).astype(np.intp)
        found = np.empty((count.size, q * e, q * e))
        for g, end in enumerate(ends.tolist()):
            found[g] = gram(ordered[:, end - int(count[g]) : end])
    return np.ascontiguousarray(found.reshape(count.size, q, e, q, e).transpose(1, 3, 0, 2, 4))


def _add_border(wide: Floats, code: Ints, link: LinkProducts, cells: Cells) -> None:
    """Add the moments that involve the border to those with [X y], (q, q, P, m + e, m + e), in place."""
    q, P, m = wide.shape[0], wide.shape[2], cells.n_columns
    at, values = code[cells.level] * m + cells.column, link.cells
    for i in range(q):
        for j in range(q):
            for x in range(wide.shape[3] - m):
                column = np.bincount(at, values[i] * link.free[j, x][cells.level], P * m).reshape(P, m)
                wide[i, j, :, :m, m + x] = column
                wide[j, i, :, m + x, :m] = column
    if cells.dense:
        for levels, dense in cells.matrices(values):
            for g in range(P):
                part = dense[:, code[levels] == g]
                for i in range(q):
                    for j in range(q):
                        wide[i, j, g, :m, :m] += part[i].T @ part[j]
        return
    for pairs in cells.pairs():
        place = code[pairs.level] * (m * m) + pairs.place
        first, second = values[:, pairs.first] * pairs.share, values[:, pairs.second]
        for i in range(q):
            for j in range(q):
                block = np.bincount(place, first[i] * second[j], P * m * m).reshape(P, m, m)
                wide[i, j, :, :m, :m] += block
                wide[j, i, :, :m, :m] += block.mT


def _scales(square: Floats, n: int) -> list[float]:
    """Return the size of each product by Cauchy's inequality; the engine's columns have unit mean square."""
    q, a, n_levels = square.shape
    sizes = [float(np.sqrt(square[i, i].max())) for i in range(q)] + [float(np.sqrt(n / n_levels))] * (a - q)
    return [sizes[i] * sizes[j] for i in range(q) for j in range(i, a)]


def _keys(rows: list[Floats], scales: list[float]) -> NDArray[np.int64]:
    """Return one number for each level; levels get the same exactly when their products agree."""
    total = np.zeros(rows[0].size, dtype=np.int64)
    factor = 1
    for row, scale in zip(rows, scales, strict=True):
        factor = (factor * 0x5851F42D4C957F2D + 0x14057B7EF767814F) % 2**63 | 1
        if scale > 0:
            total += np.rint(row * (_GRAIN / scale)).astype(np.int64) * np.int64(factor)
    return total


def _code(keys: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Return the pattern of each level and the first level of each pattern."""
    found, distinct = pd.factorize(keys)
    code = found.astype(np.intp, copy=False)
    first = np.empty(len(distinct), dtype=np.intp)
    first[code[::-1]] = np.arange(code.size - 1, -1, -1)
    return code, first
