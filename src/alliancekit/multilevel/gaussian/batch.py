"""The elimination of ``objective`` for many thetas and many responses at once.

The design is the same for all; a batch member has its own theta and, where ``responses`` are given, its own y. Symbols
as in ``chain``; every array has the batch as the axis before its last ones. It serves designs whose factors are nested;
a border of crossed factors is left to ``objective``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.factors import Ints
from alliancekit.multilevel.gaussian.patterns import Patterns
from alliancekit.multilevel.gaussian.responses import Responses, own_response
from alliancekit.numerics.stacks import invert

Floats = NDArray[np.float64]
_SMALL = 1000  # levels up to which a batch of thetas beats one theta at a time


@dataclass(frozen=True, slots=True, eq=False)
class Collapsed:
    """The first factor's patterns with R responses: see ``Patterns``; x for X, y for the responses.

    Attributes
    ----------
    xx : (k, p p). xy : (k, p, R). yy : (k, R), k = q q P. members : (P, T). sums_x : (q P, p T). sums_y : (q P, R, T).
    """

    patterns: Patterns
    xx: Floats
    xy: Floats
    yy: Floats
    members: Floats
    sums_x: Floats
    sums_y: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One chain factor for the batch: its levels in the order of their parents, so that children stand together.

    Attributes
    ----------
    factor : which. square : (q, q + u, L). x : (q, p, L). y : (q, R, L).
    starts : (T,) first child of each level above; children : (T,) how many. None for the last factor.
    collapsed : the first factor's patterns, or None.
    """

    factor: int
    square: Floats
    x: Floats
    y: Floats
    starts: Ints | None
    children: Ints | None
    collapsed: Collapsed | None


def prepare(design: GaussianDesign, responses: Responses) -> list[Member]:
    """Return the chain in the form that the batch works on."""
    members: list[Member] = []
    orders: list[Ints | None] = [None] * len(design.chain)
    for position in range(len(design.chain) - 2, -1, -1):  # from the top: children in the order of their parents
        parent = design.chain[position].parent
        assert parent is not None
        place = parent
        order = orders[position + 1]
        if order is not None:
            rank = np.empty(order.size, dtype=np.intp)
            rank[order] = np.arange(order.size)
            place = rank[parent]
        if np.any(place[1:] < place[:-1]):
            orders[position] = np.argsort(place, kind="stable")
    for position, (link, raw, y) in enumerate(zip(design.chain, design.products.links, responses.links, strict=True)):
        order = orders[position]
        square, x = raw.square, raw.free[:, :-1]
        patterns = design.products.patterns if position == 0 else None
        starts = children = above = None
        if link.parent is not None:
            count = np.bincount(link.parent, minlength=design.chain[position + 1].n_levels)
            above = orders[position + 1]
            children = count if above is None else count[above]
            starts = np.cumsum(children) - children
        own = responses.own and patterns is not None
        if order is not None and not own:
            square, x, y = square[:, :, order], x[:, :, order], y[:, :, order]
        collapsed = None
        if patterns is not None:
            code = patterns.code if order is None else patterns.code[order]
            collapsed = _collapse(patterns, code, y, x, above, starts, own)
        members.append(Member(link.factor, square, x, y, starts, children, collapsed))
    return members


