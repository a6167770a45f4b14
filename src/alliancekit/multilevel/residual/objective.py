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
)
from alliancekit.multilevel.residual.design import ResidualDesign
from alliancekit.numerics.stacks import multiply

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
    left = _with_border(design, design.scaled(phi))
    U, V = np.empty_like(left), np.empty_like(left)
    at = 0
    for link in state.links:
        codes, spread = design.factors[link.index].codes, link.by_level()
        weights, own = multiply(spread, link.rest()), left[: link.q]
        U[at : at + link.q] = own
        V[at : at + link.q] = det_weight * np.einsum("ijn,jn->in", spread[:, :, codes], own)
        rest = left[link.q :].copy()
        for i in range(link.q):
            rest -= weights[i][:, codes] * own[i]
        left, at = rest, at + link.q
    if state.border is not None:
        m, inner_spread = engine.products.m, state.border.spread()
        U[at : at + m] = left[:m]
        V[at : at + m] = det_weight * inner_spread @ left[:m]
        left, at = left[m:] - (inner_spread @ state.border.rest).T @ left[:m], at + m
    U[at:] = left
    V[at:] = inner @ left
    return U, V


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
