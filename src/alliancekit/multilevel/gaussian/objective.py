"""The profiled deviance of a linear mixed model and its exact gradient, by block elimination on cross-products.

Paper symbols: Lambda is the relative covariance factor (Bates, Maechler, Bolker & Walker 2015, J Stat Softw 67(1),
eq. 4), theta its free entries. With spherical random effects u the penalised cross-product matrix is
[Lambda'Z'ZLambda + I, Lambda'Z'[X y]; ., [X y]'[X y]]. Its block Cholesky factor gives log|L|^2, log|R_X|^2 and the
penalised residual sum of squares r^2 (their eq. 34 for ML and eq. 42 for REML).

Chain factors are eliminated level by level, all levels at once (the last axis of every array is the level); what is
left
of the border is eliminated as one dense matrix. The gradient is the same elimination run backwards: with W = A^-1
Lambda'B for
a block A = Lambda'GLambda + I and the adjoint S of its Schur complement, the adjoint of [G, B; B', .] is
[Lambda T Lambda', -Lambda W S; ., S], T = W S W' + A^-1. For S = 0 in the X block these adjoints are the conditional
covariances of the random effects (relative to sigma^2), which is how ``inference`` gets them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Link:
    """What the elimination of one chain factor leaves behind. Shapes: q own columns, u upper columns, m border, p
    fixed.

    own : (q, q, L) products of own columns. rest : (q, u + m + p + 1, L) with everything after them.
    inverse : (q, q, L) A^-1. solved : (q, u + m + p + 1, L) W = A^-1 Lambda' rest.
    """

    factor: Factor
    relative: Floats
    own: Floats
    rest: Floats
    inverse: Floats
    solved: Floats
    upper: int
    index: int


@dataclass(slots=True, eq=False)
class Elimination:
    """The state after one forward pass at theta.

    log_det : log|L|^2. fixed : (p, p) Schur complement of X. cross : (p,) of X with y. r2 : penalised residual sum of
    squares after profiling beta. beta : (p,). border : (W, M^-1, raw products) of the dense part, or None.
    """

    theta: Floats
    log_det: float
    log_det_fixed: float
    fixed: Floats
    fixed_inverse: Floats
    beta: Floats
    r2: float
    links: list[Link]
    border_factor: Floats | None
    border_raw: Floats | None
    border_inverse: Floats | None
    border_solved: Floats | None


def relative_factor(factor: Factor, theta: Floats) -> Floats:
    """Return the lower-triangular relative covariance factor of one grouping factor, shape (q, q)."""
    out = np.zeros((factor.q, factor.q))
    for value, (i, j) in zip(theta, factor.free, strict=True):
        out[i, j] = value
    return out


def eliminate(design: GaussianDesign, theta: Floats) -> Elimination:
    """Run the forward pass at ``theta``, shape (n_theta,).

    Raises
    ------
    numpy.linalg.LinAlgError : X is not of full rank given the random effects.
    """
    products = design.products
    m, p = products.m, products.p
    tail = np.empty((m + p + 1, m + p + 1))
    tail[:-1, :-1] = products.total
    tail[:-1, -1] = tail[-1, :-1] = products.total_response
    tail[-1, -1] = products.yy
    links, log_det = _eliminate_chain(design, theta, tail)
    border = _eliminate_border(design, theta, tail)
    if border[0] is not None:
        log_det += border[4]
    final = border[5]
    fixed, cross, yy = final[:p, :p], final[:p, p], float(final[p, p])
    lower = np.linalg.cholesky(fixed) if p else np.zeros((0, 0))
    inverse_lower = np.linalg.inv(lower) if p else lower
    fixed_inverse: Floats = np.asarray(inverse_lower.T @ inverse_lower, dtype=np.float64)
    beta = fixed_inverse @ cross
    half = inverse_lower @ cross
    r2 = max(yy - float(half @ half), np.finfo(float).tiny)
    log_det_fixed = 2.0 * float(np.log(np.diag(lower)).sum()) if p else 0.0
    return Elimination(np.array(theta), log_det, log_det_fixed, fixed, fixed_inverse, beta, r2, links, *border[:4])


def _eliminate_chain(design: GaussianDesign, theta: Floats, tail: Floats) -> tuple[list[Link], float]:
    """Eliminate the chain, subtracting from ``tail`` in place."""
    products = design.products
    m, p = products.m, products.p
    links: list[Link] = []
    log_det = 0.0
    if not design.chain:
        return links, log_det
    a = products.rows.shape[0]
    block = np.empty((a, a + m + p + 1, products.rows.shape[2]))
    block[:, : a + m] = products.rows
    block[:, a + m : -1] = products.fixed
    block[:, -1] = products.response
    for link in design.chain:
        factor = design.factors[link.factor]
        q = factor.q
        relative = relative_factor(factor, theta[design.slices[link.factor]])
        own, rest = block[:q, :q], block[:q, q:]
        inverse, half_log_det = _invert(_inner(relative, own))
        log_det += half_log_det
        scaled = _left(relative.T, rest)
        solved = _multiply(inverse, scaled)
        upper = block.shape[0] - q
        tail_scaled = scaled[:, upper:].transpose(1, 0, 2).reshape(m + p + 1, -1)
        tail_solved = solved[:, upper:].transpose(1, 0, 2).reshape(m + p + 1, -1)
        tail -= tail_scaled @ tail_solved.T
        links.append(Link(factor, relative, own, rest, inverse, solved, upper, link.factor))
        if upper:
            assert link.parent is not None
            block = _pass_up(block, q, scaled, solved, link.parent, int(link.parent.max()) + 1)
    return links, log_det


def _pass_up(block: Floats, q: int, scaled: Floats, solved: Floats, parent: NDArray[np.intp], n_parents: int) -> Floats:
    """Return the parents' block: the Schur complements of their children, added up."""
    upper, width = block.shape[0] - q, block.shape[1] - q
    out = np.empty((upper, width, n_parents))
    for i in range(upper):
        for j in range(width):
            if j < i:
                out[i, j] = out[j, i]
                continue
            value = block[q + i, q + j].copy()
            for k in range(q):
                value -= scaled[k, i] * solved[k, j]
            out[i, j] = np.bincount(parent, value, n_parents)
    return out


