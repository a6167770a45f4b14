"""Find the parameters: starting values, the search, and the answer at a boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.multilevel.gaussian.optimise import lower_factor
from alliancekit.multilevel.generalised.elimination import NotPositive, Relatives, posterior
from alliancekit.multilevel.generalised.modes import NoMode, find_modes, scale, zero_effects
from alliancekit.multilevel.generalised.objective import Point, Problem, evaluate, relative_factor, take_apart
from alliancekit.numerics.optimisers import Minimum, minimise

Floats = NDArray[np.float64]
SINGULAR = 1e-4  # smallest standard deviation (engine basis) that is not called zero, as in lme4


class Criterion:
    """The criterion as a function of the parameters; each call starts the modes where the last one ended."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.effects = zero_effects(problem.design)
        self.last: Point | None = None

    def point(self, x: Floats) -> Point:
        """Return everything at ``x``; NoMode where there is nothing."""
        try:
            found = evaluate(self.problem, x, self.effects)
        except NoMode:
            found = evaluate(self.problem, x, zero_effects(self.problem.design))
        self.effects, self.last = found.modes.effects, found
        return found

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """Return value and gradient; infinite where there is no mode."""
        try:
            found = self.point(x)
        except (NoMode, NotPositive):
            return np.inf, np.zeros_like(x)
        if not np.isfinite(found.value) or not np.isfinite(found.gradient).all():
            return np.inf, np.zeros_like(x)
        return found.value, found.gradient


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the search ended.

    Attributes
    ----------
    x : parameters in the engine's basis, diagonals of the factors not negative. point : the criterion there.
    search : how the optimiser got there. singular : per factor, whether its covariance has lost rank.
    """

    x: Floats
    point: Point
    search: Minimum
    singular: tuple[bool, ...]


def optimise(problem: Problem, start: Floats | None = None) -> Optimum:
    """Minimise -2 log-likelihood over all parameters together."""
    criterion = Criterion(problem)
    if start is None:
        start = starting_values(problem)
    found = minimise(criterion, start)
    x = positive_diagonals(problem, found.x)
    x, singular = _snap(criterion, x, found.value)
    try:
        return Optimum(x, criterion.point(x), found, singular)
    except NoMode as error:
        raise FitError(
            message(
                "the search for the estimates ended where the likelihood cannot be computed",
                do="Try a simpler model (fewer random effects, another family), or predictors on a smaller scale",
            )
        ) from error


def starting_values(problem: Problem, steps: int = 3) -> Floats:
    """Return a start: a fit without random effects, then EM steps for their covariance.

    Each step sets a factor's covariance to the mean over its levels of b b' + the covariance of b given the outcome.
    """
    design = problem.design
    x = np.zeros(design.n_parameters)
    fixed, theta, dispersion, inflation = design.parts
    if design.inflation is not None:
        x[inflation.start] = -1.0
    if design.dispersion is not None:
        x[dispersion.start] = 1.0
    for factor, where in zip(design.factors, design.slices, strict=True):
        x[theta][where] = [0.5 if i == j else 0.0 for i, j in factor.free]
    x[fixed] = _without_random(problem, x)
    effects = zero_effects(design)
    for _ in range(steps):
        parameters = take_apart(design, x)
        density = problem.conditional.at(parameters.dispersion, parameters.inflation)
        fixed_part = design.offset + design.X @ parameters.beta
        with np.errstate(all="ignore"):
            try:
                modes = find_modes(design, density, parameters.relatives, fixed_part, effects)
            except NoMode:
                break
        effects = modes.effects
        b = scale(parameters.relatives, effects)
        own = posterior(design, modes.elimination).own
        for factor, where, mode, spread in zip(design.factors, design.slices, b, own, strict=True):
            second = mode @ mode.T / mode.shape[1] + spread.mean(axis=2)
            x[theta][where] = _root(second, factor.free)
    return x


def _root(second: Floats, free: tuple[tuple[int, int], ...]) -> list[float]:
    """Return the free entries of the factor of a second moment, its SDs kept above .1, away from the saddle at 0."""
    q = second.shape[0]
    allowed = np.eye(q, dtype=bool)
    for i, j in free:
        allowed[i, j] = allowed[j, i] = True
    second = np.where(allowed, second, 0.0)
    second[np.diag_indices(q)] = np.maximum(np.diag(second), 0.01)
    lower = np.linalg.cholesky(second + 1e-6 * np.trace(second) * np.eye(q))
    return [float(lower[i, j]) for i, j in free]


def _without_random(problem: Problem, x: Floats) -> Floats:
    """Return the fixed effects of the model without random effects, by Newton's method with step halving."""
    design = problem.design
    parameters = take_apart(design, x)
    density = problem.conditional.at(parameters.dispersion, parameters.inflation)
    beta = np.zeros(design.p)
    with np.errstate(all="ignore"):
        value, slope, weight = density.inner(design.offset)
        height = float(value.sum())
        for _ in range(25):
            uphill = design.X.T @ slope
            information = design.X.T @ (design.X * np.abs(weight)[:, None])
            information[np.diag_indices(design.p)] += 1e-8 * max(float(np.trace(information)), 1e-300)
            step = np.linalg.solve(information, uphill)
            step *= min(1.0, 5.0 / max(float(np.abs(step).max(initial=0.0)), 1e-300))
            length = 1.0
            while length > 1e-6:
                value, slope, weight = density.inner(design.offset + design.X @ (beta + length * step))
                if np.isfinite(value.sum()) and float(value.sum()) >= height:
                    break
                length /= 2.0
            else:
                break
            beta = beta + length * step
            gain, height = float(value.sum()) - height, float(value.sum())
            if gain < 1e-4:
                break
    return beta


def positive_diagonals(problem: Problem, x: Floats) -> Floats:
    """Flip the sign of factor columns whose diagonal is negative; the covariance stays the same."""
    out = x.copy()
    theta = out[problem.design.parts[1]]
    for factor, where in zip(problem.design.factors, problem.design.slices, strict=True):
        part = theta[where]
        diagonal = {j: value for value, (i, j) in zip(part, factor.free, strict=True) if i == j}
        theta[where] = [
            value * (-1.0 if diagonal[j] < 0 else 1.0) for value, (_, j) in zip(part, factor.free, strict=True)
        ]
    return out


def _snap(criterion: Criterion, x: Floats, value: float) -> tuple[Floats, tuple[bool, ...]]:
    """Put a variance that is zero for every practical purpose at zero exactly, where that costs nothing.

    "Nothing" is a rise of -2 log-likelihood below 1e-7: the optimum lies on the boundary and the search came close.
    """
    design = criterion.problem.design
    theta = design.parts[1]
    singular = []
    for factor, where in zip(design.factors, design.slices, strict=True):
        relative = relative_factor(factor.free, factor.q, x[theta][where])
        left, sizes, right = np.linalg.svd(relative)
        small = sizes < SINGULAR
        near = (sizes < 0.02) & ~small
        if near.any() or small.any():
            flat = lower_factor((left * np.where(small | near, 0.0, sizes)) @ right, factor.free)
            if flat is not None:
                trial = x.copy()
                trial[theta][where] = flat
                if criterion(trial)[0] <= value + 1e-7:
                    x, small = trial, small | near
        singular.append(bool(small.any()))
    return x, tuple(singular)


def covariance_roots(relatives: Relatives) -> list[Floats]:
    """Return Lambda Lambda' of each factor."""
    return [relative @ relative.T for relative in relatives]
