"""What a design remembers, so that new data are coded the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.coding import Part, Variable
from alliancekit.formula.columns import Columns, name_rows
from alliancekit.formula.expressions import Call, Expr, Name, columns_in, label
from alliancekit.formula.factors import Codes, Factor, Labels, cross, match_levels
from alliancekit.formula.transforms import Evaluator, State

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BlockRecipe:
    """How one random block is made: its grouping columns, what varies, and the levels it was fitted with."""

    columns: tuple[str, ...]
    group: str
    part: Part
    correlated: bool
    display: str
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class NewBlock:
    """A random block for new data.

    Attributes
    ----------
    group : name of the grouping factor.
    codes : (n,) level of each row among the fitted levels; -1 for a level that was not fitted, or a missing one.
    Z : (n, q) columns that vary; NaN in rows where one of them is missing.
    own_codes : (n,) level of each row among the levels of the new data; -1 where missing.
    own_levels : names of the levels of the new data.
    """

    group: str
    codes: Codes
    Z: Array
    own_codes: Codes
    own_levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NewDesign:
    """New data coded as the data of the fit were.

    Attributes
    ----------
    X : (n, p) fixed part, with the columns of the fit; NaN in rows where a variable is missing.
    names : names of its columns.
    random : random blocks in the order of the fit; empty when they were not asked for.
    offset : (n,) or None.
    missing : (n,) rows where a variable of the fixed part, the offset or a random slope is missing.
    """

    X: Array
    names: tuple[str, ...]
    random: tuple[NewBlock, ...]
    offset: Array | None
    missing: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """The coding of a design: levels, contrasts, and what ``scale``, ``center`` and ``poly`` remember.

    Attributes
    ----------
    fixed : fixed part before columns were dropped.
    kept : places of its columns that the fit uses.
    blocks : random blocks.
    offset : expressions that are added up.
    states : memory of the stateful transforms, by the label of the call.
    """

    fixed: Part
    kept: tuple[int, ...]
    blocks: tuple[BlockRecipe, ...]
    offset: tuple[Expr, ...]
    states: Mapping[str, State]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the fixed part that the fit uses."""
        return tuple(self.fixed.names[j] for j in self.kept)

    def columns(self, *, random: bool = True, groups: bool = True) -> tuple[str, ...]:
        """Return the data columns that ``build`` needs."""
        exprs: list[Expr] = [v.expr for v in self.fixed.variables] + list(self.offset)
        names: list[str] = []
        if random:
            exprs += [v.expr for block in self.blocks for v in block.part.variables]
            names = [name for block in self.blocks for name in block.columns] if groups else []
        return tuple(dict.fromkeys([c for e in exprs for c in columns_in(e)] + names))

    def build(
        self, frame: pd.DataFrame, *, allow_missing: bool = False, random: bool = True, groups: bool = True
    ) -> NewDesign:
        """Return new data coded as the data of the fit were; the response is not needed.

        Parameters
        ----------
        frame : new data, one row each.
        allow_missing : whether rows with missing values give NaN (True) or an error (False).
        random : whether the random blocks are made; without them the grouping columns are not needed.
        groups : whether the random blocks know their groups; if not, grouping columns are not needed, each code is -1.

        Raises
        ------
        DesignError : a column is missing, a fixed factor has a level that was not fitted, or a value is missing
            while ``allow_missing`` is False. New levels of grouping factors are no error: their code is -1.
        """
        columns = Columns(frame, self.columns(random=random, groups=groups), where="new data")
        evaluator = Evaluator(columns.numbers, dict(self.states), learning=False)
        values: dict[str, NDArray[Any]] = {}
        n = len(frame)
        lost = np.zeros(n, dtype=bool)
        parts = [self.fixed, *(block.part for block in self.blocks)] if random else [self.fixed]
        gone: dict[str, NDArray[np.bool_]] = {}
        for variable in (v for part in parts for v in part.variables):
            if variable.label not in values:
                values[variable.label], gone[variable.label] = _new_values(variable, columns, evaluator)
        offset: Array | None = None
        for expr in self.offset:
            added = evaluator.numbers(expr)
            lost |= np.isnan(added)
            offset = added if offset is None else offset + added
        for mask in gone.values():
            lost |= mask
        if lost.any() and not allow_missing:
            do = "Remove these rows or fill in their values"
            raise DesignError(message("the new data have missing values", where=name_rows(frame.index, lost), do=do))
        X = _matrix(self.fixed, values, gone, n)
        if len(self.kept) < X.shape[1]:
            X = np.asfortranarray(X[:, list(self.kept)])
        blocks = tuple(
            _new_block(block, columns if groups else None, values, gone, n) for block in self.blocks if random
        )
        return NewDesign(X, self.names, blocks, offset, lost)


