"""Full-information maximum likelihood of a model: saturated moments, search, tests, baseline, corrected fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.continuous.missing.baseline import fit_independence
from alliancekit.structural.continuous.missing.corrected import Corrected, corrected_fit, saturated_information
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.likelihood import LOG_2PI
from alliancekit.structural.continuous.missing.patterns import Patterns
from alliancekit.structural.continuous.missing.saturated import Saturated, fit_saturated
from alliancekit.structural.duplication import triangle
from alliancekit.structural.likelihood.contract import Block, Mapping
from alliancekit.structural.likelihood.inference import inverse_information
from alliancekit.structural.likelihood.saturation import SaturatedModel
from alliancekit.structural.likelihood.search import parameter_information, search_maximum
from alliancekit.structural.likelihood.selection import Selection
from alliancekit.structural.likelihood.solution import Request, Solution, solve, solve_plainly
from alliancekit.structural.scoring import Found

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Exogenous:
    """What stays apart in each group: pairs with free covariances in the baseline, variables with fixed moments.

    joined (p, p): exogenous variables among each other, auxiliary variables with all; fixed (p,).
    """

    joined: tuple[Booleans, ...]
    fixed: tuple[Booleans, ...]


def saturate(
    data: IncompleteRows, exogenous: Exogenous, clusters: tuple[Integers, ...] | None = None, *, means: bool = True
) -> tuple[SaturatedModel, tuple[Saturated, ...]]:
    """Return the saturated model of all groups, and how its search went in each.

    means: whether means are moments to explain; without them the rows are centred.
    """
    found = tuple(fit_saturated(group) for group in data.groups)
    blocks = tuple(Block(one.mean, one.cov) for one in found)
    outside = 0.0
    counted = []
    for block, group, fixed in zip(blocks, data.groups, exogenous.fixed, strict=True):
        rows, columns = triangle(fixed.size)
        counted.append(np.concatenate([~fixed & means, ~(fixed[rows] & fixed[columns])]))
        if fixed.any():
            x = np.flatnonzero(fixed)
            log_det = np.linalg.slogdet(_own_covariance(group, x, block))[1]
            outside -= group.n / 2 * (x.size * (LOG_2PI + 1) + float(log_det))
    total = sum(one.log_likelihood if one.converged else np.nan for one in found)
    return SaturatedModel(blocks, total, tuple(counted), outside, clusters), found


def _own_covariance(group: Patterns, x: Integers, block: Block) -> Floats:
    """Return the covariances of exogenous variables: of the sample where they are complete, else the saturated ones."""
    if not group.observed[:, x].all():
        return block.sigma[np.ix_(x, x)]
    return np.atleast_2d(np.cov(group.rows[:, x].T, bias=True))


def search_incomplete(data: IncompleteRows, mapping: Mapping, start: Floats, near: Floats | None) -> Found:
    """Return the maximum, from ``near`` (that of complete data with the saturated moments) or else from the start.

    Raises FitError where no admissible start is found.
    """
    found = None if near is None else search_maximum(data, mapping, near)
    if found is None or not found.converged:
        other = search_maximum(data, mapping, start)
        if found is None or (other is not None and other.value < found.value):
            found = other
    if found is None:
        what = "The covariance matrix implied by the starting values is not positive definite"
        raise FitError(message(what, do="Give starting values with start(), or check the model"))
    return found


def solve_baseline(
    data: IncompleteRows, exogenous: Exogenous, saturated: SaturatedModel, request: Request
) -> tuple[Selection, Solution]:
    """Return the baseline model: independent variables, the exogenous ones with their own covariances."""
    found = [
        fit_independence(*parts)
        for parts in zip(data.groups, exogenous.joined, exogenous.fixed, saturated.blocks, strict=True)
    ]
    free = tuple(one.free & counted for one, counted in zip(found, saturated.counted, strict=True))
    mapping = Selection([one.block for one in found], free)
    here = data.evaluate([one.block for one in found])
    value = np.nan if here is None else here[0]
    if not request.scaled:
        return mapping, solve_plainly(mapping, mapping.start, value, saturated)
    return mapping, solve(data, mapping, mapping.start, value, saturated, request)


def correct_fits(
    data: IncompleteRows,
    saturated: SaturatedModel,
    fits: Sequence[tuple[Mapping, Solution]],
    request: Request,
) -> tuple[Corrected, ...]:
    """Return chi-square and scaling freed from missing values for some solutions (the model and its baseline)."""
    known = saturated_information(data, saturated, robust=request.scaled)
    weight = saturated.information(data, request.information[0])
    out = []
    for mapping, solution in fits:
        slopes = mapping.jacobian(solution.x)
        inverse = inverse_information(parameter_information(weight, slopes))
        out.append(corrected_fit(known, saturated.blocks, solution.implied, data.units, slopes, inverse, solution.df))
    return tuple(out)
