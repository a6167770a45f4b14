"""Grouping factors with all their random terms, in the engine's own columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.blocks import RandomBlock
from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.columns import apply_basis, centring_basis
from alliancekit.multilevel.gaussian.design import Factor

Floats = NDArray[np.float64]


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
        own = centring_basis(block.Z)
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
