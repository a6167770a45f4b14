"""Messy files: each gets the message a person can act on; messy but readable ones are read and then reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alliancekit as ak

GOOD = "id,session,bdi\n1,1,30\n1,2,28\n2,1,12\n"


def book(columns: dict[str, Any], file: str = "s.csv") -> str:
    return json.dumps({"tables": {"session": {"file": file, "columns": columns}}})


def workbook(*sheets: pd.DataFrame) -> bytes:
    stream = BytesIO()
    with pd.ExcelWriter(stream) as writer:
        for i, sheet in enumerate(sheets):
            sheet.to_excel(writer, sheet_name=f"s{i}", index=False)
    return stream.getvalue()


# name -> (files, what to read, options, error, what the message says)
Case = tuple[dict[str, str | bytes], str, dict[str, Any], str, str]
REFUSED: dict[str, Case] = {
    "no such file": (
        {"sessions.csv": GOOD},
        "session.csv",
        {},
        "ReadError",
        r"there is no file or folder 'session\.csv' \(in study\)\. Did you mean 'sessions\.csv'\?",
    ),
    "no such folder": (
        {},
        "x/y.csv",
        {},
        "ReadError",
        "there is no file or folder 'y.csv'. The folder '.*x' does not exist",
    ),
    "empty file": ({"a.csv": ""}, "a.csv", {}, "ReadError", r"the file is empty \(a\.csv\)\. Export the data again"),
    "only blanks": ({"a.csv": " \n \n"}, "a.csv", {}, "ReadError", "the file is empty"),
    "only a mark": ({"a.csv": b"\xef\xbb\xbf"}, "a.csv", {}, "ReadError", "the file is empty"),
    "header alone": ({"a.csv": "id,bdi\n"}, "a.csv", {}, "ReadError", r"a header and no rows \(a\.csv\)"),
    "binary": (
        {"a.csv": bytes(range(256)) * 40},
        "a.csv",
        {},
        "ReadError",
        "the file is not text: it holds zero bytes",
    ),
    "workbook called csv": (
        {"a.csv": workbook(pd.DataFrame({"a": [1]}))},
        "a.csv",
        {},
        "ReadError",
        r"this is an Excel or zip file, not a text file \(a\.csv\)\. Rename it to \.xlsx",
    ),
    "old workbook called csv": (
        {"a.csv": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
        "a.csv",
        {},
        "ReadError",
        r"an old Excel file \(\.xls\), not a text file",
    ),
    "web page": (
        {"a.csv": "<!doctype html><p>Sign in"},
        "a.csv",
        {},
        "ReadError",
        r"this is a web page, not a text file \(a\.csv\)\. Export the data themselves",
    ),
    "parquet called csv": (
        {"a.csv": b"PAR1xxxx"},
        "a.csv",
        {},
        "ReadError",
        r"a parquet file, .*Rename it to \.parquet",
    ),
    "xls": (
        {"a.xls": b"x"},
        "a.xls",
        {},
        "ReadError",
        r"files of the kind '\.xls' cannot be read .*Save it as \.xlsx or \.csv",
    ),
    "unknown kind": (
        {"a.doc": b"x"},
        "a.doc",
        {},
        "ReadError",
        r"files of the kind '\.doc' cannot be read .*Use one of: \.csv",
    ),
    "wrong encoding": (
        {"a.csv": "id,ort\n1,Köln\n".encode("cp1252")},
        "a.csv",
        {"encoding": "utf-8"},
        "ReadError",
        "the file is not utf-8: byte 0xf6 on line 2 cannot be read .*encoding='cp1252'",
    ),
    "unknown encoding": (
        {"a.csv": GOOD},
        "a.csv",
        {"encoding": "klingon"},
        "ReadError",
        "the encoding 'klingon' is not known. Use utf-8, utf-16, cp1252 or latin-1",
    ),
    "broken utf-16": ({"a.csv": b"\xff\xfea"}, "a.csv", {}, "ReadError", "the file is not utf-16"),
    "one name twice": (
        {"a.csv": "id,wai_1,x,wai_1 \n1,2,3,4\n"},
        "a.csv",
        {},
        "ReadError",
        r"several columns have one name: 'wai_1' \(columns 2, 4\) \(a\.csv\)\. Rename all but one",
    ),
    "a column without name": ({"a.csv": "id,,x\n1,2,3\n"}, "a.csv", {}, "ReadError", "column 2 has no name"),
    "a line too long": (
        {"a.csv": "id,note\n1,fine\n2,well, rather\n"},
        "a.csv",
        {},
        "ReadError",
        "the header names 2 columns, but line 3 has 3 .*Put cells that contain the delimiter in quotes",
    ),
    "a line cut off": (
        {"a.csv": GOOD + "2,2"},
        "a.csv",
        {},
        "ReadError",
        "the header names 3 columns, but line 5 has 2",
    ),
    "many odd lines": ({"a.csv": "a,b\n" + "1\n" * 7}, "a.csv", {}, "ReadError", "line 6 has 1 and 2 more"),
    "wrong delimiter": (
        {"a.csv": GOOD},
        "a.csv",
        {"delimiter": "--"},
        "ReadError",
        "the delimiter '--' is not one character",
    ),
    "wrong decimal": ({"a.csv": GOOD}, "a.csv", {"decimal": ";"}, "SpecError", "decimal=';' is not an option"),
    "no workbook": (
        {"a.xlsx": b"not a zip"},
        "a.xlsx",
        {},
        "ReadError",
        r"this is not an Excel workbook, or it has a password \(a\.xlsx\)",
    ),
    "broken workbook": (
        {"a.xlsx": workbook(pd.DataFrame({"a": [1]}))[:900]},
        "a.xlsx",
        {},
        "ReadError",
        "not an Excel workbook",
    ),
    "empty workbook": (
        {"a.xlsx": workbook(pd.DataFrame())},
        "a.xlsx",
        {},
        "ReadError",
        "the workbook has no rows under a header",
    ),
    "no such sheet": (
        {"a.xlsx": workbook(pd.DataFrame({"a": [1]}))},
        "a.xlsx",
        {"table": "s1"},
        "ReadError",
        r"there is no sheet 's1' \(a\.xlsx\)\. Did you mean 's0'\?",
    ),
    "one name twice in a workbook": (
        {"a.xlsx": workbook(pd.DataFrame([["a", "a"], [1, 2]]).set_axis(["x", "x"], axis=1))},
        "a.xlsx",
        {},
        "ReadError",
        "several columns have one name: 'x'",
    ),
    "broken spss file": (
        {"a.sav": b"nothing of the kind"},
        "a.sav",
        {},
        "ReadError",
        r"not a readable SPSS file: .*\(a\.sav\)",
    ),
    "broken stata file": ({"a.dta": b"nothing of the kind"}, "a.dta", {}, "ReadError", "not a readable Stata file"),
    "broken parquet file": ({"a.parquet": b"nothing"}, "a.parquet", {}, "ReadError", "not a readable parquet file"),
    "folder without data": (
        {"readme.md": "x"},
        ".",
        {},
        "ReadError",
        r"neither codebook\.json nor a data file \(study\)",
    ),
    "codebook of a missing file": (
        {"codebook.json": book({}, "gone.csv"), "s.csv": GOOD},
        ".",
        {},
        "ReadError",
        r"there is no file or folder 'gone\.csv'",
    ),
    "codebook of a file elsewhere": (
        {"codebook.json": book({}, "../../etc/passwd")},
        ".",
        {},
        "SchemaError",
        r"the table 'session' names a file outside its folder: '\.\./\.\./etc/passwd'",
    ),
    "codebook without file": (
        {"codebook.json": book({}, "")},
        ".",
        {},
        "SchemaError",
        "the table 'session' names no file .*Add \"file\"",
    ),
    "codebook that is no JSON": (
        {"codebook.json": "{'tables'"},
        ".",
        {},
        "SchemaError",
        r"the codebook is not valid JSON: .*codebook\.json, line 1, column 2",
    ),
    "codebook in another encoding": (
        {"codebook.json": '{"title": "Größe"}'.encode("cp1252")},
        ".",
        {},
        "ReadError",
        r"the codebook is not UTF-8 \(codebook\.json\)",
    ),
    "codebook with a column that is not there": (
        {"codebook.json": book({"bdi_": {}, "id": {}}), "s.csv": GOOD},
        ".",
        {},
        "SchemaError",
        r"columns that the table 'session' does not have: 'bdi_' \(nearest in the data: 'bdi'\)",
    ),
    "role of a column that is not there": (
        {"a.csv": GOOD},
        "a.csv",
        {"roles": {"patient": "ID"}},
        "SchemaError",
        r"roles= names the column 'ID' for 'patient', which is not in the data\. Did you mean 'id'\? Columns are: id",
    ),
    "unknown role": (
        {"a.csv": GOOD},
        "a.csv",
        {"roles": {"patent": "id"}},
        "SpecError",
        "role='patent' is not an option. Did you mean role='patient'",
    ),
    "no such table": (
        {"codebook.json": book({}), "s.csv": GOOD},
        ".",
        {"table": "sesion"},
        "ReadError",
        "the study has no table 'sesion' .*Did you mean 'session'",
    ),
    "codebook beside a folder": (
        {"s.csv": GOOD},
        ".",
        {"codebook": "x.json"},
        "ReadError",
        "codebook= is for a single file",
    ),
    "no such codebook": (
        {"s.csv": GOOD},
        "s.csv",
        {"codebook": "x.json"},
        "ReadError",
        r"there is no file or folder 'x\.json'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read(folder_of: Callable[..., Path], name: str) -> None:
    files, target, options, kind, said = REFUSED[name]
    folder = folder_of(files)
    with pytest.raises(getattr(ak, kind), match=said):
        ak.read_study(folder / target, **options)


# name -> (text of the file, roles, finding's code, row, column, what the sentence says)
Messy = tuple[str, dict[str, str], str, Any, str, str]
ROLES = {"patient": "id", "session": "session"}
REPORTED: dict[str, Messy] = {
    "session entered twice": (
        GOOD + "1,2,27\n",
        ROLES,
        "duplicate_row",
        3,
        "session",
        "row 3 repeats row 1: id 1, session 2 is there 2 times; keep one row of them.",
    ),
    "text in numbers": (
        GOOD + "2,2,about 10\n",
        ROLES,
        "text_in_numbers",
        3,
        "bdi",
        "row 3, patient 2, session 2: 'bdi' holds 'about 10', which is not a number; correct it",
    ),
    "a decimal comma in a file of points": (
        'id,session,bdi\n1,1,30.5\n1,2,28.5\n2,1,"12,5"\n',
        ROLES,
        "text_in_numbers",
        2,
        "bdi",
        "'bdi' holds '12,5', which reads as a number with a decimal comma; say decimal=','",
    ),
    "a thousands comma": (
        'id,session,n\n1,1,"1,234"\n1,2,7\n2,1,8\n',
        ROLES,
        "text_in_numbers",
        0,
        "n",
        "holds '1,234'",
    ),
    "an error of Excel": (
        GOOD + "2,2,#DIV/0!\n",
        ROLES,
        "text_in_numbers",
        3,
        "bdi",
        "holds '#DIV/0!', which is not a number",
    ),
    "one-session patient": (GOOD, ROLES, "one_session", None, "id", "1 of 2 patients (2) have one row only"),
    "no variance": (
        "id,session,x\n1,1,5\n1,2,5\n2,1,5\n2,2,5\n",
        ROLES,
        "constant",
        None,
        "x",
        "'x' has the same value (5) in all 4 rows",
    ),
    "all missing": (
        "id,session,x\n1,1,\n1,2,\n",
        ROLES,
        "all_missing",
        None,
        "x",
        "'x' has no value in any of its 2 rows",
    ),
    "no patient": (
        "id,session,x\n1,1,3\n,2,4\n",
        ROLES,
        "missing_patient",
        1,
        "id",
        "row 1, session 2 has no patient in 'id'; fill it in or take the row out.",
    ),
    "no session": (
        "id,session,x\n1,1,3\n1,,4\n",
        ROLES,
        "missing_session",
        1,
        "session",
        "row 1, patient 1 has no session",
    ),
    "ids that look alike": (
        "id,session,x\nA1,1,3\nA1,2,4\na1 ,3,5\n",
        ROLES,
        "similar_ids",
        2,
        "id",
        "the patient id 'a1 ' (1 rows) differs from 'A1' (2 rows) only by capital letters, blanks or leading zeros",
    ),
    "zeros lost by a spreadsheet": (
        "id,session,x\n007,1,3\n007,2,4\n7,3,5\n",
        ROLES,
        "similar_ids",
        2,
        "id",
        "the patient id '7' (1 rows) differs from '007' (2 rows)",
    ),
    "a forgotten missing code": (
        "id,session,x\n" + "".join(f"1,{i},{i}\n" for i in range(8)) + "1,9,-99\n",
        ROLES,
        "undeclared_code",
        8,
        "x",
        "'x' holds -99 in 1 row (first: row 8, patient 1, session 9), far from its other values (0 to 7)",
    ),
    "labels that look alike": (
        "id,session,sex\n1,1,F\n1,2,F \n2,1,f\n",
        ROLES,
        "similar_labels",
        None,
        "sex",
        "'sex' holds 'F', 'F ', 'f', which differ only by capital letters or blanks",
    ),
    "letters spoilt twice": (
        "id,session,ort\n1,1,KÃ¶ln\n1,2,Bonn\n",
        ROLES,
        "wrong_encoding",
        None,
        "ort",
        "letters spoilt by a wrong encoding",
    ),
    "time running backwards": (
        "id,session,date\n1,1,2024-03-05\n1,2,2024-02-05\n",
        {**ROLES, "date": "date"},
        "time_backwards",
        1,
        "date",
        "'date' is 2024-02-05 00:00:00, earlier than 2024-03-05 00:00:00 at session 1",
    ),
    "dates two ways": (
        "id,session,date\n1,1,05/03/2024\n1,2,06/03/2024\n",
        {**ROLES, "date": "date"},
        "unreadable_date",
        None,
        "date",
        "day first and month first alike",
    ),
    "dates of Excel as numbers": (
        "id,session,date\n1,1,45356\n1,2,45363\n",
        {**ROLES, "date": "date"},
        "unreadable_date",
        None,
        "date",
        "They look like Excel day numbers",
    ),
    "several therapists": (
        "id,session,th\n1,1,A\n1,2,B\n2,1,A\n",
        {**ROLES, "therapist": "th"},
        "several_therapists",
        None,
        "th",
        "1 of 2 patients (1) have rows with more than one therapist: therapists are crossed with patients",
    ),
    "no session column": (
        "id,x\n1,3\n1,4\n",
        {"patient": "id"},
        "missing_role",
        None,
        "",
        "no column is the session, time or date",
    ),
    "no patient column": (
        "code,x\n1,3\n1,4\n",
        {},
        "missing_role",
        None,
        "",
        "no column of the table 'a' is the patient",
    ),
}


@pytest.mark.parametrize("name", REPORTED)
def test_what_is_read_and_reported(folder_of: Callable[..., Path], name: str) -> None:
    text, roles, code, row, column, said = REPORTED[name]
    study = ak.read_study(folder_of({"a.csv": text}) / "a.csv", roles=roles)
    findings = ak.validate(study).findings
    found = findings[findings["code"] == code]
    assert len(found) == 1, findings["message"].tolist()
    first = found.iloc[0]
    assert said in first["message"]
    assert (first["column"] or "") == column
    assert first["row"] == row if row is not None else first["row"] is None


def test_labels_with_markup_are_text_all_the_way(folder_of: Callable[..., Path]) -> None:
    evil = "<script>alert('x')</script>"
    columns = {"id": {"role": "patient", "label": evil}, "session": {"role": "session"}, "arm": {"values": {"a": "A"}}}
    folder = folder_of({"s.csv": f"id,session,arm\n1,1,a\n1,2,{evil}\n", "codebook.json": book(columns)})
    study = ak.read_study(folder)
    assert study.codebook.column("id").label == evil
    finding = ak.validate(study).findings.set_index("code").loc["unknown_label"]
    assert repr(evil) in finding["message"]
    table = ak.table(ak.validate(study))
    assert evil not in table.data.to_csv(), "no cell of a person reaches the report's table"


def test_all_errors_are_raised_at_once(folder_of: Callable[..., Path]) -> None:
    study = ak.read_study(folder_of({"a.csv": GOOD + "1,2,many\n,3,4\n"}) / "a.csv", roles=ROLES)
    with pytest.raises(
        ak.SchemaError, match=r"the data have 3 errors:\n  - .*no patient.*\n  - .*repeats row 1.*\n  - .*'many'"
    ):
        ak.validate(study).require_valid()


PIECES = st.sampled_from(
    [
        "id",
        "1",
        "-9",
        "1,5",
        ",",
        ";",
        "\t",
        "\n",
        "\r\n",
        '"',
        "'",
        " ",
        "ä",
        "NA",
        ".",
        "2024-03-05",
        "=1+1",
        "\x00",
        "|",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, max_size=30), encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]))
def test_any_text_is_read_or_refused_with_a_reason(tmp_path: Path, pieces: list[str], encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("".join(pieces).encode(encoding))
    try:
        study = ak.read_study(path)
    except ak.ReadError as error:
        assert len(str(error)) > 20
        return
    assert ak.validate(study, require=()).sizes["a"] == study.data.shape


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60), suffix=st.sampled_from([".csv", ".tsv", ".txt"]))
def test_any_bytes_are_read_or_refused_with_a_reason(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    try:
        ak.read_study(path)
    except ak.ReadError as error:
        assert len(str(error)) > 20
