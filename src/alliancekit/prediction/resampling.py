"""Bootstrap of whole clusters, with percentile and bias-corrected and accelerated (BCa) intervals.

BCa: Efron (1987), Journal of the American Statistical Association 82, 171-185; the acceleration comes from the
jackknife that leaves out one cluster at a time (Field & Welsh 2007, JRSS-B 69, 369-390, on resampling clusters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from alliancekit.core.executor import run_all
from alliancekit.core.seeds import generator, spawn
from alliancekit.prediction.moments import Floats

CHUNK = 500


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What a statistic is in the sample, in each resample of clusters, and without each cluster.

    Attributes
    ----------
    estimate : shape (S,).
    resampled : shape (B, S).
    jackknifed : shape (G, S).
    """

    estimate: Floats
    resampled: Floats
    jackknifed: Floats


@dataclass(frozen=True, slots=True)
class _Task:
    statistic: Callable[[Floats], Floats]
    seed: np.random.SeedSequence
    size: int
    n_clusters: int


def _draw(task: _Task) -> Floats:
    rng = generator(task.seed)
    shares = np.full(task.n_clusters, 1.0 / task.n_clusters)
    return task.statistic(rng.multinomial(task.n_clusters, shares, size=task.size).astype(np.float64))


def resample_clusters(
    statistic: Callable[[Floats], Floats], n_clusters: int, *, resamples: int, seed: int, executor: str = "serial"
) -> Draws:
    """Return a statistic of resampled clusters.

    Parameters
    ----------
    statistic : picklable function of weights (B, G), how often each cluster is drawn, that returns (B, S).
    n_clusters : number of clusters G.
    resamples : number of resamples B; 0 gives none.
    seed : root seed; each 500 resamples have their own stream, so the executor does not change a digit.
    executor : "serial" or "joblib".
    """
    sizes = [CHUNK] * (resamples // CHUNK) + ([resamples % CHUNK] if resamples % CHUNK else [])
    seeds = spawn(seed, len(sizes)) if sizes else []
    tasks = [_Task(statistic, s, size, n_clusters) for s, size in zip(seeds, sizes, strict=True)]
    chunks = run_all(_draw, tasks, executor=executor, description="resampling clusters")
    estimate = statistic(np.ones((1, n_clusters)))[0]
    resampled = np.vstack(chunks) if chunks else np.empty((0, len(estimate)))
    leave_one_out = np.ones((n_clusters, n_clusters)) - np.eye(n_clusters)
    jackknifed = np.vstack([statistic(part) for part in np.array_split(leave_one_out, -(-n_clusters // CHUNK))])
    return Draws(estimate, resampled, jackknifed)


def interval(draws: Draws, column: int, level: float) -> tuple[float, float, str]:
    """Return the limits of one statistic and the method: "bca", "percentile" (where BCa does not exist) or "none".

    BCa does not exist where every resample lies on one side of the estimate, or where leaving out a cluster never
    changes it.
    """
    values = draws.resampled[:, column]
    values = values[np.isfinite(values)]
    if values.size < 2:
        return np.nan, np.nan, "none"
    tails = np.array([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    adjusted = _bca_tails(draws, column, values, tails)
    used, method = (tails, "percentile") if adjusted is None else (adjusted, "bca")
    low, high = np.quantile(values, used)
    return float(low), float(high), method


def _bca_tails(draws: Draws, column: int, values: Floats, tails: Floats) -> Floats | None:
    estimate = draws.estimate[column]
    below = ((values < estimate).sum() + 0.5 * (values == estimate).sum()) / values.size
    left_out = draws.jackknifed[:, column]
    left_out = left_out[np.isfinite(left_out)]
    deviations = left_out.mean() - left_out if left_out.size else np.zeros(1)
    spread = float((deviations**2).sum())
    if not 0.0 < below < 1.0 or not spread > 0.0:
        return None
    acceleration = float((deviations**3).sum()) / (6.0 * spread**1.5)
    shift = ndtri(below)
    z = shift + ndtri(tails)
    denominator = 1.0 - acceleration * z
    if (denominator <= 0.0).any():
        return None
    return np.asarray(ndtr(shift + z / denominator), dtype=np.float64)
