"""The patterns of missing values, and the sufficient statistics of the rows that share one.

Every pattern is kept at the full size of the data: what is missing has zeros in its mean and cross-products, so that
all patterns can be worked on together, as one stack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
LARGE = 4_000_000
"""Numbers in a stack of one matrix per pattern above which the patterns are worked on part by part."""


@dataclass(frozen=True, eq=False, slots=True)
class Patterns:
    """Rows of one group by pattern of missing values, the most frequent pattern first.

    observed (K, p), size (K,), mean (K, p) and cross (K, p, p): mean squares and products about the pattern's mean;
    rows (n, p) with zeros where missing, pattern (n,) and kept (n,): the pattern of each row and its place in the data;
    dropped: how many rows had no value at all. parts: the same patterns in parts, where there are very many.
    """

    observed: Booleans
    size: Floats
    mean: Floats
    cross: Floats
    rows: Floats
    pattern: Integers
    kept: Integers
    dropped: int
    parts: tuple[Patterns, ...] = ()

    @property
    def n(self) -> int:
        """Rows with at least one value."""
        return int(self.size.sum())

    @property
    def width(self) -> int:
        """Number of variables."""
        return int(self.observed.shape[1])

    @property
    def points(self) -> float:
        """Number of values that are there."""
        return float(self.size @ self.observed.sum(axis=1))

    def coverage(self) -> Floats:
        """Return the share of rows in which each pair of variables is there, shape (p, p)."""
        there = self.observed.astype(float)
        return np.asarray((there * (self.size / self.n)[:, None]).T @ there)


def group_patterns(values: Floats, names: tuple[str, ...] | None = None) -> Patterns:
    """Sort the rows of a data matrix (n, p), nan where missing, into patterns.

    Raises DesignError where a variable has no value at all, or fewer than two different ones.
    """
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    _require_variation(values, there, count, names)
    some = there.any(axis=1)
    kept = np.flatnonzero(some)
    if kept.size < there.shape[0]:
        values, there = values[kept], there[kept]
    first, pattern, size = _distinct_rows(there)
    rows = np.where(there, values, 0.0)
    mean, cross = _pattern_moments(rows, pattern, size, rows.sum(axis=0) / count, there[first])
    whole = Patterns(there[first], size.astype(float), mean, cross, rows, pattern, kept, int(some.size - kept.size))
    return _in_parts(whole)


def _in_parts(whole: Patterns) -> Patterns:
    """Cut the patterns in parts where a stack of one matrix for each would be large."""
    p = whole.width
    count = -(-whole.size.size * p * p // LARGE)
    if count <= 1:
        return whole
    parts = []
    edges = np.linspace(0, whole.size.size, count + 1).astype(int)
    for start, end in pairwise(edges):
        chosen = slice(start, end)
        own = (whole.pattern >= start) & (whole.pattern < end)
        parts.append(
            Patterns(
                whole.observed[chosen],
                whole.size[chosen],
                whole.mean[chosen],
                whole.cross[chosen],
                whole.rows[own],
                whole.pattern[own] - start,
                np.flatnonzero(own),
                0,
            )
        )
    return replace(whole, parts=tuple(parts))


def _require_variation(values: Floats, there: Booleans, count: NDArray[np.intp], names: tuple[str, ...] | None) -> None:
    """Refuse a variable without two different values."""
    shown = names if names is not None else tuple(f"column {j + 1}" for j in range(values.shape[1]))
    low = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(there, values, -np.inf).max(axis=0, initial=-np.inf)
    for j in np.flatnonzero(~(high > low)):
        what = "has no value at all" if count[j] == 0 else "has only one value"
        raise DesignError(message(f"The variable {shown[j]} {what}", do="Leave it out of the model or check the data"))


def _distinct_rows(there: Booleans) -> tuple[Integers, Integers, Integers]:
    """Return of the distinct rows of a boolean matrix: one place of each, the number of every row, the counts."""
    packed = np.packbits(there, axis=1)
    wide = np.zeros((packed.shape[0], -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    wide[:, : packed.shape[1]] = packed
    words = wide.view(np.uint64)
    code = words[:, 0]
    for k in range(1, words.shape[1]):
        code = np.unique(code, return_inverse=True)[1].astype(np.uint64)
        code = code * np.uint64(words.shape[0] + 1) + np.unique(words[:, k], return_inverse=True)[1].astype(np.uint64)
    _, first, number, size = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -size))
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], rank[number.ravel()], size[order]


def _pattern_moments(
    rows: Floats, pattern: Integers, size: Integers, centre: Floats, observed: Booleans
) -> tuple[Floats, Floats]:
    """Return mean and cross-products of each pattern, computed about the overall mean to keep the digits."""
    k, p = observed.shape
    order = np.argsort(pattern, kind="stable")
    ends = np.cumsum(size)
    starts = ends - size
    centred = np.where(observed[pattern], rows - centre, 0.0)[order]
    offset = np.add.reduceat(centred, starts, axis=0) / size[:, None]
    cross = np.zeros((k, p, p))
    for j in np.flatnonzero(size > 1):
        part = centred[starts[j] : ends[j]] - offset[j]
        cross[j] = part.T @ part / size[j]
    return np.where(observed, offset + centre, 0.0), cross
