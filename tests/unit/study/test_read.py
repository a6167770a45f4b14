"""One table in every format and encoding gives one frame."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

import alliancekit as ak

FRAME = pd.DataFrame(
    {
        "id": ["007", "007", "018"],
        "session": [1, 2, 1],
        "bdi": [30.5, None, 12.25],
        "place": ["Zürich", "Malmö", "Århus; Øst"],
        "date": pd.to_datetime(["2024-02-28", "2024-03-06", "2024-01-02"]).astype("datetime64[us]"),
    }
)


def text(delimiter: str = ",", decimal: str = ".") -> str:
    lines = [delimiter.join(FRAME.columns)]
    for row in FRAME.itertuples(index=False):
        number = "" if pd.isna(row.bdi) else str(row.bdi).replace(".", decimal)
        cells = [row.id, str(row.session), number, row.place, f"{row.date:%Y-%m-%d}"]
        lines.append(delimiter.join(f'"{c}"' if delimiter in c else c for c in cells))
    return "\n".join(lines) + "\n"


def check(path: Path, **options: object) -> ak.Study:
    study = ak.read_study(path, **options)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(study.data, FRAME)
    return study


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.option("read_study.encoding", "same frame in seven encodings")
@pytest.mark.option("read_study.delimiter", "same frame with four delimiters")
def test_text_in_any_encoding_and_delimiter(tmp_path: Path, encoding: str, delimiter: str, ending: str) -> None:
    path = tmp_path / "sessions.csv"
    path.write_bytes(text(delimiter).replace("\n", ending).encode(encoding))
    check(path)
    check(path, encoding=encoding, delimiter=delimiter)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.option("read_study.decimal", "same frame as with points")
def test_decimal_comma(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "sessions.txt"
    path.write_text(text(delimiter, ","), encoding="utf-8")
    assert "decimal comma" in check(path).provenance.formats[0][1]
    check(path, decimal=",")


def test_excel_sav_dta_and_parquet(tmp_path: Path) -> None:
    import pyreadstat

    FRAME.to_excel(tmp_path / "s.xlsx", index=False)
    check(tmp_path / "s.xlsx")
    FRAME.to_parquet(tmp_path / "s.parquet")
    check(tmp_path / "s.parquet")
    pyreadstat.write_sav(FRAME, str(tmp_path / "s.sav"))
    check(tmp_path / "s.sav")
    pyreadstat.write_sav(FRAME, str(tmp_path / "s.zsav"), compress=True)
    check(tmp_path / "s.zsav")
    pyreadstat.write_dta(FRAME, str(tmp_path / "s.dta"))
    check(tmp_path / "s.dta")


def test_a_folder_with_and_without_codebook(folder_of) -> None:
    folder = folder_of({"session.csv": text(), "notes.md": "nothing", "patient.tsv": "id\tage\n007\t40\n018\t50\n"})
    plain = ak.read_study(folder, roles={"patient": "id"})
    assert list(plain.tables) == ["patient", "session"]
    assert plain.data["age"].tolist() == [40, 40, 50]
    only = ak.read_study(folder, table="patient")
    assert only.data.shape == (2, 2)
    assert only.data["id"].tolist() == ["007", "018"]


def test_provenance_names_files_not_folders(folder_of) -> None:
    folder = folder_of({"s.csv": text(), "codebook.json": {"tables": {"session": {"file": "s.csv", "columns": {}}}}})
    kept = ak.read_study(folder).provenance
    assert kept.path == "study"
    assert kept.files[0] == ("s.csv", hashlib.sha256(text().encode()).hexdigest())
    assert [name for name, _ in kept.files] == ["s.csv", "codebook.json"]
    assert kept.formats == (("session", "utf-8, delimiter comma, decimal point"),)


def test_ids_keep_leading_zeros_and_agree_between_tables(folder_of) -> None:
    tables = {
        "session": {"file": "s.csv", "columns": {"id": {"role": "patient"}}},
        "patient": {"file": "p.csv", "columns": {"id": {"role": "patient"}}},
    }
    folder = folder_of(
        {"s.csv": "id,x\n1,5\n12,6\n", "p.csv": "id,age\n1,40\n012,50\n", "codebook.json": {"tables": tables}}
    )
    study = ak.read_study(folder)
    assert study.tables["session"]["id"].tolist() == ["1", "12"], "one odd id makes the role text in every table"
    assert study.data["age"].fillna(0).tolist() == [40, 0]
    plain = ak.read_study(folder, table="session")
    assert plain.data["id"].tolist() == [1, 12]


def test_types_the_codebook_asks_for(folder_of) -> None:
    columns = {
        "code": {"type": "text"},
        "arm": {"type": "category", "values": {"TAU": "usual", "CBT": "therapy"}},
        "stage": {"type": "ordered", "values": {"low": "", "mid": "", "high": ""}},
        "when": {"type": "date"},
        "score": {"type": "number"},
        "seen": {"type": "boolean"},
    }
    body = "code,arm,stage,when,score,seen\n1,CBT,high,5.3.2024,1,TRUE\n2,TAU,low,6.3.2024,2,FALSE\n"
    frame = ak.read_study(
        folder_of({"s.csv": body, "codebook.json": {"tables": {"s": {"file": "s.csv", "columns": columns}}}})
    ).data
    assert frame["code"].tolist() == ["1", "2"]
    assert frame["arm"].cat.categories.tolist() == ["TAU", "CBT"]
    assert frame["stage"].cat.ordered
    assert frame["stage"].cat.categories.tolist() == ["low", "mid", "high"]
    assert frame["when"].tolist() == [pd.Timestamp("2024-03-05"), pd.Timestamp("2024-03-06")]
    assert frame["score"].dtype == "float64"
    assert frame["seen"].dtype == bool


def test_what_counts_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("n,t,i\nNA,NA,NA\n.,.,2\n,x,3\n1,,4\n", encoding="utf-8")
    frame = ak.read_study(path, roles={"patient": "i"}).data
    assert frame["n"].isna().tolist() == [True, True, True, False]
    assert frame["t"].isna().tolist() == [True, False, False, True]
    assert frame["i"].tolist() == ["NA", "2", "3", "4"], "an id may be NA"


def test_missing_codes_in_any_spelling(folder_of) -> None:
    book = {"tables": {"s": {"file": "s.csv", "columns": {"x": {"missing": {"-9": "skipped", "none": "refused"}}}}}}
    study = ak.read_study(folder_of({"s.csv": "x\n-9\n-9.0\n -9\n1\nnone\n", "codebook.json": book}))
    assert study.data["x"].fillna(0).tolist() == [0, 0, 0, 1, 0]
    assert study.missing_reasons()["x"].fillna("").tolist() == ["skipped", "skipped", "skipped", "", "refused"]


def test_missing_codes_in_excel_and_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [-9.0, 1.5, 2], "y": [-9, 1, 2]})
    book = ak.Codebook.from_dict({"tables": {"s": {"columns": {c: {"missing": {"-9": "skipped"}} for c in "xy"}}}})
    frame.to_excel(tmp_path / "s.xlsx", index=False)
    frame.to_parquet(tmp_path / "s.parquet")
    for name in ("s.xlsx", "s.parquet"):
        study = ak.read_study(tmp_path / name, codebook=book)
        assert study.data["y"].fillna(0).tolist() == [0, 1, 2]
        assert study.missing_reasons()["x"].fillna("").tolist() == ["skipped", "", ""]


def test_excel_cells_of_mixed_kinds(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": [1, "2", 3.5],
            "id": ["001", 2, "03"],
            "word": [1, "x", None],
            "day": [pd.Timestamp("2024-03-05"), None, None],
        }
    )
    frame.to_excel(tmp_path / "s.xlsx", index=False)
    made = ak.read_study(tmp_path / "s.xlsx", roles={"patient": "id"}).data
    assert made["n"].tolist() == [1.0, 2.0, 3.5]
    assert made["id"].tolist() == ["001", "2", "03"]
    assert made["word"].tolist()[:2] == ["1", "x"]
    assert made["day"][0] == pd.Timestamp("2024-03-05")


@pytest.mark.option("read_study.table", "sheet and table by name")
def test_sheets_are_tables(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "s.xlsx") as book:
        FRAME.to_excel(book, sheet_name="session", index=False)
        pd.DataFrame({"id": ["007"], "age": [40]}).to_excel(book, sheet_name="patient", index=False)
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
    study = ak.read_study(tmp_path / "s.xlsx", roles={"patient": "id"})
    assert list(study.tables) == ["session", "patient"]
    assert study.data["age"].fillna(0).tolist() == [40, 40, 0]
    check(tmp_path / "s.xlsx", table="session")


def test_empty_rows_and_columns_from_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("\n,,\na,b,,\n1,2,,\n,,,\n3,4,,\n,,,\n", encoding="utf-8")
    study = ak.read_study(path)
    assert study.data.values.tolist() == [[1, 2], [3, 4]]
    assert study.log[0].detail == "2 empty rows of table 's' left out"


def test_names_are_freed_of_blanks_and_marks(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes("\ufeff id , bdi\n1,2\n".encode())
    assert list(ak.read_study(path).data.columns) == ["id", "bdi"]


def test_row_numbers_of_r_get_a_name(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text('"","x"\n"1",5\n"2",6\n', encoding="utf-8")
    assert list(ak.read_study(path).data.columns) == ["row", "x"]


def test_quoted_line_breaks_and_markup_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text('id,note\n1,"two\nlines, and ""quotes"""\n2,<script>alert(1)</script>\n', encoding="utf-8")
    assert ak.read_study(path).data["note"].tolist() == ['two\nlines, and "quotes"', "<script>alert(1)</script>"]


