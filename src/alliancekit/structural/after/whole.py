"""All variables of a block together, observed and latent: their covariances, means and explained variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.model import BlockModel, matrices

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


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
