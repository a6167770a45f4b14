"""What follows from the estimates: covariances of all parameters, conditional modes, intervals of variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.design import GeneralisedDesign
from alliancekit.multilevel.generalised.elimination import solve
from alliancekit.multilevel.generalised.modes import pull, scale
from alliancekit.multilevel.generalised.objective import Point, Problem, relative_factor, take_apart
from alliancekit.multilevel.generalised.optimise import Criterion, Optimum
from alliancekit.multilevel.generalised.sums import Effects, gather, spread
from alliancekit.numerics.optimisers import difference_hessian

Floats = NDArray[np.float64]
FLAT = 1e-9  # curvature, relative to the largest, below which a direction carries no information
MOSTLY = 0.5  # share of a direction in a block of parameters from which it is theirs
UNSURE = 100.0  # SD, in the linear predictor, of what nothing is known about: exp(100) is 1e43


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """How sure the parameters are.

    Attributes
    ----------
    covariance : (K, K) of all parameters in the engine's basis: twice the inverse Hessian of -2 log-likelihood.
        Directions without curvature are left out.
    directions : (K, m), orthonormal, those without curvature: what nothing is known about.
    """

    covariance: Floats
    directions: Floats

    @property
    def flat(self) -> Floats:
        """How far each parameter lies in directions without curvature, (K,), 0 to 1."""
        return np.asarray((self.directions**2).sum(axis=1), dtype=np.float64)


def uncertainty(problem: Problem, optimum: Optimum) -> Uncertainty:
    """Return the covariance of all parameters jointly, from central differences of the exact gradient."""
    criterion = Criterion(problem)
    criterion.effects = optimum.point.modes.effects
    hessian = difference_hessian(lambda x: criterion(x)[1], optimum.x, 1e-4)
    values, vectors = np.linalg.eigh(hessian)
    keep = values > FLAT * max(float(values.max(initial=0.0)), 0.0)
    covariance = 2.0 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    return Uncertainty(covariance, vectors[:, ~keep])


def fixed_covariance(X: Floats, basis: Floats, known: Uncertainty, where: slice) -> Floats:
    """Return the covariance of the fixed effects in the user's columns; huge along infinite coefficients.

    Without it the standard error of an infinite coefficient would be near 0, and its test significant.
    """
    vcov = basis @ known.covariance[where, where] @ basis.T
    for direction in known.directions[where].T:
        if direction @ direction > MOSTLY:
            user = basis @ direction
            line = X @ user
            user = user / max(float(np.ptp(line)), abs(float(line.mean())))
            vcov = vcov + UNSURE**2 * np.outer(user, user)
    return np.asarray(vcov, dtype=np.float64)


def column_reach(X: Floats) -> Floats:
    """Return the range of each column, of a constant one its size."""
    reach = np.ptp(X, axis=0)
    return np.asarray(np.where(reach > 0, reach, np.abs(X).max(axis=0, initial=0.0)), dtype=np.float64)


def factor_covariances(design: GeneralisedDesign, theta: Floats) -> list[Floats]:
    """Return the covariance matrix of each factor's random effects in the user's columns, (q, q)."""
    out = []
    for factor, where in zip(design.factors, design.slices, strict=True):
        root = factor.basis @ relative_factor(factor.free, factor.q, theta[where])
        out.append(root @ root.T)
    return out


def theta_of(design: GeneralisedDesign, matrices: list[Floats]) -> Floats:
    """Return theta of covariance matrices in the user's columns (inverse of ``factor_covariances``)."""
    theta = np.zeros(design.n_theta)
    for factor, where, matrix in zip(design.factors, design.slices, matrices, strict=True):
        back = np.linalg.inv(factor.basis)
        inner = back @ np.asarray(matrix, float) @ back.T
        values, vectors = np.linalg.eigh((inner + inner.T) / 2)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
        triangle = np.asarray(np.linalg.qr(root, mode="r")).T
        triangle = triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0)
        theta[where] = [triangle[i, j] for i, j in factor.free]
    return theta


def random_effects(design: GeneralisedDesign, x: Floats, point: Point) -> list[tuple[Floats, Floats]]:
    """Return, per factor, conditional modes (L, q) and conditional SDs (L, q), in the user's columns and levels.

    The SDs take the parameters as known, as ``lme4::ranef(condVar = TRUE)`` does.
    """
    b = scale(take_apart(design, x).relatives, point.modes.effects)
    out = []
    for index, (factor, mode, own) in enumerate(zip(design.factors, b, point.posterior.own, strict=True)):
        variance = np.einsum("ia,abl,ib->li", factor.basis, own, factor.basis)
        pair = ((factor.basis @ mode).T, np.sqrt(np.maximum(variance, 0.0)))
        out.append((_users(design, index, pair[0]), _users(design, index, pair[1])))
    return out


def prediction_errors(design: GeneralisedDesign, x: Floats, point: Point, covariance: Floats) -> list[Floats]:
    """Return, per factor, the SDs (L, q) of the random effects with the uncertainty of the parameters added.

    This is what ``glmmTMB::ranef(condVar = TRUE)`` gives: var(b) = H^-1 + J V J', J the derivative of the modes by the
    parameters and V their covariance (Kass & Steffey 1989, JASA 84, 717-726, eq. 3.1).
    """
    slopes = mode_slopes(design, x, point)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    out = []
    for index, factor in enumerate(design.factors):
        own = np.einsum("ia,abl,ib->li", factor.basis, point.posterior.own[index], factor.basis)
        moved = np.stack([(factor.basis @ slope[index]).T for slope in slopes], axis=2)  # (L, q, K)
        extra = np.einsum("lqk,kr->lqr", moved, root)
        out.append(_users(design, index, np.sqrt(np.maximum(own + (extra**2).sum(axis=2), 0.0))))
    return out


def mode_slopes(design: GeneralisedDesign, x: Floats, point: Point) -> list[Effects]:
    """Return, per parameter, the derivative of the modes b = Lambda u, one array (q, L) per factor."""
    parameters = take_apart(design, x)
    modes, relatives = point.modes, parameters.relatives
    out: list[Effects] = []
    for column in design.X.T:
        right = pull(design, relatives, -modes.weight * column)
        out.append(scale(relatives, solve(design, modes.elimination, right)))
    score = gather(design, modes.slope)
    for index, factor in enumerate(design.factors):
        for i, j in factor.free:
            turned = np.zeros((factor.q, factor.q))
            turned[i, j] = 1.0
            own = turned @ modes.effects[index]
            moved: Effects = [np.zeros_like(u) for u in modes.effects]
            moved[index] = own
            right = pull(design, relatives, -modes.weight * spread(design, moved))
            right[index] = right[index] + turned.T @ score[index]
            change = scale(relatives, solve(design, modes.elimination, right))
            change[index] = change[index] + own
            out.append(change)
    sides = ((design.dispersion, point.outer.dispersion), (design.inflation, point.outer.inflation))
    for columns, by in sides:
        if columns is None or by is None:
            continue
        for column in columns.T:
            right = pull(design, relatives, by[1] * column)
            out.append(scale(relatives, solve(design, modes.elimination, right)))
    return out


def _users(design: GeneralisedDesign, index: int, values: Floats) -> Floats:
    """Return values of a factor's levels in the user's order of levels."""
    for link in design.chain:
        if link.factor == index:
            out = np.empty_like(values)
            out[link.levels] = values
            return out
    return values
