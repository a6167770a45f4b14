"""The model fitted again to samples, piece by piece: by maximum likelihood a piece at once, else one by one.

Moments of complete rows are one matrix product: how often each row was drawn, times the products of its values. With
missing values it is one for each pattern. The one by one search begins at the estimates of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, FitError
from alliancekit.structural.after.draws import Drawn, Draws, Picks
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.continuous.batch import ManyMoments, ManySamples, discrepancies, search_many
from alliancekit.structural.continuous.fit import fit_complete
from alliancekit.structural.continuous.least_squares import refit_least_squares
from alliancekit.structural.continuous.missing.batch import many_patterns, other_values
from alliancekit.structural.continuous.missing.estimate import IncompleteFit, refit_incomplete
from alliancekit.structural.continuous.objective import SampleMoments, evaluate, expected_information
from alliancekit.structural.continuous.optimise import search, search_limited
from alliancekit.structural.duplication import triangle
from alliancekit.structural.engines import estimate
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.likelihood.inference import model_information
from alliancekit.structural.ordinal.fit import refit_ordinal
from alliancekit.structural.sample import GroupSample
from alliancekit.structural.table import number
from alliancekit.structural.twolevel.estimate import ClusteredFit, group_roles, refit_clustered

Floats = NDArray[np.float64]
T = TypeVar("T")
Refit = Callable[[Draws, Picks], Floats]
"""Draws and which of them -> parameters (samples, size), NaN where the search failed."""
PIECE, NUMBERS, FEW = 250, 8_000_000, 10
"""At most so many samples, and so many sums of values, are fitted at once; so many one after the other in one task."""
LOST = (FitError, DesignError, np.linalg.LinAlgError)


def refit_of(fit: StructuralEstimates) -> tuple[Refit, int]:
    """Return what fits the model again, and how many samples it is to be given at once."""
    if by_moments(fit):
        return partial(_moments_parameters, with_information(fit)), PIECE
    if _by_patterns(fit):
        whole, places = _with_drawn_covariates(fit)
        source = whole.source
        assert isinstance(source, IncompleteFit)
        wide = sum(g.size.size * (1 + g.width + g.width**2) for g in source.data.groups)
        information = model_information("observed", source.data, source.model, whole.x) / float(source.data.n)
        prepared = Whole(whole, tuple(places), information, Limits(whole.table, whole.constraints))
        return partial(_patterns_parameters, prepared), max(min(NUMBERS // wide, PIECE), 1)
    return partial(_one_by_one, fit), FEW


def by_moments(fit: StructuralEstimates) -> bool:
    """Return whether the estimates are those of maximum likelihood from means and covariances of complete rows."""
    options = fit.options
    one_level = fit.table.n_levels == 1 and not options.ordered
    return one_level and options.point == "ML" and options.missing == "listwise"


def _by_patterns(fit: StructuralEstimates) -> bool:
    """Return whether means are modelled, and the covariates that are held have no gaps."""
    if not isinstance(fit.source, IncompleteFit) or not fit.model.means:
        return False
    held = fit.source.exogenous.fixed
    return all(group.observed[:, x].all() for group, x in zip(fit.source.data.groups, held, strict=True))


@dataclass(frozen=True, eq=False, slots=True)
class Whole:
    """A fit with the moments of covariates free, and what its refits need.

    places : of the fit's own parameters among all. information : (size, size) of one row. limits : of the search.
    """

    fit: StructuralEstimates
    places: tuple[int, ...]
    information: Floats
    limits: Limits


def _with_drawn_covariates(fit: StructuralEstimates) -> tuple[StructuralEstimates, list[int]]:
    """Return the fit with the moments of covariates free, and the places of its own parameters among all.

    Rows drawn again have other covariates; given these, the other parameters are those of the model with them held.
    """
    table = fit.table
    if not any(table.exo):
        return fit, list(range(fit.x.size))
    freed = replace(table, free=number([int(f > 0 or e > 0) for f, e in zip(table.free, table.exo, strict=True)]))
    freed = replace(freed, exo=(0,) * len(table))
    places = [new - 1 for new, old in zip(freed.free, table.free, strict=True) if old]
    again = fit_complete if by_moments(fit) else estimate
    return again(fit.options, freed, read_constraints(freed), fit.sample), places


def with_information(fit: StructuralEstimates) -> Whole:
    """Return the whole of a fit of moments."""
    whole, places = _with_drawn_covariates(fit)
    shares = [
        SampleMoments(m.mu, m.sigma, g.n / fit.sample.n, 0.0)
        for m, g in zip(whole.implied, fit.sample.groups, strict=True)
    ]
    here = evaluate(whole.model, shares, whole.x)
    assert here is not None
    information = expected_information(whole.model, shares, here)
    return Whole(whole, tuple(places), information, Limits(whole.table, whole.constraints))


def fit_moments(whole: Whole, draws: Draws, picks: Picks) -> tuple[Floats, Floats]:
    """Return parameters (samples, size), NaN where the search failed, and chi-square (samples,)."""
    fit, limits, unbiased = whole.fit, whole.limits, whole.fit.options.likelihood == "wishart"
    samples, sizes = _moments(draws, picks, unbiased)
    found, done = search_many(fit.model, samples, fit.constraints.linear, fit.x, whole.information)
    for r in range(len(found)) if limits.any else np.flatnonzero(~done):
        if not (done[r] and limits.hold(fit.constraints.linear.reduce(found[r]))):
            found[r] = _alone(fit, samples, int(r), limits)
    tested = [replace(own, weight=size - unbiased) for own, size in zip(samples, sizes, strict=True)]
    return found[:, list(whole.places)], discrepancies(fit.model, tested, found)


def _moments_parameters(whole: Whole, draws: Draws, picks: Picks) -> Floats:
    return fit_moments(whole, draws, picks)[0]


def _moments(draws: Draws, picks: Picks, unbiased: bool) -> tuple[list[ManyMoments], list[Floats]]:
    """Return the moments of samples of each group, and the rows of each group in each sample."""
    found = []
    if draws.normal:
        values = [draws.sample(pick) for pick in picks]
        for g, rows in enumerate(draws.rows):
            drawn = np.stack([sample[g][0] for sample in values])
            mean = drawn.mean(axis=1)
            drawn -= mean[:, None]
            found.append((mean, drawn.mT @ drawn / len(rows), np.full(len(picks), float(len(rows)))))
    else:
        for rows, counts in zip(draws.rows, draws.counts(picks), strict=True):
            p, size = rows.shape[1], counts.sum(axis=1)
            centre = rows.mean(axis=0)
            away = rows - centre
            i, j = triangle(p)
            sums = counts @ np.hstack([away, away[:, i] * away[:, j]]) / size[:, None]
            mean, cov = sums[:, :p], np.empty((len(picks), p, p))
            cov[:, i, j] = cov[:, j, i] = sums[:, p:] - mean[:, i] * mean[:, j]
            found.append((mean + centre, cov, size))
    total = np.asarray(sum(size for _, _, size in found))
    out = []
    for mean, cov, size in found:
        if unbiased:
            cov *= (size / (size - 1))[:, None, None]
        out.append(ManyMoments(mean, cov, size / total))
    return out, [size for _, _, size in found]


def _alone(fit: StructuralEstimates, samples: Sequence[ManyMoments], r: int, limits: Limits) -> Floats:
    """Return the parameters of one sample by the search for single samples."""
    dets = [np.linalg.slogdet(s.cov[r]) for s in samples]
    if any(sign <= 0 for sign, _ in dets):
        return np.full(fit.x.size, np.nan)
    pairs = zip(samples, dets, strict=True)
    single = [SampleMoments(s.mean[r], s.cov[r], float(s.weight[r]), float(d[1])) for s, d in pairs]
    linear = fit.constraints.linear
    if limits.any:
        found = search_limited(fit.model, single, linear, fit.x, None, limits, float(fit.sample.n))
    else:
        found = search(fit.model, single, linear, fit.x)
    return found.point.x if found is not None and found.converged else np.full(fit.x.size, np.nan)


def _patterns_parameters(whole: Whole, draws: Draws, picks: Picks) -> Floats:
    """Return the parameters (samples, size) of samples of incomplete rows, NaN where the search failed."""
    fit, limits, source = whole.fit, whole.limits, whole.fit.source
    assert isinstance(source, IncompleteFit)
    groups, total, linear = source.data.groups, float(source.data.n), fit.constraints.linear
    samples: list[ManySamples]
    if draws.normal:
        values = [draws.sample(pick) for pick in picks]
        samples = [other_values(group, [v[g][0] for v in values], total) for g, group in enumerate(groups)]
    else:
        counts = draws.counts(picks)
        samples = [many_patterns(*both, total) for both in zip(groups, counts, strict=True)]
    x, done = search_many(fit.model, samples, linear, fit.x, whole.information)
    for r, pick in enumerate(picks):
        if not (done[r] and (not limits.any or limits.hold(linear.reduce(x[r])))):
            rows = [own for own, _ in draws.sample(pick)]
            x[r] = _tried(partial(refit_incomplete, source, fit.constraints), rows, fit.x.size)
    return np.asarray(x[:, list(whole.places)])


def fit_squares(fit: StructuralEstimates, draws: Draws, picks: Picks) -> tuple[Floats, Floats]:
    """Return parameters (samples, size) and chi-square (samples,) by least squares, NaN where that failed."""
    out = np.full((len(picks), fit.x.size + 1), np.nan)
    for r, pick in enumerate(picks):
        try:
            out[r, :-1], out[r, -1] = refit_least_squares(fit, _groups(fit, draws.sample(pick)), fit.x)
        except LOST:
            continue
    return out[:, :-1], out[:, -1]


def _one_by_one(fit: StructuralEstimates, draws: Draws, picks: Picks) -> Floats:
    """Return the parameters (samples, size) of samples that are fitted one after the other; NaN where that failed."""
    search_again = _search_of(fit)
    return np.stack([_tried(search_again, draws.sample(pick), fit.x.size) for pick in picks])


def _tried(search_again: Callable[[T], Floats], drawn: T, size: int) -> Floats:
    """Return the parameters of a sample, NaN where it cannot be fitted."""
    try:
        return search_again(drawn)
    except LOST:
        return np.full(size, np.nan)


def _search_of(fit: StructuralEstimates) -> Callable[[Drawn], Floats]:
    """Return the function that fits the model to one sample."""
    source = fit.source
    if isinstance(source, ClusteredFit):
        return lambda drawn: _by_levels(fit, source, drawn)
    if isinstance(source, IncompleteFit):
        centred = not fit.model.means
        return lambda drawn: refit_incomplete(
            source, fit.constraints, [rows - np.nanmean(rows, axis=0) * centred for rows, _ in drawn]
        )
    if fit.options.ordered:
        return lambda drawn: refit_ordinal(fit, _groups(fit, drawn))
    return lambda drawn: refit_least_squares(fit, _groups(fit, drawn), fit.x)[0]


def _by_levels(fit: StructuralEstimates, source: ClusteredFit, drawn: Drawn) -> Floats:
    """Return the parameters of a two-level model of one sample."""
    rows, only, labels = [], [], []
    for roles, group, (values, clusters) in zip(group_roles(fit.table), fit.sample.groups, drawn, strict=True):
        assert clusters is not None
        place = {name: k for k, name in enumerate(group.names)}
        rows.append(values[:, [place[name] for name in roles.within]])
        only.append(values[:, [place[name] for name in roles.cluster_only]])
        labels.append(clusters)
    return refit_clustered(source, fit.constraints, rows, only, labels)


def _groups(fit: StructuralEstimates, drawn: Drawn) -> list[GroupSample]:
    """Return the groups with other rows."""
    out = []
    for group, (rows, _) in zip(fit.sample.groups, drawn, strict=True):
        mean = rows.mean(axis=0)
        away = rows - mean
        cov = away.T @ away / len(rows)
        out.append(replace(group, n=len(rows), rows=rows, mean=mean, cov=cov, clusters=None, index=None))
    return out
