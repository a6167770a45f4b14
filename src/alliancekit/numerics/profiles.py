"""Profiles of a criterion: how it rises along one parameter when all others follow, and where it has risen enough.

A criterion is -2 log-likelihood, or any deviance whose natural unit is one. For a parameter fixed at c the others are
chosen best; zeta(c) = sign(c - estimate) * sqrt(rise of the criterion) is nearly a straight line, so that Newton's
method on zeta finds c with zeta = +-z in a few steps. Its slope comes for free: by the envelope theorem the derivative
of the profile is the partial derivative at the constrained optimum.

Source: Bates & Watts (1988), Nonlinear Regression Analysis, section 6.1; Venzon & Moolgavkar (1988), Appl Stat 37,
87-94.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliancekit.numerics.optimisers import difference_hessian, minimise, positive_definite

Floats = NDArray[np.float64]
Evaluate = Callable[[float, Floats], tuple[float, Floats, float]]
CLOSE = 1e-4  # |zeta - z| from which one more Newton step is exact for every purpose: what is left is of its square
FARTHEST = 1.0  # most that a parameter is moved ahead along the tangent
LONGEST = 3.0  # longest first step, in units of the step that was expected to be enough


@dataclass(frozen=True, slots=True, eq=False)
class Profiled:
    """One parameter to be held while the others are free.

    Attributes
    ----------
    estimate : where the criterion is least. start : the other parameters there, shape (k,).
    evaluate : (c, others) -> criterion, its gradient by the others, its derivative by c.
    step : distance at which the criterion has risen by about one; a guess, used where the curvature does not say.
    nudge : distance over which derivatives by c are taken. lower, upper : ends of the parameter's space.
    ceiling : value that the criterion can always be brought down to, whatever c (inf where there is none).
    valid : whether an answer of the search belongs to c; one that does not is no minimum, and the ceiling holds.
    """

    estimate: float
    start: Floats
    evaluate: Evaluate
    step: float
    nudge: float = 1e-4
    lower: float = -np.inf
    upper: float = np.inf
    ceiling: float = np.inf
    valid: Callable[[Floats], bool] = field(default=lambda _: True)


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One point of a profile: the parameter, zeta, its slope (nan where unknown), and the search that led there.

    tangent : how the other parameters move with this one, shape (k,), or None.
    """

    at: float
    zeta: float
    slope: float
    criterion: float
    others: Floats
    hessian: Floats | None
    tangent: Floats | None = None


def origin(profiled: Profiled, minimum: float) -> Point:
    """Return the point at the estimate, where every limit is searched from, with the slope of zeta and the tangent.

    Both come from the curvature of the criterion: with the Hessian in blocks, the profile's second derivative is
    H_cc - H_cx H_xx^-1 H_xc and the tangent -H_xx^-1 H_xc.
    """
    at, start = profiled.estimate, profiled.start
    _, gradient, slope = profiled.evaluate(at, start)
    _, moved, moved_slope = profiled.evaluate(at + profiled.nudge, start)
    if not np.isfinite([slope, moved_slope]).all():
        return Point(at, 0.0, np.nan, minimum, start, None)
    raw = difference_hessian(lambda x: profiled.evaluate(at, x)[1], start, 1e-4, gradient)
    hessian = positive_definite(raw, 1e-3)
    mixed = (moved - gradient) / profiled.nudge
    tangent: Floats = np.asarray(-np.linalg.solve(hessian, mixed), dtype=np.float64)
    curvature = (moved_slope - slope) / profiled.nudge + float(mixed @ tangent)
    known = curvature > 0
    return Point(
        at, 0.0, np.sqrt(curvature / 2) if known else np.nan, minimum, start, hessian, tangent if known else None
    )


def follow(profiled: Profiled, minimum: float, at: float, near: Point, before: Point | None = None) -> Point:
    """Return the profile at ``at``, searched from a point nearby; with a second one, from the line through both."""
    start, hessian = near.others, near.hessian
    tangent = near.tangent
    if tangent is None and before is not None and near.at != before.at:
        tangent = (start - before.others) / (near.at - before.at)
    if tangent is not None:
        ahead = (at - near.at) * tangent
        start = start + ahead * min(1.0, FARTHEST / max(float(np.abs(ahead).max(initial=0.0)), FARTHEST))
    if not np.isfinite(profiled.evaluate(at, start)[0]):
        return Point(at, _signed(at - profiled.estimate, np.inf), np.nan, np.inf, near.others, None)
    found = minimise(lambda x: profiled.evaluate(at, x)[:2], start, tolerance=1e-8, hessian=hessian)
    side = at - profiled.estimate
    if found.value > profiled.ceiling or not profiled.valid(found.x):
        value = profiled.ceiling
        return Point(at, _signed(side, np.sqrt(max(value - minimum, 0.0))), np.nan, value, near.others, near.hessian)
    zeta = _signed(side, float(np.sqrt(max(found.value - minimum, 0.0))))
    derivative = profiled.evaluate(at, found.x)[2]
    slope = derivative / (2.0 * zeta) if abs(zeta) > 1e-6 else np.nan
    return Point(at, zeta, slope, found.value, found.x, found.hessian)


