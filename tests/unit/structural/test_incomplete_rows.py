"""Likelihood, saturated moments, information and scores of incomplete rows."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.core.errors import DesignError
from alliancekit.structural.continuous.missing.baseline import fit_independence
from alliancekit.structural.continuous.missing.data import IncompleteRows, summary_rows
from alliancekit.structural.continuous.missing.information import complete_information, moment_information, row_scores
from alliancekit.structural.continuous.missing.likelihood import evaluate_patterns
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.continuous.missing.saturated import fit_saturated
from alliancekit.structural.duplication import from_half, half_gradient, half_vector, kronecker_sum, triangle
from alliancekit.structural.likelihood.contract import Block


def holes(n: int = 120, p: int = 4, share: float = 0.25, seed: int = 11, centre: float = 0.0) -> np.ndarray:
    """Correlated normal data with values missing at random."""
    rng = np.random.default_rng(seed)
    loading = rng.uniform(0.5, 1.0, p)
    values = centre + rng.normal(size=(n, 1)) * loading + rng.normal(size=(n, p)) * 0.7
    values[rng.random((n, p)) < share] = np.nan
    return values


def row_by_row(values: np.ndarray, sigma: np.ndarray, mu: np.ndarray) -> float:
    """-2 log-likelihood, one row after the other."""
    total = 0.0
    for row in values:
        o = ~np.isnan(row)
        if o.any():
            part, d = sigma[np.ix_(o, o)], (row - mu)[o]
            total += o.sum() * np.log(2 * np.pi) + np.linalg.slogdet(part)[1] + d @ np.linalg.solve(part, d)
    return total


def point(p: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Some admissible moments."""
    sigma = 0.4 * np.ones((p, p)) + np.diag(np.linspace(0.5, 1.0, p))
    return sigma, np.linspace(-0.2, 0.3, p)


def test_patterns_hold_every_row() -> None:
    values = holes()
    values[5] = np.nan
    found = group_patterns(values)
    assert found.dropped == 1
    assert found.n == 119
    assert found.size.sum() == 119
    assert (np.diff(found.size) <= 0).all()
    assert np.array_equal(found.observed[found.pattern], ~np.isnan(values[found.kept]))
    assert found.points == (~np.isnan(values)).sum()
    both = ~np.isnan(values)
    assert found.coverage()[1, 2] == pytest.approx((both[:, 1] & both[:, 2]).sum() / 119)


def test_many_variables_have_distinct_patterns() -> None:
    values = holes(n=40, p=70, share=0.1)
    found = group_patterns(values)
    assert found.size.size == np.unique(~np.isnan(values), axis=0).shape[0]
    assert np.array_equal(found.observed[found.pattern], ~np.isnan(values[found.kept]))


@pytest.mark.parametrize(
    "column, word", [(np.full(20, np.nan), "no value at all"), (np.full(20, 3.0), "only one value")]
)
def test_a_variable_without_variation_is_refused(column: np.ndarray, word: str) -> None:
    values = holes(n=20)
    values[:, 1] = column
    with pytest.raises(DesignError, match=f"wai_2 has {word}"):
        group_patterns(values, ("wai_1", "wai_2", "wai_3", "wai_4"))


def test_likelihood_is_that_of_the_rows() -> None:
    values, (sigma, mu) = holes(), point()
    found = evaluate_patterns(sigma, mu, group_patterns(values))
    assert found is not None
    assert found.value == pytest.approx(row_by_row(values, sigma, mu), rel=1e-12)


def test_an_inadmissible_matrix_has_no_likelihood() -> None:
    sigma, mu = point()
    sigma[0, 1] = sigma[1, 0] = 5.0
    assert evaluate_patterns(sigma, mu, group_patterns(holes())) is None


def slope(vector: np.ndarray, data: object) -> np.ndarray:
    """Gradient of -log L by the vector of moments."""
    p = 4
    found = evaluate_patterns(from_half(vector[p:], p), vector[:p], data)
    return np.concatenate([found.d_mu, half_gradient(found.d_sigma)]) / 2


