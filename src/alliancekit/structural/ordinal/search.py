"""Weighted least squares of statistics of ordinal and mixed variables: Gauss-Newton steps within linear constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.constraints import Linear
from alliancekit.structural.continuous.limited import minimise_within
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.ordinal.structure import Structure, evaluate, renumber
from alliancekit.structural.scoring import Criterion, Curvature, search_by_scoring

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

ENOUGH = 1e-13
"""A step that would lower the criterion by less than this times (1 + criterion) ends the search."""


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """What is fitted, of one group: statistics (m,), weights (m, m) or, if diagonal, (m,), and the group's share."""

    observed: Floats
    weight: Floats
    share: float

    def weigh(self, values: Floats) -> Floats:
        """Return the weights times values (m,) or (m, k)."""
        if self.weight.ndim == 2:
            return np.asarray(self.weight @ values)
        return self.weight * values if values.ndim == 1 else self.weight[:, None] * values


@dataclass(frozen=True, eq=False, slots=True)
class Optimum:
    """Where the search ended: parameters, criterion, iterations, convergence."""

    x: Floats
    value: float
    iterations: int
    converged: bool


@dataclass(frozen=True, eq=False, slots=True)
class _Point:
    """The criterion at z: value, gradient and Gauss-Newton curvature."""

    z: Floats
    value: float
    gradient: Floats
    curvature: Floats


def search(structures: Sequence[Structure], targets: Sequence[Target], linear: Linear, start: Floats) -> Optimum | None:
    """Return the minimum of the weighted sum of squares; None where the start is not admissible."""
    kept = unthresholded(structures, targets, linear)
    if kept is None:
        return _search(structures, targets, linear, start)
    x = start.copy()
    for structure, target in zip(structures, targets, strict=True):
        x[structure.thresholds.parameters] = target.observed[structure.thresholds.places]
    fixed = [renumber(structure, target.observed, kept) for structure, target in zip(structures, targets, strict=True)]
    few = int(kept.sum())
    found = _search(fixed, targets, Linear(np.zeros(few), np.eye(few)), x[kept])
    if found is None:
        return None
    x[kept] = found.x
    return Optimum(x, found.value, found.iterations, found.converged)


@dataclass(frozen=True, eq=False, slots=True)
class Reached:
    """A minimum within limits; directions (size, k) along which they hold there, and degrees of freedom used."""

    optimum: Optimum
    directions: Floats
    spent: int


def search_limited(
    structures: Sequence[Structure],
    targets: Sequence[Target],
    linear: Linear,
    start: Floats,
    limits: Limits,
    total: int,
) -> Reached | None:
    """Return the minimum within limits; ``total`` : rows, by which the criterion becomes chi-square."""
    plain = search(structures, targets, linear, start)
    if not limits.any:
        return None if plain is None else Reached(plain, linear.basis, linear.basis.shape[1])
    criterion, curvature = _functions(structures, targets, linear, float(total))
    near = linear.reduce(plain.x) if plain is not None and plain.converged else None
    within = minimise_within(limits, criterion, curvature, linear.reduce(start), near)
    found = within.found
    best = Optimum(linear.expand(found.x), found.value / total, found.iterations, found.converged)
    return Reached(best, within.tangent, within.spent)


def unthresholded(structures: Sequence[Structure], targets: Sequence[Target], linear: Linear) -> Booleans | None:
    """Return which parameters are no thresholds, where these are as observed whatever the others are; else None.

    So it is without means and free scales, with weights that are diagonal and thresholds that are free.
    """
    kept = np.ones(len(linear.offset), dtype=np.bool_)
    for structure, target in zip(structures, targets, strict=True):
        block, free = structure.block, structure.thresholds
        plain = not structure.theta and not structure.free_scales.places.size and structure.ordinal.all()
        centred = not block.intercepts.rows.size and not block.m.any() and bool((structure.scales == 1.0).all())
        if not (linear.trivial and plain and centred and target.weight.ndim == 1):
            return None
        if free.places.size != len(structure.owner):
            return None
        kept[free.parameters] = False
    return kept


