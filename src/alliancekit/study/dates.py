"""Dates: reading them as people write them, and turning them into days since the start."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliancekit.core.errors import SchemaError, check_option, message
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.grouping import add_columns, group_codes
from alliancekit.study.types import Data, LogEntry, frame_of, resolve_column, return_like

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?")
_OTHER = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_SHORT_YEAR = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}")
_EXCEL_ZERO = pd.Timestamp("1899-12-30")


def parse_texts(texts: Sequence[str], *, order: str | None) -> tuple[np.ndarray, list[int]]:
    """Read date texts.

    Parameters
    ----------
    texts : dates such as 2024-03-05, 5.3.2024 or 05/03/2024, a time of day may follow.
    order : "dmy" or "mdy" for dates with the year last; None: points mean day first, and slashes or hyphens are read
        by the one order that fits every cell; where both fit the cells count as not read.

    Returns
    -------
    datetime64[us] array (NaT where not read) and the positions that were not read.
    """
    parsed = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[us]")
    failed: list[int] = []
    late: dict[int, re.Match[str]] = {}
    for i, text in enumerate(texts):
        plain = text.strip()
        iso = _ISO.fullmatch(plain)
        other = _OTHER.fullmatch(plain)
        if iso:
            year, month, day, *clock = iso.groups()
            parsed[i] = _stamp(year, month, day, clock)
        elif other:
            late[i] = other
            continue
        if np.isnat(parsed[i]):
            failed.append(i)
    slashed = [m for m in late.values() if m.group(2) != "."]
    guess = order or _order_of(slashed)
    for i, match in late.items():
        first, mark, second, year, *clock = match.groups()
        used = order or ("dmy" if mark == "." else guess)
        if used is not None:
            day, month = (first, second) if used == "dmy" else (second, first)
            parsed[i] = _stamp(year, month, day, clock)
        if np.isnat(parsed[i]):
            failed.append(i)
    return parsed, sorted(failed)


def _order_of(matches: Sequence[re.Match[str]]) -> str | None:
    day_first = all(int(m.group(3)) <= 12 for m in matches)
    month_first = all(int(m.group(1)) <= 12 for m in matches)
    if day_first == month_first:
        return None
    return "dmy" if day_first else "mdy"


def _stamp(year: str, month: str, day: str, clock: Sequence[str | None]) -> np.datetime64:
    hour, minute, second = (clock[0] or "00", clock[1] or "00", clock[2] or "00")
    try:
        return np.datetime64(f"{year}-{int(month):02d}-{int(day):02d}T{int(hour):02d}:{minute}:{second}", "us")
    except ValueError:
        return np.datetime64("NaT")


def read_dates(column: pd.Series, *, order: str | None = None) -> pd.Series:
    """Return a column as datetime64[us].

    Raises
    ------
    SchemaError : cells that are no dates, dates that fit day-first and month-first alike, years of two digits, numbers.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        plain = column.dt.tz_localize(None) if getattr(column.dtype, "tz", None) is not None else column
        return plain.astype("datetime64[us]")
    if order == "excel" or pd.api.types.is_numeric_dtype(column):
        return _from_excel(column, order)
    codes, uniques = pd.factorize(column.astype(object))
    texts = [u if isinstance(u, str) else pd.Timestamp(u).isoformat() for u in uniques]
    blank = [i for i, t in enumerate(texts) if t.strip() == ""]
    parsed, failed = parse_texts(texts, order=order)
    failed = [i for i in failed if i not in set(blank)]
    if failed:
        _raise_failed(column, codes, texts, failed)
    spread = np.append(parsed, np.datetime64("NaT"))[codes]
    return pd.Series(spread, index=column.index, name=column.name)


def _from_excel(column: pd.Series, order: str | None) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if order != "excel":
        known = numbers.dropna()
        excel = len(known) > 0 and known.between(20000, 80000).all()
        hint = "They look like Excel day numbers: say order='excel'" if excel else "Give a column of dates"
        raise SchemaError(message(f"the column '{column.name}' holds numbers, not dates", do=hint))
    return (_EXCEL_ZERO + pd.to_timedelta(numbers, unit="D")).astype("datetime64[us]")


