"""Elimination of the nested chain, all levels of a factor at once, and the same run backwards.

For one factor: G are the products of its own columns within a level, R = [B C E] those with everything after them (B
the chain factors above, C the border, E = [X y]). With Lambda its relative covariance factor, S = Lambda Lambda' and

    K = Lambda (Lambda'G Lambda + I)^-1 Lambda',

what is left for the others is their own products minus R'KR, and log|Lambda'G Lambda + I| is its share of log|L|^2.
Since dK = N dS N' with N = I - KG, backwards, with T the adjoint of what is left and w that of the log-determinant:
the adjoint of S is the sum over levels of w (G - GKG) - N'FN with F = R T R'; that of G is w K + K F K, and that of R
is -K R T. All of this holds where Lambda has lost rank. The last axis of every array is the level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian import crossing
from alliancekit.multilevel.gaussian.factors import Ints
from alliancekit.multilevel.gaussian.layout import Cells
from alliancekit.multilevel.gaussian.patterns import Patterns
from alliancekit.numerics.stacks import multiply, shrink

Floats = NDArray[np.float64]
_CHUNK = 16_384  # levels at a time, so that what is computed on the way stays in the cache


@dataclass(slots=True, eq=False)
class Link:
    """One eliminated chain factor: q own columns, u columns of the factors above, L levels.

    Attributes
    ----------
    index : which factor. relative : (q, q) Lambda. parent : (L,) level of the next factor or None.
    square : (q, q + u, L) G and B. free : (q, e, L) E. values : (q, C) C at ``cells`` (None without a border).
    shrunk : (q, q, L) K; (q, q, P) where ``patterns`` collapse the levels.
    """

    index: int
    relative: Floats
    parent: Ints | None
    square: Floats
    free: Floats
    values: Floats
    cells: Cells | None
    shrunk: Floats
    patterns: Patterns | None

    @property
    def q(self) -> int:
        """Own columns."""
        return int(self.square.shape[0])

    @property
    def upper(self) -> int:
        """Columns of the factors above."""
        return int(self.square.shape[1] - self.square.shape[0])

    def by_level(self) -> Floats:
        """Return K for every level, (q, q, L)."""
        return self.shrunk if self.patterns is None else np.take(self.shrunk, self.patterns.code, axis=2)

    def own(self) -> Floats:
        """Return G, (q, q, L)."""
        return self.square[:, : self.q]

    def rest(self) -> Floats:
        """Return R = [B C E] with every column of the border, (q, u + m + e, L)."""
        pieces = [self.square[:, self.q :]]
        if self.cells is not None:
            dense = np.zeros((self.q, self.cells.n_columns, self.free.shape[2]))
            dense[:, self.cells.column, self.cells.level] = self.values
            pieces.append(dense)
        return np.concatenate([*pieces, self.free], axis=1)


@dataclass(slots=True, eq=False)
class Above:
    """What a factor hands to the next one (forwards, to be added) or gets from it (backwards, adjoints).

    Attributes
    ----------
    square : (u, u, T). free : (u, e, T). values : (u, C) at the cells of the next factor.
    """

    square: Floats
    free: Floats
    values: Floats


def _chunks(n_levels: int) -> Iterator[slice]:
    for start in range(0, n_levels, _CHUNK):
        yield slice(start, min(start + _CHUNK, n_levels))


def forward(link: Link, above_cells: Cells | None, n_parents: int, tail: Floats, m: int) -> tuple[float, Above | None]:
    """Fill ``link.shrunk``, subtract from ``tail`` in place; return the log-determinant and what goes up."""
    if link.patterns is not None:
        return _forward_collapsed(link, link.patterns, n_parents, tail)
    q, u = link.q, link.upper
    e, n_levels = link.free.shape[1:]
    link.shrunk = np.empty((q, q, n_levels))
    going_up = np.empty((u, u + e, n_levels))
    corner = np.zeros((e, e))
    log_det = 0.0
    for s in _chunks(n_levels):
        own, free = link.square[:, :q, s], link.free[:, :, s]
        shrunk, logs = shrink(own, link.relative)
        link.shrunk[:, :, s] = shrunk
        log_det += float(logs.sum())
        solved = multiply(shrunk, free)
        for i in range(q):
            corner += free[i] @ solved[i].T
        if u:
            upper = link.square[:, q:, s]
            np.einsum("iul,ivl->uvl", upper, multiply(shrunk, upper), out=going_up[:, :u, s])
            np.einsum("iul,iel->uel", upper, solved, out=going_up[:, u:, s])
    tail[m:, m:] -= corner
    solved_cells = np.zeros((q, 0))
    if link.cells is not None:
        solved_cells = crossing.forward_cells(link.cells, link.values, link.shrunk, link.free, tail)
    if not u:
        return log_det, None
    assert link.parent is not None
    carried = add_parents(going_up, link.parent, n_parents, u)
    values = np.zeros((u, 0))
    if link.cells is not None and above_cells is not None:
        values = crossing.pass_up(link.cells, solved_cells, link.square[:, q:], above_cells.level.size)
    return log_det, Above(-carried[:, :u], -carried[:, u:], -values)


def _forward_collapsed(link: Link, patterns: Patterns, n_parents: int, tail: Floats) -> tuple[float, Above | None]:
    q, u, e = link.q, link.upper, link.free.shape[1]
    link.shrunk, logs = shrink(patterns.square[:, :q], link.relative)
    tail -= (link.shrunk.reshape(-1) @ patterns.moments).reshape(tail.shape)
    log_det = float(logs @ patterns.count)
    if not u:
        return log_det, None
    assert patterns.members is not None and patterns.sums is not None
    upper = patterns.square[:, q:]
    solved = multiply(link.shrunk, upper)
    square = np.einsum("iup,ivp->uvp", upper, solved).reshape(u * u, -1) @ patterns.members
    free = solved.transpose(1, 0, 2).reshape(u, -1) @ patterns.sums
    return log_det, Above(-square.reshape(u, u, n_parents), -free.reshape(u, e, n_parents), np.zeros((u, 0)))


@dataclass(slots=True, eq=False)
class Backward:
    """What running back through one factor gives.

    Attributes
    ----------
    adjoint : (q, q) of S = Lambda Lambda'. determinant : (q, q) the sum of G - GKG, its part from the log-determinant.
    own : (q, q, L) adjoint of G, where it was asked for. below : adjoints for the factor below, where there is one.
    """

    adjoint: Floats
    determinant: Floats
    own: Floats | None
    below: Above | None


def backward(
    link: Link, tail: Floats, above: Above | None, weight: float, m: int, *, pass_down: bool, own: bool
) -> Backward:
    """Run back through one factor; ``tail`` and ``above`` are adjoints of what was left after it."""
    if link.patterns is not None and not pass_down:
        return _backward_collapsed(link, link.patterns, tail, above, weight, m, own)
    q, n_levels = link.q, link.free.shape[2]
    corner = 0.5 * np.ascontiguousarray(tail[m:, m:])
    cells_part = _cells_part(link, tail, above)
    adjoint, determinant = np.zeros((q, q)), np.zeros((q, q))
    adjoints = np.empty((q, q, n_levels)) if own or pass_down else None
    for s in _chunks(n_levels):
        G, B, E, K = link.square[:, :q, s], link.square[:, q:, s], link.free[:, :, s], link.shrunk[:, :, s]
        half = np.matmul(corner, E)
        if above is not None:
            assert link.parent is not None
            parent = link.parent[s]
            half += np.einsum("iul,uel->iel", B, np.take(above.free, parent, axis=2))
        F = np.einsum("iel,jel->ijl", half, E)
        F += F.transpose(1, 0, 2).copy()
        if above is not None:
            F += np.einsum("ivl,jvl->ijl", np.einsum("iul,uvl->ivl", B, np.take(above.square, parent, axis=2)), B)
        if cells_part is not None:
            F += cells_part[:, :, s]
        _add_levels(G, K, F, 1.0, adjoint, determinant)
        if adjoints is not None:
            adjoints[:, :, s] = weight * K + multiply(multiply(K, F), K)
    below = _pass_down(link, tail, above, adjoints, m) if pass_down and adjoints is not None else None
    return Backward(weight * determinant - adjoint, determinant, adjoints, below)


def _add_levels(G: Floats, K: Floats, F: Floats, count: Floats | float, adjoint: Floats, determinant: Floats) -> None:
    """Add N'FN to ``adjoint`` and count times G - GKG to ``determinant``, summed over the levels, in place."""
    q = G.shape[0]
    N = multiply(G, -K)
    for i in range(q):
        N[i, i] += 1.0
    flat = N.reshape(q, -1)
    adjoint += multiply(N, F).reshape(q, -1) @ flat.T
    determinant += (G * count).reshape(q, -1) @ flat.T


