"""The printed summary of a structural model, in the order and under the headings that users of lavaan know."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from alliancekit.structural.after import text_fit
from alliancekit.structural.after.answers import r2_table
from alliancekit.structural.estimates import StructuralEstimates

_SECTIONS = (
    ("=~", "Latent Variables"),
    ("<~", "Composites"),
    ("~", "Regressions"),
    ("~~", "Covariances"),
    ("~1", "Intercepts"),
    ("|", "Thresholds"),
    ("variance", "Variances"),
    ("~*~", "Scales y*"),
)
_NAME, _CELL = 16, 9
Row = dict[Hashable, Any]


def summary_text(
    fit: StructuralEstimates,
    table: pd.DataFrame,
    measures: pd.Series,
    notes: Sequence[str],
    *,
    standardized: bool = False,
    fit_measures: bool = False,
    rsquare: bool = False,
    ci: bool = False,
) -> str:
    """Return the summary; ``table`` as ``tidy`` returns it, ``measures`` as ``fit_measures`` does.

    standardized, ci : more columns. fit_measures, rsquare : more sections.
    """
    lines = [*text_fit.head(fit), "", *text_fit.tests(fit, measures), ""]
    if fit_measures:
        lines += [*text_fit.measures(measures, fit.options.test != "none"), ""]
    lines += [*text_fit.how_estimated(fit), ""]
    columns = ["estimate", "std_error", "statistic", "p_value"]
    columns += ["conf_low", "conf_high"] if ci else []
    columns += ["std_lv", "std_all"] if standardized else []
    explained = r2_table(fit)
    for title, part, r2 in _blocks(fit, table, explained):
        lines += [title, ""] if title else []
        lines += _block(part, set(r2["variable"]), columns)
        if rsquare and len(r2):
            lines += ["R-Square:", _heading(["estimate"])]
            lines += [_line(f"    {v}", {"estimate": x}, ["estimate"]) for v, x in r2[["variable", "r2"]].to_numpy()]
            lines.append("")
    defined = table[table["op"] == ":="].to_dict("records")
    if defined:
        lines += ["Defined Parameters:", _heading(columns)]
        lines += [*(_line(f"    {row['lhs']}", row, columns) for row in defined), ""]
    return "\n".join([*lines, *notes]).rstrip() + "\n"


def _blocks(
    fit: StructuralEstimates, table: pd.DataFrame, explained: pd.DataFrame
) -> list[tuple[str, list[Row], pd.DataFrame]]:
    """Return title, rows and R2 of each group and level."""
    keys = [name for name in ("group", "level") if name in table.columns]
    rows = table[table["op"] != ":="]
    if not keys:
        return [("", rows.to_dict("records"), explained)]
    out = []
    labels = list(fit.table.group_labels)
    for key, part in rows.groupby(keys, sort=False):
        own = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
        r2 = explained
        words = []
        for name, value in own.items():
            r2 = r2[r2[name] == value]
            if name == "group":
                words.append(f"Group {labels.index(str(value)) + 1} [{value}]")
            else:
                words.append(f"Level {1 if value == 'within' else 2} [{value}]")
        out.append((", ".join(words) + ":", part.to_dict("records"), r2))
    return out


def _block(rows: Sequence[Row], dependent: set[str], columns: Sequence[str]) -> list[str]:
    """Return the sections of one block; a dot marks what belongs to the residual of a variable."""
    lines: list[str] = []
    for op, title in _SECTIONS:
        chosen = [row for row in rows if _section(row) == op]
        if not chosen:
            continue
        lines += [f"{title}:", _heading(columns)]
        last = None
        for row in chosen:
            lhs, rhs = row["lhs"], row["rhs"]
            mark = [("." if name in dependent else " ") for name in (lhs, rhs)] if op not in ("=~", "~", "<~") else "  "
            label = f"({row['label'][:4]})" if row["label"] else ""
            if op in ("variance", "~1", "~*~"):
                lines.append(_line(f"   {mark[0]}{lhs}", row, columns, label))
                continue
            if op == "|":
                lines.append(_line(f"    {lhs}|{rhs}", row, columns, label))
                continue
            if lhs != last:
                last = lhs
                lines.append(f" {mark[0]}{lhs} {op}")
            lines.append(_line(f"   {mark[1]}{rhs}", row, columns, label))
        lines.append("")
    return lines


def _section(row: Row) -> str:
    return "variance" if row["op"] == "~~" and row["lhs"] == row["rhs"] else str(row["op"])


def _heading(columns: Sequence[str]) -> str:
    names = {"estimate": "Estimate", "std_error": "Std.Err", "statistic": "z-value", "p_value": "P(>|z|)"}
    names |= {"conf_low": "ci.lower", "conf_high": "ci.upper", "std_lv": "Std.lv", "std_all": "Std.all"}
    return " " * (_NAME + 2) + "".join(names[c].rjust(_CELL) for c in columns)


def _line(name: str, row: Row, columns: Sequence[str], label: str = "") -> str:
    """Return one parameter; what is fixed has neither standard error nor test."""
    fixed = "std_error" in row and not row["std_error"] > 0
    room = _NAME + 2 - len(label)
    start = (name if len(name) <= room else name[: room - 1] + "…").ljust(room) + label
    cells = []
    for column in columns:
        value = row[column]
        blank = fixed and column in ("std_error", "statistic", "p_value")
        cells.append("" if blank else "NA" if value != value else f"{value:.3f}")
    return (start + "".join(cell.rjust(_CELL) for cell in cells)).rstrip()
