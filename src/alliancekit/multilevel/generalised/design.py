"""The engine's view of a formula's design: sorted rows, factors in elimination order, engine columns.

The factor with most random effects comes first; each following factor in which it is nested joins the *chain*, which
is eliminated level by level. Factors crossed with the chain form the *border*, which is dense. Rows are sorted along
the chain, so that the rows of a unit, and the units of a higher unit, stand together: sums over a level are then sums
over runs. Levels are numbered in this order inside the engine; ``levels`` gives the user's number of each.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.columns import apply_basis, centring_basis, separating_basis
from alliancekit.multilevel.gaussian.design import Factor
from alliancekit.multilevel.generalised.factors import merge_factors

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ChainLink:
    """One factor of the chain.

    Attributes
    ----------
    factor : its index. levels : (L,) the user's code of each level, in the engine's order.
    parent : (L,) the next link's level of each level; None in the last link.
    starts : where each level of the next link begins among these levels; None in the last link.
    ancestor : (L of the first link,) level of each level of the first link.
    """

    factor: int
    levels: Ints
    parent: Ints | None
    starts: Ints | None
    ancestor: Ints

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return self.levels.size


@dataclass(frozen=True, slots=True, eq=False)
class BorderFactor:
    """A factor crossed with the chain: codes (n,) and columns (q, n) of the sorted rows, and where it starts."""

    factor: int
    codes: Ints
    Z: Floats
    start: int
    n_levels: int

    @property
    def q(self) -> int:
        """Random effects per level."""
        return int(self.Z.shape[0])

    @property
    def stop(self) -> int:
        """Where it ends among the effects of the border."""
        return self.start + self.q * self.n_levels


@dataclass(frozen=True, slots=True, eq=False)
class ChainColumns:
    """The chain's columns, each different one once.

    Attributes
    ----------
    unique : different columns, each (n,), None where it is constant one. place : (a,) which each chain column is.
    pairs : products of unique columns that occur, (i, j) with i <= j. pair_of : (a, a) which pair two columns make.
    products : per pair its column of products, None where it is constant one.
    starts, counts : first row and number of rows of each level of the first link.
    """

    unique: tuple[Floats | None, ...]
    place: Ints
    pairs: tuple[tuple[int, int], ...]
    pair_of: Ints
    products: tuple[Floats | None, ...]
    starts: Ints
    counts: Ints


@dataclass(frozen=True, slots=True, eq=False)
class GeneralisedDesign:
    """See the module text.

    Attributes
    ----------
    factors : in elimination order. slices : place of each factor's free parameters.
    order : (n,) the user's row of each sorted row; None where the rows were sorted already.
    X, offset : fixed part and offset, sorted. fixed_basis : X_engine = X_user @ fixed_basis.
    dispersion, inflation : columns of the side parts, sorted, or None; *_basis maps them as fixed_basis does.
    chain, border : see ChainLink and BorderFactor. columns : the chain's columns. m : random effects in the border.
    codes : (n,) level of the first link of each sorted row.
    """

    factors: tuple[Factor, ...]
    slices: tuple[slice, ...]
    order: Ints | None
    X: Floats
    offset: Floats
    fixed_basis: Floats
    dispersion: Floats | None
    dispersion_basis: Floats
    inflation: Floats | None
    inflation_basis: Floats
    chain: tuple[ChainLink, ...]
    border: tuple[BorderFactor, ...]
    columns: ChainColumns
    m: int
    codes: Ints

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.X.shape[0])

    @property
    def p(self) -> int:
        """Fixed effects."""
        return int(self.X.shape[1])

    @property
    def n_theta(self) -> int:
        """Free covariance parameters."""
        return self.slices[-1].stop if self.slices else 0

    @property
    def parts(self) -> tuple[slice, slice, slice, slice]:
        """Where fixed effects, theta, dispersion and inflation stand in the parameter vector."""
        sizes = [self.p, self.n_theta, *(0 if A is None else A.shape[1] for A in (self.dispersion, self.inflation))]
        ends = np.cumsum(sizes)
        first, second, third, fourth = (slice(int(end) - size, int(end)) for size, end in zip(sizes, ends, strict=True))
        return first, second, third, fourth

    @property
    def n_parameters(self) -> int:
        """All parameters."""
        return int(self.parts[3].stop)

    def sorted(self, values: Floats) -> Floats:
        """Return values of the user's rows in the engine's order."""
        return values if self.order is None else values[self.order]

    def unsorted(self, values: Floats) -> Floats:
        """Return values of the engine's rows in the user's order."""
        if self.order is None:
            return values
        out = np.empty_like(values)
        out[self.order] = values
        return out


def build(design: Design, has_dispersion: bool) -> GeneralisedDesign:
    """Return the engine's design of a formula's design."""
    merged = merge_factors(design)
    factors = tuple(factor for factor, _ in merged)
    members, border_members = _nest(factors)
    chain, codes = _chain(factors, members)
    order = np.argsort(codes, kind="stable")
    take: Ints | None = None if bool((order == np.arange(order.size)).all()) else order
    codes = codes if take is None else codes[take]
    Zs = [np.ascontiguousarray((Z if take is None else Z[take]).T) for _, Z in merged]
    columns = _chain_columns([row for i in members for row in Zs[i]], codes, chain[0].n_levels)
    border, m = [], 0
    for i in border_members:
        factor = factors[i]
        border.append(BorderFactor(i, factor.codes if take is None else factor.codes[take], Zs[i], m, factor.n_levels))
        m = border[-1].stop
    basis, X = _engine_columns(design.X, take)
    side = {name: part.X for name, part in design.side.items()}
    if has_dispersion:
        side.setdefault("dispersion", np.ones((design.X.shape[0], 1)))
    dispersion_basis, dispersion = _side_columns(side.get("dispersion"), take)
    inflation_basis, inflation = _side_columns(side.get("zero_inflation"), take)
    offset = np.zeros(X.shape[0]) if design.offset is None else design.offset
    return GeneralisedDesign(
        factors, _slices(factors), take, X, offset if take is None else offset[take], basis,
        dispersion, dispersion_basis, inflation, inflation_basis, chain, tuple(border), columns, m, codes,
    )  # fmt: skip


def _slices(factors: tuple[Factor, ...]) -> tuple[slice, ...]:
    ends = np.cumsum([0, *(len(f.free) for f in factors)])
    return tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(ends))


def _engine_columns(X: Floats, take: Ints | None) -> tuple[Floats, Floats]:
    basis = centring_basis(X)
    engine = apply_basis(X, basis)
    apart = separating_basis(engine.T @ engine / max(len(engine), 1))
    if apart is not None:
        basis, engine = basis @ apart, np.asfortranarray(engine @ apart)
    return basis, engine if take is None else np.asfortranarray(engine[take])


def _side_columns(X: Floats | None, take: Ints | None) -> tuple[Floats, Floats | None]:
    return (np.zeros((0, 0)), None) if X is None else _engine_columns(X, take)


def _nest(factors: tuple[Factor, ...]) -> tuple[list[int], list[int]]:
    """Return the factors of the chain that starts at the first, and the others."""
    chain: list[int] = [0]
    border: list[int] = []
    for i in range(1, len(factors)):
        nested = _parents(factors[chain[-1]], factors[i]) is not None
        (chain if nested else border).append(i)
    return chain, border


def _parents(child: Factor, parent: Factor) -> Ints | None:
    """Return the parent level of each child level, or None where some child level meets two."""
    found = np.zeros(child.n_levels, dtype=np.intp)
    found[child.codes] = parent.codes
    return found if bool(np.array_equal(found[child.codes], parent.codes)) else None


def _chain(factors: tuple[Factor, ...], members: list[int]) -> tuple[tuple[ChainLink, ...], Ints]:
    """Return the links, first factor first, and the engine's level of the first link of each row."""
    levels: dict[int, Ints] = {}
    parents: dict[int, Ints] = {}
    rank: Ints | None = None  # engine's number of each user level of the factor above
    for position in range(len(members) - 1, -1, -1):
        factor = factors[members[position]]
        if rank is None:
            order = np.arange(factor.n_levels)
        else:
            above = _parents(factor, factors[members[position + 1]])
            assert above is not None
            order = np.argsort(rank[above], kind="stable")
            parents[position] = rank[above][order]
        levels[position] = order
        rank = np.empty(factor.n_levels, dtype=np.intp)
        rank[order] = np.arange(factor.n_levels)
    assert rank is not None
    links = []
    ancestor = np.arange(levels[0].size)
    for position, index in enumerate(members):
        parent = parents.get(position)
        starts = None if parent is None else _starts(parent)
        links.append(ChainLink(index, levels[position], parent, starts, ancestor))
        ancestor = ancestor if parent is None else parent[ancestor]
    return tuple(links), rank[factors[members[0]].codes]


def _starts(codes: Ints) -> Ints:
    """Return where each run of equal codes begins."""
    return np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1]).astype(np.intp)


def _chain_columns(columns: list[Floats], codes: Ints, n_levels: int) -> ChainColumns:
    unique: list[Floats] = []
    place = []
    for column in columns:
        for k, known in enumerate(unique):
            if np.array_equal(column, known):
                place.append(k)
                break
        else:
            place.append(len(unique))
            unique.append(column)
    a = len(columns)
    numbers: dict[tuple[int, int], int] = {}
    pair_of = np.zeros((a, a), dtype=np.intp)
    for i in range(a):
        for j in range(a):
            key = (min(place[i], place[j]), max(place[i], place[j]))
            pair_of[i, j] = numbers.setdefault(key, len(numbers))
    products = tuple(_unless_ones(unique[i] * unique[j]) for i, j in numbers)
    shown = tuple(_unless_ones(column) for column in unique)
    counts = np.bincount(codes, minlength=n_levels)
    return ChainColumns(shown, np.array(place), tuple(numbers), pair_of, products, _starts(codes), counts)


def _unless_ones(column: Floats) -> Floats | None:
    return None if bool((column == 1.0).all()) else column