def _backward_collapsed(
    link: Link, patterns: Patterns, tail: Floats, above: Above | None, weight: float, m: int, own: bool
) -> Backward:
    q, u, P = link.q, link.upper, patterns.count.size
    F = (patterns.moments @ np.ascontiguousarray(tail).reshape(-1)).reshape(q, q, P)
    B = patterns.square[:, q:]
    if above is not None:
        assert patterns.members is not None and patterns.sums is not None and link.parent is not None
        crossed = (patterns.sums @ above.free.reshape(u, -1).T).reshape(q, P, u)
        mixed = np.einsum("iup,jpu->ijp", B, crossed)
        square = (above.square.reshape(u * u, -1) @ patterns.members.T).reshape(u, u, P)
        F += mixed + mixed.transpose(1, 0, 2) + multiply(multiply(B, square), B.transpose(1, 0, 2))
    adjoint, determinant = np.zeros((q, q)), np.zeros((q, q))
    _add_levels(patterns.square[:, :q], link.shrunk, F, patterns.count, adjoint, determinant)
    adjoints = None
    if own:
        whole = replace(link, shrunk=link.by_level(), patterns=None)
        adjoints = backward(whole, tail, above, weight, m, pass_down=False, own=True).own
    return Backward(weight * determinant - adjoint, determinant, adjoints, None)


