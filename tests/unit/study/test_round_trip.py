"""Write and read again: the same study, to the last digit."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alliancekit as ak
from alliancekit.study.codebook import ColumnInfo


def check(study: ak.Study, folder: Path) -> ak.Study:
    back = ak.read_study(ak.write_study(study, folder, overwrite=True))
    assert list(back.tables) == list(study.tables)
    for name, frame in study.tables.items():
        pd.testing.assert_frame_equal(back.tables[name], frame)
        pd.testing.assert_frame_equal(back.missing_reasons(name), study.missing_reasons(name))
    again = ak.read_study(ak.write_study(back, folder, overwrite=True))
    assert again.codebook == back.codebook
    assert again.provenance == back.provenance, "writing what was read gives the same bytes"
    return back


EVERYTHING = pd.DataFrame(
    {
        "id": ["007", "018", "7"],
        "number": [0.1, 1 / 3, 1e-300],
        "gaps": [1.0, np.nan, 3.0],
        "whole": [1, 2, 10**17],
        "yes": [True, False, True],
        "text": ['a, "b"\nc', "NA", " blank "],
        "numbers_as_text": ["1", "2", "03"],
        "arm": pd.Categorical(["TAU", "CBT", "TAU"], ["TAU", "CBT", "never used"]),
        "stage": pd.Categorical(["mid", None, "low"], ["low", "mid", "high"], ordered=True),
        "day": pd.to_datetime(["2024-02-29", None, "1999-12-31"]).astype("datetime64[us]"),
        "stamp": pd.to_datetime(["2024-02-29 08:30:15", None, "1999-12-31 00:00:00"]).astype("datetime64[us]"),
        "code": ["Zürich", "<script>alert(1)</script>", "=1+1"],
        "nothing": [np.nan] * 3,
    }
)


def test_every_type(tmp_path: Path) -> None:
    study = ak.Study({"session": EVERYTHING})
    back = check(study, tmp_path)
    assert back.data["arm"].cat.categories.tolist() == ["TAU", "CBT", "never used"]
    assert back.data["stage"].cat.ordered


def test_codebook_entries_survive(tmp_path: Path) -> None:
    columns = {
        "id": {"role": "patient", "label": "«Code»"},
        "gaps": {"missing": {"-9": "skipped"}, "range": [0, 3], "unit": "points", "instrument": "SAI", "item": 2},
        "arm": {"values": {"TAU": "Usual care", "CBT": "Therapy"}},
        "whole": {"when": "before", "rated_at": "stamp", "level": "session"},
    }
    book = ak.Codebook.from_dict({"title": "T", "tables": {"session": {"file": "x.csv", "columns": columns}}})
    back = check(ak.Study({"session": EVERYTHING}, book), tmp_path)
    for name in ("id", "gaps", "whole"):
        ours, theirs = book.column(name), back.codebook.column(name)
        for part in ("label", "role", "missing", "range", "unit", "instrument", "item", "when", "rated_at", "level"):
            assert getattr(ours, part) == getattr(theirs, part)
    assert back.codebook.column("arm").values == {"TAU": "Usual care", "CBT": "Therapy", "never used": "never used"}
    assert back.codebook.about == {"title": "T"}


def test_missing_codes_are_written_as_codes(folder_of, tmp_path: Path) -> None:
    columns = {"id": {"role": "patient"}, "x": {"missing": {"-9": "skipped", "-8": "skipped"}}}
    book = {"tables": {"s": {"file": "s.csv", "columns": columns}}}
    study = ak.read_study(folder_of({"s.csv": "id,x\n01,-9\n02,-8\n03,\n04,2\n", "codebook.json": book}))
    check(study, tmp_path / "out")
    assert (tmp_path / "out" / "s.csv").read_text(encoding="utf-8") == "id,x\n01,-9\n02,-8\n03,\n04,2.0\n"


def test_the_analysis_frame_is_written_with_its_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"patient": [1, 1, 2], "session": [1, 2, 1], "x": [1.0, 2.0, 3.0]})
    study = ak.lag(ak.Study({"session": frame}), "x", by="patient", time="session")
    back = ak.read_study(ak.write_study(study, tmp_path))
    pd.testing.assert_frame_equal(back.data, study.data)
    assert list(back.tables) == ["session", "analysis"]
    assert back.column_info("x_lag1").label == study.column_info("x_lag1").label
    assert back.codebook.analysis == "analysis"
    more = ak.within_between(back, "x", by="patient")
    pd.testing.assert_frame_equal(ak.read_study(ak.write_study(more, tmp_path / "2")).data, more.data)


def test_several_tables(tmp_path: Path) -> None:
    tables = {
        "session": pd.DataFrame({"patient": ["1", "02"], "x": [1, 2]}),
        "patient": pd.DataFrame({"patient": ["1", "02"], "age": [3, 4]}),
    }
    book = ak.Codebook().with_columns("session", {"patient": ColumnInfo(role="patient")})
    book = book.with_columns("patient", {"patient": ColumnInfo(role="patient")})
    back = check(ak.Study(tables, book), tmp_path)
    assert back.data["age"].tolist() == [3, 4]


WORDS = st.one_of(
    st.none(), st.text(alphabet=string.printable + "äÖ€'«", min_size=1, max_size=8).filter(lambda t: t.strip() != "")
)
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(WORDS, min_size=3, max_size=3),
    numbers=st.lists(NUMBERS, min_size=3, max_size=3),
    whole=st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3),
)
def test_any_text_and_number(
    tmp_path: Path, words: list[str | None], numbers: list[float | None], whole: list[int]
) -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "text": pd.Series(words, dtype="str"),
            "number": pd.Series(numbers, dtype="float64"),
            "whole": whole,
        }
    )
    check(ak.Study({"s": frame}), tmp_path)


def test_the_shipped_studies_survive(tmp_path: Path) -> None:
    root = Path(__file__).parents[3] / "data"
    for name in ("btheb", "enrichd_cbt_bdi"):
        check(ak.read_study(root / name), tmp_path / name)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"a": [1.0, np.inf]}), "the column 'a' of the table 's' has infinite values"),
        (pd.DataFrame({"a": [1, np.nan], "b": [1, np.nan]}), r"rows of the table 's' hold no value at all \(row 1\)"),
        (pd.DataFrame({"a": []}), "the table 's' has no columns or no rows"),
        (pd.DataFrame(index=[0]), "the table 's' has no columns or no rows"),
        (pd.DataFrame({"a": [1 + 2j]}), "the column 'a' of the table 's' would not read back as it is"),
    ],
)
def test_what_csv_cannot_hold(tmp_path: Path, frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(ak.SchemaError, match=said):
        ak.write_study(ak.Study({"s": frame}), tmp_path)
    assert not list(tmp_path.iterdir()), "nothing is written when something fails"


def test_a_value_that_is_a_missing_code_cannot_be_written(tmp_path: Path) -> None:
    book = ak.Codebook().with_columns("s", {"x": ColumnInfo(missing={"5": "skipped"})})
    with pytest.raises(ak.SchemaError, match="would not read back as it is"):
        ak.write_study(ak.Study({"s": pd.DataFrame({"x": [5, 6]})}, book), tmp_path)


@pytest.mark.option("write_study.overwrite", "files of an earlier study")
def test_an_older_study_is_not_overwritten(tmp_path: Path) -> None:
    study = ak.Study({"s": pd.DataFrame({"x": [1]})})
    ak.write_study(study, tmp_path)
    with pytest.raises(ak.ReadError, match=r"there is a study in the folder already .*Use overwrite=True"):
        ak.write_study(study, tmp_path)
    ak.write_study(study, tmp_path, overwrite=True)


def test_table_names_become_safe_file_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1]})
    back = ak.read_study(ak.write_study(ak.Study({"../a/b": frame}), tmp_path / "in"))
    assert list(back.tables) == ["../a/b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
    with pytest.raises(ak.SchemaError, match=r"two tables would both be written as 'a_b\.csv'"):
        ak.write_study(ak.Study({"a/b": frame, "a?b": frame}), tmp_path / "x")
