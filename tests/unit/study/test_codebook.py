"""The codebook as a file: what is written, what is understood, and how a slip is answered."""

from __future__ import annotations

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.codebook import ROLES, TYPES, WHEN, Codebook, ColumnInfo, TableInfo

FULL = Codebook(
    tables={
        "session": TableInfo(
            file="s.csv",
            na=("",),
            columns={
                "id": ColumnInfo(label="Patient", role="patient", type="text"),
                "wai_1": ColumnInfo(
                    label="<b>Item</b> «1»",
                    role="item",
                    instrument="WAI-SR",
                    item=1,
                    level="session",
                    unit="scale points",
                    range=(1, 5),
                    missing={"-9": "skipped", "-8": "session missed"},
                    values={"1": "seldom", "5": "always"},
                    when="after",
                    rated_at="stamp",
                ),
                "stamp": ColumnInfo(),
            },
        ),
        "patient": TableInfo(
            file="p.csv", columns={"id": ColumnInfo(role="patient"), "sex": ColumnInfo(range=(0.5, 1))}
        ),
    },
    about={"title": "A study", "licence": "none"},
    analysis="session",
)


def test_json_round_trip() -> None:
    assert Codebook.from_json(FULL.to_json()) == FULL
    assert "«1»" in FULL.to_json(), "text stays readable"


def test_the_documented_shape() -> None:
    text = """
    {"tables": {"session": {"file": "session.csv", "columns": {
        "wai_1": {"label": "", "role": "item", "instrument": "WAI-SR", "item": 1, "level": "session", "unit": "",
                  "range": [1, 5], "missing": {"-9": "skipped"}}}}}}
    """
    info = Codebook.from_json(text).column("wai_1", "session")
    assert info == ColumnInfo(
        role="item", instrument="WAI-SR", item=1, level="session", range=(1, 5), missing={"-9": "skipped"}
    )


def test_roles_and_columns() -> None:
    assert FULL.roles() == {"patient": "id"}
    assert FULL.column("sex").range == (0.5, 1)
    assert FULL.column("sex", "session") == ColumnInfo()
    assert FULL.column("nothing") == ColumnInfo()
    assert list(FULL.columns()) == ["id", "wai_1", "stamp", "sex"]
    assert FULL.columns()["id"].label == "Patient"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", TYPES)
def test_every_role_and_type_is_understood(role: str, kind: str) -> None:
    info = ColumnInfo(role=role, type=kind, when=WHEN[0])
    book = Codebook({"t": TableInfo("t.csv", {"c": info})})
    assert Codebook.from_json(book.to_json()).column("c") == info


def test_blank_entries_say_nothing() -> None:
    book = Codebook.from_dict({"tables": {"t": {"columns": {" c ": {"role": "", "instrument": "", "type": None}}}}})
    assert book.tables["t"].columns == {"c": ColumnInfo()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"not valid JSON: .*\(codebook\.json, line 1, column 2\)"),
        ("[]", "the codebook has no 'tables'"),
        ('{"tables": []}', "the codebook has no 'tables'"),
        ('{"tables": {"s": 3}}', r"a table must be an object .*table 's'"),
        ('{"tables": {"s": {"files": "x"}}}', "the entry 'files' is not known .*Did you mean 'file'"),
        ('{"tables": {"s": {"columns": []}}}', "'columns' must be an object"),
        ('{"tables": {"s": {"columns": {"a": 1}}}}', "a column must be described by an object .*column 'a'"),
        (
            '{"tables": {"s": {"columns": {"a": {"lable": ""}}}}}',
            "the entry 'lable' is not known .*Did you mean 'label'",
        ),
        (
            '{"tables": {"s": {"columns": {"a": {"role": "patint"}}}}}',
            "role 'patint' is not known .*Did you mean 'patient'",
        ),
        ('{"tables": {"s": {"columns": {"a": {"type": "float"}}}}}', "type 'float' is not known .*Use one of: number"),
        ('{"tables": {"s": {"columns": {"a": {"when": "later"}}}}}', "when 'later' is not known"),
        (
            '{"tables": {"s": {"columns": {"a": {"range": [5, 1]}}}}}',
            "'range' runs from 5 to 1 .*Put the smaller first",
        ),
        (
            '{"tables": {"s": {"columns": {"a": {"range": "1-5"}}}}}',
            r"'range' must be two numbers, not '1-5'.*\[1, 5\]",
        ),
        ('{"tables": {"s": {"columns": {"a": {"missing": [-9]}}}}}', "'missing' must be an object: code -> text"),
        ('{"tables": {"s": {"columns": {"a": {"item": "1"}}}}}', "'item' must be a whole number, not '1'"),
        ('{"tables": {"s": {"columns": {"a": {"label": 1}}}}}', "'label' must be text, not 1"),
        ('{"analysis": "x", "tables": {"s": {}}}', "'analysis' names the table 'x', which is not in the codebook"),
    ],
)
def test_a_slip_is_named(text: str, said: str) -> None:
    with pytest.raises(ak.SchemaError, match=said):
        Codebook.from_json(text)


# --- drafting ---------------------------------------------------------------------------------------------------------


def test_a_draft_guesses_roles_items_and_types() -> None:
    rows = 24
    frame = pd.DataFrame({"ClientID": [f"c{i // 4}" for i in range(rows)], "Session_No": [i % 4 for i in range(rows)]})
    frame["arm"] = ["CBT" if i < 12 else "TAU" for i in range(rows)]
    frame["note"] = [f"text {i}" for i in range(rows)]
    for i in range(1, 10):
        frame[f"phq9_{i}"] = i % 4
    for i in range(3):
        frame[f"bdi_s{i}"] = i
        frame[f"mood{i + 1}"] = i
    book = Codebook.draft({"session": frame})
    columns = book.tables["session"].columns
    assert book.roles("session") == {"patient": "ClientID", "session": "Session_No"}
    assert (columns["phq9_3"].role, columns["phq9_3"].instrument, columns["phq9_3"].item) == ("item", "PHQ-9", 3)
    assert columns["phq9_3"].range == (0, 3)
    assert (columns["mood2"].role, columns["mood2"].item, columns["mood2"].instrument) == ("item", 2, None)
    assert columns["bdi_s1"].role is None, "numbered sessions are no items"
    assert (columns["arm"].type, dict(columns["arm"].values), columns["arm"].level) == (
        "category",
        {"CBT": "CBT", "TAU": "TAU"},
        "patient",
    )
    assert columns["note"].type is None
    assert columns["Session_No"].level == "session"
    assert Codebook.from_json(book.to_json()) == book


def test_a_draft_invents_no_missing_codes() -> None:
    frame = pd.DataFrame({"id": [1, 2, 3], "x": [1, -9, 3]})
    assert Codebook.draft({"t": frame}).column("x").missing == {}


def test_init_writes_a_codebook_that_reads_back(folder_of) -> None:
    from alliancekit.study.read import draft_codebook

    rows = "".join(f"00{i // 3},{i % 3},{'F' if i < 6 else 'M'}\n" for i in range(12))
    folder = folder_of({"visits.csv": "id,visit,sex\n" + rows})
    path = draft_codebook(folder / "visits.csv")
    assert path == folder / "codebook.json"
    study = ak.read_study(folder)
    assert study.codebook.roles() == {"patient": "id", "session": "visit"}
    assert study.data["id"].tolist()[:3] == ["000"] * 3
    assert study.data["sex"].cat.categories.tolist() == ["F", "M"]
    with pytest.raises(ak.ReadError, match=r"there is a codebook\.json already"):
        draft_codebook(folder)
