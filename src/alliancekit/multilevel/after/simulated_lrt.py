"""The likelihood-ratio test whose reference distribution is simulated from the smaller model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.core.executor import run_all
from alliancekit.multilevel.after.bootstrap import Seed, fit_many, seeds_in_pieces
from alliancekit.multilevel.after.simulate import draw
from alliancekit.multilevel.gaussian.fit import GaussianFit

Floats = NDArray[np.float64]


def bootstrap_p(
    smaller: GaussianFit, larger: GaussianFit, n: int, seed: Seed, executor: str = "serial", workers: int = 2
) -> tuple[float, int]:
    """Return the p value of the test of the smaller against the larger model, both by ML, and the replicates used.

    Outcomes are simulated from the smaller model; p = (1 + statistics that reach the observed one) / (1 + all of them).
    It is right also where a variance is tested, whose null value lies on the boundary.

    Source: Halekoh & Hojsgaard (2014), J Stat Softw 59(9), section 5; Davison & Hinkley (1997), eq. 4.11.
    """
    observed = max(2.0 * (larger.log_likelihood - smaller.log_likelihood), 0.0)
    pieces = seeds_in_pieces(smaller, n, seed)
    task = partial(_statistics, smaller, larger)
    found = run_all(task, pieces, executor=executor, workers=workers, description="bootstrap test")
    statistics = np.concatenate(found)
    statistics = np.maximum(statistics[np.isfinite(statistics)], 0.0)
    if not statistics.size:
        raise FitError(message("no replicate of the bootstrap could be fitted", do="Use method='standard'"))
    reached = int((statistics >= observed - 1e-9 * max(1.0, observed)).sum())
    return (1 + reached) / (1 + statistics.size), int(statistics.size)


def _statistics(smaller: GaussianFit, larger: GaussianFit, seeds: Sequence[np.random.SeedSequence]) -> Floats:
    """Return the likelihood-ratio statistic of each simulated outcome; nan where a model could not be fitted."""
    Y = draw(smaller, seeds)
    return 2.0 * (fit_many(larger, Y).log_likelihood - fit_many(smaller, Y).log_likelihood)
