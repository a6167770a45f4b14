"""The baseline model of incomplete data: independent variables, apart from pairs whose covariances stay free.

Such pairs are exogenous variables among each other, and auxiliary variables with all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.patterns import Patterns, group_patterns
from alliancekit.structural.continuous.missing.saturated import fit_saturated
from alliancekit.structural.duplication import triangle
from alliancekit.structural.likelihood.contract import Block
from alliancekit.structural.likelihood.search import search_maximum
from alliancekit.structural.likelihood.selection import Selection

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Independence:
    """Moments of one group under independence and which of them are free, means first then the triangle."""

    block: Block
    free: Booleans


def fit_independence(patterns: Patterns, pairs: Booleans, fixed: Booleans, saturated: Block) -> Independence:
    """Return the baseline of one group; pairs (p, p), symmetric, marks covariances that stay free.

    fixed (p,) marks variables whose moments are those of the saturated model. Any other that stands alone has the mean
    and variance of its available values. Variables that are all joined with each other have their own saturated
    moments; a set joined only in part is fitted by a search.
    """
    there = patterns.observed.astype(float) * patterns.size[:, None]
    count = there.sum(axis=0)
    mean = (there * patterns.mean).sum(axis=0) / count
    offset = np.where(patterns.observed, patterns.mean - mean, 0.0)
    squares = patterns.cross.diagonal(axis1=1, axis2=2) + offset**2
    sigma = np.diag(patterns.size @ squares / count)
    x = np.flatnonzero(fixed)
    mean[x] = saturated.mu[x]
    sigma[np.ix_(x, x)] = saturated.sigma[np.ix_(x, x)]
    joined = pairs & ~np.eye(mean.size, dtype=bool)
    for members in _components(joined & ~np.outer(fixed, fixed)):
        cut = np.ix_(members, members)
        part = _joined_block(patterns, members, joined[cut], Block(mean[members], sigma[cut]), saturated)
        mean[members] = part.mu
        sigma[cut] = part.sigma
    return Independence(Block(mean, sigma), _free_places(joined))


def _free_places(joined: Booleans) -> Booleans:
    """Return which moments are free: means, variances, covariances of joined pairs."""
    rows, columns = triangle(joined.shape[0])
    return np.concatenate([np.ones(joined.shape[0], dtype=bool), (rows == columns) | joined[rows, columns]])


def _components(joined: Booleans) -> list[Integers]:
    """Return the sets of two or more variables that hang together."""
    reach = joined | np.eye(joined.shape[0], dtype=bool)
    for _ in range(joined.shape[0]):
        wider = (reach.astype(int) @ reach.astype(int)) > 0
        if (wider == reach).all():
            break
        reach = wider
    distinct = np.unique(reach, axis=0)
    return [np.flatnonzero(row) for row in distinct if row.sum() > 1]


def _joined_block(patterns: Patterns, members: Integers, joined: Booleans, alone: Block, saturated: Block) -> Block:
    """Return the moments of variables that hang together."""
    whole = joined.sum() == members.size * (members.size - 1)
    if whole and patterns.observed[:, members].all():
        return Block(saturated.mu[members], saturated.sigma[np.ix_(members, members)])
    seen = patterns.observed[patterns.pattern][:, members]
    own = group_patterns(np.where(seen, patterns.rows[:, members], np.nan))
    if whole:
        found = fit_saturated(own)
        return Block(found.mean, found.cov)
    model = Selection([alone], [_free_places(joined)])
    reached = search_maximum(IncompleteRows((own,)), model, model.start)
    return alone if reached is None else model.moments(reached.x)[0]
