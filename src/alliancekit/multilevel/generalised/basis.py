"""The engine's own columns: scaled, and centred where a constant column makes that harmless.

The answer must not depend on where the user put the origin of time or on units. ``user = engine`` columns times a
basis: ``X_engine = X_user @ basis``, so that ``beta_user = basis @ beta_engine``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.blocks import RandomBlock
from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.design import Factor

Floats = NDArray[np.float64]


def constant_column(X: Floats) -> int | None:
    """Return the place of the first column that holds one value other than zero, or None."""
    for j in range(X.shape[1]):
        column = X[:, j]
        if column.size and column[0] != 0 and bool((column == column[0]).all()):
            return j
    return None


def scaling_basis(X: Floats) -> Floats:
    """Return the basis that gives each column unit size, and mean 0 beside a constant column, shape (p, p)."""
    p = X.shape[1]
    basis = np.eye(p)
    if not X.shape[0]:
        return basis
    constant = constant_column(X)
    for j in range(p):
        column = X[:, j]
        if j == constant:
            basis[j, j] = 1.0 / column[0]
            continue
        shift = float(column.mean()) if constant is not None else 0.0
        spread = float(np.sqrt(np.mean((column - shift) ** 2)))
        scale = 1.0 / spread if spread > 0 else 1.0
        basis[j, j] = scale
        if constant is not None:
            basis[constant, j] = -shift * scale / X[0, constant]
    return basis


def apply_basis(X: Floats, basis: Floats) -> Floats:
    """Return ``X @ basis`` in Fortran order, centring before scaling so that no digits are lost."""
    n, p = X.shape
    out = np.empty((n, p), order="F")
    for j in range(p):
        column = X[:, j]
        for i in np.flatnonzero(basis[:, j]):
            if i != j:
                column = column + basis[i, j] / basis[j, j] * X[0, i]
        np.multiply(column, basis[j, j], out=out[:, j])
    return out


def merge_factors(design: Design) -> list[tuple[Factor, Floats]]:
    """Return each grouping factor with all its random terms and its engine columns, most random effects first."""
    groups: dict[str, list[tuple[int, RandomBlock]]] = {}
    for i, block in enumerate(design.random):
        groups.setdefault(block.group, []).append((i, block))
    merged = [_merge(members) for members in groups.values()]
    return sorted(merged, key=lambda pair: -pair[0].n_levels * pair[0].q)


def _merge(members: list[tuple[int, RandomBlock]]) -> tuple[Factor, Floats]:
    q = sum(block.Z.shape[1] for _, block in members)
    basis, at = np.zeros((q, q)), 0
    free: list[tuple[int, int]] = []
    names: list[str] = []
    term: list[int] = []
    columns: list[Floats] = []
    for i, block in members:
        width = block.Z.shape[1]
        own = scaling_basis(block.Z)
        basis[at : at + width, at : at + width] = own
        columns.append(apply_basis(block.Z, own))
        free += [(at + r, at + c) for c in range(width) for r in range(c, width)]
        names += block.names
        term += [i] * width
        at += width
    first = members[0][1]
    codes = np.asarray(first.codes, dtype=np.intp)
    factor = Factor(first.group, first.labels, tuple(names), codes, tuple(free), basis, tuple(term))
    return factor, np.concatenate(columns, axis=1)
