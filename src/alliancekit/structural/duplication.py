"""Symmetric matrices as vectors: the lower triangle column by column, and Kronecker products seen through it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@lru_cache(maxsize=256)
def triangle(p: int) -> tuple[Integers, Integers]:
    """Return rows and columns of the lower triangle of a (p, p) matrix, column by column; not to be written to."""
    columns, rows = np.triu_indices(p)
    columns.flags.writeable = rows.flags.writeable = False
    return rows, columns


def half_vector(matrix: Floats) -> Floats:
    """Return the lower triangle, column by column, of a matrix or of a stack (..., p, p)."""
    rows, columns = triangle(matrix.shape[-1])
    return np.asarray(matrix[..., rows, columns])


def half_gradient(matrix: Floats) -> Floats:
    """Return the derivative by the lower triangle from a symmetric one: what is off the diagonal counts twice."""
    rows, columns = triangle(matrix.shape[-1])
    return np.asarray(matrix[..., rows, columns] * np.where(rows == columns, 1.0, 2.0))


def from_half(vector: Floats, p: int) -> Floats:
    """Return the symmetric matrix (p, p) of a lower triangle."""
    rows, columns = triangle(p)
    out = np.empty((p, p))
    out[rows, columns] = vector
    out[columns, rows] = vector
    return out


def kronecker_sum(first: Floats, second: Floats) -> Floats:
    """Return sum_k D'(first_k x second_k)D for two stacks (K, p, p) of symmetric matrices, D the duplication matrix."""
    k, p = first.shape[:2]
    rows, columns = triangle(p)
    flat = np.ascontiguousarray(first.reshape(k, p * p).T)
    whole = np.empty((p, p, rows.size))
    for i in range(p):
        product = (flat @ second[:, i, :]).reshape(p, p, p)
        whole[i] = product[:, rows, columns] + product[:, columns, rows]
    out = whole[rows, columns] + whole[columns, rows]
    half = np.where(rows == columns, 0.5, 1.0)
    out *= half[:, None] * half[None, :]
    return np.asarray((out + out.T) / 2)
