"""Each check finds its planted fault, and nothing in clean data; nothing messy makes it raise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliancekit as ak


def clean() -> ak.Study:
    """Return a study of three tables in which nothing is wrong."""
    rng = np.random.default_rng(5)
    rows = [{"patient": f"p{p:02d}", "session": s} for p in range(12) for s in range(1, 5)]
    session = pd.DataFrame(rows)
    session["date"] = pd.to_datetime("2024-01-01") + pd.to_timedelta(7 * session["session"], unit="D")
    for i in range(1, 13):
        session[f"wai_{i}"] = rng.integers(1, 6, len(session)).astype(float)
    session["pcl"] = rng.integers(0, 81, len(session)).astype(float)
    session["mood"] = pd.Categorical(rng.choice(["low", "high"], len(session)), ["low", "high"])
    patient = pd.DataFrame({"patient": [f"p{p:02d}" for p in range(12)], "therapist": [f"t{p % 3}" for p in range(12)]})
    patient["age"] = rng.integers(20, 60, 12)
    therapist = pd.DataFrame({"therapist": ["t0", "t1", "t2"], "years": [3, 9, 20]})
    items = {f"wai_{i}": {"role": "item", "instrument": "WAI-SR", "item": i, "when": "during"} for i in range(1, 13)}
    book = {
        "tables": {
            "session": {
                "columns": {
                    "patient": {"role": "patient"},
                    "session": {"role": "session"},
                    "date": {"role": "date"},
                    **items,
                    "pcl": {"instrument": "PCL-5", "range": [0, 80], "when": "after"},
                    "mood": {"values": {"low": "", "high": ""}, "type": "category"},
                }
            },
            "patient": {
                "columns": {"patient": {"role": "patient"}, "therapist": {"role": "therapist"}, "age": {"unit": "y"}}
            },
            "therapist": {"columns": {"therapist": {"role": "therapist"}, "years": {"unit": "years"}}},
        }
    }
    return ak.Study({"session": session, "patient": patient, "therapist": therapist}, ak.Codebook.from_dict(book))


def changed(table: str, change: Callable[[pd.DataFrame], pd.DataFrame], **info: dict[str, Any]) -> ak.Study:
    """Return the clean study with one table changed, and codebook entries replaced."""
    study = clean()
    book = study.codebook.to_dict()
    for column, entries in info.items():
        book["tables"][table]["columns"].setdefault(column, {}).update(entries)
    tables = {**study.tables, table: change(study.tables[table].copy())}
    return ak.Study(tables, ak.Codebook.from_dict(book))


def put(row: int, column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        if isinstance(value, str) and not isinstance(frame[column].dtype, pd.CategoricalDtype):
            frame[column] = frame[column].astype(object)
        if isinstance(value, str) and isinstance(frame[column].dtype, pd.CategoricalDtype):
            frame[column] = frame[column].cat.add_categories([value])
        frame.loc[row, column] = value
        return frame

    return change


def again(row: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: pd.concat([frame, frame.iloc[[row]]], ignore_index=True)


def test_clean_data_have_no_findings() -> None:
    report = ak.validate(clean())
    assert report.findings.empty, report.findings["message"].tolist()
    assert report.valid
    assert report.require_valid() is report
    assert report.glance().iloc[0].to_dict() == {
        "tables": 3,
        "rows": 63,
        "errors": 0,
        "warnings": 0,
        "infos": 0,
        "valid": True,
    }


# name -> (study, code, severity, table, row, column, part of the sentence)
FAULTS: dict[str, tuple[ak.Study, str, str, str, Any, str | None, str]] = {
    "row twice": (
        changed("session", again(3)),
        "duplicate_row",
        "error",
        "session",
        48,
        "session",
        "row 48 repeats row 3: patient p00, session 4 is there 2 times",
    ),
    "patient twice": (
        changed("patient", again(3)),
        "duplicate_key",
        "error",
        "patient",
        12,
        "patient",
        "patient p03 is in rows 3, 12 of the table 'patient'; keep one.",
    ),
    "therapist twice": (
        changed("therapist", again(0)),
        "duplicate_key",
        "error",
        "therapist",
        3,
        "therapist",
        "therapist t0",
    ),
    "no patient": (
        changed("session", put(5, "patient", None)),
        "missing_patient",
        "error",
        "session",
        5,
        "patient",
        "row 5",
    ),
    "unknown patient": (
        changed("patient", lambda f: f.iloc[:-1]),
        "orphan",
        "warning",
        "session",
        44,
        "patient",
        "1 patient of the table 'session' (p11) is not in the table 'patient'",
    ),
    "unknown therapist": (
        changed("therapist", lambda f: f.iloc[1:]),
        "orphan",
        "warning",
        "patient",
        0,
        "therapist",
        "1 therapist of the table 'patient' (t0) is not in the table 'therapist'",
    ),
    "item out of the instrument's range": (
        changed("session", put(7, "wai_3", 6.0)),
        "out_of_range",
        "error",
        "session",
        7,
        "wai_3",
        "row 7, patient p01, session 4: 'wai_3' is 6, outside 1 to 5 (the range of WAI-SR)",
    ),
    "score out of the codebook's range": (
        changed("session", put(7, "pcl", 81.0)),
        "out_of_range",
        "error",
        "session",
        7,
        "pcl",
        "'pcl' is 81, outside 0 to 80 (the codebook's range)",
    ),
    "text in a column of items": (
        changed("session", put(7, "wai_3", "ja")),
        "text_in_numbers",
        "error",
        "session",
        7,
        "wai_3",
        "'wai_3' holds 'ja', which is not a number",
    ),
    "unknown label": (
        changed("session", put(7, "mood", "medium")),
        "unknown_label",
        "error",
        "session",
        7,
        "mood",
        "'mood' holds 'medium', which is none of the codebook's values (low, high)",
    ),
    "infinite": (
        changed("session", put(7, "pcl", np.inf), pcl={"range": None}),
        "infinite",
        "error",
        "session",
        7,
        "pcl",
        "infinite",
    ),
    "time backwards": (
        changed("session", put(6, "date", pd.Timestamp("2023-01-01"))),
        "time_backwards",
        "error",
        "session",
        6,
        "date",
        "row 6, patient p01, session 3: 'date' is 2023-01-01 00:00:00, earlier than 2024-01-15 00:00:00 at session 2",
    ),
    "alliance after the symptoms": (
        changed("session", lambda f: f, pcl={"when": "before"}),
        "timing",
        "warning",
        "session",
        None,
        "wai_1",
        "WAI-SR ('wai_1') is rated during the session and PCL-5 ('pcl') before it: in one row the alliance comes after "
        "the symptoms and cannot predict them. Predict the next session's value: ak.lead(data, 'pcl', ...).",
    ),
    "order of rating not stated": (
        changed("session", lambda f: f, pcl={"when": None}),
        "timing_unknown",
        "info",
        "session",
        None,
        "wai_1",
        'add "when": "before", "during" or "after" (the session) to both',
    ),
    "constant": (
        changed("session", lambda f: f.assign(pcl=3.0)),
        "constant",
        "warning",
        "session",
        None,
        "pcl",
        "same value (3.0)",
    ),
    "all missing": (
        changed("session", lambda f: f.assign(pcl=np.nan)),
        "all_missing",
        "warning",
        "session",
        None,
        "pcl",
        "48 rows",
    ),
    "several therapists": (
        changed("session", lambda f: f.assign(therapist=["t0"] * 47 + ["t1"]), therapist={"role": "therapist"}),
        "several_therapists",
        "info",
        "session",
        None,
        "therapist",
        "1 of 12 patients (p11)",
    ),
    "one session": (
        changed("session", lambda f: f.iloc[:-3]),
        "one_session",
        "info",
        "session",
        None,
        "patient",
        "1 of 12 patients (p11) have one row only",
    ),
    "undescribed": (
        changed("session", lambda f: f.assign(extra=range(48))),
        "undescribed",
        "info",
        "session",
        None,
        "extra",
        "the codebook says nothing about 'extra'",
    ),
    "two columns of one name": (
        changed("session", lambda f: pd.concat([f, f["pcl"]], axis=1)),
        "duplicate_column",
        "error",
        "session",
        None,
        "pcl",
        "several columns are called 'pcl' (columns 16, 18)",
    ),
    "blank in a name": (
        changed("patient", lambda f: f.rename(columns={"age": "age "})),
        "blank_in_name",
        "warning",
        "patient",
        None,
        "age ",
        "the column name 'age ' has blanks around it",
    ),
    "no rows": (changed("therapist", lambda f: f.iloc[:0]), "no_rows", "error", "therapist", None, None, "has no rows"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault(name: str) -> None:
    study, code, severity, table, row, column, said = FAULTS[name]
    findings = ak.validate(study).findings
    found = findings[findings["code"] == code]
    assert len(found) == 1, findings[["code", "message"]].values.tolist()
    first = found.iloc[0]
    assert (first["severity"], first["table"], first["row"], first["column"]) == (severity, table, row, column)
    assert said in first["message"]


def test_stamps_of_the_ratings_count_before_words() -> None:
    def stamped(frame: pd.DataFrame) -> pd.DataFrame:
        frame["wai_at"] = frame["date"] + pd.Timedelta(hours=10)
        frame["pcl_at"] = frame["date"] + pd.Timedelta(hours=12)
        frame.loc[3, "wai_at"] += pd.Timedelta(hours=5)
        return frame

    entries = {f"wai_{i}": {"rated_at": "wai_at"} for i in range(1, 13)}
    study = changed(
        "session", stamped, pcl={"rated_at": "pcl_at"}, wai_at={"unit": "t"}, pcl_at={"unit": "t"}, **entries
    )
    found = ak.validate(study).findings
    assert found["code"].tolist() == ["timing"]
    assert "in 1 of 48 rows 'wai_1' was rated after 'pcl' (first: row 3, patient p00, session 4)" in found["message"][0]


def test_labels_of_anchors_and_of_measured_numbers_are_not_complete() -> None:
    frame = pd.DataFrame(
        {"patient": [1, 1, 2, 2], "session": [1, 2, 1, 2], "x": [1, 2, 3, 7], "day": [-100, 10000, 5, 8]}
    )
    columns = {
        "patient": {"role": "patient"},
        "session": {"role": "session"},
        "x": {"values": {"1": "never", "7": "always"}, "range": [1, 7]},
        "day": {"values": {"-100": "before", "10000": "never"}, "type": "integer"},
    }
    study = ak.Study({"s": frame}, ak.Codebook.from_dict({"tables": {"s": {"columns": columns}}}))
    assert ak.validate(study).findings.empty
    columns["x"] = {"values": {"1": "a", "2": "b", "3": "c"}}
    study = ak.Study({"s": frame}, ak.Codebook.from_dict({"tables": {"s": {"columns": columns}}}))
    assert ak.validate(study).findings["code"].tolist() == ["unknown_label"]


def test_two_scores_on_one_day_are_a_warning() -> None:
    frame = pd.DataFrame({"patient": [1, 1, 1], "time": [0, 7, 7], "x": [3, 4, 5]})
    found = ak.validate(frame).findings
    assert found[["code", "severity"]].values.tolist() == [["duplicate_row", "warning"]]
    assert "keep one, or number the ratings" in found["message"][0]


def test_raters_and_targets_are_part_of_the_key() -> None:
    frame = pd.DataFrame({"patient": [1, 1, 1], "rater": ["P", "T", "T"], "session": [1, 1, 1], "x": [3, 4, 5]})
    assert ak.validate(frame).findings["row"].tolist()[0] == 2


def test_the_analysis_frame_is_checked_once_it_is_changed() -> None:
    study = ak.score(clean(), "WAI-SR")
    bad = study.data
    bad.loc[3, "wai_sr_task"] = 9
    report = ak.validate(study.with_data(bad))
    assert report.findings[["table", "row", "column", "code"]].values.tolist() == [
        ["analysis", 3, "wai_sr_task", "out_of_range"]
    ]


def test_the_report_shows_itself_and_raises_once() -> None:
    frame = pd.DataFrame({"patient": ["a", "a", "b"], "session": [1, 1, 2], "x": [1, 2, 3]})
    report = ak.validate(frame)
    assert repr(report).startswith(
        "Validation of data (3 rows): 1 error, 0 warnings, 1 note\n  error    row 1 repeats row 0"
    )
    assert report.tidy().equals(report.findings)
    assert report.findings["severity"].tolist() == ["error", "info"]
    with pytest.raises(ak.SchemaError, match="the data have 1 error:\n  - row 1 repeats row 0"):
        report.require_valid()
    with pytest.raises(ak.SpecError, match=r"severity='errors' is not an option. Did you mean severity='error'"):
        report.count("errors")


@pytest.mark.option("validate.roles", "planted faults")
@pytest.mark.option("validate.require", "planted faults")
def test_wrong_arguments() -> None:
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ak.SpecError, match="a str is not a study"):
        ak.validate("data.csv")  # type: ignore[arg-type]
    with pytest.raises(ak.SpecError, match="role='patent' is not an option"):
        ak.validate(frame, roles={"patent": "a"})
    with pytest.raises(ak.SpecError, match="roles= names columns that are not in the data: 'b' for 'patient'"):
        ak.validate(frame, roles={"patient": "b"})
    assert ak.validate(frame, require=()).findings.empty
    assert ak.validate(frame, roles={"patient": "a"}).findings.empty


CELLS = st.one_of(
    st.none(),
    st.integers(-999, 999),
    st.floats(),
    st.text(max_size=4),
    st.booleans(),
    st.dates(),
    st.just("2024-03-05"),
    st.just("1,5"),
    st.tuples(st.integers()),
    st.just(pd.NaT),
)
NAMES = st.sampled_from(["patient", "session", "time", "date", "therapist", "x", " x", "x", "", "rater", "target"])


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, max_size=5), rows=st.integers(0, 5), data=st.data())
def test_nothing_messy_makes_it_raise(names: list[str], rows: int, data: st.DataObject) -> None:
    columns = [pd.Series(data.draw(st.lists(CELLS, min_size=rows, max_size=rows)), dtype=object) for _ in names]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(rows))
    frame.columns = names
    for given_frame in (frame, frame.infer_objects()):
        report = ak.validate(given_frame)
        assert set(report.findings["severity"]) <= {"error", "warning", "info"}
        assert report.findings["message"].map(len).gt(10).all()


def test_many_rows_are_quick() -> None:
    n = 200_000
    frame = pd.DataFrame({"patient": np.repeat(np.arange(n // 10), 10), "session": np.tile(np.arange(10), n // 10)})
    frame["x"] = np.arange(n) % 63
    began = time.perf_counter()
    assert ak.validate(frame).findings.empty
    assert time.perf_counter() - began < 10
