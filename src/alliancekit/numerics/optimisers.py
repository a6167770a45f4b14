"""Quasi-Newton minimisation with an exact gradient and a finite-difference Hessian to start from.

The criteria of the engines are deviances, so their natural unit is one: a change of 1e-9 cannot be seen in any
result. Convergence is judged by the Newton decrement g'H^-1 g / 2, the decrease that a full step could still bring,
and therefore does not depend on the scale of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ValueAndGradient = Callable[[Floats], tuple[float, Floats]]
_CLOSE = 0.1  # fall of the criterion over which its curvature does not change its sign
_REFINED = 1e-18  # decrement at which parameters are right to a billionth of their standard error


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where the optimiser stopped: parameters, value, gradient, Hessian approximation and how it got there."""

    x: Floats
    value: float
    gradient: Floats
    hessian: Floats
    evaluations: int
    iterations: int
    converged: bool
    decrement: float


def difference_hessian(
    gradient: Callable[[Floats], Floats], x: Floats, step: float = 1e-4, here: Floats | None = None
) -> Floats:
    """Return the Hessian at ``x`` from differences of the gradient, symmetrised.

    ``step`` is relative to max(|x_i|, 0.1): parameters are expected on a scale where 1 is ordinary. Differences are
    central; where the gradient ``here`` is handed in they are one-sided, at half the cost.
    """

    def each(points: Floats) -> Floats:
        return np.stack([gradient(point) for point in points])

    return difference_hessian_at_once(each, x, step, here)


def difference_hessian_at_once(
    gradients: Callable[[Floats], Floats], x: Floats, step: float = 1e-4, here: Floats | None = None
) -> Floats:
    """Return the same from a function that takes all points at once, (B, k), and returns their gradients."""
    k = x.size
    if not k:
        return np.zeros((0, 0))
    h = step * np.maximum(np.abs(x), 0.1)
    if here is not None:
        out = (gradients(x + np.diag(h)) - here) / h[:, None]
    else:
        both = gradients(np.concatenate([x + np.diag(h), x - np.diag(h)]))
        out = (both[:k] - both[k:]) / (2 * h[:, None])
    return np.asarray((out + out.T) / 2)


def positive_definite(matrix: Floats, floor: float = 1e-8) -> Floats:
    """Return the matrix with the absolute value of each eigenvalue, none below ``floor`` times the largest."""
    values, vectors = np.linalg.eigh(matrix)
    size = np.abs(values)
    top = size.max() if size.size else 0.0
    size = np.maximum(size, max(floor * top, 1e-300))
    return np.asarray((vectors * size) @ vectors.T)


def minimise(
    function: ValueAndGradient,
    start: Floats,
    *,
    gradients: Callable[[Floats], Floats] | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
    max_step: float = 2.0,
    hessian: Floats | None = None,
) -> Minimum:
    """Minimise a smooth function by BFGS from its true curvature, then confirm and refine the answer.

    Parameters
    ----------
    function : returns value and gradient.
    start : starting values, shape (k,).
    gradients : several gradients at once, (B, k) for points (B, k), where that is cheaper; used for the Hessian.
    tolerance : stop when the Newton decrement is below it (in units of the criterion; rounding is added).
    max_iterations : over both phases.
    max_step : longest step, in parameter units, or relative to a parameter that is larger than one.
    hessian : curvature to begin with, shape (k, k), where a neighbouring search has found it; None takes differences.

    Notes
    -----
    At a stationary point the Hessian is taken by differences. Where it has a direction of negative curvature (a
    saddle, as at a variance of zero reached by symmetry), the search goes on along it. It is not taken again where the
    search began so close that the curvature of the start, clearly positive, is that of the end. The last steps are
    taken on the gradient alone: it is known to more digits than differences of the value.
    """
    counter = _Counter(function, gradients)
    x = np.array(start, dtype=float)
    value, gradient = counter(x)
    if x.size == 0:
        return Minimum(x, value, gradient, np.zeros((0, 0)), 1, 0, True, 0.0)
    known_from = np.inf
    if hessian is None:
        curvature = counter.hessian(x, gradient)
        hessian = positive_definite(curvature, 1e-3)
        if np.allclose(hessian, curvature, rtol=1e-9, atol=0.0):
            known_from = value
    done, decrement = False, np.inf
    iteration = 0
    while iteration < max_iterations:
        iteration += 1
        step: Floats = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
        decrement = float(-gradient @ step / 2)
        noise = 1e-15 * abs(value)
        found = None
        if decrement >= tolerance + noise:
            step = np.asarray(step * min(1.0, max_step / float(np.abs(step / np.maximum(np.abs(x), 1.0)).max())))
            found = _line_search(counter, x, value, gradient, step)
        if found is not None:
            hessian = damped_bfgs(hessian, found[0] - x, found[2] - gradient)
            x, value, gradient = found
            done = False
            continue
        if done or (decrement < 1e-6 and known_from - value <= _CLOSE):
            break
        curvature = counter.hessian(x, gradient)
        escape = _leave_saddle(counter, x, value, curvature)
        known_from = np.inf
        if escape is not None:
            x, value, gradient = escape
            hessian = positive_definite(counter.hessian(x, gradient), 1e-3)
            continue
        hessian = positive_definite(curvature, 1e-8)
        done = True
    if decrement < 1e-6:
        x, value, gradient, decrement = _refine(counter, x, value, gradient, hessian)
    return Minimum(x, value, gradient, hessian, counter.count, iteration, decrement < 1e-6, decrement)


