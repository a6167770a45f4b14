"""Influence: does the answer rest on one patient or one therapist?

Deleting a set S of rows with the variances held fixed changes generalised least squares to
b - A X' V^-1 E (E' P E)^-1 E' P y, with A = (X' V^-1 X)^-1, P = V^-1 - V^-1 X A X' V^-1 and E the columns of the
identity matrix that belong to S: the mean-shift form of case deletion (Christensen, Pearson & Johnson, 1992,
Technometrics 34, 38-45). V falls into blocks of rows that share no unit with others, so only blocks are inverted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check

NAME = "influence"
LARGE, LARGEST_BLOCK = 1.0, 4000

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


def check(context: Context) -> Check:
    """Delete each unit of each level in turn; warn where a slope moves by more than one standard error."""
    slopes = [j for j, t in enumerate(context.terms) if np.ptp(context.X[:, j]) > 0]
    if context.focus in context.terms:
        slopes = [context.terms.index(str(context.focus))]
    if not slopes:
        return Check(NAME, PASS, "The model has no slope.")
    blocks = independent_blocks(context)
    if max(len(b) for b in blocks) > LARGEST_BLOCK:
        need = f"One block of connected rows has {max(len(b) for b in blocks):,} rows, more than {LARGEST_BLOCK:,}."
        return Check(NAME, NOT_CHECKED, need, "Refit without the units with the largest random effects.")
    whitened = _inverse(context, blocks)
    worst: tuple[float, str, str, int] = (0.0, "", "", 0)
    numbers, above = {}, 0
    for level, codes in _levels(context).items():
        shift = deletion_shift(context, blocks, whitened, codes)[:, slopes] / context.std_errors[slopes]
        size = np.abs(np.nan_to_num(shift))
        unit, term = np.unravel_index(int(size.argmax()), size.shape)
        numbers[f"largest_shift_{level}"] = float(size.max())
        above += int((size > LARGE).any(axis=1).sum())
        if size.max() > worst[0]:
            worst = (float(size.max()), level, context.terms[slopes[int(term)]], int((codes == unit).sum()))
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


def independent_blocks(context: Context) -> list[Codes]:
    """Return the rows of each block of V: rows joined by common units of the random terms."""
    label = np.arange(len(context.y), dtype=np.intp)
    used = [context.groups[group] for group, _, _ in context.Z]
    changed = bool(used)
    while changed:
        before = label.copy()
        for codes in used:
            least = np.full(int(codes.max()) + 1, len(label), dtype=np.intp)
            np.minimum.at(least, codes, label)
            label = least[codes]
        changed = bool((label != before).any())
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)


def _inverse(context: Context, blocks: list[Codes]) -> list[Array]:
    """Return the inverse of V of each block."""
    found = []
    for rows in blocks:
        V = context.sigma**2 * np.eye(len(rows))
        if context.fit is not None and context.fit.design.weights is not None:
            V /= context.fit.design.weights[rows]
        for group, Z, covariance in context.Z:
            codes = context.groups[group][rows]
            V += (Z[rows] @ covariance @ Z[rows].T) * (codes[:, None] == codes[None, :])
        found.append(np.asarray(np.linalg.inv(V), dtype=np.float64))
    return found


def deletion_shift(context: Context, blocks: list[Codes], inverses: list[Array], codes: Codes) -> Array:
    """Return the change of every coefficient when each unit is left out, shape (units, p); nan where X loses rank."""
    X, y = context.X, context.y
    weighted = np.empty_like(X)
    target = np.empty_like(y)
    for rows, inverse in zip(blocks, inverses, strict=True):
        weighted[rows] = inverse @ X[rows]
        target[rows] = inverse @ y[rows]
    A = np.linalg.inv(X.T @ weighted)
    projected = target - weighted @ (A @ (weighted.T @ y))
    place = np.empty(len(y), dtype=np.intp)
    block = np.empty(len(y), dtype=np.intp)
    for b, rows in enumerate(blocks):
        place[rows], block[rows] = np.arange(len(rows)), b
    shift = np.full((int(codes.max()) + 1, X.shape[1]), np.nan)
    for unit in range(len(shift)):
        rows = np.flatnonzero(codes == unit)
        Vs = np.zeros((len(rows), len(rows)))
        for b in np.unique(block[rows]):
            inside = np.flatnonzero(block[rows] == b)
            at = place[rows[inside]]
            Vs[np.ix_(inside, inside)] = inverses[b][np.ix_(at, at)]
        middle = Vs - weighted[rows] @ A @ weighted[rows].T
        if np.linalg.cond(middle) < 1e12:
            shift[unit] = -A @ weighted[rows].T @ np.linalg.solve(middle, projected[rows])
    return shift
