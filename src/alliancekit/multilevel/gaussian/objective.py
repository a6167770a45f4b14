"""The profiled deviance of a linear mixed model and its exact gradient, by block elimination on cross-products.

Paper symbols: Lambda is the relative covariance factor (Bates, Maechler, Bolker & Walker 2015, J Stat Softw 67(1),
eq. 4), theta its free entries. With spherical random effects u the penalised cross-product matrix is
[Lambda'Z'ZLambda + I, Lambda'Z'[X y]; ., [X y]'[X y]]. Its block Cholesky factor gives log|L|^2, log|R_X|^2 and the
penalised residual sum of squares r^2 (their eq. 34 for ML and eq. 42 for REML).

Chain factors are eliminated level by level (``chain``); what is left of the border is eliminated as one dense matrix
(``border``). The gradient is the same elimination run backwards. With no weight on X its adjoints are the conditional
covariances of the random effects (relative to sigma^2), which is how ``inference`` gets them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian import border as dense
from alliancekit.multilevel.gaussian import chain
from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Elimination:
    """The state after one forward pass at theta.

    Attributes
    ----------
    theta : (n_theta,). log_det : log|L|^2. log_det_fixed : log|R_X|^2.
    fixed : (p, p) Schur complement of X. fixed_inverse : its inverse. beta : (p,), engine basis.
    r2 : penalised residual sum of squares after profiling beta.
    links : the eliminated chain factors, first to last. border : the eliminated dense part, or None.
    """

    theta: Floats
    log_det: float
    log_det_fixed: float
    fixed: Floats
    fixed_inverse: Floats
    beta: Floats
    r2: float
    links: list[chain.Link]
    border: dense.Border | None


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
    theta = np.array(theta, dtype=float)
    links, log_det = _eliminate_chain(design, theta, tail)
    border = None
    if m:
        border, more, tail = dense.forward(_border_parts(design, theta), tail, m)
        log_det += more
    fixed, cross, yy = tail[:p, :p], tail[:p, p], float(tail[p, p])
    if not p:
        return Elimination(theta, log_det, 0.0, fixed, fixed, cross, max(yy, np.finfo(float).tiny), links, border)
    lower = np.linalg.cholesky(fixed)
    inverse_lower = np.linalg.inv(lower)
    fixed_inverse: Floats = np.asarray(inverse_lower.T @ inverse_lower, dtype=np.float64)
    half = inverse_lower @ cross
    r2 = max(yy - float(half @ half), np.finfo(float).tiny)
    log_det_fixed = 2.0 * float(np.log(np.diag(lower)).sum())
    return Elimination(theta, log_det, log_det_fixed, fixed, fixed_inverse, fixed_inverse @ cross, r2, links, border)


def _eliminate_chain(design: GaussianDesign, theta: Floats, tail: Floats) -> tuple[list[chain.Link], float]:
    """Eliminate the chain, subtracting from ``tail`` in place."""
    products = design.products
    links: list[chain.Link] = []
    log_det = 0.0
    carried: chain.Above | None = None
    last = len(design.chain) - 1
    for position, (place, raw) in enumerate(zip(design.chain, products.links, strict=True)):
        square, free, values = raw.square, raw.free, raw.cells
        q = square.shape[0]
        if carried is not None:
            square, free, values = square + carried.square[:q], free + carried.free[:q], values + carried.values[:q]
        link = chain.Link(
            place.factor,
            relative_factor(design.factors[place.factor], theta[design.slices[place.factor]]),
            place.parent,
            square,
            free,
            values,
            products.layout.cells[position] if products.m else None,
            np.empty((0, 0, 0)),
            None if position else products.patterns,
        )
        above_cells = products.layout.cells[position + 1] if products.m and position < last else None
        n_parents = design.chain[position + 1].n_levels if position < last else 0
        more, going_up = chain.forward(link, above_cells, n_parents, tail, products.m)
        log_det += more
        links.append(link)
        if going_up is not None and carried is not None and position < last:
            going_up = _carry_on(design, position, carried, q, going_up)
        carried = going_up
    return links, log_det


def _carry_on(
    design: GaussianDesign, position: int, carried: chain.Above, q: int, going_up: chain.Above
) -> chain.Above:
    """Add what came from below for the factors above this one."""
    parent, u = design.chain[position].parent, going_up.square.shape[0]
    assert parent is not None
    n_parents = going_up.square.shape[2]
    square = chain.add_parents(carried.square[q:, q:], parent, n_parents, u)
    free = chain.add_parents(carried.free[q:], parent, n_parents, 0)
    values = going_up.values
    if design.products.m:
        up = design.products.layout.cells[position].up
        assert up is not None
        values = values + np.stack([np.bincount(up, row, values.shape[1]) for row in carried.values[q:]])
    return chain.Above(going_up.square + square, going_up.free + free, values)


def _border_parts(design: GaussianDesign, theta: Floats) -> tuple[dense.Part, ...]:
    parts = []
    for index, start in zip(design.border, design.products.layout.starts, strict=True):
        factor = design.factors[index]
        where = slice(start, start + factor.n_levels * factor.q)
        parts.append(dense.Part(index, where, factor.n_levels, relative_factor(factor, theta[design.slices[index]])))
    return tuple(parts)


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


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Derivatives by a factor's Lambda, (q, q), all entries: of the whole criterion, and of log|L|^2 alone."""

    whole: Floats
    determinant: Floats


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


