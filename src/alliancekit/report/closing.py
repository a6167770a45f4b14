"""The sections every report has: how the data were derived, text to copy, software and reproduction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from alliancekit.core.provenance import versions
from alliancekit.report.assembly import Code, Listing
from alliancekit.report.evidence import Evidence
from alliancekit.report.manifest import Script
from alliancekit.report.parts import Banner, Table

DERIVATION = "How the Data Were Derived"
LIMITS = "Limits"
MANUSCRIPT = "Text for the Manuscript"
SOFTWARE = "Software and Reproduction"
CHECKLIST = "Reporting Standards Covered"
VERIFIED = ("verified",)


def key_states(study: Any) -> dict[str, str]:
    """Return instrument -> status of its scoring key, from the study's log; the worst where they differ."""
    states: dict[str, str] = {}
    for entry in getattr(study, "log", ()) or ():
        if entry.instrument is None or entry.key_status is None:
            continue
        if states.get(entry.instrument) in (None, *VERIFIED):
            states[entry.instrument] = entry.key_status
    return states


def key_banners(states: Mapping[str, str]) -> list[Banner]:
    """Return one notice for each instrument whose scoring key nobody has verified."""
    banners = []
    for instrument, state in states.items():
        if state in VERIFIED:
            continue
        if state == "user":
            text = (
                f"The scoring key of {instrument} was given in the script and is not checked against a published one."
            )
        else:
            text = f"The scoring key of {instrument} is {state}: compare it with the published key before use."
        banners.append(Banner(text, tone="warn"))
    return banners


def derivation_items(study: Any, evidence: Evidence) -> list[Any]:
    """Return the study's log as a table, or the notice that nothing was recorded."""
    if study is None:
        return [
            Banner(
                "Derivation not recorded: the models were fitted to a bare data frame, and nothing is known of scoring "
                "keys. Start from ak.read_study, and "
                "every step that makes a variable is listed here.",
                tone="warn",
            )
        ]
    items: list[Any] = []
    files = data_lines(study)
    if files:
        items.append(Listing(tuple(files)))
    log = tuple(getattr(study, "log", ()) or ())
    items.append(_log_table(log) if log else "The data were used as they were read; no step changed them.")
    unknown = unrecorded(study, evidence)
    if unknown:
        names = ", ".join(unknown)
        items.append(Banner(f"Derivation not recorded for: {names}. They were made outside the study.", tone="warn"))
    return items


def data_lines(study: Any) -> list[str]:
    """Return the files of a study with the head of their hash."""
    provenance = getattr(study, "provenance", None)
    files = getattr(provenance, "files", ())
    pairs = files.items() if isinstance(files, Mapping) else files
    return [f"{name} (SHA-256 {str(digest)[:16]}…)" for name, digest in pairs]


def unrecorded(study: Any, evidence: Evidence) -> list[str]:
    """Return variables of the fits that were neither read from a file nor made by a step of the study's log."""
    tables = getattr(study, "tables", None)
    read = {str(c) for table in tables.values() for c in table.columns} if tables else set(map(str, study.data.columns))
    derived = getattr(getattr(study, "codebook", None), "tables", {}).get("analysis")
    read |= {str(c) for c in getattr(derived, "columns", ())}
    words = {word.strip(".") for e in getattr(study, "log", ()) or () for word in re.findall(r"[\w.]+", e.detail)}
    used = [str(v) for fit in evidence.fits for v in getattr(getattr(fit, "design", None), "variables", ())]
    return [v for v in dict.fromkeys(used) if v not in read and v not in words]


def _log_table(log: tuple[Any, ...]) -> Table:
    data = pd.DataFrame(
        {
            "step": range(1, len(log) + 1),
            "function": [e.function for e in log],
            "detail": [e.detail for e in log],
            "instrument": [e.instrument or "" for e in log],
            "key_status": [e.key_status or "" for e in log],
            "rows_changed": [e.rows_changed for e in log],
        }
    )
    labels = {"detail": "What was done", "key_status": "Key", "rows_changed": "Rows"}
    notes: tuple[str, ...] = ("Rows: rows that got a value, or were added or left out.",)
    marks: dict[tuple[int, str], str] = {}
    if any(e.instrument for e in log):
        states = {i: e.key_status for i, e in enumerate(log) if e.key_status}
        marks = {(i, "key_status"): "good" if state in VERIFIED else "warn" for i, state in states.items()}
        notes = (*notes, "Key: state of the questionnaire's scoring key.")
    else:
        data = data.drop(columns=["instrument", "key_status"])
    return Table(
        title="Steps From the Files to the Analysis Variables",
        data=data,
        kinds={"step": "integer", "rows_changed": "integer"},
        labels={name: text for name, text in labels.items() if name in data},
        marks=marks,
        notes=notes,
    )


def software_items(
    *, evidence: Evidence, seeds: list[int], script: Script | None, folder: str, code: list[Code]
) -> list[Any]:
    """Return versions, seeds, warnings, how to make the report again, and the models as R code."""
    found = {name: number for name, number in versions().items() if number != "not installed"}
    python = found.pop("python")
    shown = ", ".join(f"{name} {number}" for name, number in found.items())
    items: list[Any] = [f"Computed with Python {python} and {shown}."]
    seed_words = ", ".join(map(str, seeds))
    items.append(
        f"Random seed{'s' if len(seeds) > 1 else ''}: {seed_words}." if seeds else "No random numbers were used."
    )
    if evidence.warnings:
        items += ["Warnings given while the models were fitted:", Listing(tuple(evidence.warnings))]
    items.append(_rerun(script, folder))
    return items + list(code)


def _rerun(script: Script | None, folder: str) -> Any:
    if script is None:
        return "The report was not written by a script; it cannot be made again from this page alone."
    lines = [f"python {script.path}"]
    if folder:
        lines.append(f"alliancekit verify {folder}")
    return Code("To make this report again, and to compare it byte by byte, in the project’s folder", "\n".join(lines))
