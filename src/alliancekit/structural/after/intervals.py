"""Standard errors and limits of one number from its replicates, and its acceleration from a jackknife.

Source: Efron (1987), J Am Stat Assoc 82, 171-185; DiCiccio & Efron (1996), Stat Sci 11, 189-228; Davison & Hinkley
(1997), Bootstrap methods and their application, equations 5.8 and 5.21.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
INTERVALS = ("percentile", "basic", "normal", "bca", "bca.simple")
LAVAAN = {"perc": "percentile", "norm": "normal", "bca_simple": "bca.simple"}


def summary(
    estimate: float, drawn: Floats, interval: str, level: float, acceleration: float = 0.0
) -> tuple[float, ...]:
    """Return estimate, bias, standard error and limits of one number from its finite replicates.

    acceleration : of "bca", by which its standard error changes with its true value.
    """
    values = np.sort(drawn[np.isfinite(drawn)])
    if values.size < 2:
        return (float(estimate), *[float("nan")] * 4)
    bias, error = float(values.mean() - estimate), float(values.std(ddof=1))
    ends = np.array([(1 - level) / 2, (1 + level) / 2])
    if interval == "normal":
        reach = float(ndtri((1 + level) / 2)) * error
        low, high = estimate - bias - reach, estimate - bias + reach
    elif interval.startswith("bca") and values[0] < values[-1]:
        low, high = _corrected(values, float((values < estimate).mean()), ends, acceleration)
    else:
        low, high = _quantiles(values, ends)
        if interval == "basic":
            low, high = 2 * estimate - high, 2 * estimate - low
    return float(estimate), bias, error, float(low), float(high)


def _quantiles(values: Floats, shares: Floats) -> Floats:
    """Return quantiles of sorted values, the share k / (R + 1) being that of the k-th."""
    count = len(values)
    rank = (count + 1) * shares
    below = np.clip(np.floor(rank + 1e-9), 1, count)
    above = np.minimum(below + 1, count)
    ends = [np.asarray(ndtri(part / (count + 1))) for part in (below, above)]
    inside = (rank > below) & (below < above)
    aim = np.asarray(ndtri(np.where(inside, shares, 0.5)))
    part = np.where(inside, (aim - ends[0]) / np.where(below < above, ends[1] - ends[0], 1.0), 0.0)
    first, second = values[below.astype(int) - 1], values[above.astype(int) - 1]
    return np.asarray(first + part * (second - first))


def _corrected(values: Floats, below: float, ends: Floats, acceleration: float) -> Floats:
    """Return quantiles corrected for bias and acceleration; none where all replicates are on one side."""
    none = np.full(2, np.nan)
    if not 0.0 < below < 1.0:
        return none
    shift = float(ndtri(below))
    moved = shift + np.asarray(ndtri(ends))
    slow = 1.0 - acceleration * moved
    if not (slow > 0).all():
        return none
    return _quantiles(values, np.asarray(ndtr(shift + moved / slow)))


def accelerations(parts: Sequence[Floats]) -> Floats:
    """Return the acceleration of each number (K,) from its values (units, K) without one unit of each group.

    A sixth of the skewness of what the units pull the number by; a unit whose fit failed pulls by nothing.
    """
    pulls = [(len(part) - 1) / len(part) * (np.nanmean(part, axis=0) - part) for part in parts]
    pull = np.nan_to_num(np.concatenate(pulls))
    size = np.abs(pull).max(axis=0)
    pull = pull / np.where(size > 0, size, 1.0)
    spread = (pull**2).sum(axis=0)
    return np.asarray((pull**3).sum(axis=0) / (6.0 * np.where(spread > 0, spread, 1.0) ** 1.5))