def _eliminate_border(
    design: GaussianDesign, theta: Floats, tail: Floats
) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None, float, Floats]:
    """Eliminate the border; return its factor, raw products, inverse, solution, log-determinant, and what is left."""
    m = design.products.m
    if not m:
        return None, None, None, None, 0.0, tail
    relative = _border_factor(design, theta)
    inner = relative.T @ tail[:m, :m] @ relative
    inner[np.diag_indices(m)] += 1.0
    lower = np.linalg.cholesky(inner)
    inverse_lower = np.linalg.inv(lower)
    inverse = inverse_lower.T @ inverse_lower
    scaled = relative.T @ tail[:m, m:]
    solved = inverse @ scaled
    final = tail[m:, m:] - scaled.T @ solved
    log_det = 2.0 * float(np.log(np.diag(lower)).sum())
    return relative, tail[:m], inverse, solved, log_det, final


def _border_factor(design: GaussianDesign, theta: Floats) -> Floats:
    """Return the block-diagonal relative factor of the whole border, shape (m, m)."""
    out = np.zeros((design.products.m, design.products.m))
    at = 0
    for index in design.border:
        factor = design.factors[index]
        small = relative_factor(factor, theta[design.slices[index]])
        for _ in range(factor.n_levels):
            out[at : at + factor.q, at : at + factor.q] = small
            at += factor.q
    return out


def deviance(state: Elimination, design: GaussianDesign, reml: bool) -> float:
    """Return the profiled deviance (-2 log-likelihood, or the REML criterion) at a state."""
    n, p = design.products.n, design.products.p
    dof = n - p if reml else n
    value = state.log_det + dof * (1.0 + np.log(2.0 * np.pi * state.r2 / dof)) - design.products.log_weights
    if reml:
        value += state.log_det_fixed - 2.0 * _log_scale(design)
    return float(value)


def _log_scale(design: GaussianDesign) -> float:
    """Return log|det| of the fixed basis: |X'VX| of the user's columns against that of the engine's."""
    return float(np.linalg.slogdet(design.fixed_basis)[1]) if design.products.p else 0.0


def fixed_adjoint(
    state: Elimination, design: GaussianDesign, reml: bool, r2_weight: float | None, det_weight: float
) -> Floats:
    """Return the adjoint of what is left of [X y]'[X y] after the random effects, shape (p + 1, p + 1).

    ``r2_weight`` None stands for that of the profiled deviance.
    """
    n, p = design.products.n, design.products.p
    if r2_weight is None:
        r2_weight = (n - p if reml else n) / state.r2
    v = np.append(-state.beta, 1.0)
    out: Floats = r2_weight * np.outer(v, v)
    if reml:
        out[:p, :p] += det_weight * state.fixed_inverse
    return out


