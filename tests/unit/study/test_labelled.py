"""SPSS and Stata files: labels, user-missing codes and their reasons survive, in the codebook and cell by cell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

import alliancekit as ak

SEX = {1.0: "male", 2.0: "female"}


def spss(path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": ["007", "018", "020", "021"],
            "sex": [1.0, 2.0, 2.0, 9.0],
            "wai_1": [5.0, -9.0, -8.0, None],
            "word": ["yes", "XX", "no", ""],
            "free": [1.5, 97.0, 98.0, 2.5],
        }
    )
    pyreadstat.write_sav(
        frame,
        str(path),
        column_labels={"wai_1": "Item <1> of the scale", "sex": "Sex"},
        variable_value_labels={
            "sex": {**SEX, 9.0: "not said"},
            "wai_1": {1.0: "seldom", 5.0: "always", -9.0: "skipped", -8.0: "session missed", -7.0: "dropped out"},
        },
        missing_ranges={"sex": [9], "wai_1": [{"lo": -9, "hi": -7}], "word": ["XX"], "free": [{"lo": 97, "hi": 99}]},
    )


def test_spss(tmp_path: Path) -> None:
    path = tmp_path / "s.sav"
    spss(path)
    study = ak.read_study(path, roles={"patient": "id"})
    frame, book = study.data, study.codebook
    assert frame["id"].tolist() == ["007", "018", "020", "021"]
    assert frame["sex"].fillna(0).tolist() == [1, 2, 2, 0]
    assert frame["wai_1"].fillna(0).tolist() == [5, 0, 0, 0]
    assert frame["word"].fillna("-").tolist() == ["yes", "-", "no", "-"]
    assert frame["free"].fillna(0).tolist() == [1.5, 0, 0, 2.5]
    reasons = study.missing_reasons().fillna("")
    assert reasons["sex"].tolist() == ["", "", "", "not said"]
    assert reasons["wai_1"].tolist() == ["", "skipped", "session missed", "blank"]
    assert reasons["word"].tolist() == ["", "user-missing XX", "", "blank"]
    assert reasons["free"].tolist() == ["", "user-missing 97", "user-missing 98", ""]
    info = book.column("wai_1")
    assert info.label == "Item <1> of the scale"
    assert info.values == {"1": "seldom", "5": "always"}
    assert info.missing == {"-9": "skipped", "-8": "session missed", "-7": "dropped out"}
    assert book.column("sex").values == {"1": "male", "2": "female"}
    assert study.labelled("sex").data["sex"].astype(object).fillna("-").tolist() == ["male", "female", "female", "-"]


def test_stata(tmp_path: Path) -> None:
    path = tmp_path / "s.dta"
    frame = pd.DataFrame(
        {"id": [1, 2, 3, 4], "sex": [1, 2, 2, 1], "bdi": [30.5, "a", "b", None], "note": ["a", "b", "", "d"]}
    )
    pyreadstat.write_dta(
        frame,
        str(path),
        column_labels={"bdi": "Depression"},
        variable_value_labels={"sex": {1: "male", 2: "female"}},
        missing_user_values={"bdi": ["a", "b"]},
    )
    study = ak.read_study(path)
    assert study.data["bdi"].fillna(0).tolist() == [30.5, 0, 0, 0]
    assert study.data["note"].fillna("-").tolist() == ["a", "b", "-", "d"], "letters in a text are no missing codes"
    assert study.missing_reasons()["bdi"].fillna("").tolist() == ["", "user-missing a", "user-missing b", "blank"]
    assert study.codebook.column("bdi").label == "Depression"
    assert study.codebook.column("sex").values == {"1": "male", "2": "female"}
    assert study.data["sex"].dtype == "int64"


@pytest.mark.parametrize("name", ["s.sav", "s.dta"])
def test_what_was_read_can_be_written_and_read(tmp_path: Path, name: str) -> None:
    if name == "s.sav":
        spss(tmp_path / name)
    else:
        frame = pd.DataFrame({"id": [1, 2], "x": [1.5, "a"]})
        pyreadstat.write_dta(frame, str(tmp_path / name), missing_user_values={"x": ["a"]})
    study = ak.read_study(tmp_path / name)
    back = ak.read_study(ak.write_study(study, tmp_path / "out"))
    pd.testing.assert_frame_equal(back.data, study.data)
    pd.testing.assert_frame_equal(back.missing_reasons(), study.missing_reasons())
    for column in study.data.columns:
        ours, theirs = study.codebook.column(column), back.codebook.column(column)
        assert (ours.label, ours.values, ours.missing) == (theirs.label, theirs.values, theirs.missing)
