"""The baseline model of incomplete data: independent variables, the exogenous ones with their own covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.patterns import Patterns, group_patterns
from alliancekit.structural.continuous.missing.saturated import fit_saturated
from alliancekit.structural.duplication import triangle
from alliancekit.structural.likelihood.contract import Block

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Independence:
    """Moments of one group under independence and which of them are free, means first then the triangle."""

    block: Block
    free: Booleans


def fit_independence(patterns: Patterns, exogenous: Booleans, saturated: Block) -> Independence:
    """Return the baseline of one group; exogenous (p,) marks variables whose covariances stay free.

    Every other variable stands alone, so its mean and variance are those of its available values.
    """
    there = patterns.observed.astype(float) * patterns.size[:, None]
    count = there.sum(axis=0)
    mean = (there * patterns.mean).sum(axis=0) / count
    offset = np.where(patterns.observed, patterns.mean - mean, 0.0)
    squares = patterns.cross.diagonal(axis1=1, axis2=2) + offset**2
    sigma = np.diag(patterns.size @ squares / count)
    x = np.flatnonzero(exogenous)
    if x.size > 1:
        part = _own_block(patterns, x, saturated)
        mean[x] = part.mu
        sigma[np.ix_(x, x)] = part.sigma
    rows, columns = triangle(mean.size)
    free = (rows == columns) | (exogenous[rows] & exogenous[columns])
    return Independence(Block(mean, sigma), np.concatenate([np.ones(mean.size, dtype=bool), free]))


def _own_block(patterns: Patterns, x: NDArray[np.intp], saturated: Block) -> Block:
    """Return the moments of some variables alone: those of the saturated model where they are complete."""
    if patterns.observed[:, x].all():
        return Block(saturated.mu[x], saturated.sigma[np.ix_(x, x)])
    seen = patterns.observed[patterns.pattern][:, x]
    found = fit_saturated(group_patterns(np.where(seen, patterns.rows[:, x], np.nan)))
    return Block(found.mean, found.cov)
