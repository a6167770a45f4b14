"""The recovery machinery itself: its rules, its reproducibility, and that it fails a wrong analysis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

import alliancekit as ak
from alliancekit.core.errors import FitError
from alliancekit.simulation.recovery import binomial_range, recover
from alliancekit.simulation.types import Simulated


def latent_regression(twin: Simulated) -> list[dict]:
    """Least squares on the error-free variables."""
    from scipy.stats import t

    frame = twin.latent
    X = np.column_stack([np.ones(len(frame)), frame[["sev", "bond", "goal", "task"]]])
    y = frame["y"].to_numpy()
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    residual = y - X @ beta
    df = len(y) - 5
    se = float(np.sqrt(residual @ residual / df * inverse[4, 4]))
    half = float(t.ppf(0.975, df)) * se
    row = {"quantity": "coef(task | sev, bond, goal)", "estimate": float(beta[4]), "std_error": se}
    return [row | {"conf_low": beta[4] - half, "conf_high": beta[4] + half, "p_value": 2 * t.sf(abs(beta[4] / se), df)}]


def shifted(twin: Simulated) -> list[dict]:
    """A wrong analysis: off by a fifth, with intervals that are too short."""
    row = latent_regression(twin)[0]
    value = row["estimate"] * 0.8 - 0.05
    return [row | {"estimate": value, "conf_low": value - 0.01, "conf_high": value + 0.01, "p_value": 0.01}]


def failing(twin: Simulated) -> list[dict]:
    """An analysis that fails for some studies."""
    if twin.latent["y"].mean() > 0:
        raise FitError("cannot be estimated")
    return latent_regression(twin)


def test_a_right_analysis_passes_and_a_wrong_one_fails() -> None:
    right = recover("tfcbt", latent_regression, n=60, replicates=60, seed=11, truth="latent")
    row = right.row("coef(task | sev, bond, goal)")
    assert row["bias_ok"] and row["coverage_ok"]
    assert row["mean_std_error"] == pytest.approx(row["sd"], rel=0.35)
    wrong = recover("tfcbt", shifted, n=60, replicates=60, seed=11, truth={"coef(task | sev, bond, goal)": 0.0})
    row = wrong.row("coef(task | sev, bond, goal)")
    assert not row["bias_ok"] and not row["coverage_ok"] and not row["rejection_ok"]
    marks = ak.table(wrong).marks
    assert marks[0, "bias"] == "bad" and marks[0, "coverage"] == "bad" and marks[0, "rejection"] == "bad"
    assert "was rejected in 100.0%" in ak.sentence(wrong).text
    assert ak.table(right).marks[0, "bias"] == "good"


def test_serial_and_joblib_agree_to_the_last_bit() -> None:
    serial = recover("tfcbt", latent_regression, n=24, replicates=20, seed=3, truth="latent")
    joblib = recover("tfcbt", latent_regression, n=24, replicates=20, seed=3, truth="latent", executor="joblib")
    assert serial.estimates.equals(joblib.estimates)


def test_failures_are_counted() -> None:
    found = recover("tfcbt", failing, n=24, replicates=40, seed=8, truth="latent")
    assert 0 < len(found.failures) < 40
    assert found.row("coef(task | sev, bond, goal)")["replicates"] == 40 - len(found.failures)
    assert found.glance()["failures"].item() == len(found.failures)
    assert "cannot be estimated" in found.failures[0][1]


def test_binomial_range_is_the_exact_one() -> None:
    for rate, n in ((0.05, 200), (0.05, 1000), (0.95, 500)):
        expected = binom.ppf([0.0005, 0.9995], n, rate) / n
        assert binomial_range(rate, n) == pytest.approx(tuple(expected))


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"replicates": 5}, "too few"),
        ({"replicates": 20, "truth": {"other": 1.0}}, "has no"),
        ({"truth": "seen"}, "seen"),
    ],
)
def test_bad_settings_are_refused(options: dict, hint: str) -> None:
    with pytest.raises(ak.SpecError, match=hint):
        recover("tfcbt", latent_regression, n=24, seed=1, **{"replicates": 20, **options})


def test_unknown_quantity_names_those_there_are() -> None:
    found = recover("tfcbt", latent_regression, n=24, replicates=20, seed=2, truth="latent")
    with pytest.raises(ak.SpecError, match="was not estimated"):
        found.row("coef(bond)")
