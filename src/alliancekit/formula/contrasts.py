"""Contrast matrices of factors, with R's column names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
KINDS = ("treatment", "sum", "helmert", "poly")


def contrast(kind: str, levels: tuple[str, ...], reference: int = 0) -> tuple[Floats, tuple[str, ...]]:
    """Return the matrix (levels, levels - 1) and the suffix of each column.

    ``kind`` is "treatment" (first or ``reference`` level is zero), "sum", "helmert" or "poly" (equally spaced).

    Examples
    --------
    >>> contrast("treatment", ("a", "b"))[1]
    ('b',)
    """
    k = len(levels)
    if kind == "treatment":
        keep = [i for i in range(k) if i != reference]
        return np.eye(k)[:, keep], tuple(levels[i] for i in keep)
    if kind == "sum":
        return np.vstack([np.eye(k - 1), -np.ones(k - 1)]), tuple(str(i + 1) for i in range(k - 1))
    if kind == "helmert":
        out = np.zeros((k, k - 1))
        for j in range(k - 1):
            out[: j + 1, j] = -1.0
            out[j + 1, j] = j + 1.0
        return out, tuple(str(i + 1) for i in range(k - 1))
    names = tuple({1: ".L", 2: ".Q", 3: ".C"}.get(i, f"^{i}") for i in range(1, k))
    return orthogonal_polynomials(np.arange(1.0, k + 1), k - 1), names


def orthogonal_polynomials(x: Floats, degree: int) -> Floats:
    """Return orthonormal polynomials of the points ``x``, without the constant, with positive leading coefficient."""
    centred = x - x.mean()
    powers = np.vander(centred, degree + 1, increasing=True)
    q, r = np.linalg.qr(powers)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.asarray(q[:, 1:])
