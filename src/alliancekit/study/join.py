"""Joining tables many to one: a session's row gets the columns of its patient and therapist, never a second row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from alliancekit.core.errors import SchemaError, message
from alliancekit.study.codebook import Codebook

UNIT_TABLES = ("patient", "family", "group", "therapist", "site")


def analysis_frame(tables: Mapping[str, pd.DataFrame], codebook: Codebook) -> pd.DataFrame:
    """Return the only table, or the session table with the columns of patient, therapist and other units joined.

    A column that both sides have is taken once where the values agree; where they differ the joined one is named
    ``<column>_<table>``.
    """
    if not tables:
        raise SchemaError(message("the study has no table"))
    if codebook.analysis in tables:
        return tables[str(codebook.analysis)]
    base = _base_table(tables, codebook)
    frame = tables[base]
    for unit in UNIT_TABLES:
        if unit not in tables or unit == base:
            continue
        key = _key(tables[unit], codebook, unit, unit)
        near = _role_column(frame, codebook, unit, [base, *UNIT_TABLES])
        if near is None:
            continue
        other = tables[unit].rename(columns={key: near}) if key != near else tables[unit]
        check_unique(other, [near], table=unit)
        frame = _join_reconciled(frame, other, near, unit)
    return frame


def _base_table(tables: Mapping[str, pd.DataFrame], codebook: Codebook) -> str:
    if len(tables) == 1:
        return next(iter(tables))
    if "session" in tables:
        return "session"
    long = [t for t in tables if t not in UNIT_TABLES and {"session", "time"} & set(codebook.roles(t))]
    if len(long) == 1:
        return long[0]
    units = [t for t in tables if t in UNIT_TABLES]
    if not long and units == list(tables):
        return units[0] if "patient" not in units else "patient"
    raise SchemaError(
        message(
            "which table is the analysis frame cannot be told",
            where=f"tables: {', '.join(tables)}",
            do="Name one table 'session', or read one alone with read_study(path, table=...)",
        )
    )


def _role_column(frame: pd.DataFrame, codebook: Codebook, role: str, tables: Sequence[str]) -> str | None:
    for table in tables:
        column = codebook.roles(table).get(role)
        if column is not None and column in frame.columns:
            return column
    return role if role in frame.columns else None


def _key(frame: pd.DataFrame, codebook: Codebook, role: str, table: str) -> str:
    key = _role_column(frame, codebook, role, [table])
    if key is None:
        raise SchemaError(
            message(
                f"the table '{table}' has no key: no column with the role '{role}'",
                do=f'Give its id column "role": "{role}" in codebook.json',
            )
        )
    return key


def check_unique(frame: pd.DataFrame, keys: list[str], *, table: str) -> None:
    """Raise SchemaError naming the keys that occur more than once."""
    known = frame[keys].dropna()
    again = known[known.duplicated(keep=False)]
    if again.empty:
        return
    names = [", ".join(str(v) for v in row) for row in again.drop_duplicates().itertuples(index=False)]
    shown = "; ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    raise SchemaError(
        message(
            f"the table '{table}' lists {len(names)} key{'s' if len(names) > 1 else ''} more than once: {shown}",
            where=f"column {', '.join(keys)}",
            do="Keep one row for each, then read the study again",
        )
    )


def _aligned(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the keys of both sides one type: text where either side is text."""
    changes: dict[str, str] = {}
    for key in keys:
        kinds = {pd.api.types.is_numeric_dtype(side[key]) for side in (left, right)}
        if len(kinds) == 2:
            changes[key] = "str"
    if not changes:
        return left, right
    plain = [side.assign(**{k: _as_text(side[k]) for k in changes}) for side in (left, right)]
    return plain[0], plain[1]


def _as_text(column: pd.Series) -> pd.Series:
    from alliancekit.study.codebook import code_text

    return column.map(lambda v: code_text(v) if pd.notna(v) else None).astype("str")


def join_many_to_one(
    frame: pd.DataFrame, other: pd.DataFrame, keys: list[str], *, table: str, columns: list[str] | None = None
) -> tuple[pd.DataFrame, int]:
    """Return the frame with the other table's columns, and how many rows found a partner."""
    for side, name in ((frame, "the analysis frame"), (other, f"the table '{table}'")):
        lost = [k for k in keys if k not in side.columns]
        if lost:
            raise SchemaError(message(f"{name} has no key column {', '.join(map(repr, lost))}"))
    taken = [c for c in other.columns if c not in keys] if columns is None else list(columns)
    absent = [c for c in taken if c not in other.columns]
    if absent:
        raise SchemaError(message(f"the table '{table}' has no column {', '.join(map(repr, absent))}"))
    both = [c for c in taken if c in frame.columns]
    if both:
        raise SchemaError(
            message(
                f"both sides have the column {', '.join(map(repr, both))}",
                where=f"joining '{table}'",
                do="Take others with columns=[...], or rename it in one table",
            )
        )
    known = other.dropna(subset=keys)
    check_unique(known, keys, table=table)
    left, right = _aligned(frame[keys], known[[*keys, *taken]], keys)
    merged = left.merge(right, on=keys, how="left", validate="many_to_one", indicator="_found_")
    if len(merged) != len(frame):
        raise SchemaError(message(f"joining '{table}' would change {len(frame)} rows into {len(merged)}"))
    merged.index = frame.index
    added = merged[taken]
    return pd.concat([frame, added], axis=1), int((merged["_found_"] == "both").sum())


def _join_reconciled(frame: pd.DataFrame, other: pd.DataFrame, key: str, table: str) -> pd.DataFrame:
    shared = [c for c in other.columns if c != key and c in frame.columns]
    renamed = other.rename(columns={c: f"{c}_{table}" for c in shared})
    joined, _ = join_many_to_one(frame, renamed, [key], table=table)
    for column in shared:
        ours, theirs = joined[column], joined[f"{column}_{table}"]
        differ = ours.notna() & theirs.notna() & (ours.astype(object) != theirs.astype(object))
        if not differ.any() and ours.notna().sum() >= (ours.notna() | theirs.notna()).sum():
            joined = joined.drop(columns=f"{column}_{table}")
    return joined
