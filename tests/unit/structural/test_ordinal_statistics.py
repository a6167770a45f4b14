"""Thresholds, polychoric and polyserial correlations, and the scores that their covariance matrix is made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from alliancekit.core.errors import FitError
from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf
from alliancekit.structural.ordinal.roots import find_roots
from alliancekit.structural.ordinal.rows import fit_pair
from alliancekit.structural.ordinal.statistics import compute_statistics, pairs_of
from alliancekit.structural.ordinal.tables import cross_tables, fit_tables
from alliancekit.structural.ordinal.univariate import fit_margins

SIZES = np.array([2, 3, 4, 0])
NAMES = ("a", "b", "c", "y")
STEP = 1e-5


def draw(n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of three ordinal variables and a number, and two covariates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    factor = 0.4 * x[:, 0] + rng.normal(size=n)
    latent = 0.7 * factor[:, None] + 0.6 * rng.normal(size=(n, 4))
    cuts: tuple[list[float], ...] = ([0.2], [-0.5, 0.8], [-0.9, 0.1, 1.0])
    codes = [np.searchsorted(np.array(c), latent[:, i]).astype(float) for i, c in enumerate(cuts)]
    return np.column_stack([*codes, 3.0 + 2.0 * latent[:, 3]]), x


def likelihood_of_table(counts: np.ndarray, a: np.ndarray, b: np.ndarray, rho: float) -> float:
    p = np.diff(np.diff(bivariate_normal_cdf(a[:, None], b[None, :], np.array(rho)), axis=0), axis=1)
    return float((counts * np.log(p)).sum())


def test_thresholds_are_quantiles_of_the_shares() -> None:
    rows, _ = draw()
    found = fit_margins(NAMES, rows, SIZES, np.zeros((len(rows), 0)))
    shares = np.cumsum(np.bincount(rows[:, 2].astype(int))) / len(rows)
    assert found.limits[2, 1:4] == pytest.approx(ndtri(shares[:-1]), abs=1e-14)
    assert found.location[3] == pytest.approx(rows[:, 3].mean())
    assert found.variances[3] == pytest.approx(rows[:, 3].var())


@pytest.mark.parametrize("covariates", [0, 2])
@pytest.mark.parametrize("gaps", [False, True])
def test_first_step_is_at_its_maximum(covariates: int, gaps: bool) -> None:
    rows, x = draw()
    if gaps:
        rows[::7, 1] = np.nan
        rows[3::9, 3] = np.nan
    found = fit_margins(NAMES, rows, SIZES, x[:, :covariates])
    errors = found.scores.sum(axis=0) / np.sqrt((found.scores**2).sum(axis=0))  # the gradient, in standard errors
    assert np.abs(errors).max() < 1e-6
    assert (found.scores[np.isnan(rows[:, 1])][:, found.own(1)] == 0).all()


def test_scores_of_the_ordered_probit_are_derivatives() -> None:
    rows, x = draw(200)
    found = fit_margins(NAMES, rows, SIZES, x)
    code = rows[:, 2].astype(int)
    own = np.concatenate([found.limits[2, 1:4], found.slopes[2]])

    def log_probability(theta: np.ndarray) -> np.ndarray:
        limits = np.concatenate([[-np.inf], theta[:3], [np.inf]])
        shift = x @ theta[3:]
        return np.log(ndtr(limits[code + 1] - shift) - ndtr(limits[code] - shift))

    for k, column in enumerate(found.own(2)):
        step = STEP * np.eye(len(own))[k]
        slope = (log_probability(own + step) - log_probability(own - step)) / (2 * STEP)
        assert found.scores[:, column] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("kind", ["all rows", "some rows", "constant", "collinear"])
def test_a_covariate_without_a_finite_slope_is_named(kind: str) -> None:
    rows, x = draw(300)
    high = rows[:, 0] > 0
    x[:, 0] = {
        "all rows": np.where(high, 1.0, -1.0) + 0.001 * x[:, 1],
        "some rows": (high & (np.arange(300) % 3 == 0)).astype(float),
        "constant": np.full(300, 3.0),
        "collinear": 2.0 * x[:, 1],
    }[kind]
    with pytest.raises(FitError, match="regression of 'a' on the covariates has no solution"):
        compute_statistics(NAMES, rows, SIZES, x)


@pytest.mark.parametrize("r2", [0.5, 0.99, 0.999])
def test_a_large_slope_is_no_missing_one(r2: float) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3000, 1))
    latent = np.sqrt(r2) * x[:, 0] + np.sqrt(1 - r2) * rng.normal(size=3000)
    found = fit_margins(("a",), (latent > 0.3).astype(float)[:, None], np.array([2]), x)
    assert found.slopes[0, 0] == pytest.approx(np.sqrt(r2 / (1 - r2)), rel=0.2)


@pytest.mark.parametrize("true", [-0.9, -0.3, 0.0, 0.5, 0.95])
def test_no_polychoric_correlation_nearby_is_likelier(true: float) -> None:
    rng = np.random.default_rng(6)
    y = rng.multivariate_normal([0, 0], [[1, true], [true, 1]], 500)
    codes = np.column_stack([np.searchsorted([-0.6, 0.5], y[:, 0]), np.searchsorted([-1.0, 0.0, 0.7], y[:, 1])])
    sizes, one, other = np.array([3, 4]), np.array([0]), np.array([1])
    limits = fit_margins(("a", "b"), codes.astype(float), sizes, np.zeros((500, 0))).limits
    counts = cross_tables(codes, 4, one, other)
    assert counts.sum() == 500
    found = float(fit_tables(counts, limits, sizes, one, other).rho[0])
    assert found == pytest.approx(true, abs=0.1)
    own = counts[0, :3]
    best = likelihood_of_table(own, limits[0, :4], limits[1], found)
    for step in (-1e-4, 1e-4):
        assert best > likelihood_of_table(own, limits[0, :4], limits[1], found + step)


def test_pairs_at_once_are_those_one_by_one() -> None:
    rows, _ = draw()
    whole = compute_statistics(NAMES, rows, SIZES)
    for i, j in zip(*pairs_of(4), strict=True):
        alone = compute_statistics((NAMES[i], NAMES[j]), rows[:, [i, j]], SIZES[[i, j]])
        assert alone.correlation[0, 1] == pytest.approx(whole.correlation[i, j], abs=1e-10)


def test_tables_and_rows_give_the_same_correlation_and_scores() -> None:
    rows, _ = draw()
    margins = fit_margins(NAMES, rows, SIZES, np.zeros((len(rows), 0)))
    one, other = np.array([0, 0, 1]), np.array([1, 2, 2])
    tables = fit_tables(cross_tables(margins.codes, 4, one, other), margins.limits, SIZES, one, other)
    for t, (i, j) in enumerate(zip(one, other, strict=True)):
        pair = fit_pair(margins, int(i), int(j))
        assert pair.rho == pytest.approx(tables.rho[t], abs=1e-9)
        cell = tables.score[t, margins.codes[:, i], margins.codes[:, j]]
        assert pair.score == pytest.approx(cell, abs=1e-7)
        assert float(pair.score @ pair.score) == pytest.approx(tables.squares[t], rel=1e-8)
        width = SIZES[i] - 1
        assert pair.score @ pair.first == pytest.approx(tables.first[t, :width], rel=1e-6, abs=1e-7)


def test_the_empty_cell_of_a_table_of_two_by_two_gets_half_a_row() -> None:
    counts = np.array([[[8.0, 38.0], [0.0, 14.0]]])
    shares = counts[0].sum(axis=1)[0] / 60, counts[0].sum(axis=0)[0] / 60
    limits = np.array([[-np.inf, ndtri(share), np.inf] for share in shares])
    sizes, one, other = np.array([2, 2]), np.array([0]), np.array([1])
    found = fit_tables(counts, limits, sizes, one, other)
    assert found.empty.all()
    filled = np.array([[7.5, 38.5], [0.5, 13.5]])
    assert (filled.sum(axis=0) == counts[0].sum(axis=0)).all() and (filled.sum(axis=1) == counts[0].sum(axis=1)).all()
    rho = float(found.rho[0])
    best = likelihood_of_table(filled, limits[0], limits[1], rho)
    for step in (-1e-4, 1e-4):
        assert best > likelihood_of_table(filled, limits[0], limits[1], rho + step)


def test_polyserial_scores_are_derivatives() -> None:
    rows, _ = draw(200)
    margins = fit_margins(NAMES, rows, SIZES, np.zeros((200, 0)))
    pair = fit_pair(margins, 2, 3)
    y, code = rows[:, 3], rows[:, 2].astype(int)
    own = np.concatenate([margins.limits[2, 1:4], [margins.location[3], margins.variances[3], pair.rho]])

    def log_likelihood(theta: np.ndarray) -> np.ndarray:
        limits = np.concatenate([[-np.inf], theta[:3], [np.inf]])
        mean, variance, rho = theta[3:]
        z = (y - mean) / np.sqrt(variance)
        root = np.sqrt(1 - rho**2)
        inside = ndtr((limits[code + 1] - rho * z) / root) - ndtr((limits[code] - rho * z) / root)
        return -0.5 * z * z - 0.5 * np.log(variance) + np.log(inside)

    scores = np.column_stack([pair.first, pair.second, pair.score])
    for k in range(len(own)):
        step = STEP * np.eye(len(own))[k]
        slope = (log_likelihood(own + step) - log_likelihood(own - step)) / (2 * STEP)
        assert scores[:, k] == pytest.approx(slope, abs=1e-6)
    assert float(pair.score.sum()) == pytest.approx(0.0, abs=1e-6)


def test_numbers_alone_have_the_moments_of_normal_theory_without_assuming_it() -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(300, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    found = compute_statistics(("y", "z"), rows, np.zeros(2, dtype=int))
    assert found.covariance == pytest.approx(np.cov(rows.T, bias=True), abs=1e-10)
    assert found.vector[:2] == pytest.approx(-rows.mean(axis=0))


def test_covariances_of_the_statistics_are_those_of_repeated_samples() -> None:
    draws, n = [], 400
    for seed in range(300):
        rows, _ = draw(n, seed)
        draws.append(compute_statistics(NAMES, rows, SIZES).vector)
    observed = np.cov(np.array(draws).T) * n
    expected = np.mean([compute_statistics(NAMES, draw(n, seed)[0], SIZES).gamma for seed in range(20)], axis=0)
    sd = np.sqrt(expected.diagonal())
    assert np.sqrt(observed.diagonal()) / sd == pytest.approx(np.ones(len(sd)), abs=0.15)
    assert (observed - expected) / np.outer(sd, sd) == pytest.approx(np.zeros(observed.shape), abs=0.25)


def test_gamma_does_not_depend_on_the_order_of_variables() -> None:
    rows, x = draw()
    order = np.array([3, 1, 0, 2])
    first = compute_statistics(NAMES, rows, SIZES, x)
    second = compute_statistics(tuple(NAMES[i] for i in order), rows[:, order], SIZES[order], x)
    assert second.correlation == pytest.approx(first.correlation[np.ix_(order, order)], abs=1e-9)
    assert np.linalg.eigvalsh(second.gamma)[0] > 0
    assert np.sort(second.gamma.diagonal()) == pytest.approx(np.sort(first.gamma.diagonal()), rel=1e-7)


def test_roots_stay_within_their_bounds() -> None:
    def line(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([0.3, 5.0]) - at, -np.ones(2)

    found, _ = find_roots(line, np.array([0.0, 0.9]), 0.99)
    assert found[0] == pytest.approx(0.3) and found[1] == pytest.approx(0.99, abs=1e-4)