def test_a_single_column_keeps_its_gaps(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text('x\n1\n""\n3\n', encoding="utf-8")
    assert ak.read_study(path).data["x"].fillna(0).tolist() == [1, 0, 3]


def test_long_numbers_are_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("id,x\n12345678901234567,0.1234567890123456\n12345678901234568,1e-300\n", encoding="utf-8")
    frame = ak.read_study(path).data
    assert frame["id"].tolist() == [12345678901234567, 12345678901234568]
    assert frame["x"].tolist() == [0.1234567890123456, 1e-300]


@pytest.mark.option("read_study.roles", "hand-made codebook")
def test_roles_count_before_the_codebook(folder_of) -> None:
    book = {"tables": {"s": {"file": "s.csv", "columns": {"a": {"role": "patient"}, "b": {}}}}}
    study = ak.read_study(folder_of({"s.csv": "a,b\n1,2\n", "codebook.json": book}), roles={"patient": "b"})
    assert study.codebook.roles() == {"patient": "b"}


@pytest.mark.option("read_study.codebook", "hand-made codebook")
def test_a_codebook_for_one_file(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("a\n-9\n1\n", encoding="utf-8")
    (tmp_path / "book.json").write_text(
        '{"tables": {"x": {"columns": {"a": {"missing": {"-9": "r"}}}}}}', encoding="utf-8"
    )
    study = ak.read_study(tmp_path / "s.csv", codebook=tmp_path / "book.json")
    assert study.missing_reasons()["a"].fillna("").tolist() == ["r", ""]
    assert [name for name, _ in study.provenance.files] == ["s.csv", "book.json"]


def test_a_codebook_over_sheets_and_labelled_files(tmp_path: Path) -> None:
    import pyreadstat

    with pd.ExcelWriter(tmp_path / "s.xlsx") as writer:
        FRAME.to_excel(writer, sheet_name="session", index=False)
        FRAME.to_excel(writer, sheet_name="other", index=False)
    ages = pd.DataFrame({"id": ["007", "018"], "age": [40.0, -1.0]})
    pyreadstat.write_sav(ages, str(tmp_path / "p.sav"), column_labels={"age": "Age"}, missing_ranges={"age": [-1]})
    tables = {
        "session": {"file": "s.xlsx", "columns": {"id": {"role": "patient"}, "bdi": {"unit": "points"}}},
        "patient": {"file": "p.sav", "columns": {"id": {"role": "patient"}, "age": {"unit": "years"}}},
    }
    (tmp_path / "codebook.json").write_text(json.dumps({"tables": tables}), encoding="utf-8")
    study = ak.read_study(tmp_path)
    assert study.data["age"].fillna(0).tolist() == [40, 40, 0]
    info = study.column_info("age")
    assert (info.label, info.unit, info.missing) == ("Age", "years", {"-1": "user-missing -1"})


def test_how_a_file_is_written_may_stand_in_the_codebook(folder_of) -> None:
    table = {"file": "s.csv", "columns": {}, "encoding": "cp1252", "delimiter": ";", "decimal": ",", "na": ["", "weg"]}
    body = "ort;x;n\nKöln;1,234;weg\n;2,5;3\n".encode("cp1252")
    study = ak.read_study(folder_of({"s.csv": body, "codebook.json": json.dumps({"tables": {"s": table}})}))
    assert study.data["x"].tolist() == [1.234, 2.5]
    assert study.data["n"].fillna(0).tolist() == [0, 3]
    assert study.provenance.formats == (("s", "cp1252, delimiter semicolon, decimal comma"),)