def gradient(
    state: Elimination, design: GaussianDesign, *, reml: bool, r2_weight: float | None = None, det_weight: float = 1.0
) -> Floats:
    """Return d/dtheta of ``det_weight * (log|L|^2 [+ log|R_X|^2]) + r2_weight * r^2``, shape (n_theta,).

    With ``r2_weight`` None it is the gradient of the profiled deviance.
    """
    adjoint = fixed_adjoint(state, design, reml, r2_weight, det_weight)
    out = np.zeros(design.n_theta)
    tail = _backward_border(state, design, adjoint, det_weight, out)
    _backward_chain(state, design, tail, det_weight, out)
    return out


def _backward_border(
    state: Elimination, design: GaussianDesign, adjoint: Floats, det_weight: float, out: Floats
) -> Floats:
    """Return the adjoint of the whole tail, shape (m + p + 1,) * 2; add the border's part of the gradient."""
    m = design.products.m
    if not m:
        return adjoint
    relative, raw, inverse, solved = state.border_factor, state.border_raw, state.border_inverse, state.border_solved
    assert relative is not None and raw is not None and inverse is not None and solved is not None
    inner = solved @ adjoint @ solved.T + det_weight * inverse
    grad = 2.0 * (raw[:, :m] @ relative @ inner - raw[:, m:] @ adjoint @ solved.T)
    at = 0
    for index in design.border:
        factor = design.factors[index]
        q, width = factor.q, factor.n_levels * factor.q
        part = grad[at : at + width, at : at + width].reshape(factor.n_levels, q, factor.n_levels, q)
        total = np.einsum("iaib->ab", part)
        out[design.slices[index]] = [total[i, j] for i, j in factor.free]
        at += width
    tail = np.empty((m + adjoint.shape[0],) * 2)
    tail[:m, :m] = relative @ inner @ relative.T
    tail[:m, m:] = -relative @ solved @ adjoint
    tail[m:, :m] = tail[:m, m:].T
    tail[m:, m:] = adjoint
    return tail


def _backward_chain(
    state: Elimination, design: GaussianDesign, tail: Floats, det_weight: float, out: Floats
) -> list[Floats]:
    """Run back through the chain; return the adjoint of own products, (q, q, L), for each link, first link first."""
    above: Floats | None = None
    own_adjoints: list[Floats] = []
    for position in range(len(state.links) - 1, -1, -1):
        link = state.links[position]
        q, u = link.factor.q, link.upper
        if u:
            parent = design.chain[position].parent
            assert above is not None and parent is not None
            upper = above[:, :, parent]
        else:
            upper = np.zeros((0, tail.shape[0], link.own.shape[2]))
        pushed = _times_adjoint(link.solved, upper, tail, u)
        inner = det_weight * link.inverse + np.einsum("idl,jdl->ijl", pushed, link.solved)
        inner = (inner + inner.transpose(1, 0, 2)) / 2
        grad = -np.einsum("idl,jdl->ij", link.rest, pushed)
        grad += np.einsum("ikl,kjl->ij", link.own, _left(link.relative, inner))
        out[design.slices[link.index]] = [2.0 * grad[i, j] for i, j in link.factor.free]
        own_adjoint = _left(link.relative, _left(link.relative, inner).transpose(1, 0, 2))
        own_adjoints.append(own_adjoint)
        if position:
            above = np.empty((q + u, q + u + tail.shape[0], link.own.shape[2]))
            above[:q, :q] = own_adjoint
            above[:q, q:] = -_left(link.relative, pushed)
            above[q:, :q] = above[:q, q : q + u].transpose(1, 0, 2)
            above[q:, q:] = upper
    return own_adjoints[::-1]


def _times_adjoint(solved: Floats, upper: Floats, tail: Floats, u: int) -> Floats:
    """Return W S for every level: ``upper`` holds the rows of S that differ by level, ``tail`` the shared corner."""
    out = np.empty_like(solved)
    out[:, u:] = np.matmul(tail, solved[:, u:])
    if u:
        out[:, :u] = np.einsum("qdl,udl->qul", solved, upper)
        out[:, u:] += np.einsum("qul,udl->qdl", solved[:, :u], upper[:, u:])
    return out