def _search(
    structures: Sequence[Structure], targets: Sequence[Target], linear: Linear, start: Floats
) -> Optimum | None:
    """Return the minimum by Gauss-Newton steps."""
    point = _look(structures, targets, linear, linear.reduce(start))
    if point is None:
        return None
    for iteration in range(1, 61):
        step = _step(point)
        expected = -float(point.gradient @ step)
        if expected < ENOUGH * (1.0 + point.value):
            return _end(point, linear, iteration, True)
        better = _descend(structures, targets, linear, point, step, expected)
        if better is None:
            break
        point = better
    return _polish(structures, targets, linear, point, 60)


def _look(structures: Sequence[Structure], targets: Sequence[Target], linear: Linear, z: Floats) -> _Point | None:
    x = linear.expand(z)
    value, gradient, curvature = 0.0, np.zeros(x.size), np.zeros((x.size, x.size))
    for structure, target in zip(structures, targets, strict=True):
        at = evaluate(structure, x)
        if at is None:
            return None
        gap = at.vector - target.observed
        value += target.share * float(gap @ target.weigh(gap))
        weighted = target.share * target.weigh(at.jacobian)
        gradient += 2.0 * (gap @ weighted)
        curvature += 2.0 * (at.jacobian.T @ weighted)
    if not np.isfinite(value):
        return None
    if not linear.trivial:
        gradient, curvature = linear.basis.T @ gradient, linear.basis.T @ curvature @ linear.basis
    return _Point(z, value, gradient, curvature)


def _step(point: _Point) -> Floats:
    """Return the Gauss-Newton step; along directions without curvature, none."""
    scale = np.sqrt(np.maximum(point.curvature.diagonal(), 1e-300))
    scaled = point.curvature / np.outer(scale, scale)
    try:
        step = np.linalg.solve(scaled, -point.gradient / scale) / scale
        if np.isfinite(step).all() and float(point.gradient @ step) <= 0 and np.linalg.norm(step * scale) < 1e6:
            return np.asarray(step)
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.pinv(scaled, rcond=1e-10, hermitian=True) @ (-point.gradient / scale) / scale)


def _descend(
    structures: Sequence[Structure],
    targets: Sequence[Target],
    linear: Linear,
    point: _Point,
    step: Floats,
    expected: float,
) -> _Point | None:
    """Return the first point along the step, halved each time, that is lower."""
    size = 1.0
    for _ in range(25):
        there = _look(structures, targets, linear, point.z + size * step)
        if there is not None and there.value <= point.value - 1e-4 * size * expected + 1e-15 * point.value:
            return there
        size /= 2
    return None


def _polish(
    structures: Sequence[Structure], targets: Sequence[Target], linear: Linear, point: _Point, spent: int
) -> Optimum:
    """Go on with a curvature learned from gradients, where Gauss-Newton steps do not get there."""
    criterion, curvature = _functions(structures, targets, linear, 1.0)
    found = search_by_scoring(criterion, curvature, point.z, tolerance=1e-14, max_iterations=500)
    assert found is not None
    last = _look(structures, targets, linear, found.x)
    assert last is not None
    return _end(last, linear, spent + found.iterations, found.converged)


def _functions(
    structures: Sequence[Structure], targets: Sequence[Target], linear: Linear, unit: float
) -> tuple[Criterion, Curvature]:
    """Return the criterion with gradient, and its Gauss-Newton curvature, times ``unit``, as functions of z."""

    def criterion(z: Floats) -> tuple[float, Floats] | None:
        """Value and gradient."""
        found = _look(structures, targets, linear, z)
        return None if found is None else (unit * found.value, unit * found.gradient)

    def curvature(z: Floats) -> Floats:
        """Gauss-Newton curvature."""
        found = _look(structures, targets, linear, z)
        assert found is not None
        return unit * found.curvature

    return criterion, curvature


def _end(point: _Point, linear: Linear, iterations: int, converged: bool) -> Optimum:
    return Optimum(linear.expand(point.z), point.value, iterations, converged)