def _collapse(
    patterns: Patterns, code: Ints, y: Floats, x: Floats, above: Ints | None, starts: Ints | None, own: bool
) -> Collapsed:
    """Return the patterns with R responses, y (q, R, L); what X decides is known. ``above`` orders the parents."""
    q, P, p, R = patterns.square.shape[0], patterns.count.size, x.shape[1], y.shape[1]
    k, e = q * q * P, p + 1
    moments = patterns.moments.reshape(k, e, e)
    xx = np.ascontiguousarray(moments[:, :p, :p]).reshape(k, p * p)
    members, sums_x = np.zeros((P, 0)), np.zeros((q * P, 0))
    sums_y = np.zeros((q * P, R, 0))
    if starts is not None:
        assert patterns.members is not None and patterns.sums is not None
        order = slice(None) if above is None else above
        members = np.ascontiguousarray(patterns.members[:, order])
        sums = patterns.sums.reshape(q * P, e, -1)[:, :, order]
        sums_x = np.ascontiguousarray(sums[:, :p]).reshape(q * P, -1)
        sums_y = np.ascontiguousarray(sums[:, p:])
    if own:
        return Collapsed(patterns, xx, moments[:, :p, p:].copy(), moments[:, p, p:].copy(), members, sums_x, sums_y)
    xy, yy = np.empty((q, q, P, p, R)), np.empty((q, q, P, R))
    by_parent = np.empty((q, P, R, members.shape[1]))
    for g in range(P):
        here = code == g
        xg, yg = (x, y) if P == 1 else (x[:, :, here], y[:, :, here])
        for i in range(q):
            for j in range(q):
                xy[i, j, g] = xg[i] @ yg[j].T
                yy[i, j, g] = np.einsum("rl,rl->r", yg[i], yg[j])
        if starts is not None:
            by_parent[:, g] = add_children(y if P == 1 else y * here, starts)
    sums_y = by_parent.reshape(q * P, R, -1)
    return Collapsed(patterns, xx, xy.reshape(k, p, R), yy.reshape(k, R), members, sums_x, sums_y)


def add_children(values: Floats, starts: Ints) -> Floats:
    """Add values up to the levels above; the last axis is the level, children of a parent stand together."""
    return np.asarray(np.add.reduceat(values, starts, axis=-1))


@dataclass(slots=True, eq=False)
class Step:
    """One eliminated factor of the batch: G and B (q, q + u, B or 1, L), E (q, B, e, L), K (q, q, B, L or P)."""

    member: Member
    relative: Floats
    square: Floats
    free: Floats
    shrunk: Floats


@dataclass(slots=True, eq=False)
class Eliminations:
    """States of B members after a forward pass; shapes as in ``Elimination`` with the batch first."""

    thetas: Floats
    log_det: Floats
    log_det_fixed: Floats
    fixed_inverse: Floats
    beta: Floats
    r2: Floats
    steps: list[Step]


def relatives_of(design: GaussianDesign, index: int, thetas: Floats) -> Floats:
    """Return the relative covariance factor of one grouping factor for each member, (B, q, q)."""
    factor = design.factors[index]
    out = np.zeros((thetas.shape[0], factor.q, factor.q))
    for column, (i, j) in zip(thetas[:, design.slices[index]].T, factor.free, strict=True):
        out[:, i, j] = column
    return out


def shrink(products: Floats, relative: Floats) -> tuple[Floats, Floats]:
    """Return K and log|Lambda'G Lambda + I| as ``stacks.shrink`` does: G (q, q, B or 1, L), Lambda (B, q, q)."""
    q = products.shape[0]
    cov = relative @ relative.transpose(0, 2, 1)
    if q == 1:
        s = cov[:, 0, 0, None]
        det = 1.0 + s * products[0, 0]
        return (s / det)[None, None], np.log(det)
    if q == 2:
        s11, s12, s22 = cov[:, 0, 0, None], cov[:, 0, 1, None], cov[:, 1, 1, None]
        size = (relative[:, 0, 0] * relative[:, 1, 1] - relative[:, 0, 1] * relative[:, 1, 0])[:, None] ** 2
        g11, g12, g22 = products[0, 0], products[0, 1], products[1, 1]
        det = size * (g11 * g22 - g12 * g12) + s11 * g11 + (2.0 * s12) * g12 + s22 * g22 + 1.0
        inverse = 1.0 / det
        out = np.empty((2, 2, *det.shape))
        out[0, 0], out[1, 1] = (s11 + size * g22) * inverse, (s22 + size * g11) * inverse
        out[0, 1] = out[1, 0] = (s12 - size * g12) * inverse
        return out, np.log(det)
    left = np.ascontiguousarray(relative.transpose(1, 2, 0))[..., None]  # (q, q, B, 1)
    inner = np.einsum("aibl,acbl->icbl", left, products)
    inner = np.einsum("icbl,cjbl->ijbl", inner, left)
    for i in range(q):
        inner[i, i] += 1.0
    inverse, det = invert(inner)
    return np.einsum("aibl,ijbl,cjbl->acbl", left, inverse, left, optimize=True), np.log(det)


