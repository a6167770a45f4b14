"""Recovery on the simulated trauma-focused study: bias, coverage, Type I error, and what the trap twin does.

The pass rules stand in ``simulation/recovery.py``. ``SEED`` was fixed before the first run.
"""

from __future__ import annotations

import pytest
from scipy.stats import f, ncf

from alliancekit.simulation.recovery import Recovery, binomial_range, recover
from alliancekit.simulation.simulate import simulate

from .tfcbt_analyses import (
    by_adjusted_r2,
    by_incremental_validity,
    by_least_squares,
    by_mixed_model,
    error_free,
    therapist_variance,
)

SEED = 20_2406_17
QUICK, MANY = 120, 1500
SEVERITY, ALL = "coef(task | sev)", "coef(task | sev, bond, goal)"
EVERYTHING = "coef(task | sev, change, bond, goal)"


def expect_recovery(found: Recovery) -> None:
    """Fail, naming the quantity, where a bias or a coverage breaks its rule or an analysis failed."""
    assert not found.failures
    table = found.tidy()
    biased = table.loc[~table["bias_ok"], ["quantity", "truth", "mean", "bias", "bias_limit"]]
    assert biased.empty, biased.to_string()
    uncovered = table.loc[table["coverage_ok"].eq(False), ["quantity", "coverage", "coverage_low", "coverage_high"]]
    assert uncovered.empty, uncovered.to_string()


def expected_rejection(delta_r2: float, r2_full: float, cases: float, predictors: int) -> float:
    """Return the power of the F test of one slope (Cohen, 1988, section 9.3), cases complete on average."""
    df = cases - predictors - 1
    f2 = delta_r2 / (1 - r2_full)
    return float(ncf.sf(f.ppf(0.95, 1, df), 1, df, f2 * cases))


def within_range(share: float, expected: float, replicates: int) -> bool:
    """Return True where a share lies in the central 99.9% of a binomial around the expected one."""
    low, high = binomial_range(expected, replicates)
    return low <= share <= high


# --- quick: part of every test run ---


def test_slopes_by_least_squares() -> None:
    # Dropout depends on early symptoms and the whole alliance: complete cases give the slopes of models with these.
    found = recover("tfcbt", by_least_squares, n=120, replicates=QUICK, seed=SEED)
    row = found.row(EVERYTHING)
    assert row["bias_ok"] and row["coverage_ok"]
    assert found.row(ALL)["bias_ok"] and found.row(ALL)["coverage_ok"]


def test_slopes_and_variance_by_mixed_model() -> None:
    expect_recovery(recover("tfcbt", by_mixed_model, n=120, replicates=QUICK, seed=SEED + 1))


def test_increments_of_adjusted_r2() -> None:
    expect_recovery(recover("tfcbt", by_adjusted_r2, n=240, replicates=QUICK, seed=SEED + 2))


def test_incremental_validity_and_its_limits() -> None:
    expect_recovery(
        recover("tfcbt", by_incremental_validity, n=400, replicates=QUICK, seed=SEED + 5, executor="joblib")
    )


def test_null_twin_keeps_its_level() -> None:
    found = recover("tfcbt", by_least_squares, n=120, replicates=200, seed=SEED + 3, variant="null")
    for quantity in (ALL, EVERYTHING):
        share = found.row(quantity)["rejection"]
        assert within_range(share, 0.05, 200), (quantity, share)


def test_trap_twin_fools_the_wrong_model_only() -> None:
    found = recover("tfcbt", error_free, n=240, replicates=200, seed=SEED + 4, variant="trap", truth="latent")
    assert found.row(SEVERITY)["rejection"] > 0.6
    assert within_range(found.row(ALL)["rejection"], 0.05, 200)
    assert found.row(ALL)["bias_ok"] and found.row(ALL)["coverage_ok"]


# --- slow: under `make verify` ---


@pytest.mark.slow
@pytest.mark.parametrize("effect", ["main", "modest"])
def test_many_slopes_and_variance_by_mixed_model(effect: str) -> None:
    expect_recovery(
        recover("tfcbt", by_mixed_model, n=120, replicates=MANY, seed=SEED + 5, effect=effect, executor="joblib")
    )


@pytest.mark.slow
def test_many_slopes_by_least_squares() -> None:
    found = recover("tfcbt", by_least_squares, n=120, replicates=MANY, seed=SEED + 6, executor="joblib")
    # Least squares leaves the therapists out; with independent predictors and 5% of variance its limits still hold.
    assert found.row(EVERYTHING)["bias_ok"] and found.row(EVERYTHING)["coverage_ok"]


@pytest.mark.slow
def test_many_increments_of_adjusted_r2() -> None:
    expect_recovery(recover("tfcbt", by_adjusted_r2, n=240, replicates=MANY, seed=SEED + 7, executor="joblib"))


@pytest.mark.slow
def test_therapist_variance_without_a_bound_at_zero() -> None:
    expect_recovery(recover("tfcbt", therapist_variance, n=240, replicates=MANY, seed=SEED + 8, executor="joblib"))


@pytest.mark.slow
def test_type_one_error_of_both_engines_on_the_null_twin() -> None:
    for analysis in (by_least_squares, by_mixed_model):
        found = recover("tfcbt", analysis, n=120, replicates=MANY, seed=SEED + 9, variant="null", executor="joblib")
        share = found.row(EVERYTHING)["rejection"]
        assert within_range(share, 0.05, MANY), (analysis.__name__, share)


@pytest.mark.slow
def test_trap_twin_rejects_as_often_as_its_truth_says() -> None:
    """On scored variables a trace of the effect leaks through measurement error; the rate is that of the truth."""
    n = 240
    truth = simulate("tfcbt", n=12, seed=0, variant="trap").truth["observed"]
    found = recover("tfcbt", by_least_squares, n=n, replicates=MANY, seed=SEED + 10, variant="trap", executor="joblib")
    cases = n * (1 - truth["dropout_share"])
    leak = expected_rejection(
        truth["delta_r2(task | sev, bond, goal)"], truth["r2(sev, bond, goal, task)"], cases, predictors=4
    )
    assert 0.05 < leak < 0.10
    assert within_range(found.row(ALL)["rejection"], leak, MANY), (found.row(ALL)["rejection"], leak)
    assert found.row(SEVERITY)["rejection"] > 4 * found.row(ALL)["rejection"]