def _raise_failed(column: pd.Series, codes: np.ndarray, texts: list[str], failed: list[int]) -> None:
    where_cells = []
    for i in failed[:5]:
        rows = column.index[codes == i]
        where_cells.append(
            f"row {rows[0]}: {texts[i]!r}" + (f" and {len(rows) - 1} more rows" if len(rows) > 1 else "")
        )
    shown = "; ".join(where_cells) + (f"; and {len(failed) - 5} more" if len(failed) > 5 else "")
    where = f"column '{column.name}', {shown}"
    if any(_SHORT_YEAR.fullmatch(texts[i].strip()) for i in failed):
        raise SchemaError(message("dates with a year of two digits", where=where, do="Write the year with four digits"))
    if all(_OTHER.fullmatch(texts[i].strip()) for i in failed):
        forms = {order: not parse_texts([texts[i] for i in failed], order=order)[1] for order in ("dmy", "mdy")}
        if all(forms.values()):
            raise SchemaError(
                message(
                    "the dates can be read day first and month first alike",
                    where=where,
                    do="Say order='dmy' or order='mdy', or write them as 2024-03-05",
                )
            )
        if not any(forms.values()):
            raise SchemaError(
                message(
                    "some dates are day first and others month first, or are no real days",
                    where=where,
                    do="Write them all as 2024-03-05",
                )
            )
    raise SchemaError(message("cells that are no dates", where=where, do="Write dates as 2024-03-05 or 5.3.2024"))


def dates_to_days(
    df: Data,
    date: str,
    *,
    by: str | list[str] = "patient",
    start: str | None = None,
    name: str = "days",
    number: str | None = None,
    order: str | None = None,
) -> Data:
    """Add the days since each person's start, and on request the running number of the session.

    Parameters
    ----------
    df : Study or frame.
    date : column of dates: datetime, 2024-03-05, 5.3.2024, or 05/03/2024 where one reading fits every cell.
    by : column or columns that name the person.
    start : column with each person's start date (baseline, randomisation); None takes the person's first date.
    name : name of the new column, in days; parts of a day count where the dates have a time.
    number : name of a second new column: 1, 2, 3 ... by date inside the person; None adds none.
    order : "dmy", "mdy" for dates that can be read both ways; "excel" for Excel's day numbers; None.

    Returns
    -------
    The same type, with the columns added. A row without date, start or person gets missing values.

    Raises
    ------
    SchemaError : cells that are no dates or can be read two ways (rows are named); with ``number``, two rows of a
        person with one date; a column of that name with other values.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a", "a", "b"], "seen": ["2024-01-01", "8.1.2024", "2024-02-01"]})
    >>> dates_to_days(df, "seen", by="patient", number="session")["days"].tolist()
    [0.0, 7.0, 0.0]

    Checked against
    ---------------
    Hand-computed dates across leap days, in tests/unit/study/test_dates.py.

    When not to use
    ---------------
    Where the protocol's occasion (3-month follow-up) is the time of interest, not the calendar.
    """
    if order is not None:
        check_option("order", order, ["dmy", "mdy", "excel"])
    frame = frame_of(df)
    date = resolve_column(df, date, frame)
    keys = [resolve_column(df, b, frame) for b in ([by] if isinstance(by, str) else by)]
    seen = read_dates(frame[date], order=order)
    codes, size = group_codes(frame, keys)
    known = (codes >= 0) & seen.notna().to_numpy()
    if start is None:
        first = pd.Series(seen.to_numpy()[known]).groupby(codes[known]).min().reindex(range(size))
        begin = np.append(first.to_numpy(), np.datetime64("NaT"))[codes]
    else:
        begin = read_dates(frame[resolve_column(df, start, frame)], order=order).to_numpy()
    days = (seen.to_numpy() - begin) / np.timedelta64(1, "D")
    days[codes < 0] = np.nan
    new = {name: days}
    infos = {name: ColumnInfo(label=f"days since {start or 'first ' + date}", role="time", unit="days")}
    if number is not None:
        new[number] = _numbered(frame, keys, seen, codes, known)
        infos[number] = ColumnInfo(label=f"number by {date}", role="session")
    detail = f"{', '.join(new)} from '{date}' since {start or 'the first date'} of each {', '.join(keys)}"
    entry = LogEntry("dates_to_days", detail, rows_changed=int(np.isfinite(days).sum()))
    return return_like(df, add_columns(frame, new), entry, columns=infos)


def _numbered(
    frame: pd.DataFrame, keys: list[str], seen: pd.Series, codes: np.ndarray, known: np.ndarray
) -> np.ndarray:
    rows = np.flatnonzero(known)
    pairs = pd.DataFrame({"code": codes[rows], "date": seen.to_numpy()[rows]})
    again = np.flatnonzero(pairs.duplicated())
    if len(again):
        who = frame.iloc[rows[again]][keys].astype(str).agg(" ".join, axis=1)
        dates = pairs["date"].iloc[again]
        named = ", ".join(f"{w} on {d:%Y-%m-%d}" for w, d in zip(who.iloc[:5], dates.iloc[:5], strict=True))
        raise SchemaError(
            message(
                "two rows of one person have the same date, so they cannot be numbered",
                where=f"column '{seen.name}': {named}",
                do="Add the time of day, or take one of the rows out",
            )
        )
    numbers = np.full(len(frame), np.nan)
    numbers[rows] = pairs.groupby("code")["date"].rank(method="first")
    return numbers
