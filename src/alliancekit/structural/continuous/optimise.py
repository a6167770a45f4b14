"""The minimum of the discrepancy by Fisher scoring within the linear constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.numerics.optimisers import minimise
from alliancekit.structural.constraints import Linear
from alliancekit.structural.continuous.objective import (
    Point,
    SampleMoments,
    evaluate,
    expected_information,
    gradient,
)
from alliancekit.structural.model import Model

Floats = NDArray[np.float64]
_TOLERANCE = 1e-14
_SCORING = 60


@dataclass(frozen=True, eq=False, slots=True)
class Optimum:
    """Where the search ended. information: of one row, by all parameters. decrement: what a full step could bring."""

    point: Point
    gradient: Floats
    information: Floats
    iterations: int
    converged: bool
    decrement: float


def search(model: Model, samples: Sequence[SampleMoments], linear: Linear, start: Floats) -> Optimum | None:
    """Return the minimum; None where no admissible start is found."""
    z = linear.reduce(start)
    point = evaluate(model, samples, linear.expand(z))
    if point is None:
        return None
    for iteration in range(1, _SCORING + 1):
        slope = _pull(linear, gradient(model, samples, point))
        information = expected_information(model, samples, point)
        inner = information if linear.trivial else linear.basis.T @ information @ linear.basis
        step = _solve(inner, slope / 2.0)
        decrement = float(slope @ step) / 2.0
        if decrement < _TOLERANCE + 4e-16 * abs(point.value):
            return Optimum(point, gradient(model, samples, point), information, iteration, True, decrement)
        moved = _line_search(model, samples, linear, z, step, point, 2.0 * decrement)
        if moved is None:
            break
        z, point = moved
    return _finish(model, samples, linear, z, iteration)


def _pull(linear: Linear, slope: Floats) -> Floats:
    return slope if linear.trivial else np.asarray(linear.basis.T @ slope)


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve for a scoring step; directions without information are left alone."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale[:, None] * scale
    try:
        lower = np.linalg.cholesky(scaled)
        if np.diag(lower).min() > 1e-6:
            half = np.linalg.inv(lower)
            return np.asarray(scale * (half.T @ (half @ (scale * right))))
    except np.linalg.LinAlgError:
        lower = np.zeros((0, 0))
    values, vectors = np.linalg.eigh(scaled)
    kept = values > 1e-10 * max(float(values[-1]), 1e-300)
    inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
    return np.asarray(scale * (vectors @ (inverse * (vectors.T @ (scale * right)))))


def _line_search(
    model: Model,
    samples: Sequence[SampleMoments],
    linear: Linear,
    z: Floats,
    step: Floats,
    point: Point,
    slope: float,
) -> tuple[Floats, Point] | None:
    length = 1.0
    for _ in range(25):
        trial = z - length * step
        found = evaluate(model, samples, linear.expand(trial))
        if found is not None and found.value <= point.value - 1e-4 * length * slope + 1e-15 * abs(point.value):
            return trial, found
        length /= 2.0 if found is not None else 4.0
    return None


def _finish(model: Model, samples: Sequence[SampleMoments], linear: Linear, z: Floats, before: int) -> Optimum | None:
    """Go on by quasi-Newton steps where scoring made no progress."""
    scale = 0.5 * sum(s.weight * len(s.mean) for s in samples)

    def criterion(u: Floats) -> tuple[float, Floats]:
        found = evaluate(model, samples, linear.expand(u))
        if found is None:
            return np.inf, np.zeros(u.size)
        return found.value / scale, _pull(linear, gradient(model, samples, found)) / scale

    found = minimise(criterion, z, tolerance=1e-13, max_iterations=500)
    point = evaluate(model, samples, linear.expand(found.x))
    if point is None:
        return None
    slope = gradient(model, samples, point)
    information = expected_information(model, samples, point)
    return Optimum(point, slope, information, before + found.iterations, found.converged, found.decrement)
