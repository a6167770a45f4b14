"""Are the constraints of a table sensible, and do they hold at a solution? What is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message, nearest
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.constraints import Constraints

Floats = NDArray[np.float64]
DEEPEST = 100


def line_of(table: ParameterTable, row: int) -> str:
    """Return a constraint as it is written, with the names of parameters for labels that nobody gave."""
    names = dict(zip(table.plabel, table.names(), strict=False)) if ".p" in table.lhs[row] + table.rhs[row] else {}
    left, right = (names.get(side, side) for side in (table.lhs[row], table.rhs[row]))
    return f"{left} {table.op[row]} {right}"


def check_names(table: ParameterTable, labels: Mapping[str, int | float]) -> None:
    """Raise SpecError where a definition has the name of another one, or of a label."""
    seen: set[str] = set()
    for row in table.expressions:
        name = table.lhs[row]
        if table.op[row] != ":=":
            continue
        if name in seen:
            raise SpecError(message(f"'{name}' is defined twice", where=line_of(table, row), do="Give another name"))
        if name in labels:
            what = f"'{name}' is the label of a parameter and is defined as well"
            raise SpecError(message(what, where=line_of(table, row), do="Give the definition another name"))
        seen.add(name)


def check_bounds(table: ParameterTable) -> None:
    """Raise SpecError where a lower bound is above the upper one."""
    for i, free in enumerate(table.free):
        if free and table.lower[i] > table.upper[i]:
            what = f"the lower bound {table.lower[i]:g} is above the upper bound {table.upper[i]:g}"
            raise SpecError(message(what, where=f"{table.lhs[i]} {table.op[i]} {table.rhs[i]}".strip()))


def check_depth(expression: Expression, table: ParameterTable, row: int) -> None:
    """Raise SpecError where an expression, with what it refers to, is a very long chain."""
    deepest, level = 0, [expression]
    while level and deepest <= DEEPEST:
        level, deepest = [part for node in level for part in node.parts], deepest + 1
    if level:
        where = line_of(table, row)
        where = where if len(where) < 80 else where[:77] + "..."
        what = f"this is a chain of more than {DEEPEST} sums, products or definitions"
        raise SpecError(message(what, where=where, do="Sum up parts in brackets first"))


def check_labels(expression: Expression, labels: Mapping[str, int | float], table: ParameterTable, row: int) -> None:
    """Raise SpecError where a constraint refers to what has no label."""
    for name in expression.labels():
        if name in labels:
            continue
        where = line_of(table, row)
        if name in {table.lhs[i] for i in table.expressions if table.op[i] == ":="}:
            itself = name == table.lhs[row]
            what = f"'{name}' is defined by itself" if itself else f"'{name}' is defined below the line that uses it"
            raise SpecError(message(what, where=where, do="Define first what other lines use"))
        close = nearest(name, [known for known in labels if not known.startswith(".p")])
        do = f"Did you mean '{close}'?" if close else "Give a parameter this label: label*variable"
        raise SpecError(message(f"'{name}' is not a label of the model", where=where, do=do))


def check_constant(table: ParameterTable, constraints: Constraints) -> None:
    """Raise SpecError where an inequality is violated whatever the parameters that the equalities leave free."""
    linear = constraints.linear
    if linear.trivial and not constraints.inequalities:
        return
    rng = np.random.default_rng(1)
    free = rng.uniform(0.5, 1.5, (2, linear.basis.shape[1]))
    points = [np.asarray(linear.offset + linear.basis @ z) for z in free]
    fixed = np.asarray(~linear.basis.any(axis=1))
    for i, number in enumerate(table.free):
        if number and fixed[number - 1]:
            value = linear.offset[number - 1]
            if not table.lower[i] - 1e-8 <= value <= table.upper[i] + 1e-8:
                name = f"{table.lhs[i]} {table.op[i]} {table.rhs[i]}".strip()
                what = f"{name} is {value:g} by the equality constraints, which is outside its bounds"
                raise SpecError(message(what, do="Leave one of them out"))
    for number, expression in enumerate(constraints.inequalities):
        moves = [constraints.jacobian((expression,), x)[0] @ linear.basis for x in points]
        with np.errstate(all="ignore"):
            value = float(expression.evaluate(constraints.values(points[0])))
        if not any(move.any() for move in moves) and not value >= -1e-8:
            row = [i for i in table.expressions if table.op[i] in ("<", ">")][number]
            what = "this cannot hold, whatever the estimates"
            raise SpecError(message(what, where=line_of(table, row), do="Leave it out, or the equalities that fix it"))


def violated(table: ParameterTable, constraints: Constraints, x: Floats) -> list[str]:
    """Return the constraints and bounds that do not hold at ``x``, as they are written."""
    values: dict[str, Any] = constraints.values(x)
    with np.errstate(all="ignore"):
        values |= {name: e.evaluate(values) for name, e in constraints.definitions.items()}
        found = []
        for row, (left, right) in table.expressions.items():
            op = table.op[row]
            if op == ":=":
                continue
            one, other = float(left.evaluate(values)), float(right.evaluate(values))
            gap = {"==": abs(one - other), ">": other - one, "<": one - other}[op]
            if not gap <= 1e-4 * max(1.0, abs(one), abs(other)):
                found.append(line_of(table, row))
    for i, number in enumerate(table.free):
        if number:
            value = float(x[number - 1])
            slack = 1e-4 * max(1.0, abs(value))
            if value < table.lower[i] - slack or value > table.upper[i] + slack:
                name = f"{table.lhs[i]} {table.op[i]} {table.rhs[i]}".strip()
                found.append(f"{name} within {table.lower[i]:g} and {table.upper[i]:g}")
    return found


def undefined(constraints: Constraints, x: Floats) -> list[str]:
    """Return the definitions without a finite value at ``x``."""
    values = constraints.define(x)[0]
    return [name for name, value in zip(constraints.definitions, values, strict=True) if not np.isfinite(value)]
