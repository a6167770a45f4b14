"""The parameter table: every parameter of a model, one row each, in lavaan's order. The one source of truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.variables import Variables, find_variables

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

CONSTRAINTS = (":=", "==", "<", ">")


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
    _variables: dict[int, Variables] = field(default_factory=dict, repr=False)

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

    def rows(self, block: int) -> list[int]:
        """Return the rows of a block, counted from 1."""
        return [i for i, b in enumerate(self.block) if b == block]

    def variables(self, block: int) -> Variables:
        """Return the roles of a block's variables."""
        if block not in self._variables:
            relations = [(self.lhs[i], self.op[i], self.rhs[i], int(self.user[i] == 1)) for i in self.rows(block)]
            self._variables[block] = find_variables(relations)
        return self._variables[block]

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
        """Return the table with a parameter fixed; the others are numbered anew."""
        return self._changed(row, 0, float(value))

    def release(self, row: int, start: float = float("nan")) -> ParameterTable:
        """Return the table with a fixed parameter free; the others are numbered anew."""
        if self.op[row] in CONSTRAINTS:
            raise SpecError(message(f"row {row} is a constraint, not a parameter"))
        return self._changed(row, 1, float(start))

    def _changed(self, row: int, free: int, start: float) -> ParameterTable:
        marks = [int(bool(f)) for f in self.free]
        marks[row] = free
        starts = list(self.start)
        starts[row] = start
        exo = list(self.exo)
        exo[row] = 0
        return replace(self, free=number(marks), start=tuple(starts), exo=tuple(exo), _variables={})

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
