"""log of the rising factorial a (a + 1) ... (a + y - 1) and its derivatives by a, exact for small and for large a."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
LARGE = 1e4
FEW = 24


@dataclass(frozen=True, slots=True, eq=False)
class Rising:
    """log Gamma(a + y) - log Gamma(a) and its first three derivatives by a."""

    log: Floats
    first: Floats
    second: Floats
    third: Floats


def rising(y: Floats, a: Floats, *, third: bool = False) -> Rising:
    """Return the rising factorial's logarithm and derivatives, broadcast over y and a.

    Parameters
    ----------
    y : whole numbers from 0. a : positive. third : whether the third derivative is wanted (0 otherwise).

    Notes
    -----
    Few factors are added one by one, which loses nothing to cancellation; of many the difference of gamma functions
    is taken, by Stirling's series where a is large.
    """
    top = int(y.max()) if y.size else 0
    if top <= FEW:
        return _sum(y, a, top, third)
    end = y + a
    with np.errstate(all="ignore"):
        log = special.gammaln(end) - special.gammaln(a)
        if np.max(a) > LARGE:
            stirling = (a - 0.5) * np.log1p(y / a) + y * np.log(end) - y + (1.0 / end - 1.0 / a) / 12.0
            log = np.where(a > LARGE, stirling, log)
        first = special.psi(end) - special.psi(a)
        second = special.zeta(2.0, end) - special.zeta(2.0, a)
        last = -2.0 * (special.zeta(3.0, end) - special.zeta(3.0, a)) if third else np.zeros(())
    return Rising(log, first, second, last)


def _sum(y: Floats, a: Floats, top: int, third: bool) -> Rising:
    shape = np.broadcast_shapes(np.shape(y), np.shape(a))
    log, first, second, last = (np.zeros(shape) for _ in range(4))
    for j in range(top):
        inside = y > j
        factor = a + j
        with np.errstate(all="ignore"):
            inverse = np.where(inside, 1.0 / factor, 0.0)
            log += np.where(inside, np.log(factor), 0.0)
        first += inverse
        second -= inverse * inverse
        if third:
            last += 2.0 * inverse * inverse * inverse
    return Rising(log, first, second, last)