def test_gradient_and_observed_information_are_derivatives() -> None:
    values, (sigma, mu) = holes(), point()
    data = group_patterns(values)
    at = np.concatenate([mu, half_vector(sigma)])
    step = 1e-5
    moves = np.eye(at.size) * step

    def criterion(v: np.ndarray) -> float:
        """-log L by rows."""
        return row_by_row(values, from_half(v[4:], 4), v[:4]) / 2

    numeric = np.array([(criterion(at + m) - criterion(at - m)) / (2 * step) for m in moves])
    assert np.allclose(slope(at, data), numeric, rtol=1e-5, atol=1e-5)
    curvature = np.array([(slope(at + m, data) - slope(at - m, data)) / (2 * step) for m in moves])
    assert np.allclose(data.n * moment_information("observed", sigma, mu, data), curvature, rtol=1e-6, atol=1e-6)


def test_scores_add_up_to_the_gradient() -> None:
    sigma, mu = point()
    data = group_patterns(holes())
    scores = row_scores(sigma, mu, data)
    at = np.concatenate([mu, half_vector(sigma)])
    assert np.allclose(-scores.sum(axis=0), slope(at, data), atol=1e-9)
    first = moment_information("first.order", sigma, mu, data)
    assert np.allclose(first, scores.T @ scores / data.n)


def test_expected_information_of_complete_rows_is_that_of_normal_data() -> None:
    values = holes(share=0.0)
    sigma, mu = point()
    assert np.allclose(moment_information("expected", sigma, mu, group_patterns(values)), complete_information(sigma))


def test_kronecker_sum_is_the_product_with_duplication_matrices() -> None:
    rng = np.random.default_rng(2)
    p = 3
    first, second = (rng.normal(size=(5, p, p)) for _ in range(2))
    first, second = first + first.transpose(0, 2, 1), second + second.transpose(0, 2, 1)
    rows, columns = triangle(p)
    duplication = np.zeros((p * p, rows.size))
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        duplication[i * p + j, k] = duplication[j * p + i, k] = 1.0
    whole = sum(duplication.T @ np.kron(a, b) @ duplication for a, b in zip(first, second, strict=True))
    assert np.allclose(kronecker_sum(first, second), (whole + whole.T) / 2)


def test_saturated_moments_are_the_end_of_the_em_algorithm() -> None:
    values = holes(n=200, share=0.3)
    data = group_patterns(values)
    found = fit_saturated(data)
    assert found.converged
    assert found.iterations < 30
    at = np.concatenate([found.mean, half_vector(found.cov)])
    assert np.abs(slope(at, data)).max() < 1e-3
    mean, cov = np.nanmean(values, axis=0), np.diag(np.nanvar(values, axis=0))
    for _ in range(2000):
        here = evaluate_patterns(cov, mean, data)
        assert here is not None
        moved = -cov @ here.d_mu / (2 * data.n)
        cov = cov - cov @ here.d_sigma @ cov / data.n - np.outer(moved, moved)
        mean = mean + moved
    assert np.allclose(mean, found.mean, atol=1e-5)
    assert np.allclose(cov, found.cov, atol=1e-5)


def test_saturated_moments_of_complete_rows_are_the_sample_moments() -> None:
    values = holes(share=0.0)
    found = fit_saturated(group_patterns(values))
    assert np.allclose(found.mean, values.mean(axis=0))
    assert np.allclose(found.cov, np.cov(values.T, bias=True))


def test_saturated_moments_follow_units() -> None:
    values = holes()
    scale, shift = np.array([1e4, 1.0, 1e-3, 1.0]), np.array([1e6, 0.0, 5.0, -2.0])
    first, second = (fit_saturated(group_patterns(v)) for v in (values, values * scale + shift))
    assert second.converged
    assert np.allclose(second.cov, first.cov * np.outer(scale, scale), rtol=1e-4)
    jump = (~np.isnan(values)).sum(axis=0) @ np.log(scale)
    assert second.log_likelihood == pytest.approx(first.log_likelihood - jump, rel=1e-9)


def test_pairs_never_seen_together_are_named() -> None:
    values = holes(share=0.0)
    values[:60, 0] = np.nan
    values[60:, 1] = np.nan
    found = fit_saturated(group_patterns(values))
    assert found.unseen == ((1, 0),)


