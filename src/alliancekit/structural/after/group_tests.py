"""Chi-square of a model of several groups, taken apart: what each group adds to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.continuous.counted import kept_moments
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.duplication import half_vector
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.likelihood.contract import Likelihood
from alliancekit.structural.twolevel.data import ClusteredRows
from alliancekit.structural.twolevel.estimate import ClusteredFit

Floats = NDArray[np.float64]


def group_test_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return group, n, statistic, and statistic_scaled where the test is scaled; see ``StructuralFit.group_tests``."""
    groups = fit.sample.groups
    if len(groups) < 2:
        raise SpecError(message("the fit has one group", do="model_tests() has the test of the model"))
    columns = {"group": [g.label for g in groups], "n": [g.n for g in groups], "statistic": group_statistics(fit)}
    if fit.test.factor is not None:
        columns["statistic_scaled"] = scaled_statistics(fit)
    return pd.DataFrame(columns)


def group_statistics(fit: StructuralEstimates) -> Floats:
    """Return what each group adds to chi-square, (groups,)."""
    if fit.test.statistic == 0:
        return np.zeros(len(fit.sample.groups))
    if fit.ordinal is not None:
        pairs = zip(fit.ordinal.targets, fit.ordinal.at, strict=True)
        gaps = [(target, target.observed - at.vector) for target, at in pairs]
        return np.array([fit.sample.n * target.share * float(gap @ target.weigh(gap)) for target, gap in gaps])
    if isinstance(fit.source, IncompleteFit):
        rows = [IncompleteRows((group,)) for group in fit.source.data.groups]
        return _likelihood_ratios(rows, fit.implied, fit.saturated, 1)
    if isinstance(fit.source, ClusteredFit):
        clusters = [ClusteredRows((group,)) for group in fit.source.data.groups]
        return _likelihood_ratios(clusters, fit.implied, fit.saturated, 2)
    if fit.options.point == "ML":
        return _normal_discrepancies(fit)
    return _squares(fit)


def scaled_statistics(fit: StructuralEstimates) -> Floats:
    """Return what each group adds to the scaled chi-square; a shift is shared out by the rows, (groups,)."""
    if fit.test.df == 0:
        return group_statistics(fit)
    shares = np.array([group.n for group in fit.sample.groups]) / fit.sample.n
    return np.asarray(group_statistics(fit) / (fit.test.factor or np.nan) + fit.test.shift * shares)


def _likelihood_ratios(
    data: Sequence[Likelihood],
    implied: tuple[Moments, ...],
    saturated: tuple[Moments, ...],
    levels: int,
) -> Floats:
    """Return twice the difference of the log-likelihoods of raw data; a group has as many blocks as levels."""
    out = []
    for g, own in enumerate(data):
        blocks = slice(g * levels, (g + 1) * levels)
        out.append(_deviance(own, implied[blocks]) - _deviance(own, saturated[blocks]))
    return np.array(out)


def _deviance(data: Likelihood, blocks: tuple[Moments, ...]) -> float:
    found = data.evaluate(blocks)
    return float("nan") if found is None else found[0]


def _normal_discrepancies(fit: StructuralEstimates) -> Floats:
    """Return the discrepancies of maximum likelihood, times the rows, of complete data."""
    out = []
    for group, model, sample in zip(fit.sample.groups, fit.implied, fit.saturated, strict=True):
        gap = (sample.mu - model.mu) * fit.model.means
        spread = sample.sigma + np.outer(gap, gap)
        log_ratio = np.linalg.slogdet(model.sigma)[1] - np.linalg.slogdet(sample.sigma)[1]
        value = float(log_ratio + np.trace(np.linalg.solve(model.sigma, spread)) - len(gap))
        out.append((group.n - (fit.options.likelihood == "wishart")) * value)
    return np.array(out)


def _squares(fit: StructuralEstimates) -> Floats:
    """Return the weighted squares of the residual moments of least squares."""
    assert fit.stacked is not None
    out, at = [], 0
    for b, (group, model, sample) in enumerate(zip(fit.sample.groups, fit.implied, fit.saturated, strict=True), 1):
        kept = kept_moments(fit.table, b, group, fit.model.means)
        gap = np.concatenate([sample.mu - model.mu, half_vector(sample.sigma - model.sigma)])[kept]
        own = slice(at, at + len(gap))
        at += len(gap)
        share = (group.n - 1) / group.n  # in the criterion a row less than in the weights of one row
        out.append(share * fit.sample.n * float(gap @ fit.stacked.weight[own, own] @ gap))
    return np.array(out)
