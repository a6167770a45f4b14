"""Views of a fitted model, group by group, from what its engine knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.after.ordinal_rows import ordinal_views
from alliancekit.structural.after.view import (
    GroupView,
    held_moments,
    inverse_of,
    keep_moments,
    normal_slope,
    normal_weight,
    stack_moments,
)
from alliancekit.structural.continuous.asymptotic import Stacked, moment_covariance
from alliancekit.structural.continuous.counted import kept_moments
from alliancekit.structural.continuous.fit import complete_likelihood
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.duplication import half_gradient
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.twolevel.estimate import ClusteredFit

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def group_views(fit: StructuralEstimates) -> tuple[GroupView, ...]:
    """Return a view of each group."""
    if fit.ordinal is not None:
        return ordinal_views(fit)
    if fit.source is not None:
        return _views_of_rows(fit, fit.source)
    return _views_of_moments(fit) if fit.stacked is None else _views_of_squares(fit, fit.stacked)


def free_directions(fit: StructuralEstimates) -> Floats:
    """Return the directions (size, k) that the constraints leave the parameters at the estimates."""
    return fit.directions if fit.source is None else fit.source.mapping.basis


def held_variables(fit: StructuralEstimates, block: int) -> Booleans:
    """Return which observed variables of a block (from 0) are covariates with fixed moments."""
    table = fit.table
    fixed = {table.lhs[i] for i in table.rows(block + 1) if table.exo[i]}
    return np.array([name in fixed for name in fit.model.blocks[block].observed], dtype=bool)


def _views_of_moments(fit: StructuralEstimates) -> tuple[GroupView, ...]:
    """Views of a fit of means and covariances of complete data by maximum likelihood."""
    means, out = fit.model.means, []
    pieces = zip(fit.sample.groups, fit.saturated, fit.implied, fit.model.jacobian(fit.x), strict=True)
    for b, (group, sample, model, slopes) in enumerate(pieces):
        held = held_variables(fit, b)
        weight = normal_weight(model.sigma, means, held)
        out.append(
            GroupView(
                group.label,
                group.names,
                group.n,
                stack_moments([sample], means),
                stack_moments([model], means),
                slopes[keep_moments([len(group.names)], means)],
                weight,
                normal_slope(sample, model, group.n, means),
                means,
                partial(_moment_curvature, fit, b, weight, held),
                partial(_sample_spread, fit, b, held),
            )
        )
    return tuple(out)


def _same(weight: Floats) -> Floats:
    return weight


def _moment_curvature(fit: StructuralEstimates, b: int, weight: Floats, held: Booleans) -> Floats:
    """Return the information about the moments of one row at the implied moments, of the kind asked for."""
    if fit.options.information == "expected":
        return weight
    group, sample, means = fit.sample.groups[b], fit.saturated[b], fit.model.means
    data = complete_likelihood([(sample.mu * means, sample.sigma)], [group.n])
    kept = keep_moments([len(group.names)], means)
    whole = data.information(fit.options.information, [fit.implied[b]])[0]
    return without(whole, held_moments(held, True), kept) / group.n


def _sample_spread(fit: StructuralEstimates, b: int, held: Booleans) -> Floats:
    """Return the covariance matrix of the sample moments, zero for those held: of normal rows, or of any if robust."""
    group, means = fit.sample.groups[b], fit.model.means
    if fit.options.se.startswith("robust") and group.rows is not None:
        gamma = moment_covariance(group.rows, means, np.flatnonzero(held).tolist())
        none = held_moments(held, means)
        gamma[none] = 0.0
        gamma[:, none] = 0.0
        return gamma / group.n
    weight = normal_weight(fit.saturated[b].sigma, means, held)
    return inverse_of(weight) / group.n


def _views_of_squares(fit: StructuralEstimates, stacked: Stacked) -> tuple[GroupView, ...]:
    """Views of a fit by least squares: weights for information, of n rows, and slopes of n - 1 rows, as in lavaan."""
    means, out = fit.model.means, []
    pieces = zip(fit.sample.groups, fit.saturated, fit.implied, fit.model.jacobian(fit.x), strict=True)
    for (group, sample, model, slopes), (own, counted) in zip(pieces, _counted(fit), strict=True):
        kept = keep_moments([len(group.names)], means)
        weight = np.zeros((counted.size, counted.size))
        weight[np.ix_(counted, counted)] = stacked.weight[own, own] / (group.n / fit.sample.n)
        observed, implied = stack_moments([sample], means), stack_moments([model], means)
        out.append(
            GroupView(
                group.label,
                group.names,
                group.n,
                observed,
                implied,
                slopes[kept],
                weight,
                (group.n - 1) * weight @ (observed - implied),
                means,
                partial(_same, weight),
                partial(_weight_spread, weight, group.n),
            )
        )
    return tuple(out)


def _counted(fit: StructuralEstimates) -> list[tuple[slice, Booleans]]:
    """Return where the moments of each group stand among all of a fit by least squares, and which of them count."""
    out, at, means = [], 0, fit.model.means
    for b, group in enumerate(fit.sample.groups, start=1):
        counted = kept_moments(fit.table, b, group, means)[keep_moments([len(group.names)], means)]
        out.append((slice(at, at + int(counted.sum())), counted))
        at = out[-1][0].stop
    return out


def moment_spreads(fit: StructuralEstimates, views: Sequence[GroupView]) -> list[Floats]:
    """Return the covariance matrix (m, m) of the moments of one row of each group, from the rows of the data."""
    stacked = fit.stacked
    if stacked is None or fit.ordinal is not None or fit.source is not None:
        return [view.n * view.spread() for view in views]
    out = []
    for group, (own, counted) in zip(fit.sample.groups, _counted(fit), strict=True):
        gamma = np.zeros((counted.size, counted.size))
        gamma[np.ix_(counted, counted)] = stacked.gamma[own, own] * (group.n / fit.sample.n)
        out.append(gamma)
    return out


def _weight_spread(weight: Floats, n: int) -> Floats:
    """Return the covariance matrix of sample moments that the weights stand for."""
    return inverse_of(weight) / n


def _views_of_rows(fit: StructuralEstimates, source: IncompleteFit | ClusteredFit) -> tuple[GroupView, ...]:
    """Views of a fit of raw data: with missing values, robust errors, or two levels."""
    step, out = fit.model.per_group, []
    found = source.data.evaluate(fit.implied)
    assert found is not None
    weights = source.data.information("expected", fit.implied)
    slopes = fit.model.jacobian(fit.x)
    for g, group in enumerate(fit.sample.groups):
        mine = slice(g * step, (g + 1) * step)
        sizes = [len(block.mu) for block in fit.implied[mine]]
        means = fit.model.means or step > 1
        kept = keep_moments(sizes, means)
        blocks = range(g * step, (g + 1) * step)
        held = np.concatenate([held_moments(held_variables(fit, b), True) for b in blocks])
        by_moment = np.concatenate([_vector(block) for block in found[1][mine]])
        out.append(
            GroupView(
                group.label,
                group.names,
                group.n,
                stack_moments(fit.saturated[mine], means),
                stack_moments(fit.implied[mine], means),
                slopes[g][kept],
                without(weights[g], held, kept) / group.n,
                -by_moment[kept] / 2,
                means,
                partial(_curvature, fit, source, g, held, kept, group.n),
                partial(_spread, fit, source, g, held, kept),
            )
        )
    return tuple(out)


def _vector(slope: Moments) -> Floats:
    return np.concatenate([slope.mu, half_gradient(slope.sigma)])


def without(matrix: Floats, held: Booleans, kept: Booleans) -> Floats:
    """Return the rows and columns that are kept, those of covariates with fixed moments set to zero."""
    out = matrix.copy()
    out[held] = 0.0
    out[:, held] = 0.0
    return out[np.ix_(kept, kept)]


def _curvature(
    fit: StructuralEstimates, source: IncompleteFit | ClusteredFit, g: int, held: Booleans, kept: Booleans, n: int
) -> Floats:
    """Return the information about the moments of one row at the implied moments, of the kind asked for."""
    return without(source.data.information(_kind(fit), fit.implied)[g], held, kept) / n


def _spread(
    fit: StructuralEstimates, source: IncompleteFit | ClusteredFit, g: int, held: Booleans, kept: Booleans
) -> Floats:
    """Return the covariance matrix of the saturated moments: inverse information, or a sandwich."""
    saturated = source.saturated
    bread = inverse_of(without(saturated.information(source.data, _kind(fit))[g], held, kept))
    if source.request.sandwich:
        bread = bread @ without(saturated.meats(source.data)[g], held, kept) @ bread
    return np.asarray(bread)


def _kind(fit: StructuralEstimates) -> str:
    return fit.options.information