def test_fewer_rows_than_variables_do_not_converge() -> None:
    found = fit_saturated(group_patterns(holes(n=4, p=6, share=0.0)), max_iterations=60)
    assert not found.converged


def test_independence_takes_the_available_values() -> None:
    values = holes()
    data = group_patterns(values)
    saturated = fit_saturated(data)
    found = fit_independence(
        data, np.zeros((4, 4), dtype=bool), np.zeros(4, dtype=bool), Block(saturated.mean, saturated.cov)
    )
    assert np.allclose(found.block.mu, np.nanmean(values, axis=0))
    assert np.allclose(found.block.sigma, np.diag(np.nanvar(values, axis=0)))
    assert found.free.sum() == 8


def test_exogenous_variables_keep_their_own_moments() -> None:
    values = holes()
    data = group_patterns(values)
    saturated = fit_saturated(data)
    own = fit_saturated(group_patterns(values[:, 2:]))
    own_pair = np.zeros((4, 4), dtype=bool)
    own_pair[2:, 2:] = True
    found = fit_independence(data, own_pair, np.zeros(4, dtype=bool), Block(saturated.mean, saturated.cov))
    assert np.allclose(found.block.sigma[2:, 2:], own.cov, rtol=1e-6)
    assert found.free.sum() == 9
    fixed = np.array([False, False, True, True])
    found = fit_independence(data, own_pair, fixed, Block(saturated.mean, saturated.cov))
    assert np.array_equal(found.block.sigma[2:, 2:], saturated.cov[2:, 2:])


def test_moments_alone_stand_for_complete_rows() -> None:
    values = holes(share=0.0)
    sigma, mu = point()
    rows = IncompleteRows((group_patterns(values),))
    moments = summary_rows([values.mean(axis=0)], [np.cov(values.T, bias=True)], [values.shape[0]])
    blocks = (Block(mu, sigma),)
    first, second = rows.evaluate(blocks), moments.evaluate(blocks)
    assert first is not None and second is not None
    assert first[0] == pytest.approx(second[0], rel=1e-12)
    assert np.allclose(first[1][0].sigma, second[1][0].sigma)
    assert np.allclose(rows.information("observed", blocks)[0], moments.information("observed", blocks)[0])


def test_auxiliary_variables_stay_joined_with_all_others() -> None:
    values = holes(n=300)
    data = group_patterns(values)
    saturated = fit_saturated(data)
    joined = np.zeros((4, 4), dtype=bool)
    joined[3] = joined[:, 3] = True
    found = fit_independence(data, joined, np.zeros(4, dtype=bool), Block(saturated.mean, saturated.cov))
    assert found.free.sum() == 4 + 4 + 3
    assert found.block.sigma[0, 1] == 0.0
    here = evaluate_patterns(found.block.sigma, found.block.mu, data)
    assert here is not None
    at = np.concatenate([found.block.mu, half_vector(found.block.sigma)])
    assert np.abs(slope(at, data)[found.free]).max() < 1e-3


def test_very_many_patterns_are_worked_on_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    values, (sigma, mu) = holes(), point()
    whole = group_patterns(values)
    monkeypatch.setattr("alliancekit.structural.continuous.missing.patterns.LARGE", 60)
    cut = group_patterns(values)
    assert len(cut.parts) > 2
    assert sum(part.n for part in cut.parts) == whole.n
    first, second = evaluate_patterns(sigma, mu, whole), evaluate_patterns(sigma, mu, cut)
    assert first is not None and second is not None
    assert first.value == pytest.approx(second.value, rel=1e-13)
    assert np.allclose(first.d_sigma, second.d_sigma)
    assert np.allclose(first.d_mu, second.d_mu)
    assert np.allclose(row_scores(sigma, mu, whole), row_scores(sigma, mu, cut))
    for kind in ("observed", "expected", "first.order"):
        assert np.allclose(moment_information(kind, sigma, mu, whole), moment_information(kind, sigma, mu, cut))
    assert np.allclose(fit_saturated(whole).cov, fit_saturated(cut).cov, atol=1e-7)
    bad = sigma.copy()
    bad[0, 1] = bad[1, 0] = 5.0
    assert evaluate_patterns(bad, mu, cut) is None
