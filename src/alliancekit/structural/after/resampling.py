"""Samples of a bootstrap, and the model fitted to each: by maximum likelihood to all together, else one by one.

Moments of complete rows are one matrix product: how often each row was drawn, times the products of its values. With
missing values it is one for each pattern. The one by one search begins at the estimates of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, FitError, SpecError, message, shown
from alliancekit.core.progress import track
from alliancekit.core.seeds import spawn
from alliancekit.structural.after.draws import Drawn, Draws, Seeds, draws_of
from alliancekit.structural.arguments import check_seed
from alliancekit.structural.checks import unidentified
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
PIECE, NUMBERS = 250, 8_000_000
"""At most so many samples, and so many sums of values, are fitted in one piece."""
LOST = (FitError, DesignError, np.linalg.LinAlgError)


def fit_again(fit: StructuralEstimates, n: int, seed: int, kind: str = "ordinary") -> Floats:
    """Return the parameters (samples, size) of the samples that could be fitted, of ``n``.

    Raises
    ------
    SpecError : ``n`` is no number of samples, or the fit does not take the ``kind``. FitError : the model is
        not identified, or most samples cannot be fitted.
    """
    _check_samples(n, seed)
    _check_unrotated(fit)
    draws, seeds = draws_of(fit, kind), spawn(seed, n)
    for found in unidentified(fit):
        raise FitError(found)
    if by_moments(fit):
        x = _fit_moments(fit, draws, seeds)[0]
    elif fit.engine == "least squares" and kind == "bollen.stine":
        x = _fit_squares(fit, draws, seeds)[0]
    elif _by_patterns(fit):
        x = _fit_patterns(fit, draws, seeds)
    else:
        x = _one_by_one(fit, draws, seeds)
    return x[_fitted(x)]


def drawn_tests(fit: StructuralEstimates, n: int, seed: int) -> Floats:
    """Return chi-square of ``n`` samples of rows that the model fits exactly (Bollen & Stine).

    Raises
    ------
    SpecError : the fit is not one of complete, independent rows of continuous variables.
    """
    squares = fit.engine == "least squares"
    if not (by_moments(fit) or squares) or fit.options.cluster:
        what = "the test of Bollen and Stine is for complete, independent rows of continuous variables"
        rows = fit.engine == "rows" and fit.options.missing != "listwise"
        do = 'Fit with missing="listwise", or leave this test out' if rows else "Leave this test out"
        raise SpecError(message(what, do=do))
    _check_samples(n, seed)
    _check_unrotated(fit)
    draws, seeds = draws_of(fit, "bollen.stine"), spawn(seed, n)
    x, chisq = _fit_squares(fit, draws, seeds) if squares else _fit_moments(fit, draws, seeds)
    return chisq[_fitted(x)]


def _check_samples(n: object, seed: object) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise SpecError(message(f"n={shown(n)} is not a number of samples", do="Give a whole number such as 1000"))
    check_seed(seed)


def _check_unrotated(fit: StructuralEstimates) -> None:
    if fit.rotation is not None:
        what = "samples drawn again are not for rotated factors: their signs and order change from sample to sample"
        raise SpecError(message(what, do="Fit with rotation='none', or take the standard errors of tidy()"))


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


def _fitted(x: Floats) -> NDArray[np.bool_]:
    """Return which samples have parameters; raise FitError where most have none."""
    there = np.isfinite(x).all(axis=1)
    if there.sum() < max(len(x) // 2, 2):
        what = f"only {there.sum()} of {len(x)} bootstrap samples could be fitted"
        raise FitError(message(what, do="Simplify the model"))
    return np.asarray(there)


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


def _fit_moments(fit: StructuralEstimates, draws: Draws, seeds: Seeds) -> tuple[Floats, Floats]:
    """Return parameters (R, size), NaN where the search failed, and chi-square (R,)."""
    whole, places = _with_drawn_covariates(fit)
    unbiased = int(fit.options.likelihood == "wishart")
    shares = [
        SampleMoments(m.mu, m.sigma, g.n / fit.sample.n, 0.0)
        for m, g in zip(whole.implied, fit.sample.groups, strict=True)
    ]
    here = evaluate(whole.model, shares, whole.x)
    assert here is not None
    information = expected_information(whole.model, shares, here)
    limits = Limits(whole.table, whole.constraints)
    x, chisq = np.empty((len(seeds), whole.x.size)), np.empty(len(seeds))
    for at in range(0, len(seeds), PIECE):
        part = slice(at, at + PIECE)
        samples, total = _moments(draws, seeds[part], unbiased)
        found, done = search_many(whole.model, samples, whole.constraints.linear, whole.x, information)
        for r in range(len(found)) if limits.any else np.flatnonzero(~done):
            if not (done[r] and limits.hold(whole.constraints.linear.reduce(found[r]))):
                found[r] = _alone(whole, samples, int(r), limits)
        x[part], chisq[part] = found, total * discrepancies(whole.model, samples, found)
    return x[:, places], chisq


def _moments(draws: Draws, seeds: Seeds, unbiased: int) -> tuple[list[ManyMoments], Floats]:
    """Return the moments of samples of each group, and the rows (less one, Wishart) of all groups in each sample."""
    found = []
    if draws.normal:
        values = [draws.sample(seed) for seed in seeds]
        for g, rows in enumerate(draws.rows):
            drawn = np.stack([sample[g][0] for sample in values])
            mean = drawn.mean(axis=1)
            drawn -= mean[:, None]
            found.append((mean, drawn.mT @ drawn / len(rows), np.full(len(seeds), float(len(rows)))))
    else:
        for rows, counts in zip(draws.rows, draws.counts(seeds), strict=True):
            p, size = rows.shape[1], counts.sum(axis=1)
            centre = rows.mean(axis=0)
            away = rows - centre
            i, j = triangle(p)
            sums = counts @ np.hstack([away, away[:, i] * away[:, j]]) / size[:, None]
            mean, cov = sums[:, :p], np.empty((len(seeds), p, p))
            cov[:, i, j] = cov[:, j, i] = sums[:, p:] - mean[:, i] * mean[:, j]
            found.append((mean + centre, cov, size))
    total = np.asarray(sum(size - unbiased for _, _, size in found))
    out = []
    for mean, cov, size in found:
        if unbiased:
            cov *= (size / (size - 1))[:, None, None]
        out.append(ManyMoments(mean, cov, (size - unbiased) / total))
    return out, total


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


def _fit_patterns(fit: StructuralEstimates, draws: Draws, seeds: Seeds) -> Floats:
    """Return the parameters (R, size) of samples of incomplete rows, NaN where the search failed."""
    whole, places = _with_drawn_covariates(fit)
    source = whole.source
    assert isinstance(source, IncompleteFit)
    groups, total, linear = source.data.groups, float(source.data.n), whole.constraints.linear
    information = model_information("observed", source.data, source.model, whole.x) / total
    limits = Limits(whole.table, whole.constraints)
    wide = sum(g.size.size * (1 + g.width + g.width**2) for g in groups)
    step = max(min(NUMBERS // wide, PIECE), 1)
    x = np.empty((len(seeds), whole.x.size))
    for at in track(range(0, len(seeds), step), "bootstrap"):
        part = slice(at, at + step)
        samples: list[ManySamples]
        if draws.normal:
            values = [draws.sample(seed) for seed in seeds[part]]
            samples = [other_values(group, [v[g][0] for v in values], total) for g, group in enumerate(groups)]
        else:
            counts = draws.counts(seeds[part])
            samples = [many_patterns(*both, total) for both in zip(groups, counts, strict=True)]
        x[part], done = search_many(whole.model, samples, linear, whole.x, information)
        for r in range(len(done)):
            if not (done[r] and (not limits.any or limits.hold(linear.reduce(x[at + r])))):
                rows = [own for own, _ in draws.sample(seeds[at + r])]
                x[at + r] = _tried(lambda drawn: refit_incomplete(source, whole.constraints, drawn), rows, whole.x.size)
    return x[:, places]


def _one_by_one(fit: StructuralEstimates, draws: Draws, seeds: Seeds) -> Floats:
    """Return the parameters (R, size) of samples that are fitted one after the other; NaN where that failed."""
    search_again = _search_of(fit)
    return np.stack([_tried(search_again, draws.sample(seed), fit.x.size) for seed in track(seeds, "bootstrap")])


def _fit_squares(fit: StructuralEstimates, draws: Draws, seeds: Seeds) -> tuple[Floats, Floats]:
    """Return parameters (R, size) and chi-square (R,) of samples fitted by least squares, NaN where that failed."""
    out = np.full((len(seeds), fit.x.size + 1), np.nan)
    for r, seed in enumerate(track(seeds, "bootstrap")):
        try:
            out[r, :-1], out[r, -1] = refit_least_squares(fit, _groups(fit, draws.sample(seed)), fit.x)
        except LOST:
            continue
    return out[:, :-1], out[:, -1]


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
