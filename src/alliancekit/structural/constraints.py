"""Constraints on parameters: linear equalities leave fewer directions to move in; definitions follow from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.constraint_checks import (
    check_bounds,
    check_constant,
    check_depth,
    check_labels,
    check_names,
    line_of,
)
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Linear:
    """x = offset + basis @ z: all x that satisfy the linear equalities; basis (size, free directions)."""

    offset: Floats
    basis: Floats

    @property
    def trivial(self) -> bool:
        """Whether nothing is constrained."""
        return bool(self.basis.shape[0] == self.basis.shape[1])

    def reduce(self, x: Floats) -> Floats:
        """Return the z whose x is nearest."""
        if self.trivial:
            return x
        return np.asarray(np.linalg.lstsq(self.basis, x - self.offset, rcond=None)[0])

    def expand(self, z: Floats) -> Floats:
        """Return x."""
        return z if self.trivial else np.asarray(self.offset + self.basis @ z)


@dataclass(frozen=True, eq=False, slots=True)
class Constraints:
    """What a table's constraints say about the vector of free parameters.

    Attributes
    ----------
    linear : the equalities that are linear. equalities : the others, as expressions that are zero; inequalities :
        expressions that are not negative. definitions : name -> expression in labels. labels : label or plabel -> place
        in x, or the value of a fixed parameter. rows : rows of the table that are definitions, by name.
    """

    linear: Linear
    equalities: tuple[Expression, ...]
    inequalities: tuple[Expression, ...]
    definitions: Mapping[str, Expression]
    labels: Mapping[str, int | float]
    size: int

    def values(self, x: Floats) -> dict[str, Any]:
        """Return the value of every label; ``x`` may be (..., size)."""
        return {name: x[..., at] if isinstance(at, int) else at for name, at in self.labels.items()}

    def jacobian(self, expressions: tuple[Expression, ...], x: Floats) -> Floats:
        """Return the derivatives of expressions by x, (expressions, size)."""
        values = self.values(x)
        out = np.zeros((len(expressions), self.size))
        with np.errstate(all="ignore"):
            for row, expression in zip(out, expressions, strict=True):
                for name, slope in expression.gradient(values).items():
                    at = self.labels[name]
                    if isinstance(at, int):
                        row[at] += slope
        return out

    def define(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the values of the definitions, (d,), and their derivatives by x, (d, size)."""
        if not self.definitions:
            return np.zeros(0), np.zeros((0, x.size))
        expressions = tuple(self.definitions.values())
        values = self.values(x)
        with np.errstate(all="ignore"):
            found = np.array([float(e.evaluate(values)) for e in expressions])
        return found, self.jacobian(expressions, x)


def read_constraints(table: ParameterTable) -> Constraints:
    """Return the constraints of a table.

    Raises
    ------
    SpecError : a constraint names an unknown label, a definition has a name that is taken, constraints contradict each
    other, or a lower bound is above the upper one.
    """
    labels = _labels(table)
    check_names(table, labels)
    check_bounds(table)
    definitions: dict[str, Expression] = {}
    equalities: list[tuple[int, Expression]] = []
    inequalities: list[Expression] = []
    for row, (left, right) in table.expressions.items():
        op = table.op[row]
        whole = right if op == ":=" else Expression("-", parts=(left, right))
        check_depth(whole, table, row)
        known = whole.substitute(definitions)
        check_depth(known, table, row)
        check_labels(known, labels, table, row)
        if op == ":=":
            definitions[table.lhs[row]] = known
        elif op == "==":
            equalities.append((row, known))
        else:
            inequalities.append(known if op == ">" else Expression("negative", parts=(known,)))
    size = table.n_free
    base = Constraints(Linear(np.zeros(size), np.eye(size)), (), (), definitions, labels, size)
    lines, places, rest = [], [], []
    for row, equality in equalities:
        line = _simple_line(equality, labels, size) or _line(base, equality)
        if line is None:
            rest.append(equality)
            continue
        lines.append(line)
        places.append(row)
    linear = _solve(lines, size)
    if linear is None:
        first = next(k for k in range(1, len(lines) + 1) if _solve(lines[:k], size) is None)
        what = "the equality constraints contradict each other: this one cannot hold together with those before it"
        raise SpecError(message(what, where=line_of(table, places[first - 1]), do="Leave one of them out"))
    found = Constraints(linear, tuple(rest), tuple(inequalities), definitions, labels, size)
    check_constant(table, found)
    return found


