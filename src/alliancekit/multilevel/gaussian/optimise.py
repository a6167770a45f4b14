"""Find theta: starting values, the search, and the answer at a boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import (
    Elimination,
    conditional_modes,
    covariances,
    deviance,
    eliminate,
    gradient,
    relative_factor,
)
from alliancekit.numerics.optimisers import Minimum, minimise

Floats = NDArray[np.float64]
SINGULAR = 1e-4  # smallest relative standard deviation (engine basis, unit residual SD) that is not called zero


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the search ended.

    theta : engine basis, positive diagonals. singular : per factor, True where its covariance has lost rank.
    """

    theta: Floats
    deviance: float
    state: Elimination
    search: Minimum
    singular: tuple[bool, ...]


def criterion(design: GaussianDesign, theta: Floats, reml: bool) -> tuple[float, Floats]:
    """Return the profiled deviance and its gradient at theta."""
    state = eliminate(design, theta)
    return deviance(state, design, reml), gradient(state, design, reml=reml)


def optimise(design: GaussianDesign, reml: bool, start: Floats | None = None) -> Optimum:
    """Minimise the profiled deviance over theta.

    Parameters
    ----------
    design : the engine's design.
    reml : REML criterion instead of ML deviance.
    start : starting theta in the engine's basis; None takes the better of two cold starts.
    """
    if start is None:
        start = _warm_start(design, reml)
    found = minimise(lambda theta: criterion(design, theta, reml), start)
    theta = _positive_diagonals(design, found.x)
    theta, singular = _snap(design, theta, found.value, reml)
    state = eliminate(design, theta)
    return Optimum(theta, deviance(state, design, reml), state, found, singular)


def _warm_start(design: GaussianDesign, reml: bool, steps: int = 2) -> Floats:
    """Return starting values from a few EM steps: cheap, and close enough for the quasi-Newton search to be short.

    Each step sets a factor's relative covariance to the mean over its levels of b b' / sigma^2 + conditional covariance
    (Laird & Ware 1982, Biometrics 38, 963-974). A relative SD is kept above .05, away from the saddle at zero.
    """
    theta = np.zeros(design.n_theta)
    for factor, where in zip(design.factors, design.slices, strict=True):
        theta[where] = [1.0 if i == j else 0.0 for i, j in factor.free]
    products = design.products
    dof = products.n - (products.p if reml else 0)
    for _ in range(steps):
        state = eliminate(design, theta)
        sigma2 = state.r2 / dof
        modes, spreads = conditional_modes(state, design), covariances(state, design)
        for factor, where, mode, spread in zip(design.factors, design.slices, modes, spreads, strict=True):
            second = mode @ mode.T / (mode.shape[1] * sigma2) + spread.mean(axis=2)
            second[np.diag_indices(factor.q)] = np.maximum(np.diag(second), 0.05**2)
            allowed = np.eye(factor.q, dtype=bool)
            for i, j in factor.free:
                allowed[i, j] = allowed[j, i] = True
            second = np.where(allowed, second, 0.0)
            second += 1e-6 * np.trace(second) * np.eye(factor.q)
            lower = np.linalg.cholesky(second)
            theta[where] = [lower[i, j] for i, j in factor.free]
    return theta


def _positive_diagonals(design: GaussianDesign, theta: Floats) -> Floats:
    """Flip the sign of columns whose diagonal is negative; the covariance stays the same."""
    out = theta.copy()
    for factor, where in zip(design.factors, design.slices, strict=True):
        part = out[where]
        diagonal = {j: value for value, (i, j) in zip(part, factor.free, strict=True) if i == j}
        out[where] = [
            value * (-1.0 if diagonal[j] < 0 else 1.0) for value, (_, j) in zip(part, factor.free, strict=True)
        ]
    return out


def _snap(design: GaussianDesign, theta: Floats, value: float, reml: bool) -> tuple[Floats, tuple[bool, ...]]:
    """Put a relative variance that is zero for every practical purpose at zero exactly, where that costs nothing.

    "Nothing" is a rise of the deviance below 1e-7: the optimum lies on the boundary and the search came close to it.
    """
    singular = []
    for factor, where in zip(design.factors, design.slices, strict=True):
        relative = relative_factor(factor, theta[where])
        left, sizes, right = np.linalg.svd(relative)
        small = sizes < SINGULAR
        near = (sizes < 0.02) & ~small
        if near.any() or small.any():
            cut = np.where(small | near, 0.0, sizes)
            flat = _lower(((left * cut) @ right), factor.free)
            if flat is not None:
                trial = theta.copy()
                trial[where] = flat
                if deviance(eliminate(design, trial), design, reml) <= value + 1e-7:
                    theta, small = trial, small | near
        singular.append(bool(small.any()))
    return theta, tuple(singular)


def _lower(factor: Floats, free: tuple[tuple[int, int], ...]) -> list[float] | None:
    """Return the free entries of the lower factor with the same covariance, or None where it needs others."""
    q = factor.shape[0]
    triangle = np.asarray(np.linalg.qr(factor.T, mode="r")).T
    triangle = triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0)
    allowed = set(free)
    top = max(float(np.abs(triangle).max()), 1e-300)
    for i in range(q):
        for j in range(i):
            if (i, j) not in allowed and abs(triangle[i, j]) > 1e-8 * top:
                return None
    return [float(triangle[i, j]) for i, j in free]
