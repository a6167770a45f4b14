"""All variables of a block together, observed and latent: their covariances, means and explained variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.model import BlockModel, matrices
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
LEVELS = ("", "within", "between")


@dataclass(frozen=True, eq=False, slots=True)
class Whole:
    """One block at the estimates; v variables, the p observed ones first.

    Attributes
    ----------
    A, S, m : (v, v), (v, v), (v,) effects, (residual) covariances, intercepts. B : (v, v) total effects, (I - A)^-1.
    cov : (v, v) covariances. mean : (v,).
    """

    A: Floats
    S: Floats
    m: Floats
    B: Floats
    cov: Floats
    mean: Floats


def whole(block: BlockModel, x: Floats) -> Whole:
    """Return covariances and means of all variables of a block at the parameters ``x``."""
    A, S, m, B = matrices(block, x)
    cov = B @ S @ B.T
    return Whole(A, S, m, B, (cov + cov.T) / 2, B @ m)


def variance_slopes(block: BlockModel, at: Whole, size: int) -> Floats:
    """Return d variance / d x of all variables of a block, (v, size)."""
    out = np.zeros((len(at.m), size))
    d, c = block.directed, block.covariances
    spread = at.cov
    np.add.at(out.T, d.parameters, (2.0 * at.B[:, d.rows] * spread[:, d.columns]).T)
    weight = np.where(c.rows == c.columns, 1.0, 2.0)
    np.add.at(out.T, c.parameters, (at.B[:, c.rows] * at.B[:, c.columns] * weight).T)
    return out


def explained_variance(block: BlockModel, at: Whole) -> dict[str, float]:
    """Return R2 = 1 - residual variance / variance of each variable that something depends on; nan if impossible."""
    pattern = block.A != 0
    pattern[block.directed.rows, block.directed.columns] = True
    names = (*block.observed, *block.latent)
    total, left = at.cov.diagonal(), at.S.diagonal()
    out = {}
    for i in np.flatnonzero(pattern.any(axis=1)):
        out[names[i]] = float(1.0 - left[i] / total[i]) if total[i] > 0 and left[i] >= 0 else float("nan")
    return out


def wholes(fit: StructuralEstimates) -> list[Whole]:
    """Return all variables of each block at the estimates."""
    return [whole(block, fit.x) for block in fit.model.blocks]


def block_titles(table: ParameterTable) -> list[dict[str, str]]:
    """Return the columns that tell the blocks of a table apart: group, level, both or none."""
    out = []
    for label in table.group_labels:
        for level in range(1, table.n_levels + 1):
            title = {"level": LEVELS[level]} if table.n_levels > 1 else {}
            out.append(title | ({"group": label} if len(table.group_labels) > 1 else {}))
    return out


def r2_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return one row per dependent variable: (level, group,) variable, r2."""
    rows = []
    for title, block, at in zip(block_titles(fit.table), fit.model.blocks, wholes(fit), strict=True):
        rows += [title | {"variable": name, "r2": value} for name, value in explained_variance(block, at).items()]
    columns = [*block_titles(fit.table)[0], "variable", "r2"]
    return pd.DataFrame(rows, columns=columns)
