"""From a formula's design to what the likelihood needs: factors in elimination order and their cross-products.

Random terms on the same grouping factor share one *factor* (its relative covariance factor has zeros where terms are
uncorrelated). The factor with most random effects comes first; each following factor in which it is nested joins the
*chain*, which is eliminated level by level. Factors crossed with the chain form the *border*, which is dense.

Columns are centred (where an intercept makes that harmless) and scaled before cross-products are taken, so that the
answer does not depend on where the user put the origin of time. ``FixedBasis`` and ``Factor.basis`` map back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.formula.factors import Labels

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


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
class CrossProducts:
    """What the likelihood needs of the data.

    Attributes
    ----------
    n, p : rows used, fixed-effect columns. m : random effects in the border.
    rows : shape (a, a + m, L): per level of the first chain factor, the products of the chain's columns with
        themselves and with the border's columns; a = number of chain columns. Last axis = level.
    fixed : shape (a, p, L): products of the chain's columns with X. response : shape (a, L): with y.
    total : shape (m + p, m + p): border and X with themselves. total_response : (m + p,). yy : y'y.
    log_weights : sum of the logs of the prior weights.
    """

    n: int
    p: int
    m: int
    rows: Floats
    fixed: Floats
    response: Floats
    total: Floats
    total_response: Floats
    yy: float
    log_weights: float


@dataclass(frozen=True, slots=True, eq=False)
class GaussianDesign:
    """The engine's view of the data; see the module text.

    Attributes
    ----------
    factors : in elimination order, chain first. chain : links of the chain. border : indices of the other factors.
    fixed_basis : shape (p, p): X_engine = X_user @ fixed_basis. y_shift : the engine's y = y - X_user @ y_shift -
    offset.
    order : for each factor, where its free parameters stand in the engine's parameter vector.
    """

    factors: tuple[Factor, ...]
    chain: tuple[ChainLink, ...]
    border: tuple[int, ...]
    products: CrossProducts
    fixed_basis: Floats
    y_shift: Floats
    slices: tuple[slice, ...]

    @property
    def n_theta(self) -> int:
        """Number of free covariance parameters (without sigma)."""
        return self.slices[-1].stop if self.slices else 0


def build(design: Design) -> GaussianDesign:
    """Return the engine's design of a formula's design."""
    factors = _order(_merge(design))
    chain, border = _nest(factors)
    fixed_basis = _centring_basis(design.X)
    X = _apply(design.X, fixed_basis)
    y, y_shift = _engine_response(design, design.y)
    weights = design.weights
    Zs = [_apply(z, f.basis) for f, z in factors]
    only = tuple(f for f, _ in factors)
    if weights is not None:
        root = np.sqrt(weights)
        X, y, Zs = X * root[:, None], y * root, [z * root[:, None] for z in Zs]
    log_weights = 0.0 if weights is None else float(np.log(weights).sum())
    products = _cross_products(only, chain, border, Zs, X, y, log_weights)
    slices, start = [], 0
    for f in only:
        slices.append(slice(start, start + len(f.free)))
        start += len(f.free)
    return GaussianDesign(only, chain, border, products, fixed_basis, y_shift, tuple(slices))


def with_response(built: GaussianDesign, design: Design, y: Floats) -> GaussianDesign:
    """Return the same design with another response, shape (n,); only the products with y are taken again."""
    from dataclasses import replace

    old = built.products
    shifted, y_shift = _engine_response(design, y)
    root = np.ones_like(shifted) if design.weights is None else np.sqrt(design.weights)
    shifted = shifted * root
    blocks = {f.group: _user_columns(design, f) for f in built.factors}
    response = np.zeros_like(old.response)
    if built.chain:
        first = built.factors[built.chain[0].factor]
        at = 0
        for link in built.chain:
            f = built.factors[link.factor]
            Z = _apply(blocks[f.group], f.basis) * root[:, None]
            for j in range(f.q):
                response[at] = np.bincount(first.codes, Z[:, j] * shifted, built.chain[0].n_levels)
                at += 1
    total: list[Floats] = []
    for index in built.border:
        f = built.factors[index]
        Z = _apply(blocks[f.group], f.basis) * root[:, None]
        per = np.stack([np.bincount(f.codes, Z[:, j] * shifted, f.n_levels) for j in range(f.q)], axis=1)
        total.append(np.asarray(per.ravel(), dtype=np.float64))
    X = _apply(design.X, built.fixed_basis) * root[:, None]
    total.append(X.T @ shifted)
    products = replace(old, response=response, total_response=np.concatenate(total), yy=float(shifted @ shifted))
    return replace(built, products=products, y_shift=y_shift)


def _engine_response(design: Design, y: Floats | None) -> tuple[Floats, Floats]:
    """Return y without offset and, where X has an intercept, without its mean; and the coefficients taken out."""
    assert y is not None
    out = np.array(y, dtype=float)
    if design.offset is not None:
        out = out - design.offset
    shift = np.zeros(design.X.shape[1])
    ones = _constant_column(design.X)
    if ones is not None and out.size:
        mean = float(out.mean())
        shift[ones] = mean / float(design.X[0, ones])
        out = out - mean
    return out, shift


def _user_columns(design: Design, factor: Factor) -> Floats:
    return np.concatenate([b.Z for b in design.random if b.group == factor.group], axis=1)


def _merge(design: Design) -> list[tuple[Factor, Floats]]:
    """Join the random terms of each grouping factor."""
    groups: dict[str, list[int]] = {}
    for i, block in enumerate(design.random):
        groups.setdefault(block.group, []).append(i)
    merged = []
    for group, members in groups.items():
        free: list[tuple[int, int]] = []
        names: list[str] = []
        term: list[int] = []
        pieces: list[Floats] = []
        at = 0
        for i in members:
            block = design.random[i]
            q = block.Z.shape[1]
            pieces.append(_centring_basis(block.Z))
            free += [(at + r, at + c) for c in range(q) for r in range(c, q)]
            names += block.names
            term += [i] * q
            at += q
        Z = (
            design.random[members[0]].Z
            if len(members) == 1
            else np.concatenate([design.random[i].Z for i in members], 1)
        )
        first = design.random[members[0]]
        basis = np.zeros((at, at))
        at = 0
        for piece in pieces:
            basis[at : at + len(piece), at : at + len(piece)] = piece
            at += len(piece)
        factor = Factor(
            group, first.labels, tuple(names), np.asarray(first.codes, dtype=np.intp), tuple(free), basis, tuple(term)
        )
        merged.append((factor, Z))
    return merged


def _order(factors: list[tuple[Factor, Floats]]) -> list[tuple[Factor, Floats]]:
    return sorted(factors, key=lambda pair: -pair[0].n_levels * pair[0].q)


def _nest(factors: list[tuple[Factor, Floats]]) -> tuple[tuple[ChainLink, ...], tuple[int, ...]]:
    """Find the chain of nested factors that starts at the first; the others are the border."""
    if not factors:
        return (), ()
    links: list[ChainLink] = []
    border: list[int] = []
    current = 0
    for i in range(1, len(factors)):
        parent = _parent_levels(factors[current][0], factors[i][0])
        if parent is None:
            border.append(i)
            continue
        links.append(ChainLink(current, factors[current][0].n_levels, parent))
        current = i
    links.append(ChainLink(current, factors[current][0].n_levels, None))
    return tuple(links), tuple(border)


def _parent_levels(child: Factor, parent: Factor) -> Ints | None:
    """Return the parent level of each child level, or None where some child level meets two."""
    first = np.zeros(child.n_levels, dtype=np.intp)
    first[child.codes] = parent.codes
    return first if bool(np.array_equal(first[child.codes], parent.codes)) else None


def _constant_column(X: Floats) -> int | None:
    if not X.shape[0]:
        return None
    for j in range(X.shape[1]):
        column = X[:, j]
        if column[0] != 0 and column[0] == column[-1] and bool((column == column[0]).all()):
            return j
    return None


def _centring_basis(X: Floats) -> Floats:
    """Return the basis that scales each column to unit size and centres it where a constant is there."""
    p = X.shape[1]
    basis = np.eye(p)
    if not X.shape[0] or not p:
        return basis
    constant = _constant_column(X)
    means = X.mean(axis=0)
    squares = np.einsum("ij,ij->j", X, X) / X.shape[0]
    for j in range(p):
        if j == constant:
            basis[j, j] = 1.0 / X[0, j]
            continue
        shift = means[j] if constant is not None else 0.0
        spread = np.sqrt(max(squares[j] - shift**2, 0.0))
        if constant is not None and spread <= 1e-4 * abs(shift):
            spread = float(np.std(X[:, j]))
        scale = 1.0 / spread if spread > 0 else 1.0
        basis[j, j] = scale
        if constant is not None:
            basis[constant, j] = -shift * scale / X[0, constant]
    return basis


def _apply(columns: Floats, basis: Floats) -> Floats:
    """Return ``columns @ basis`` in Fortran order; centring is done before scaling, to keep all digits."""
    n, p = columns.shape
    out = np.empty((n, p), order="F")
    for j in range(p):
        others = [i for i in range(p) if i != j and basis[i, j] != 0.0]
        if not others:
            np.multiply(columns[:, j], basis[j, j], out=out[:, j])
            continue
        shift = sum(basis[i, j] / basis[j, j] * columns[0, i] for i in others)
        np.multiply(columns[:, j] + shift, basis[j, j], out=out[:, j])
    return out


def _cross_products(
    factors: tuple[Factor, ...],
    chain: tuple[ChainLink, ...],
    border: tuple[int, ...],
    Zs: list[Floats],
    X: Floats,
    y: Floats,
    log_weights: float,
) -> CrossProducts:
    n, p = X.shape
    wide, m = _border_total(factors, border, Zs, X, y)
    total, total_response = wide[:, :-1], wide[:, -1]
    if not chain:
        empty = np.zeros((0, 0, 0))
        return CrossProducts(
            n, p, m, empty, np.zeros((0, p, 0)), np.zeros((0, 0)), total, total_response, float(y @ y), log_weights
        )
    first = chain[0]
    codes, L = factors[first.factor].codes, first.n_levels
    columns = [Zs[link.factor][:, j] for link in chain for j in range(factors[link.factor].q)]
    summed = _Sums(codes, L, columns + [X[:, j] for j in range(p)] + [y])
    a = len(columns)
    rows = np.zeros((a, a + m, L))
    for i in range(a):
        for j in range(i, a):
            rows[i, j] = rows[j, i] = summed(i, j)
    at = a
    for index in border:
        f = factors[index]
        width = f.n_levels
        cell = codes * width + f.codes
        for j in range(f.q):
            for i in range(a):
                sums = np.bincount(cell, columns[i] * Zs[index][:, j], L * width).reshape(L, width)
                rows[i, at + j : at + width * f.q : f.q] = sums.T
        at += width * f.q
    fixed = np.empty((a, p, L))
    response = np.empty((a, L))
    for i in range(a):
        for j in range(p):
            fixed[i, j] = summed(i, a + j)
        response[i] = summed(i, a + p)
    return CrossProducts(n, p, m, rows, fixed, response, total, total_response, float(y @ y), log_weights)


def _border_total(
    factors: tuple[Factor, ...], border: tuple[int, ...], Zs: list[Floats], X: Floats, y: Floats
) -> tuple[Floats, int]:
    """Return the products of border and X columns with themselves and y, shape (m + p, m + p + 1), and m."""
    p = X.shape[1]
    starts, m = {}, 0
    for index in border:
        starts[index] = m
        m += factors[index].n_levels * factors[index].q
    wide = np.zeros((m + p, m + p + 1))
    wide[m:, m : m + p] = X.T @ X
    wide[m:, -1] = X.T @ y
    for position, index in enumerate(border):
        f, Z = factors[index], Zs[index]
        width = f.n_levels
        rows = slice(starts[index], starts[index] + width * f.q)
        for j in range(f.q):
            own = slice(rows.start + j, rows.stop, f.q)
            for k in range(p):
                wide[own, m + k] = np.bincount(f.codes, Z[:, j] * X[:, k], width)
            wide[own, -1] = np.bincount(f.codes, Z[:, j] * y, width)
            for other in border[position:]:
                g = factors[other]
                cell = f.codes * g.n_levels + g.codes
                for k in range(g.q):
                    sums = np.bincount(cell, Z[:, j] * Zs[other][:, k], width * g.n_levels)
                    there = slice(starts[other] + k, starts[other] + g.n_levels * g.q, g.q)
                    wide[own, there] = sums.reshape(width, -1)
    wide[m:, :m] = wide[:m, m : m + p].T
    square = wide[:m, :m]
    lower = np.tril_indices(m, -1)
    square[lower] = square.T[lower]
    return wide, m


class _Sums:
    """Per-level sums of products of columns. Equal columns are summed once; a column that is constant is a factor."""

    def __init__(self, codes: Ints, n_levels: int, columns: list[Floats]) -> None:
        self.codes, self.n_levels, self.columns = codes, n_levels, columns
        self.same: list[int] = []
        self.constant: list[float | None] = []
        for i, column in enumerate(columns):
            twin = next((j for j in range(i) if self.same[j] == j and _equal(columns[j], column)), i)
            self.same.append(twin)
            flat = column.size > 0 and column[0] == column[-1] and bool((column == column[0]).all())
            self.constant.append(float(column[0]) if flat else None)
        self.known: dict[tuple[int, int], Floats] = {}
        self.count: Floats | None = None

    def __call__(self, i: int, j: int) -> Floats:
        i, j = sorted((self.same[i], self.same[j]))
        if (i, j) not in self.known:
            self.known[i, j] = self._sum(i, j)
        return self.known[i, j]

    def _sum(self, i: int, j: int) -> Floats:
        one, two = self.constant[i], self.constant[j]
        if one is not None and two is not None:
            if self.count is None:
                self.count = np.bincount(self.codes, minlength=self.n_levels).astype(float)
            return one * two * self.count
        if one is not None or two is not None:
            factor, column = (one, j) if one is not None else (two, i)
            assert factor is not None
            key = (-1, column)
            if key not in self.known:
                self.known[key] = _bincount(self.codes, self.columns[column], self.n_levels)
            return factor * self.known[key]
        return _bincount(self.codes, self.columns[i] * self.columns[j], self.n_levels)


def _equal(a: Floats, b: Floats) -> bool:
    return bool(a[0] == b[0] and a[-1] == b[-1] and np.array_equal(a, b)) if a.size else True


def _bincount(codes: Ints, weights: Floats, n_levels: int) -> Floats:
    return np.asarray(np.bincount(codes, weights, n_levels), dtype=np.float64)
