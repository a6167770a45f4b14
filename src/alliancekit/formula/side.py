"""Fixed parts beside the main one: what the dispersion or the probability of an extra zero depends on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignWarning, SpecError, message
from alliancekit.formula.parse import Formula, parse_formula
from alliancekit.formula.rank import dependent_columns, describe
from alliancekit.formula.recipe import Recipe
from alliancekit.formula.variables import Builder


@dataclass(frozen=True, slots=True, eq=False)
class SidePart:
    """A fixed part of its own; n rows used, p columns.

    Attributes
    ----------
    formula : the parsed formula. X : (n, p), Fortran order. names : R's names of its columns.
    recipe : its coding, for new data.
    """

    formula: Formula
    X: NDArray[np.float64]
    names: tuple[str, ...]
    recipe: Recipe


def parse_side(text: str, option: str) -> Formula:
    """Return the parsed form of a one-sided formula of fixed effects, such as ``"~ mined"``.

    Raises
    ------
    SpecError : it has a response, a random term or an offset.

    Examples
    --------
    >>> parse_side("~ arm", "dispersion").predictor_columns
    ('arm',)
    """
    example = f'{option}="~ x"'
    if not isinstance(text, str):
        raise SpecError(message(f"{option} is a formula written as text", do=f"Write for example {example}"))
    formula = parse_formula(text, one_sided=True)
    if formula.random or formula.offset:
        what = "random terms" if formula.random else "an offset"
        raise SpecError(
            message(f"{option} has {what}", where=text, do=f"It takes fixed effects only, for example {example}")
        )
    return formula


def build_side(formulas: Mapping[str, Formula], builder: Builder, n: int) -> dict[str, SidePart]:
    """Return each side part on the rows used, redundant columns left out with a warning."""
    out: dict[str, SidePart] = {}
    for name, formula in formulas.items():
        part = builder.part(formula.fixed, intercept=formula.intercept)
        if not part.names:
            raise SpecError(message(f"{name} has no terms", where=formula.text, do='Write "~ 1" for a constant'))
        X = part.matrix(builder.values, n)
        dependences = dependent_columns(X)
        gone = {d.column for d in dependences}
        if gone:
            said = "; ".join(describe(d, part.names) for d in dependences)
            text = message(f"{len(gone)} column(s) of {name} dropped as redundant: {said}")
            warnings.warn(DesignWarning(text), stacklevel=3)
        kept = tuple(j for j in range(X.shape[1]) if j not in gone)
        recipe = Recipe(part, kept, (), (), dict(builder.evaluator.states))
        out[name] = SidePart(formula, np.asfortranarray(X[:, list(kept)]), recipe.names, recipe)
    return out
