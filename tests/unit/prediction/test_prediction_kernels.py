"""The batched kernels against the same models fitted to the rows of each resample."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from alliancekit.prediction.crossvalidation import cross_validated_r2
from alliancekit.prediction.increments import Plan, least_squares, marginal_r2, random_intercept
from alliancekit.prediction.moments import cluster_moments
from alliancekit.prediction.resampling import Draws, interval, resample_clusters

PLAN = Plan(((1,), (4,), (2, 3)), focus=4)


@pytest.fixture(scope="module")
def arrays(make_data: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    df = make_data(90, 12, seed=3)
    codes = np.unique(df["therapist"], return_inverse=True)[1].astype(np.intp)
    return df[["severity", "bond", "goal", "task"]].to_numpy(), df["pcl"].to_numpy(), codes


def rows_of(weights: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a resample, and clusters numbered anew so that one drawn twice is two."""
    rows, labels, count = [], [], 0
    for cluster, times in enumerate(weights.astype(int)):
        members = np.flatnonzero(codes == cluster)
        for _ in range(times):
            rows.extend(members)
            labels.extend([count] * len(members))
            count += 1
    return np.array(rows), np.array(labels)


def r_squared(X: np.ndarray, y: np.ndarray, columns: tuple[int, ...]) -> float:
    A = np.column_stack([np.ones(len(y)), X[:, [j - 1 for j in columns]]])
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    return 1.0 - residual @ residual / ((y - y.mean()) @ (y - y.mean()))


def dense_marginal_r2(X: np.ndarray, y: np.ndarray, codes: np.ndarray, columns: tuple[int, ...]) -> float:
    """The random-intercept model by ML with the full covariance matrix, theta by bounded search."""
    A = np.column_stack([np.ones(len(y)), X[:, [j - 1 for j in columns]]])
    same = (codes[:, None] == codes[None, :]).astype(float)

    def solve(theta: float) -> tuple[float, np.ndarray, float]:
        V = np.eye(len(y)) + theta * same
        inverse = np.linalg.inv(V)
        beta = np.linalg.solve(A.T @ inverse @ A, A.T @ inverse @ y)
        residual = y - A @ beta
        sigma2 = residual @ inverse @ residual / len(y)
        return len(y) * np.log(sigma2) + np.linalg.slogdet(V)[1], beta, sigma2

    best = minimize_scalar(lambda t: solve(t)[0], bounds=(0.0, 3.0), method="bounded", options={"xatol": 1e-9})
    theta = best.x if best.fun < solve(0.0)[0] else 0.0
    _, beta, sigma2 = solve(theta)
    fixed = np.var(A @ beta, ddof=1)
    return fixed / (fixed + sigma2 * (1.0 + theta))


def test_least_squares_equals_a_fit_to_the_rows_of_each_resample(arrays: Any) -> None:
    X, y, codes = arrays
    moments = cluster_moments(X, y, codes)
    weights = np.random.default_rng(1).multinomial(12, [1 / 12] * 12, size=6).astype(float)
    found = least_squares(moments, PLAN, weights)
    for b, w in enumerate(weights):
        rows, _ = rows_of(w, codes)
        Xb, yb = X[rows], y[rows]
        r2 = [r_squared(Xb, yb, c) for c in ((1,), (1, 4), (1, 4, 2, 3))]
        expected = [*r2, r2[0], r2[1] - r2[0], r2[2] - r2[1], r2[1] - r2[0], r2[2] - r_squared(Xb, yb, (1, 2, 3))]
        np.testing.assert_allclose(found[b, :8], expected, atol=1e-10)


def test_slopes_are_those_of_the_standardised_regression(arrays: Any) -> None:
    X, y, codes = arrays
    Z, z = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1), (y - y.mean()) / y.std(ddof=1)
    found = least_squares(cluster_moments(X, y, codes), PLAN, np.ones((1, 12)))[0]
    base = np.linalg.lstsq(np.column_stack([np.ones(len(z)), Z[:, [0, 3]]]), z, rcond=None)[0][-1]
    full = np.linalg.lstsq(np.column_stack([np.ones(len(z)), Z]), z, rcond=None)[0][-1]
    np.testing.assert_allclose(found[-3:], [base, full, base - full], atol=1e-12)


def test_random_intercept_equals_dense_maximum_likelihood(arrays: Any) -> None:
    X, y, codes = arrays
    moments = cluster_moments(X, y, codes)
    weights = np.random.default_rng(2).multinomial(12, [1 / 12] * 12, size=4).astype(float)
    found = random_intercept(moments, PLAN, weights)
    for b, w in enumerate(weights):
        rows, labels = rows_of(w, codes)
        for position, columns in enumerate(((1,), (1, 4), (1, 4, 2, 3))):
            assert found[b, position] == pytest.approx(dense_marginal_r2(X[rows], y[rows], labels, columns), abs=2e-6)


