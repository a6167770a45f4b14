"""Tables and sentences of the study layer: what validation found, and the questionnaires that were scored."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.report.parts import Banner, Figure, Sentence, Table
from alliancekit.study.types import Study
from alliancekit.study.validate import SEVERITIES, ValidationReport

DESCRIPTIVE = ("alliancekit.study.flow", "alliancekit.study.describe", "alliancekit.study.correlations")
WORDS = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("note", "notes")}
MEANING = {
    "duplicate_row": "Patient and occasion entered twice",
    "duplicate_key": "Unit listed twice in its table",
    "duplicate_column": "Several columns of one name",
    "missing_patient": "Row without patient",
    "missing_session": "Row without session",
    "missing_role": "Column for a needed role missing",
    "similar_ids": "Ids that differ only by capitals, blanks or zeros",
    "text_in_numbers": "Word in a column of numbers",
    "out_of_range": "Value outside the possible range",
    "unknown_label": "Value without a label",
    "undeclared_code": "Value that looks like a missing code",
    "unreadable_date": "Cell that is no date",
    "time_backwards": "Time running backwards",
    "timing": "Alliance rated after the symptoms of its row",
    "timing_unknown": "Order of alliance and symptom rating not stated",
    "all_missing": "Column without any value",
    "constant": "Column with one value",
    "several_therapists": "Patients with several therapists",
    "several_groups": "Patients in several groups",
    "several_families": "Patients in several families",
    "several_sites": "Patients at several sites",
    "one_session": "Patients with one row",
    "orphan": "Unit not listed in its table",
    "similar_labels": "Labels that differ only by capitals or blanks",
    "wrong_encoding": "Letters spoilt by a wrong encoding",
    "infinite": "Infinite value",
    "undescribed": "Column the codebook does not mention",
    "blank_in_name": "Blanks around a column name",
    "no_rows": "Table without rows",
    "no_columns": "Table without columns",
}


def _descriptive(result: Any) -> ModuleType | None:
    """Return the presenter of flow, descriptives and correlations, where the result is one of these."""
    if type(result).__module__ in DESCRIPTIVE:
        return importlib.import_module("alliancekit.report.study_tables")
    return None


def _none(result: Any, what: str, do: str) -> ReportError:
    return ReportError(message(f"a {type(result).__name__} has no {what}", do=do))


def make_table(*results: Any) -> Table:
    """Return the table of a result of the study layer.

    A ``ValidationReport``: one row per kind of finding with the number of cells or units, never single rows of people.
    A ``Study``: the steps that made its columns.

    Raises
    ------
    ReportError : several results at once, or one without a table.
    """
    first = results[0]
    other = _descriptive(first)
    if other is not None:
        return other.make_table(*results)  # type: ignore[no-any-return]
    if len(results) > 1:
        raise ReportError(
            message("several results of the study layer cannot share a table", do="Place them one by one")
        )
    if isinstance(first, ValidationReport):
        return _validation_table(first)
    if isinstance(first, Study):
        return _log_table(first)
    raise _none(first, "table", "Hand over a ValidationReport or a Study")


def make_figure(result: Any, kind: str | None = None) -> Figure:
    """Return a figure of flow, descriptives or correlations; the other results of the layer have none."""
    other = _descriptive(result)
    if other is None or not hasattr(other, "make_figure"):
        raise _none(result, "figure", "Use ak.table(result)")
    return other.make_figure(result, kind)  # type: ignore[no-any-return]


def make_sentence(result: Any) -> Sentence:
    """Return the sentences of a result, made from its table.

    Raises
    ------
    ReportError : a result without a sentence.
    """
    other = _descriptive(result)
    if other is not None:
        if not hasattr(other, "make_sentence"):
            raise _none(result, "sentence", "Use ak.table(result)")
        return other.make_sentence(result)  # type: ignore[no-any-return]
    if isinstance(result, ValidationReport):
        return _validation_sentence(result)
    if isinstance(result, Study):
        return _scoring_sentence(result)
    raise _none(result, "sentence", "Use ak.table(result)")


def make_banners(study: Study) -> tuple[Banner, ...]:
    """Return a notice for each questionnaire that was scored with a key nobody has verified."""
    found: dict[str, str] = {}
    for entry in study.log:
        if entry.instrument and entry.key_status not in (None, "verified"):
            found[entry.instrument] = str(entry.key_status)
    words = {"user": "was given by the script", "unverified": "has not been checked against its manual"}
    return tuple(
        Banner(f"The scoring key of {name} {words[status]}: compare it before the scores are used.")
        for name, status in found.items()
    )


def _validation_table(report: ValidationReport) -> Table:
    counted = report.findings.groupby(["severity", "code"], sort=False).agg(
        columns=("column", lambda c: ", ".join(dict.fromkeys(str(v) for v in c.dropna()))),
        findings=("code", "size"),
    )
    data = counted.reset_index()
    data["finding"] = [MEANING.get(code, code.replace("_", " ")) for code in data["code"]]
    data["severity"] = [WORDS[s][0] for s in data["severity"]]
    data = data[["severity", "finding", "columns", "findings"]]
    tone = {"error": "bad", "warning": "warn"}
    rows = sum(rows for rows, _ in report.sizes.values())
    tables = ", ".join(f"{name} ({n:,} rows)" for name, (n, _) in report.sizes.items())
    return Table(
        title="Findings of the Data Validation",
        data=data,
        kinds={"severity": "text", "finding": "text", "columns": "text", "findings": "integer"},
        labels={"severity": "Severity", "finding": "Finding", "columns": "Columns", "findings": "n"},
        stub=("severity", "finding"),
        marks={(i, "severity"): tone[s] for i, s in enumerate(data["severity"]) if s in tone},
        notes=(
            f"{rows:,} rows checked: {tables}.",
            "n = number of findings. Errors would make an analysis wrong, warnings are probably not meant, notes "
            "are good to know.",
        ),
        source=report,
    )


def _counted(n: int, words: tuple[str, str]) -> str:
    return f"{n if n else 'no'} {words[0] if n == 1 else words[1]}"


def _validation_sentence(report: ValidationReport) -> Sentence:
    table = _validation_table(report).data
    counts = {s: int(table.loc[table["severity"] == WORDS[s][0], "findings"].sum()) for s in SEVERITIES}
    rows = sum(rows for rows, _ in report.sizes.values())
    parts = [_counted(counts[s], WORDS[s]) for s in SEVERITIES]
    text = f"Validation of {rows:,} rows gave {parts[0]}, {parts[1]} and {parts[2]}."
    worst = table[table["severity"] == "error"]
    if len(worst):
        named = "; ".join(
            f"{f[0].lower()}{f[1:]} ({n})" for f, n in zip(worst["finding"], worst["findings"], strict=True)
        )
        text += f" Errors: {named}."
    return Sentence(text, source=report)


def _log_table(study: Study) -> Table:
    data = pd.DataFrame(
        {
            "step": range(1, len(study.log) + 1),
            "function": [e.function for e in study.log],
            "detail": [e.detail for e in study.log],
            "instrument": [e.instrument or "" for e in study.log],
            "key_status": [e.key_status or "" for e in study.log],
            "rows_changed": [e.rows_changed for e in study.log],
        }
    )
    return Table(
        title="Steps From Raw Data to Analysis Data",
        data=data,
        kinds={"step": "integer", "rows_changed": "integer"},
        labels={
            "step": "Step",
            "function": "Function",
            "detail": "What was done",
            "instrument": "Instrument",
            "key_status": "Key",
            "rows_changed": "Rows",
        },
        stub=("step", "function", "detail"),
        marks={
            (i, "key_status"): ("good" if e.key_status == "verified" else "warn")
            for i, e in enumerate(study.log)
            if e.key_status
        },
        notes=("Rows = rows that got a value, or were added or left out by the step.",),
        source=study,
    )


def _scoring_sentence(study: Study) -> Sentence:
    scored: dict[str, str] = {e.instrument: str(e.key_status) for e in study.log if e.instrument}
    rows = sum(len(t) for t in study.tables.values())
    tables = len(study.tables)
    text = f"The study has {_counted(tables, ('table', 'tables'))} with {rows:,} rows in all."
    if scored:
        words = {"verified": "verified key", "unverified": "unverified key", "user": "key given in the script"}
        named = ", ".join(f"{name} ({words[status]})" for name, status in scored.items())
        text += f" Scored were {named}."
    return Sentence(text, source=study)
