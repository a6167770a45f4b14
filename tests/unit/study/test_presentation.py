"""How the study layer's results look in a report."""

from __future__ import annotations

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.study import MEANING, make_banners, make_figure
from alliancekit.study.validate import ValidationReport
from tests.unit.study.test_validate import FAULTS, clean


def faulty() -> ValidationReport:
    frame = pd.DataFrame({"patient": ["anna", "anna", "anna", "bert"], "session": [1, 1, 1, 2], "x": [5.0] * 4})
    return ak.validate(frame)


def test_table_of_a_validation_counts_and_names_nobody() -> None:
    table = ak.table(faulty())
    assert table.title == "Findings of the Data Validation"
    assert table.data.values.tolist() == [
        ["error", "Patient and occasion entered twice", "session", 2],
        ["warning", "Column with one value", "x", 1],
        ["note", "Patients with one row", "patient", 1],
    ]
    assert table.marks == {(0, "severity"): "bad", (1, "severity"): "warn"}
    assert "anna" not in table.data.to_csv() + " ".join(table.notes)
    assert table.notes[0] == "4 rows checked: data (4 rows)."


def test_sentence_of_a_validation_follows_the_table() -> None:
    said = ak.sentence(faulty()).text
    assert said == (
        "Validation of 4 rows gave 2 errors, 1 warning and 1 note. Errors: patient and occasion entered twice (2)."
    )
    assert ak.sentence(ak.validate(clean())).text == "Validation of 63 rows gave no errors, no warnings and no notes."
    assert ak.table(ak.validate(clean())).data.empty


@pytest.mark.parametrize("name", FAULTS)
def test_every_kind_of_finding_has_words(name: str) -> None:
    assert FAULTS[name][1] in MEANING


def test_table_and_sentence_of_a_study_show_its_steps() -> None:
    study = ak.lag(ak.score(clean(), "WAI-SR"), "wai_sr_task", by="patient", time="session")
    table = ak.table(study)
    assert table.data["function"].tolist() == ["score", "lag"]
    assert table.data["key_status"].tolist() == ["verified", ""]
    assert table.marks == {(0, "key_status"): "good"}
    assert ak.sentence(study).text == ("The study has 3 tables with 63 rows in all. Scored were WAI-SR (verified key).")
    assert make_banners(study) == ()


def test_unverified_keys_get_a_banner() -> None:
    frame = pd.DataFrame({f"q{i}": [1, 2] for i in range(1, 10)})
    study = ak.score(ak.Study({"s": frame}), "PHQ-9", prefix="q")
    banners = make_banners(study)
    assert [b.text for b in banners] == [
        "The scoring key of PHQ-9 has not been checked against its manual: compare it before the scores are used."
    ]


def test_what_cannot_be_presented() -> None:
    with pytest.raises(ak.ReportError, match="a ValidationReport has no figure"):
        make_figure(faulty())
    with pytest.raises(ak.ReportError, match="several results of the study layer cannot share a table"):
        ak.table(faulty(), faulty())
    with pytest.raises(ak.ReportError, match="a LogEntry has no table"):
        ak.table(ak.score(clean(), "WAI-SR").log[0])


def test_descriptives_are_handed_on() -> None:
    made = ak.table(ak.describe(clean(), ["pcl"]))
    assert "pcl" in made.data.astype(str).to_csv()
