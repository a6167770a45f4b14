"""Cronbach's alpha and item statistics from the covariance matrix of the items.

alpha = p / (p - 1) * (1 - trace(C) / sum(C)) (Cronbach 1951, Psychometrika 16, 297-334); its limits follow from
(1 - alpha_population) / (1 - alpha) ~ F(n - 1, (n - 1)(p - 1)) (Feldt, Woodruff & Salih 1987, Applied Psychological
Measurement 11, 93-103, eq. 5), exact for parallel normal items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

Floats = NDArray[np.float64]


def cronbach_alpha(C: Floats) -> float:
    """Return alpha of the sum of the items, from their covariance matrix of shape (p, p)."""
    p = len(C)
    return float(p / (p - 1) * (1.0 - np.trace(C) / C.sum()))


def standardised(C: Floats) -> Floats:
    """Return the correlation matrix of a covariance matrix."""
    sd = np.sqrt(np.diag(C))
    return np.asarray(C / np.outer(sd, sd))


def feldt_interval(alpha: float, n: int, p: int, level: float) -> tuple[float, float]:
    """Return the limits of alpha for n persons and p items."""
    df1, df2 = n - 1.0, (n - 1.0) * (p - 1.0)
    low = 1.0 - (1.0 - alpha) * float(fdtri(df1, df2, (1.0 + level) / 2.0))
    high = 1.0 - (1.0 - alpha) * float(fdtri(df1, df2, (1.0 - level) / 2.0))
    return low, high


def item_rest_correlations(C: Floats) -> Floats:
    """Return each item's correlation with the sum of the other items, shape (p,), from their covariances."""
    own, with_all = np.diag(C), C.sum(axis=1)
    rest_variance = C.sum() - 2.0 * with_all + own
    return np.asarray((with_all - own) / np.sqrt(own * rest_variance))


def alpha_without_each(C: Floats) -> Floats:
    """Return alpha of the other items as each item is left out, shape (p,); NaN with two items."""
    p = len(C)
    if p < 3:
        return np.full(p, np.nan)
    kept = [np.delete(np.arange(p), i) for i in range(p)]
    return np.array([cronbach_alpha(C[np.ix_(k, k)]) for k in kept])


def mean_correlation(C: Floats) -> float:
    """Return the mean correlation between different items."""
    R = standardised(C)
    p = len(R)
    return float((R.sum() - p) / (p * (p - 1)))
