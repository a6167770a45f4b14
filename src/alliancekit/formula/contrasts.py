"""Codings of factors: the matrices R calls ``contr.treatment``, ``contr.sum``, ``contr.helmert`` and ``contr.poly``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, check_option, message, nearest
from alliancekit.formula.vocabulary import CODINGS

_MOST_POLY = 95


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """How the levels of a factor become columns.

    Attributes
    ----------
    size : number of levels.
    suffixes : what R appends to the factor's name, one for each column.
    indicators : level that each column indicates, where the columns are 0/1 indicators; None otherwise.
    values : (levels, columns) value of each column at each level, where they are not indicators; None otherwise.
    """

    size: int
    suffixes: tuple[str, ...]
    indicators: tuple[int, ...] | None = None
    values: NDArray[np.float64] | None = None

    def matrix(self) -> NDArray[np.float64]:
        """Return the (levels, columns) matrix of the coding."""
        if self.values is not None:
            return self.values
        return np.asarray(np.eye(self.size)[:, list(self.indicators or ())])


def full_coding(levels: tuple[str, ...]) -> Coding:
    """Return one indicator for each level."""
    return Coding(len(levels), levels, tuple(range(len(levels))))


def coding_of(kind: str, levels: tuple[str, ...], *, ref: str | None = None, where: str = "") -> Coding:
    """Return the coding of a factor with an intercept in the model.

    Parameters
    ----------
    kind : "treatment" (indicators against the reference), "sum" (deviations from the mean of the level means),
        "helmert" (level against the mean of those before it) or "poly" (orthogonal polynomials over equal steps).
    levels : names of the levels, at least two.
    ref : reference level; default is the first for "treatment" and the last for "sum", as in R.
    where : name of the factor, for messages.

    Raises
    ------
    DesignError : ``ref`` is not a level, or "poly" has more than 95 levels.
    SpecError : ``kind`` is not a coding, or ``ref`` goes with a coding that has no reference.

    Checked against
    ---------------
    R 4.2.2 ``contr.treatment``, ``contr.sum``, ``contr.helmert``, ``contr.poly``.

    When not to use
    ---------------
    "poly" for levels that are not equally spaced: use the numbers themselves with ``poly(x, degree)``.

    Examples
    --------
    >>> coding_of("treatment", ("a", "b", "c")).suffixes
    ('b', 'c')
    >>> coding_of("poly", ("1", "2", "3", "4")).suffixes
    ('.L', '.Q', '.C')
    """
    kind = CODINGS.get(kind, kind)
    check_option("contrasts", kind, sorted(set(CODINGS.values())))
    if ref is not None and kind in ("helmert", "poly"):
        raise SpecError(message(f"coding '{kind}' has no reference level", where=where, do="Leave out ref"))
    if ref is not None and ref not in levels:
        close = nearest(ref, levels)
        hint = f"Did you mean '{close}'? " if close else ""
        shown = ", ".join(levels[:20]) + (" ..." if len(levels) > 20 else "")
        raise DesignError(message(f"'{ref}' is not a level", where=where, do=f"{hint}Levels are: {shown}"))
    return _MAKERS[kind](levels, ref, where)


def _treatment(levels: tuple[str, ...], ref: str | None, where: str) -> Coding:
    base = 0 if ref is None else levels.index(ref)
    kept = tuple(i for i in range(len(levels)) if i != base)
    return Coding(len(levels), tuple(levels[i] for i in kept), kept)


def _sum(levels: tuple[str, ...], ref: str | None, where: str) -> Coding:
    size = len(levels)
    base = size - 1 if ref is None else levels.index(ref)
    matrix = np.zeros((size, size - 1))
    matrix[[i for i in range(size) if i != base], range(size - 1)] = 1.0
    matrix[base] = -1.0
    return Coding(size, _counted(size), values=matrix)


def _helmert(levels: tuple[str, ...], ref: str | None, where: str) -> Coding:
    size = len(levels)
    matrix = np.zeros((size, size - 1))
    for j in range(size - 1):
        matrix[: j + 1, j] = -1.0
        matrix[j + 1, j] = j + 1.0
    return Coding(size, _counted(size), values=matrix)


def _poly(levels: tuple[str, ...], ref: str | None, where: str) -> Coding:
    size = len(levels)
    if size > _MOST_POLY:
        do = "Give its values as numbers and use poly(x, degree)"
        raise DesignError(message(f"{size} ordered levels are too many for polynomial coding", where=where, do=do))
    steps = np.arange(size, dtype=np.float64) - (size - 1) / 2
    scale = max(float(np.abs(steps).max()), 1.0)
    columns = [np.full(size, 1.0 / np.sqrt(size))]
    for _ in range(size - 1):
        new = columns[-1] * (steps / scale)
        for _ in range(2):  # twice is enough for orthogonality to rounding
            for old in columns:
                new = new - (new @ old) * old
        columns.append(new / np.sqrt(new @ new))
    short = (".L", ".Q", ".C")
    suffixes = (*short, *(f"^{j}" for j in range(4, size)))[: size - 1]
    return Coding(size, suffixes, values=np.column_stack(columns[1:]))


def _counted(size: int) -> tuple[str, ...]:
    return tuple(str(j + 1) for j in range(size - 1))


_MAKERS = {"treatment": _treatment, "sum": _sum, "helmert": _helmert, "poly": _poly}
