"""What incremental_validity returns: samples, invariances, weights of evidence."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.codebook import Codebook, ColumnInfo, TableInfo
from alliancekit.study.types import Study


@pytest.fixture(scope="module")
def df(make_data: Any) -> pd.DataFrame:
    return make_data(150, 25, seed=11)


APPROACHES = ("ols", "robust", "random")


@pytest.fixture(scope="module", params=APPROACHES)
def found(request: Any, df: pd.DataFrame, steps: Any) -> Any:
    return ak.incremental_validity(
        df, "pcl", steps, focus="task", therapist="therapist", approach=request.param, bootstrap=400
    )


def test_columns(found: Any) -> None:
    wanted = [
        "step",
        "predictors",
        "n",
        "r2",
        "delta_r2",
        "conf_low",
        "conf_high",
        "ci_method",
        "f2",
        "statistic",
        "df",
    ]
    assert found.tidy().columns[:11].tolist() == wanted
    assert found.tidy()["step"].tolist() == ["severity", "task", "bond and goal"]
    assert found.coefficients.tidy()["term"].tolist() == ["(Intercept)", "severity", "task", "bond", "goal"]
    assert found.glance()["n_therapists"].item() == 25
    assert found.weights.tidy()["term"].tolist() == ["severity", "task", "bond", "goal"]
    assert len(found.data_hash) == 64


def test_increments_add_up(found: Any) -> None:
    table = found.tidy()
    np.testing.assert_allclose(table["delta_r2"].cumsum(), table["r2"], atol=1e-14)
    np.testing.assert_allclose(table["f2"], table["delta_r2"] / (1 - table["r2"]), atol=1e-14)
    np.testing.assert_allclose(table["cv_delta_r2"].cumsum(), table["cv_r2"], atol=1e-14)
    assert (table["cv_r2"] < table["r2_ols"]).all()
    assert ((table["conf_low"] < table["delta_r2"]) & (table["delta_r2"] < table["conf_high"])).all()


def test_specificity_agrees_with_the_step_of_the_focus(found: Any) -> None:
    step = found.tidy().iloc[1]
    specificity = found.specificity
    assert specificity.delta_r2_base.estimate == pytest.approx(step["delta_r2"], abs=1e-6)
    assert specificity.delta_r2_base.p_value == pytest.approx(step["p_value"], rel=1e-9)
    assert (specificity.delta_r2_base.conf_low, specificity.delta_r2_base.conf_high) == pytest.approx(
        (step["conf_low"], step["conf_high"]), abs=1e-12
    )
    coefficient = found.coefficients.tidy().set_index("term").loc["task"]
    if found.approach != "random":
        assert specificity.slope_all.estimate == pytest.approx(coefficient["std_estimate"], abs=1e-10)
        assert specificity.delta_r2_all.p_value == pytest.approx(coefficient["p_value"], rel=1e-8)
    assert specificity.slope_drop.estimate == pytest.approx(
        specificity.slope_base.estimate - specificity.slope_all.estimate, abs=1e-14
    )
    assert specificity.vif == pytest.approx(coefficient["vif"])


def test_least_squares_by_hand(df: pd.DataFrame, steps: Any) -> None:
    found = ak.incremental_validity(df, "pcl", steps, focus="task", bootstrap=0)
    assert found.approach == "ols"
    y = df["pcl"].to_numpy()

    def rss(columns: list[str]) -> float:
        A = np.column_stack([np.ones(len(y)), df[columns]])
        residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
        return float(residual @ residual)

    low, high = rss(["severity"]), rss(["severity", "task"])
    row = found.tidy().iloc[1]
    assert row["statistic"] == pytest.approx((low - high) / (high / (150 - 3)), rel=1e-10)
    assert (row["df"], row["df_error"]) == (1.0, 147.0)
    assert row["aic"] == pytest.approx(150 * (np.log(2 * np.pi * high / 150) + 1) + 2 * 4, rel=1e-12)
    table = found.coefficients.tidy().set_index("term")
    others = rss(["severity", "bond", "goal"]) - rss(["severity", "task", "bond", "goal"])
    assert table.loc["task", "semipartial_r"] ** 2 == pytest.approx(others / (150 * y.var()), rel=1e-9)
    assert table.loc["task", "partial_r"] ** 2 == pytest.approx(others / rss(["severity", "bond", "goal"]), rel=1e-9)
    assert np.isnan(found.tidy()["conf_low"]).all()


def test_same_complete_cases_at_every_step(df: pd.DataFrame, steps: Any) -> None:
    holes = df.copy()
    holes.loc[:9, "goal"] = np.nan
    holes.loc[5:14, "pcl"] = np.nan
    holes.loc[140:, "therapist"] = None
    found = ak.incremental_validity(holes, "pcl", steps, therapist="therapist", approach="robust", bootstrap=0)
    assert found.tidy()["n"].tolist() == [125, 125, 125]
    assert found.sample.dropped == (("missing in 'pcl'", 10), ("missing in 'goal'", 5), ("missing in 'therapist'", 10))
    assert found.nobs == 125
    assert found.sample.rows_used.sum() == 125
    only = holes.dropna()
    again = ak.incremental_validity(only, "pcl", steps, therapist="therapist", approach="robust", bootstrap=0)
    pd.testing.assert_frame_equal(found.tidy(), again.tidy())


@pytest.mark.parametrize("approach", APPROACHES)
def test_row_order_and_names_of_therapists_change_nothing(df: pd.DataFrame, steps: Any, approach: str) -> None:
    options = {"focus": "task", "therapist": "therapist", "approach": approach, "bootstrap": 200}
    first = ak.incremental_validity(df, "pcl", steps, **options)
    shuffled = df.sample(frac=1.0, random_state=1)
    second = ak.incremental_validity(shuffled, "pcl", steps, **options)
    numbers = df.assign(therapist=[int(t[1:]) for t in df["therapist"]])
    third = ak.incremental_validity(numbers, "pcl", steps, **options)
    for other in (second, third):
        pd.testing.assert_frame_equal(first.tidy(), other.tidy(), rtol=1e-6, atol=1e-9)
        assert other.specificity.verdict == first.specificity.verdict


@pytest.mark.parametrize("approach", APPROACHES)
def test_units_do_not_matter(df: pd.DataFrame, steps: Any, approach: str) -> None:
    options = {"therapist": "therapist", "approach": approach, "bootstrap": 200, "focus": "task"}
    first = ak.incremental_validity(df, "pcl", steps, **options)
    scaled = df.assign(pcl=(df["pcl"] - 30) / 1000, task=df["task"] * 1e4 + 1e5)
    second = ak.incremental_validity(scaled, "pcl", steps, **options)
    same = ["r2", "delta_r2", "conf_low", "conf_high", "f2", "statistic", "p_value", "cv_r2"]
    np.testing.assert_allclose(second.tidy()[same], first.tidy()[same], rtol=1e-5, atol=1e-7)
    a, b = (f.coefficients.tidy().set_index("term") for f in (first, second))
    assert b.loc["task", "estimate"] == pytest.approx(a.loc["task", "estimate"] / 1e7, rel=1e-5)
    assert b.loc["task", "std_estimate"] == pytest.approx(a.loc["task", "std_estimate"], rel=1e-5)


@pytest.mark.option("incremental_validity(seed)", "unit")
def test_seed_decides_and_executor_does_not(df: pd.DataFrame, steps: Any) -> None:
    def limits(**options: Any) -> Any:
        found = ak.incremental_validity(df, "pcl", steps, therapist="therapist", approach="ols", **options)
        return found.tidy()[["conf_low", "conf_high", "cv_r2"]].to_numpy()

    first = limits(bootstrap=600, seed=3)
    np.testing.assert_array_equal(first, limits(bootstrap=600, seed=3, executor="joblib"))
    assert not np.array_equal(first, limits(bootstrap=600, seed=4))


@pytest.mark.option("incremental_validity(therapist)", "recovery")
def test_resampling_therapists_widens_limits_where_therapists_differ(make_data: Any, steps: Any) -> None:
    df = make_data(200, 10, seed=6)
    effect = np.random.default_rng(1).normal(size=10)[np.unique(df["therapist"], return_inverse=True)[1]]
    clustered = df.assign(severity=df["severity"] + 2 * effect, pcl=df["pcl"] + 14 * effect)
    kept = ak.incremental_validity(clustered, "pcl", steps, therapist="therapist", approach="ols").tidy().iloc[0]
    apart = ak.incremental_validity(clustered, "pcl", steps, approach="ols").tidy().iloc[0]
    assert kept["conf_high"] - kept["conf_low"] > 1.3 * (apart["conf_high"] - apart["conf_low"])


@pytest.mark.option("incremental_validity(level)", "unit")
def test_level_widens_limits(df: pd.DataFrame, steps: Any) -> None:
    narrow = ak.incremental_validity(df, "pcl", steps, level=0.8)
    wide = ak.incremental_validity(df, "pcl", steps, level=0.99)
    assert (wide.tidy()["conf_high"] > narrow.tidy()["conf_high"]).all()
    assert (wide.coefficients.tidy()["conf_low"] < narrow.coefficients.tidy()["conf_low"]).all()


@pytest.mark.option("incremental_validity(better)", "unit")
def test_direction(df: pd.DataFrame, steps: Any) -> None:
    lower = ak.incremental_validity(df, "pcl", steps, bootstrap=0, better="lower").coefficients.tidy()
    higher = ak.incremental_validity(df, "pcl", steps, bootstrap=0, better="higher").coefficients.tidy()
    np.testing.assert_allclose(lower["oriented"][1:], -lower["std_estimate"][1:])
    np.testing.assert_allclose(higher["oriented"][1:], higher["std_estimate"][1:])
    assert "oriented" not in ak.incremental_validity(df, "pcl", steps, bootstrap=0).coefficients.tidy()


def test_one_predictor(df: pd.DataFrame) -> None:
    found = ak.incremental_validity(df, "pcl", {"severity": "severity"}, bootstrap=200)
    assert found.weights is None
    assert found.specificity is None
    assert found.added_variable is None
    row = found.coefficients.tidy().iloc[1]
    assert row["partial_r"] == pytest.approx(df["pcl"].corr(df["severity"]))
    assert row["vif"] == 1.0


def test_column_names_that_no_formula_can_hold(df: pd.DataFrame, steps: Any) -> None:
    plain = ak.incremental_validity(df, "pcl", steps, therapist="therapist", bootstrap=0)
    names = {"pcl": "PCL-5 (3 mo)", "task": "WAI task", "therapist": "the therapist", "goal": "I(goal)"}
    renamed = [[names.get(c, c) for c in columns] for columns in steps.values()]
    odd = ak.incremental_validity(
        df.rename(columns=names),
        "PCL-5 (3 mo)",
        dict(zip(steps, renamed, strict=True)),
        therapist="the therapist",
        bootstrap=0,
    )
    numbers = plain.tidy().columns.drop(["step", "predictors", "ci_method"])
    pd.testing.assert_frame_equal(odd.tidy()[numbers], plain.tidy()[numbers])
    assert odd.coefficients.tidy()["term"].tolist() == ["(Intercept)", "severity", "WAI task", "bond", "I(goal)"]


def test_a_study_gives_its_labels_and_its_patient_column(df: pd.DataFrame, steps: Any) -> None:
    columns = {"goal": ColumnInfo(label="Goal agreement"), "code": ColumnInfo(role="patient")}
    book = Codebook(tables={"patient": TableInfo(columns=columns)})
    study = Study(tables={"patient": df.assign(code=np.arange(len(df)))}, codebook=book)
    found = ak.incremental_validity(study, "pcl", steps, focus="task", bootstrap=0, labels={"pcl": "PCL-5"})
    assert found.labels == {"goal": "Goal agreement", "pcl": "PCL-5"}
    assert "Goal agreement" in ak.sentence(found).text
    twice = Study(tables={"patient": df.assign(code=np.arange(len(df)) // 2)}, codebook=book)
    with pytest.raises(ak.DesignError, match="column 'code'"):
        ak.incremental_validity(twice, "pcl", steps, bootstrap=0)


def test_a_step_of_one_predictor_labels_it_unless_it_is_a_number(df: pd.DataFrame) -> None:
    named = {"Baseline severity": ["severity"], "Step 2": ["task"], "3": ["goal"], "others": ["bond"]}
    found = ak.incremental_validity(df, "pcl", named, bootstrap=0, labels={"bond": "Bond"})
    assert found.labels == {"severity": "Baseline severity", "bond": "Bond"}


def test_results_are_frozen(df: pd.DataFrame, steps: Any) -> None:
    found = ak.incremental_validity(df, "pcl", steps, focus="task", bootstrap=0)
    for part in (found, found.steps, found.coefficients, found.weights, found.specificity):
        with pytest.raises(dataclasses.FrozenInstanceError):
            part.outcome = "other"
        assert len(part.glance()) == 1
    copy = found.tidy()
    copy.loc[0, "r2"] = 9.0
    assert found.tidy().loc[0, "r2"] < 1.0


def test_two_thousand_resamples_take_seconds(make_data: Any, steps: Any) -> None:
    df = make_data(120, 20, variance=0.2)
    ak.incremental_validity(df, "pcl", steps, therapist="therapist", bootstrap=100)
    start = time.perf_counter()
    ak.incremental_validity(df, "pcl", steps, focus="task", therapist="therapist", bootstrap=2000)
    assert time.perf_counter() - start < 9.0  # three seconds on a machine with nothing else to do


def test_mixed_numbers_are_those_of_the_mixed_fits(df: pd.DataFrame, steps: Any) -> None:
    found = ak.incremental_validity(df, "pcl", steps, focus="task", therapist="therapist", bootstrap=0)
    assert found.approach == "random"
    table = found.tidy()
    null = ak.mixed("pcl ~ 1 + (1 | therapist)", df, method="ML")
    one = ak.mixed("pcl ~ severity + (1 | therapist)", df, method="ML")
    two = ak.mixed("pcl ~ severity + task + (1 | therapist)", df, method="ML")
    last = ak.mixed("pcl ~ severity + task + bond + goal + (1 | therapist)", df, method="REML")
    for row, (low, high) in enumerate(((null, one), (one, two))):
        comparison = ak.compare(low, high).tidy().iloc[-1]
        assert table.loc[row, "statistic"] == pytest.approx(comparison["chisq"], rel=1e-7)
        assert table.loc[row, "p_value"] == pytest.approx(comparison["p_value"], rel=1e-6)
        assert table.loc[row, "r2_marginal"] == pytest.approx(high.r2()["marginal"], rel=1e-9)
        assert table.loc[row, "r2_conditional"] == pytest.approx(high.r2()["conditional"], rel=1e-9)
        assert table.loc[row, "aic"] == pytest.approx(comparison["aic"], rel=1e-9)
    wanted = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
    np.testing.assert_allclose(
        found.coefficients.tidy()[wanted].astype(float), last.tidy()[wanted].astype(float), rtol=1e-6
    )
    assert found.coefficients.df_method == "Satterthwaite"
    assert list(found.fits) == ["severity", "task", "bond and goal", "final, REML"]


def test_a_variance_at_zero_is_warned_of_once(make_data: Any, steps: Any) -> None:
    df = make_data(120, 20, variance=0.0, seed=5)
    flat = df["pcl"] - df.groupby("therapist")["pcl"].transform("mean")
    with pytest.warns(ak.BoundaryWarning) as caught:
        found = ak.incremental_validity(df.assign(pcl=flat), "pcl", steps, therapist="therapist", bootstrap=200)
    texts = [str(w.message) for w in caught]
    assert len(texts) == len(set(texts))
    assert set(texts) <= set(found.warnings)
    assert found.tidy()["r2_marginal"].tolist() == pytest.approx(found.tidy()["r2_conditional"].tolist(), abs=1e-6)
