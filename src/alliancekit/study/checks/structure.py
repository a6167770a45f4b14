"""Columns and units: what is missing, constant or empty, and how patients sit in therapists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from alliancekit.core.errors import nearest
from alliancekit.study.checks.view import Finding, TableView, named
from alliancekit.study.codebook import ID_ROLES
from alliancekit.study.join import UNIT_TABLES


def missing_roles(view: TableView, require: Sequence[str]) -> Iterator[Finding]:
    """Roles that an analysis needs and no column plays."""
    for role in require:
        if role not in view.roles and not (view.name in UNIT_TABLES and view.name != role):
            close = nearest(role, list(view.infos))
            hint = f" (the column '{close}'?)" if close else ""
            text = (
                f"no column of the table '{view.name}' is the {role}{hint}; say it with "
                f"roles={{'{role}': 'column'}}, or "
                f'with "role": "{role}" in the codebook.'
            )
            yield view.finding(None, None, "missing_role", "error", text)
    patient = view.roles.get("patient")
    if patient is None or view.name in UNIT_TABLES or {"session", "time", "date"} & set(view.roles):
        return
    if view.frame[patient].dropna().duplicated().any():
        text = (
            f"patients have several rows in the table '{view.name}', but no column is the session, time or date; say "
            "it with "
            "roles={'session': 'column'}."
        )
        yield view.finding(None, None, "missing_role", "error", text)


def empty_columns(view: TableView) -> Iterator[Finding]:
    """Columns without any value, and columns with one value only."""
    units = {view.roles[role] for role in ID_ROLES if role in view.roles}
    for column in view.infos:
        values = view.frame[column]
        known = values.dropna()
        if known.empty and len(values):
            text = f"'{column}' has no value in any of its {len(values)} rows; leave it out, or check the export."
            yield view.finding(None, column, "all_missing", "warning", text)
        elif len(known) > 1 and column not in units and _constant(known):
            text = (
                f"'{column}' has the same value ({known.iloc[0]}) in all {len(known)} rows that have one: it cannot be "
            )
            yield view.finding(None, column, "constant", "warning", text + "related to anything.")


def _constant(known: pd.Series) -> bool:
    first = known.iloc[:100].astype(object).map(str)
    return bool(first.nunique() == 1 and known.iloc[100:].astype(object).map(str).isin([first.iloc[0]]).all())


def several_units(view: TableView) -> Iterator[Finding]:
    """Patients with several therapists, groups, families or sites: crossed, not nested."""
    patient = view.roles.get("patient")
    if patient is None or view.name in UNIT_TABLES:
        return
    for role, many in (("therapist", "therapists"), ("group", "groups"), ("family", "families"), ("site", "sites")):
        column = view.roles.get(role)
        if column is None:
            continue
        pairs = view.frame[[patient, column]].dropna().drop_duplicates()
        counts = pairs[patient].value_counts(sort=False)
        several = list(counts.index[counts.to_numpy() > 1])
        if several:
            text = (
                f"{len(several)} of {len(counts)} patients ({named(several)}) have rows with more than one {role}: "
                f"{many} are crossed with patients, not above them. A model with (1 | {patient}) + (1 | {column}) "
                f"allows for it; the form {column}/{patient} would make one patient several."
            )
            yield view.finding(None, column, f"several_{many}", "info", text)


def single_sessions(view: TableView) -> Iterator[Finding]:
    """Patients with one row only: they say nothing about change inside a person."""
    patient = view.roles.get("patient")
    if patient is None or not {"session", "time", "date"} & set(view.roles) or view.name in UNIT_TABLES:
        return
    counts = view.frame[patient].dropna().value_counts(sort=False)
    single = list(counts.index[counts.to_numpy() == 1])
    if single and (counts > 1).any():
        text = (
            f"{len(single)} of {len(counts)} patients ({named(single)}) have one row only: they count for "
            "differences between patients, not for change within them."
        )
        yield view.finding(None, patient, "one_session", "info", text)


def undescribed(view: TableView) -> Iterator[Finding]:
    """Columns that the codebook does not mention, where it mentions others."""
    if not view.described:
        return
    silent = [c for c, info in view.infos.items() if not info.as_dict()]
    if silent:
        text = f"the codebook says nothing about {named([repr(c) for c in silent])}; describe them, or leave them out."
        yield view.finding(None, silent[0], "undescribed", "info", text)
