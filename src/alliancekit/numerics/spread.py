"""How a variable spreads between and within groups: one-way analysis of variance, used by several checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.numerics.distributions import f_upper

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """One-way analysis of variance.

    Attributes
    ----------
    icc : ICC(1), the share of variance between groups by the analysis of variance; may be below zero.
    icc2 : ICC(2) = 1 - MSW / MSB, the reliability of the group means at the average group size.
    ratio : MSB / MSW, the F statistic of the hypothesis that all groups have one mean.
    size : mean group size, corrected for inequality.
    groups : number of groups. n : number of values.
    """

    icc: float
    icc2: float
    ratio: float
    size: float
    groups: int
    n: int

    @property
    def p_value(self) -> float:
        """Of the F test that all groups have one mean."""
        return float(f_upper(self.ratio, self.groups - 1, self.n - self.groups))


def spread_between(values: Array, codes: NDArray[np.intp]) -> Spread | None:
    """Return the spread of a variable over groups; None where it is constant, or no group has two values.

    ICC(1) and ICC(2) as in Bliese (2000, in Klein & Kozlowski, Multilevel theory, p. 354), with the mean size of
    unequal groups of Searle, Casella & McCulloch (1992, p. 71).
    """
    known = ~np.isnan(values)
    values, codes = values[known], np.unique(codes[known], return_inverse=True)[1]
    n, groups = len(values), int(codes.max(initial=-1)) + 1
    if groups < 2 or n <= groups:
        return None
    sizes = np.bincount(codes)
    means = np.bincount(codes, weights=values) / sizes
    within = float(((values - means[codes]) ** 2).sum())
    between = float((sizes * (means - values.mean()) ** 2).sum())
    if within + between <= 1e-12 * max(float(values @ values), 1e-300):
        return None
    msb, msw = between / (groups - 1), within / (n - groups)
    size = float((n - (sizes**2).sum() / n) / (groups - 1))
    if msw <= 1e-12 * msb:
        return Spread(1.0, 1.0, np.inf, size, groups, n)
    icc = (msb - msw) / (msb + (size - 1) * msw)
    icc2 = 1 - msw / msb if msb > 0 else -np.inf
    return Spread(icc, icc2, msb / msw, size, groups, n)


def collapse(values: Array, codes: NDArray[np.intp], finest: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
    """Return one value (the mean) and one upper code per finest unit; unchanged where the units do not nest."""
    first = np.unique(finest, return_index=True)[1]
    renumbered = np.unique(finest, return_inverse=True)[1]
    if (codes != codes[first][renumbered]).any() or len(np.unique(codes)) == len(first):
        return values, codes
    sizes = np.bincount(renumbered)
    return np.bincount(renumbered, weights=values) / sizes, codes[first]


def group_means(values: Array, codes: NDArray[np.intp]) -> Array:
    """Return each row's group mean."""
    sizes = np.bincount(codes)
    return (np.bincount(codes, weights=values) / np.maximum(sizes, 1))[codes]


def explained(X: Array, target: Array) -> float:
    """Return the share of a centred variable's sum of squares that the columns of X reproduce."""
    centred = target - target.mean()
    total = float(centred @ centred)
    if total == 0:
        return 1.0
    fitted = X @ np.linalg.lstsq(X, centred, rcond=None)[0]
    return 1 - float(((centred - fitted) ** 2).sum()) / total
