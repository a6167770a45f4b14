"""Formula and data made into a design: response, fixed part, random blocks, and the account of the rows."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, DesignWarning, SpecError, check_columns, check_option, message
from alliancekit.core.sample import SampleAccount
from alliancekit.formula.blocks import RandomBlock, build_blocks
from alliancekit.formula.columns import Columns, name_rows
from alliancekit.formula.expressions import columns_in
from alliancekit.formula.outcome import check_outcome, read_outcome
from alliancekit.formula.parse import Formula, parse_formula
from alliancekit.formula.rank import dependent_columns, describe
from alliancekit.formula.recipe import NewDesign, Recipe
from alliancekit.formula.side import SidePart, build_side
from alliancekit.formula.transforms import Evaluator
from alliancekit.formula.variables import Builder

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A formula applied to data; n rows used, p columns in the fixed part.

    Attributes
    ----------
    formula : the parsed formula.
    y : (n,) response; None for a one-sided formula.
    response : name of the response.
    X : (n, p) fixed part, Fortran order.
    names : R's names of its columns.
    terms : labels of the terms of the fixed part, without the intercept.
    assign : for each column of X the place of its term counted from 1; 0 for the intercept.
    dropped : names of columns left out because they are combinations of earlier ones.
    random : random blocks in the order of the formula.
    offset, weights : (n,) or None.
    sample : which rows were used and why others were not.
    recipe : the coding, for new data.
    variables : data columns used.
    trials : (n,) totals of which ``y`` is the count; None for a response of one column.
    success : level of a two-level response that counts as 1; empty for numbers.
    side : fixed parts beside the main one, by name.
    """

    formula: Formula
    y: Array | None
    response: str
    X: Array
    names: tuple[str, ...]
    terms: tuple[str, ...]
    assign: tuple[int, ...]
    dropped: tuple[str, ...]
    random: tuple[RandomBlock, ...]
    offset: Array | None
    weights: Array | None
    sample: SampleAccount
    recipe: Recipe
    variables: tuple[str, ...]
    trials: Array | None = None
    success: str = ""
    side: Mapping[str, SidePart] = field(default_factory=dict)

    def apply(self, frame: pd.DataFrame, *, allow_missing: bool = False, random: bool = True) -> NewDesign:
        """Return new data coded as these were; see ``Recipe.build``."""
        return self.recipe.build(frame, allow_missing=allow_missing, random=random)


def build_design(
    formula: Formula | str,
    frame: pd.DataFrame,
    *,
    weights: str | None = None,
    contrasts: Mapping[str, str] | None = None,
    missing: str = "drop",
    has_residual: bool = True,
    also: Sequence[str] = (),
    outcome: str = "numbers",
    side: Mapping[str, Formula] | None = None,
) -> Design:
    """Return the design of a formula on data.

    Parameters
    ----------
    formula : lme4 formula, as text or parsed.
    frame : data, one row for each observation.
    weights : column of positive weights; the residual variance of a row is sigma squared over its weight.
    contrasts : coding by factor of the fixed part, such as ``{"arm": "sum"}``; as in R it leaves random terms alone.
    missing : "drop" leaves out rows with a missing value in any column used and counts them; "error" refuses them.
    has_residual : whether the model has a residual variance, so that each grouping factor needs repeated rows.
    also : further columns that the model needs: rows in which one of them is missing are left out, too.
    outcome : "numbers", or "successes", which also takes a two-level factor and counts out of a total.
    side : formulas of fixed parts beside the main one, by name; their columns count when rows are chosen.

    Returns
    -------
    Design : frozen.

    Raises
    ------
    SpecError : the formula or an option is wrong.
    DesignError : formula and data do not fit: unknown columns, no rows left, infinite or undefined values, text where
        numbers are needed, a factor with one level, weights that are not positive, groups without repeated rows.

    Warns
    -----
    DesignWarning : columns are combinations of earlier ones and were dropped.

    Notes
    -----
    Text columns are factors with levels sorted by code point, categoricals keep the order of their categories, levels
    that do not occur leave no trace, the first level is the reference, ordered categoricals get polynomial contrasts,
    columns of True and False are factors named as in R (``xTRUE``). ``scale``, ``center`` and ``poly`` are computed
    from all rows in which their own column is known, as in R.

    Checked against
    ---------------
    R 4.2.2 ``model.matrix`` and lme4 1.1-31 ``lFormula``: names, order and values of columns.

    When not to use
    ---------------
    To judge whether a model is sensible: any formula that can be coded is coded.

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3], "arm": ["a", "b", "a", "b"], "id": [1, 1, 2, 2]})
    >>> design = build_design("y ~ arm + (1 | id)", data)
    >>> design.names
    ('(Intercept)', 'armb')
    >>> design.random[0].levels
    ('1', '2')
    """
    parsed = parse_formula(formula) if isinstance(formula, str) else formula
    if not isinstance(frame, pd.DataFrame):
        raise SpecError(message(f"data is a pandas frame, not {type(frame).__name__}"))
    check_option("missing", missing, ("drop", "error"))
    check_option("outcome", outcome, ("numbers", "successes"))
    beside = dict(side or {})
    aside = [name for formula in beside.values() for name in formula.columns]
    used = dict.fromkeys([*parsed.columns, *aside, *([weights] if weights else []), *also])
    check_columns(frame.columns, [weights] if weights else [], where="weights")
    columns = Columns(frame, used, where="the formula")
    evaluator = Evaluator(columns.numbers, {}, learning=True)
    check_outcome(parsed, columns, outcome)
    rows, sample = _complete_rows(parsed, columns, tuple(used), weights, missing)
    builder = Builder(columns, evaluator, rows, dict(contrasts or {}))
    response = read_outcome(parsed, builder, outcome)
    fixed = builder.part(parsed.fixed, intercept=parsed.intercept)
    builder.check_contrasts()
    X = fixed.matrix(builder.values, sample.n_used)
    dependences = dependent_columns(X)
    gone = {d.column for d in dependences}
    if gone:
        said = "; ".join(describe(d, fixed.names) for d in dependences)
        what = f"{len(gone)} column{'s' if len(gone) > 1 else ''} of the fixed part dropped as redundant: {said}"
        python_warnings.warn(DesignWarning(message(what)), stacklevel=2)
    kept = tuple(j for j in range(X.shape[1]) if j not in gone)
    if gone:
        X = np.asfortranarray(X[:, list(kept)])
    blocks, recipes, groups = build_blocks(parsed.random, builder, sample.n_used, has_residual=has_residual)
    sample.groups.update(groups)
    offset = _offset(parsed, builder)
    side_parts = build_side(beside, builder, sample.n_used)
    recipe = Recipe(fixed, kept, recipes, parsed.offset, dict(evaluator.states))
    return Design(
        formula=parsed,
        y=None if response is None else response.values,
        response=parsed.response_name,
        X=X,
        names=recipe.names,
        terms=tuple(term.label for term in fixed.terms),
        assign=tuple(fixed.assign[j] for j in kept),
        dropped=tuple(fixed.names[j] for j in sorted(gone)),
        random=blocks,
        offset=offset,
        weights=_weights(weights, builder),
        sample=sample,
        recipe=recipe,
        variables=tuple(used),
        trials=None if response is None else response.trials,
        success="" if response is None else response.success,
        side=side_parts,
    )


