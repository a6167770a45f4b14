"""Squared scores of rows beside a fit of moments: sandwich and first-order errors, Yuan and Bentler's tests.

They are taken here where other parts of the fit rest on Gamma, and for the Wishart likelihood. As in lavaan, the
covariances of the sample then have the divisor n - 1, the rows of a group weigh as n, and what the information gives is
divided by n - 1 of each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.continuous.asymptotic import moment_covariance
from alliancekit.structural.continuous.counted import exogenous_places, held_places, independence_slopes, kept_moments
from alliancekit.structural.continuous.fit import complete_likelihood
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.likelihood.contract import Block, Likelihood
from alliancekit.structural.likelihood.reduced import Reduced
from alliancekit.structural.likelihood.saturation import SaturatedModel
from alliancekit.structural.likelihood.selection import Selection
from alliancekit.structural.likelihood.solution import Request, Solution, solve

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class SampledRows:
    """A likelihood with the information of given moments and the scores of rows."""

    moments: IncompleteRows
    rows: IncompleteRows

    @property
    def n(self) -> int:
        """Rows of all groups."""
        return self.moments.n

    @property
    def units(self) -> tuple[int, ...]:
        """Rows of each group."""
        return self.moments.units

    @property
    def analytic(self) -> bool:
        """The observed information is known in closed form."""
        return True

    def evaluate(self, blocks: Sequence[Block]) -> tuple[float, tuple[Block, ...]] | None:
        """Return -2 log-likelihood and its derivatives."""
        return self.moments.evaluate(blocks)

    def information(self, kind: str, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the information of each group about its moments, summed over rows."""
        return (self.rows if kind == "first.order" else self.moments).information(kind, blocks)

    def scores(self, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the scores of each row."""
        return self.rows.scores(blocks)


def add_squares(fit: StructuralEstimates, request: Request) -> StructuralEstimates:
    """Return a fit of moments with the standard errors and the tests from squared scores that are asked for.

    Raises
    ------
    SpecError : there are no rows.
    """
    given = [group.rows for group in fit.sample.groups if group.rows is not None]
    if len(given) < len(fit.sample.groups):
        what = "robust standard errors need the rows of the data, not only their covariances"
        raise SpecError(message(what, do="Hand in the data"))
    means = fit.model.means
    blocks = tuple(Block(block.mu * means, block.sigma) for block in fit.saturated)
    rows = [own - own.mean(axis=0) * (not means) for own in given]
    moments = complete_likelihood([(b.mu, b.sigma) for b in blocks], [float(len(own)) for own in rows])
    data = SampledRows(moments, IncompleteRows(tuple(group_patterns(own) for own in rows)))
    counted = tuple(kept_moments(fit.table, b, g, means) for b, g in enumerate(fit.sample.groups, start=1))
    saturated = SaturatedModel(blocks, 0.0, counted, _known={"meat": _meats(fit, data, blocks)})
    mapping = Reduced(fit.model, fit.directions, fit.x, fit.n_parameters)
    own = _solve(data, mapping, saturated, request, fit.table.n_free)
    share = _rows_over_df(fit)
    errors = request.sandwich or request.information[0] == "first.order"
    vcov = mapping.basis @ own.vcov @ mapping.basis.T * share if errors and fit.options.se != "robust.sem" else fit.vcov
    found = replace(fit, vcov=vcov)
    if not request.scaled:
        return found
    alone = _solve(data, _independence(fit, blocks, counted), saturated, request, None)
    scaling = None if own.scaling is None else (own.scaling.saturated, own.scaling.model)
    return replace(found, test=_scaled(fit.test, own), baseline=_scaled(fit.baseline, alone), factors=scaling)


def _rows_over_df(fit: StructuralEstimates) -> float:
    """Return by what covariances of parameters grow with the Wishart likelihood; one without."""
    n = fit.sample.n
    return n / (n - len(fit.sample.groups)) if fit.options.likelihood == "wishart" else 1.0


def _meats(fit: StructuralEstimates, data: SampledRows, blocks: Sequence[Block]) -> tuple[Floats, ...]:
    """Return the summed squared scores at the moments of the sample: information times Gamma times information."""
    out = []
    for b, (group, whole) in enumerate(zip(fit.sample.groups, data.information("expected", blocks), strict=True), 1):
        assert group.rows is not None
        gamma = moment_covariance(group.rows, True, held_places(fit.table, b, group))
        out.append(whole @ gamma @ whole / group.n)
    return tuple(out)


def _solve(
    data: Likelihood, mapping: Reduced | Selection, saturated: SaturatedModel, request: Request, count: int | None
) -> Solution:
    """Return the uncertainty of a model at its estimates."""
    x = mapping.start if isinstance(mapping, Selection) else np.zeros(mapping.size)
    spent = None if isinstance(mapping, Selection) else mapping.spent
    return solve(data, mapping, x, 0.0, saturated, request, parameters=count, spent=spent)


def _independence(fit: StructuralEstimates, blocks: Sequence[Block], counted: Sequence[NDArray[np.bool_]]) -> Selection:
    """Return the model of independence at its estimates; covariates stay joined."""
    origin, free = [], []
    for b, (group, block, own) in enumerate(zip(fit.sample.groups, blocks, counted, strict=True), start=1):
        slopes = independence_slopes(fit.table, b, group)
        places = exogenous_places(fit.table, b, group.names)
        cov = np.diag(np.diag(block.sigma))
        cov[np.ix_(places, places)] = block.sigma[np.ix_(places, places)]
        origin.append(Block(block.mu, cov))
        free.append(slopes.any(axis=1) & own)
    return Selection(origin, free)


def _scaled(test: ModelTest, solution: Solution) -> ModelTest:
    factor = float("nan") if solution.scaling is None else solution.scaling.factor
    return replace(test, factor=factor)


def as_wishart(fit: StructuralEstimates) -> StructuralEstimates:
    """Return a fit of incomplete rows with n - 1 of each group in place of n in its tests and standard errors.

    The estimates stay those of full information: there is no Wishart likelihood of incomplete rows.
    """
    source = fit.source
    assert isinstance(source, IncompleteFit)
    baseline = source.baseline()[1]
    return replace(
        fit,
        vcov=fit.vcov * _rows_over_df(fit),
        test=replace(fit.test, statistic=_less_one(source, source.solution)),
        baseline=replace(fit.baseline, statistic=_less_one(source, baseline)),
    )


def _less_one(source: IncompleteFit, solution: Solution) -> float:
    """Return the chi-square of a solution, that of each group times (n - 1) / n."""
    total = 0.0
    for g, group in enumerate(source.data.groups):
        alone = IncompleteRows((group,))
        ends = [alone.evaluate([blocks[g]]) for blocks in (solution.implied, source.saturated.blocks)]
        if ends[0] is None or ends[1] is None:
            return float("nan")
        total += max(ends[0][0] - ends[1][0], 0.0) * (group.n - 1) / group.n
    return total if solution.df > 0 else 0.0
