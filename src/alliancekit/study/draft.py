"""Drafting a codebook from the data: guesses that a person reads and corrects."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from alliancekit.study.codebook import ColumnInfo, TableInfo
from alliancekit.study.registry import Instrument, registry

_NAMES: dict[str, tuple[str, ...]] = {
    "patient": ("patient", "patientid", "patid", "pid", "subject", "subjectid", "subj", "client", "clientid", "person",
                "personid", "participant", "participantid", "id", "case", "caseid"),
    "therapist": ("therapist", "therapistid", "thid", "tid", "counselor", "counsellor", "clinician", "therapeut"),
    "group": ("groupid", "groupno", "therapygroup"),
    "family": ("family", "familyid", "couple", "coupleid", "dyad", "dyadid"),
    "rater": ("rater", "raterid"),
    "target": ("target", "targetid"),
    "site": ("site", "siteid", "centre", "center", "clinic"),
    "session": ("session", "sessionno", "sessionnr", "sessionnumber", "sess", "visit", "occasion", "sitzung"),
    "time": ("time", "week", "weeks", "day", "days", "month", "months", "wave"),
    "date": ("date", "sessiondate", "datum"),
}  # fmt: skip
_NUMBERED = re.compile(r"(.*?)(\d+)")
_OCCASION_END = re.compile(r"(^|[_.\-\s])(s|t|w|wk|week|session|sess|visit|month|m|d|day|fu|time|wave)[_.\-\s]?$", re.I)
MAX_CATEGORIES = 10


def draft_table(name: str, frame: pd.DataFrame) -> TableInfo:
    """Return guesses for every column of a table."""
    roles = guess_roles(frame)
    items = guess_items(frame)
    patient = next((c for c, role in roles.items() if role == "patient"), None)
    columns: dict[str, ColumnInfo] = {}
    for column in frame.columns:
        role, item = roles.get(column), items.get(column)
        values, kind = _values(frame[column], role)
        columns[column] = ColumnInfo(
            label=re.sub(r"[_.]+", " ", str(column)).strip(),
            role=role or ("item" if item else None),
            instrument=item[1].id if item and item[1] else None,
            item=item[0] if item else None,
            level=_level(name, frame, column, patient),
            range=item[1].range_of(item[0]) if item and item[1] else None,
            values=values,
            type=kind,
        )
    return TableInfo(file=f"{name}.csv", columns=columns)


def guess_roles(frame: pd.DataFrame) -> dict[str, str]:
    """Return column -> role by the column's name; each role once."""
    plain = {c: re.sub(r"[^a-z]", "", str(c).lower()) for c in frame.columns}
    found: dict[str, str] = {}
    for role, names in _NAMES.items():
        ranked = sorted((names.index(word), i, c) for i, (c, word) in enumerate(plain.items()) if word in names)
        if ranked:
            found[ranked[0][2]] = role
    return found


def guess_items(frame: pd.DataFrame) -> dict[str, tuple[int, Instrument | None]]:
    """Return column -> (item number, instrument or None) for runs of columns numbered from 1, three or more."""
    runs: dict[str, dict[int, str]] = {}
    for column in frame.columns:
        match = _NUMBERED.fullmatch(str(column))
        if match and match.group(1) and pd.api.types.is_numeric_dtype(frame[column]):
            runs.setdefault(match.group(1), {})[int(match.group(2))] = column
    found: dict[str, tuple[int, Instrument | None]] = {}
    for prefix, numbered in runs.items():
        if _OCCASION_END.search(prefix) or len(numbered) < 3 or set(numbered) != set(range(1, len(numbered) + 1)):
            continue
        made = _instrument_of(prefix, len(numbered))
        found |= {column: (number, made) for number, column in numbered.items()}
    return found


def _instrument_of(prefix: str, n: int) -> Instrument | None:
    word = re.sub(r"[^a-z0-9]", "", prefix.lower())
    fits = [i for i in registry().values() if re.sub(r"[^a-z0-9]", "", i.id.lower()) == word and i.n_items == n]
    return fits[0] if len(fits) == 1 else None


def _values(column: pd.Series, role: str | None) -> tuple[Mapping[str, str], str | None]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = [str(c) for c in column.cat.categories]
        return {w: w for w in words}, "ordered" if column.cat.ordered else "category"
    if role is None and pd.api.types.is_string_dtype(column):
        words = sorted(map(str, column.dropna().unique()))
        if 1 < len(words) <= MAX_CATEGORIES and len(words) * 2 < column.notna().sum():
            return {w: w for w in words}, "category"
    return {}, None


def _level(name: str, frame: pd.DataFrame, column: str, patient: str | None) -> str | None:
    if name in ("patient", "therapist", "group", "family", "site"):
        return name
    if patient is None or not frame[patient].duplicated().any():
        return "patient" if patient is not None else None
    constant = frame.groupby(patient, observed=True)[column].nunique().le(1).all() if column != patient else True
    return "patient" if constant else "session"
