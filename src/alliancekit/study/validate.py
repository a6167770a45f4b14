"""Validation: every finding about a study's data at once, each with its place and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from alliancekit.core.errors import SchemaError, SpecError, check_option, kind_of, message
from alliancekit.study.checks import keys, order, structure, values
from alliancekit.study.checks.view import Finding, TableView
from alliancekit.study.codebook import ROLES, Codebook, ColumnInfo
from alliancekit.study.types import ANALYSIS, Study

SEVERITIES = ("error", "warning", "info")
COLUMNS = ["table", "row", "column", "code", "severity", "message"]
_BY_NAME = ("patient", "therapist", "family", "rater", "target", "session", "time", "date")
_CHECKS = (
    keys.missing_ids,
    keys.duplicate_rows,
    keys.duplicate_keys,
    keys.similar_ids,
    values.text_in_numbers,
    values.out_of_range,
    values.unknown_labels,
    values.undeclared_codes,
    values.odd_text,
    values.infinite,
    order.unreadable_dates,
    order.backwards,
    order.timing,
    structure.empty_columns,
    structure.several_units,
    structure.single_sessions,
    structure.undescribed,
)


@dataclass(frozen=True, eq=False)
class ValidationReport:
    """Everything that was found in the data.

    Attributes
    ----------
    findings : frame with one row per finding, errors first: table, row (label in the frame's index; missing for a
        finding about a column or table), column, code, severity ("error", "warning", "info") and message.
    sizes : table -> (rows, columns).
    """

    findings: pd.DataFrame
    sizes: Mapping[str, tuple[int, int]]

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity."""
        check_option("severity", severity, SEVERITIES)
        return int((self.findings["severity"] == severity).sum())

    @property
    def valid(self) -> bool:
        """Whether there is no error (warnings and information may be there)."""
        return self.count("error") == 0

    def tidy(self) -> pd.DataFrame:
        """Return the findings, one per row."""
        return self.findings.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: tables, rows, errors, warnings, infos, valid."""
        row = {
            "tables": len(self.sizes),
            "rows": sum(rows for rows, _ in self.sizes.values()),
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "infos": self.count("info"),
            "valid": self.valid,
        }
        return pd.DataFrame([row])

    def require_valid(self) -> ValidationReport:
        """Return the report itself where there is no error.

        Raises
        ------
        SchemaError : there are errors; all of them are in the message.
        """
        errors = self.findings.loc[self.findings["severity"] == "error", "message"].tolist()
        if errors:
            lines = "\n".join(f"  - {text}" for text in errors)
            many = "s" if len(errors) > 1 else ""
            raise SchemaError(f"the data have {len(errors)} error{many}:\n{lines}")
        return self

    def __repr__(self) -> str:
        """Show the counts and the first findings."""
        names = {"error": "errors", "warning": "warnings", "info": "notes"}
        counts = ", ".join(f"{self.count(s)} {n if self.count(s) != 1 else n[:-1]}" for s, n in names.items())
        tables = ", ".join(f"{name} ({rows:,} rows)" for name, (rows, _) in self.sizes.items())
        lines = [f"Validation of {tables}: {counts}"]
        lines += [f"  {f.severity:<7}  {f.message}" for f in self.findings.head(20).itertuples()]
        if len(self.findings) > 20:
            lines.append(f"  ... and {len(self.findings) - 20} more in .findings")
        return "\n".join(lines)


def validate(
    data: Study | pd.DataFrame, *, roles: Mapping[str, str] | None = None, require: Sequence[str] = ("patient",)
) -> ValidationReport:
    """Check a study's data and return all findings at once; messy data never make it raise.

    Parameters
    ----------
    data : Study (all its tables; the analysis frame where functions have changed it), or a frame.
    roles : role -> column, counting before the codebook's. Without a codebook a column that has a role's name plays it.
    require : roles without which the data count as wrong.

    Returns
    -------
    ValidationReport. Errors: duplicate patient-sessions, missing patients or sessions, patients listed twice, ids that
    differ only by capitals or blanks, words among numbers, values out of range, unknown labels, dates that are none,
    time running backwards, infinite values, missing roles, columns of one name. Warnings: columns without value or
    variation, undeclared missing codes, look-alike labels, spoilt letters, alliance rated after the symptoms of its
    row, patients without entry in their table. Notes: patients with several therapists (counted), with one session, an
    order of rating that is not stated, columns the codebook does not mention.

    Raises
    ------
    SpecError : ``data`` is no study, or ``roles`` or ``require`` name an unknown role or a column that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a", "a", "a", "b"], "session": [1, 2, 2, 1], "bdi": [30, 28, 27, 12]})
    >>> report = validate(df)
    >>> report.findings["code"].tolist()
    ['duplicate_row', 'one_session']

    Checked against
    ---------------
    Frames with one planted fault each, and the same frames without it, in tests/unit/study/test_validate.py.

    When not to use
    ---------------
    As proof that data are right: a plausible wrong number has no mark.
    """
    for role in [*(roles or {}), *require]:
        check_option("role", role, ROLES)
    views, findings = _views(data, dict(roles or {}))
    for view in views.values():
        findings += list(structure.missing_roles(view, require))
        for check in _CHECKS:
            findings += list(check(view))
    findings += list(keys.orphans(views))
    return ValidationReport(_frame(findings), {name: view.frame.shape for name, view in views.items()})


def _frame(findings: Iterable[Finding]) -> pd.DataFrame:
    rows = [(f.table, f.row, f.column, f.code, f.severity, f.message) for f in findings]
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype=object)
    ranks = frame["severity"].map({s: i for i, s in enumerate(SEVERITIES)})
    return frame.iloc[ranks.argsort(kind="stable")].reset_index(drop=True) if len(frame) else frame


def _views(data: Any, roles: dict[str, str]) -> tuple[dict[str, TableView], list[Finding]]:
    if isinstance(data, pd.DataFrame):
        tables: dict[str, pd.DataFrame] = {"data": data}
        book = Codebook()
    elif isinstance(data, Study):
        book = data.codebook
        tables = dict(data.tables) if data.frame is None else {ANALYSIS: data.frame}
    else:
        do = "Hand over a Study (ak.read_study) or a pandas DataFrame"
        raise SpecError(message(f"{kind_of(data)} is not a study", do=do))
    findings: list[Finding] = []
    views: dict[str, TableView] = {}
    for name, frame in tables.items():
        clean, found = _clean(name, frame)
        findings += found
        infos = {c: _info(data, book, name, c) for c in clean.columns}
        described = any(info.as_dict() for info in infos.values()) and isinstance(data, Study)
        views[name] = TableView(name, clean, infos, _roles(infos, roles), described)
    lost = {r: c for r, c in roles.items() if not any(c in v.infos for v in views.values())}
    if lost:
        named = ", ".join(f"'{c}' for '{r}'" for r, c in lost.items())
        raise SpecError(message(f"roles= names columns that are not in the data: {named}"))
    return views, findings


def _info(data: Any, book: Codebook, table: str, column: str) -> ColumnInfo:
    if isinstance(data, Study) and data.frame is not None:
        return data.column_info(column)
    return book.column(column, table)


def _roles(infos: Mapping[str, ColumnInfo], given: Mapping[str, str]) -> dict[str, str]:
    found = {role: column for role, column in given.items() if column in infos}
    for column, info in infos.items():
        if info.role and info.role not in ("item", "outcome"):
            found.setdefault(info.role, column)
    for name in _BY_NAME:
        if name in infos and name not in found and not infos[name].role:
            found[name] = name
    return found


def _clean(table: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the frame with unique text names for its columns, and what was wrong with them."""
    return _cleaned(table, frame), list(_name_findings(table, frame))


def _cleaned(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame.copy(deep=False)
    plain.columns = pd.Index([str(c) for c in frame.columns], dtype="str")
    return plain.loc[:, ~plain.columns.duplicated()]


def _name_findings(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    names = [str(c) for c in frame.columns]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        at = ", ".join(str(i + 1) for i, n in enumerate(names) if n == name)
        text = f"several columns are called '{name}' (columns {at}); rename all but one. Only the first was checked."
        yield Finding(table, None, name, "duplicate_column", "error", text)
    for name in dict.fromkeys(n for n in names if n != n.strip()):
        text = f"the column name {name!r} has blanks around it; take them off: df.columns = df.columns.str.strip()."
        yield Finding(table, None, name, "blank_in_name", "warning", text)
    if not len(frame):
        yield Finding(table, None, None, "no_rows", "error", f"the table '{table}' has no rows.")
    if not len(names):
        yield Finding(table, None, None, "no_columns", "error", f"the table '{table}' has no columns.")
