"""Order in time: dates that run backwards, and alliance that was rated after the symptoms it should predict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from alliancekit.core.errors import SchemaError
from alliancekit.study.checks.view import Finding, TableView, floats, is_number
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.dates import read_dates
from alliancekit.study.registry import registry

RELATION = ("alliance", "cohesion", "empathy")
OUTCOME = ("symptoms", "control")


def _moments(view: TableView, column: str) -> np.ndarray | None:
    """Return a time column as floats (dates as days); None where it cannot be read."""
    values = view.frame[column]
    if is_number(values):
        return floats(values)
    if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(values):
        return None
    try:
        dates = read_dates(values)
    except (SchemaError, ValueError, TypeError):
        return None
    return ((dates - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy(dtype=float)


def unreadable_dates(view: TableView) -> Iterator[Finding]:
    """A column of dates with cells that are none, or that can be read two ways."""
    columns = {c for c, info in view.infos.items() if info.type == "date" or info.role == "date"}
    columns |= {view.roles["date"]} if "date" in view.roles else set()
    for column in [c for c in view.infos if c in columns]:
        try:
            read_dates(view.frame[column])
        except SchemaError as error:
            yield view.finding(None, column, "unreadable_date", "error", str(error))
        except (ValueError, TypeError):
            text = f"'{column}' holds cells that are no dates; write dates as 2024-03-05."
            yield view.finding(None, column, "unreadable_date", "error", text)


def backwards(view: TableView) -> Iterator[Finding]:
    """Time that falls while sessions rise; without sessions, time that falls from row to row of a patient."""
    patient = view.roles.get("patient")
    if patient is None:
        return
    session = view.roles.get("session")
    clocks = [view.roles[r] for r in ("date", "time") if r in view.roles]
    order = None if session is None else _moments(view, session)
    person, _ = pd.factorize(view.frame[patient])
    for column in clocks:
        moments = _moments(view, column)
        if moments is None:
            continue
        rank = np.arange(len(view.frame), dtype=float) if order is None else order
        known = np.flatnonzero((person >= 0) & ~np.isnan(moments) & ~np.isnan(rank))
        known = known[np.lexsort((rank[known], person[known]))]
        before, after = known[:-1], known[1:]
        same = (person[before] == person[after]) & (rank[before] < rank[after])
        for i, j in zip(*(side[same & (moments[after] < moments[before])] for side in (before, after)), strict=True):
            text = (
                f"{view.place(j)}: '{column}' is {view.frame[column].iloc[j]}, earlier than "
                f"{view.frame[column].iloc[i]} {_since(view, i, session)}; one of them is wrong."
            )
            if order is None:
                text = text.replace("; one of them is wrong", "; sort the rows, or correct the time")
            yield view.finding(int(j), column, "time_backwards", "error" if order is not None else "warning", text)


def _since(view: TableView, position: int, session: str | None) -> str:
    if session is None:
        return f"in row {view.frame.index[position]} before it"
    return f"at {session} {view.frame[session].iloc[position]}"


def timing(view: TableView) -> Iterator[Finding]:
    """Alliance rated after the symptoms of its own row, so that it cannot predict them; or an order not stated."""
    if "patient" not in view.roles or not {"session", "time", "date"} & set(view.roles):
        return
    relation = _first_by_instrument(view, RELATION)
    outcome = _first_by_instrument(view, OUTCOME)
    for r_name, (r_column, r_info) in relation.items():
        for o_name, (o_column, o_info) in outcome.items():
            found = _by_stamps(view, r_column, r_info, o_column, o_info)
            if found is None:
                found = _by_words(view, (r_name, r_column, r_info), (o_name, o_column, o_info))
            if found is not None:
                yield found


def _first_by_instrument(view: TableView, constructs: tuple[str, ...]) -> dict[str, tuple[str, ColumnInfo]]:
    """Return the first column of each instrument of these constructs; an outcome role counts as symptoms."""
    found: dict[str, tuple[str, ColumnInfo]] = {}
    for column, info in view.infos.items():
        made = registry().get(info.instrument or "")
        name = info.instrument if made is not None and made.construct in constructs else None
        if name is None and info.role == "outcome" and made is None and constructs == OUTCOME:
            name = column
        if name is not None and name not in found:
            found[name] = (column, info)
    return found


def _by_stamps(view: TableView, r_column: str, r_info: ColumnInfo, o_column: str, o_info: ColumnInfo) -> Finding | None:
    stamps = (r_info.rated_at, o_info.rated_at)
    if any(s is None or s not in view.infos for s in stamps):
        return None
    ours, theirs = (_moments(view, str(s)) for s in stamps)
    if ours is None or theirs is None:
        return None
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    late = np.flatnonzero(both & (ours > theirs))
    if not len(late):
        return None
    text = (
        f"in {len(late)} of {int(both.sum())} rows '{r_column}' was rated after '{o_column}' (first: "
        f"{view.place(late[0])}); there it cannot predict it. Predict the next session's value: ak.lead(data, "
        f"'{o_column}', ...)."
    )
    return view.finding(int(late[0]), r_column, "timing", "warning", text)


def _by_words(
    view: TableView, relation: tuple[str, str, ColumnInfo], outcome: tuple[str, str, ColumnInfo]
) -> Finding | None:
    (r_name, r_column, r_info), (o_name, o_column, o_info) = relation, outcome
    if r_info.when is None or o_info.when is None:
        text = (
            f"whether {r_name} ('{r_column}') is rated before or after {o_name} ('{o_column}') of the same row is not "
            'stated; add "when": "before", "during" or "after" (the session) to both in the codebook.'
        )
        return view.finding(None, r_column, "timing_unknown", "info", text)
    position = {"before": 0, "during": 1, "after": 2}
    if position[r_info.when] <= position[o_info.when]:
        return None
    text = (
        f"{r_name} ('{r_column}') is rated {r_info.when} the session and {o_name} ('{o_column}') {o_info.when} it: "
        "in one row the alliance comes after the symptoms and cannot predict them. Predict the next session's "
        f"value: ak.lead(data, '{o_column}', ...)."
    )
    return view.finding(None, r_column, "timing", "warning", text)
