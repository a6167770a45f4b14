"""The profiled deviance over (theta, phi) and its exact gradient.

For the part of phi, the adjoint of the cross-products is never formed. A sweep over the chain of grouping factors
leaves, for each of them, the columns c of its random effects with later ones projected out, and the conditional
covariance P of the effects (over sigma^2); what is left of X and y is r. The deviance then changes with the residual
precision K = (S C S)^-1 as sum_kinds tr(dK (c P c')) + tr(dK r A r') + d log|S C S|, A = w v v' [+ (X'V^-1X)^-1], v =
(-beta, 1), w = dof / r^2: one pass over the rows, whatever the number of parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import (
    Elimination,
    deviance,
    eliminate,
    fixed_adjoint,
    gradient,
    relative_factor,
)
from alliancekit.multilevel.residual.design import ResidualDesign

Floats = NDArray[np.float64]


def criterion(design: ResidualDesign, x: Floats, reml: bool) -> tuple[float, Floats]:
    """Return the profiled deviance and its gradient at x = (theta, phi); infinite where X has lost rank."""
    k = design.base.n_theta
    theta, phi = x[:k], x[k:]
    try:
        engine = design.at(phi)
        state = eliminate(engine, theta)
    except np.linalg.LinAlgError:
        return float("inf"), np.zeros_like(x)
    value = deviance(state, engine, reml)
    if not np.isfinite(value):
        return float("inf"), np.zeros_like(x)
    own = gradient(state, engine, reml=reml)
    return value, np.concatenate([own, phi_gradient(design, phi, engine, state, reml=reml)])


def phi_gradient(
    design: ResidualDesign,
    phi: Floats,
    engine: GaussianDesign,
    state: Elimination,
    *,
    reml: bool,
    r2_weight: float | None = None,
    det_weight: float = 1.0,
) -> Floats:
    """Return d/dphi of ``det_weight`` * (all log-determinants) + ``r2_weight`` * r^2, shape (n_phi,).

    With ``r2_weight`` None it is the gradient of the profiled deviance.
    """
    inner = fixed_adjoint(state, engine, reml, r2_weight, det_weight)
    U, V = _sweep(design, phi, engine, state, inner, det_weight)
    k = design.n_correlation
    out = det_weight * design.log_det(phi)[1]
    if design.correlation is not None:
        out[:k] += design.correlation.slopes(phi[:k], U, V)
    if design.variance is not None:
        solved = U if design.correlation is None else design.correlation.solve(phi[:k], U)
        per_row = np.einsum("dn,dn->n", solved, V)
        out[k:] -= 2.0 * design.variance.slopes @ per_row
    return out


def _sweep(
    design: ResidualDesign, phi: Floats, engine: GaussianDesign, state: Elimination, inner: Floats, det_weight: float
) -> tuple[Floats, Floats]:
    """Return columns U (d, n) and the same times their adjoint, V: what dK is multiplied with."""
    products = engine.products
    m, p = products.m, products.p
    left = _with_border(design, design.scaled(phi))
    U, V = np.empty_like(left), np.empty_like(left)
    tail = np.zeros((m + p + 1, m + p + 1))
    tail[:-1, :-1] = products.total
    tail[:-1, -1] = tail[-1, :-1] = products.total_response
    tail[-1, -1] = products.yy
    at = 0
    if engine.chain:
        block = np.concatenate([products.rows, products.fixed, products.response[:, None]], axis=1)
        for link in engine.chain:
            factor = design.factors[link.factor]
            q = factor.q
            relative = relative_factor(factor, state.theta[engine.slices[link.factor]])
            spread, weights = _project(relative, block[:q, :q], block[:q, q:])
            own = left[:q]
            U[at : at + q] = own
            V[at : at + q] = det_weight * np.einsum("ijn,jn->in", spread[:, :, factor.codes], own)
            rest = left[q:].copy()
            for i in range(q):
                rest -= weights[i][:, factor.codes] * own[i]
            left, at = rest, at + q
            upper = block.shape[0] - q
            raw = block[:q, q:]
            tail -= np.einsum("qil,qjl->ij", raw[:, upper:], weights[:, upper:])
            if upper:
                assert link.parent is not None
                reduced = block[q:, q:] - np.einsum("qil,qjl->ijl", raw[:, :upper], weights)
                block = _sum_levels(reduced, link.parent)
    if m:
        relative = _border_factor(design, state.theta, engine)
        spread, weights = (a[..., 0] for a in _project(relative, tail[:m, :m, None], tail[:m, m:, None]))
        U[at : at + m] = left[:m]
        V[at : at + m] = det_weight * spread @ left[:m]
        left, at = left[m:] - weights.T @ left[:m], at + m
    U[at:] = left
    V[at:] = inner @ left
    return U, V


def _project(relative: Floats, own: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """Return P = Lambda (I + Lambda'G Lambda)^-1 Lambda' and P B for each level, (q, q, L) and (q, d, L)."""
    q = len(relative)
    inner = np.einsum("ki,klL,lj->Lij", relative, own, relative, optimize=True) + np.eye(q)
    spread = relative @ np.linalg.inv(inner) @ relative.T
    weights = np.einsum("Lij,jdL->idL", spread, rest)
    return np.ascontiguousarray(spread.transpose(1, 2, 0)), weights


def _sum_levels(block: Floats, parent: NDArray[np.intp]) -> Floats:
    upper, width, _ = block.shape
    out = np.empty((upper, width, int(parent.max()) + 1))
    for i in range(upper):
        for j in range(width):
            out[i, j] = np.bincount(parent, block[i, j], out.shape[2])
    return out


def _with_border(design: ResidualDesign, columns: Floats) -> Floats:
    """Return the columns in the engine's order: chain, border (one for each level and effect), X, y."""
    starts, at = [], 0
    for factor in design.factors:
        starts.append(at)
        at += factor.q
    pieces = [columns[starts[c.factor] : starts[c.factor] + design.factors[c.factor].q] for c in design.base.chain]
    rows = np.arange(columns.shape[1])
    for index in design.base.border:
        factor = design.factors[index]
        wide = np.zeros((factor.n_levels * factor.q, columns.shape[1]))
        for j in range(factor.q):
            wide[factor.codes * factor.q + j, rows] = columns[starts[index] + j]
        pieces.append(wide)
    return np.concatenate([*pieces, columns[at:]], axis=0)


def _border_factor(design: ResidualDesign, theta: Floats, engine: GaussianDesign) -> Floats:
    """Return the block-diagonal relative factor of the border, (m, m)."""
    out = np.zeros((engine.products.m, engine.products.m))
    at = 0
    for index in engine.border:
        factor = design.factors[index]
        small = relative_factor(factor, theta[engine.slices[index]])
        for _ in range(factor.n_levels):
            out[at : at + factor.q, at : at + factor.q] = small
            at += factor.q
    return out
