"""A formula's columns for chunks of rows: coded once, from the levels of the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.formula.blocks import block_parts
from alliancekit.formula.columns import Columns
from alliancekit.formula.expressions import Call, Expr, Name, children, columns_in
from alliancekit.formula.outcome import check_outcome
from alliancekit.formula.parse import Formula
from alliancekit.formula.recipe import BlockRecipe, Recipe, factor_column
from alliancekit.formula.transforms import Evaluator
from alliancekit.formula.variables import Builder
from alliancekit.multilevel.streamed.levels import ColumnLevels, GroupLevels
from alliancekit.multilevel.streamed.source import Source, frame_of_chunk

Floats = NDArray[np.float64]
_WHOLE_COLUMN = ("scale", "center", "poly")
_MOST_LEVELS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A chunk coded: X (n, p), y (n,) without offset, root of the weights (n,) or None, Z per block (n, q)."""

    X: Floats
    y: Floats
    root: Floats | None
    Z: list[Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Coder:
    """Codes the fixed part, the response and the random columns of any chunk.

    Attributes
    ----------
    formula : parsed formula. recipe : coding of fixed part and random blocks. weights : column of prior weights.
    """

    formula: Formula
    recipe: Recipe
    weights: str | None

    def code(self, chunk: Any) -> Rows:
        """Return a chunk of complete rows as columns.

        Raises
        ------
        DesignError : an infinite or undefined value, a weight that is not positive.
        """
        frame = frame_of_chunk(chunk, self.columns())
        new = self.recipe.build(frame, groups=False)
        columns = Columns(frame, self.columns(), where="the formula")
        builder = Builder(columns, Evaluator(columns.numbers, {}, learning=True), None, {})
        assert self.formula.response is not None
        y = builder.numbers(self.formula.response, self.formula.response_name)
        if new.offset is not None:
            y = y - new.offset
        root = None
        if self.weights is not None:
            values = builder.column(self.weights)
            if not (values > 0).all():
                do = "Leave these rows out of the data, or correct them"
                raise DesignError(message(f"weights in '{self.weights}' are not positive", do=do))
            root = np.sqrt(values)
        return Rows(new.X, y, root, [block.Z for block in new.random])

    def columns(self) -> tuple[str, ...]:
        """Return the data columns that coding needs."""
        assert self.formula.response is not None
        more = [self.weights] if self.weights else []
        return tuple(dict.fromkeys([*columns_in(self.formula.response), *self.recipe.columns(groups=False), *more]))


def check_streamable(formula: Formula) -> None:
    """Raise SpecError where a transform needs a whole column at once."""
    for expr in _expressions(formula):
        for call in _calls(expr):
            if call.function in _WHOLE_COLUMN:
                what = f"{call.function}() needs a whole column at once, and the file is read in chunks"
                do = "Write the transformed column into the file, or fit the model to a frame"
                raise SpecError(message(what, where=formula.text, do=do))


def coded_columns(formula: Formula, source: Source) -> tuple[str, ...]:
    """Return the columns that enter the fixed part or a random slope as factors."""
    import pyarrow as pa

    found: dict[str, None] = {}
    for expr in _expressions(formula):
        for call in _calls(expr):
            if call.function in ("factor", "C"):
                found[factor_column(call)] = None
        if isinstance(expr, Name):
            kind = source.schema.field(expr.name).type
            if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
                found[expr.name] = None
    return tuple(found)


def make_coder(
    formula: Formula,
    source: Source,
    levels: dict[str, ColumnLevels],
    groups: dict[tuple[str, ...], GroupLevels],
    weights: str | None,
) -> Coder:
    """Return the coder of a file whose levels are known.

    The formula is coded on a few rows that hold every level of every factor; of these only names, levels and contrasts
    are kept.
    """
    coded = coded_columns(formula, source)
    first = next(iter(source.complete()))
    wanted = [c for c in formula.columns if c not in {g for names in groups for g in names} or c in coded]
    frame = _specimen(frame_of_chunk(first, tuple(wanted)), {name: levels[name] for name in coded})
    columns = Columns(frame, wanted, where="the formula")
    check_outcome(formula, columns, "numbers")
    builder = Builder(columns, Evaluator(columns.numbers, {}, learning=True), None, {})
    fixed = builder.part(formula.fixed, intercept=formula.intercept)
    blocks: list[BlockRecipe] = []
    for term in formula.random:
        labels = groups[term.group].labels()
        for part, display in block_parts(term, builder):
            blocks.append(BlockRecipe(term.group, term.group_name, part, term.correlated, display, labels))
    kept = tuple(range(len(fixed.names)))
    return Coder(formula, Recipe(fixed, kept, tuple(blocks), formula.offset, {}), weights)


def _specimen(frame: pd.DataFrame, levels: dict[str, ColumnLevels]) -> pd.DataFrame:
    """Return rows of the file, each factor's levels spread over them."""
    needed = max([column.size for column in levels.values()], default=1)
    if needed > _MOST_LEVELS:
        name = max(levels, key=lambda name: levels[name].size)
        what = f"'{name}' would be a factor of {needed:,} levels in the fixed part"
        do = "Is it a number stored as text, or an id that belongs after a |?"
        raise DesignError(message(what, do=do))
    frame = frame.iloc[: max(needed, 50)]
    if len(frame) < needed:
        frame = frame.iloc[np.arange(needed) % len(frame)].reset_index(drop=True)
    frame = frame.copy()
    for name, column in levels.items():
        place = np.arange(len(frame)) % column.size
        values = column.values.to_pylist()
        if column.categorical:
            frame[name] = pd.Categorical.from_codes(place, categories=values, ordered=column.ordered)
        else:
            kind: Any = frame[name].dtype if _is_number(frame[name]) else object
            frame[name] = np.array(values, dtype=kind)[place]
    return frame


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column.dtype))


def _expressions(formula: Formula) -> Iterator[Expr]:
    """Yield every variable of the fixed part, the random slopes and the offset."""
    for term in formula.fixed:
        yield from term.variables
    for random in formula.random:
        for term in random.terms:
            yield from term.variables
    yield from formula.offset
    if formula.response is not None:
        yield formula.response


def _calls(expr: Expr) -> Iterator[Call]:
    if isinstance(expr, Call):
        yield expr
    for child in children(expr):
        yield from _calls(child)
