"""A ``Table`` laid out as cells of text: the step before HTML and Word, which only set what stands here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from alliancekit.core.columns import GLOSSARY, label
from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.report.formatting import (
    KINDS,
    MISSING,
    decimals_for,
    default_kind,
    format_column,
    format_interval,
    is_missing,
)
from alliancekit.report.parts import Table

SMALLEST_COUNT = 5
MARK_WORDS = {"good": "As it should be.", "warn": "Read with caution.", "bad": "Not as it should be."}
_FAMILY = re.compile(r"^(?P<before>.*?)_?(?P<part>estimate|std_error|conf_low|conf_high)(?P<after>_\w+)?$")


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One printed column: its heading, its kind, and the side its cells stand on ("left" or "right")."""

    key: str
    heading: str
    kind: str
    side: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One printed cell; ``mark`` is "", "good", "warn" or "bad", ``letter`` points to the note that says so."""

    text: str
    mark: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One printed row. A sub-heading has one cell that spans the table."""

    cells: tuple[Cell, ...]
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A heading above ``width`` columns; an empty label leaves them free."""

    label: str
    width: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as text.

    Attributes
    ----------
    columns, spans, rows : what is printed; ``spans`` is empty where no heading stands above several columns.
    notes : the general note, sentence by sentence.
    letters : (letter, text) of the specific notes, which explain marked cells.
    indented : rows stand under sub-headings.
    """

    columns: tuple[GridColumn, ...]
    spans: tuple[Span, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    letters: tuple[tuple[str, str], ...]
    indented: bool


def suppressed(table: Table) -> dict[str, list[bool]]:
    """Return, for each column that hides cells, which rows are hidden (counts of 1 to 4 and what betrays them).

    Raises
    ------
    ReportError : ``suppress`` names a column that the table does not have.
    """
    data = table.data
    hidden: dict[str, list[bool]] = {}
    for count, betraying in table.suppress.items():
        _require(table, [count, *betraying], "suppress")
        small = [not is_missing(v) and 0 < abs(float(v)) < SMALLEST_COUNT for v in data[count]]
        for name in (count, *betraying):
            before = hidden.get(name, [False] * len(data))
            hidden[name] = [a or b for a, b in zip(before, small, strict=True)]
    return hidden


def lay_out(table: Table) -> Grid:
    """Return the cells of a table as text.

    Pairs of confidence limits that stand side by side become one column. Estimates of one model (``estimate``,
    ``std_error``, ``conf_low``, ``conf_high``, or the same with one prefix) share their digits.

    Raises
    ------
    ReportError : the table names a column that its data do not have, or has none.
    """
    _check(table)
    data = table.data
    shown = [str(c) for c in data.columns if c != table.group]
    kinds = {name: _kind(table, name) for name in shown}
    digits = {name: table.decimals.get(name, _shared_decimals(table, kinds, name)) for name in shown}
    texts = {name: _column_texts(table, name, kinds[name], digits[name]) for name in shown}
    columns: list[GridColumn] = []
    cells: list[list[str]] = []
    members: list[tuple[str, ...]] = []
    for position, name in enumerate(shown):
        follower = shown[position + 1] if position + 1 < len(shown) else ""
        if _is_upper_limit(name, shown[position - 1] if position else ""):
            continue
        if _is_upper_limit(follower, name):
            columns.append(GridColumn(name, _interval_heading(table, name), "interval", "right"))
            cells.append(_interval_texts(table, name, follower, kinds[name], digits[name]))
            members.append((name, follower))
            continue
        side = "left" if kinds[name] == "text" or name in table.stub else "right"
        columns.append(GridColumn(name, _heading(table, name), kinds[name], side))
        cells.append(texts[name])
        members.append((name,))
    letters = _letters(table)
    return Grid(
        columns=tuple(columns),
        spans=_spans(table, members),
        rows=tuple(_rows(table, cells, members, letters)),
        notes=_notes(table),
        letters=tuple((letter, MARK_WORDS[mark]) for mark, letter in letters.items()),
        indented=table.group is not None,
    )


def _check(table: Table) -> None:
    if not len(table.data.columns):
        raise ReportError(message(f"the table '{table.title}' has no columns"))
    named = [*table.kinds, *table.labels, *table.decimals, *table.stub, *([table.group] if table.group else [])]
    _require(table, named, "the table's description")
    _require(table, [c for names in table.spans.values() for c in names], "spans")
    _require(table, [c for _, c in table.marks], "marks")
    for kind in (*table.kinds.values(), *table.row_kinds.values()):
        check_option("kind", kind, KINDS)
    for mark in table.marks.values():
        check_option("mark", mark, ["good", "warn", "bad"])


def _require(table: Table, names: Sequence[str], where: str) -> None:
    missing = [n for n in dict.fromkeys(names) if n not in set(table.data.columns)]
    if missing:
        have = ", ".join(map(str, table.data.columns))
        raise ReportError(
            message(
                f"the table '{table.title}' has no column {', '.join(map(repr, missing))}",
                where=where,
                do=f"Columns are: {have}",
            )
        )


def _kind(table: Table, name: str) -> str:
    if name in table.kinds:
        return str(table.kinds[name])
    if name in table.stub:
        return "text"
    return default_kind(_part(name), getattr(table.data[name].dtype, "kind", "O"))


def _part(name: str) -> str:
    """Return the glossary's name inside a prefixed one: "model_1_p_value" is a "p_value"."""
    if name in GLOSSARY:
        return name
    found = [k for k in GLOSSARY if len(k) > 1 and (name.endswith(f"_{k}") or re.fullmatch(rf"{k}_\d+", name))]
    return max(found, key=len) if found else name


def _shared_decimals(table: Table, kinds: dict[str, str], name: str) -> int | None:
    """Return the digits that an estimate shares with its standard error and limits; None for other kinds."""
    if kinds[name] != "estimate":
        return None
    if name in ("mean", "sd"):
        together = [c for c in ("mean", "sd") if kinds.get(c) == "estimate"]
        return max(decimals_for(_numbers(table, c)) for c in together)
    families: dict[tuple[str, str | None], dict[str, str]] = {}
    for column in (c for c in kinds if kinds[c] == "estimate"):
        if found := _FAMILY.match(column):
            families.setdefault((found["before"], found["after"]), {})[column] = found["part"]
    digits = [_family_decimals(table, family) for family in families.values()]
    own = next((d for d, family in zip(digits, families.values(), strict=True) if name in family), None)
    if own is None:
        return decimals_for(_numbers(table, name))
    # Models side by side keep their points in line, unless their scales are far apart.
    return max(d for d in digits if d - own <= 1)


def _family_decimals(table: Table, family: dict[str, str]) -> int:
    """Return the digits of one model's columns (column -> part)."""
    chosen = [table.decimals[c] for c in family if c in table.decimals]
    if chosen:
        return max(chosen)
    errors = [v for c, part in family.items() if part == "std_error" for v in _numbers(table, c)]
    estimates = [v for c, part in family.items() if part == "estimate" for v in _numbers(table, c)]
    return decimals_for(estimates or [v for c in family for v in _numbers(table, c)], errors)


def _numbers(table: Table, name: str) -> list[Any]:
    """Return the values of a column without the rows that are formatted along the row."""
    return [v for i, v in enumerate(table.data[name]) if i not in table.row_kinds]


def _column_texts(table: Table, name: str, kind: str, decimals: int | None) -> list[str]:
    values = table.data[name].tolist()
    own = [i for i in range(len(values)) if i not in table.row_kinds or kind == "text"]
    texts = [""] * len(values)
    for i, text in zip(own, format_column([values[i] for i in own], kind, decimals), strict=True):
        texts[i] = table.missing if text == MISSING and kind != "text" else text
    for i in set(range(len(values))) - set(own):
        row_kind = table.row_kinds[i]
        along = [
            table.data[c].iloc[i] for c in table.data.columns if getattr(table.data[c].dtype, "kind", "O") in "iuf"
        ]
        shared = decimals_for(along) if row_kind == "estimate" else None
        blank = is_missing(values[i])
        texts[i] = "" if blank else format_column([values[i]], row_kind, shared)[0]
    return texts


def _is_upper_limit(name: str, before: str) -> bool:
    return "conf_high" in name and before == name.replace("conf_high", "conf_low")


def _interval_heading(table: Table, low: str) -> str:
    if low in table.labels:
        return table.labels[low]
    return f"{100 * float(table.data.attrs.get('level', 0.95)):g}% CI"


def _interval_texts(table: Table, low: str, high: str, kind: str, decimals: int | None) -> list[str]:
    digits = 2 if decimals is None else decimals
    pairs = zip(table.data[low], table.data[high], strict=True)
    texts = [format_interval(a, b, digits, leading_zero=kind != "proportion") for a, b in pairs]
    return [table.missing if t == MISSING else t for t in texts]


def _heading(table: Table, name: str) -> str:
    if name in table.labels:
        return table.labels[name]
    part = _part(name)
    text = label(part)
    return text if part in GLOSSARY else text[:1].upper() + text[1:]


def _spans(table: Table, members: list[tuple[str, ...]]) -> tuple[Span, ...]:
    if not table.spans:
        return ()
    owner = {column: text for text, columns in table.spans.items() for column in columns}
    spans: list[Span] = []
    for names in members:
        text = owner.get(names[0], "")
        if spans and spans[-1].label == text and text:
            spans[-1] = Span(text, spans[-1].width + 1)
        else:
            spans.append(Span(text, 1))
    return tuple(spans)


def _letters(table: Table) -> dict[str, str]:
    """Return a letter for each kind of mark that only colour would show; none where the marked words say it."""
    needed = [mark for (_, column), mark in sorted(table.marks.items()) if not _speaks(table, column)]
    return {mark: "abc"[i] for i, mark in enumerate(dict.fromkeys(needed))}


def _speaks(table: Table, column: str) -> bool:
    """Return True where a column of words has one mark for each word, as "pass", "warn" and "refuse" have."""
    if _kind(table, column) != "text":
        return False
    marks: dict[str, set[str]] = {}
    for i, value in enumerate(table.data[column]):
        marks.setdefault(str(value), set()).add(table.marks.get((i, column), ""))
    return all(len(found) == 1 for found in marks.values())


def _rows(table: Table, cells: list[list[str]], members: list[tuple[str, ...]], letters: dict[str, str]) -> list[Row]:
    hidden = suppressed(table)
    marks = table.marks
    groups = table.data[table.group].tolist() if table.group else []
    rows: list[Row] = []
    before: Any = object()
    for i in range(len(table.data)):
        if table.group and groups[i] != before:
            before = groups[i]
            rows.append(Row((Cell("" if is_missing(before) else str(before)),), heading=True))
        line = []
        for texts, names in zip(cells, members, strict=True):
            text = _hide(texts[i], names, i, hidden, table)
            marked = next((n for n in names if (i, n) in marks), None)
            mark = marks[i, marked] if marked is not None else ""
            silent = marked is not None and not _speaks(table, marked)
            line.append(Cell(text, mark, letters.get(mark, "") if silent else ""))
        rows.append(Row(tuple(line)))
    return rows


def _hide(text: str, names: tuple[str, ...], row: int, hidden: dict[str, list[bool]], table: Table) -> str:
    if not any(name in hidden and hidden[name][row] for name in names):
        return text
    return f"< {SMALLEST_COUNT}" if names[0] in table.suppress else "…"


def _notes(table: Table) -> tuple[str, ...]:
    if not any(any(rows) for rows in suppressed(table).values()):
        return tuple(table.notes)
    return (*table.notes, f"Counts below {SMALLEST_COUNT}, and the numbers that would reveal them (…), are not shown.")


def exported(table: Table) -> pd.DataFrame:
    """Return the frame that the CSV holds: full precision, with small counts hidden where the table asks for it."""
    hidden = suppressed(table)
    frame = table.data.copy()
    for name, rows in hidden.items():
        values: list[Any] = frame[name].astype(object).tolist()
        shown = f"<{SMALLEST_COUNT}" if name in table.suppress else "…"
        frame[name] = pd.Series(
            [shown if h else v for v, h in zip(values, rows, strict=True)], index=frame.index, dtype=object
        )
    return frame
