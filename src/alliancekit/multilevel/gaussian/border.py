"""Elimination of the border: one dense matrix of the random effects that are crossed with the chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message

Floats = NDArray[np.float64]
_BLAS_PAYS = 300  # effects from which LAPACK's triangular routines, imported then, beat numpy's general ones
LARGEST = 8_000  # effects; the dense matrices then take about four gigabytes


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Columns of one border factor: which factor, its columns in the border, its levels, and its Lambda (q, q)."""

    factor: int
    where: slice
    n_levels: int
    relative: Floats

    def scale(self, matrix: Floats, transpose: bool) -> None:
        """Multiply this factor's rows of ``matrix`` by Lambda, or its transpose, from the left, in place."""
        q = self.relative.shape[0]
        rows = matrix[self.where]
        if q == 1:
            rows *= self.relative[0, 0]
            return
        left = self.relative.T if transpose else self.relative
        stacked = rows.reshape(self.n_levels, q, -1)
        rows[:] = np.matmul(left, stacked).reshape(rows.shape)

    def diagonal(self, left: Floats, right: Floats) -> Floats:
        """Return the sum over levels of the diagonal blocks of left @ right.T, (q, q)."""
        q = self.relative.shape[0]
        a = left[self.where].reshape(self.n_levels, q, -1)
        b = right[self.where].reshape(self.n_levels, q, -1)
        return np.asarray(np.einsum("lak,lbk->ab", a, b))


@dataclass(slots=True, eq=False)
class Border:
    """The border after its elimination; m effects, e = p + 1.

    Attributes
    ----------
    parts : its factors. raw : (m, m) what the chain left of the border's products. rest : (m, e) with [X y].
    lower : (m, m) Cholesky factor of Lambda'(raw)Lambda + I. solved : (m, e) W = (Lambda' raw Lambda + I)^-1
    Lambda' rest. inverse : (m, m), made when asked for.
    """

    parts: tuple[Part, ...]
    raw: Floats
    rest: Floats
    lower: Floats
    solved: Floats
    inverse: Floats | None = None

    def inverted(self) -> Floats:
        """Return the inverse of Lambda' raw Lambda + I, (m, m)."""
        if self.inverse is None:
            self.inverse = _inverse(self.lower)
        return self.inverse

    def spread(self) -> Floats:
        """Return Lambda (Lambda' raw Lambda + I)^-1 Lambda', (m, m): over sigma^2, the effects' covariance given y."""
        out = self.inverted().copy()
        for _ in range(2):
            for part in self.parts:
                part.scale(out, False)
            out = np.ascontiguousarray(out.T)
        return out


def check_size(m: int, names: tuple[str, ...]) -> None:
    """Raise DesignError where the border does not fit into memory."""
    if m > LARGEST:
        what = f"{' and '.join(names)} have {m:,} effects that are crossed with the other groups"
        do = f"At most {LARGEST:,} fit into memory. If ids were reused, make them unique, so that groups are nested"
        raise DesignError(message(what, do=do))


def forward(parts: tuple[Part, ...], tail: Floats, m: int) -> tuple[Border, float, Floats]:
    """Eliminate the border from ``tail``, (m + e, m + e); return it, its log-determinant, and what is left, (e, e)."""
    inner = tail[:m, :m].copy()
    for part in parts:
        part.scale(inner, True)
    if any(part.relative.shape[0] > 1 for part in parts):
        inner = np.ascontiguousarray(inner.T)
        for part in parts:
            part.scale(inner, True)
    else:
        inner *= np.concatenate([np.full(part.n_levels, part.relative[0, 0]) for part in parts])
    inner[np.diag_indices(m)] += 1.0
    lower = _cholesky(inner)
    rest = tail[:m, m:].copy()
    scaled = rest.copy()
    for part in parts:
        part.scale(scaled, True)
    border = Border(parts, tail[:m, :m], rest, lower, np.empty(0))
    if m < _BLAS_PAYS:
        border.inverse = np.asarray(np.linalg.inv(inner), dtype=np.float64)
    border.solved = _solve(border, scaled)
    left = tail[m:, m:] - scaled.T @ border.solved
    return border, 2.0 * float(np.log(np.diag(lower)).sum()), left


def backward(border: Border, adjoint: Floats, weight: float) -> tuple[list[tuple[int, Floats, Floats]], Floats]:
    """Run back through the border.

    Returns, per factor, its index, the adjoint of Lambda and that of the log-determinant alone, both (q, q) and divided
    by two; and the adjoint of the whole tail, (m + e, m + e).
    """
    m, e = border.rest.shape
    inverse = border.inverted()
    pushed = border.solved @ adjoint
    scaled = border.raw.copy()  # (raw Lambda)', then raw Lambda as its transpose
    for part in border.parts:
        part.scale(scaled, True)
    right = np.ascontiguousarray(scaled.T)
    crossed = right @ pushed
    found = []
    for part in border.parts:
        determinant = part.diagonal(right, inverse)
        quadratic = part.diagonal(crossed, border.solved) - part.diagonal(border.rest, pushed)
        found.append((part.factor, weight * determinant + quadratic, determinant))
    tail = np.empty((m + e, m + e))
    inner = weight * inverse
    inner += pushed @ border.solved.T
    for _ in range(2):
        for part in border.parts:
            part.scale(inner, False)
        inner = np.ascontiguousarray(inner.T)
    down = pushed.copy()
    for part in border.parts:
        part.scale(down, False)
    tail[:m, :m] = inner
    tail[:m, m:] = -down
    tail[m:, :m] = -down.T
    tail[m:, m:] = adjoint
    return found, tail


def _cholesky(matrix: Floats) -> Floats:
    """Return the lower Cholesky factor; above it there may be anything in large matrices."""
    if matrix.shape[0] < _BLAS_PAYS:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    from scipy.linalg import cholesky

    return np.asarray(cholesky(matrix.T, lower=True, overwrite_a=True, check_finite=False))


def _inverse(lower: Floats) -> Floats:
    """Return the inverse of a large matrix from its Cholesky factor."""
    from scipy.linalg.lapack import dpotri

    inverse, failed = dpotri(lower, lower=1)
    if failed:
        raise np.linalg.LinAlgError(f"dpotri returned {failed}")
    out = np.tril(inverse)
    out += np.tril(inverse, -1).T
    return np.asarray(out, dtype=np.float64)


def _solve(border: Border, right: Floats) -> Floats:
    """Return (Lambda' raw Lambda + I)^-1 right, (m, e)."""
    if border.lower.shape[0] < _BLAS_PAYS:
        return border.inverted() @ right
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve((border.lower, True), right, check_finite=False))
