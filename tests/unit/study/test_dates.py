"""Dates as people write them, and days since the start."""

from __future__ import annotations

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.dates import read_dates

DAY = pd.Timestamp("2024-03-05")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-03-05", DAY),
        ("2024/3/5", DAY),
        ("5.3.2024", DAY),
        ("05.03.2024", DAY),
        (" 05.03.2024 ", DAY),
        ("2024-03-05 14:30", DAY + pd.Timedelta(hours=14, minutes=30)),
        ("2024-03-05T14:30:15", DAY + pd.Timedelta(hours=14, minutes=30, seconds=15)),
        ("5.3.2024 14:30", DAY + pd.Timedelta(hours=14, minutes=30)),
        ("25/03/2024", pd.Timestamp("2024-03-25")),
        ("03/25/2024", pd.Timestamp("2024-03-25")),
    ],
)
def test_ways_to_write_a_date(text: str, meant: pd.Timestamp) -> None:
    assert read_dates(pd.Series([text]))[0] == meant


@pytest.mark.option("dates_to_days.order", "dates by hand")
def test_one_cell_settles_the_order_of_all() -> None:
    assert read_dates(pd.Series(["05/03/2024", "25/03/2024"]))[0] == DAY
    assert read_dates(pd.Series(["03/05/2024", "03/25/2024"]))[0] == DAY
    assert read_dates(pd.Series(["05/03/2024"]), order="dmy")[0] == DAY
    assert read_dates(pd.Series(["03/05/2024"]), order="mdy")[0] == DAY


def test_missing_cells_stay_missing() -> None:
    made = read_dates(pd.Series(["2024-03-05", None, ""]))
    assert made.isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            ["05/03/2024", "06/04/2024"],
            r"day first and month first alike .*row 0: '05/03/2024'.*Say order='dmy' or order='mdy'",
        ),
        (["25/03/2024", "03/25/2024"], "some dates are day first and others month first"),
        (["2024-03-05", "5.3.24"], r"a year of two digits \(column 'd', row 1: '5\.3\.24'\)"),
        (["2024-03-05", "soon"], r"cells that are no dates \(column 'd', row 1: 'soon'\)"),
        (["2024-02-30"], r"cells that are no dates \(column 'd', row 0: '2024-02-30'\)"),
        (["31.02.2024"], r"no real days \(column 'd', row 0: '31\.02\.2024'\)"),
        ([45356, 45360], "holds numbers, not dates. They look like Excel day numbers: say order='excel'"),
        ([1, 2], "holds numbers, not dates. Give a column of dates"),
    ],
)
def test_unclear_dates_are_refused(cells: list[object], said: str) -> None:
    with pytest.raises(ak.SchemaError, match=said):
        read_dates(pd.Series(cells, name="d"))


@pytest.mark.option("dates_to_days.number", "days counted by hand")
def test_days_since_the_first_date_across_a_leap_day() -> None:
    frame = pd.DataFrame(
        {"patient": ["a", "b", "a", "b", None], "seen": ["1.3.2024", "28.2.2023", "2024-02-28", "1.3.2023", "1.1.2024"]}
    )
    made = ak.dates_to_days(frame, "seen", number="session")
    assert made["days"].fillna(-1).tolist() == [2.0, 0.0, 0.0, 1.0, -1.0]
    assert made["session"].fillna(-1).tolist() == [2.0, 1.0, 1.0, 2.0, -1.0]


@pytest.mark.option("dates_to_days.start", "days counted by hand")
@pytest.mark.option("dates_to_days.name", "hand-made frame")
def test_days_since_a_start_column_and_from_excel_numbers() -> None:
    frame = pd.DataFrame({"patient": [1, 1], "seen": ["2024-03-05", "2024-03-05 12:00"], "begun": ["2024-03-01", None]})
    assert ak.dates_to_days(frame, "seen", start="begun")["days"].fillna(-1).tolist() == [4.0, -1.0]
    excel = pd.DataFrame({"patient": [1, 1], "seen": [45356, 45363.5]})
    made = ak.dates_to_days(excel, "seen", order="excel", name="day")
    assert made["day"].tolist() == [0.0, 7.5]
    assert read_dates(excel["seen"], order="excel")[0] == DAY


def test_a_study_gets_roles_and_a_log_entry() -> None:
    frame = pd.DataFrame({"id": [1, 1], "seen": ["2024-03-05", "2024-03-12"]})
    book = ak.Codebook.from_dict({"tables": {"s": {"columns": {"id": {"role": "patient"}}}}})
    made = ak.dates_to_days(ak.Study({"s": frame}, book), "seen", number="no")
    assert (made.role("time"), made.role("session")) == ("days", "no")
    assert made.log[0].function == "dates_to_days"
    assert ak.lag(made, "days", by="patient", time="session").data["days_lag1"].fillna(-1).tolist() == [-1.0, 0.0]


def test_two_rows_on_one_day_cannot_be_numbered() -> None:
    frame = pd.DataFrame({"patient": ["a", "a"], "seen": ["2024-03-05", "5.3.2024"]})
    assert ak.dates_to_days(frame, "seen")["days"].tolist() == [0.0, 0.0]
    with pytest.raises(ak.SchemaError, match=r"cannot be numbered \(column 'seen': a on 2024-03-05\)"):
        ak.dates_to_days(frame, "seen", number="session")


def test_a_wrong_order_is_answered() -> None:
    with pytest.raises(ak.SpecError, match="order='ymd' is not an option"):
        ak.dates_to_days(pd.DataFrame({"patient": [1], "d": ["2024-01-01"]}), "d", order="ymd")


@pytest.mark.option("dates_to_days.by", "days counted by hand")
def test_days_by_person_and_phase() -> None:
    frame = pd.DataFrame(
        {"patient": [1, 1, 1], "phase": ["a", "b", "b"], "d": ["2024-01-01", "2024-01-05", "2024-01-08"]}
    )
    assert ak.dates_to_days(frame, "d", by=["patient", "phase"])["days"].tolist() == [0.0, 0.0, 3.0]
    assert ak.dates_to_days(frame, "d", by="patient")["days"].tolist() == [0.0, 4.0, 7.0]
