"""How sure the variance parameters are, those of the residual structure among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty
from alliancekit.multilevel.gaussian.objective import Elimination, eliminate, gradient
from alliancekit.multilevel.residual.objective import phi_gradient
from alliancekit.multilevel.residual.part import ResidualPart

Floats = NDArray[np.float64]


def variance_uncertainty(
    part: ResidualPart, engine: GaussianDesign, state: Elimination, sigma: float, reml: bool
) -> VarianceUncertainty:
    """Return the uncertainty of (theta, sigma, phi), in this order, from gradients at fixed sigma.

    The joint Hessian of the deviance carries the uncertainty of the structure into Satterthwaite's degrees of freedom,
    as in SAS PROC MIXED and the R package mmrm. A parameter at a boundary, or a direction without curvature, carries no
    information and is left out.

    Source: Kuznetsova, Brockhoff & Christensen (2017), J Stat Softw 82(13), section 2.1, with phi beside theta.
    """
    k, p, dof = engine.n_theta, engine.products.p, engine.products.n - (engine.products.p if reml else 0)
    x = np.concatenate([state.theta, part.phi])
    moving = [i for i in range(len(x)) if i < k or part.free[i - k]]
    where = [i if i < k else i + 1 for i in moving]
    size = len(x) + 1
    hessian, derivatives = np.zeros((size, size)), np.zeros((size, p, p))
    for i, at in zip(moving, where, strict=True):
        h = 1e-4 * max(abs(x[i]), 0.1)
        sides = []
        for sign in (1.0, -1.0):
            moved = x.copy()
            moved[i] += sign * h
            sides.append(_gradient(part, engine, moved, sigma, reml))
        slope = (sides[0][0] - sides[1][0]) / (2 * h)
        hessian[at, where] = slope[moving]
        derivatives[at] = sigma**2 * (sides[0][1] - sides[1][1]) / (2 * h)
    hessian = (hessian + hessian.T) / 2
    r2_slope = _r2_slope(part, engine, state)
    hessian[where, k] = hessian[k, where] = -2.0 / sigma**3 * r2_slope[moving]
    hessian[k, k] = 6.0 * state.r2 / sigma**4 - 2.0 * dof / sigma**2
    vcov = sigma**2 * state.fixed_inverse
    derivatives[k] = 2.0 * vcov / sigma
    return VarianceUncertainty(_twice_inverse(hessian, sorted([*where, k])), derivatives, vcov)


def _gradient(part: ResidualPart, engine: GaussianDesign, x: Floats, sigma: float, reml: bool) -> tuple[Floats, Floats]:
    """Return the gradient of the deviance at fixed sigma, and (X'V^-1 X)^-1 over sigma^2."""
    k = engine.n_theta
    moved = part.rows.at(x[k:]) if (x[k:] != part.phi).any() else engine
    there = eliminate(moved, x[:k])
    weight = 1.0 / sigma**2
    own = gradient(there, moved, reml=reml, r2_weight=weight)
    structure = phi_gradient(part.rows, x[k:], moved, there, reml=reml, r2_weight=weight)
    return np.concatenate([own, structure]), there.fixed_inverse


def _r2_slope(part: ResidualPart, engine: GaussianDesign, state: Elimination) -> Floats:
    own = gradient(state, engine, reml=False, r2_weight=1.0, det_weight=0.0)
    structure = phi_gradient(part.rows, part.phi, engine, state, reml=False, r2_weight=1.0, det_weight=0.0)
    return np.concatenate([own, structure])


def _twice_inverse(hessian: Floats, used: list[int]) -> Floats:
    """Return twice the inverse over the rows ``used``, without directions that have no curvature; zero elsewhere."""
    part = hessian[np.ix_(used, used)]
    scale = np.sqrt(np.abs(np.diag(part)))
    scale[scale == 0] = 1.0
    values, vectors = np.linalg.eigh(part / np.outer(scale, scale))
    keep = values > 1e-8 * max(float(values.max()), 0.0)
    inverse = 2.0 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T / np.outer(scale, scale)
    out = np.zeros_like(hessian)
    out[np.ix_(used, used)] = inverse
    return out
