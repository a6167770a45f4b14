"""What follows from the estimates and the design: covariances, Satterthwaite degrees of freedom, conditional modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.batch import at_once, gradients
from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import (
    Elimination,
    conditional_modes,
    covariances,
    eliminate,
    gradient,
    relative_factor,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class VarianceUncertainty:
    """How sure the variance parameters are: what Satterthwaite's method needs.

    Attributes
    ----------
    covariance : shape (k + 1, k + 1), of (theta, sigma): twice the inverse Hessian of the deviance.
    derivatives : shape (k + 1, p, p), of vcov(beta) in the engine's basis.
    vcov : shape (p, p), of beta in the engine's basis.
    """

    covariance: Floats
    derivatives: Floats
    vcov: Floats


def variance_uncertainty(design: GaussianDesign, state: Elimination, sigma: float, reml: bool) -> VarianceUncertainty:
    """Return the uncertainty of (theta, sigma), from 2k gradients at fixed sigma.

    The deviance as a function of (theta, sigma) is log|L|^2 [+ log|R_X|^2] + r^2(theta) / sigma^2 + 2 dof log(sigma).
    A direction without curvature (a variance at zero) carries no information and is left out.

    Source: Kuznetsova, Brockhoff & Christensen (2017), J Stat Softw 82(13), section 2.1, with exact gradients.
    """
    k, p = design.n_theta, design.products.p
    dof = design.products.n - (p if reml else 0)
    theta = state.theta
    hessian = np.zeros((k + 1, k + 1))
    derivatives = np.zeros((k + 1, p, p))
    vcov = sigma**2 * state.fixed_inverse
    slopes, inverses = _around(design, theta, reml, 1.0 / sigma**2)
    hessian[:k, :k] = slopes
    derivatives[:k] = sigma**2 * inverses
    hessian[:k, :k] = (hessian[:k, :k] + hessian[:k, :k].T) / 2
    r2_slope = gradient(state, design, reml=False, r2_weight=1.0, det_weight=0.0)
    hessian[:k, k] = hessian[k, :k] = -2.0 / sigma**3 * r2_slope
    hessian[k, k] = 6.0 * state.r2 / sigma**4 - 2.0 * dof / sigma**2
    derivatives[k] = 2.0 * vcov / sigma
    return VarianceUncertainty(_twice_inverse(hessian, theta, sigma), derivatives, vcov)


def _twice_inverse(hessian: Floats, theta: Floats, sigma: float) -> Floats:
    """Return twice the inverse Hessian by (theta, sigma), without directions that have no curvature.

    Curvatures are compared in shares of sigma and of each theta above one, so that the answer knows no units.
    """
    size = np.append(np.maximum(np.abs(theta), 1.0), sigma)
    values, vectors = np.linalg.eigh(hessian * np.outer(size, size))
    keep = values > 1e-8 * max(float(values.max()), 0.0)
    inverse: Floats = 2.0 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T * np.outer(size, size)
    return inverse


def _around(design: GaussianDesign, theta: Floats, reml: bool, r2_weight: float) -> tuple[Floats, Floats]:
    """Return the derivatives by theta of the gradient, (k, k), and of the inverse of X'V^-1X, (k, p, p)."""
    k, p = theta.size, design.products.p
    if not k:
        return np.zeros((0, 0)), np.zeros((0, p, p))
    h = 1e-4 * np.maximum(np.abs(theta), 0.1)
    points = np.concatenate([theta + np.diag(h), theta - np.diag(h)])
    passes = at_once(design)
    if passes is not None:
        states = passes.eliminate(points)
        slopes, inverses = gradients(states, design, reml=reml, r2_weight=r2_weight), states.fixed_inverse
    else:
        found = [eliminate(design, point) for point in points]
        slopes = np.stack([gradient(state, design, reml=reml, r2_weight=r2_weight) for state in found])
        inverses = np.stack([state.fixed_inverse for state in found])
    twice = 2.0 * h
    return (slopes[:k] - slopes[k:]) / twice[:, None], (inverses[:k] - inverses[k:]) / twice[:, None, None]


def satterthwaite(uncertainty: VarianceUncertainty, contrast: Floats) -> float:
    """Return Satterthwaite's df of one contrast of beta, shape (p,), in the engine's basis: 2 v^2 / var(v)."""
    v = float(contrast @ uncertainty.vcov @ contrast)
    slope = np.einsum("i,kij,j->k", contrast, uncertainty.derivatives, contrast)
    spread = float(slope @ uncertainty.covariance @ slope)
    return 2.0 * v**2 / spread if spread > 0 else float("inf")


def satterthwaite_f(uncertainty: VarianceUncertainty, contrasts: Floats, estimate: Floats) -> tuple[float, int, float]:
    """Return F, numerator and denominator df of a joint hypothesis (rows of ``contrasts``, engine basis).

    Source: Fai & Cornelius (1996), J Stat Comput Simul 54, 363-378, as in Kuznetsova et al. (2017), section 2.2.
    """
    variance = contrasts @ uncertainty.vcov @ contrasts.T
    values, vectors = np.linalg.eigh((variance + variance.T) / 2)
    keep = values > 1e-10 * float(values.max())
    rank = int(keep.sum())
    rotated = vectors[:, keep].T @ contrasts
    t2 = (vectors[:, keep].T @ estimate) ** 2 / values[keep]
    df = np.array([satterthwaite(uncertainty, row) for row in rotated])
    statistic = float(t2.sum() / rank)
    if rank == 1:
        return statistic, 1, float(df[0])
    if (df <= 2).any():
        return statistic, rank, 2.0
    total = float(np.where(np.isinf(df), 1.0, df / np.where(np.isinf(df), 1.0, df - 2)).sum())
    return statistic, rank, 2.0 * total / (total - rank) if total > rank else float("inf")


def random_effects(design: GaussianDesign, state: Elimination, sigma: float) -> list[tuple[Floats, Floats]]:
    """Return, per factor, the conditional modes (L, q) and conditional SDs (L, q) in the user's columns.

    The SDs take beta and the variances as known, as ``lme4::ranef(condVar = TRUE)`` does.
    """
    out = []
    for factor, modes, spread in zip(
        design.factors, conditional_modes(state, design), covariances(state, design), strict=True
    ):
        user = (factor.basis @ modes).T
        variance = np.einsum("ia,abl,ib->li", factor.basis, spread, factor.basis)
        out.append((user, sigma * np.sqrt(np.maximum(variance, 0.0))))
    return out


def factor_covariances(design: GaussianDesign, theta: Floats, sigma: float) -> list[Floats]:
    """Return the covariance matrix of each factor's random effects in the user's columns, (q, q)."""
    out = []
    for factor, where in zip(design.factors, design.slices, strict=True):
        root = factor.basis @ relative_factor(factor, theta[where])
        out.append(sigma**2 * root @ root.T)
    return out


def theta_from_covariances(design: GaussianDesign, matrices: list[Floats], sigma: float) -> Floats:
    """Return theta of covariance matrices in the user's columns (inverse of ``factor_covariances``)."""
    theta = np.zeros(design.n_theta)
    for factor, where, matrix in zip(design.factors, design.slices, matrices, strict=True):
        back = np.linalg.inv(factor.basis)
        relative = back @ np.asarray(matrix, float) @ back.T / sigma**2
        values, vectors = np.linalg.eigh((relative + relative.T) / 2)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
        triangle = np.asarray(np.linalg.qr(root, mode="r")).T
        triangle = triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0)
        theta[where] = [triangle[i, j] for i, j in factor.free]
    return theta
