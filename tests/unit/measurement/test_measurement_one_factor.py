"""The one-factor model: gradient, optimum, standard errors, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime

import alliancekit as ak
from alliancekit.measurement.omega import omega_total
from alliancekit.measurement.one_factor import (
    discrepancy_and_gradient,
    expected_hessian,
    fit_one_factor,
    minres_loadings,
)


@pytest.fixture(scope="module")
def S(make_items: Any) -> np.ndarray:
    return make_items(250, (0.8, 0.7, 0.6, 0.5, 0.4)).mul([1.0, 3.0, 0.2, 10.0, 1.0]).cov().to_numpy()


def test_gradient_equals_differences(S: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    point = np.concatenate([rng.normal(size=5), rng.uniform(0.5, 2.0, size=5)])

    def value(x: np.ndarray) -> float:
        return discrepancy_and_gradient(x[:5], x[5:], S)[0]

    _, d_loadings, d_psi, _ = discrepancy_and_gradient(point[:5], point[5:], S)
    np.testing.assert_allclose(np.concatenate([d_loadings, d_psi]), approx_fprime(point, value, 1e-7), rtol=2e-4)


def test_expected_hessian_equals_differences_where_the_model_holds() -> None:
    loadings, psi = np.array([0.8, -0.7, 0.6, 0.5]), np.array([0.4, 0.6, 0.5, 0.9])
    sigma = np.outer(loadings, loadings) + np.diag(psi)
    point = np.concatenate([loadings, psi])

    def gradient(x: np.ndarray) -> np.ndarray:
        _, a, b, _ = discrepancy_and_gradient(x[:4], x[4:], sigma)
        return np.concatenate([a, b])

    numeric = np.column_stack([(gradient(point + e) - gradient(point - e)) / 2e-6 for e in 1e-6 * np.eye(8)])
    _, _, _, precision = discrepancy_and_gradient(loadings, psi, sigma)
    np.testing.assert_allclose(expected_hessian(loadings, precision), numeric, rtol=1e-6, atol=1e-7)


def test_optimum(S: np.ndarray) -> None:
    fit = fit_one_factor(S, 250)
    _, d_loadings, d_psi, _ = discrepancy_and_gradient(fit.loadings, fit.uniquenesses, S)
    sd = np.sqrt(np.diag(S))
    assert np.abs(d_loadings * sd).max() < 1e-8
    assert np.abs(d_psi * sd**2).max() < 1e-8
    np.testing.assert_allclose(fit.loadings**2 + fit.uniquenesses, np.diag(S), rtol=1e-8)
    assert (fit.df, fit.boundary) == (5, ())
    assert fit.iterations < 60


def test_units_and_order_do_not_matter(S: np.ndarray) -> None:
    fit = fit_one_factor(S, 250)
    scale, order = np.array([1e3, 1e-3, 5.0, 1.0, 0.1]), np.array([3, 0, 4, 2, 1])
    other = fit_one_factor((S * np.outer(scale, scale))[np.ix_(order, order)], 250)
    np.testing.assert_allclose(other.loadings, (fit.loadings * scale)[order], rtol=1e-7)
    assert other.discrepancy == pytest.approx(fit.discrepancy, abs=1e-12)


def test_a_matrix_that_fits_is_recovered_exactly() -> None:
    loadings, psi = np.array([0.9, 0.5, 0.7]), np.array([1.0, 2.0, 0.3])
    fit = fit_one_factor(np.outer(loadings, loadings) + np.diag(psi), 100)
    np.testing.assert_allclose(fit.loadings, loadings, rtol=1e-8)
    np.testing.assert_allclose(fit.uniquenesses, psi, rtol=1e-7)
    assert fit.df == 0
    assert np.isnan(fit.chisq)
    assert fit.srmr < 1e-9
    omega = omega_total(fit, np.outer(loadings, loadings) + np.diag(psi), 0.95)
    assert omega.estimate == pytest.approx(2.1**2 / (2.1**2 + 3.3), rel=1e-8)
    assert omega.observed == pytest.approx(omega.estimate, rel=1e-8)


def test_minres_of_a_matrix_that_fits() -> None:
    loadings = np.array([0.9, 0.5, -0.3, 0.7])
    R = np.outer(loadings, loadings)
    np.fill_diagonal(R, 1.0)
    np.testing.assert_allclose(minres_loadings(R), loadings, atol=1e-9)


def test_heywood_case_is_named() -> None:
    R = np.array([[1.0, 0.9, 0.8], [0.9, 1.0, 0.5], [0.8, 0.5, 1.0]])
    fit = fit_one_factor(R, 60)
    assert fit.boundary == (0,)
    assert fit.uniquenesses[0] == pytest.approx(0.005, rel=1e-6)


def test_standard_error_of_omega_and_its_coverage(make_items: Any) -> None:
    loadings = np.array([0.8, 0.7, 0.6, 0.5])
    truth = loadings.sum() ** 2 / (loadings.sum() ** 2 + (1 - loadings**2).sum())
    estimates, errors, covered = [], [], 0
    for seed in range(400):
        S = make_items(200, tuple(loadings), seed=1000 + seed).cov().to_numpy()
        omega = omega_total(fit_one_factor(S, 200), S, 0.95)
        estimates.append(omega.estimate)
        errors.append(omega.std_error)
        covered += omega.conf_low < truth < omega.conf_high
    assert np.mean(estimates) == pytest.approx(truth, abs=0.01)
    assert np.mean(errors) == pytest.approx(np.std(estimates, ddof=1), rel=0.15)
    # The exact binomial 99.9% interval of 400 draws at .95.
    assert 364 <= covered <= 393


def test_refusals() -> None:
    with pytest.raises(ak.FitError, match="one factor of 2 items is not identified"):
        fit_one_factor(np.eye(2), 50)
    with pytest.raises(ak.FitError, match="not positive definite"):
        fit_one_factor(np.ones((3, 3)), 50)
