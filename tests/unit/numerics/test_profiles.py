"""Limits and curves of profiles whose answer is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.numerics.profiles import Profiled, curve, follow, limit, origin

Z = 1.959963984540054


def quadratic(at: float, x: np.ndarray) -> tuple[float, np.ndarray, float]:
    """(at, x) with precision matrix [[2, 1], [1, 3]], around (1, 5): the profile over ``at`` is 5/3 (at - 1)^2."""
    a, b = at - 1.0, x[0] - 5.0
    return 2 * a * a + 2 * a * b + 3 * b * b + 7.0, np.array([2 * a + 6 * b]), 4 * a + 2 * b


def test_limits_of_a_parabola() -> None:
    profiled = Profiled(1.0, np.array([5.0]), quadratic, 0.5)
    reach = Z / np.sqrt(5 / 3)
    for side in (-1, 1):
        found, points = limit(profiled, 7.0, Z, side)
        assert found == pytest.approx(1 + side * reach, rel=1e-8)
        assert len(points) <= 2, "the curvature at the estimate says where the limit of a parabola is"
        assert points[-1].others[0] == pytest.approx(5 - (points[-1].at - 1) / 3, abs=1e-6)


def test_tangent_and_slope_at_the_estimate() -> None:
    start = origin(Profiled(1.0, np.array([5.0]), quadratic, 0.1), 7.0)
    assert start.slope == pytest.approx(np.sqrt(5 / 3), rel=1e-6)
    assert start.tangent is not None and start.tangent[0] == pytest.approx(-1 / 3, rel=1e-6)


def variance(at: float, x: np.ndarray) -> tuple[float, np.ndarray, float]:
    """-2 log-likelihood of a variance exp(at) with 10 degrees of freedom and estimate 1; one idle parameter."""
    return 10 * (at + np.exp(-at)) + x[0] ** 2, 2 * x, 10 * (1 - np.exp(-at))


def test_limits_of_a_skewed_profile() -> None:
    profiled = Profiled(0.0, np.zeros(1), variance, 0.3)
    for side in (-1, 1):
        found, points = limit(profiled, 10.0, Z, side)
        assert variance(found, np.zeros(1))[0] - 10.0 == pytest.approx(Z**2, rel=1e-7)
        assert found * side > 0 and len(points) < 8


def test_a_guess_far_off_still_leads_there() -> None:
    for step in (1e-4, 30.0):
        found, _ = limit(Profiled(0.0, np.zeros(1), variance, step), 10.0, Z, 1)
        assert variance(found, np.zeros(1))[0] - 10.0 == pytest.approx(Z**2, rel=1e-7)


def test_an_end_that_the_profile_does_not_reach() -> None:
    profiled = Profiled(1.0, np.array([5.0]), quadratic, 0.5, lower=0.2, upper=10.0)
    assert limit(profiled, 7.0, Z, -1)[0] == 0.2
    assert limit(profiled, 7.0, Z, 1)[0] == pytest.approx(1 + Z / np.sqrt(5 / 3), rel=1e-8)
    assert limit(Profiled(1.0, np.array([5.0]), quadratic, 0.5, lower=1.0), 7.0, Z, -1) == (1.0, [])


def test_a_profile_that_never_rises_is_without_limit() -> None:
    flat = Profiled(0.0, np.zeros(1), lambda at, x: (float(x @ x), 2 * x, 0.0), 1.0)
    assert limit(flat, 0.0, Z, 1)[0] == np.inf and limit(flat, 0.0, Z, -1)[0] == -np.inf


def test_a_ceiling_below_the_level_leaves_the_whole_space() -> None:
    profiled = Profiled(1.0, np.array([5.0]), quadratic, 0.5, lower=-3.0, upper=4.0, ceiling=8.0)
    assert limit(profiled, 7.0, Z, -1)[0] == -3.0 and limit(profiled, 7.0, Z, 1)[0] == 4.0
    assert limit(profiled, 7.0, 0.5, 1)[0] == pytest.approx(1 + 0.5 / np.sqrt(5 / 3), rel=1e-8)
    assert follow(profiled, 7.0, 3.0, origin(profiled, 7.0)).criterion == 8.0


def test_an_answer_of_another_place_counts_as_the_ceiling() -> None:
    profiled = Profiled(1.0, np.array([5.0]), quadratic, 0.5, ceiling=100.0, valid=lambda x: x[0] > 4.9)
    assert follow(profiled, 7.0, 1.2, origin(profiled, 7.0)).criterion < 8.0
    assert follow(profiled, 7.0, 3.0, origin(profiled, 7.0)).criterion == 100.0


def test_where_the_criterion_cannot_be_had_the_limit_lies_before() -> None:
    def broken(at: float, x: np.ndarray) -> tuple[float, np.ndarray, float]:
        return quadratic(at, x) if at < 2.0 else (np.inf, np.zeros(1), np.nan)

    found, _ = limit(Profiled(1.0, np.array([5.0]), broken, 0.5), 7.0, Z, 1)
    assert found == pytest.approx(2.0, abs=1e-9)


def test_curve_is_in_order_and_evenly_spaced_in_zeta() -> None:
    points = curve(Profiled(0.0, np.zeros(1), variance, 0.3), 10.0, 2.2)
    at, zeta = np.array([p.at for p in points]), np.array([p.zeta for p in points])
    assert (np.diff(at) > 0).all() and (np.diff(zeta) > 0).all()
    assert zeta[0] <= -2.2 and zeta[-1] >= 2.2 and np.diff(zeta).max() < 1.0
    np.testing.assert_allclose(zeta**2, [variance(a, np.zeros(1))[0] - 10 for a in at], atol=1e-9)
