"""Turn terms into columns: dummy or contrast coding of factors by R's rules, products for interactions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.contrasts import contrast
from alliancekit.formula.parse import Term
from alliancekit.formula.values import Levels, Numbers, Value

Floats = NDArray[np.float64]
Columns = list[tuple[str, Floats]]


def code_terms(
    terms: tuple[Term, ...], intercept: bool, values: Mapping[str, Value], n: int
) -> tuple[Columns, list[int]]:
    """Return (name, column) pairs and, per column, the number of its term (0 = intercept)."""
    columns: Columns = [("(Intercept)", np.ones(n))] if intercept else []
    assign = [0] if intercept else []
    present = {frozenset(t) for t in terms}
    if intercept:
        present.add(frozenset())
    coded: dict[tuple[str, bool], Columns] = {}
    for number, term in enumerate(terms, start=1):
        made: Columns = [("", np.ones(0))]
        for factor in term:
            full = _needs_all_levels(term, factor, present, values, terms, intercept)
            key = (factor, full)
            if key not in coded:
                coded[key] = _code(factor, values[factor], full)
            made = _times(made, coded[key])
        columns += made
        assign += [number] * len(made)
    return columns, assign


def _needs_all_levels(
    term: Term, factor: str, present: set[frozenset[str]], values: Mapping[str, Value], terms: tuple[Term, ...], intercept: bool
) -> bool:
    """R's rule: a factor is coded by contrasts where the term without it is in the model, else by all levels."""
    if not isinstance(values[factor], Levels):
        return False
    rest = frozenset(term) - {factor}
    if rest in present:
        return False
    if not rest and not intercept:
        # Without intercept only the first factor of the model gets all levels.
        first = next(t for t in terms if len(t) == 1 and isinstance(values[t[0]], Levels))
        return first == term
    return True


def _code(name: str, value: Value, full: bool) -> Columns:
    if isinstance(value, Numbers):
        return [(name + s, c) for s, c in zip(value.suffixes, value.columns, strict=True)]
    assert isinstance(value, Levels)
    if full:
        matrix, suffixes = np.eye(len(value.levels)), value.levels
    else:
        matrix, suffixes = contrast(value.contrast, value.levels, value.reference)
    rows = np.vstack([matrix, np.full(matrix.shape[1], np.nan)])
    return [(name + s, rows[value.codes, j]) for j, s in enumerate(suffixes)]


def _times(left: Columns, right: Columns) -> Columns:
    """Return the products; the left factor varies fastest, as in R."""
    if left[0][0] == "":
        return right
    return [(f"{a}:{b}", x * y) for b, y in right for a, x in left]
