"""Bootstrap of structural models: rows drawn again, within groups; all samples fitted together.

Moments of the samples are one matrix product: how often each row was drawn, times the products of its values.
Source: Efron & Tibshirani (1993), An introduction to the bootstrap, chapters 6 and 13; MacKinnon, Lockwood & Williams
(2004), Multivariate Behav Res 39, 99-128 (indirect effects).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, check_option, message
from alliancekit.core.seeds import spawn
from alliancekit.numerics.distributions import normal_quantile
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.continuous.batch import ManyMoments, search_many
from alliancekit.structural.continuous.fit import fit_complete
from alliancekit.structural.continuous.objective import SampleMoments, evaluate, expected_information
from alliancekit.structural.continuous.optimise import search, search_limited
from alliancekit.structural.duplication import triangle
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.table import number

Floats = NDArray[np.float64]
PIECE = 250
INTERVALS = ("percentile", "basic", "normal")


@dataclass(frozen=True, eq=False, slots=True)
class StructuralBootstrap:
    """Replicates of a structural model.

    Attributes
    ----------
    names : of the parameters and definitions. estimates : (K,) of the sample. replicates : (R, K), those that
        converged. asked : how many were drawn. seed : of the draws.
    """

    names: tuple[str, ...]
    estimates: Floats
    replicates: Floats
    asked: int
    seed: int

    def tidy(self, interval: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return term, estimate, bias, std_error, conf_low and conf_high of each parameter and definition.

        Raises
        ------
        SpecError : ``interval`` is not "percentile", "basic" or "normal", or ``level`` not between 0 and 1.
        """
        check_option("interval", interval, INTERVALS)
        if not 0 < level < 1:
            raise SpecError(message(f"level={level!r} is not a confidence level", do="Give a number such as 0.95"))
        error = self.replicates.std(axis=0, ddof=1)
        low, high = np.quantile(self.replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
        bias = self.replicates.mean(axis=0) - self.estimates
        if interval == "basic":
            low, high = 2 * self.estimates - high, 2 * self.estimates - low
        elif interval == "normal":
            reach = normal_quantile((1 + level) / 2) * error
            low, high = self.estimates - bias - reach, self.estimates - bias + reach
        frame = pd.DataFrame(
            {
                "term": list(self.names),
                "estimate": self.estimates,
                "bias": bias,
                "std_error": error,
                "conf_low": low,
                "conf_high": high,
            }
        )
        frame.attrs.update(interval=interval, level=level, replicates=len(self.replicates), seed=self.seed)
        return frame

    def glance(self) -> pd.DataFrame:
        """Return one row: replicates asked for, replicates used, seed."""
        return pd.DataFrame([{"asked": self.asked, "used": len(self.replicates), "seed": self.seed}])

    def __repr__(self) -> str:
        lost = self.asked - len(self.replicates)
        note = f"{len(self.replicates)} bootstrap samples, seed {self.seed}"
        note += f"; {lost} did not converge and are left out" if lost else ""
        return f"{self.tidy().to_string(index=False)}\n{note}"


def bootstrap(fit: StructuralEstimates, n: int, seed: int) -> StructuralBootstrap:
    """Return ``n`` replicates of a fit by maximum likelihood of complete data; see ``StructuralFit.bootstrap``."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise SpecError(message(f"n={n!r} is not a number of samples", do="Give a whole number such as 1000"))
    complete = fit.engine == "moments" and all(group.rows is not None for group in fit.sample.groups)
    if not complete:
        what = "the bootstrap is for maximum likelihood of complete rows"
        raise SpecError(message(what, do='For missing values and clusters take estimator="MLR"'))
    names = (*fit.table.names(), *fit.constraints.definitions)
    drawn, places = _with_drawn_covariates(fit)
    sources = spawn(seed, n)
    found = []
    for at in range(0, n, PIECE):
        found.append(_piece(drawn, sources[at : at + PIECE]))
    x = np.concatenate(found)[:, places]
    x = x[np.isfinite(x).all(axis=1)]
    if len(x) < max(n // 2, 2):
        raise FitError(message(f"only {len(x)} of {n} bootstrap samples could be fitted", do="Simplify the model"))
    return StructuralBootstrap(names, _with_definitions(fit, fit.x[None])[0], _with_definitions(fit, x), n, seed)


def add_replicates(fit: StructuralEstimates, n: int, seed: int) -> StructuralEstimates:
    """Return a fit with replicates, and with their covariances as those of its parameters."""
    found = bootstrap(fit, n, seed)
    vcov = np.atleast_2d(np.cov(found.replicates[:, : fit.x.size].T))
    return replace(fit, vcov=vcov, replicates=found)


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


def _with_definitions(fit: StructuralEstimates, x: Floats) -> Floats:
    values = fit.constraints.values(x)
    more = [np.broadcast_to(e.evaluate(values), len(x)) for e in fit.constraints.definitions.values()]
    return np.column_stack([x, *more])


def _piece(fit: StructuralEstimates, sources: list[np.random.SeedSequence]) -> Floats:
    """Return the parameters of some samples, (R, size); NaN where the search failed."""
    total = float(sum(group.n for group in fit.sample.groups))
    unbiased = fit.options.likelihood == "wishart"
    samples = []
    draws = [np.random.default_rng(source) for source in sources]
    for group in fit.sample.groups:
        assert group.rows is not None
        counts = np.stack([np.bincount(rng.integers(0, group.n, group.n), minlength=group.n) for rng in draws])
        p = len(group.names)
        rows = group.rows - group.mean
        i, j = triangle(p)
        sums = counts @ np.hstack([rows, rows[:, i] * rows[:, j]]) / group.n
        mean = sums[:, :p]
        cov = np.empty((len(draws), p, p))
        cov[:, i, j] = cov[:, j, i] = sums[:, p:] - mean[:, i] * mean[:, j]
        cov *= group.n / (group.n - 1) if unbiased else 1.0
        samples.append(ManyMoments(mean + group.mean, cov, group.n / total))
    start = fit.x
    found = evaluate(fit.model, [SampleMoments(m.mu, m.sigma, 1.0, 0.0) for m in fit.implied], start)
    assert found is not None
    shares = [SampleMoments(m.mu, m.sigma, s.weight, 0.0) for m, s in zip(fit.implied, samples, strict=True)]
    x, done = search_many(
        fit.model, samples, fit.constraints.linear, start, expected_information(fit.model, shares, found)
    )
    limits = Limits(fit.table, fit.constraints)
    for r in np.flatnonzero(~done) if not limits.any else range(len(x)):
        if not (done[r] and limits.hold(fit.constraints.linear.reduce(x[r]))):
            x[r] = _alone(fit, samples, int(r), limits)
    return x


def _alone(fit: StructuralEstimates, samples: list[ManyMoments], r: int, limits: Limits) -> Floats:
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
