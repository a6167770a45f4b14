"""Models of incomplete rows and of two levels by their public call: options, constraints, messages."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.errors import DesignError, SpecError
from alliancekit.structural.after.measures import _rmsea, _robust_incremental
from alliancekit.structural.estimates import ModelTest

ONE = "bond =~ w1 + w2 + w3 + w4"
TWO = "level: 1\nwithin =~ w1 + w2 + w3\nlevel: 2\nbetween =~ w1 + w2 + w3"


def incomplete(n: int = 300, seed: int = 5) -> pd.DataFrame:
    """Items with holes, a predictor of the holes, a covariate."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=n)
    bond = 0.4 * age + rng.normal(size=n)
    data = pd.DataFrame({f"w{i}": (1.1 - 0.1 * i) * bond + rng.normal(size=n) for i in (1, 2, 3, 4)})
    data.loc[rng.random(n) < 0.2, "w2"] = np.nan
    data.loc[(age > 0.5) & (rng.random(n) < 0.5), "w3"] = np.nan
    return data.assign(age=age, helper=bond + rng.normal(size=n), therapist=np.arange(n) // 6)


def clustered(seed: int = 8, holes: bool = False) -> pd.DataFrame:
    """Items of patients in 50 therapists, one covariate at each level."""
    rng = np.random.default_rng(seed)
    therapist = np.repeat(np.arange(50), rng.integers(2, 8, 50))
    n = therapist.size
    skill = rng.normal(size=50)
    upper = 0.6 * skill + 0.7 * rng.normal(size=50)
    lower = rng.normal(size=n)
    data = pd.DataFrame({f"w{i}": upper[therapist] + lower + rng.normal(size=n) for i in (1, 2, 3)})
    for name in ("w1", "w2", "w3"):
        data[name] += 0.6 * rng.normal(size=50)[therapist]
    if holes:
        data.loc[rng.random(n) < 0.15, "w2"] = np.nan
    return data.assign(therapist=therapist, skill=skill[therapist])


@pytest.mark.option("cfa.missing", "unit")
def test_incomplete_rows_are_used_and_patterns_shown() -> None:
    data = incomplete()
    data.loc[3, ["w1", "w2", "w3", "w4"]] = np.nan
    fit = ak.cfa(ONE, data, missing="fiml")
    assert fit.nobs == 299
    assert ("empty", 1) in fit.sample.dropped
    patterns = fit.missing_patterns()
    assert patterns["n"].sum() == 299
    assert patterns["n"].is_monotonic_decreasing
    coverage = fit.coverage().set_index("variable")
    assert coverage.loc["w2", "w3"] == pytest.approx((data["w2"].notna() & data["w3"].notna()).sum() / 299)
    with pytest.raises(SpecError, match="complete rows"):
        ak.cfa(ONE, data.dropna(), missing="listwise").missing_patterns()
    with pytest.raises(SpecError, match="complete rows"):
        ak.cfa(ONE, data.dropna(), missing="listwise").coverage()


def test_without_holes_full_information_is_maximum_likelihood() -> None:
    data = incomplete().dropna()
    one, other = ak.cfa(ONE, data, missing="fiml"), ak.cfa(ONE, data, missing="listwise", meanstructure=True)
    assert np.allclose(one.tidy()["estimate"], other.tidy()["estimate"], atol=1e-5)
    for name in ("chisq", "cfi", "rmsea", "srmr", "logl", "baseline_chisq", "gfi"):
        assert one.fit_measures()[name] == pytest.approx(other.fit_measures()[name], rel=1e-4, abs=1e-6)
    assert one.fit_measures()["cfi_robust"] == pytest.approx(one.fit_measures()["cfi"], abs=1e-5)


@pytest.mark.option("sem.missing", "unit")
def test_rows_without_a_covariate_are_left_out_unless_asked_for() -> None:
    data = incomplete()
    data.loc[:19, "age"] = np.nan
    model = f"{ONE}\nbond ~ age"
    with pytest.warns(ak.DesignWarning, match="20 rows have a missing value in a covariate"):
        fit = ak.sem(model, data, missing="fiml")
    assert fit.nobs == 280
    assert int(fit.sample.rows_used.sum()) == 280
    assert ak.sem(model, data, missing="fiml.x").nobs == 300


@pytest.mark.option("cfa.auxiliary", "unit")
def test_auxiliary_variables_leave_the_degrees_of_freedom() -> None:
    data = incomplete()
    plain, helped = ak.cfa(ONE, data, missing="fiml"), ak.cfa(ONE, data, missing="fiml", auxiliary=["helper", "age"])
    assert helped.fit_measures()["df"] == plain.fit_measures()["df"]
    assert helped.fit_measures()["baseline_df"] == plain.fit_measures()["baseline_df"]
    row = "bond =~ w3"
    before, after = (f.tidy().set_index("term").loc[row] for f in (plain, helped))
    assert after["estimate"] != before["estimate"]
    assert after["std_error"] == pytest.approx(before["std_error"], rel=0.2)


@pytest.mark.parametrize(
    ("model", "options", "word"),
    [
        (ONE, {"auxiliary": ["w1"], "missing": "fiml"}, "part of the model"),
        (ONE, {"auxiliary": ["helper", "helper"], "missing": "fiml"}, "named twice"),
        (ONE, {"auxiliary": "helper", "missing": "listwise"}, "incomplete rows"),
        (TWO, {"auxiliary": "helper", "missing": "fiml", "cluster": "therapist"}, "one level"),
    ],
)
def test_wrong_auxiliary_variables_are_refused(model: str, options: dict[str, object], word: str) -> None:
    with pytest.raises(SpecError, match=word):
        ak.cfa(model, incomplete(), **options)


def test_constraints_hold_and_cost_no_more_than_they_should() -> None:
    data = incomplete()
    free = ak.cfa("bond =~ w1 + a*w2 + b*w3 + c*w4", data, missing="fiml")
    held = ak.cfa("bond =~ w1 + a*w2 + b*w3 + c*w4\na*b == 0.5", data, missing="fiml")
    rows = held.tidy().set_index("label")["estimate"]
    assert rows["a"] * rows["b"] == pytest.approx(0.5, abs=1e-6)
    assert held.fit_measures()["df"] == free.fit_measures()["df"] + 1
    assert held.log_likelihood < free.log_likelihood
    above = ak.cfa("bond =~ w1 + a*w2 + b*w3 + c*w4\na > 1.5", data, missing="fiml")
    assert above.tidy().set_index("label")["estimate"]["a"] == pytest.approx(1.5, abs=1e-6)
    assert above.fit_measures()["df"] == free.fit_measures()["df"]
    bounded = ak.cfa("bond =~ w1 + lower(1.5)*w2 + w3 + w4", data, missing="fiml")
    assert bounded.tidy()["estimate"][1] == pytest.approx(1.5, abs=1e-6)
    assert bounded.log_likelihood == pytest.approx(above.log_likelihood, abs=1e-5)
    idle = ak.cfa("bond =~ w1 + a*w2 + b*w3 + c*w4\na > 0.01", data, missing="fiml")
    assert np.allclose(idle.tidy()["std_error"], free.tidy()["std_error"], rtol=1e-3)


@pytest.mark.option("cfa.cluster", "unit")
def test_clusters_of_a_model_with_one_level_change_standard_errors_alone() -> None:
    data = incomplete()
    plain = ak.cfa(ONE, data, missing="fiml")
    robust = ak.cfa(ONE, data, missing="fiml", cluster="therapist")
    assert np.allclose(plain.tidy()["estimate"], robust.tidy()["estimate"], atol=1e-5)
    assert not np.allclose(plain.tidy()["std_error"], robust.tidy()["std_error"], rtol=1e-3)
    assert "chisq_scaled" in robust.fit_measures()


def test_two_levels_show_intraclass_correlations_and_both_residuals() -> None:
    fit = ak.cfa(TWO, clustered(), cluster="therapist")
    table = fit.icc()
    assert list(table.columns) == ["variable", "icc", "n_clusters", "mean_size"]
    assert table["icc"].between(0.05, 0.6).all()
    measures = fit.fit_measures()
    assert measures["srmr"] == pytest.approx(measures["srmr_within"] + measures["srmr_between"])
    with pytest.raises(SpecError, match="two levels"):
        ak.cfa(ONE, incomplete(), missing="fiml").icc()


def test_two_levels_with_holes_and_a_covariate_between() -> None:
    model = f"{TWO}\nbetween ~ skill"
    whole, gaps = ak.sem(model, clustered(), cluster="therapist"), clustered(holes=True)
    fit = ak.sem(model, gaps, cluster="therapist", missing="fiml")
    term = fit.tidy().query("term == 'between ~ skill'").iloc[0]
    other = whole.tidy().query("term == 'between ~ skill'").iloc[0]
    assert abs(term["estimate"] - other["estimate"]) < other["std_error"]
    assert fit.nobs == len(gaps)


@pytest.mark.option("cfa.estimator", "unit")
def test_robust_errors_of_two_levels_with_holes_are_those_of_complete_data_without() -> None:
    data = clustered()
    whole = ak.cfa(TWO, data, cluster="therapist", estimator="MLR")
    data.loc[0, "w2"] = np.nan
    nearly = ak.cfa(TWO, data, cluster="therapist", estimator="MLR", missing="fiml")
    assert np.allclose(nearly.tidy()["std_error"], whole.tidy()["std_error"], rtol=0.05, atol=1e-3)
    equal = "level: 1\nf =~ w1 + b*w2 + c*w3\nlevel: 2\nf =~ w1 + b*w2 + c*w3"
    one = ak.cfa(equal, data.dropna(), cluster="therapist", estimator="MLR").fit_measures()
    other = ak.cfa(equal, data, cluster="therapist", estimator="MLR", missing="fiml").fit_measures()
    assert other["chisq_scaling_factor"] == pytest.approx(one["chisq_scaling_factor"], rel=0.1)
    assert other["df"] == 2


def test_two_levels_ask_for_clusters_that_can_be_told_apart() -> None:
    data = clustered()
    with pytest.raises(SpecError, match="cluster="):
        ak.cfa(TWO, data)
    with pytest.raises(DesignError, match="single row"):
        ak.cfa(TWO, data.assign(therapist=np.arange(len(data))), cluster="therapist")
    flat = data.assign(w2=data.groupby("therapist")["w2"].transform("mean"))
    with pytest.raises(DesignError, match="w2 does not vary within"):
        ak.cfa(TWO, flat, cluster="therapist")
    flat.loc[0, "w1"] = np.nan
    with pytest.raises(DesignError, match="w2 does not vary within"):
        ak.cfa(TWO, flat, cluster="therapist", missing="fiml")
    moving = data.assign(skill=np.arange(len(data)))
    with pytest.raises(DesignError, match="skill is in the between model only"):
        ak.sem(f"{TWO}\nbetween ~ skill", moving, cluster="therapist")


def test_clusters_of_one_row_are_counted() -> None:
    data = clustered()
    alone = data[(data["therapist"] > 2) | ~data.duplicated("therapist")]
    fit = ak.cfa(TWO, alone, cluster="therapist")
    assert "3 clusters have a single row" in fit._fit.source.notices[0]


def test_too_few_rows_have_no_chi_square() -> None:
    data = incomplete(n=8, seed=3)
    data["w5"], data["w6"], data["w7"] = data["w1"] ** 2, data["w4"] ** 2, data["age"] ** 3
    data.loc[0, "w1"] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ak.cfa("f =~ w1 + w4 + w5 + w6 + w7 + age + helper + w2", data, missing="fiml")
    assert any("could not be estimated" in str(w.message) for w in caught)
    assert np.isnan(fit.fit_measures()["chisq"])


def test_the_robust_error_of_the_mean_of_a_random_covariate_is_its_definition() -> None:
    """Of the mean of rows in clusters: the root of the summed squares of the clusters' sums, over the rows."""
    data = clustered()
    data["load"] = 0.5 * data["w1"] + np.random.default_rng(4).normal(size=len(data)) + 2.0
    model = TWO.replace("\nlevel: 2", "\nwithin ~ load\nlevel: 2")
    fit = ak.sem(model, data, cluster="therapist", estimator="MLR", fixed_x=False, missing="listwise")
    mean = fit.tidy().query("lhs == 'load' and op == '~1'").iloc[0]
    sums = (data["load"] - data["load"].mean()).groupby(data["therapist"]).sum()
    assert mean["estimate"] == pytest.approx(data["load"].mean())
    assert mean["std_error"] == pytest.approx(np.sqrt((sums**2).sum()) / len(data), rel=1e-6)


def test_no_robust_measures_where_the_scaling_is_negative() -> None:
    assert np.isnan(list(_rmsea(10.9, 6, 200, 1, "_robust", -1.8).values())).all()
    test, base = ModelTest(10.9, 6, -1.8), ModelTest(364.3, 18, 0.6)
    assert np.isnan(list(_robust_incremental(test, base).values())).all()
    assert np.isfinite(list(_robust_incremental(replace(test, factor=1.8), base).values())).all()
