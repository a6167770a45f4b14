"""Which moments of complete data count: those of covariates that are held at their sample values do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import triangle
from alliancekit.structural.sample import GroupSample
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def exogenous_places(table: ParameterTable, block: int, names: Sequence[str]) -> list[int]:
    """Return where the covariates of a block stand among its observed variables."""
    outside = table.variables(block).exogenous
    return [k for k, name in enumerate(names) if name in outside]


def held_places(table: ParameterTable, block: int, group: GroupSample) -> list[int]:
    """Return which variables of a block are covariates whose moments are those of the sample."""
    held = any(table.exo[i] for i in table.rows(block))
    return exogenous_places(table, block, group.names) if held else []


def kept_moments(table: ParameterTable, block: int, group: GroupSample, means: bool) -> Booleans:
    """Return which moments of a block count: no means without a mean structure, none that are held."""
    p = len(group.names)
    held = np.zeros(p, dtype=bool)
    held[held_places(table, block, group)] = True
    i, j = triangle(p)
    return np.concatenate([np.full(p, means) & ~held, ~(held[i] & held[j])])


def independence_slopes(table: ParameterTable, block: int, group: GroupSample) -> Floats:
    """Return which moments are free when variables are independent, (moments, free); covariates stay joined."""
    p = len(group.names)
    i, j = triangle(p)
    outside = np.zeros(p, dtype=bool)
    outside[exogenous_places(table, block, group.names)] = True
    free = np.concatenate([np.ones(p, dtype=bool), (i == j) | (outside[i] & outside[j])])
    return np.eye(free.size)[:, free]
