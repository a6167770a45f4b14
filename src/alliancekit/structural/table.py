"""The parameter table: every parameter of a model, one row each, in lavaan's order. The one source of truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.formula.model_parse import parse_model
from alliancekit.formula.model_statements import CONSTRAINTS
from alliancekit.structural.modifiers import constraint, written
from alliancekit.structural.variables import Variables, find_variables

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

COLUMNS: tuple[str, ...] = (
    "lhs",
    "op",
    "rhs",
    "user",
    "block",
    "group",
    "level",
    "free",
    "start",
    "exo",
    "label",
    "plabel",
)
COLUMNS += ("lower", "upper", "efa")
"""Columns of the table, in its order."""


@dataclass(frozen=True, eq=False, slots=True)
class ParameterTable:
    """Parameters of a structural model, in lavaan's order; R rows.

    Attributes
    ----------
    lhs, op, rhs : of each row; operators are =~ <~ ~ ~~ ~1 | ~*~ and, for constraints, := == < >.
    user : 1 written by the user, 0 added by the rules. block, group, level : from 1; 0 for constraints (level 0 also in
        models of one level). block counts levels within groups.
    free : 0 fixed, else number of the parameter from 1; equal parameters keep their own numbers and are tied by ==.
    start : (R,) value of a fixed parameter, or the starting value asked for; NaN where neither is given.
    exo : 1 for moments of exogenous covariates, held at their sample values.
    label : names given, plabel : .p1., .p2. ... lower, upper : (R,) bounds. efa : name of the exploratory block, or "".
    group_labels : labels of the groups. n_levels : 1 or 2. expressions : row -> both sides of a constraint.
    """

    lhs: tuple[str, ...]
    op: tuple[str, ...]
    rhs: tuple[str, ...]
    user: tuple[int, ...]
    block: tuple[int, ...]
    group: tuple[int, ...]
    level: tuple[int, ...]
    free: tuple[int, ...]
    start: tuple[float, ...]
    exo: tuple[int, ...]
    label: tuple[str, ...]
    plabel: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    efa: tuple[str, ...]
    group_labels: tuple[str, ...] = ("",)
    n_levels: int = 1
    expressions: Mapping[int, tuple[Expression, Expression]] = field(default_factory=dict)
    _found: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.lhs)

    @property
    def n_free(self) -> int:
        """Number of free parameters, equal ones counted one by one."""
        return max(self.free, default=0)

    @property
    def n_blocks(self) -> int:
        """Blocks: groups times levels."""
        return len(self.group_labels) * self.n_levels

    @property
    def bounded(self) -> bool:
        """Whether a parameter has a bound."""
        return max(self.lower, default=-np.inf) > -np.inf or min(self.upper, default=np.inf) < np.inf

    def rows(self, block: int) -> list[int]:
        """Return the rows of a block, counted from 1."""
        if ("rows", block) not in self._found:
            self._found["rows", block] = [i for i, b in enumerate(self.block) if b == block]
        rows: list[int] = self._found["rows", block]
        return rows

    def variables(self, block: int) -> Variables:
        """Return the roles of a block's variables."""
        if ("variables", block) not in self._found:
            relations = [(self.lhs[i], self.op[i], self.rhs[i], int(self.user[i] == 1)) for i in self.rows(block)]
            self._found["variables", block] = find_variables(relations)
        found: Variables = self._found["variables", block]
        return found

    def names(self) -> tuple[str, ...]:
        """Return the name of each free parameter: its label, or ``lhs op rhs`` with ``.g2`` for the second group."""
        out = [""] * self.n_free
        for i, number in enumerate(self.free):
            if number:
                end = f".g{self.group[i]}" if self.group[i] > 1 else ""
                end = f".l{self.level[i]}{end}" if self.level[i] > 1 else end
                given = self.label[i] if self.label[i] and not self.label[i].startswith(".p") else ""
                out[number - 1] = given or f"{self.lhs[i]}{self.op[i]}{self.rhs[i]}{end}"
        return tuple(out)

    def find(self, lhs: str, op: str, rhs: str = "", group: int = 1, level: int = 0) -> int:
        """Return the row of a parameter.

        Raises
        ------
        SpecError : there is no such row.
        """
        for i in range(len(self)):
            same = (self.lhs[i], self.op[i], self.rhs[i]) in {(lhs, op, rhs), (rhs, op, lhs) if op == "~~" else ()}
            if same and self.group[i] == group and (not level or self.level[i] == level):
                return i
        raise SpecError(message(f"the table has no parameter '{lhs} {op} {rhs}' in group {group}"))

    def fix(self, row: int, value: float) -> ParameterTable:
        """Return the table with a parameter fixed; the others are numbered anew.

        Parameters
        ----------
        row : its number, counted from 0; see ``find``. value : where it is held.

        Raises
        ------
        SpecError : there is no such row, it is a constraint, or the value is no finite number.

        Examples
        --------
        >>> import alliancekit as ak
        >>> t = ak.parameter_table("bond =~ w1 + w2 + w3")
        >>> t.fix(t.find("bond", "=~", "w2"), 1.0).n_free
        5
        """
        if not isfinite(value):
            raise SpecError(message(f"{value} is not a value to fix a parameter at", do="Give a number"))
        return self._set(row, free=0, start=float(value))

    def release(self, row: int, start: float = float("nan")) -> ParameterTable:
        """Return the table with a fixed parameter free, from a starting value if one is given.

        Parameters
        ----------
        row : its number, counted from 0; see ``find``. start : where the search begins; NaN: chosen from the data.

        Raises
        ------
        SpecError : there is no such row, or it is a constraint.

        Examples
        --------
        >>> import alliancekit as ak
        >>> t = ak.parameter_table("bond =~ w1 + w2 + w3")
        >>> t.release(t.find("bond", "=~", "w1")).n_free
        7
        """
        return self._set(row, free=1, start=float(start))

    def tie(self, row: int, other: int) -> ParameterTable:
        """Return the table with two parameters made equal.

        Parameters
        ----------
        row, other : their numbers, counted from 0; see ``find``.

        Raises
        ------
        SpecError : there is no such row, one is a constraint, or both are the same.

        Examples
        --------
        >>> import alliancekit as ak
        >>> t = ak.parameter_table("bond =~ w1 + w2 + w3")
        >>> t.tie(1, 2).frame().iloc[-1][["lhs", "op", "rhs"]].tolist()
        ['.p2.', '==', '.p3.']
        """
        self._check_row(row)
        self._check_row(other)
        if row == other:
            raise SpecError(message("a parameter is always equal to itself", do="Name two rows"))
        one, second = self.plabel[row], self.plabel[other]
        rows = self._rows()
        sides = (Expression("label", name=one), Expression("label", name=second))
        return self._of([*rows, constraint(one, "==", second, user=2, expression=sides)])

    def without(self, row: int) -> ParameterTable:
        """Return the table without a row; what stands in it is then zero, or no longer constrained.

        Parameters
        ----------
        row : its number, counted from 0.

        Raises
        ------
        SpecError : there is no such row, or a constraint names this parameter.

        Examples
        --------
        >>> import alliancekit as ak
        >>> t = ak.parameter_table("bond =~ w1 + w2 + w3; w1 ~~ w2")
        >>> len(t) - len(t.without(t.find("w1", "~~", "w2")))
        1
        """
        if not 0 <= row < len(self):
            raise SpecError(message(f"the table has no row {row}", do=f"Rows are numbered 0 to {len(self) - 1}"))
        rows = self._rows()
        gone = rows.pop(row)
        left = {r["label"] for r in rows} | {r["plabel"] for r in rows}
        for own in {gone["label"], gone["plabel"]} - left - {""}:
            for r in rows:
                if r["expression"] and own in {n for side in r["expression"] for n in side.labels()}:
                    what = f"the constraint '{r['lhs']} {r['op']} {r['rhs']}' names this parameter"
                    raise SpecError(message(what, where=f"row {row}", do="Take the constraint out first"))
        return self._of(rows)

    def with_rows(self, text: str) -> ParameterTable:
        """Return the table with further lines of lavaan syntax: parameters, constraints, or changes of what is there.

        Parameters
        ----------
        text : such as ``"w1 ~~ w2"``, ``"bond =~ NA*w1"`` or ``"a == b"``; in a table of two levels below ``level:``
            lines. Lines outside ``group:`` blocks hold in every group. Nothing is added beside what is written.

        Raises
        ------
        SpecError : wrong syntax, an unknown group or level, or not one value for each group.

        Examples
        --------
        >>> import alliancekit as ak
        >>> t = ak.parameter_table("bond =~ w1 + w2 + w3 + w4")
        >>> t.with_rows("w1 ~~ w2").n_free - t.n_free
        1
        """
        return self._of(written(self._rows(), parse_model(text), self.group_labels, self.n_levels))

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self):
            raise SpecError(message(f"the table has no row {row}", do=f"Rows are numbered 0 to {len(self) - 1}"))
        if self.op[row] in CONSTRAINTS:
            raise SpecError(message(f"row {row} is a constraint, not a parameter"))

    def _set(self, row: int, *, free: int, start: float) -> ParameterTable:
        self._check_row(row)
        rows = self._rows()
        rows[row] |= {"free": free, "start": start, "exo": 0}
        return self._of(rows)

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows as mappings that may be changed."""
        rows: list[dict[str, Any]] = [
            dict(zip(COLUMNS, values, strict=True))
            for values in zip(*(getattr(self, name) for name in COLUMNS), strict=True)
        ]
        for i, row in enumerate(rows):
            row["expression"] = self.expressions.get(i)
        return rows

    def _of(self, rows: Sequence[Mapping[str, Any]]) -> ParameterTable:
        """Return a table of the same groups and levels with other rows."""
        return table_of(rows, self.group_labels, self.n_levels)

    def frame(self) -> pd.DataFrame:
        """Return the table as a frame, one row per parameter."""
        columns: dict[str, Any] = {"lhs": self.lhs, "op": self.op, "rhs": self.rhs, "user": self.user}
        columns |= {"block": self.block, "group": self.group}
        if self.n_levels > 1:
            columns["level"] = self.level
        columns |= {"free": self.free, "start": self.start, "exo": self.exo, "label": self.label}
        columns["plabel"] = self.plabel
        if any(np.isfinite(self.lower)) or any(np.isfinite(self.upper)):
            columns |= {"lower": self.lower, "upper": self.upper}
        if any(self.efa):
            columns["efa"] = self.efa
        return pd.DataFrame({name: list(values) for name, values in columns.items()})

    def __repr__(self) -> str:
        return str(self.frame().to_string())


def number(marks: list[int]) -> tuple[int, ...]:
    """Return free parameters numbered from 1 in the order of the rows; ``marks`` are 1 where free."""
    out, count = [], 0
    for mark in marks:
        count += bool(mark)
        out.append(count if mark else 0)
    return tuple(out)


def table_of(rows: Sequence[Mapping[str, Any]], group_labels: tuple[str, ...], n_levels: int) -> ParameterTable:
    """Return the table of rows given as mappings, free parameters numbered in their order.

    rows : entries by name of column; "expression" holds both sides of a constraint, else None.
    """
    columns: dict[str, Any] = {name: tuple(row[name] for row in rows) for name in COLUMNS}
    columns["free"] = number([int(bool(row["free"])) for row in rows])
    expressions = {i: row["expression"] for i, row in enumerate(rows) if row["expression"]}
    return ParameterTable(**columns, group_labels=group_labels, n_levels=n_levels, expressions=expressions)