def test_random_intercept_without_variance_is_least_squares(arrays: Any) -> None:
    X, y, codes = arrays
    # Residuals sum to zero within each cluster: the ML variance is zero, the slopes are those of least squares.
    dummies = (codes[:, None] == np.arange(12)).astype(float)
    y0 = y - dummies @ np.linalg.lstsq(dummies, y, rcond=None)[0]
    X0 = X - dummies @ np.linalg.lstsq(dummies, X, rcond=None)[0]
    moments = cluster_moments(X0, y0, codes)
    r2, slope = marginal_r2(moments, np.ones((1, 12)), (1, 2, 3, 4))
    R2 = r_squared(X0, y0, (1, 2, 3, 4))
    n = len(y)
    assert r2[0] == pytest.approx(R2 / (R2 + (1 - R2) * (n - 1) / n), abs=1e-10)
    assert slope[0] == pytest.approx(least_squares(moments, PLAN, np.ones((1, 12)))[0, -2], abs=1e-10)


def test_a_predictor_that_is_constant_in_a_resample_adds_nothing(arrays: Any) -> None:
    X, y, codes = arrays
    X = X.copy()
    X[:, 3] = (codes == 0).astype(float)
    weights = np.ones((1, 12))
    weights[0, 0] = 0.0
    found = dict(zip(PLAN.statistics, least_squares(cluster_moments(X, y, codes), PLAN, weights)[0], strict=True))
    assert found["delta_r2_base"] == 0.0
    assert np.isnan(found["slope_base"])
    mixed = random_intercept(cluster_moments(X, y, codes), PLAN, weights)
    assert np.isfinite(mixed[0, :3]).all()


@pytest.mark.option("incremental_validity(executor)", "unit")
def test_draws_do_not_depend_on_the_executor(arrays: Any) -> None:
    X, y, codes = arrays
    statistic = partial(least_squares, cluster_moments(X, y, codes), PLAN)
    serial = resample_clusters(statistic, 12, resamples=1100, seed=4)
    parallel = resample_clusters(statistic, 12, resamples=1100, seed=4, executor="joblib")
    np.testing.assert_array_equal(serial.resampled, parallel.resampled)
    assert serial.resampled.shape == (1100, len(PLAN.statistics))
    assert not np.array_equal(serial.resampled[:500], serial.resampled[500:1000])


def test_jackknife_leaves_out_each_cluster(arrays: Any) -> None:
    X, y, codes = arrays
    draws = resample_clusters(partial(least_squares, cluster_moments(X, y, codes), PLAN), 12, resamples=0, seed=1)
    keep = codes != 5
    assert draws.jackknifed[5, 0] == pytest.approx(r_squared(X[keep], y[keep], (1,)), abs=1e-12)
    assert interval(draws, 0, 0.95)[2] == "none"


def test_bca_interval_by_hand() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    jackknifed = np.array([1.0, 1.0, 1.0, 4.0])
    draws = Draws(np.array([3.5]), values[:, None], jackknifed[:, None])
    from scipy.stats import norm

    z0 = norm.ppf(0.4)
    d = jackknifed.mean() - jackknifed
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    tails = [norm.cdf(z0 + (z0 + norm.ppf(q)) / (1 - a * (z0 + norm.ppf(q)))) for q in (0.05, 0.95)]
    low, high, method = interval(draws, 0, 0.90)
    assert method == "bca"
    np.testing.assert_allclose([low, high], np.quantile(values, tails), rtol=1e-12)


def test_percentile_where_bca_does_not_exist() -> None:
    values = np.linspace(1.0, 2.0, 101)
    draws = Draws(np.array([0.0]), values[:, None], np.array([[0.0], [1.0]]))
    low, high, method = interval(draws, 0, 0.90)
    assert method == "percentile"
    assert (low, high) == pytest.approx((1.05, 1.95))


@pytest.mark.option("incremental_validity(folds)", "unit")
def test_cross_validation_equals_a_loop_over_folds(arrays: Any) -> None:
    X, y, codes = arrays
    found = cross_validated_r2(cluster_moments(X, y, codes), PLAN, folds=4, seed=9)
    rng = np.random.default_rng(9)
    assigned = (rng.permutation(12) % 4)[codes]
    for position, columns in enumerate(((1,), (1, 4), (1, 4, 2, 3))):
        A = np.column_stack([np.ones(len(y)), X[:, [j - 1 for j in columns]]])
        errors = total = 0.0
        for fold in range(4):
            test, train = assigned == fold, assigned != fold
            beta = np.linalg.lstsq(A[train], y[train], rcond=None)[0]
            errors += ((y[test] - A[test] @ beta) ** 2).sum()
            total += ((y[test] - y[train].mean()) ** 2).sum()
        assert found[0, position] == pytest.approx(1 - errors / total, abs=1e-10)


def test_folds_never_split_a_therapist_and_are_at_most_their_number(arrays: Any) -> None:
    X, y, codes = arrays
    moments = cluster_moments(X, y, codes)
    # With as many folds as clusters every repeat is the same leave-one-cluster-out.
    found = cross_validated_r2(moments, PLAN, folds=50, seed=1)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), rtol=1e-12)
