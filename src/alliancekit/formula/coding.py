"""Variables of a model coded as columns: R's rules for contrasts, names and the order of columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.contrasts import Coding, full_coding
from alliancekit.formula.expressions import Expr
from alliancekit.formula.factors import Codes
from alliancekit.formula.terms import Term

Array = NDArray[np.float64]
VariableKind = Literal["number", "matrix", "logical", "factor"]


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A variable of a model and how it becomes columns.

    Attributes
    ----------
    expr, label : the variable and R's name of it.
    kind : "number" (one column), "matrix" (``poly``), "logical" (a factor with levels FALSE and TRUE) or "factor".
    levels : levels of a factor, in the order of the codes.
    coding : columns of a factor beside an intercept.
    suffixes : endings of the names of a matrix's columns.
    """

    expr: Expr
    label: str
    kind: VariableKind
    levels: tuple[str, ...] = ()
    coding: Coding | None = None
    suffixes: tuple[str, ...] = ()

    @property
    def is_factor(self) -> bool:
        """Whether the variable has levels."""
        return self.coding is not None

    def coded(self, full: bool) -> Coding:
        """Return the coding of a factor: one column for each level when ``full``, else its contrasts."""
        assert self.coding is not None
        return full_coding(self.levels) if full else self.coding

    def names(self, full: bool) -> list[str]:
        """Return the names of the variable's columns."""
        if self.coding is not None:
            return [self.label + suffix for suffix in self.coded(full).suffixes]
        return [self.label + suffix for suffix in self.suffixes] if self.kind == "matrix" else [self.label]


@dataclass(frozen=True, slots=True)
class CodedTerm:
    """A term with the coding of each of its variables: (place of the variable, whether it is coded in full) pairs."""

    label: str
    parts: tuple[tuple[int, bool], ...]


def code_terms(
    terms: Sequence[Term],
    variables: Sequence[Variable],
    places: Mapping[str, int],
    *,
    intercept: bool,
    labels: Mapping[Expr, str],
) -> tuple[CodedTerm, ...]:
    """Return the terms with R's choice of coding.

    A factor in a term is coded by contrasts when the term without it is part of an earlier term (or is empty), else in
    full; without an intercept the first factor of the model is coded in full.

    Checked against
    ---------------
    R 4.2.2 ``model.matrix`` over the grid in ``tests/unit/formula/reference``.
    """
    sets = [frozenset(places[labels[v]] for v in term.variables) for term in terms]
    out: list[CodedTerm] = []
    owed = not intercept
    for j, term in enumerate(terms):
        parts: list[tuple[int, bool]] = []
        for expr in term.variables:
            place = places[labels[expr]]
            rest = sets[j] - {place}
            factor = variables[place].is_factor
            full = factor and bool(rest) and not any(rest <= earlier for earlier in sets[:j])
            if factor and owed:
                full, owed = True, False
            parts.append((place, full))
        out.append(CodedTerm(term.label, tuple(parts)))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _Numbers:
    values: Array

    def write(self, out: Array) -> None:
        out[:] = self.values

    def multiply(self, out: Array) -> None:
        out *= self.values


@dataclass(frozen=True, slots=True)
class _Indicator:
    codes: Codes
    level: int

    def write(self, out: Array) -> None:
        np.equal(self.codes, self.level, out=out, casting="unsafe")

    def multiply(self, out: Array) -> None:
        out *= self.codes == self.level


@dataclass(frozen=True, slots=True)
class _Lookup:
    codes: Codes
    table: Array

    def write(self, out: Array) -> None:
        out[:] = self.table[self.codes]

    def multiply(self, out: Array) -> None:
        out *= self.table[self.codes]


Piece: TypeAlias = _Numbers | _Indicator | _Lookup


def _pieces(variable: Variable, values: NDArray[Any], full: bool) -> list[Piece]:
    if variable.kind == "number":
        return [_Numbers(values)]
    if variable.kind == "matrix":
        return [_Numbers(values[:, k]) for k in range(values.shape[1])]
    coding = variable.coded(full)
    if coding.values is not None:
        return [_Lookup(values, np.ascontiguousarray(coding.values[:, k])) for k in range(coding.values.shape[1])]
    return [_Indicator(values, level) for level in coding.indicators or ()]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The columns of the fixed part, or of one random term.

    Attributes
    ----------
    variables : variables used.
    terms : terms in order, without the intercept.
    intercept : whether the first column is 1.
    names : R's names of the columns.
    assign : for each column the place of its term counted from 1; 0 for the intercept.
    """

    variables: tuple[Variable, ...]
    terms: tuple[CodedTerm, ...]
    intercept: bool
    names: tuple[str, ...]
    assign: tuple[int, ...]

    def matrix(self, values: Mapping[str, NDArray[Any]], n: int) -> Array:
        """Return the (n, columns) matrix in Fortran order; ``values`` holds each variable's values by label."""
        out = np.empty((n, len(self.names)), order="F")
        j = 0
        if self.intercept:
            out[:, 0] = 1.0
            j = 1
        for term in self.terms:
            each = [_pieces(self.variables[i], values[self.variables[i].label], full) for i, full in term.parts]
            for combination in _first_fastest(each):
                combination[0].write(out[:, j])
                for piece in combination[1:]:
                    piece.multiply(out[:, j])
                j += 1
        return out


def _first_fastest(each: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    for combination in itertools.product(*reversed(each)):
        yield combination[::-1]


def make_part(terms: Sequence[CodedTerm], variables: Sequence[Variable], *, intercept: bool) -> Part:
    """Return the part of a model made of these coded terms, with the names of its columns."""
    names = ["(Intercept)"] if intercept else []
    assign = [0] if intercept else []
    for number, term in enumerate(terms, start=1):
        each = [variables[i].names(full) for i, full in term.parts]
        made = [":".join(combination) for combination in _first_fastest(each)]
        names += made
        assign += [number] * len(made)
    return Part(tuple(variables), tuple(terms), intercept, tuple(names), tuple(assign))
