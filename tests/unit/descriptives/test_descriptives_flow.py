"""The sample flow: counts by hand, reasons, arms, retention, the account of a fit, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.codebook import Codebook
from alliancekit.study.types import Study


@pytest.fixture
def trial() -> pd.DataFrame:
    """Six patients of two therapists: 1 never started, 2 has no outcome, 3 misses one session."""
    rows = []
    for patient in range(1, 7):
        for session in (1, 2, 3):
            rows.append(
                (patient, session, "A" if patient < 4 else "B", 1 + patient % 2, int(patient != 1), 30.0 - session)
            )
    frame = pd.DataFrame(rows, columns=["patient", "session", "arm", "therapist", "started", "pcl"])
    frame.loc[frame["patient"] == 2, "pcl"] = np.nan
    frame.loc[(frame["patient"] == 3) & (frame["session"] == 2), "pcl"] = np.nan
    return frame


def count(flow: object, stage: str, level: str, group: str = "Overall") -> int:
    table = flow.tidy()  # type: ignore[attr-defined]
    found = table[(table["stage"] == stage) & (table["level"] == level) & (table["group"] == group)]
    return int(found["n"].iloc[0])


@pytest.mark.option("sample_flow(outcome)", "unit")
def test_counts_by_hand(trial: pd.DataFrame) -> None:
    flow = ak.sample_flow(trial, outcome="pcl", steps={"Started treatment": "started"})
    assert [count(flow, "In the data", level) for level in ("therapist", "patient", "row")] == [2, 6, 18]
    assert [count(flow, "Started treatment", level) for level in ("patient", "row")] == [5, 15]
    assert [count(flow, "Outcome observed", level) for level in ("patient", "row")] == [4, 11]
    assert count(flow, "Outcome observed", "patient", "A") == 1
    assert flow.glance().iloc[0].to_dict() == {
        "n_start": 6,
        "n_end": 4,
        "rows_start": 18,
        "rows_end": 11,
        "percent": pytest.approx(100 * 4 / 6),
    }


def test_reasons_count_patients_once_and_rows_always(trial: pd.DataFrame) -> None:
    flow = ak.sample_flow(trial, outcome="pcl", steps={"Started treatment": "started"})
    whole = flow.exclusions[flow.exclusions["group"] == "Overall"].set_index("reason")
    assert whole.loc["Not started treatment", ["n_units", "n_rows"]].tolist() == [1, 3]
    assert whole.loc["pcl missing", ["n_units", "n_rows"]].tolist() == [1, 4]


@pytest.mark.option("sample_flow(fit)", "unit")
def test_the_account_of_a_fit(trial: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    frame = pd.concat([trial.assign(patient=trial["patient"] + 6 * k) for k in range(6)], ignore_index=True)
    frame["pcl"] += rng.normal(0, 3, len(frame)) + rng.normal(0, 3, 40)[frame["patient"]]
    frame["wai"] = rng.normal(size=len(frame))
    frame.loc[frame["patient"] == 6, "wai"] = np.nan
    fit = ak.mixed("pcl ~ wai + session + (1 | patient)", frame)
    flow = ak.sample_flow(frame, fit=fit)
    assert count(flow, "Analysed", "row") == fit.nobs
    assert count(flow, "Analysed", "patient") == fit.sample.groups["patient"]
    told = flow.exclusions[flow.exclusions["group"] == "Overall"].set_index("reason")
    assert {name.replace(" missing", ""): int(n) for name, n in told["n_rows"].items()} == {
        reason.split("'")[1]: n for reason, n in fit.sample.dropped
    }
    missing = flow.missing[flow.missing["group"] == "Overall"].set_index("variable")
    assert set(missing.index) == {"pcl", "wai", "session"}
    assert missing.loc["wai", ["n", "n_missing"]].tolist() == [108, 3]


def test_missing_values_of_patients_are_counted_once_per_patient(trial: pd.DataFrame) -> None:
    frame = trial.assign(age=trial["patient"].map({1: 30.0, 2: 31.0, 3: 40.0, 4: 50.0, 5: 60.0}))
    missing = ak.sample_flow(frame, columns=["age", "pcl"]).missing
    whole = missing[missing["group"] == "Overall"].set_index("variable")
    assert whole.loc["age", ["unit", "n", "n_missing"]].tolist() == ["patient", 6, 1]
    assert whole.loc["age", "percent"] == pytest.approx(100 / 6)
    assert whole.loc["pcl", ["unit", "n", "n_missing"]].tolist() == ["row", 18, 4]


def test_the_recorded_reason_is_told() -> None:
    columns = {"patient": {"role": "patient"}, "pcl_end": {"missing": {"-9": "dropped_out", "-8": "skipped"}}}
    book = Codebook.from_dict({"tables": {"outcome": {"columns": columns}}})
    table = pd.DataFrame({"patient": [1, 2, 3, 4], "pcl_end": [20.0, np.nan, np.nan, np.nan]})
    codes = {"outcome": pd.DataFrame({"pcl_end": [None, "-9", "-8", None]}, dtype=object)}
    study = Study({"outcome": table}, book, missing_codes=codes)
    flow = ak.sample_flow(study, outcome="pcl_end")
    whole = flow.exclusions.set_index("reason")["n_units"]
    assert whole.to_dict() == {"pcl_end missing (dropped_out)": 1, "pcl_end missing (skipped)": 1, "pcl_end missing": 1}
    assert dict(zip(flow.reasons["reason"], flow.reasons["n"], strict=True)) == {
        "dropped_out": 1,
        "not recorded": 1,
        "skipped": 1,
    }
    # The reasons follow the patient into a frame with other rows.
    turned = study.with_data(study.data.iloc[::-1].reset_index(drop=True))
    again = ak.sample_flow(turned, outcome="pcl_end").exclusions.set_index("reason")["n_units"]
    assert again.to_dict() == whole.to_dict()


@pytest.mark.option("sample_flow(time)", "unit")
def test_retention_by_occasion_and_arm(trial: pd.DataFrame) -> None:
    told = ak.sample_flow(trial, outcome="pcl", time="session").retention
    whole = told[told["group"] == "Overall"]
    assert whole["time"].tolist() == [1, 2, 3]
    assert whole["n_observed"].tolist() == [5, 4, 5]
    assert whole["n_expected"].tolist() == [6, 6, 6]
    assert told.query("group == 'A' and time == 2")["percent"].iloc[0] == pytest.approx(100 / 3)


@pytest.mark.option("sample_flow(arm)", "unit")
def test_arms_are_found_or_named(trial: pd.DataFrame) -> None:
    assert ak.sample_flow(trial).groups == ["A", "B"]
    renamed = trial.rename(columns={"arm": "condition"})
    assert ak.sample_flow(renamed).groups == []
    assert ak.sample_flow(renamed, arm="condition").groups == ["A", "B"]


@pytest.mark.option("sample_flow(steps)", "unit")
def test_steps_are_truth_values(trial: pd.DataFrame) -> None:
    for given in (
        "started",
        trial["patient"] > 1,
        (trial["patient"] > 1).tolist(),
        (trial["patient"] > 1).astype(object),
    ):
        assert count(ak.sample_flow(trial, steps={"Started": given}), "Started", "patient") == 5
    unknown = trial.assign(started=trial["started"].where(trial["patient"] != 2).astype("Int64"))
    assert count(ak.sample_flow(unknown, steps={"Started": "started"}), "Started", "patient") == 4


@pytest.mark.option("sample_flow(by)", "unit")
def test_another_unit_may_be_followed(trial: pd.DataFrame) -> None:
    flow = ak.sample_flow(trial.drop(columns="arm"), by="therapist", steps={"Even": trial["patient"] % 2 == 0})
    assert flow.tidy()["n"].tolist() == [2, 18, 1, 9]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"by": "patent"}, ak.SchemaError, "Did you mean 'patient'?"),
        ({"outcome": "pcl5"}, ak.DesignError, "'pcl5' (nearest: 'pcl')"),
        ({"time": "session"}, ak.SpecError, "retention needs an outcome"),
        (
            {"steps": {"Started": "session"}},
            ak.SchemaError,
            "a step must be true or false (step 'Started', column 'session')",
        ),
        ({"steps": {"Started": "arm"}}, ak.SchemaError, "a step must be true or false"),
        ({"steps": {"Started": [True]}}, ak.SpecError, "a step has 1 values for 18 rows"),
        ({"steps": {"Started": "startd"}}, ak.DesignError, "'startd' (nearest: 'started')"),
        ({"fit": 3}, ak.SpecError, "a int has no sample account"),
        ({"arm": "started", "by": "therapist"}, ak.SchemaError, "'started' changes inside 1 of 2 units (therapist 2)"),
    ],
)
def test_bad_input(trial: pd.DataFrame, options: dict, error: type, words: str) -> None:
    with pytest.raises(error) as caught:
        ak.sample_flow(trial, **options)
    assert words in str(caught.value)


def test_a_fit_of_other_rows_is_refused(trial: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    frame = pd.concat([trial.assign(patient=trial["patient"] + 6 * k) for k in range(4)], ignore_index=True)
    frame["pcl"] += rng.normal(0, 3, len(frame)) + rng.normal(0, 3, 40)[frame["patient"]]
    fit = ak.mixed("pcl ~ session + (1 | patient)", frame)
    with pytest.raises(ak.DesignError, match="the fit was made from 72 rows, the data have 18"):
        ak.sample_flow(trial, fit=fit)
    with pytest.raises(ak.SpecError, match="the fit used 12 rows that are left out before it"):
        ak.sample_flow(frame, fit=fit, steps={"Started": frame["patient"] % 6 != 0})


def test_too_many_occasions(trial: pd.DataFrame) -> None:
    frame = pd.concat([trial] * 4, ignore_index=True).assign(day=np.arange(72.0))
    with pytest.raises(ak.SpecError, match="'day' has 72 different values"):
        ak.sample_flow(frame, outcome="pcl", time="day")


def test_missing_values_are_counted_in_the_variables_of_a_structural_model() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(90, 1)) + rng.normal(size=(90, 4)), columns=list("abcd"))
    frame = frame.assign(patient=np.arange(90), other=np.nan)
    fit = ak.cfa("g =~ a + b + c + d", frame)
    assert fit.variables == ("a", "b", "c", "d")
    assert list(ak.sample_flow(frame, fit=fit).missing["variable"]) == ["a", "b", "c", "d"]
