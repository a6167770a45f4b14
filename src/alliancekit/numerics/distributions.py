"""Tail areas and quantiles, from ``scipy.special`` alone (``scipy.stats`` takes most of a second to import).

Where df are missing, so is the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def t_two_sided(statistic: ArrayLike, df: ArrayLike) -> Floats:
    """Return the two-sided p value of t statistics; infinite df is the normal distribution."""
    t, nu = np.broadcast_arrays(np.abs(np.asarray(statistic, float)), np.asarray(df, float))
    normal = 2.0 * special.ndtr(-t)
    with np.errstate(invalid="ignore"):
        student = 2.0 * special.stdtr(np.where(np.isinf(nu), 1.0, nu), -t)
    return _floats(np.where(np.isinf(nu), normal, student))


def t_quantile(probability: float, df: ArrayLike) -> Floats:
    """Return the quantile of Student's t; infinite df is the normal distribution."""
    nu = np.asarray(df, float)
    finite = np.where(np.isinf(nu), 1.0, nu)
    return _floats(np.where(np.isinf(nu), special.ndtri(probability), special.stdtrit(finite, probability)))


def chi2_upper(statistic: ArrayLike, df: ArrayLike) -> Floats:
    """Return the upper tail area of the chi-square distribution; df = 0 gives a point mass at zero."""
    x, k = np.broadcast_arrays(np.asarray(statistic, float), np.asarray(df, float))
    point = np.where(x > 0, 0.0, 1.0)
    return _floats(np.where(k == 0, point, special.chdtrc(np.where(k == 0, 1.0, k), np.maximum(x, 0.0))))


def f_upper(statistic: ArrayLike, df1: ArrayLike, df2: ArrayLike) -> Floats:
    """Return the upper tail area of the F distribution; infinite df2 is chi-square / df1."""
    x, k1, k2 = np.broadcast_arrays(*(np.asarray(a, float) for a in (statistic, df1, df2)))
    limit = special.chdtrc(k1, np.maximum(x * k1, 0.0))
    finite = np.where(np.isinf(k2), 1.0, k2)
    return _floats(np.where(np.isinf(k2), limit, special.fdtrc(k1, finite, np.maximum(x, 0.0))))


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return float(special.ndtri(probability))


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
