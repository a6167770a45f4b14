"""The engine's own columns: centred where an intercept makes that harmless, and scaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.factors import Factor

Floats = NDArray[np.float64]
CLOSE = 1e-3  # least eigenvalue of the columns' correlations, below which they are made orthogonal


def constant_column(X: Floats) -> int | None:
    """Return the first column that is constant and not zero, or None."""
    if not X.shape[0]:
        return None
    for j in range(X.shape[1]):
        column = X[:, j]
        if column[0] != 0 and column[0] == column[-1] and bool((column == column[0]).all()):
            return j
    return None


def centring_basis(X: Floats) -> Floats:
    """Return the basis that scales each column to unit size and centres it where a constant is there."""
    n, p = X.shape
    basis = np.eye(p)
    if not n or not p:
        return basis
    constant = constant_column(X)
    for j in range(p):
        column = X[:, j]
        if j == constant:
            basis[j, j] = 1.0 / column[0]
            continue
        shift = float(column.sum()) / n if constant is not None else 0.0
        spread = np.sqrt(max(float(column @ column) / n - shift**2, 0.0))
        if constant is not None and spread <= 1e-2 * abs(shift):
            spread = float(np.std(column))
        scale = 1.0 / spread if spread > 0 else 1.0
        basis[j, j] = scale
        if constant is not None:
            basis[constant, j] = -shift * scale / X[0, constant]
    return basis


def separating_basis(gram: Floats) -> Floats | None:
    """Return T that makes columns with products ``gram`` orthonormal, where they are nearly dependent; else None.

    An interaction with a predictor far from its origin, such as the year, is nearly a multiple of the other factor.
    """
    size = np.sqrt(np.diag(gram))
    if not gram.size or not (size > 0).all():
        return None
    correlation = gram / np.outer(size, size)
    if np.linalg.eigvalsh(correlation)[0] >= CLOSE:
        return None
    try:
        root = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.inv(root).T / size[:, None], dtype=np.float64)


def apply_basis(columns: Floats, basis: Floats) -> Floats:
    """Return ``columns @ basis`` in Fortran order, not to be written to; centring is done before scaling, to keep all
    digits."""
    n, p = columns.shape
    if np.array_equal(basis, np.eye(p)):
        return np.asfortranarray(columns)
    out = np.empty((n, p), order="F")
    wanted = basis != 0.0
    np.fill_diagonal(wanted, False)
    constant = {i for i in np.flatnonzero(wanted.any(axis=1)).tolist() if bool((columns[:, i] == columns[:1, i]).all())}
    for j in range(p):
        others = np.flatnonzero(wanted[:, j]).tolist()
        if not constant.issuperset(others):
            np.matmul(columns, basis[:, j], out=out[:, j])
        elif others:
            shift = sum(basis[i, j] / basis[j, j] * columns[0, i] for i in others)
            np.add(columns[:, j], shift, out=out[:, j])
            out[:, j] *= basis[j, j]
        else:
            np.multiply(columns[:, j], basis[j, j], out=out[:, j])
    return out


def user_columns(design: Design, factor: Factor) -> Floats:
    """Return the columns of a factor's random terms as the formula made them, (n, q)."""
    blocks = [b.Z for b in design.random if b.group == factor.group]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def engine_response(design: Design, y: Floats | None) -> tuple[Floats, Floats]:
    """Return y, (n,) or (R, n), without offset and, where X has an intercept, without its mean; and the coefficients
    taken out, (p,) or (R, p)."""
    assert y is not None
    out = np.asarray(y, dtype=np.float64)
    if design.offset is not None:
        out = out - design.offset
    shift = np.zeros((*out.shape[:-1], design.X.shape[1]))
    ones = constant_column(design.X)
    if ones is not None and out.size:
        mean = out.mean(axis=-1)
        shift[..., ones] = mean / float(design.X[0, ones])
        out = out - mean[..., None]
    return out, shift
