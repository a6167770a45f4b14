"""Which columns of a design matrix are combinations of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.expressions import number_label

TOLERANCE = 1e-7
"""A column is a combination of earlier ones when less than this share of its length is new (R's ``qr``)."""

_SAFE_PIVOT = 1e-8  # squared share; above it rounding in the cross-products cannot hide a deficiency
_SOME_ROWS = 2048  # rows that are looked at first
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Dependence:
    """A column that adds nothing.

    Attributes
    ----------
    column : its place in the matrix.
    parts : (place of an earlier column, coefficient) pairs that add up to it; none for a column of zeros.
    """

    column: int
    parts: tuple[tuple[int, float], ...]


def dependent_columns(X: NDArray[np.float64]) -> tuple[Dependence, ...]:
    """Return the columns that are combinations of columns before them.

    Parameters
    ----------
    X : (n, p) finite matrix.

    Notes
    -----
    Columns are taken in order and a column is dropped when its part orthogonal to the ones kept is shorter than 1e-7 of
    its length, the rule of LINPACK's ``dqrdc2`` in R. Where the Cholesky factor of the scaled cross-products shows
    that no column can be near this limit, nothing more is computed.

    Checked against
    ---------------
    R 4.2.2 ``qr(X, tol = 1e-7)`` and lme4's message on rank-deficient designs.

    When not to use
    ---------------
    To find strong but incomplete collinearity.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    >>> [d.column for d in dependent_columns(X)]
    [2]
    """
    if X.shape[1] == 0 or _clearly_full(X):
        return ()
    return _orthogonalise(X)


def _clearly_full(X: NDArray[np.float64]) -> bool:
    n, p = X.shape
    if n < p:
        return False
    step = n // max(_SOME_ROWS, 8 * p)
    if step > 1:
        lengths = np.array([X[:, j] @ X[:, j] for j in range(p)])
        if _pivots_exceed(X[::step], lengths):
            return True
    return _pivots_exceed(X, None)


def _pivots_exceed(X: NDArray[np.float64], lengths: NDArray[np.float64] | None) -> bool:
    """Return whether each column's part orthogonal to earlier ones is clearly longer than the limit.

    ``lengths`` are squared lengths to judge by, those of more rows: what is new over some rows is new over all.
    """
    products = X.T @ X
    own = np.diag(products)
    if not np.all(own > 0) or not np.all(np.isfinite(own)):
        return False
    size = np.sqrt(own)
    try:
        factor = np.linalg.cholesky(products / np.outer(size, size))
    except np.linalg.LinAlgError:
        return False
    share = np.diag(factor) ** 2
    if np.min(share) <= _SAFE_PIVOT:
        return False
    return lengths is None or bool(np.all(share * own > _SAFE_PIVOT * lengths))


def _orthogonalise(X: NDArray[np.float64]) -> tuple[Dependence, ...]:
    n, p = X.shape
    basis = np.empty((n, min(n, p)), order="F")
    upper = np.zeros((min(n, p), p))
    kept: list[int] = []
    found: list[Dependence] = []
    for j in range(p):
        largest = float(np.abs(X[:, j]).max()) if n else 0.0
        if largest == 0.0:
            found.append(Dependence(j, ()))
            continue
        column = X[:, j] / largest
        length = float(np.sqrt(column @ column))
        k = len(kept)
        weights: NDArray[np.float64] = np.zeros(k)
        for _ in range(2):
            step = basis[:, :k].T @ column
            column = column - basis[:, :k] @ step
            weights += step
        rest = float(np.sqrt(column @ column))
        if k == len(basis[0]) or rest < TOLERANCE * length:
            parts = np.asarray(np.linalg.solve(upper[:k, kept], weights * largest) if k else weights, dtype=np.float64)
            found.append(Dependence(j, _parts(kept, parts, X, j)))
            continue
        basis[:, k] = column / rest
        upper[:k, j] = weights * largest
        upper[k, j] = rest * largest
        kept.append(j)
    return tuple(found)


def _parts(
    kept: list[int], coefficients: NDArray[np.float64], X: NDArray[np.float64], column: int
) -> tuple[tuple[int, float], ...]:
    length = np.linalg.norm(X[:, column])
    lengths = np.linalg.norm(X[:, kept], axis=0) if kept else np.zeros(0)
    matters = np.abs(coefficients) * lengths > 1e-6 * length
    return tuple((kept[i], float(coefficients[i])) for i in np.flatnonzero(matters).tolist())


def describe(dependence: Dependence, names: tuple[str, ...]) -> str:
    """Return the dependence in words, such as ``'total' = a + b``."""
    name = f"'{names[dependence.column]}'"
    if not dependence.parts:
        return f"{name} is 0 in every row"
    text = ""
    for place, coefficient in dependence.parts[:_SHOWN]:
        rounded = float(f"{coefficient:.4g}")
        size = "" if abs(rounded) == 1 else f"{number_label(abs(rounded))}*"
        sign = " - " if rounded < 0 else " + "
        text += (sign if text else sign.strip(" +")) + size + names[place]
    more = len(dependence.parts) - _SHOWN
    return f"{name} = {text}" + (f" and {more} more" if more > 0 else "")
