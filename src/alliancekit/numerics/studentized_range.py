"""The studentized range: tail area and quantile, by quadrature (``scipy.stats`` takes most of a second to import).

Q = (largest - smallest of k standard normals) / s, where nu s^2 is chi-square with nu degrees of freedom.

    P(Q > q) = integral over s of f_nu(s) P(range > q s)
    P(range > r) = k integral of phi(z) [Phi(z)^(k-1) - (Phi(z) - Phi(z - r))^(k-1)] dz

Both integrands are positive, so that a small tail area keeps its relative accuracy. The outer one is integrated over
log s, where it is analytic and falls off at both ends, by the trapezoid rule.

Source: Copenhaver & Holland (1988), J Stat Comput Simul 30, 1-15, for the two integrals.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_REACH = 8.5  # standard normal densities beyond this are below 1e-16
_INNER, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_OUTER = 160


def studentized_range_upper(q: float, k: float, df: float) -> float:
    """Return P(Q > q) for k means and df degrees of freedom; infinite df is the range of standard normals.

    Parameters
    ----------
    q : value, 0 or more. k : number of means, 2 or more; need not be whole. df : above 0; may be infinite.

    Examples
    --------
    >>> round(studentized_range_upper(3.5, 3, 20), 6)
    0.055892
    """
    if not q > 0:
        return 1.0
    if np.isinf(df):
        return float(_range_upper(np.array([q]), k)[0])
    low, high = -40.0 / min(df, 40.0) - np.log1p(q), np.log1p(8.0 / np.sqrt(df)) + 0.5
    for _ in range(3):  # large df make a narrow peak: look closer and closer
        u = np.linspace(low, high, _OUTER)
        height = _log_scale_density(u, df) + _log_bound(q * np.exp(u), k)
        inside = np.flatnonzero(height > height.max() - 42.0)
        step = u[1] - u[0]
        low, high = u[inside[0]] - step, u[inside[-1]] + step
    u = np.linspace(low, high, _OUTER)
    values = np.exp(_log_scale_density(u, df)) * _range_upper(q * np.exp(u), k)
    return float(min(values.sum() * (u[1] - u[0]), 1.0))


def studentized_range_quantile(probability: float, k: float, df: float) -> float:
    """Return the q with P(Q <= q) = probability, by regula falsi on the log of the upper tail.

    Examples
    --------
    >>> round(studentized_range_quantile(0.95, 3, 20), 4)
    3.5779
    """
    goal = float(np.log1p(-probability))

    return falling_root(lambda q: float(np.log(studentized_range_upper(q, k, df))) - goal)


def falling_root(gap: Callable[[float], float]) -> float:
    """Return the positive root of a falling function: bracketed by doubling, then regula falsi (Illinois variant)."""
    low, high = 1.0, 1.0
    while gap(high) > 0 and high < 1e12:
        low, high = high, 2 * high
    while gap(low) < 0 and low > 1e-12:
        low, high = low / 2, low
    at_low, at_high = gap(low), gap(high)
    for _ in range(200):
        if at_low == at_high or abs(high - low) <= 1e-13 * abs(high):
            break
        middle = high - at_high * (high - low) / (at_high - at_low)
        value = gap(middle)
        if value * at_high < 0:
            low, at_low = high, at_high
        else:
            at_low /= 2
        high, at_high = middle, value
        if value == 0:
            break
    return high


def _log_scale_density(u: Floats, df: float) -> Floats:
    """Return the log density of log s, where df s^2 is chi-square with df degrees of freedom."""
    half = df / 2
    stirling = half * np.log(half) - half - 0.5 * np.log(half / (2 * np.pi))
    excess = special.gammaln(half) - stirling if half < 1e3 else 1 / (12 * half)
    out: Floats = np.log(2.0) + 0.5 * np.log(half / (2 * np.pi)) - excess - half * (np.expm1(2 * u) - 2 * u)
    return out


def _log_bound(r: Floats, k: float) -> Floats:
    """Return the log of an upper bound of P(range > r): where the integrand matters, not how large it is."""
    return np.asarray(np.minimum(0.0, np.log(k * k) + special.log_ndtr(-r / np.sqrt(2.0))))


def _range_upper(r: Floats, k: float) -> Floats:
    """Return P(range of k standard normals > r) for each r, by Gauss-Legendre quadrature over the largest of them."""
    low = np.where(r > 2 * _REACH, r - _REACH, -_REACH)
    high = np.maximum(_REACH, low + 2 * _REACH)
    middle, half = (low + high) / 2, (high - low) / 2
    z = middle[:, None] + half[:, None] * _INNER
    largest = special.log_ndtr(z)
    share = np.exp(np.minimum(special.log_ndtr(z - r[:, None]) - largest, 0.0))
    with np.errstate(divide="ignore"):
        lost = -np.expm1((k - 1) * np.log1p(-share))
    density = np.exp(-0.5 * z**2 + (k - 1) * largest) / np.sqrt(2 * np.pi)
    out: Floats = np.minimum(k * half * ((density * lost) @ _WEIGHTS), 1.0)
    return out
