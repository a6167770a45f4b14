"""The study: its analysis frame, joins, reasons for missing cells, labels."""

from __future__ import annotations

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.types import LogEntry, frame_of, resolve_column, return_like

SESSION = pd.DataFrame({"patient": ["1", "1", "2", "9"], "session": [1, 2, 1, 1], "bdi": [30, 20, 10, 5]})
PATIENT = pd.DataFrame({"patient": ["2", "1", "3"], "therapist": ["t2", "t1", "t1"], "age": [40, 50, 60]})
THERAPIST = pd.DataFrame({"therapist": ["t1", "t2"], "years": [3, 7]})


def test_the_only_table_is_the_analysis_frame() -> None:
    study = ak.Study({"anything": SESSION})
    pd.testing.assert_frame_equal(study.data, SESSION)
    changed = study.data
    changed["new"] = 1
    assert "new" not in study.data, "a frame handed out cannot change the study"


def test_patient_and_therapist_columns_are_joined() -> None:
    study = ak.Study({"session": SESSION, "patient": PATIENT, "therapist": THERAPIST})
    made = study.data
    assert len(made) == len(SESSION)
    assert made["age"].fillna(0).tolist() == [50, 50, 40, 0]
    assert made["years"].fillna(0).tolist() == [3, 3, 7, 0]
    assert list(made.columns) == ["patient", "session", "bdi", "therapist", "age", "years"]


def test_keys_of_other_names_and_types_are_joined_by_role() -> None:
    book = ak.Codebook.from_dict(
        {
            "tables": {
                "session": {"columns": {"pid": {"role": "patient"}}},
                "patient": {"columns": {"id": {"role": "patient"}}},
            }
        }
    )
    session = SESSION.rename(columns={"patient": "pid"})
    patient = PATIENT.rename(columns={"patient": "id"}).astype({"id": int})
    made = ak.Study({"session": session, "patient": patient}, book).data
    assert made["age"].fillna(0).tolist() == [50, 50, 40, 0]
    assert made["pid"].tolist() == ["1", "1", "2", "9"]
    assert "id" not in made.columns


def test_columns_both_tables_have() -> None:
    session = SESSION.assign(arm=["a", "a", "b", "b"], site=["x", "y", "x", "x"])
    patient = PATIENT.assign(arm=["b", "a", "a"], site=["x", "x", "x"])
    made = ak.Study({"session": session, "patient": patient}).data
    assert "arm_patient" not in made.columns, "equal values are kept once"
    assert made["site"].tolist() == ["x", "y", "x", "x"]
    assert made["site_patient"].fillna("-").tolist() == ["x", "x", "x", "-"]


def test_a_patient_listed_twice() -> None:
    twice = pd.concat([PATIENT, PATIENT.iloc[:1], PATIENT.iloc[1:2]])
    study = ak.Study({"session": SESSION, "patient": twice})
    with pytest.raises(
        ak.SchemaError, match=r"the table 'patient' lists 2 keys more than once: 2; 1 \(column patient\)"
    ):
        assert study.data is None


def test_which_table_is_meant() -> None:
    with pytest.raises(ak.SchemaError, match=r"which table is the analysis frame cannot be told \(tables: a, b\)"):
        assert ak.Study({"a": SESSION, "b": SESSION}).data is None
    with pytest.raises(ak.SchemaError, match="the study has no table"):
        assert ak.Study({}).data is None
    with pytest.raises(ak.SchemaError, match="the table 'patient' has no key: no column with the role 'patient'"):
        assert ak.Study({"session": SESSION, "patient": PATIENT.rename(columns={"patient": "id"})}).data is None
    book = ak.Codebook.from_dict({"tables": {"rating": {"columns": {"session": {"role": "session"}}}, "patient": {}}})
    assert len(ak.Study({"rating": SESSION, "patient": PATIENT}, book).data) == 4
    assert len(ak.Study({"patient": PATIENT, "therapist": THERAPIST}).data) == 3


def test_join() -> None:
    outcome = pd.DataFrame({"patient": ["1", "2"], "followup": [8, 9], "bdi": [1, 1]})
    study = ak.Study({"session": SESSION, "outcome": outcome})
    made = study.join("outcome", "patient", columns=["followup"])
    assert made.data["followup"].fillna(0).tolist() == [8, 8, 9, 0]
    assert made.log[0].detail == "table 'outcome' joined on patient; 3 of 4 rows found their partner"
    with pytest.raises(ak.SchemaError, match="both sides have the column 'bdi'"):
        study.join("outcome", "patient")
    with pytest.raises(ak.SchemaError, match=r"no table 'outcom'\. Did you mean 'outcome'"):
        study.join("outcom", "patient")
    with pytest.raises(ak.SchemaError, match="the table 'outcome' has no key column 'session'"):
        study.join("outcome", ["patient", "session"])
    with pytest.raises(ak.SchemaError, match="the table 'outcome' has no column 'x'"):
        study.join("outcome", "patient", columns=["x"])
    doubled = ak.Study({"session": SESSION, "outcome": pd.concat([outcome, outcome])})
    with pytest.raises(ak.SchemaError, match="the table 'outcome' lists 2 keys more than once: 1; 2"):
        doubled.join("outcome", "patient", columns=["followup"])