def limit(profiled: Profiled, minimum: float, z: float, side: int, most: int = 60) -> tuple[float, list[Point]]:
    """Return where the profile has risen by z^2 on one side of the estimate, and the points looked at on the way.

    Parameters
    ----------
    profiled : the parameter. minimum : least value of the criterion. z : height, above 0. side : -1 or 1.
    most : evaluations after which an end that is not reached counts as infinitely far.

    Returns
    -------
    limit : the end of the parameter's space where the profile does not rise that far inside it.
    points : in the order of the search.
    """
    end = profiled.upper if side > 0 else profiled.lower
    if profiled.ceiling - minimum <= z**2 or (end - profiled.estimate) * side <= 0:
        return end, []
    inner, before, outer = origin(profiled, minimum), None, None
    points: list[Point] = []
    at = _within(profiled.estimate + side * z * _first_step(profiled, inner), end, side)
    for _ in range(most):
        point = follow(profiled, minimum, at, inner, before)
        points.append(point)
        if abs(abs(point.zeta) - z) < CLOSE and point.slope * side * point.zeta > 0:
            return _within(at + (side * z - point.zeta) / point.slope, end, side), points
        if abs(point.zeta) < z:
            if at == end:
                return end, points
            inner, before = point, inner
        else:
            outer = point
        if outer is not None and abs(outer.at - inner.at) <= 1e-12 * max(abs(at), abs(at - profiled.estimate)):
            return inner.at, points
        at = _next(profiled, point, inner, outer, side, z, end)
    return (inner.at if outer is not None else end), points


def _first_step(profiled: Profiled, start: Point) -> float:
    """Return the distance at which zeta should be about one."""
    by_curvature = 1.0 / start.slope if start.slope > 0 else np.inf
    return by_curvature if by_curvature < LONGEST * profiled.step else profiled.step


def _next(
    profiled: Profiled, point: Point, inner: Point, outer: Point | None, side: int, z: float, end: float
) -> float:
    """Return the next place: Newton's, kept between the points that enclose the limit."""
    newton = point.at + (side * z - point.zeta) / point.slope if point.slope > 0 else np.nan
    reach = abs(point.at - profiled.estimate)
    if outer is None:
        if not np.isfinite(newton):
            newton = point.at + side * reach
        ahead = min(max(abs(newton - point.at), 1e-3 * reach), LONGEST * reach)
        return _within(point.at + side * ahead, end, side)
    width = outer.at - inner.at
    share = (newton - inner.at) / width if np.isfinite(newton) else np.nan
    if not 0.0 < share < 1.0:
        return inner.at + width / 2
    return newton


def curve(profiled: Profiled, minimum: float, highest: float, spacing: float = 0.5, most: int = 40) -> list[Point]:
    """Return points of the profile in order of the parameter, about ``spacing`` apart in zeta, to |zeta| = highest."""
    middle = origin(profiled, minimum)
    out = [middle]
    step = _first_step(profiled, middle)
    for side in (-1, 1):
        end = profiled.upper if side > 0 else profiled.lower
        near, before, ahead = middle, None, spacing * step
        found: list[Point] = []
        while len(found) < most and abs(near.zeta) < highest and (end - near.at) * side > 0:
            at = _within(near.at + side * ahead, end, side)
            point = follow(profiled, minimum, at, near, before)
            if not np.isfinite(point.zeta):
                break
            found.append(point)
            gained = abs(point.zeta) - abs(near.zeta)
            ahead = abs(at - near.at) * min(max(spacing / gained if gained > 0 else 2.0, 0.25), 2.0)
            before, near = near, point
        out = found[::-1] + out if side < 0 else out + found
    return out


def _within(at: float, end: float, side: int) -> float:
    return end if (at - end) * side > 0 else at


def _signed(side: float, size: float) -> float:
    return float(-size if side < 0 else size)
