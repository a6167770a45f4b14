"""Find theta: starting values, the search, and the answer at a boundary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.batch import at_once, gradients
from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign
from alliancekit.multilevel.gaussian.objective import (
    Elimination,
    deviance,
    eliminate,
    factor_slopes,
    gradient,
    relative_factor,
)
from alliancekit.numerics.optimisers import Minimum, minimise

Floats = NDArray[np.float64]
SINGULAR = 1e-4  # smallest relative standard deviation (engine basis, unit residual SD) that is not called zero
NEAR_ZERO = 0.02  # relative standard deviation below which zero is tried


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


def gradients_at_once(design: GaussianDesign, reml: bool) -> Callable[[Floats], Floats] | None:
    """Return the function of several thetas (B, n_theta) that gives their gradients, where it is the cheaper way."""
    passes = at_once(design)
    if passes is None:
        return None
    return lambda thetas: gradients(passes.eliminate(thetas), design, reml=reml)


class _Passes:
    """Forward passes of one search; the last is kept, so that none is run twice at the same theta."""

    def __init__(self, design: GaussianDesign, reml: bool) -> None:
        self.design, self.reml = design, reml
        self.state: Elimination | None = None

    def at(self, theta: Floats) -> Elimination:
        if self.state is None or not np.array_equal(self.state.theta, theta):
            self.state = eliminate(self.design, theta)
        return self.state

    def value(self, theta: Floats) -> float:
        return deviance(self.at(theta), self.design, self.reml)

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        state = self.at(theta)
        return deviance(state, self.design, self.reml), gradient(state, self.design, reml=self.reml)


def optimise(design: GaussianDesign, reml: bool, start: Floats | None = None) -> Optimum:
    """Minimise the profiled deviance over theta.

    Parameters
    ----------
    design : the engine's design.
    reml : REML criterion instead of ML deviance.
    start : starting theta in the engine's basis; None takes a few steps of scoring.
    """
    passes = _Passes(design, reml)
    if start is None:
        start = _warm_start(passes)
    found = minimise(passes, start, gradients=gradients_at_once(design, reml))
    theta = positive_diagonals(design, found.x)
    theta, singular = _snap(passes, theta, found.value)
    state = passes.at(theta)
    return Optimum(theta, deviance(state, design, reml), state, found, singular)


def _warm_start(passes: _Passes, steps: int = 2) -> Floats:
    """Return starting values from a few steps of scoring: cheap, and close enough for the search to be short.

    With D the derivative of the deviance by a factor's relative covariance S and Q the mean over its L levels of
    Z'V^-1 Z (V from this factor alone), S moves by -Q^-1 D Q^-1 / L: Fisher's scoring, exact where the levels are
    alike, with the other factors held. A relative SD is kept above .05, away from the saddle at zero.
    """
    design = passes.design
    theta = np.zeros(design.n_theta)
    for factor, where in zip(design.factors, design.slices, strict=True):
        theta[where] = [1.0 if i == j else 0.0 for i, j in factor.free]
    best, lowest = theta, np.inf
    for step in range(steps + 1):
        value = passes.value(theta)
        if value >= lowest:
            break
        best, lowest = theta, value
        if step < steps:
            theta = _scored(design, passes.at(theta), theta, passes.reml)
    return best


def _scored(design: GaussianDesign, state: Elimination, theta: Floats, reml: bool) -> Floats:
    """Return theta after one step of scoring."""
    out = theta.copy()
    for factor, where, slope in zip(
        design.factors, design.slices, factor_slopes(state, design, reml=reml), strict=True
    ):
        relative = relative_factor(factor, theta[where])
        covariance = relative @ relative.T
        derivative, determinant = (
            np.linalg.solve(relative.T, part.T) / (2.0 * factor.n_levels) for part in (slope.whole, slope.determinant)
        )
        information = (determinant + determinant.T) / 2
        information += 1e-3 * np.linalg.inv(covariance + 1e-6 * np.trace(covariance) * np.eye(factor.q))
        step = np.linalg.solve(information, np.linalg.solve(information, (derivative + derivative.T) / 2).T)
        out[where] = _floored_root(factor, covariance - (step + step.T) / 2)
    return out


def floored(design: GaussianDesign, theta: Floats) -> Floats:
    """Return theta with every relative SD at least .05, away from the saddle at zero."""
    out = theta.copy()
    for factor, where in zip(design.factors, design.slices, strict=True):
        relative = relative_factor(factor, theta[where])
        out[where] = _floored_root(factor, relative @ relative.T)
    return out


def _floored_root(factor: Factor, covariance: Floats) -> list[float]:
    """Return the free entries of the Cholesky factor of a covariance whose eigenvalues are raised to .05 squared."""
    allowed = np.eye(factor.q, dtype=bool)
    for i, j in factor.free:
        allowed[i, j] = allowed[j, i] = True
    values, vectors = np.linalg.eigh(np.where(allowed, covariance, 0.0))
    raised = (vectors * np.maximum(values, 0.05**2)) @ vectors.T
    lower = np.linalg.cholesky(np.where(allowed, raised, 0.0))
    return [float(lower[i, j]) for i, j in factor.free]


def positive_diagonals(design: GaussianDesign, theta: Floats) -> Floats:
    """Flip the sign of columns whose diagonal is negative, theta (..., k); the covariance stays the same."""
    out = theta.copy()
    for factor, where in zip(design.factors, design.slices, strict=True):
        part = theta[..., where]
        diagonal = {j: part[..., place] for place, (i, j) in enumerate(factor.free) if i == j}
        out[..., where] = np.stack(
            [part[..., k] * np.where(diagonal[j] < 0, -1.0, 1.0) for k, (_, j) in enumerate(factor.free)], axis=-1
        )
    return out


def _snap(passes: _Passes, theta: Floats, value: float) -> tuple[Floats, tuple[bool, ...]]:
    """Put a relative variance that is zero for every practical purpose at zero exactly, where that costs nothing.

    "Nothing" is a rise of the deviance below 1e-7: the optimum lies on the boundary and the search came close to it.
    """
    design = passes.design
    singular = []
    for factor, where in zip(design.factors, design.slices, strict=True):
        zero, flat = flattened(factor, theta[where])
        if flat is not None:
            trial = theta.copy()
            trial[where] = flat
            if passes.value(trial) <= value + 1e-7:
                theta, zero = trial, True
        singular.append(zero)
    return theta, tuple(singular)


def flattened(factor: Factor, part: Floats) -> tuple[bool, list[float] | None]:
    """Return whether a factor's covariance has lost rank, and its theta with SDs near zero at zero; None if none is."""
    left, sizes, right = np.linalg.svd(relative_factor(factor, part))
    zero = bool((sizes < SINGULAR).any())
    if not (sizes < NEAR_ZERO).any():
        return zero, None
    return zero, lower_factor((left * np.where(sizes < NEAR_ZERO, 0.0, sizes)) @ right, factor.free)


def lower_factor(factor: Floats, free: tuple[tuple[int, int], ...]) -> list[float] | None:
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
