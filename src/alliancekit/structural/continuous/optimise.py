"""The minimum of the discrepancy: Fisher scoring, then quasi-Newton steps, within the linear constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.numerics.optimisers import damped_bfgs, minimise
from alliancekit.structural.constraints import Linear
from alliancekit.structural.continuous.limited import minimise_within
from alliancekit.structural.continuous.objective import (
    Point,
    SampleMoments,
    derivatives,
    evaluate,
    expected_information,
    gradient,
)
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.likelihood.contract import Block
from alliancekit.structural.model import Model

Floats = NDArray[np.float64]
_TOLERANCE, _NEAR = 1e-13, 1e-10
_SCORING, _STEPS = 100, 500
_FIRST, _AGAIN = 2, 12  # steps by the expected information, and every so many; others learn from the gradients


@dataclass(frozen=True, eq=False, slots=True)
class Optimum:
    """Where the search ended.

    information: of one row, by all parameters. tangent, spent: directions (size, k) along which limits hold there, and
    degrees of freedom used; None without limits.
    """

    point: Point
    gradient: Floats
    information: Floats
    iterations: int
    converged: bool
    tangent: Floats | None = None
    spent: int | None = None

    def directions(self, linear: Linear) -> Floats:
        """Return the directions in which the parameters may move."""
        return linear.basis if self.tangent is None else self.tangent


def search(model: Model, samples: Sequence[SampleMoments], linear: Linear, start: Floats) -> Optimum | None:
    """Return the minimum; None where no admissible start is found."""
    z = linear.reduce(start)
    point = evaluate(model, samples, linear.expand(z))
    if point is None:
        return None
    whole, information = derivatives(model, samples, point)
    if not z.size and information is not None:
        return Optimum(point, whole, information, 0, True)
    slope, curvature, last = _pull(linear, whole) / 2.0, _narrow(linear, information), np.inf
    for iteration in range(1, _SCORING + 1):
        step = _solve(curvature, slope)
        decrement = float(slope @ step)
        enough = _TOLERANCE + 4e-16 * abs(point.value)
        if decrement < enough:
            known = expected_information(model, samples, point) if information is None else information
            return Optimum(point, whole, known, iteration, True)
        moved = _line_search(model, samples, linear, z, step, point, 2.0 * decrement)
        if moved is None:
            break
        before, old = z, slope
        z, point = moved
        if decrement < _NEAR and decrement * decrement < enough * last:  # the next step would be too small to matter
            whole, information = derivatives(model, samples, point)
            assert information is not None
            return Optimum(point, whole, information, iteration, True)
        again, last = iteration <= _FIRST or iteration % _AGAIN == 0, decrement
        whole, information = derivatives(model, samples, point, information=again)
        slope = _pull(linear, whole) / 2.0
        curvature = _narrow(linear, information) if again else damped_bfgs(curvature, z - before, slope - old)
    return _finish(model, samples, linear, z, iteration)


def search_blocks(
    model: Model, linear: Linear, blocks: Sequence[Block], sizes: Sequence[int], start: Floats
) -> Optimum | None:
    """Return the minimum for means and covariances of blocks of so many rows, as if these were of complete data."""
    total = sum(sizes)
    samples = [
        SampleMoments(block.mu, block.sigma, n / total, float(np.linalg.slogdet(block.sigma)[1]))
        for block, n in zip(blocks, sizes, strict=True)
    ]
    return search(model, samples, linear, start)


def search_limited(
    model: Model,
    samples: Sequence[SampleMoments],
    linear: Linear,
    start: Floats,
    near: Optimum | None,
    limits: Limits,
    total: float,
) -> Optimum | None:
    """Return the minimum within limits, from the one without them or from the start; None if neither is admissible.

    total : rows, by which F becomes chi-square.
    """

    def criterion(z: Floats) -> tuple[float, Floats] | None:
        found = evaluate(model, samples, linear.expand(z))
        if found is None:
            return None
        return total * found.value, total * _pull(linear, gradient(model, samples, found))

    def curvature(z: Floats) -> Floats:
        found = evaluate(model, samples, linear.expand(z))
        assert found is not None
        return 2.0 * total * _narrow(linear, expected_information(model, samples, found))

    free = linear.reduce(near.point.x) if near is not None and near.converged else None
    within = minimise_within(limits, criterion, curvature, linear.reduce(start), free)
    point = evaluate(model, samples, linear.expand(within.found.x))
    if point is None:
        return None
    slope, information = gradient(model, samples, point), expected_information(model, samples, point)
    steps = within.found.iterations + (0 if near is None else near.iterations)
    return Optimum(point, slope, information, steps, within.found.converged, within.tangent, within.spent)


def _narrow(linear: Linear, information: Floats | None) -> Floats:
    """Return the information within the constraints."""
    assert information is not None
    return information if linear.trivial else np.asarray(linear.basis.T @ information @ linear.basis)


def _pull(linear: Linear, slope: Floats) -> Floats:
    return slope if linear.trivial else np.asarray(linear.basis.T @ slope)


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve for a scoring step; directions without information are left alone."""
    diagonal = matrix.diagonal()
    factor, solved, failed = lapack.dposv(matrix, right, lower=1)
    if not failed and (factor.diagonal() ** 2 > 1e-12 * diagonal).all():
        return np.asarray(solved)
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-300))
    scaled = matrix * scale[:, None] * scale
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

    found = minimise(criterion, z, tolerance=1e-13, max_iterations=_STEPS)
    point = evaluate(model, samples, linear.expand(found.x))
    if point is None:
        return None
    slope = gradient(model, samples, point)
    information = expected_information(model, samples, point)
    ended = found.converged and found.iterations < _STEPS  # in a narrow bend steps are short far from the minimum
    return Optimum(point, slope, information, before + found.iterations, ended)
