from __future__ import annotations

import numpy as np
import pytest

from alliancekit.numerics.distributions import chi2_upper, f_upper, t_quantile, t_two_sided
from alliancekit.numerics.many import minimise_many
from alliancekit.numerics.optimisers import difference_hessian, minimise, positive_definite


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    value = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    slope = np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)])
    return value, slope


def test_rosenbrock() -> None:
    found = minimise(rosenbrock, np.array([-1.2, 1.0]))
    assert found.converged
    np.testing.assert_allclose(found.x, [1, 1], atol=1e-5)


def test_leaves_a_saddle() -> None:
    """x^4 - x^2 + y^2 is stationary at the origin, which is no minimum."""

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        return x[0] ** 4 - x[0] ** 2 + x[1] ** 2, np.array([4 * x[0] ** 3 - 2 * x[0], 2 * x[1]])

    found = minimise(function, np.array([0.0, 0.5]))
    assert abs(found.x[0]) == pytest.approx(np.sqrt(0.5), abs=1e-5)
    assert found.value == pytest.approx(-0.25)


def test_no_parameters() -> None:
    found = minimise(lambda x: (3.0, np.zeros(0)), np.zeros(0))
    assert found.converged and found.value == 3.0


def test_budget_is_reported_not_hidden() -> None:
    assert not minimise(rosenbrock, np.array([-1.2, 1.0]), max_iterations=3).converged


def test_hessian_by_central_and_one_sided_differences() -> None:
    at = np.array([0.3, -0.4])
    exact = np.array([[1200 * at[0] ** 2 - 400 * at[1] + 2, -400 * at[0]], [-400 * at[0], 200.0]])

    def slope(x: np.ndarray) -> np.ndarray:
        return rosenbrock(x)[1]

    np.testing.assert_allclose(difference_hessian(slope, at), exact, rtol=1e-6)
    np.testing.assert_allclose(difference_hessian(slope, at, 1e-6, slope(at)), exact, rtol=1e-3)


def test_positive_definite_keeps_good_matrices() -> None:
    good = np.array([[2.0, 0.3], [0.3, 1.0]])
    np.testing.assert_allclose(positive_definite(good), good)
    assert np.linalg.eigvalsh(positive_definite(np.array([[1.0, 2.0], [2.0, 1.0]]))).min() > 0


def test_tail_areas_against_scipy_stats() -> None:
    from scipy import stats

    t, df = np.array([0.0, 1.5, -4.0, 2.0]), np.array([3.2, 10, 57.3, np.inf])
    np.testing.assert_allclose(t_two_sided(t, df)[:3], 2 * stats.t.sf(np.abs(t[:3]), df[:3]), rtol=1e-12)
    assert t_two_sided(2.0, np.inf) == pytest.approx(2 * stats.norm.sf(2.0))
    np.testing.assert_allclose(t_quantile(0.975, df[:3]), stats.t.ppf(0.975, df[:3]), rtol=1e-10)
    assert t_quantile(0.975, np.inf) == pytest.approx(stats.norm.ppf(0.975))
    assert chi2_upper(3.84, 1) == pytest.approx(stats.chi2.sf(3.84, 1))
    assert chi2_upper(0.0, 0) == 1.0
    assert f_upper(2.3, 2, 17.5) == pytest.approx(stats.f.sf(2.3, 2, 17.5))
    assert f_upper(2.3, 2, np.inf) == pytest.approx(stats.chi2.sf(4.6, 2))


def test_many_searches_at_once() -> None:
    """Quartic valleys with their own minima; each equals the single search."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(40, 2))

    def function(points: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gap = points - centres[which]
        value = (gap**2).sum(axis=1) + 3 * gap[:, 0] ** 4 + gap[:, 0] * gap[:, 1]
        slope = 2 * gap + np.stack([12 * gap[:, 0] ** 3 + gap[:, 1], gap[:, 0]], axis=1)
        return value, slope

    found = minimise_many(function, np.zeros((40, 2)), np.eye(2))
    assert found.converged.all()
    np.testing.assert_allclose(found.x, centres, atol=1e-8)
    assert not minimise_many(function, np.zeros((40, 2)), np.eye(2), max_iterations=1).converged.all()


def test_gradients_at_once_for_the_hessian() -> None:
    calls = []

    def gradients(points: np.ndarray) -> np.ndarray:
        calls.append(len(points))
        return np.stack([rosenbrock(point)[1] for point in points])

    found = minimise(rosenbrock, np.array([-1.2, 1.0]), gradients=gradients)
    assert set(calls) == {2} and found.converged
    np.testing.assert_allclose(found.x, [1, 1], atol=1e-8)
