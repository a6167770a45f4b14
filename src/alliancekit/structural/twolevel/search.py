"""Maximum likelihood of a two-level model: saturated moments, start, search, baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.constraints import Linear
from alliancekit.structural.continuous.optimise import search_blocks
from alliancekit.structural.duplication import triangle
from alliancekit.structural.likelihood.contract import Block, Mapping
from alliancekit.structural.likelihood.saturation import SaturatedModel
from alliancekit.structural.likelihood.search import search_maximum
from alliancekit.structural.likelihood.selection import Selection
from alliancekit.structural.likelihood.solution import Request, Solution, solve, solve_plainly
from alliancekit.structural.model import Model
from alliancekit.structural.scoring import Found
from alliancekit.structural.twolevel.data import ClusteredRows
from alliancekit.structural.twolevel.group import GroupData
from alliancekit.structural.twolevel.likelihood import LOG_2PI
from alliancekit.structural.twolevel.saturated import LevelFit, Pair, fit_baseline_levels, fit_saturated_levels
from alliancekit.structural.twolevel.statistics import Clusters, Roles

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LevelExogenous:
    """Exogenous variables within and between: with covariances of their own in the baseline, and with fixed moments."""

    free_in_baseline: Pair
    fixed: Pair


def saturate_levels(data: ClusteredRows, exogenous: LevelExogenous) -> tuple[SaturatedModel, tuple[LevelFit, ...]]:
    """Return the saturated model of all groups, and how its search went in each."""
    found: list[LevelFit] = []
    blocks: list[Block] = []
    counted = []
    outside = 0.0
    for group in data.groups:
        one = fit_saturated_levels(group)
        if one is None:
            raise FitError(message("The saturated two-level model has no admissible start", do="Check the data"))
        found.append(one)
        m = one.moments
        blocks += [Block(m.mu_within, m.sigma_within), Block(m.mu_between, m.sigma_between)]
        counted.append(one.free & ~_fixed_moments(group.roles, exogenous.fixed))
        outside += _outside(group, exogenous.fixed)
    total = sum(one.log_likelihood for one in found)
    return SaturatedModel(tuple(blocks), total, tuple(counted), outside), tuple(found)


def nearest_start(
    data: ClusteredRows, model: Model, linear: Linear, saturated: SaturatedModel, start: Floats
) -> Floats | None:
    """Return the parameters (size,) that fit the saturated moments of both levels best; None where none are found.

    The moments are taken for those of complete data, which is quickly searched.
    """
    sizes = [n for group in data.groups for n in (max(group.n - group.n_clusters, 1), group.n_clusters)]
    blocks = [b._replace(sigma=b.sigma + 0.05 * np.diag(np.abs(b.sigma.diagonal()))) for b in saturated.blocks]
    found = search_blocks(model, linear, blocks, sizes, start)
    return found.point.x if found is not None and found.converged else None


def search_levels(data: ClusteredRows, mapping: Mapping, start: Floats, near: Floats | None = None) -> Found:
    """Return the maximum, searched from ``near`` and, where that fails, from ``start``; both (free directions,).

    Raises FitError where no admissible start is found.
    """
    found = None if near is None else search_maximum(data, mapping, near)
    if found is None or not found.converged:
        other = search_maximum(data, mapping, start)
        if found is None or (other is not None and other.value < found.value):
            found = other
    if found is None:
        what = "The covariance matrices implied by the starting values are not positive definite"
        raise FitError(message(what, do="Give starting values with start(), or check the model"))
    return found


def solve_level_baseline(
    data: ClusteredRows, exogenous: LevelExogenous, saturated: SaturatedModel, request: Request
) -> tuple[Selection, Solution] | None:
    """Return the baseline model of both levels; None where it cannot be fitted."""
    found: list[LevelFit] = []
    for group in data.groups:
        one = fit_baseline_levels(group, exogenous.free_in_baseline)
        if one is None:
            return None
        found.append(one)
    origin = [
        block
        for m in (one.moments for one in found)
        for block in (Block(m.mu_within, m.sigma_within), Block(m.mu_between, m.sigma_between))
    ]
    free = tuple(one.free & counted for one, counted in zip(found, saturated.counted, strict=True))
    mapping = Selection(origin, free)
    value = -2 * sum(one.log_likelihood for one in found)
    if not request.scaled:
        return mapping, solve_plainly(mapping, mapping.start, value, saturated)
    return mapping, solve(data, mapping, mapping.start, value, saturated, request)


def _fixed_moments(roles: Roles, fixed: Pair) -> Booleans:
    """Return which moments belong to exogenous variables alone that are fixed at that level."""
    out = []
    for names, held in zip((roles.within, roles.between), fixed, strict=True):
        own = np.array([name in held for name in names], dtype=bool)
        rows, columns = triangle(own.size)
        out += [own, own[rows] & own[columns]]
    return np.concatenate(out)


def _outside(group: GroupData, fixed: Pair) -> float:
    """Return the log-likelihood of fixed exogenous variables of one level: of rows within, of clusters between.

    Variables at both levels stay in the likelihood, as in lavaan.
    """
    if isinstance(group, Clusters):
        rows, only = group.rows, group.centre[:, : len(group.roles.cluster_only)]
    else:
        rows, only = group.patterns.rows, group.only
    total = 0.0
    both = set(group.roles.between)
    held = ({name for name in group.roles.within if name in fixed[0]} - both, fixed[1])
    for values, names, alone in zip((rows, only), (group.roles.within, group.roles.cluster_only), held, strict=True):
        own = [k for k, name in enumerate(names) if name in alone]
        if own:
            part = values[:, own]
            part = part[~np.isnan(part).any(axis=1)]
            cov = np.atleast_2d(np.cov(part.T, bias=True))
            total -= part.shape[0] / 2 * (len(own) * (LOG_2PI + 1) + float(np.linalg.slogdet(cov)[1]))
    return total