def _labels(table: ParameterTable) -> dict[str, int | float]:
    found: dict[str, int | float] = {}
    for i in range(len(table)):
        if not table.plabel[i]:
            continue
        value: int | float = table.free[i] - 1 if table.free[i] else float(table.start[i])
        found[table.plabel[i]] = value
        if table.label[i] and table.label[i] not in found:
            found[table.label[i]] = value
    return found


def _simple_line(equality: Expression, labels: Mapping[str, int | float], size: int) -> tuple[Floats, float] | None:
    """Return coefficients and right side of an equality that is written as a sum of multiples; None for any other."""
    form = _linear_form(equality, labels)
    if form is None:
        return None
    slopes, value = form
    out = np.zeros(size)
    for at, slope in slopes.items():
        out[at] = slope
    return out, -value


def _linear_form(node: Expression, labels: Mapping[str, int | float]) -> tuple[dict[int, float], float] | None:
    """Return coefficient of each parameter, and the constant, of sums and multiples; None for any other expression."""
    if node.kind == "number":
        return {}, float(node.value)
    if node.kind == "label":
        at = labels[node.name]
        return ({at: 1.0}, 0.0) if isinstance(at, int) else ({}, float(at))
    parts = [_linear_form(part, labels) for part in node.parts]
    if node.kind not in ("negative", "+", "-", "*", "/") or any(part is None for part in parts):
        return None
    (slopes, value), *others = [part for part in parts if part is not None]
    if node.kind == "negative":
        return {at: -slope for at, slope in slopes.items()}, -value
    second, constant = others[0]
    if node.kind in ("+", "-"):
        sign = 1.0 if node.kind == "+" else -1.0
        total = dict(slopes)
        for at, slope in second.items():
            total[at] = total.get(at, 0.0) + sign * slope
        return total, value + sign * constant
    if node.kind == "*" and not slopes:
        slopes, value, second, constant = second, constant, slopes, value
    if second or (node.kind == "/" and constant == 0):
        return None
    factor = constant if node.kind == "*" else 1.0 / constant
    return {at: slope * factor for at, slope in slopes.items()}, value * factor


def _line(base: Constraints, equality: Expression) -> tuple[Floats, float] | None:
    """Return coefficients and right side of an equality if it is linear."""
    rng = np.random.default_rng(1)
    here, there = rng.uniform(0.5, 1.5, (2, base.size))
    with np.errstate(all="ignore"):
        one, other = (base.jacobian((equality,), x)[0] for x in (here, there))
        value = float(equality.evaluate(base.values(here)))
    if not (np.isfinite(one).all() and np.allclose(one, other, rtol=1e-12, atol=1e-12)):
        return None
    return one, float(one @ here - value)


def _next_row(R: Floats, row: int) -> int | None:
    """Return the first row from ``row`` on that is not zero, None where all are."""
    for k in range(row, len(R)):
        if np.abs(R[k]).max(initial=0.0) > 1e-12:
            return k
    return None


def _solve(lines: list[tuple[Floats, float]], size: int) -> Linear | None:
    """Return all solutions of linear equations, None where there is none: pivots are expressed by other parameters."""
    if not lines:
        return Linear(np.zeros(size), np.eye(size))
    R = np.array([line for line, _ in lines])
    r = np.array([value for _, value in lines])
    pivots: list[int] = []
    row = 0
    for _ in range(len(R)):
        if row >= len(R):
            break
        swap = _next_row(R, row)
        if swap is None:
            break
        R[[row, swap]], r[[row, swap]] = R[[swap, row]], r[[swap, row]]
        candidates = np.abs(R[row])
        pivot = int(np.flatnonzero(candidates >= 0.999 * candidates.max())[-1])
        r[row] /= R[row, pivot]
        R[row] = R[row] / R[row, pivot]
        for other in np.flatnonzero(R[:, pivot]):
            if other != row:
                r[other] -= R[other, pivot] * r[row]
                R[other] = R[other] - R[other, pivot] * R[row]
        pivots.append(pivot)
        row += 1
    if row < len(R) and np.abs(r[row:]).max(initial=0.0) > 1e-8:
        return None
    outside = set(pivots)
    free = [j for j in range(size) if j not in outside]
    basis = np.zeros((size, len(free)))
    offset = np.zeros(size)
    basis[free, np.arange(len(free))] = 1.0
    for k, pivot in enumerate(pivots):
        basis[pivot] = -R[k, free]
        offset[pivot] = r[k]
    return Linear(offset, basis)
