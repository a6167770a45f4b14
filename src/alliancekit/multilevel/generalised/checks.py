"""What the estimates of a generalised model may hide: infinite coefficients, a dispersion at its limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import message
from alliancekit.formula.design import Design
from alliancekit.multilevel.generalised.inference import MOSTLY, Uncertainty, column_reach
from alliancekit.multilevel.generalised.objective import Problem
from alliancekit.multilevel.generalised.optimise import Optimum
from alliancekit.multilevel.generalised.words import FamilyWords

Floats = NDArray[np.float64]
UNKNOWN = 30.0  # SD of a linear predictor above which the data say nothing about it: exp(30) is 1e13
CARRIED = 0.3  # share of the largest load from which a column belongs to a direction
FLAT = 0.5  # share of a parameter in directions without curvature above which it is called undetermined
_PLAIN = {"binomial": "binomial", "beta-binomial": "binomial", "negative-binomial": "Poisson", "poisson": "Poisson"}


def fit_notes(
    design: Design, words: FamilyWords, problem: Problem, optimum: Optimum, known: Uncertainty
) -> tuple[str, ...]:
    """Return the notices about infinite coefficients and about a dispersion at its limit, as text."""
    engine = problem.design
    fixed, _, dispersion, inflation = engine.parts
    notes = []
    infinite = _undetermined(design.X, engine.fixed_basis, known, fixed)
    if infinite:
        notes.append(_separation(design, infinite))
    if dispersion.stop > dispersion.start and _lost(known, dispersion):
        plain = _PLAIN[words.family]
        notes.append(
            message(
                f"the dispersion went to its limit: the data show no more variance than the {plain} distribution",
                do="The other estimates are right; the simpler family describes the same data",
            )
        )
    if inflation.stop > inflation.start and _lost(known, inflation):
        notes.append(
            message(
                "the probability of an extra zero went to 0 or 1 for some rows",
                do="Where it is 0, the model without zero_inflation describes the same data; where a level has no "
                "zeros, or only zeros, take it out of zero_inflation",
            )
        )
    return tuple(notes)


def _lost(known: Uncertainty, where: slice) -> bool:
    spread = np.sqrt(np.diag(known.covariance)[where])
    return bool((spread > UNKNOWN).any() or (known.flat[where] > FLAT).any())


def _undetermined(X: Floats, basis: Floats, known: Uncertainty, where: slice) -> list[int]:
    """Return the user's columns whose coefficient is so uncertain that it must be infinite.

    A coefficient far from the data (the intercept, where time is a year) is uncertain without being infinite: judged is
    how uncertain the linear predictor of the rows is, by directions.
    """
    values, vectors = np.linalg.eigh(known.covariance[where, where])
    reach, varying = column_reach(X), np.ptp(X, axis=0) > 0
    found = np.zeros(X.shape[1], dtype=bool)
    for value, direction in zip(values, vectors.T, strict=True):
        user = basis @ direction
        line = X @ user
        if np.sqrt(max(value, 0.0)) * max(np.ptp(line), np.abs(line.mean())) > UNKNOWN:
            found |= _carried(user * reach, varying)
    for direction in known.directions[where].T:
        if direction @ direction > MOSTLY:
            found |= _carried(basis @ direction * reach, varying)
    return np.flatnonzero(found).tolist()


def _carried(load: Floats, varying: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the columns that carry a direction; the constant one does not hide those that vary."""
    top = float(np.abs(load[varying]).max(initial=0.0))
    if top == 0.0:
        return ~varying
    return np.asarray(np.abs(load) > CARRIED * top, dtype=np.bool_)


def _separation(design: Design, columns: list[int]) -> str:
    names = ", ".join(design.names[j] for j in columns)
    causes = [cause for cause in (_cause(design, j) for j in columns) if cause]
    where = "; ".join(causes)
    plural = len(columns) > 1
    return message(
        f"the coefficient{'s' if plural else ''} of {names} {'are' if plural else 'is'} infinite: the outcome is "
        "separated, some combination of predictors tells it without error",
        where=where,
        do="Estimates, standard errors and tests of these terms mean nothing; the likelihood and the other terms are "
        "right. Join sparse levels, or leave the term out and report the cross-table",
    )


def _cause(design: Design, j: int) -> str:
    """Return the level in which the outcome does not vary, where that is the cause."""
    column, y = design.X[:, j], design.y
    assert y is not None
    if not np.isin(column, (0.0, 1.0)).all() or not column.any():
        return ""
    inside = column == 1.0
    name = design.names[j]
    if not y[inside].any():
        return f"in all {int(inside.sum())} rows with {name} = 1 the outcome is 0"
    top = design.trials if design.trials is not None else np.ones_like(y)
    if y.max() <= top.max() and bool((y[inside] == top[inside]).all()):
        all_of_it = "1" if design.trials is None else "the total"
        return f"in all {int(inside.sum())} rows with {name} = 1 the outcome is {all_of_it}"
    if not y[~inside].any():
        return f"in all {int((~inside).sum())} rows with {name} = 0 the outcome is 0"
    return ""