def _cells_part(link: Link, tail: Floats, above: Above | None) -> Floats | None:
    """Return the part of F = R T R' that involves the border, (q, q, L)."""
    cells = link.cells
    if cells is None:
        return None
    n_levels = link.free.shape[2]
    part = crossing.quadratic_within(cells, link.values, tail, n_levels)
    mixed = crossing.adjoint_from_free(cells, link.free, tail)
    if above is not None:
        assert cells.up is not None
        upper = np.take(link.square[:, link.q :], cells.level, axis=2)
        mixed = mixed + np.einsum("iuc,uc->ic", upper, above.values[:, cells.up])
    crossed = crossing.by_level(cells, mixed, link.values, n_levels)
    return np.asarray(part + crossed + crossed.transpose(1, 0, 2))


def _pass_down(link: Link, tail: Floats, above: Above | None, own: Floats, m: int) -> Above:
    """Return the adjoints of this factor's rows, for the factor below: own columns first, then those above."""
    q, u, cells = link.q, link.upper, link.cells
    n_levels = link.free.shape[2]
    to_free = np.matmul(np.ascontiguousarray(tail[m:, m:]), link.free)
    to_cells = np.zeros((q, 0))
    if cells is not None:
        to_free += crossing.adjoint_to_free(cells, link.values, tail, n_levels)
        to_cells = crossing.adjoint_within(cells, link.values, tail) + crossing.adjoint_from_free(
            cells, link.free, tail
        )
    K = link.by_level()
    if above is None:
        values = -crossing.at_cells(K, to_cells, cells) if cells is not None else to_cells
        return Above(own, -multiply(K, to_free), values)
    assert link.parent is not None
    B = link.square[:, q:]
    square_above, free_above = (np.take(part, link.parent, axis=2) for part in (above.square, above.free))
    to_free += np.einsum("iul,uel->iel", B, free_above)
    to_upper = multiply(B, square_above) + np.einsum("iel,uel->iul", link.free, free_above)
    values = np.zeros((q + u, 0))
    if cells is not None:
        assert cells.up is not None
        above_values = above.values[:, cells.up]
        to_upper += crossing.by_level(cells, link.values, above_values, n_levels)
        to_cells += np.einsum("iuc,uc->ic", np.take(B, cells.level, axis=2), above_values)
        values = np.concatenate([-crossing.at_cells(K, to_cells, cells), above_values])
    upper = -multiply(K, to_upper)
    square = np.empty((q + u, q + u, n_levels))
    square[:q, :q], square[:q, q:], square[q:, :q], square[q:, q:] = own, upper, upper.transpose(1, 0, 2), square_above
    return Above(square, np.concatenate([-multiply(K, to_free), free_above]), values)


def add_parents(own: Floats, parent: Ints, n_parents: int, symmetric: int) -> Floats:
    """Add (u, d, L) up to the parents; the leading ``symmetric`` square is symmetric."""
    u, d, _ = own.shape
    out = np.empty((u, d, n_parents))
    for i in range(u):
        for j in range(d):
            if j < i and j < symmetric:
                out[i, j] = out[j, i]
            else:
                out[i, j] = np.bincount(parent, own[i, j], n_parents)
    return out