def factor_slopes(
    state: Elimination, design: GaussianDesign, *, reml: bool, r2_weight: float | None = None, det_weight: float = 1.0
) -> list[Slopes]:
    """Return, per factor, d/dLambda of ``det_weight * (log|L|^2 [+ log|R_X|^2]) + r2_weight * r^2``.

    With ``r2_weight`` None it is the derivative of the profiled deviance. ``determinant`` counts a chain factor's own
    share of log|L|^2 only, with the other factors held.
    """
    adjoint = fixed_adjoint(state, design, reml, r2_weight, det_weight)
    return _backward(state, design, adjoint, det_weight, own=False)[0]


def gradient(
    state: Elimination, design: GaussianDesign, *, reml: bool, r2_weight: float | None = None, det_weight: float = 1.0
) -> Floats:
    """Return d/dtheta of ``det_weight * (log|L|^2 [+ log|R_X|^2]) + r2_weight * r^2``, shape (n_theta,).

    With ``r2_weight`` None it is the gradient of the profiled deviance.
    """
    out = np.empty(design.n_theta)
    slopes = factor_slopes(state, design, reml=reml, r2_weight=r2_weight, det_weight=det_weight)
    for factor, where, slope in zip(design.factors, design.slices, slopes, strict=True):
        out[where] = [slope.whole[i, j] for i, j in factor.free]
    return out


def _backward(
    state: Elimination, design: GaussianDesign, adjoint: Floats, weight: float, *, own: bool
) -> tuple[list[Slopes], list[Floats]]:
    """Run backwards from the adjoint of the last corner; return slopes and, where asked for, the adjoints of Z'Z."""
    m = design.products.m
    slopes: dict[int, Slopes] = {}
    owns: list[Floats] = [np.zeros((0, 0, 0))] * len(design.factors)
    tail = adjoint
    if state.border is not None:
        found, tail = dense.backward(state.border, adjoint, weight)
        for index, whole, determinant in found:
            slopes[index] = Slopes(2.0 * whole, 2.0 * determinant)
        if own:
            for part in state.border.parts:
                q = part.relative.shape[0]
                block = tail[part.where, part.where].reshape(part.n_levels, q, part.n_levels, q)
                owns[part.factor] = np.einsum("iaib->abi", block)
    above: chain.Above | None = None
    for position in range(len(state.links) - 1, -1, -1):
        link = state.links[position]
        result = chain.backward(link, tail, above, weight, m, pass_down=position > 0, own=own)
        slopes[link.index] = Slopes(2.0 * result.adjoint @ link.relative, 2.0 * result.determinant @ link.relative)
        if result.own is not None:
            owns[link.index] = result.own
        above = result.below
    return [slopes[i] for i in range(len(design.factors))], owns


def covariances(state: Elimination, design: GaussianDesign) -> list[Floats]:
    """Return, per factor, the covariance of its random effects given y and beta over sigma^2: (q, q, L)."""
    p = design.products.p
    return _backward(state, design, np.zeros((p + 1, p + 1)), 1.0, own=True)[1]


def conditional_modes(state: Elimination, design: GaussianDesign) -> list[Floats]:
    """Return, per factor, the conditional modes b of its random effects in the engine's basis, shape (q, L)."""
    v = np.append(-state.beta, 1.0)
    out: list[Floats] = [np.zeros((0, 0))] * len(design.factors)
    crossed = np.zeros(0)
    if state.border is not None:
        effects = (state.border.solved @ v)[:, None]
        for part in state.border.parts:
            part.scale(effects, False)
            out[part.factor] = np.ascontiguousarray(effects[part.where].reshape(part.n_levels, -1).T)
        crossed = effects[:, 0]
    above: Floats | None = None
    for link in reversed(state.links):
        residual = np.einsum("iel,e->il", link.free, v)
        if above is not None:
            assert link.parent is not None
            above = np.take(above, link.parent, axis=1)
            residual -= np.einsum("iul,ul->il", link.square[:, link.q :], above)
        if link.cells is not None:
            at = crossed[link.cells.column]
            residual -= np.stack([np.bincount(link.cells.level, row * at, residual.shape[1]) for row in link.values])
        own = np.einsum("ijl,jl->il", link.by_level(), residual)
        out[link.index] = own
        above = own if above is None else np.concatenate([own, above])
    return out
