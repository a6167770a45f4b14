"""Find columns that are linear combinations of earlier ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TOLERANCE = 1e-7


def dependent_columns(X: Floats) -> list[int]:
    """Return the columns, in order, that add nothing to those before them (R's tolerance: 1e-7 of the column's length).

    Examples
    --------
    >>> dependent_columns(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]]))
    [1]
    """
    n, p = X.shape
    if not p:
        return []
    gram = X.T @ X
    length = np.sqrt(np.diag(gram))
    if (length > 0).all() and n >= p:
        values = np.linalg.eigvalsh(gram / np.outer(length, length))
        if values[0] > 1e-9:
            return []
    basis: list[Floats] = []
    out = []
    for j in range(p):
        column = X[:, j].copy()
        size = float(np.linalg.norm(column))
        for _ in range(2):
            for b in basis:
                column -= (b @ column) * b
        left = float(np.linalg.norm(column))
        if size == 0 or left < TOLERANCE * size:
            out.append(j)
        else:
            basis.append(column / left)
    return out


def combination(X: Floats, j: int, names: tuple[str, ...], kept: list[int]) -> str:
    """Describe column ``j`` as a combination of kept columns, in words."""
    if not np.any(X[:, j]):
        return "it is zero in every row"
    weights, *_ = np.linalg.lstsq(X[:, kept], X[:, j], rcond=None)
    size = np.abs(weights) * np.linalg.norm(X[:, kept], axis=0)
    parts = [names[k] for k, s in zip(kept, size, strict=True) if s > 1e-6 * size.max()]
    return "a combination of " + ", ".join(parts[:6]) + (" ..." if len(parts) > 6 else "")
