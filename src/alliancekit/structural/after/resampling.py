"""Rows drawn again, within groups, and the model fitted to all samples together.

Moments of the samples are one matrix product: how often each row was drawn, times the products of its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.core.seeds import spawn
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.continuous.batch import ManyMoments, discrepancies, search_many
from alliancekit.structural.continuous.fit import fit_complete
from alliancekit.structural.continuous.objective import SampleMoments, evaluate, expected_information
from alliancekit.structural.continuous.optimise import search, search_limited
from alliancekit.structural.duplication import triangle
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.table import number

Floats = NDArray[np.float64]
PIECE = 250


def fit_again(
    fit: StructuralEstimates, n: int, seed: int, rows: Sequence[Floats] | None = None
) -> tuple[Floats, Floats]:
    """Fit a model to ``n`` samples of its rows, or of others.

    Parameters
    ----------
    rows : per group (n, p), from which samples are drawn; those of the fit where None.

    Returns
    -------
    Parameters (R, size) and chi-square (R,) of the samples that could be fitted.

    Raises
    ------
    SpecError : ``n`` is no number of samples, or the fit is not one of complete rows by maximum likelihood. FitError :
        most samples cannot be fitted.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise SpecError(message(f"n={n!r} is not a number of samples", do="Give a whole number such as 1000"))
    if fit.engine != "moments" or any(group.rows is None for group in fit.sample.groups):
        what = "the bootstrap is for maximum likelihood of complete rows"
        raise SpecError(message(what, do='For missing values and clusters take estimator="MLR"'))
    if fit.rotation is not None:
        what = "samples drawn again are not for rotated factors: their signs and order change from sample to sample"
        raise SpecError(message(what, do="Fit with rotation='none', or take the standard errors of tidy()"))
    drawn, places = _with_drawn_covariates(fit)
    given = [group.rows for group in fit.sample.groups if group.rows is not None] if rows is None else list(rows)
    sources = spawn(seed, n)
    x, chisq = np.empty((n, drawn.x.size)), np.empty(n)
    for at in range(0, n, PIECE):
        part = slice(at, at + PIECE)
        samples = _draw(drawn, given, sources[part])
        x[part] = _fit(drawn, samples)
        total = drawn.sample.n - len(samples) * (drawn.options.likelihood == "wishart")
        chisq[part] = total * discrepancies(drawn.model, samples, x[part])
    there = np.isfinite(x).all(axis=1)
    if there.sum() < max(n // 2, 2):
        do = "Simplify the model"
        raise FitError(message(f"only {there.sum()} of {n} bootstrap samples could be fitted", do=do))
    return x[there][:, places], chisq[there]


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
    return fit_complete(fit.options, freed, read_constraints(freed), fit.sample), places


def _draw(
    fit: StructuralEstimates, given: Sequence[Floats], sources: Sequence[np.random.SeedSequence]
) -> list[ManyMoments]:
    """Return the moments of samples of the rows of each group."""
    unbiased = int(fit.options.likelihood == "wishart")
    total = float(sum(len(rows) - unbiased for rows in given))
    draws = [np.random.default_rng(source) for source in sources]
    samples = []
    for own in given:
        n, p = own.shape
        counts = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for rng in draws])
        centre = own.mean(axis=0)
        rows = own - centre
        i, j = triangle(p)
        sums = counts @ np.hstack([rows, rows[:, i] * rows[:, j]]) / n
        mean = sums[:, :p]
        cov = np.empty((len(draws), p, p))
        cov[:, i, j] = cov[:, j, i] = sums[:, p:] - mean[:, i] * mean[:, j]
        cov *= n / (n - unbiased)
        samples.append(ManyMoments(mean + centre, cov, (n - unbiased) / total))
    return samples


def _fit(fit: StructuralEstimates, samples: Sequence[ManyMoments]) -> Floats:
    """Return the parameters of some samples, (R, size); NaN where the search failed."""
    linear, limits = fit.constraints.linear, Limits(fit.table, fit.constraints)
    shares = [SampleMoments(m.mu, m.sigma, s.weight, 0.0) for m, s in zip(fit.implied, samples, strict=True)]
    here = evaluate(fit.model, shares, fit.x)
    assert here is not None
    information = expected_information(fit.model, shares, here)
    x, done = search_many(fit.model, samples, linear, fit.x, information)
    for r in range(len(x)) if limits.any else np.flatnonzero(~done):
        if not (done[r] and limits.hold(linear.reduce(x[r]))):
            x[r] = _alone(fit, samples, int(r), limits)
    return x


def _alone(fit: StructuralEstimates, samples: Sequence[ManyMoments], r: int, limits: Limits) -> Floats:
    """Return the parameters of one sample by the search for single samples."""
    dets = [np.linalg.slogdet(s.cov[r]) for s in samples]
    if any(sign <= 0 for sign, _ in dets):
        return np.full(fit.x.size, np.nan)
    single = [SampleMoments(s.mean[r], s.cov[r], s.weight, float(d[1])) for s, d in zip(samples, dets, strict=True)]
    linear = fit.constraints.linear
    if limits.any:
        found = search_limited(fit.model, single, linear, fit.x, None, limits, float(fit.sample.n))
    else:
        found = search(fit.model, single, linear, fit.x)
    return found.point.x if found is not None and found.converged else np.full(fit.x.size, np.nan)