def _refine(
    function: ValueAndGradient, x: Floats, value: float, gradient: Floats, hessian: Floats, steps: int = 3
) -> tuple[Floats, float, Floats, float]:
    """Take the last steps, below what the value can show, as long as the gradient shrinks; add the decrement."""
    step = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
    decrement = float(-gradient @ step / 2)
    for _ in range(steps):
        if decrement < _REFINED:
            break
        trial = x + step
        new_value, new_gradient = function(trial)
        hessian = damped_bfgs(hessian, step, new_gradient - gradient)
        new_step = np.asarray(-np.linalg.solve(hessian, new_gradient), dtype=np.float64)
        new_decrement = float(-new_gradient @ new_step / 2)
        if not new_decrement < decrement / 4:
            break
        x, value, gradient, step, decrement = trial, new_value, new_gradient, new_step, new_decrement
    return x, value, gradient, decrement


class _Counter:
    """A function of value and gradient that counts its calls."""

    def __init__(self, function: ValueAndGradient, gradients: Callable[[Floats], Floats] | None) -> None:
        self.function, self.gradients = function, gradients
        self.count = 0

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        self.count += 1
        return self.function(x)

    def hessian(self, x: Floats, gradient: Floats) -> Floats:
        """Return the Hessian by one-sided differences."""
        if self.gradients is None:
            return difference_hessian(lambda point: self(point)[1], x, 1e-4, gradient)
        self.count += x.size
        return difference_hessian_at_once(self.gradients, x, 1e-4, gradient)


def _leave_saddle(
    function: ValueAndGradient, x: Floats, value: float, curvature: Floats
) -> tuple[Floats, float, Floats] | None:
    """Return a lower point along the direction of most negative curvature, or None where there is none."""
    values, vectors = np.linalg.eigh(curvature)
    if values[0] >= -1e-6 * max(float(np.abs(values).max()), 1e-12):
        return None
    for length in (0.3, 0.1, 0.03, 0.01):
        for sign in (1.0, -1.0):
            trial = x + sign * length * vectors[:, 0]
            new_value, new_gradient = function(trial)
            if new_value < value - 1e-9 - 1e-14 * abs(value):
                return trial, new_value, new_gradient
    return None


def _line_search(
    function: ValueAndGradient, x: Floats, value: float, gradient: Floats, step: Floats
) -> tuple[Floats, float, Floats] | None:
    """Backtrack from the full step until the Armijo condition holds; None where it never does."""
    slope = float(gradient @ step)
    length = 1.0
    for _ in range(30):
        trial = x + length * step
        new_value, new_gradient = function(trial)
        if np.isfinite(new_value) and new_value <= value + 1e-4 * length * slope + 4e-16 * abs(value):
            return trial, new_value, new_gradient
        shorter = length / 2
        if np.isfinite(new_value):
            curvature = new_value - value - length * slope
            if curvature > 0:
                shorter = -slope * length**2 / (2 * curvature)
        length = min(max(shorter, 0.1 * length), 0.5 * length)
    return None


def damped_bfgs(hessian: Floats, moved: Floats, change: Floats) -> Floats:
    """Return the updated Hessian approximation (damped as Powell does, so that it stays positive definite)."""
    push = hessian @ moved
    curvature = float(moved @ push)
    along = float(moved @ change)
    if curvature <= 0:
        return hessian
    if along < 0.2 * curvature:
        damping = 0.8 * curvature / (curvature - along)
        change = damping * change + (1 - damping) * push
        along = float(moved @ change)
    return np.asarray(hessian - push[:, None] * push / curvature + change[:, None] * change / along)