def covariances(state: Elimination, design: GaussianDesign) -> list[Floats]:
    """Return, per factor, the covariance of its random effects given y and beta over sigma^2: (q, q, L)."""
    p = design.products.p
    scratch = np.zeros(design.n_theta)
    tail = _backward_border(state, design, np.zeros((p + 1, p + 1)), 1.0, scratch)
    own = _backward_chain(state, design, tail, 1.0, scratch)
    out: list[Floats] = [np.zeros((0, 0, 0))] * len(design.factors)
    for link, value in zip(state.links, own, strict=True):
        out[link.index] = value
    at = 0
    for index in design.border:
        factor = design.factors[index]
        L, q = factor.n_levels, factor.q
        part = tail[at : at + L * q, at : at + L * q].reshape(L, q, L, q)
        out[index] = np.einsum("iaib->abi", part)
        at += L * q
    return out


def conditional_modes(state: Elimination, design: GaussianDesign) -> list[Floats]:
    """Return, per factor, the conditional modes b of its random effects in the engine's basis, shape (q, L)."""
    p, m = design.products.p, design.products.m
    v = np.append(-state.beta, 1.0)
    out: list[Floats] = [np.zeros((0, 0))] * len(design.factors)
    tail = v
    if m:
        assert state.border_solved is not None and state.border_factor is not None
        b = state.border_factor @ (state.border_solved @ v)
        tail = np.concatenate([-b, v])
        at = 0
        for index in design.border:
            factor = design.factors[index]
            width = factor.n_levels * factor.q
            out[index] = b[at : at + width].reshape(-1, factor.q).T
            at += width
    assert tail.size == m + p + 1
    above: Floats | None = None
    for position in range(len(state.links) - 1, -1, -1):
        link = state.links[position]
        u = link.upper
        spherical = np.einsum("qdl,d->ql", link.solved[:, u:], tail)
        if u:
            parent = design.chain[position].parent
            assert above is not None and parent is not None
            spherical -= np.einsum("qul,ul->ql", link.solved[:, :u], above[:, parent])
            above_here = above[:, parent]
        own = link.relative @ spherical
        out[link.index] = own
        above = np.concatenate([own, above_here]) if u else own
    return out


def _left(matrix: Floats, stack: Floats) -> Floats:
    """Return ``matrix @ stack`` over the first axis, for a (q, q) matrix and a (q, d, L) stack."""
    if matrix.shape == (1, 1):
        return np.asarray(matrix[0, 0] * stack)
    return np.asarray(np.tensordot(matrix, stack, axes=(1, 0)))


def _multiply(left: Floats, right: Floats) -> Floats:
    """Return the matrix product for each level: (q, q, L) with (q, d, L)."""
    if left.shape[0] == 1:
        return np.asarray(left[0] * right[0], dtype=np.float64)[None]
    return np.asarray(np.einsum("ikl,kdl->idl", left, right))


def _inner(relative: Floats, own: Floats) -> Floats:
    """Return Lambda'GLambda + I for each level, (q, q, L)."""
    out = _left(relative.T, _left(relative.T, own).transpose(1, 0, 2))
    for i in range(out.shape[0]):
        out[i, i] += 1.0
    return out


def _invert(blocks: Floats) -> tuple[Floats, float]:
    """Return the inverse of each positive definite block, (q, q, L), and the sum of their log-determinants."""
    q = blocks.shape[0]
    if q == 1:
        return 1.0 / blocks, float(np.log(blocks).sum())
    if q == 2:
        det = blocks[0, 0] * blocks[1, 1] - blocks[0, 1] ** 2
        inverse = np.empty_like(blocks)
        inverse[0, 0], inverse[1, 1] = blocks[1, 1] / det, blocks[0, 0] / det
        inverse[0, 1] = inverse[1, 0] = -blocks[0, 1] / det
        return inverse, float(np.log(det).sum())
    stacked = np.ascontiguousarray(blocks.transpose(2, 0, 1))
    lower = np.linalg.cholesky(stacked)
    log_det = 2.0 * float(np.log(np.einsum("lii->li", lower)).sum())
    return np.ascontiguousarray(np.linalg.inv(stacked).transpose(1, 2, 0)), log_det
