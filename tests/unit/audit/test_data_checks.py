"""Checks of the data behind a result: dropout, scales, items, keys, alternatives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.audit import (
    careless,
    dichotomised,
    dropout,
    early_change,
    floor_ceiling,
    instrument_key,
    measurement_error,
    multiplicity,
)
from alliancekit.study.codebook import Codebook
from alliancekit.study.types import LogEntry, Study

from .support import context, fit, persons, sessions, validity

RANDOM = "(1 | patient) + (1 | therapist)"


# --- dropout ---


def test_dropout_that_follows_severity_warns() -> None:
    data = persons(n=200)
    data.loc[data["severity"] > 0.4, "y"] = np.nan
    found = dropout.check(context(validity(data), data))
    assert found.status == "warn" and found.numbers["d_severity"] > 1 and "multiple imputation" in found.advice


def test_little_and_unrelated_dropout_passes() -> None:
    data = persons(n=200)
    data.loc[:3, "y"] = np.nan
    assert dropout.check(context(validity(data), data)).status == "pass"
    rng = np.random.default_rng(12)
    many = persons(n=600)
    many.loc[rng.random(600) < 0.12, "y"] = np.nan
    found = dropout.check(context(validity(many), many))
    assert found.status == "pass" and abs(found.numbers["d_severity"]) < 0.3


def test_much_dropout_warns_whoever_left() -> None:
    data = persons(n=600)
    data.loc[np.random.default_rng(1).random(600) < 0.4, "y"] = np.nan
    assert dropout.check(context(validity(data), data)).status == "warn"


def test_dropout_needs_the_rows_left_out() -> None:
    data = persons()
    data.loc[:30, "y"] = np.nan
    assert dropout.check(context(validity(data))).status == "not checked"
    with pytest.raises(ak.SpecError, match="Did you mean 'severity'"):
        dropout.check(context(validity(data), data, baseline=("severty",)))


def test_courses_that_end_early_are_compared_at_their_start() -> None:
    data = sessions()
    whole = dropout.check(context(fit(f"y ~ time + {RANDOM}", data), data))
    assert whole.status == "pass" and whole.numbers["share"] == 0
    start = data.groupby("patient")["y"].transform("first")
    cut = data[~((start > start.median()) & (data["time"] > 3))]
    found = dropout.check(context(fit(f"y ~ time + {RANDOM}", cut), cut))
    assert found.status == "warn" and found.numbers["d_first y"] > 1


def test_standardised_difference_agrees_with_welch() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    values, gone = rng.normal(size=50), np.arange(50) < 18
    d, p = dropout.standardised_difference(values, gone)
    assert p == pytest.approx(ttest_ind(values[gone], values[~gone], equal_var=False).pvalue)
    pooled = np.sqrt((17 * values[gone].var(ddof=1) + 31 * values[~gone].var(ddof=1)) / 48)
    assert d == pytest.approx((values[gone].mean() - values[~gone].mean()) / pooled)
    assert dropout.standardised_difference(values, np.arange(50) < 1) is None


# --- early change ---


def test_early_change_in_and_out_of_the_model() -> None:
    data = persons()
    data["change"] = np.random.default_rng(3).normal(size=len(data))
    inside = validity(data, ("severity", "change", "task"))
    assert early_change.check(context(inside, data, early_change="change")).status == "pass"
    outside = validity(data)
    found = early_change.check(context(outside, data, early_change="change"))
    assert found.status == "warn" and "'change'" in found.advice
    assert early_change.check(context(outside, data)).status == "not checked"
    with pytest.raises(ak.SpecError, match="Did you mean 'change'"):
        early_change.check(context(outside, data, early_change="chang"))


def test_early_change_is_found_by_instrument() -> None:
    columns = {c: {"instrument": "PCL-5"} for c in ("y", "severity", "severity_change", "week_4")}
    columns |= {c: {"instrument": "WAI-SR"} for c in ("task", "bond")}
    book = {"tables": {"p": {"columns": columns}}}
    data = persons()
    data["severity_change"] = np.random.default_rng(3).normal(size=len(data))
    study = Study(tables={"p": data}, codebook=Codebook.from_dict(book))
    assert early_change.check(context(validity(study), study)).status == "warn"
    with_change = validity(study, ("severity", "severity_change", "task"))
    assert early_change.check(context(with_change, study)).status == "pass"
    data["week_4"] = data["severity"] + np.random.default_rng(4).normal(size=len(data))
    data["gain"] = data["week_4"] - data["severity"]
    study = Study(tables={"p": data}, codebook=Codebook.from_dict(book))
    by_hand = validity(study, ("severity", "gain", "task"))
    assert early_change.check(context(by_hand, study)).status == "pass"
    data["gain"] = np.random.default_rng(5).normal(size=len(data))
    unknown = validity(study.with_data(data), ("severity", "gain", "task"))
    assert early_change.check(context(unknown, study.with_data(data))).status == "not checked"


# --- measurement error ---


def test_measurement_error_in_rivals_warns() -> None:
    data = persons()
    result = validity(data)
    assert measurement_error.check(context(result, data)).status == "not checked"
    good = {"task": 0.95, "bond": 0.95}
    assert measurement_error.check(context(result, data, reliability=good)).status == "pass"
    found = measurement_error.check(context(result, data, reliability={"task": 0.8, "bond": 0.7}))
    assert found.status == "warn" and abs(found.numbers["slope_corrected"]) > abs(found.numbers["slope"])
    impossible = measurement_error.check(context(result, data, reliability={"task": 0.3, "bond": 0.3}))
    assert impossible.status == "warn" and "not possible" in impossible.evidence
    with pytest.raises(ak.SpecError, match="between 0 and 1"):
        measurement_error.check(context(result, data, reliability={"task": 1.2}))


def test_corrected_slopes_recover_the_slopes_behind_error() -> None:
    rng = np.random.default_rng(8)
    true = rng.normal(size=(200_000, 2)) @ np.array([[1, 0.7], [0, 0.714]])
    y = 1.0 * true[:, 0] + rng.normal(size=200_000)
    seen = true + rng.normal(size=true.shape) * 0.5
    reliability = [float(true[:, j].var() / seen[:, j].var()) for j in (0, 1)]
    before, after = measurement_error.corrected_slopes(seen, y, reliability)
    assert before[1] > 0.1
    assert after == pytest.approx([1.0, 0.0], abs=0.03)


# --- floor and ceiling ---


def test_ceiling_of_the_outcome_warns() -> None:
    data = persons()
    assert floor_ceiling.check(context(validity(data))).status == "pass"
    data["y"] = np.minimum(data["y"], data["y"].quantile(0.7))
    found = floor_ceiling.check(context(validity(data)))
    assert found.status == "warn" and found.numbers["ceiling_y"] == pytest.approx(0.3, abs=0.02)


def test_range_of_the_codebook_counts() -> None:
    data = persons()
    data["y"] = np.round(np.clip(data["y"], 40, 60))
    book = {"tables": {"p": {"columns": {"y": {"range": [0, 100]}}}}}
    study = Study(tables={"p": data}, codebook=Codebook.from_dict(book))
    found = floor_ceiling.check(context(validity(study), study))
    assert found.numbers["floor_y"] == 0.0 and found.numbers["ceiling_y"] == 0.0


# --- dichotomised predictors ---


def test_median_split_warns_and_a_true_group_does_not() -> None:
    data = persons()
    data["high"] = (data["severity"] > data["severity"].median()).astype(int)
    found = dichotomised.check(context(validity(data, ("high", "task")), data))
    assert found.status == "warn" and "'severity'" in found.evidence
    data["high"] = np.random.default_rng(1).integers(0, 2, len(data))
    assert dichotomised.check(context(validity(data, ("high", "task")), data)).status == "pass"


# --- careless answers and keys ---


def answers(straight: int, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    trait = rng.normal(size=(n, 1))
    items = np.clip(np.round(3.4 + 0.7 * trait + rng.normal(0, 0.9, (n, 12))), 1, 5)
    items[:straight] = 5.0
    return pd.DataFrame(items, columns=[f"wai_{i}" for i in range(1, 13)])


def item_study(forms: pd.DataFrame, log: tuple[LogEntry, ...] = ()) -> Study:
    columns = {f"wai_{i}": {"role": "item", "instrument": "WAI-SR", "item": i} for i in range(1, 13)}
    book = Codebook.from_dict({"tables": {"p": {"columns": {}}, "forms": {"columns": columns}}})
    data = persons(n=len(forms))
    return Study(tables={"p": data, "forms": forms}, codebook=book, log=log, frame=data)


def test_straight_lining_warns() -> None:
    study = item_study(answers(60))
    found = careless.check(context(validity(study), study))
    assert found.status == "warn" and found.numbers["same_WAI-SR"] == pytest.approx(0.3, abs=0.02)
    study = item_study(answers(2))
    assert careless.check(context(validity(study), study)).status == "pass"
    assert careless.check(context(validity(persons()))).status == "not checked"


def test_items_can_be_named() -> None:
    data = pd.concat([persons(n=200), answers(60)], axis=1)
    named = tuple(f"wai_{i}" for i in range(1, 13))
    assert careless.check(context(validity(data), data, items=named)).status == "warn"
    with pytest.raises(ak.SpecError, match="wai_13"):
        careless.check(context(validity(data), data, items=("wai_1", "wai_13")))


def test_longstring() -> None:
    assert careless.longstring(np.array([[1.0, 2, 2, 2, 1], [3, 3, 1, 3, 3]])).tolist() == [3, 2]


def test_unverified_key_warns_and_verified_passes() -> None:
    for status, expected in (("verified", "pass"), ("unverified", "warn"), ("user", "warn")):
        study = item_study(answers(0), (LogEntry("score", "scored", "WAI-SR", status, 10),))
        assert instrument_key.check(context(validity(study), study)).status == expected
    assert instrument_key.check(context(validity(persons()))).status == "not checked"
    study = item_study(answers(0))
    assert instrument_key.check(context(validity(study), study)).status == "not checked"


def test_an_item_that_runs_against_the_rest_warns() -> None:
    forms = answers(0)
    forms["wai_4"] = 6 - forms["wai_4"]
    study = item_study(forms, (LogEntry("score", "scored", "WAI-SR", "verified", 10),))
    found = instrument_key.check(context(validity(study), study))
    assert found.status == "warn" and "item 4" in found.evidence


# --- multiplicity ---


def test_multiplicity() -> None:
    result = validity(persons())
    assert multiplicity.check(context(result)).status == "not checked"
    fragile = {"sessions 1-3": 0.04, "sessions 2-4": 0.03, "session 3": 0.20}
    assert multiplicity.check(context(result, alternatives=fragile)).status == "warn"
    firm = {"sessions 1-3": 0.001, "sessions 2-4": 0.0004, "session 3": 0.002}
    assert multiplicity.check(context(result, alternatives=firm)).status == "pass"
    nothing = {"sessions 1-3": 0.4, "sessions 2-4": 0.7}
    assert multiplicity.check(context(result, alternatives=nothing)).status == "pass"
    with pytest.raises(ak.SpecError, match="between 0 and 1"):
        multiplicity.check(context(result, alternatives={"a": 1.4}))


def test_holm_agrees_with_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = [0.04, 0.001, 0.3, 0.02, 0.02]
    assert multiplicity.holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())
