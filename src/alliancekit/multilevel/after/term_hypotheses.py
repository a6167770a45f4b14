"""Which hypothesis about the fixed effects each row of an F table tests: types I, II and III, as lmerTest builds them.

Type I tests each term after those before it, type II after all terms that do not contain it, both from the triangular
factor of X (Goodnight 1980, "Tests of hypotheses in fixed effects linear models", Commun Stat A 9, 167-180). Type III
takes the estimable functions of the model with one parameter for each level and makes those of a term orthogonal to
those of the terms that contain it (SAS/STAT User's Guide, "The four types of estimable functions"); it does not depend
on how factors are coded.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.formula.coding import CodedTerm, Part, Variable, make_part
from alliancekit.formula.contrasts import coding_of
from alliancekit.formula.design import Design
from alliancekit.formula.expressions import Call
from alliancekit.formula.rank import dependent_columns

Floats = NDArray[np.float64]
TYPES = ("III", "II", "I")
_ZERO = 1e-8  # share of the largest coefficient below which a coefficient is rounding


def term_hypotheses(design: Design, frame: pd.DataFrame, kind: str) -> dict[str, Floats]:
    """Return, for each term of the fixed part, the rows of its hypothesis ``rows @ beta = 0``, shape (h, p).

    Parameters
    ----------
    design : the formula's design. frame : the rows used; needed for type III. kind : "I", "II" or "III".

    Notes
    -----
    A term whose columns were all dropped has a hypothesis without rows. With one term all types are type I. Which rows
    stand for a hypothesis matters: Satterthwaite's df of a joint test depend on them, F does not.
    """
    places = {label: _columns(design.assign, i) for i, label in enumerate(design.terms, start=1)}
    if kind == "I" or len(design.terms) <= 1 or design.X.shape[1] <= 1:
        triangle = _triangle(design.X)
        return {label: triangle[columns] for label, columns in places.items()}
    containing = _containing(design.recipe.fixed)
    if kind == "II":
        return {label: _second(design.X, places, containing, label) for label in places}
    return _third(design, frame, containing)


def _columns(assign: tuple[int, ...], number: int) -> list[int]:
    return [j for j, term in enumerate(assign) if term == number]


def _triangle(X: Floats) -> Floats:
    """Return the triangular factor of X with unit diagonal, by columns scaled to length one for accuracy."""
    size = np.sqrt(np.einsum("ij,ij->j", X, X))
    upper = np.asarray(np.linalg.qr(X / size, mode="r"), dtype=np.float64)
    return np.asarray(upper / np.diag(upper)[:, None] * size / size[:, None])


def _second(X: Floats, places: dict[str, list[int]], containing: dict[str, list[str]], label: str) -> Floats:
    """Return the hypothesis of type II: the term after all others except the terms that contain it."""
    own = places[label]
    if not containing[label]:
        return np.asarray(np.eye(X.shape[1])[own])
    last = [j for other in containing[label] for j in places[other]]
    first = [j for j in range(X.shape[1]) if j not in own and j not in last]
    order = [*first, *own, *last]
    rows = _triangle(X[:, order])[len(first) : len(first) + len(own)]
    out = np.zeros((len(own), X.shape[1]))
    out[:, order] = rows
    return out


def _third(design: Design, frame: pd.DataFrame, containing: dict[str, list[str]]) -> dict[str, Floats]:
    """Return the hypotheses of type III."""
    fixed = design.recipe.fixed
    treated = make_part(fixed.terms, [_by_treatment(v) for v in fixed.variables], intercept=fixed.intercept)
    whole = _one_for_each_level(fixed)
    X, kept = _full_rank(_matrix(design, frame, treated))
    names = [treated.names[j] for j in kept]
    assign = [treated.assign[j] for j in kept]
    functions = _solve(X, _matrix(design, frame, whole)).T  # rows: parameters of ``whole``; columns: those of X
    functions[np.abs(functions) < _ZERO * max(float(np.abs(functions).max()), 1.0)] = 0.0
    places = {t.label: [j for j, a in enumerate(assign) if a == i] for i, t in enumerate(fixed.terms, start=1)}
    for term in sorted(fixed.terms, key=lambda t: -len(t.parts)):
        own = places[term.label]
        others = [j for label in containing[term.label] for j in places[label]]
        if own and others:
            away = np.linalg.lstsq(functions[:, others], functions[:, own], rcond=1e-10)[0]
            functions[:, own] -= functions[:, others] @ away
    functions = functions[[whole.names.index(name) for name in names]]
    back = _solve(X, design.X)  # coefficients of the treatment-coded columns from those of the fit
    out = {}
    for label, own in places.items():
        rows = functions[:, own].T
        rows = rows[np.abs(rows).sum(axis=1) > _ZERO]
        out[label] = np.asarray(rows @ back, dtype=np.float64)
    return out


def _by_treatment(variable: Variable) -> Variable:
    """Return a factor coded against its first level, whatever the fit's coding."""
    if not variable.is_factor:
        return variable
    return replace(variable, coding=coding_of("treatment", variable.levels))


def _one_for_each_level(part: Part) -> Part:
    """Return the part with one column for each level, or combination of levels, of each term."""
    terms = tuple(
        CodedTerm(term.label, tuple((place, part.variables[place].is_factor) for place, _ in term.parts))
        for term in part.terms
    )
    return make_part(terms, part.variables, intercept=part.intercept)


def _matrix(design: Design, frame: pd.DataFrame, part: Part) -> Floats:
    recipe = replace(design.recipe, fixed=part, kept=tuple(range(len(part.names))), blocks=())
    return recipe.build(frame, random=False).X


def _full_rank(X: Floats) -> tuple[Floats, list[int]]:
    gone = {d.column for d in dependent_columns(X)}
    kept = [j for j in range(X.shape[1]) if j not in gone]
    return X[:, kept], kept


def _solve(X: Floats, right: Floats) -> Floats:
    """Return the least-squares coefficients of the columns of ``right``, by columns of X scaled to length one."""
    size = np.sqrt(np.einsum("ij,ij->j", X, X))
    orthogonal, upper = np.linalg.qr(X / size)
    return np.asarray(np.linalg.solve(upper, orthogonal.T @ right) / size[:, None], dtype=np.float64)


def _containing(part: Part) -> dict[str, list[str]]:
    """Return, for each term, the terms that contain it: more factors, the same covariates.

    As in lmerTest a variable counts in a term only where the term without it is in the model, so that in
    ``time + time:arm`` (no main effect of arm) ``time`` is the slope of the reference arm; and a matrix such as
    ``poly(x, 2)`` or ``scale(x)`` counts as a factor.
    """
    sets = [frozenset(place for place, _ in term.parts) for term in part.terms]
    held = []
    for j, whole in enumerate(sets):
        margins = [v for v in whole if not whole - {v} or any(whole - {v} <= earlier for earlier in sets[:j])]
        held.append(frozenset(margins))
    covariates = [frozenset(v for v in one if _is_covariate(part.variables[v])) for one in held]
    out: dict[str, list[str]] = {}
    for i, term in enumerate(part.terms):
        out[term.label] = [
            other.label for j, other in enumerate(part.terms) if held[i] < held[j] and covariates[i] == covariates[j]
        ]
    return out


def _is_covariate(variable: Variable) -> bool:
    made_by = variable.expr.function if isinstance(variable.expr, Call) else ""
    return variable.kind == "number" and made_by not in ("scale", "center")
