"""Levels of the first chain factor that have the same products of their random-effect columns, collapsed.

Patients with the same sessions have the same Z'Z, and with it the same K = (Z'Z + Sigma^-1)^-1. Then R'KR summed over
them needs only their number and the second moments of R = Z'[X y], taken once; what is passed on to the therapists
needs only the sums of R by therapist and pattern. The cost of a pass no longer depends on the number of patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.factors import ChainLink, Ints

if TYPE_CHECKING:
    from alliancekit.multilevel.gaussian.products import LinkProducts

Floats = NDArray[np.float64]
_GRAIN = 2.0**42  # products that agree to this share of the largest are the same: rounding of their sums is smaller
_PROBE = 512
_SHARE = 4  # levels per pattern from which collapsing pays


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """P patterns of the L levels of the first chain factor, with q own, a own and upper columns, e = p + 1.

    Attributes
    ----------
    code : (L,) pattern of each level. count : (P,) levels. square : (q, a, P) products that its levels share.
    moments : (q * q * P, e * e) sums over the levels of R[i, x] R[j, y], rows (i, j, pattern), columns (x, y).
    members : (P, T) levels of each pattern under each level of the next factor; None where the chain has one factor.
    sums : (q * P, e * T) sums of R by column, pattern, free column and level of the next factor; None likewise.
    """

    code: Ints
    count: Floats
    square: Floats
    moments: Floats
    members: Floats | None
    sums: Floats | None


def find_patterns(chain: tuple[ChainLink, ...], links: tuple[LinkProducts, ...]) -> Patterns | None:
    """Return the patterns of the first factor's levels, or None where too few levels share one."""
    square, free = links[0].square, links[0].free
    q, a, n_levels = square.shape
    e = free.shape[1]
    rows = [square[i, j] for i in range(q) for j in range(i, a)]
    scales = [float(np.abs(row).max()) for row in rows]
    stride = max(n_levels // _PROBE, 1)
    probe = _keys([row[::stride] for row in rows], scales)
    if np.unique(probe).size > max(probe.size // _SHARE, 1):
        return None
    keys = _keys(rows, scales)
    code, first = _code(keys)
    P = first.size
    n_parents = links[1].square.shape[2] if len(links) > 1 else 0
    if P * _SHARE > n_levels or P * n_parents > 2 * n_levels or P * q * e > 2 * n_levels + 4096:
        return None
    shared = np.ascontiguousarray(square[:, :, first])
    if P > 1:
        for i in range(q):
            for j in range(a):
                gap = np.abs(square[i, j] - shared[i, j][code]).max()
                if gap > 4.0 / _GRAIN * float(np.abs(square[i, j]).max()):  # two keys alike by chance
                    return None
    count = np.bincount(code, minlength=P).astype(np.float64)
    moments, members, sums = collapse(code, count, free, chain[0].parent, n_parents)
    return Patterns(code, count, shared, moments, members, sums)


def collapse(
    code: Ints, count: Floats, free: Floats, parent: Ints | None, n_parents: int
) -> tuple[Floats, Floats | None, Floats | None]:
    """Return moments, members and sums (see ``Patterns``) of the products with X and y, ``free`` of shape (q, e, L)."""
    q, e, n_levels = free.shape
    P = count.size
    flat = free.reshape(q * e, n_levels)
    if P == 1:
        gram = (flat @ flat.T)[None]
    else:
        order = np.argsort(code, kind="stable")
        ends = np.cumsum(count).astype(np.intp)
        ordered = flat[:, order]
        gram = np.empty((P, q * e, q * e))
        for g in range(P):
            part = ordered[:, ends[g - 1] if g else 0 : ends[g]]
            np.matmul(part, part.T, out=gram[g])
    moments = np.ascontiguousarray(gram.reshape(P, q, e, q, e).transpose(1, 3, 0, 2, 4)).reshape(q * q * P, e * e)
    if parent is None:
        return moments, None, None
    cell = parent if P == 1 else code * n_parents + parent
    members = np.bincount(cell, minlength=P * n_parents).astype(np.float64).reshape(P, n_parents)
    sums = np.empty((q, P, e, n_parents))
    for i in range(q):
        for x in range(e):
            sums[i, :, x] = np.bincount(cell, free[i, x], P * n_parents).reshape(P, n_parents)
    return moments, members, sums.reshape(q * P, e * n_parents)


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
    if keys.size and keys.min() == keys.max():
        return np.zeros(keys.size, dtype=np.intp), np.zeros(1, dtype=np.intp)
    found, distinct = pd.factorize(keys)
    code = found.astype(np.intp, copy=False)
    first = np.empty(len(distinct), dtype=np.intp)
    first[code[::-1]] = np.arange(code.size - 1, -1, -1)
    return code, first
