"""Checks of the fit itself: convergence, boundary, tests, influence, residuals, collinearity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.audit import boundary, collinearity, convergence, heteroscedasticity, influence, reml_lrt, residuals

from .support import context, fit, persons, sessions, validity

RANDOM = "(1 | patient) + (1 | therapist)"
SPLIT = f"y ~ time + alliance_within + alliance_between + {RANDOM}"


# --- convergence ---


class Stopped:
    """Stands for a fit whose search stopped early."""

    converged = False
    sigma = 1.0


def test_convergence() -> None:
    good = context(fit(SPLIT, sessions()))
    assert convergence.check(good).status == "pass"
    stopped = replace(good, fit=Stopped())
    assert convergence.check(stopped).status == "refuse"


def test_convergence_of_every_step_counts() -> None:
    good = context(validity(persons()))
    assert convergence.check(good).status == "pass"
    stopped = replace(good, step_fits={**good.step_fits, "task": Stopped()})
    found = convergence.check(stopped)
    assert found.status == "refuse" and "task" in found.evidence
    assert convergence.check(context(validity(persons(), therapist=None))).status == "pass"


# --- boundary ---


def test_variance_at_zero_warns_and_keeps_the_term() -> None:
    data = sessions()
    assert boundary.check(context(fit(SPLIT, data))).status == "pass"
    data["y"] -= data.groupby("therapist")["y"].transform("mean")
    found = boundary.check(context(fit(SPLIT, data)))
    assert found.status == "warn" and "'therapist'" in found.evidence and found.advice.startswith("Keep")


def test_boundary_does_not_depend_on_the_unit_of_the_outcome() -> None:
    data = sessions()
    for scale in (1e-6, 1e6):
        model = fit(SPLIT, data.assign(y=data["y"] * scale))
        assert boundary.check(context(model)).status == "pass"


def test_singular_slopes_warn() -> None:
    data = sessions(per_patient=4)
    noise = np.random.default_rng(0).normal(size=(48, 4))
    clock = np.arange(4.0) - 1.5
    noise -= (noise @ clock / (clock @ clock))[:, None] * clock  # no patient has a slope of their own
    data["y"] = noise.ravel() + data["patient"] % 5
    model = fit("y ~ time + (1 + time | patient)", data)
    assert model.singular
    found = boundary.check(context(model))
    assert found.status == "warn" and "simplify" in found.advice
    assert boundary.check(context(validity(persons(), therapist=None))).status == "pass"


# --- likelihood-ratio tests ---


def test_reml_likelihoods_of_different_fixed_parts_are_refused() -> None:
    data = sessions()
    small, large = fit(f"y ~ time + {RANDOM}", data), fit(SPLIT, data)
    assert reml_lrt.check(context(large)).status == "not checked"
    assert reml_lrt.check(context(large, comparisons=([small, large],))).status == "refuse"
    assert reml_lrt.check(context(large, comparisons=(ak.compare(small, large),))).status == "pass"
    slopes = fit("y ~ time + (1 + time | patient) + (1 | therapist)", data)
    assert reml_lrt.check(context(slopes, comparisons=([small, slopes],))).status == "pass"
    with pytest.raises(ak.SpecError, match="comparisons="):
        reml_lrt.check(context(large, comparisons=(3.0,)))


def test_steps_are_compared_by_ml() -> None:
    assert reml_lrt.check(context(validity(persons()))).status == "pass"


# --- influence ---


def test_one_outlying_patient_is_seen_and_none_is_invented() -> None:
    data = persons()
    assert influence.check(context(validity(data))).status == "pass"
    data.loc[7, ["task", "y"]] = [9.0, 150.0]
    found = influence.check(context(validity(data)))
    assert found.status == "warn" and found.numbers["largest_shift_patient"] > 1


def test_one_outlying_therapist_is_seen() -> None:
    data = persons()
    strange = data["therapist"] == 5
    data.loc[strange, "task"] += [3.0, 2.0, 4.0, 5.0, 3.0, 4.0]
    data.loc[strange, "y"] += 6 * data.loc[strange, "task"]
    found = influence.check(context(validity(data)))
    assert found.status == "warn" and found.numbers["largest_shift_therapist"] > 1
    assert influence.check(context(fit(SPLIT, sessions()))).status == "pass"


def test_deletion_equals_least_squares_without_the_rows() -> None:
    found = context(validity(persons(n=48), therapist=None))
    codes = (np.arange(48) // 4).astype(np.intp)
    shift = influence.deletion_shift(found.X, found.y, codes)
    whole = np.linalg.lstsq(found.X, found.y, rcond=None)[0]
    for unit in range(12):
        keep = codes != unit
        without = np.linalg.lstsq(found.X[keep], found.y[keep], rcond=None)[0]
        assert shift[unit] == pytest.approx(without - whole, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("level", ["patient", "therapist"])
def test_deletion_of_a_mixed_fit_is_the_fit_without_the_unit(level: str) -> None:
    data = sessions(patients=24, per_patient=5, therapists=6)
    model = fit(SPLIT, data)
    found = context(model)
    shift, sizes = influence._shift(found, level, found.groups[level])
    assert sizes.sum() == len(data)
    for unit in (0, 3, 5):
        rows = found.groups[level] != unit
        again = fit(SPLIT, data[rows])
        gap = (again.fixed_effects - model.fixed_effects).to_numpy()
        assert shift[unit] / found.std_errors == pytest.approx(gap / found.std_errors, abs=1e-4)


# --- residuals ---


def test_skewed_and_spreading_residuals_warn() -> None:
    data = persons(n=300)
    assert residuals.check(context(validity(data))).status == "pass"
    rng = np.random.default_rng(3)
    skewed = validity(data.assign(y=data["task"] + rng.exponential(1, 300) ** 2), therapist=None)
    assert residuals.check(context(skewed)).numbers["skewness"] > 1
    assert residuals.check(context(skewed)).status == "warn"
    fan = data["severity"] * 3 + np.exp(data["severity"]) * rng.normal(size=300)
    found = residuals.check(context(validity(data.assign(y=fan), therapist=None)))
    assert found.status == "warn" and found.numbers["p_value"] < 0.01


def test_koenker_and_moments_agree_with_statsmodels_and_scipy() -> None:
    from scipy.stats import kurtosis, skew
    from statsmodels.stats.diagnostic import het_breuschpagan

    rng = np.random.default_rng(9)
    prediction = rng.normal(size=80)
    values = rng.normal(size=80) * np.exp(0.3 * prediction)
    statistic, p_value = residuals.koenker(values, prediction)
    expected = het_breuschpagan(values, np.column_stack([np.ones(80), prediction]), robust=True)
    assert (statistic, p_value) == pytest.approx(expected[:2], rel=1e-9)
    assert residuals.moments(values) == pytest.approx((skew(values), kurtosis(values)), rel=1e-9)
    assert residuals.koenker(values, np.ones(80)) == (0.0, 1.0)
    assert residuals.moments(np.zeros(4)) == (0.0, 0.0)


def test_unequal_variance_by_therapist() -> None:
    data = persons(n=360)
    assert heteroscedasticity.check(context(validity(data))).status == "pass"
    rng = np.random.default_rng(6)
    wild = data.assign(y=rng.normal(size=360) * np.where(data["therapist"] < 4, 12.0, 1.0))
    found = heteroscedasticity.check(context(validity(wild)))
    assert found.status == "warn" and found.numbers["sd_high"] > 5 * found.numbers["sd_low"]
    assert heteroscedasticity.check(context(validity(data, therapist=None))).status == "not checked"


def test_brown_forsythe_agrees_with_scipy() -> None:
    from scipy.stats import levene

    rng = np.random.default_rng(2)
    groups = [rng.normal(0, s, n) for s, n in ((1, 9), (2, 7), (1.5, 12))]
    codes = np.repeat([0, 1, 2], [9, 7, 12])
    found = heteroscedasticity.brown_forsythe(np.concatenate(groups), codes)
    expected = levene(*groups, center="median")
    assert (found[0], found[3]) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert heteroscedasticity.brown_forsythe(np.arange(4.0), np.array([0, 0, 1, 1])) is None


# --- collinearity ---


def test_twin_predictors_warn_and_distinct_ones_pass() -> None:
    distinct = collinearity.check(context(validity(persons())))
    assert distinct.status == "pass"
    data = persons()
    data["bond"] = data["task"] + 0.1 * np.random.default_rng(1).normal(size=len(data))
    found = collinearity.check(context(validity(data)))
    assert found.status == "warn" and found.numbers["vif_task"] > 10


def test_suppression_is_named() -> None:
    rng = np.random.default_rng(1)
    data = persons(n=400)
    data["bond"] = data["task"] + 0.5 * rng.normal(size=400)
    data["y"] = -2 * data["task"] + data["bond"] + 0.3 * rng.normal(size=400)
    found = collinearity.check(context(validity(data, therapist=None)))
    assert found.status == "warn" and "against the sign" in found.evidence and "bond" in found.evidence


def test_dropped_columns_warn() -> None:
    data = sessions()
    data["copy"] = 2 * data["time"]
    assert collinearity.check(context(fit(f"y ~ time + copy + {RANDOM}", data))).status == "warn"


def test_variance_inflation_agrees_with_statsmodels() -> None:
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 3)) @ np.array([[1, 0.8, 0.2], [0, 1, 0.5], [0, 0, 1]])
    with_constant = np.column_stack([np.ones(60), X])
    expected = [variance_inflation_factor(with_constant, j) for j in (1, 2, 3)]
    assert collinearity.variance_inflation(X) == pytest.approx(expected, rel=1e-9)
    assert collinearity.variance_inflation(np.column_stack([X, X[:, 0]])) == [np.inf] * 4
