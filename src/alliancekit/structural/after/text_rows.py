"""The lower half of the printed summary: estimates by group and level, R2, definitions, constraints."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from alliancekit.formula.model_expressions import Expression
from alliancekit.formula.model_statements import CONSTRAINTS
from alliancekit.structural.after.text_names import abbreviate, abbreviate_apart
from alliancekit.structural.after.whole import r2_table
from alliancekit.structural.estimates import StructuralEstimates

SECTIONS = (
    ("=~", "Latent Variables"),
    ("<~", "Composites"),
    ("~", "Regressions"),
    ("~~", "Covariances"),
    ("~1", "Intercepts"),
    ("|", "Thresholds"),
    ("variance", "Variances"),
    ("~*~", "Scales y*"),
)
_HEADINGS = {"estimate": "Estimate", "std_error": "Std.Err", "statistic": "z-value", "p_value": "P(>|z|)"}
_HEADINGS |= {"conf_low": "ci.lower", "conf_high": "ci.upper", "std_lv": "Std.lv", "std_all": "Std.all"}
_NAME, _CELL, _CONSTRAINT = 14, 8, 41
_AT_BOUND = 1e-6
Row = dict[Hashable, Any]


class _Sheet:
    """Cells of all rows as text, and the width of each column over all of them."""

    def __init__(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        self.columns = columns
        self.cells = {row["place"]: [cell(row, column) for column in columns] for row in rows}
        self.widths = [max([_CELL, *(len(cells[k]) for cells in self.cells.values())]) for k in range(len(columns))]

    def table(self, lines: Sequence[tuple[str, int | None]], columns: int | None = None) -> list[str]:
        """Return heading and lines; each is a name and the place of its cells, None for a line without any."""
        wide = max([3 + _NAME, *(len(name) for name, _ in lines)])
        heads = [_HEADINGS[column].rjust(_CELL) for column in self.columns]
        out = [self._line("", heads[:columns], wide, left=True)]
        for name, place in lines:
            out.append(self._line(name, [] if place is None else self.cells[place][:columns], wide))
        return out

    def _line(self, name: str, cells: Sequence[str], wide: int, *, left: bool = False) -> str:
        padded = [text.ljust(w) if left else text.rjust(w) for text, w in zip(cells, self.widths, strict=False)]
        return " ".join(["", name.ljust(wide), *padded]).rstrip()


def cell(row: Row, column: str) -> str:
    """Return one number; what is fixed has neither standard error nor test, what is at its bound no p value."""
    error = row.get("std_error", 1.0)
    if column == "std_error" and error == 0:
        return ""
    if column in ("statistic", "p_value") and (not error > 0 or (column == "p_value" and row["bound"])):
        return ""
    value = row[column]
    return "NA" if value != value else f"{value:.3f}"


def parameters(fit: StructuralEstimates, table: pd.DataFrame, columns: Sequence[str], *, rsquare: bool) -> list[str]:
    """Return the sections of every block, then definitions and constraints.

    table : as ``tidy`` returns it. columns : those printed. rsquare : whether a section of R2 is added to each block.
    """
    rows = _rows(fit, table)
    explained = r2_table(fit).rename({"r2": "estimate"}, axis=1)
    explained["place"] = -1 - explained.index
    empty: Row = dict.fromkeys(columns, 0.0) | {"bound": ""}
    dependent = _dependent(fit)
    sheet = _Sheet([*rows, *(empty | row for row in explained.to_dict("records"))], columns)
    lines: list[str] = []
    keys = [name for name in ("group", "level") if name in explained.columns]
    for b, title in enumerate(_titles(fit), start=1):
        lines += title
        part = [row for row in rows if row["block"] == b]
        own = explained
        for name in keys:
            own = own[own[name] == part[0][name]]
        lines += _block(part, dependent, sheet)
        if rsquare and len(own):
            lines += ["", "R-Square:"]
            lines += sheet.table(_named(own["variable"].tolist(), [""] * len(own), own["place"].tolist()), 1)
    defined = [row for row in rows if row["op"] == ":="]
    if defined:
        names = [row["lhs"] for row in defined]
        lines += ["", "Defined Parameters:"]
        lines += sheet.table(_named(names, [""] * len(names), [row["place"] for row in defined]))
    return lines + _constraints(fit)


def _rows(fit: StructuralEstimates, table: pd.DataFrame) -> list[Row]:
    """Return the rows of the table of estimates with what the parameter table says of them."""
    own = fit.table
    kept = [i for i, op in enumerate(own.op) if op == ":=" or op not in CONSTRAINTS]
    rows = table.to_dict("records")
    for i, row in zip(kept, rows, strict=True):
        free = own.free[i] > 0
        low, high = (free and abs(end[i] - row["estimate"]) < _AT_BOUND for end in (own.lower, own.upper))
        row |= {"place": i, "block": own.block[i], "exo": own.exo[i], "efa": own.efa[i]}
        row |= {"label": own.label[i], "bound": "lb" if low else "ub" if high else ""}
    return rows


def _dependent(fit: StructuralEstimates) -> set[str]:
    """Return what something depends on: its variance, covariances and intercept are those of the residual."""
    sides = {"=~": fit.table.rhs, "~": fit.table.lhs}
    return {sides[op][i] for i, op in enumerate(fit.table.op) if op in sides}


def _titles(fit: StructuralEstimates) -> list[list[str]]:
    """Return the lines above each block, in the order of the blocks."""
    table, out = fit.table, []
    for g, label in enumerate(table.group_labels, start=1):
        group = ["", "", f"Group {g} [{label}]:"] if len(table.group_labels) > 1 else []
        if table.n_levels == 1:
            out.append(group)
            continue
        for level, name in enumerate(("within", fit.options.cluster), start=1):
            out.append([*group, "", "", f"Level {level} [{name}]:"])
            group = []
    return out


def _block(rows: Sequence[Row], dependent: set[str], sheet: _Sheet) -> list[str]:
    """Return the sections of one block; a dot marks what belongs to the residual of a variable."""
    lines: list[str] = []
    for op, title in SECTIONS:
        held = op in ("~~", "~1", "variance")  # moments of covariates are those of the sample
        chosen = [row for row in rows if _section(row) == op and not (held and row["exo"])]
        if chosen:
            lines += ["", f"{title}:", *sheet.table(_section_lines(chosen, op, dependent))]
    return lines


def _section_lines(chosen: Sequence[Row], op: str, dependent: set[str]) -> list[tuple[str, int | None]]:
    """Return name and place of each line of a section."""
    residual = op in ("~~", "~1", "variance")
    side = "lhs" if op in ("~1", "|", "variance", "~*~") else "rhs"
    names = [f"{row['lhs']}|{row['rhs']}" if op == "|" else row[side] for row in chosen]
    marks = [row[side] in dependent if residual else False for row in chosen]
    labels = ["+".join(filter(None, (row["label"], row["bound"]))) for row in chosen]
    found = _named(names, labels, [row["place"] for row in chosen], marks)
    if side == "lhs":
        return found
    lines: list[tuple[str, int | None]] = []
    last = ""
    for row, line in zip(chosen, found, strict=True):
        left = f"{row['lhs']} {row['op']} {row['efa']}".rstrip()
        if left != last:
            mark = "." if residual and row["lhs"] in dependent else " "
            lines.append((f"{mark}{left:<15}", None))
            last = left
        lines.append(line)
    return lines


def _section(row: Row) -> str:
    return "variance" if row["op"] == "~~" and row["lhs"] == row["rhs"] else str(row["op"])


def _named(
    names: Sequence[str], labels: Sequence[str], places: Sequence[int], marks: Sequence[bool] = ()
) -> list[tuple[str, int | None]]:
    """Return names with their labels in brackets, shortened to the width of the column, beside their places."""
    short = [f" ({text})" if text else "" for text in abbreviate_apart(labels, 4)]
    wide = max(map(len, short), default=0)
    dots = [f"{'.' if mark else '':>3}" for mark in marks] or ["   "] * len(names)
    room = _NAME - wide
    texts = [
        f"{dot}{abbreviate(name, room):<{room}}{label.rjust(wide)}"
        for dot, name, label in zip(dots, names, short, strict=True)
    ]
    return list(zip(texts, places, strict=True))


def _constraints(fit: StructuralEstimates) -> list[str]:
    """Return each constraint written by the user, and how far the estimates are from its edge."""
    lines = []
    values = fit.constraints.values(fit.x)
    for i, (left, right) in fit.table.expressions.items():
        op = fit.table.op[i]
        if op == ":=" or fit.table.user[i] != 1:
            continue
        slack = float(Expression("-", parts=(left, right)).substitute(fit.constraints.definitions).evaluate(values))
        first, second = (fit.table.rhs[i], fit.table.lhs[i]) if op == "<" else (fit.table.lhs[i], fit.table.rhs[i])
        words = f"{first} - {second}" if second == "0" else f"{first} - ({second})"
        lines.append(f"    {words:<{_CONSTRAINT}} {abs(slack):{_CELL}.3f}")
    return ["", "Constraints:", " " * (_CONSTRAINT + 5) + f"{'|Slack|':>{_CELL}}", *lines] if lines else []