def _complete_rows(
    formula: Formula, columns: Columns, used: tuple[str, ...], weights: str | None, missing: str
) -> tuple[Rows | None, SampleAccount]:
    """Return the places of the rows without missing values (None for all) and the account of the others."""
    n = len(columns.frame)
    grouping = {name for term in formula.random for name in term.group}
    numeric = {weights} if weights else set()
    if formula.response is not None:
        numeric |= set(columns_in(formula.response))
    dropped: list[tuple[str, int]] = []
    lost: NDArray[np.bool_] | None = None
    for name in used:
        mask = columns.missing(name, as_factor=name in grouping and name not in numeric)
        if mask is None:
            continue
        new = mask if lost is None else mask & ~lost
        count = int(new.sum())
        if count:
            dropped.append((f"missing in '{name}'", count))
        lost = mask if lost is None else lost | mask
    kept = np.ones(n, dtype=bool) if lost is None else ~lost
    n_used = n - sum(count for _, count in dropped)
    if lost is not None and missing == "error":
        counts = ", ".join(f"{count} {reason}" for reason, count in dropped)
        do = 'Give missing="drop" to leave these rows out'
        raise DesignError(
            message(f"rows with missing values: {counts}", where=name_rows(columns.frame.index, lost), do=do)
        )
    if n_used == 0:
        counts = "; ".join(f"{count} {reason}" for reason, count in dropped)
        what = "the data have no rows" if n == 0 else f"no row is complete: of {n} rows, {counts}"
        raise DesignError(message(what, do="" if n == 0 else "Leave out the column that is missing most"))
    account = SampleAccount(n_rows=n, n_used=n_used, dropped=tuple(dropped), rows_used=kept)
    return (None if lost is None else np.flatnonzero(kept)), account


def _offset(formula: Formula, builder: Builder) -> Array | None:
    total: Array | None = None
    for expr in formula.offset:
        added = builder.numbers(expr, "offset()")
        total = added if total is None else total + added
    return total


def _weights(name: str | None, builder: Builder) -> Array | None:
    if name is None:
        return None
    values = builder.column(name)
    if not (values > 0).all():
        bad = np.zeros(len(builder.columns.frame), dtype=bool)
        hit = np.flatnonzero(~(values > 0))
        bad[hit if builder.rows is None else builder.rows[hit]] = True
        rows = name_rows(builder.columns.frame.index, bad)
        do = "Leave these rows out of the data, or correct them"
        raise DesignError(message(f"weights in '{name}' are not positive", where=rows, do=do))
    return values
