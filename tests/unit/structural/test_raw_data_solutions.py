"""Search, information, sandwich, scaled test and corrected fit of raw-data likelihoods."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.core.errors import FitError
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.fit import (
    Exogenous,
    correct_fits,
    saturate,
    search_incomplete,
    solve_baseline,
)
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.continuous.missing.scores import bartlett_scores, regression_scores
from alliancekit.structural.likelihood.inference import hessian, inverse_information, model_information
from alliancekit.structural.likelihood.solution import Request, Solution, solve
from alliancekit.structural.scoring import search_by_scoring
from tests.unit.structural.one_factor import OneFactor

P = 5
NONE = Exogenous((np.zeros((P, P), dtype=bool),), (np.zeros(P, dtype=bool),))


def draw(n: int = 300, share: float = 0.2, seed: int = 21, heavy: bool = False) -> IncompleteRows:
    """Rows of a one-factor model with holes."""
    rng = np.random.default_rng(seed)
    common = np.sqrt(8 / rng.chisquare(8, (n, 1))) if heavy else np.ones((n, 1))
    values = rng.normal(size=(n, 1)) * np.linspace(1.0, 0.6, P) + 0.7 * rng.normal(size=(n, P))
    values = values * common + np.arange(P)
    values[rng.random(values.shape) < share] = np.nan
    return IncompleteRows((group_patterns(values),))


def fitted(data: IncompleteRows, request: Request) -> tuple[OneFactor, Solution]:
    """The model at its maximum."""
    model = OneFactor(P)
    saturated, _ = saturate(data, NONE)
    start = model.start
    start[2 * P :] = saturated.blocks[0].mu
    found = search_incomplete(data, model, start, None)
    assert found.converged
    return model, solve(data, model, found.x, found.value, saturated, request)


def test_the_search_ends_at_the_maximum_and_the_hessian_is_its_curvature() -> None:
    data = draw()
    model, solution = fitted(data, Request())
    assert solution.df == 5
    assert solution.statistic > 0

    def gradient(x: np.ndarray) -> np.ndarray:
        """Gradient of -log L."""
        found = data.evaluate(model.moments(x))
        assert found is not None
        return model.gradient(x, found[1]) / 2

    step = 1e-5
    moves = np.eye(model.size) * step
    numeric = np.array([(gradient(solution.x + m) - gradient(solution.x - m)) / (2 * step) for m in moves])
    assert np.abs(gradient(solution.x)).max() < 1e-3
    assert np.allclose(hessian(data, model, solution.x), numeric, rtol=1e-5, atol=1e-3)
    assert np.allclose(solution.vcov @ numeric, np.eye(model.size), atol=1e-4)


def test_kinds_of_information_agree_in_a_large_normal_sample() -> None:
    data = draw(n=4000)
    model, solution = fitted(data, Request())
    errors = [
        np.sqrt(inverse_information(model_information(kind, data, model, solution.x, observed=form)).diagonal())
        for kind, form in (("observed", "hessian"), ("observed", "h1"), ("expected", ""), ("first.order", ""))
    ]
    for other in errors[1:]:
        assert np.allclose(other, errors[0], rtol=0.08)


def test_robust_errors_and_scaling_leave_normal_data_alone_and_correct_heavy_tails() -> None:
    request = Request(sandwich=True, test="yuan.bentler.mplus")
    _, plain = fitted(draw(n=4000), request)
    _, heavy = fitted(draw(n=4000, heavy=True), request)
    assert plain.scaling is not None and heavy.scaling is not None
    assert plain.scaling.factor == pytest.approx(1.0, abs=0.1)
    assert heavy.scaling.factor > 1.3
    assert np.allclose(np.sqrt(plain.vcov.diagonal() / plain.bread.diagonal()), 1.0, atol=0.08)
    assert (heavy.vcov.diagonal() > heavy.bread.diagonal())[4:10].all()


def test_corrected_fit_of_complete_data_is_the_usual_one() -> None:
    data = draw(share=0.0)
    saturated, _ = saturate(data, NONE)
    model, solution = fitted(data, Request())
    base_map, base = solve_baseline(data, NONE, saturated, Request())
    own, other = correct_fits(data, saturated, ((model, solution), (base_map, base)), Request())
    assert own.statistic == pytest.approx(solution.statistic, rel=1e-6)
    assert own.factor == pytest.approx(1.0, rel=1e-6)
    assert other.statistic == pytest.approx(base.statistic, rel=1e-8)
    assert other.factor == pytest.approx(1.0, rel=1e-6)
    assert base.df == 10


def test_scores_by_cluster_change_the_standard_errors() -> None:
    data = draw(share=0.1)
    model, solution = fitted(data, Request(sandwich=True))
    clusters = (np.arange(data.n),)
    saturated, _ = saturate(data, NONE, clusters)
    value = -2 * solution.log_likelihood
    alone = solve(data, model, solution.x, value, saturated, Request(sandwich=True))
    assert np.allclose(alone.vcov, solution.vcov * data.n / (data.n - 1))
    saturated, _ = saturate(data, NONE, (np.arange(data.n) // 10,))
    grouped = solve(data, model, solution.x, value, saturated, Request(sandwich=True))
    assert not np.allclose(grouped.vcov, solution.vcov, rtol=0.05)


def test_fixed_exogenous_moments_do_not_count() -> None:
    data = draw(share=0.0)
    fixed = np.array([False, False, False, True, True])
    saturated, _ = saturate(data, Exogenous((np.outer(fixed, fixed),), (fixed,)))
    assert saturated.counted[0].sum() == 20 - 2 - 3
    rows = data.groups[0].rows[:, 3:]
    cov = np.cov(rows.T, bias=True)
    expected = -data.n / 2 * (2 * (np.log(2 * np.pi) + 1) + np.linalg.slogdet(cov)[1])
    assert saturated.outside == pytest.approx(expected, rel=1e-8)


def test_a_start_that_is_not_admissible_is_refused() -> None:
    data = draw()
    model = OneFactor(P)
    with pytest.raises(FitError, match="starting values"):
        search_incomplete(data, model, -model.start, None)


def test_singular_information_gives_no_standard_errors() -> None:
    assert np.isnan(inverse_information(np.ones((2, 2)))).all()
    basis = np.array([[1.0], [1.0]])
    assert np.allclose(inverse_information(np.ones((2, 2)), basis), 0.25)


def test_scores_of_complete_rows_are_the_usual_ones() -> None:
    data = draw(share=0.0)
    _, solution = fitted(data, Request())
    loading = np.append(1.0, solution.x[: P - 1])
    variance, residual = solution.x[P - 1], np.diag(solution.x[P : 2 * P])
    block, patterns = solution.implied[0], data.groups[0]
    centred = patterns.rows - block.mu
    got = regression_scores(patterns, block.sigma, block.mu, variance * loading[None, :], np.zeros(1))
    assert np.allclose(got[:, 0], centred @ np.linalg.solve(block.sigma, loading) * variance)
    weight = np.linalg.solve(residual, loading)
    got = bartlett_scores(patterns, loading[:, None], residual, block.mu, 1)
    assert np.allclose(got[:, 0], centred @ weight / (loading @ weight))


def test_rows_that_do_not_determine_the_factors_have_no_bartlett_score() -> None:
    values = np.random.default_rng(5).normal(size=(30, 4))
    values[0, 2:] = np.nan
    patterns = group_patterns(values)
    loadings = np.array([[1.0, 0.0], [0.8, 0.0], [0.0, 1.0], [0.0, 0.7]])
    got = bartlett_scores(patterns, loadings, np.eye(4), np.zeros(4), loadings.shape[1])
    assert np.isnan(got[0]).all()
    assert np.isfinite(got[1:]).all()
    assert np.isnan(
        bartlett_scores(patterns, loadings, np.diag([1.0, 0.0, 1.0, 1.0]), np.zeros(4), loadings.shape[1])
    ).all()


def test_scoring_leaves_a_region_of_wrong_curvature() -> None:
    def criterion(x: np.ndarray) -> tuple[float, np.ndarray]:
        """Rosenbrock's valley."""
        a, b = x
        return (1 - a) ** 2 + 100 * (b - a * a) ** 2, np.array(
            [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]
        )

    found = search_by_scoring(criterion, lambda x: np.eye(2), np.array([-1.2, 1.0]))
    assert found is not None and found.converged
    assert np.allclose(found.x, 1.0, atol=1e-4)