def eliminate_batch(
    design: GaussianDesign, members: Sequence[Member], responses: Responses, thetas: Floats
) -> Eliminations:
    """Run the forward pass for each member: thetas (B, n_theta), one response for all or B of them."""
    products, B = design.products, thetas.shape[0]
    p = products.p
    tail = np.empty((B, p + 1, p + 1))
    tail[:, :p, :p] = products.total
    tail[:, :p, p] = tail[:, p, :p] = responses.total
    tail[:, p, p] = responses.yy
    log_det = np.zeros(B)
    steps: list[Step] = []
    carried: tuple[Floats, Floats] | None = None
    for member in members:
        relative = relatives_of(design, member.factor, thetas)
        if member.collapsed is not None:
            step, logs, carried = _forward_collapsed(member, member.collapsed, relative, tail)
        else:
            step, logs, carried = _forward(member, relative, tail, carried)
        log_det += logs
        steps.append(step)
    fixed, cross, yy = tail[:, :p, :p], tail[:, :p, p], tail[:, p, p]
    lower = np.linalg.cholesky(fixed)
    half = np.linalg.solve(lower, cross[..., None])[..., 0] if p else cross
    inverse: Floats = np.asarray(np.linalg.inv(fixed), dtype=np.float64) if p else fixed
    beta = np.einsum("bij,bj->bi", inverse, cross)
    r2 = np.maximum(yy - np.einsum("bi,bi->b", half, half), np.finfo(float).tiny)
    diagonal = np.einsum("bii->bi", lower)
    return Eliminations(thetas, log_det, 2.0 * np.log(diagonal).sum(axis=1), inverse, beta, r2, steps)


def _forward(
    member: Member, relative: Floats, tail: Floats, carried: tuple[Floats, Floats] | None
) -> tuple[Step, Floats, tuple[Floats, Floats] | None]:
    q, _, L = member.square.shape
    B, e, _ = tail.shape
    square = member.square[:, :, None]
    free = np.empty((q, B, e, L))
    free[:, :, :-1] = member.x[:, None]
    free[:, :, -1] = member.y
    over: tuple[Floats, Floats] | None = None
    if carried is not None:
        square = square + carried[0][:q]
        free += carried[1][:q]
        over = carried[0][q:, q:], carried[1][q:]
    own, upper = square[:, :q], square[:, q:]
    shrunk, logs = shrink(own, relative)
    solved = np.einsum("ijbl,jbel->ibel", shrunk, free)
    for i in range(q):
        tail -= free[i] @ solved[i].transpose(0, 2, 1)
    step = Step(member, relative, square, free, shrunk)
    if member.starts is None:
        return step, logs.sum(axis=1), None
    up_square = np.einsum("iubl,ivbl->uvbl", upper, np.einsum("ijbl,jvbl->ivbl", shrunk, upper))
    up_free = np.einsum("iubl,ibel->ubel", upper, solved)
    np.negative(up_square, out=up_square)
    np.negative(up_free, out=up_free)
    if over is not None:
        up_square += over[0]
        up_free += over[1]
    return step, logs.sum(axis=1), (add_children(up_square, member.starts), add_children(up_free, member.starts))


