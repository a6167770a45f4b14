"""Ids: missing ones, look-alikes, and rows that say the same person and occasion twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from alliancekit.study.checks.view import Finding, TableView, named
from alliancekit.study.codebook import ID_ROLES, code_text
from alliancekit.study.join import UNIT_TABLES

_KEY_ROLES = ("patient", "rater", "target")


def missing_ids(view: TableView) -> Iterator[Finding]:
    """Rows without patient, or without session: no model can place them."""
    for role in ("patient", "session"):
        column = view.roles.get(role)
        if column is None:
            continue
        for i in np.flatnonzero(view.frame[column].isna().to_numpy()):
            text = f"{view.place(i, but=column)} has no {role} in '{column}'; fill it in or take the row out."
            yield view.finding(int(i), column, f"missing_{role}", "error", text)


def duplicate_rows(view: TableView) -> Iterator[Finding]:
    """Two rows of one patient at one session (and rater and target, where there are any).

    Without a session column, two rows at one time or date are a warning: a patient may be rated twice in a day.
    """
    moment = next((view.roles[r] for r in ("session", "time", "date") if r in view.roles), None)
    if "patient" not in view.roles or moment is None or view.name in UNIT_TABLES:
        return
    keys = [view.roles[r] for r in _KEY_ROLES if r in view.roles] + [moment]
    known = view.frame[keys].notna().all(axis=1).to_numpy()
    rows = np.flatnonzero(known)
    again = view.frame[keys].iloc[rows].astype(object).duplicated(keep=False).to_numpy()
    groups = view.frame[keys].iloc[rows[again]].groupby(keys, sort=False, observed=True).indices
    for key, members in groups.items():
        at = rows[again][members]
        what = ", ".join(
            f"{k} {code_text(v)}" for k, v in zip(keys, key if isinstance(key, tuple) else (key,), strict=True)
        )
        for i in at[1:]:
            text = (
                f"row {view.frame.index[i]} repeats row {view.frame.index[at[0]]}: {what} is there {len(at)} times; "
                + ("keep one row of them." if "session" in view.roles else "keep one, or number the ratings.")
            )
            severity = "error" if "session" in view.roles else "warning"
            yield view.finding(int(i), moment, "duplicate_row", severity, text)


def duplicate_keys(view: TableView) -> Iterator[Finding]:
    """A patient or therapist table that lists one unit twice."""
    key = view.roles.get(view.name) if view.name in UNIT_TABLES else None
    if key is None:
        return
    known = view.frame[key].dropna()
    again = known[known.duplicated(keep=False)]
    for unit, rows in again.groupby(again, sort=False, observed=True).groups.items():
        labels = list(rows)
        text = f"{view.name} {code_text(unit)} is in rows {named(labels)} of the table '{view.name}'; keep one."
        position = int(np.flatnonzero((view.frame[key] == unit).to_numpy())[1])
        yield view.finding(position, key, "duplicate_key", "error", text)


def similar_ids(view: TableView) -> Iterator[Finding]:
    """Ids that differ only by capital letters, blanks or leading zeros: probably one person as two."""
    for role in ID_ROLES:
        column = view.roles.get(role)
        if column is None or pd.api.types.is_numeric_dtype(view.frame[column]):
            continue
        counts = view.frame[column].dropna().astype(str).value_counts(sort=False)
        families: dict[str, list[str]] = {}
        for text in counts.index:
            families.setdefault(_folded(text), []).append(text)
        for texts in families.values():
            if len(texts) < 2:
                continue
            usual = max(texts, key=lambda t: (counts[t], t))
            for odd in (t for t in texts if t != usual):
                position = int(np.flatnonzero((view.frame[column].astype(str) == odd).to_numpy())[0])
                text = (
                    f"the {role} id {odd!r} ({counts[odd]} rows) differs from {usual!r} ({counts[usual]} rows) only "
                    "by capital letters, blanks or leading zeros; if they are one, write them alike."
                )
                yield view.finding(position, column, "similar_ids", "error", text)


def _folded(text: str) -> str:
    plain = "".join(text.split()).casefold()
    return plain.lstrip("0") or plain


def orphans(views: dict[str, TableView]) -> Iterator[Finding]:
    """Rows whose patient or therapist is not in the table of patients or therapists."""
    for unit in UNIT_TABLES:
        home = views.get(unit)
        key = home.roles.get(unit) if home is not None else None
        if home is None or key is None:
            continue
        known = {code_text(v) for v in home.frame[key].dropna().unique()}
        for view in views.values():
            column = view.roles.get(unit)
            if view.name == unit or column is None:
                continue
            lost = [v for v in view.frame[column].dropna().unique() if code_text(v) not in known]
            if lost:
                position = int(np.flatnonzero((view.frame[column] == lost[0]).to_numpy())[0])
                text = (
                    f"{len(lost)} {unit}{'s' if len(lost) > 1 else ''} of the table '{view.name}' ({named(lost)}) "
                    f"{'are' if len(lost) > 1 else 'is'} not in the table '{unit}'; the joined columns will be "
                    "missing."
                )
                yield view.finding(position, column, "orphan", "warning", text)
