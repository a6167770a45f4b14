"""Influence: does the answer rest on one patient or one therapist?

Mixed models: deletion of each unit (``MixedFit.influence``), exact or, with many units, by one step. Ordinary
regression: the normal equations without each unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check

NAME = "influence"
LARGE = 1.0
FEW = 400  # units up to which each is left out exactly (about a second); one step beyond

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


def check(context: Context) -> Check:
    """Delete each unit of each level in turn; warn where a slope moves by more than one standard error."""
    slopes = [j for j, t in enumerate(context.terms) if np.ptp(context.X[:, j]) > 0]
    if context.focus in context.terms:
        slopes = [context.terms.index(str(context.focus))]
    if not slopes:
        return Check(NAME, PASS, "The model has no slope.")
    if context.fit is not None and context.fit.family != "gaussian":
        return Check(NAME, NOT_CHECKED, "Deletion of units is available for Gaussian outcomes.", "Refit without some.")
    worst: tuple[float, str, str, int] = (0.0, "", "", 0)
    numbers, above = {}, 0
    for level, codes in _levels(context).items():
        shift, sizes = _shift(context, level, codes)
        size = np.abs(np.nan_to_num(shift[:, slopes] / context.std_errors[slopes]))
        unit, term = np.unravel_index(int(size.argmax()), size.shape)
        numbers[f"largest_shift_{level}"] = float(size.max())
        above += int((size > LARGE).any(axis=1).sum())
        if size.max() > worst[0]:
            worst = (float(size.max()), level, context.terms[slopes[int(term)]], int(sizes[unit]))
    value, level, name, rows = worst
    evidence = f"Largest shift of a slope when one unit is left out: {value:.2f} SE ('{name}', one '{level}' with "
    evidence += f"{rows} {'row' if rows == 1 else 'rows'})."
    if value > LARGE:
        advice = (
            f"{above} {'unit moves' if above == 1 else 'units move'} a slope by more than one SE: check their data, "
        )
        advice += "and report the result without them as well."
        return Check(NAME, WARN, evidence, advice, numbers | {"units_above": float(above)})
    return Check(NAME, PASS, evidence, numbers=numbers)


def _levels(context: Context) -> dict[str, Codes]:
    """Return the units to leave out: those of each grouping factor, and single rows where each is a patient."""
    found = dict(context.groups)
    if context.kind == "prediction":
        found["patient"] = np.arange(len(context.y), dtype=np.intp)
    return found or {"row": np.arange(len(context.y), dtype=np.intp)}


def _shift(context: Context, level: str, codes: Codes) -> tuple[Array, Codes]:
    """Return the change of every coefficient when each unit is left out, (units, p), and the rows of each unit.

    Missing where X loses rank.
    """
    if context.fit is None:
        return deletion_shift(context.X, context.y, codes), np.bincount(codes)
    method = "exact" if np.unique(codes).size <= FEW else "one-step"
    found = context.fit.influence(by=level if level in context.groups else None, method=method)
    place = [found.terms.index(term) for term in context.terms]
    return np.asarray((found.estimates_without - found.estimates)[:, place], dtype=np.float64), found.rows


def deletion_shift(X: Array, y: Array, codes: Codes) -> Array:
    """Return the change of least-squares coefficients when each unit is left out; nan where X loses rank."""
    scale = np.sqrt((X**2).mean(axis=0))
    X = X / scale
    whole, cross = X.T @ X, X.T @ y
    b = np.linalg.solve(whole, cross)
    shift = np.full((int(codes.max()) + 1, X.shape[1]), np.nan)
    for unit in range(len(shift)):
        rows = codes == unit
        left = whole - X[rows].T @ X[rows]
        if np.linalg.cond(left) < 1e12:
            shift[unit] = (np.linalg.solve(left, cross - X[rows].T @ y[rows]) - b) / scale
    return shift
