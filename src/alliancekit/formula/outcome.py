"""The left side of a formula: a column of numbers, two outcomes of a trial, or counts out of a total."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.formula.columns import Columns, name_rows
from alliancekit.formula.expressions import Call, Expr, Name, columns_in, label, without_parens
from alliancekit.formula.parse import Formula
from alliancekit.formula.variables import Builder
from alliancekit.formula.vocabulary import RESPONSES

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The response on the rows used.

    Attributes
    ----------
    values : (n,) numbers; for counts out of a total the number of successes.
    trials : (n,) the totals; None where the response is one column.
    success : level of a factor, or TRUE, that counts as 1; empty for numbers.
    """

    values: Array
    trials: Array | None = None
    success: str = ""


def counts_of(response: Expr | None) -> Call | None:
    """Return the call of ``successes`` or ``cbind`` that a response is; None for a response of one column."""
    bare = without_parens(response) if response is not None else None
    return bare if isinstance(bare, Call) and bare.function in RESPONSES else None


def check_outcome(formula: Formula, columns: Columns, kind: str) -> None:
    """Raise where the response cannot be of this kind ("numbers" or "successes"), before rows are chosen."""
    if formula.response is None:
        return
    counts = counts_of(formula.response)
    if counts is not None and kind == "numbers":
        raise SpecError(
            message(
                f"{label(counts)} is a count out of a total, which this family does not take",
                where=formula.text,
                do='Give family="binomial" or family="beta-binomial"',
            )
        )
    if kind == "successes" and _factor_name(formula, columns) is not None:
        return
    for name in columns_in(formula.response):
        if columns.kind(name) == "factor":
            columns.refuse_numbers_in_text(name)
            what = f"the response '{name}' is not numeric: it is a factor"
            raise DesignError(message(what, where="the formula", do="Use a column of numbers as the response"))


def read_outcome(formula: Formula, builder: Builder, kind: str) -> Outcome | None:
    """Return the response on the rows used; None for a one-sided formula.

    Raises
    ------
    DesignError : it does not vary, has more successes than trials, or is a factor of other than two levels.
    """
    if formula.response is None:
        return None
    counts = counts_of(formula.response)
    if counts is not None:
        outcome = _counts(counts, builder)
        assert outcome.trials is not None
        rate = outcome.values / np.maximum(outcome.trials, 1.0)
        _check_varies(rate, formula.response_name)
        return outcome
    factor = _factor_name(formula, builder.columns) if kind == "successes" else None
    if factor is not None:
        return _two_levels(factor, builder)
    values = builder.numbers(formula.response, formula.response_name)
    _check_varies(values, formula.response_name)
    logical = isinstance(formula.response, Name) and builder.columns.kind(formula.response.name) == "logical"
    return Outcome(values, None, "TRUE" if logical else "")


def _factor_name(formula: Formula, columns: Columns) -> str | None:
    bare = without_parens(formula.response) if formula.response is not None else None
    return bare.name if isinstance(bare, Name) and columns.kind(bare.name) == "factor" else None


def _two_levels(name: str, builder: Builder) -> Outcome:
    """Return a factor of two levels as 0 and 1, the second level being 1, as in R."""
    builder.columns.refuse_numbers_in_text(name)
    factor = builder.columns.factor(name)
    levels = factor.labels.all()
    codes = factor.codes if builder.rows is None else factor.codes[builder.rows]
    if len(levels) != 2:
        shown = ", ".join(repr(level) for level in levels[:5]) + (" ..." if len(levels) > 5 else "")
        raise DesignError(
            message(
                f"the response '{name}' has {len(levels)} level{'' if len(levels) == 1 else 's'} ({shown})",
                do="A binary outcome has two: make a column of 0 and 1, or of True and False",
            )
        )
    values = codes.astype(np.float64)
    _check_varies(values, name)
    return Outcome(values, None, levels[1])


def _counts(call: Call, builder: Builder) -> Outcome:
    name = label(call)
    first = builder.numbers(call.args[0], label(call.args[0]))
    second_expr = call.args[1] if call.function == "cbind" else dict(call.options)["of"]
    second = builder.numbers(second_expr, label(second_expr))
    taken = np.broadcast_to(first, np.broadcast_shapes(np.shape(first), np.shape(second))).astype(np.float64)
    total = taken + second if call.function == "cbind" else np.broadcast_to(second, taken.shape).astype(np.float64)
    checks = (
        (taken < 0, f"{label(call.args[0])} is negative", "Successes are counts"),
        (total < taken, f"there are more successes than trials in {name}", "Correct these rows"),
        (taken != np.round(taken), f"{label(call.args[0])} is not a whole number", "Successes are counts"),
        (total != np.round(total), f"the total in {name} is not a whole number", "Trials are counts"),
        (total == 0, f"the total in {name} is 0", "A row without trials tells nothing: leave it out"),
    )
    for bad, what, do in checks:
        if bad.any():
            raise DesignError(message(what, where=rows_where(bad, builder), do=do))
    return Outcome(np.array(taken), np.array(total), "")


def rows_where(bad: NDArray[np.bool_], builder: Builder) -> str:
    """Return the names of rows, given a mask over the rows used."""
    mask = np.zeros(len(builder.columns.frame), dtype=bool)
    hit = np.flatnonzero(bad)
    mask[hit if builder.rows is None else builder.rows[hit]] = True
    return name_rows(builder.columns.frame.index, mask)


def constant_outcome(name: str) -> str:
    """Return the message about a response that does not vary."""
    do = "There is nothing to explain; check the column and the rows that were dropped"
    return message(f"the response '{name}' has the same value in every row", do=do)


def _check_varies(values: Array, name: str) -> None:
    if not len(values) or values.min() == values.max():
        raise DesignError(constant_outcome(name))
