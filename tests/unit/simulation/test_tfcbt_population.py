"""The generator draws what its constants say, and the truth is algebra on those constants."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.simulation.estimands import increment, r_squared
from alliancekit.simulation.ratings import LOADING, THRESHOLDS, answer_items, mean_of_given
from alliancekit.simulation.tfcbt import population, truths


@pytest.fixture(scope="module")
def large() -> population.Draw:
    return population.draw(9, 60_000, "true", sessions=(2, 3, 4))


def test_latent_moments_are_the_constants(large: population.Draw) -> None:
    found = np.cov(large.latent, rowvar=False)
    assert found == pytest.approx(population.latent_covariance("true"), abs=4 * 1.5 / np.sqrt(60_000))
    assert large.latent.mean(axis=0) == pytest.approx(np.zeros(6), abs=0.03)


@pytest.mark.parametrize(("variant", "effect"), list(population.VARIANTS))
def test_outcome_has_variance_one_and_the_effects_of_its_variant(variant: str, effect: str) -> None:
    drawn = population.draw(4, 60_000, variant, effect, sessions=(2,))
    assert drawn.latent[:, 5].var() == pytest.approx(1.0, abs=0.025)
    X = np.column_stack([np.ones(60_000), drawn.latent[:, [0, 2, 3, 4]]])
    slopes = np.linalg.lstsq(X, drawn.latent[:, 5], rcond=None)[0]
    assert slopes[1:] == pytest.approx(population.VARIANTS[variant, effect], abs=0.025)


def test_published_constants_of_the_main_effect() -> None:
    truth = truths.latent_truth("true")
    assert truth["r2(sev)"] == pytest.approx(0.2944, abs=5e-5)
    assert truth["delta_r2(task | sev)"] == pytest.approx(0.0763, abs=5e-5)
    assert truth["f2(task | sev)"] == pytest.approx(0.121, abs=5e-4)
    assert truth["partial_r(task | sev)"] == pytest.approx(-0.329, abs=5e-4)
    assert truth["delta_r2(task | sev, bond, goal)"] == pytest.approx(0.0138, abs=5e-5)
    assert truth["f2(task | sev, bond, goal)"] == pytest.approx(0.0219, abs=5e-5)
    early = population.EARLY_TO_OUTCOME**2 * (1 - population.SEVERITY_TO_EARLY**2)
    residual = population.noise_variance("true") + population.THERAPIST_VARIANCE + early
    assert residual == pytest.approx(0.629, abs=5e-4)


def test_published_constants_of_the_other_variants() -> None:
    modest = truths.latent_truth("true", "modest")
    assert modest["delta_r2(task | sev)"] == pytest.approx(0.0351, abs=5e-5)
    assert modest["delta_r2(task | sev, bond, goal)"] == pytest.approx(0.0054, abs=5e-5)
    trap = truths.latent_truth("trap")
    assert trap["delta_r2(task | sev)"] == pytest.approx(0.0233, abs=5e-5)
    assert trap["delta_r2(task | sev, bond, goal)"] == pytest.approx(0.0, abs=1e-12)
    assert truths.latent_truth("null")["coef(task | sev, change, bond, goal)"] == pytest.approx(0.0, abs=1e-12)


def test_severity_works_partly_through_early_symptoms() -> None:
    truth = truths.latent_truth("true")
    # in terms of the early level: .38 directly; change = level - severity adds the level's .40 to the slope of severity
    assert truth["coef(change | sev, bond, goal, task)"] == pytest.approx(0.40)
    assert truth["coef(sev | change, bond, goal, task)"] == pytest.approx(0.38 + 0.40)
    assert truth["coef(sev | bond, goal, task)"] == pytest.approx(0.50)


def test_therapists_hold_a_twentieth_of_the_outcome_and_nine_percent_of_the_alliance(large: population.Draw) -> None:
    def between(values: np.ndarray) -> float:
        sizes = np.bincount(large.therapist)
        means = np.bincount(large.therapist, weights=values) / sizes
        msw = ((values - means[large.therapist]) ** 2).sum() / (len(values) - len(sizes))
        msb = (sizes * (means - values.mean()) ** 2).sum() / (len(sizes) - 1)
        return float((msb - msw) / sizes.mean())

    beta = np.array(population.VARIANTS["true", "main"])
    rest = large.latent[:, 5] - large.latent[:, [0, 2, 3, 4]] @ beta
    assert between(rest) == pytest.approx(0.05, abs=0.012)
    assert between(large.latent[:, 4]) == pytest.approx(0.09, abs=0.02)
    assert between(large.latent[:, 0]) == pytest.approx(0.0, abs=0.012)


def test_recorded_scores(large: population.Draw) -> None:
    assert set(np.unique(large.wai)) == {1, 2, 3, 4, 5}
    assert large.pcl_0.mean() == pytest.approx(50, abs=0.25)
    assert large.pcl_0.std() == pytest.approx(12, abs=0.2)
    assert large.pcl_0.min() >= 0 and large.pcl_followup.max() <= 80
    assert np.array_equal(large.pcl_0, np.round(large.pcl_0))


def test_shares_of_missing_data(large: population.Draw) -> None:
    assert large.skipped_wai.mean() == pytest.approx(0.08, abs=0.004)
    assert large.skipped_pcl.mean() == pytest.approx(0.08, abs=0.004)
    assert np.corrcoef(large.skipped_wai.ravel(), large.skipped_pcl.ravel())[0, 1] == pytest.approx(0.0, abs=0.01)
    assert large.dropped.mean() == pytest.approx(0.30, abs=0.008)


def test_dropout_follows_poor_alliance_and_high_symptoms_only() -> None:
    mean, (low, high) = population.EARLY_PCL_MOMENTS[0], (2.0, 5.0)
    chance = population.dropout_probability(np.array([mean, mean, mean + 12.05]), np.array([low, high, low]))
    assert chance[0] > chance[1] and chance[2] > chance[0]
    odds = chance / (1 - chance)
    assert np.log(odds[2] / odds[0]) == pytest.approx(0.5)
    unknown = population.dropout_probability(np.array([np.nan]), np.array([np.nan]))
    average = population.dropout_probability(np.array([50.0]), np.array([population.EARLY_WAI_MOMENTS[0]]))
    assert unknown == pytest.approx(average)


def test_dropout_is_missing_at_random_given_the_recorded_window(large: population.Draw) -> None:
    """Within narrow strata of the dropout probability, the outcome of those who leave and stay is the same."""
    early_pcl = mean_of_given(large.pcl, large.skipped_pcl)
    early_wai = mean_of_given(large.wai.mean(axis=2), large.skipped_wai)
    chance = population.dropout_probability(early_pcl, early_wai)
    stratum = np.digitize(chance, np.quantile(chance, np.linspace(0.02, 0.98, 49)))
    raw = large.latent[large.dropped, 5].mean() - large.latent[~large.dropped, 5].mean()
    within = [
        large.latent[(stratum == s) & large.dropped, 5].mean() - large.latent[(stratum == s) & ~large.dropped, 5].mean()
        for s in range(50)
    ]
    assert raw > 0.25
    assert np.mean(within) == pytest.approx(0.0, abs=0.045)


def test_an_item_is_a_cut_of_its_trait() -> None:
    rng = np.random.default_rng(0)
    traits = np.repeat([[-3.0], [0.0], [3.0]], 4000, axis=0)
    answers = answer_items(rng, traits, (0,), 1, state_variance=0.0, noise_variance=0.0)[:, 0, 0]
    # at eta = 0 the share below the third cut is the normal area below -.3 / sqrt(1 - lambda^2)
    from scipy.special import ndtr

    share = float((answers[4000:8000] <= 3).mean())
    assert share == pytest.approx(float(ndtr(THRESHOLDS[2] / np.sqrt(1 - LOADING**2))), abs=0.025)
    assert answers[:4000].mean() < 1.5 < 4.7 < answers[8000:].mean()


def test_mean_of_given_ignores_missing_and_keeps_nobody_as_nan() -> None:
    values = np.array([[1.0, 3.0], [5.0, 7.0], [2.0, 2.0]])
    missing = np.array([[False, True], [False, False], [True, True]])
    assert mean_of_given(values, missing)[:2].tolist() == [1.0, 6.0]
    assert np.isnan(mean_of_given(values, missing)[2])


def test_increment_agrees_with_regression_on_data() -> None:
    rng = np.random.default_rng(3)
    data = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 4))
    covariance, names = np.cov(data, rowvar=False), ("a", "b", "c", "y")

    def r2(*columns: int) -> float:
        X = np.column_stack([np.ones(400), data[:, columns]])
        fitted = X @ np.linalg.lstsq(X, data[:, 3], rcond=None)[0]
        return float(np.corrcoef(fitted, data[:, 3])[0, 1] ** 2)

    found = increment(covariance, names, "y", "c", ["a", "b"])
    assert found["delta_r2(c | a, b)"] == pytest.approx(r2(0, 1, 2) - r2(0, 1), rel=1e-9)
    assert found["f2(c | a, b)"] == pytest.approx((r2(0, 1, 2) - r2(0, 1)) / (1 - r2(0, 1, 2)), rel=1e-9)
    assert r_squared(covariance, names, "y", ["a"]) == pytest.approx(r2(0), rel=1e-9)
    assert r_squared(covariance, names, "y", []) == 0.0
