"""Variables of a formula read from the rows that are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message, nearest
from alliancekit.formula.coding import Part, Variable, code_terms, make_part
from alliancekit.formula.columns import Columns
from alliancekit.formula.contrasts import Coding, coding_of
from alliancekit.formula.expressions import Call, Expr, Name, Number, Text, columns_in, label, number_label
from alliancekit.formula.factors import Factor
from alliancekit.formula.recipe import factor_column
from alliancekit.formula.terms import Term
from alliancekit.formula.transforms import Evaluator
from alliancekit.formula.vocabulary import coding_word

Array = NDArray[np.float64]

_DEFINED = "Correct these rows, or make them missing to leave them out"


class Builder:
    """Reads variables and builds the parts of a model from the rows used.

    Attributes
    ----------
    columns, evaluator : the data and the transforms.
    rows : places of the rows used; None for all.
    values : values or codes of each variable on the rows used, by label.
    """

    def __init__(
        self, columns: Columns, evaluator: Evaluator, rows: NDArray[np.intp] | None, contrasts: Mapping[str, str]
    ) -> None:
        self.columns = columns
        self.evaluator = evaluator
        self.rows = rows
        self.values: dict[str, NDArray[Any]] = {}
        self._contrasts = contrasts
        self._plain: dict[str, Variable] = {}
        self._labels: dict[Expr, str] = {}
        self._chosen: set[str] = set()
        self._seen: dict[str, bool] = {}

    def part(self, terms: Sequence[Term], *, intercept: bool, fixed: bool = True) -> Part:
        """Return the columns that these terms make; ``contrasts`` are heeded in the fixed part only, as in R."""
        variables: dict[str, Variable] = {}
        for term in terms:
            for expr in term.variables:
                name = self._labels.setdefault(expr, label(expr))
                if name not in variables:
                    variables[name] = self._variable(expr, name, fixed)
        listed = tuple(variables.values())
        places = {name: i for i, name in enumerate(variables)}
        coded = code_terms(terms, listed, places, intercept=intercept, labels=self._labels)
        return make_part(coded, listed, intercept=intercept)

    def column(self, name: str) -> Array:
        """Return a column of numbers on the rows used, checked to be finite."""
        return self.numbers(Name(name), name)

    def numbers(self, expr: Expr, name: str) -> Array:
        """Return a numeric expression on the rows used.

        Raises
        ------
        DesignError : it is infinite or undefined in some rows.
        """
        values = self._on_rows(self.evaluator.numbers(expr))
        if not np.isfinite(values).all():
            for column in dict.fromkeys(columns_in(expr)):
                raw = self._on_rows(self.columns.numbers(column))
                self.columns.check_finite(raw, f"column '{column}'", self.rows, _DEFINED)
            self.columns.check_finite(values, name, self.rows, _DEFINED)
        return values

    def check_contrasts(self) -> None:
        """Raise SpecError when ``contrasts`` names something that is no factor of the fixed part."""
        wrong = [name for name in self._contrasts if name not in self._chosen]
        if not wrong:
            return
        factors = [name for name, is_factor in self._seen.items() if is_factor]
        close = nearest(wrong[0], factors)
        hint = f"Did you mean '{close}'? " if close else ""
        listed = f"Factors are: {', '.join(factors)}" if factors else "The fixed part has no factor"
        raise SpecError(
            message(f"contrasts names '{wrong[0]}', which is no factor of the fixed part", do=hint + listed)
        )

    def _on_rows(self, values: Array) -> Array:
        return values if self.rows is None else values[self.rows]

    def _variable(self, expr: Expr, name: str, fixed: bool) -> Variable:
        chosen = self._contrasts.get(name) or self._contrasts.get(name.strip("`")) if fixed else None
        if chosen is None and name in self._plain:
            return self._plain[name]
        made = self._read(expr, name, chosen)
        if chosen is None:
            self._plain[name] = made
        elif made.is_factor:
            self._chosen |= {name, name.strip("`")}
        if fixed:
            self._seen[name] = made.is_factor
        return made

    def _read(self, expr: Expr, name: str, chosen: str | None) -> Variable:
        if isinstance(expr, Call) and expr.function == "poly":
            columns = self.evaluator.polynomials(expr)
            columns = columns if self.rows is None else np.asfortranarray(columns[self.rows])
            self.numbers(expr.args[0], label(expr.args[0]))
            self.values[name] = columns
            suffixes = tuple(str(k + 1) for k in range(columns.shape[1]))
            return Variable(expr, name, "matrix", suffixes=suffixes if len(suffixes) > 1 else ("1",))
        is_call = isinstance(expr, Call) and expr.function in ("factor", "C")
        kind = self.columns.kind(expr.name) if isinstance(expr, Name) else ("factor" if is_call else "number")
        if kind == "number":
            self.values[name] = self.numbers(expr, name)
            return Variable(expr, name, "number")
        if kind == "logical":
            assert isinstance(expr, Name)
            self.values[name] = self.column(expr.name).astype(np.intp)
            coding = coding_of(chosen or "treatment", ("FALSE", "TRUE"), where=name)
            return Variable(expr, name, "logical", ("FALSE", "TRUE"), coding)
        return self._factor(expr, name, chosen)

    def _factor(self, expr: Expr, name: str, chosen: str | None) -> Variable:
        column = factor_column(expr)
        if isinstance(expr, Name):
            self.columns.refuse_numbers_in_text(column)
        factor: Factor = self.columns.factor(column)
        if self.rows is not None:
            factor = Factor(factor.codes[self.rows], factor.labels, factor.ordered).used()
        levels = factor.labels.all()
        if len(levels) < 2:
            only = f" ('{levels[0]}')" if levels else ""
            what = f"{name} has one level{only} in the rows used"
            raise DesignError(message(what, where="the formula", do="Leave it out of the formula"))
        self.values[name] = factor.codes
        kind, ref = _coding_asked(expr)
        default = "treatment" if ref is not None or not factor.ordered else "poly"
        coding: Coding = coding_of(chosen or kind or default, levels, ref=ref, where=name)
        return Variable(expr, name, "factor", levels, coding)


def _coding_asked(expr: Expr) -> tuple[str | None, str | None]:
    """Return the coding and the reference level that ``C()`` asks for."""
    if not isinstance(expr, Call) or expr.function != "C":
        return None, None
    kind = coding_word(expr.args[1]) if len(expr.args) > 1 else None
    given = dict(expr.options).get("ref")
    if isinstance(given, Text):
        return kind, given.value
    return kind, number_label(given.value) if isinstance(given, Number) else None
