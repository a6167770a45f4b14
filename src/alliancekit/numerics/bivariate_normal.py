"""The bivariate standard normal distribution, of arrays of points and correlations.

Up to a correlation of .925 the distribution function is the independent one plus the density integrated over the
correlation; beyond that it is the singular one less the rest of that integral, of which three terms are known in closed
form (Drezner & Wesolowsky 1990, J Stat Comput Simul 35, 101-107; Genz 2004, Stat Comput 14, 251-260).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

NODES: dict[int, tuple[Floats, Floats]] = {k: np.polynomial.legendre.leggauss(k) for k in (6, 12, 20)}
HIGH = 0.925
FAR = 9.5
"""Points further out than this are beyond any difference in double precision."""
TWO_PI = 2.0 * np.pi


def bivariate_normal_density(x: Floats, y: Floats, rho: Floats) -> Floats:
    """Return the density at (x, y), correlation rho (all broadcast together); zero where a point is infinite."""
    left = 1.0 - rho * rho
    known = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    found = np.exp(-(x * x - 2.0 * rho * x * y + y * y) / (2.0 * left)) / (TWO_PI * np.sqrt(left))
    return np.asarray(np.where(known, found, 0.0))


def bivariate_normal_cdf(x: Floats, y: Floats, rho: Floats) -> Floats:
    """Return P(X <= x, Y <= y) of standard normal variables with correlation rho, all broadcast together.

    Points may be infinite; |rho| <= 1. Absolute error below 1e-14.
    """
    h, k, r = np.broadcast_arrays(
        np.clip(np.asarray(x, dtype=np.float64), -FAR, FAR),
        np.clip(np.asarray(y, dtype=np.float64), -FAR, FAR),
        np.asarray(rho, dtype=np.float64),
    )
    size = np.abs(r)
    largest = float(size.max(initial=0.0))
    if largest <= 0.3:
        return _low(h, k, r, 6)
    if largest <= 0.75:
        return _low(h, k, r, 12)
    out = np.empty(h.shape)
    for mask, nodes in ((size <= 0.3, 6), ((size > 0.3) & (size <= 0.75), 12), ((size > 0.75) & (size <= HIGH), 20)):
        if mask.any():
            out[mask] = _low(h[mask], k[mask], r[mask], nodes)
    high = size > HIGH
    if high.any():
        out[high] = _high(h[high], k[high], r[high])
    return out


def _low(h: Floats, k: Floats, r: Floats, nodes: int) -> Floats:
    """Integrate the density from independence; the angle whose sine is the correlation is the variable."""
    places, weights = NODES[nodes]
    half = np.arcsin(r) / 2.0
    sine = np.sin(half[..., None] * (places + 1.0))
    left = 1.0 - sine * sine
    squares = ((h * h + k * k) / 2.0)[..., None]
    inner = np.exp(((h * k)[..., None] * sine - squares) / left)
    return np.asarray(np.clip(ndtr(h) * ndtr(k) + half / TWO_PI * (inner @ weights), 0.0, 1.0))


def _high(h: Floats, k: Floats, r: Floats) -> Floats:
    """Take what is missing to a correlation of one (or minus one) off the singular distribution."""
    turned = np.where(r < 0, -k, k)
    rest = _missing_part(h, turned, np.sqrt(np.maximum((1.0 - r) * (1.0 + r), 0.0)))
    positive = ndtr(np.minimum(h, turned)) - rest
    negative = np.maximum(ndtr(h) - ndtr(turned), 0.0) + rest
    return np.asarray(np.clip(np.where(r < 0, negative, positive), 0.0, 1.0))


def _missing_part(h: Floats, k: Floats, a: Floats) -> Floats:
    """Return the density integrated over correlations above r, where a = sqrt(1 - r^2).

    The integrand exp(-b^2 / 2x^2) g(x), b = h - k, is integrated by hand with g to the fourth power of x, and by nodes
    for what is left of g.
    """
    safe = np.maximum(a, 1e-100)  # its square is not zero; no a but zero is below 1e-8
    product, b2 = h * k, (h - k) ** 2
    c, d = (4.0 - product) / 8.0, (12.0 - product) / 16.0
    with np.errstate(under="ignore", over="ignore"):
        edge = np.exp(-b2 / (2.0 * safe * safe))
        first = safe * edge - np.sqrt(b2 * TWO_PI) * ndtr(-np.sqrt(b2) / safe)
        second = (safe**3 * edge - b2 * first) / 3.0
        fourth = (safe**5 * edge - b2 * second) / 5.0
        known = np.exp(-product / 2.0) * (first + c * second + c * d * fourth)
        places, weights = NODES[20]
        x2 = (safe[..., None] * (places + 1.0) / 2.0) ** 2
        root = np.sqrt(1.0 - x2)
        own = -b2[..., None] / (2.0 * x2)
        exact = np.exp(own - product[..., None] / (1.0 + root)) / root
        near = np.exp(own - product[..., None] / 2.0) * (1.0 + c[..., None] * x2 * (1.0 + d[..., None] * x2))
        left = safe / 2.0 * ((exact - near) @ weights)
    return np.asarray(np.where(a > 0, (known + left) / TWO_PI, 0.0))
