"""Tail areas and quantiles. ``scipy.stats`` takes most of a second to import, ``scipy.special`` a tenth: neither is
loaded for a table with t or normal statistics. Where df are missing, so is the answer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.later import Later
from alliancekit.numerics.student import both_tails, quantile

if TYPE_CHECKING:
    from scipy import special
else:
    special = Later("scipy.special")

Floats = NDArray[np.float64]


def t_two_sided(statistic: ArrayLike, df: ArrayLike) -> Floats:
    """Return the two-sided p value of t statistics; infinite df is the normal distribution."""
    t, nu = np.broadcast_arrays(np.asarray(statistic, float), np.asarray(df, float))
    return _floats([both_tails(a, b) for a, b in zip(t.ravel().tolist(), nu.ravel().tolist(), strict=True)], t.shape)


def t_quantile(probability: float, df: ArrayLike) -> Floats:
    """Return the quantile of Student's t; infinite df is the normal distribution."""
    nu = np.asarray(df, float)
    return _floats([quantile(probability, b) for b in nu.ravel().tolist()], nu.shape)


def chi2_upper(statistic: ArrayLike, df: ArrayLike) -> Floats:
    """Return the upper tail area of the chi-square distribution; df = 0 gives a point mass at zero."""
    x, k = np.broadcast_arrays(np.asarray(statistic, float), np.asarray(df, float))
    point = np.where(x > 0, 0.0, 1.0)
    area = special.chdtrc(np.where(k == 0, 1.0, k), np.maximum(x, 0.0))
    return _floats(np.where(k == 0, point, area), x.shape)


def f_upper(statistic: ArrayLike, df1: ArrayLike, df2: ArrayLike) -> Floats:
    """Return the upper tail area of the F distribution; infinite df2 is chi-square / df1."""
    x, k1, k2 = np.broadcast_arrays(*(np.asarray(a, float) for a in (statistic, df1, df2)))
    limit = special.chdtrc(k1, np.maximum(x * k1, 0.0))
    finite = np.where(np.isinf(k2), 1.0, k2)
    area = special.fdtrc(k1, finite, np.maximum(x, 0.0))
    return _floats(np.where(np.isinf(k2), limit, area), x.shape)


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return quantile(probability, math.inf)


def normal_upper(statistic: ArrayLike) -> Floats:
    """Return the upper tail area of the standard normal distribution."""
    values = np.asarray(statistic, float)
    return _floats(special.ndtr(-values), values.shape)


def _floats(values: Any, shape: tuple[int, ...]) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(shape)