def _matrix(part: Part, values: Mapping[str, NDArray[Any]], gone: Mapping[str, NDArray[np.bool_]], n: int) -> Array:
    out = part.matrix(values, n)
    for variable in part.variables:
        if gone[variable.label].any():
            out[gone[variable.label]] = np.nan
    return out


def _new_values(variable: Variable, columns: Columns, evaluator: Evaluator) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values or codes of a variable in new data, and the rows where it is missing."""
    if variable.kind == "number":
        numbers = evaluator.numbers(variable.expr)
        return numbers, _undefined(numbers, variable, columns)
    if variable.kind == "matrix":
        assert isinstance(variable.expr, Call)
        several = evaluator.polynomials(variable.expr)
        return several, _undefined(several[:, 0], variable, columns)
    factor = columns.factor(factor_column(variable.expr))
    place = match_levels(factor, variable.levels)
    unknown = [name for name, at in zip(factor.labels.all(), place.tolist(), strict=False) if at < 0]
    codes = place[factor.codes]
    if unknown:
        what = f"{variable.label} has levels that were not fitted: {', '.join(repr(u) for u in unknown[:5])}"
        rows = name_rows(columns.frame.index, (factor.codes >= 0) & (codes < 0))
        do = f"Fitted levels are: {', '.join(variable.levels[:20])}{' ...' if len(variable.levels) > 20 else ''}"
        raise DesignError(message(what, where=rows, do=do))
    return codes, codes < 0


def _undefined(values: Array, variable: Variable, columns: Columns) -> NDArray[np.bool_]:
    missing = np.zeros(len(values), dtype=bool)
    for name in columns_in(variable.expr):
        missing |= np.isnan(columns.numbers(name))
    rows = np.flatnonzero(~missing)
    columns.check_finite(values[rows], variable.label, rows, "Correct these rows")
    return missing


def factor_column(expr: Expr) -> str:
    """Return the data column behind a factor: ``x`` of ``x``, ``factor(x)``, ``C(x)`` and ``C(factor(x))``."""
    while isinstance(expr, Call):
        expr = expr.args[0]
    if isinstance(expr, Name):
        return expr.name
    raise DesignError(message(f"{label(expr)} is not a factor"))


def group_factor(columns: Columns, names: Sequence[str]) -> Factor:
    """Return the grouping factor of one column, or of the combinations of several."""
    return cross([columns.factor(name) for name in names])


def _new_block(
    block: BlockRecipe,
    columns: Columns | None,
    values: Mapping[str, NDArray[Any]],
    gone: Mapping[str, NDArray[np.bool_]],
    n: int,
) -> NewBlock:
    Z = _matrix(block.part, values, gone, n)
    if columns is None:
        nowhere = np.full(n, -1, dtype=np.intp)
        return NewBlock(block.group, nowhere, Z, nowhere, ())
    own = group_factor(columns, block.columns)
    place = match_levels(own, block.labels.all())
    return NewBlock(block.group, place[own.codes], Z, own.codes, own.labels.all())
