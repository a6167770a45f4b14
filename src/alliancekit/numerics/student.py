"""Student's t and the normal distribution by the standard library alone: a first fit prints without loading scipy.

The tail of t is an incomplete beta function, by its continued fraction (Abramowitz & Stegun 1964, 26.5.8 and 26.7.1);
for many degrees of freedom a normal deviate is as exact (Hill 1970, Commun ACM 13, 617-619, algorithm 395).
Quantiles are found by Newton's method on the logarithms of tail and deviate, where the tail is concave.
"""

from __future__ import annotations

import math

MANY = 20_000.0  # degrees of freedom from which the normal deviate of Hill is used
_TERMS, _EXACT, _TINY = 10_000, 1e-16, 1e-300


def both_tails(t: float, df: float) -> float:
    """Return P(|T| > |t|) for Student's t; infinite df is the normal distribution; nan where df is not positive.

    Examples
    --------
    >>> round(both_tails(2.0, 10.0), 6)
    0.073388
    """
    t = abs(t)
    if math.isnan(t) or not df > 0:
        return math.nan
    if t == 0 or math.isinf(t):
        return float(t == 0)
    if df > MANY:
        return math.erfc(_hill(t, df) / math.sqrt(2.0))
    a = df / 2
    x = df / (df + t * t)
    front = math.exp(-a * math.log1p(t * t / df)) * t / math.hypot(math.sqrt(df), t)
    front *= _gamma_ratio(a) / math.sqrt(math.pi)
    if x < (a + 1) / (a + 2.5):
        return front * _fraction(x, a, 0.5) / a
    return 1.0 - 2.0 * front * _fraction(t * t / (df + t * t), 0.5, a)


def quantile(probability: float, df: float) -> float:
    """Return the quantile of Student's t; infinite df is the normal distribution.

    Examples
    --------
    >>> round(quantile(0.975, 10.0), 6), round(quantile(0.975, math.inf), 6)
    (2.228139, 1.959964)
    """
    if not 0 <= probability <= 1 or not df > 0:
        return math.nan
    if probability in (0.0, 0.5, 1.0):
        return 0.0 if probability == 0.5 else math.copysign(math.inf, probability - 0.5)
    sign = math.copysign(1.0, probability - 0.5)
    tails = 2.0 * min(probability, 1.0 - probability)
    u, target = 0.0, math.log(tails)
    for _ in range(100):
        t = math.exp(u)
        here = both_tails(t, df)
        if here <= 0:  # beyond what a number can hold
            u -= 1.0
            continue
        step = (math.log(here) - target) * here / (2.0 * _density(t, df) * t)
        u += max(-2.0, min(2.0, step))
        if abs(step) < 4e-16:
            break
    return sign * math.exp(u)


def _density(t: float, df: float) -> float:
    if math.isinf(df):
        return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    scale = _gamma_ratio(df / 2) / math.sqrt(math.pi * df)
    return scale * math.exp(-(df + 1) / 2 * math.log1p(t * t / df))


def _gamma_ratio(a: float) -> float:
    """Return Gamma(a + 1/2) / Gamma(a); for large a by its expansion, which does not lose digits."""
    if a < 100:
        return math.exp(math.lgamma(a + 0.5) - math.lgamma(a)) if a > 20 else math.gamma(a + 0.5) / math.gamma(a)
    r = 1.0 / a
    series = 1.0 + r * (-1 / 8 + r * (1 / 128 + r * (5 / 1024 + r * (-21 / 32768 + r * (-399 / 262144)))))
    return math.sqrt(a) * series


def _hill(t: float, df: float) -> float:
    """Return the normal deviate with the same tail."""
    if math.isinf(df):
        return t
    a = df - 0.5
    b = 48.0 * a * a
    y = a * math.log1p(t * t / df)
    inner = ((((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b) + y + 3.0) / b + 1.0
    return inner * math.sqrt(y)


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    out = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d, c = 1.0 + term * d, 1.0 + term / c
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            out *= d * c
        if abs(d * c - 1.0) < _EXACT:
            break
    return out
