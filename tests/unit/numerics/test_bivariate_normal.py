"""The bivariate normal distribution against 30-digit integrals, closed forms and its own derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf, bivariate_normal_density

POINTS = [
    (-1.03, 2.17, -0.999999999, 0.1365015798146115),
    (0.0, 0.0, -0.9999, 0.002250809547404597),
    (2.04, -1.95, -0.99, 0.006133415390289505),
    (8.0, 1.0, -0.95, 0.8413447460685424),
    (0.75, -1.4, -0.85, 0.007033520932917942),
    (-0.25, 1.3, -0.2999, 0.3417880665489422),
    (5.0, -5.0, 0, 2.8665148971007025e-07),
    (1.57, -1.57, 0.2, 0.056897802830037404),
    (1.99, -2.81, 0.3, 0.00247426883196443),
    (0.0, 0.0, 0.3001, 0.29851002625674256),
    (8.0, 1.0, 0.6, 0.8413447460685429),
    (5.0, -5.0, 0.7499, 2.866515718791939e-07),
    (0.97, 3.69, 0.75, 0.8339765581299683),
    (2.52, 1.15, 0.7501, 0.8744679190052272),
    (-0.63, 0.63, 0.9249, 0.26432322629484584),
    (1.34, 1.34, 0.925, 0.884889999278822),
    (8.0, 1.0, 0.97, 0.8413447460685429),
    (-0.88, -0.71, 0.999, 0.1894294345545329),
    (-1.53, -1.53, 0.99999, 0.06278755653324675),
    (-0.72, -2.0, 0.999999999, 0.02275013194817921),
]
"""x, y, correlation, P(X <= x, Y <= y) by adaptive quadrature with 30 digits."""
CORRELATIONS = (-1.0, -0.9999, -0.93, -0.92, -0.75, -0.3, 0.0, 0.29, 0.31, 0.74, 0.76, 0.924, 0.926, 0.99999, 1.0)


@pytest.mark.parametrize(("x", "y", "rho", "expected"), POINTS)
def test_points_with_thirty_digits(x: float, y: float, rho: float, expected: float) -> None:
    assert float(bivariate_normal_cdf(np.array(x), np.array(y), np.array(rho))) == pytest.approx(expected, abs=1e-14)


def test_probability_of_a_quadrant_is_known() -> None:
    rho = np.array(CORRELATIONS)
    zero = np.zeros(rho.shape)
    assert bivariate_normal_cdf(zero, zero, rho) == pytest.approx(0.25 + np.arcsin(rho) / (2 * np.pi), abs=1e-14)


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_what_holds_for_every_correlation(rho: float) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 200)) * 2
    r = np.array(rho)
    found = bivariate_normal_cdf(x, y, r)
    assert found == pytest.approx(bivariate_normal_cdf(y, x, r), abs=1e-14)
    assert found + bivariate_normal_cdf(x, -y, -r) == pytest.approx(ndtr(x), abs=1e-14)
    assert bivariate_normal_cdf(-x, -y, r) == pytest.approx(1 - ndtr(x) - ndtr(y) + found, abs=1e-14)
    assert (found >= np.maximum(ndtr(x) + ndtr(y) - 1, 0) - 1e-14).all()
    assert (found <= np.minimum(ndtr(x), ndtr(y)) + 1e-14).all()


def test_infinite_points_leave_the_other_variable() -> None:
    x, far = np.array([-1.3, 0.0, 2.1]), np.array(np.inf)
    for rho in (-0.97, -0.2, 0.5, 0.99):
        r = np.array(rho)
        assert bivariate_normal_cdf(x, far, r) == pytest.approx(ndtr(x), abs=1e-14)
        assert bivariate_normal_cdf(x, -far, r) == pytest.approx(0.0, abs=1e-14)
        assert (bivariate_normal_density(x, far, r) == 0).all()
    assert float(bivariate_normal_cdf(far, far, np.array(0.3))) == pytest.approx(1.0, abs=1e-14)


def test_correlations_of_all_sizes_in_one_array_are_those_one_by_one() -> None:
    rng = np.random.default_rng(2)
    x, y, rho = rng.normal(size=60), rng.normal(size=60), np.tile(np.array(CORRELATIONS), 4)
    alone = [
        float(bivariate_normal_cdf(np.array(a), np.array(b), np.array(r))) for a, b, r in zip(x, y, rho, strict=True)
    ]
    assert bivariate_normal_cdf(x, y, rho) == pytest.approx(np.array(alone), abs=1e-15)
    assert bivariate_normal_cdf(x[:, None], y[None, :], np.array(0.4)).shape == (60, 60)


@pytest.mark.parametrize("rho", [-0.9, -0.4, 0.0, 0.6, 0.95])
def test_derivative_by_the_correlation_is_the_density(rho: float) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 50))
    step = 1e-5
    up, down = (bivariate_normal_cdf(x, y, np.array(rho + s)) for s in (step, -step))
    assert (up - down) / (2 * step) == pytest.approx(bivariate_normal_density(x, y, np.array(rho)), abs=1e-8)
