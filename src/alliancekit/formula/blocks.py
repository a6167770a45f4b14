"""Random blocks: codes of the groups and the columns that vary over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.coding import Part
from alliancekit.formula.factors import Codes, Factor, Labels
from alliancekit.formula.groups import RandomTerm
from alliancekit.formula.recipe import BlockRecipe, group_factor
from alliancekit.formula.variables import Builder


@dataclass(frozen=True, slots=True, eq=False)
class RandomBlock:
    """Effects that vary over the groups of one factor with one covariance matrix; q columns, n rows.

    Attributes
    ----------
    group : lme4's name of the grouping factor.
    codes : (n,) group of each row, from 0.
    labels : names of the groups, made when asked for.
    Z : (n, q) columns that vary, Fortran order.
    names : R's names of the columns.
    correlated : False for blocks that ``||`` made.
    display : the block as printed, such as ``(1 + time | patient)``.
    columns : data columns of the grouping factor.
    """

    group: str
    codes: Codes
    labels: Labels
    Z: NDArray[np.float64]
    names: tuple[str, ...]
    correlated: bool
    display: str
    columns: tuple[str, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the groups, in the order of the codes."""
        return self.labels.all()

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return self.labels.size


def build_blocks(
    terms: Sequence[RandomTerm], builder: Builder, n: int, *, has_residual: bool
) -> tuple[tuple[RandomBlock, ...], tuple[BlockRecipe, ...], dict[str, int]]:
    """Return the random blocks, how to make them for new data, and the number of groups of each grouping factor.

    ``(x || g)`` becomes one block for the intercept and one for each term, as in lme4; a factor's block keeps the
    correlations among its levels.

    Raises
    ------
    DesignError : a grouping factor has one level, or so many that rows do not repeat within them.
    """
    blocks: list[RandomBlock] = []
    recipes: list[BlockRecipe] = []
    groups: dict[str, int] = {}
    factors: dict[tuple[str, ...], Factor] = {}
    for term in terms:
        if term.group not in factors:
            factors[term.group] = _factor_used(builder, term.group)
        factor = factors[term.group]
        groups[term.group_name] = factor.labels.size
        for part, display in block_parts(term, builder):
            check_groups(term.group_name, factor.labels.size, len(part.names), n, display, has_residual)
            Z = part.matrix(builder.values, n)
            blocks.append(
                RandomBlock(
                    term.group_name, factor.codes, factor.labels, Z, part.names, term.correlated, display, term.group
                )
            )
            recipes.append(BlockRecipe(term.group, term.group_name, part, term.correlated, display, factor.labels))
    return tuple(blocks), tuple(recipes), groups


def _factor_used(builder: Builder, names: tuple[str, ...]) -> Factor:
    factor = group_factor(builder.columns, names)
    return factor if builder.rows is None else Factor(factor.codes[builder.rows], factor.labels).used()


def block_parts(term: RandomTerm, builder: Builder) -> list[tuple[Part, str]]:
    """Return the columns of each block that a random term makes, and the block as printed."""
    if term.correlated:
        return [(builder.part(term.terms, intercept=term.intercept, fixed=False), term.display)]
    parts: list[tuple[Part, str]] = []
    if term.intercept:
        parts.append((builder.part((), intercept=True, fixed=False), f"(1 | {term.group_name})"))
    for one in term.terms:
        shown = f"(0 + {one.label} | {term.group_name})"
        parts.append((builder.part((one,), intercept=False, fixed=False), shown))
    return parts


def check_groups(group: str, size: int, effects: int, n: int, display: str, has_residual: bool) -> None:
    """Raise DesignError where a grouping factor has one level, or too many for the rows."""
    if size < 2:
        what = f"grouping factor '{group}' has one level in the rows used"
        raise DesignError(message(what, where=display, do="Leave this random term out of the formula"))
    if not has_residual:
        return
    if size >= n:
        what = f"grouping factor '{group}' has {size} levels for {n} rows: no level has a second row"
        do = "Leave this random term out; it cannot be told apart from the residual"
        raise DesignError(message(what, where=display, do=do))
    if size * effects >= n:
        what = f"{effects} random effects for each of {size} levels of '{group}' are as many as the {n} rows or more"
        do = "Let fewer effects vary; these cannot be told apart from the residual"
        raise DesignError(message(what, where=display, do=do))