def _forward_collapsed(
    member: Member, collapsed: Collapsed, relative: Floats, tail: Floats
) -> tuple[Step, Floats, tuple[Floats, Floats] | None]:
    patterns = collapsed.patterns
    q, a, P = patterns.square.shape
    B, p, u = tail.shape[0], tail.shape[1] - 1, a - q
    square = patterns.square[:, :, None]
    shrunk, logs = shrink(square[:, :q], relative)
    flat = np.ascontiguousarray(shrunk.transpose(0, 1, 3, 2)).reshape(q * q * P, B)
    tail[:, :p, :p] -= (flat.T @ collapsed.xx).reshape(B, p, p)
    cross = np.einsum("kb,kpb->bp", flat, collapsed.xy) if collapsed.xy.shape[2] > 1 else flat.T @ collapsed.xy[..., 0]
    tail[:, :p, p] -= cross
    tail[:, p, :p] -= cross
    tail[:, p, p] -= (flat * collapsed.yy).sum(axis=0)
    step = Step(member, relative, square, np.empty((0, 0, 0, 0)), shrunk)
    if member.starts is None:
        return step, logs @ patterns.count, None
    upper = square[:, q:]
    solved = np.einsum("ijbl,jvbl->ivbl", shrunk, upper)  # (q, u, B, P)
    T = member.starts.size
    up_square = -(np.einsum("iubl,ivbl->uvbl", upper, solved) @ collapsed.members)
    weights = np.ascontiguousarray(solved.transpose(1, 2, 0, 3)).reshape(u, B, q * P)
    up_free = np.empty((u, B, p + 1, T))
    up_free[:, :, :p] = -(weights.reshape(u * B, q * P) @ collapsed.sums_x).reshape(u, B, p, T)
    if collapsed.sums_y.shape[1] > 1:
        up_free[:, :, p] = -np.einsum("ubk,kbt->ubt", weights, collapsed.sums_y)
    else:
        up_free[:, :, p] = -(weights @ collapsed.sums_y[:, 0])
    return step, logs @ patterns.count, (up_square, up_free)


def deviances(states: Eliminations, design: GaussianDesign, reml: bool) -> Floats:
    """Return the profiled deviance of each member, (B,)."""
    n, p = design.products.n, design.products.p
    dof = n - p if reml else n
    value = states.log_det + dof * (1.0 + np.log(2.0 * np.pi * states.r2 / dof)) - design.products.log_weights
    if reml and p:
        value += states.log_det_fixed - 2.0 * float(np.linalg.slogdet(design.fixed_basis)[1])
    return np.asarray(value)


def gradients(
    states: Eliminations, design: GaussianDesign, *, reml: bool, r2_weight: float | None = None, det_weight: float = 1.0
) -> Floats:
    """Return what ``objective.gradient`` does for each member, (B, n_theta)."""
    n, p = design.products.n, design.products.p
    B = states.r2.size
    weight = (n - p if reml else n) / states.r2 if r2_weight is None else np.full(B, r2_weight)
    v = np.concatenate([-states.beta, np.ones((B, 1))], axis=1)
    tail = weight[:, None, None] * v[:, :, None] * v[:, None, :]
    if reml:
        tail[:, :p, :p] += det_weight * states.fixed_inverse
    out = np.empty((B, design.n_theta))
    above: tuple[Floats, Floats] | None = None
    for position in range(len(states.steps) - 1, -1, -1):
        step = states.steps[position]
        F, below = _backward(step, tail, above, det_weight, position > 0)
        count: Floats | float = 1.0 if step.member.collapsed is None else step.member.collapsed.patterns.count
        by_covariance = _covariance_adjoint(step, F, det_weight, count)
        by_factor = 2.0 * by_covariance @ step.relative
        factor = design.factors[step.member.factor]
        for column, (i, j) in zip(
            range(*design.slices[step.member.factor].indices(out.shape[1])), factor.free, strict=True
        ):
            out[:, column] = by_factor[:, i, j]
        above = below
    return out


def _covariance_adjoint(step: Step, F: Floats, weight: float, count: Floats | float) -> Floats:
    """Return the sum over levels of w (G - GKG) - N'FN, (B, q, q)."""
    q = F.shape[0]
    own = step.square[:, :q]
    N = -np.einsum("ijbl,jkbl->ikbl", own, step.shrunk)
    for i in range(q):
        N[i, i] += 1.0
    inside = (weight * count) * own - np.einsum("ijbl,jkbl->ikbl", N, F)
    return np.asarray(np.einsum("ikbl,jkbl->bij", inside, N))


