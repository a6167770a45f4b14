"""The likelihood-ratio test whose reference distribution is simulated from the smaller model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.multilevel.after import generalised_simulate
from alliancekit.multilevel.after.bootstrap import FEWEST, Seed, fit_many, seeds_in_pieces
from alliancekit.multilevel.after.simulate import check_count, draw
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.generalised.fit import GeneralisedFit

AnyFit = GaussianFit | GeneralisedFit
Floats = NDArray[np.float64]


def bootstrap_p(
    smaller: AnyFit, larger: AnyFit, n: int, seed: Seed, executor: str = "serial", workers: int = 2
) -> tuple[float, int]:
    """Return the p value of the test of the smaller against the larger model, both by ML, and the replicates used.

    Outcomes are simulated from the smaller model; p = (1 + statistics that reach the observed one) / (1 + all of them).
    It is right also where a variance is tested, whose null value lies on the boundary.

    Source: Halekoh & Hojsgaard (2014), J Stat Softw 59(9), section 5; Davison & Hinkley (1997), eq. 4.11.
    """
    observed = max(2.0 * (larger.log_likelihood - smaller.log_likelihood), 0.0)
    pieces = _pieces(smaller, n, seed)
    task = partial(_statistics, smaller, larger)
    found = run_all(task, pieces, executor=executor, workers=workers, description="bootstrap test")
    statistics = np.concatenate(found)
    statistics = np.maximum(statistics[np.isfinite(statistics)], 0.0)
    if not statistics.size:
        raise FitError(message("no replicate of the bootstrap could be fitted", do="Use method='standard'"))
    reached = int((statistics >= observed - 1e-9 * max(1.0, observed)).sum())
    return (1 + reached) / (1 + statistics.size), int(statistics.size)


def _pieces(fit: AnyFit, n: int, seed: Seed) -> list[list[np.random.SeedSequence]]:
    """Return the seeds of n replicates, in pieces that are fitted together."""
    if isinstance(fit, GaussianFit):
        return seeds_in_pieces(fit, n, seed)
    seeds, size = spawn(seed, check_count(n, FEWEST)), generalised_simulate.TOGETHER
    return [seeds[i : i + size] for i in range(0, len(seeds), size)]


def _statistics(smaller: AnyFit, larger: AnyFit, seeds: Sequence[np.random.SeedSequence]) -> Floats:
    """Return the likelihood-ratio statistic of each simulated outcome; nan where a model could not be fitted."""
    Y = generalised_simulate.draw(smaller, seeds) if isinstance(smaller, GeneralisedFit) else draw(smaller, seeds)
    return 2.0 * (_log_likelihoods(larger, Y) - _log_likelihoods(smaller, Y))


def _log_likelihoods(fit: AnyFit, Y: Floats) -> Floats:
    if isinstance(fit, GeneralisedFit):
        return generalised_simulate.refits(fit, Y).log_likelihood
    return fit_many(fit, Y).log_likelihood
