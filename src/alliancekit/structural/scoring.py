"""Minimise -2 log-likelihood by quasi-Newton steps that begin with the information matrix (Fisher scoring).

The information matrix is the curvature to start from and is taken anew when progress is slow; in between, the curvature
is learned from the gradients (BFGS). Convergence is judged by the Newton decrement, in units of -2 log L, so neither
the scale of the variables nor that of the parameters matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.numerics.optimisers import damped_bfgs

Floats = NDArray[np.float64]
Criterion = Callable[[Floats], tuple[float, Floats] | None]
Curvature = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """Where the search ended: parameters, -2 log-likelihood, its gradient, iterations, evaluations, convergence."""

    x: Floats
    value: float
    gradient: Floats
    iterations: int
    evaluations: int
    converged: bool


def search_by_scoring(
    criterion: Criterion,
    curvature: Curvature,
    start: Floats,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
    refresh: int = 12,
) -> Found | None:
    """Minimise ``criterion`` (value and gradient, None where not admissible); None if ``start`` is not admissible.

    ``curvature`` returns the expected second derivative of the criterion. The search ends where a full step would lower
    the criterion by less than ``tolerance``.
    """
    first = criterion(start)
    if first is None:
        return None
    x, (value, gradient) = start, first
    hessian = _safe(curvature(x))
    evaluations, since, iteration = 1, 0, 0
    while iteration < max_iterations:
        iteration += 1
        step: Floats = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
        slope = float(gradient @ step)
        small = -slope / 2 < tolerance + 2e-16 * abs(value)
        if small and since <= refresh:
            return Found(x, value, gradient, iteration, evaluations, True)
        moved = None if small else _line_search(criterion, x, value, step, slope)
        if moved is None:
            if since == 0:
                return Found(x, value, gradient, iteration, evaluations, -slope / 2 < 1e-6)
            hessian, since = _safe(curvature(x)), 0
            continue
        point, new_value, new_gradient, tried = moved
        evaluations += tried
        since += 1
        if since > refresh:
            hessian, since = _safe(curvature(point)), 0
        else:
            hessian = damped_bfgs(hessian, point - x, new_gradient - gradient)
        x, value, gradient = point, new_value, new_gradient
    return Found(x, value, gradient, iteration, evaluations, False)


def _safe(matrix: Floats) -> Floats:
    """Return a positive definite matrix: itself, or with its eigenvalues (of the scaled matrix) made positive."""
    scale = np.sqrt(np.maximum(np.abs(matrix.diagonal()), 1e-300))
    scaled = matrix / np.outer(scale, scale)
    factor, failed = lapack.dpotrf(scaled, lower=1)
    if not failed and factor.diagonal().min(initial=1.0) > 1e-3:
        return matrix
    values, vectors = np.linalg.eigh(scaled)
    if values.size and values[0] < 1e-10:
        scaled = (vectors * np.maximum(np.abs(values), 1e-6)) @ vectors.T
    return np.asarray(scaled * np.outer(scale, scale))


def _line_search(
    criterion: Criterion, x: Floats, value: float, step: Floats, slope: float
) -> tuple[Floats, float, Floats, int] | None:
    """Return the first point on the way down that lowers the criterion enough; halved or interpolated on the way."""
    size = 1.0
    for tried in range(1, 31):
        point = x + size * step
        found = criterion(point)
        if found is None or not np.isfinite(found[0]):
            size /= 4
            continue
        if found[0] <= value + 1e-4 * size * slope + 1e-14 * abs(value):
            return point, found[0], found[1], tried
        bend = (found[0] - value - size * slope) / size**2
        size = min(max(-slope / (2 * bend), size / 10), size / 2)
    return None