def _backward(
    step: Step, tail: Floats, above: tuple[Floats, Floats] | None, weight: float, pass_down: bool
) -> tuple[Floats, tuple[Floats, Floats] | None]:
    """Return F = R T R' and, where there is a factor below, the adjoints of this one's rows (square, free)."""
    q = step.shrunk.shape[0]
    upper = step.square[:, q:]
    if step.member.collapsed is not None:
        return _backward_collapsed(step, step.member.collapsed, tail, above), None
    to_free = tail @ step.free
    if above is None:
        F = np.einsum("ibel,jbel->ijbl", to_free, step.free)
        if not pass_down:
            return F, None
        own = weight * step.shrunk + np.einsum("ijbl,jkbl,kmbl->imbl", step.shrunk, F, step.shrunk, optimize=True)
        return F, (own, -np.einsum("ijbl,jbel->ibel", step.shrunk, to_free))
    assert step.member.children is not None
    square, free = (np.repeat(part, step.member.children, axis=-1) for part in above)
    to_free += np.einsum("iubl,ubel->ibel", upper, free)
    to_upper = np.einsum("iubl,uvbl->ivbl", upper, square) + np.einsum("ibel,ubel->iubl", step.free, free)
    F = np.einsum("ibel,jbel->ijbl", to_free, step.free) + np.einsum("iubl,jubl->ijbl", to_upper, upper)
    if not pass_down:
        return F, None
    own = weight * step.shrunk + np.einsum("ijbl,jkbl,kmbl->imbl", step.shrunk, F, step.shrunk, optimize=True)
    crossed = -np.einsum("ijbl,jubl->iubl", step.shrunk, to_upper)
    rows = np.concatenate([own, crossed], axis=1)
    rows_above = np.concatenate([crossed.transpose(1, 0, 2, 3), square], axis=1)
    down = -np.einsum("ijbl,jbel->ibel", step.shrunk, to_free)
    return F, (np.concatenate([rows, rows_above]), np.concatenate([down, free]))


def _backward_collapsed(step: Step, collapsed: Collapsed, tail: Floats, above: tuple[Floats, Floats] | None) -> Floats:
    q, a, P = collapsed.patterns.square.shape
    B, p, u = tail.shape[0], tail.shape[1] - 1, a - q
    F = collapsed.xx @ tail[:, :p, :p].reshape(B, p * p).T
    if collapsed.xy.shape[2] > 1:
        crossed = np.einsum("kpb,bp->kb", collapsed.xy, tail[:, :p, p])
    else:
        crossed = collapsed.xy[..., 0] @ tail[:, :p, p].T
    F = (F + collapsed.yy * tail[:, p, p]).reshape(q, q, P, B)
    crossed = crossed.reshape(q, q, P, B)
    F += crossed + crossed.transpose(1, 0, 2, 3)
    F = np.ascontiguousarray(F.transpose(0, 1, 3, 2))
    if above is None:
        return F
    square, free = above
    upper = step.square[:, q:]
    T = free.shape[-1]
    sums = collapsed.sums_x @ np.ascontiguousarray(free[:, :, :p]).reshape(u * B, p * T).T
    to_own = sums.reshape(q, P, u, B)
    if collapsed.sums_y.shape[1] > 1:
        to_own = to_own + np.einsum("kbt,ubt->kub", collapsed.sums_y, free[:, :, p]).reshape(q, P, u, B)
    else:
        to_own = to_own + (collapsed.sums_y[:, 0] @ free[:, :, p].reshape(u * B, T).T).reshape(q, P, u, B)
    mixed = np.einsum("iubl,jlub->ijbl", upper, to_own)
    inside = square @ collapsed.members.T
    F += mixed + mixed.transpose(1, 0, 2, 3)
    F += np.einsum("iubl,uvbl,jvbl->ijbl", upper, inside, upper, optimize=True)
    return F


class AtOnce:
    """Passes of one design at several thetas at once, for derivatives by differences."""

    def __init__(self, design: GaussianDesign) -> None:
        self.design, self.responses = design, own_response(design)
        self.members = prepare(design, self.responses)

    def eliminate(self, thetas: Floats) -> Eliminations:
        """Return the forward pass at each theta, (B, n_theta)."""
        return eliminate_batch(self.design, self.members, self.responses, thetas)


def at_once(design: GaussianDesign) -> AtOnce | None:
    """Return the passes at once where they are cheaper than one by one: the arrays are small, nothing is crossed."""
    products = design.products
    if design.border or not design.chain:
        return None
    if products.patterns is None and design.chain[0].n_levels > _SMALL:
        return None
    return AtOnce(design)
