"""Grouping factors in elimination order: the nested chain first, then the factors crossed with it.

Random terms on the same grouping factor share one *factor* (its relative covariance factor has zeros where terms are
uncorrelated). The factor with most random effects comes first; each following factor in which it is nested joins the
*chain*, which is eliminated level by level. Factors crossed with the chain form the *border*, which is dense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.factors import Labels

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_PROBE = 512  # rows looked at before all rows are
_EVEN = 32  # rows of a level up to which runs of equal length are looked for first


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One grouping factor with all its random terms.

    Attributes
    ----------
    group : its name; labels : name of each level, made when asked for.
    names : random-effect columns, shape (q,).
    codes : level of each row, shape (n,).
    free : positions (row, column) of the free entries of the lower-triangular factor, column by column.
    basis : shape (q, q), maps the engine's columns to the user's: Z_engine = Z_user @ basis.
    term : which random term each column came from, shape (q,).
    """

    group: str
    labels: Labels
    names: tuple[str, ...]
    codes: Ints
    free: tuple[tuple[int, int], ...]
    basis: Floats
    term: tuple[int, ...]

    @property
    def q(self) -> int:
        """Random effects per level."""
        return len(self.names)

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return self.labels.size


@dataclass(frozen=True, slots=True, eq=False)
class ChainLink:
    """One factor of the nested chain: ``parent`` gives, for each of its levels, the level of the next factor."""

    factor: int
    n_levels: int
    parent: Ints | None


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Rows of which all of one level stand together.

    Attributes
    ----------
    starts : (L,) first row of each run. length : number of rows of every run, 0 where they differ.
    level : (L,) level of each run; None where the runs stand in the order of the levels.
    """

    starts: Ints
    length: int
    level: Ints | None


def find_runs(codes: Ints, n_levels: int) -> Runs | None:
    """Return the runs of equal codes where each level is one run, else None."""
    n = codes.size
    if n == 0 or n_levels == 0:
        return None
    head = codes[: _PROBE + 1]
    if n > 4 * _PROBE and np.count_nonzero(head[1:] != head[:-1]) > 4 * _PROBE * n_levels / n + 8:
        return None
    length, rest = divmod(n, n_levels)
    if (
        not rest
        and length <= _EVEN
        and all(np.array_equal(codes[j::length], codes[::length]) for j in range(1, length))
    ):
        return Runs(np.arange(0, n, length), length, _run_levels(codes[::length]))
    changes = np.flatnonzero(codes[1:] != codes[:-1])
    if changes.size + 1 != n_levels:
        return None
    starts = np.empty(n_levels, dtype=np.intp)
    starts[0] = 0
    np.add(changes, 1, out=starts[1:])
    even = not rest and bool(np.array_equal(starts, np.arange(0, n, length)))
    return Runs(starts, length if even else 0, _run_levels(codes[starts]))


def _run_levels(levels: Ints) -> Ints | None:
    """Return the level of each run, None where they stand in order."""
    ordered = levels[0] == 0 and levels[-1] == levels.size - 1 and np.array_equal(levels, np.arange(levels.size))
    return None if ordered else np.ascontiguousarray(levels)


def order_factors(sizes: list[tuple[int, int]]) -> list[int]:
    """Return the order of elimination of factors given as (levels, effects per level): most random effects first."""
    return sorted(range(len(sizes)), key=lambda i: -sizes[i][0] * sizes[i][1])


def nest(factors: tuple[Factor, ...]) -> tuple[tuple[ChainLink, ...], tuple[int, ...]]:
    """Find the chain of nested factors that starts at the first; the others are the border."""
    if not factors:
        return (), ()
    links: list[ChainLink] = []
    border: list[int] = []
    current = 0
    for i in range(1, len(factors)):
        parent = parent_levels(factors[current], factors[i])
        if parent is None:
            border.append(i)
            continue
        links.append(ChainLink(current, factors[current].n_levels, parent))
        current = i
    links.append(ChainLink(current, factors[current].n_levels, None))
    return tuple(links), tuple(border)


def parent_levels(child: Factor, parent: Factor) -> Ints | None:
    """Return the parent level of each child level, or None where some child level meets two."""
    first = np.zeros(child.n_levels, dtype=np.intp)
    for rows in (slice(0, _PROBE), slice(None)):
        codes, above = child.codes[rows], parent.codes[rows]
        first[codes] = above
        if not np.array_equal(first[codes], above):
            return None
    return first