def test_join_by_two_keys_and_without_partner_for_missing_keys() -> None:
    session = SESSION.assign(patient=["1", None, "2", "9"])
    extra = pd.DataFrame({"patient": ["1", None, "2"], "session": [1, 2, 1], "wai": [4.0, 5.0, 3.0]})
    made = ak.Study({"session": session, "extra": extra}).join("extra", ["patient", "session"])
    assert made.data["wai"].fillna(0).tolist() == [4.0, 0, 3.0, 0]


def test_with_data_and_log() -> None:
    study = ak.Study({"s": SESSION})
    made = study.with_data(SESSION.head(2), LogEntry("mine", "two rows", rows_changed=2))
    assert len(made.data) == 2
    assert len(study.data) == 4
    assert [e.function for e in made.log] == ["mine"]
    assert made.with_data(made.data).log == made.log
    assert made.with_data(SESSION).log[-1].detail == "2 rows added"


def test_roles() -> None:
    study = ak.Study({"s": SESSION})
    assert study.role("patient") == "patient"
    assert study.role("therapist") is None
    with pytest.raises(ak.SchemaError, match=r"there is no column 'sesion'\. Did you mean 'session'"):
        resolve_column(study, "sesion", SESSION)


def test_frame_of_and_return_like() -> None:
    entry = LogEntry("f", "d")
    assert isinstance(return_like(SESSION, SESSION, entry), pd.DataFrame)
    assert return_like(ak.Study({"s": SESSION}), SESSION, entry).log == (entry,)
    with pytest.raises(ak.SpecError, match="a str is not a study"):
        frame_of("data.csv")


CODES = "id,x,y\n1,-9,a\n2,,b\n3,-8,\n4,5,c\n"
BOOK = {
    "tables": {
        "s": {
            "file": "s.csv",
            "columns": {"id": {"role": "patient"}, "x": {"missing": {"-9": "skipped", "-8": ""}}, "y": {}},
        }
    }
}


def test_missing_cells_keep_their_reason(folder_of) -> None:
    study = ak.read_study(folder_of({"s.csv": CODES, "codebook.json": BOOK}))
    assert study.data["x"].fillna(0).tolist() == [0, 0, 0, 5]
    reasons = study.missing_reasons()
    assert reasons["x"].fillna("").tolist() == ["skipped", "blank", "code -8", ""]
    assert reasons["y"].fillna("").tolist() == ["", "", "blank", ""]
    assert list(reasons.columns) == ["x", "y"]
    with pytest.raises(ak.SchemaError, match="say which table"):
        ak.Study({"a": SESSION, "b": SESSION}).missing_reasons()


def test_labels_instead_of_codes() -> None:
    columns = {"sex": {"values": {"2": "female", "1": "male"}}, "wai_1": {"role": "item", "values": {"1": "never"}}}
    book = ak.Codebook.from_dict({"tables": {"s": {"columns": columns}}})
    frame = pd.DataFrame({"sex": [1, 2, None], "wai_1": [1, 1, 1]})
    made = ak.Study({"s": frame}, book).labelled()
    assert made.data["sex"].cat.categories.tolist() == ["female", "male"]
    assert made.data["sex"].tolist()[:2] == ["male", "female"]
    assert made.data["wai_1"].tolist() == [1, 1, 1]
    assert made.log[0].detail == "codes of sex replaced by their labels"
    with pytest.raises(ak.SchemaError, match="the column 'sex' has values without a label: 3"):
        ak.Study({"s": frame.assign(sex=[1, 2, 3])}, book).labelled("sex")
    with pytest.raises(ak.SchemaError, match="there is no column 'age'"):
        ak.Study({"s": frame}, book).labelled("age")


def test_it_shows_itself() -> None:
    study = ak.Study(
        {"session": SESSION},
        ak.Codebook.from_dict({"tables": {"session": {"columns": {"patient": {"role": "patient"}}}}}),
    )
    assert repr(study) == "Study(in memory; tables: session 4 x 3; roles: patient=patient; 0 steps)"


def test_what_is_known_of_a_column_comes_from_the_table_that_describes_it() -> None:
    columns = {
        "session": {"columns": {"patient": {}}},
        "patient": {"columns": {"patient": {"label": "Code", "role": "patient"}}},
    }
    study = ak.Study({"session": SESSION, "patient": PATIENT}, ak.Codebook.from_dict({"tables": columns}))
    assert study.column_info("patient").label == "Code"
    assert study.codebook.columns()["patient"].label == "Code"


def test_a_role_is_looked_for_among_the_columns_that_are_left() -> None:
    columns = {
        "patient": {"columns": {"id": {"role": "patient"}}},
        "session": {"columns": {"pid": {"role": "patient"}}},
    }
    tables = {
        "patient": PATIENT.rename(columns={"patient": "id"}),
        "session": SESSION.rename(columns={"patient": "pid"}),
    }
    study = ak.Study(tables, ak.Codebook.from_dict({"tables": columns}))
    assert study.role("patient") == "pid"
    assert "bdi_within" in ak.within_between(study, "bdi", by="patient").data
