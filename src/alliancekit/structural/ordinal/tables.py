"""Polychoric correlations of all pairs of ordinal variables at once, from their tables of counts.

Two steps: the thresholds are those of each variable alone, and the correlation maximises the likelihood of the table
given these (Olsson 1979, Psychometrika 44, 443-460).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf
from alliancekit.structural.ordinal.roots import find_roots
from alliancekit.structural.ordinal.univariate import density

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
LEAST = float(np.sqrt(np.finfo(float).eps))
"""Smallest probability of a cell; a row in such a cell has no score."""
BOUND = 0.999
ADDED = 0.5
"""What is added to the one empty cell of a table of two by two; the margins stay."""
ENOUGH = 3.0
"""Where so many rows are expected, an empty cell is a rare chance (5%)."""
TWO_PI = 2.0 * np.pi


@dataclass(frozen=True, eq=False, slots=True)
class TablePairs:
    """P pairs of ordinal variables with at most K categories.

    Attributes
    ----------
    rho : (P,). score : (P, K, K) d log probability / d rho of each cell, 0 where there is none. first, second : (P,
        K - 1) products of the scores of rho with those of the thresholds of either variable, summed over the rows.
    squares : (P,) summed squared scores of rho. empty : (P,) whether a cell has no row.
        unexpected : (P,) number of such cells in which ``ENOUGH`` rows are expected.
    """

    rho: Floats
    score: Floats
    first: Floats
    second: Floats
    squares: Floats
    empty: NDArray[np.bool_]
    unexpected: Integers


def cross_tables(codes: Integers, size: int, one: Integers, other: Integers) -> Floats:
    """Return the counts (P, size, size) of pairs of columns of codes (n, p); -1 is missing."""
    n, p = codes.shape
    indicator = np.zeros((n, p, size + 1))
    np.put_along_axis(indicator, codes[:, :, None] % (size + 1), 1.0, axis=2)
    flat = np.ascontiguousarray(indicator[:, :, :size]).reshape(n, p * size)
    whole = (flat.T @ flat).reshape(p, size, p, size)
    return np.asarray(whole[one, :, other, :])


def fit_tables(counts: Floats, limits: Floats, sizes: Integers, one: Integers, other: Integers) -> TablePairs:
    """Return the polychoric correlations of pairs of variables.

    Parameters
    ----------
    counts : (P, K, K). limits : (p, K + 1) thresholds between infinities. sizes : (p,) categories. one, other : (P,)
        the variables of each pair.
    """
    size = counts.shape[1]
    cuts = np.clip(limits[:, 1:size], -9.5, 9.5)
    heights = np.where(np.isfinite(limits[:, 1:size]), density(cuts), 0.0)
    h, k = cuts[one][:, :, None], cuts[other][:, None, :]
    real = np.isfinite(limits[one, 1:size])[:, :, None] & np.isfinite(limits[other, 1:size])[:, None, :]
    inside = (np.arange(size) < sizes[one][:, None])[:, :, None] & (np.arange(size) < sizes[other][:, None])[:, None, :]
    none = (counts == 0) & inside
    small = (none.sum(axis=(1, 2)) == 1) & (sizes[one] == 2) & (sizes[other] == 2)
    used = _filled(counts, np.flatnonzero(small)) if small.any() else counts
    edges = _edges(cuts, one, other)
    likely = (used > 0) & (_cells(edges[:, 1:-1, -1:] * edges[:, -1:, 1:-1], edges) >= LEAST)
    state: dict[str, Floats] = {}

    def evaluate(rho: Floats) -> tuple[Floats, Floats]:
        """Score and curvature of the log-likelihood of each table; NaN where a row has no probability left."""
        r = rho[:, None, None]
        left = 1.0 - r * r
        squared = h * h + k * k - 2.0 * r * h * k
        dense = np.where(real, np.exp(-squared / (2.0 * left)) / (TWO_PI * np.sqrt(left)), 0.0)
        bent = dense * ((r + h * k) / left - r * squared / (left * left))
        state["p"] = _cells(bivariate_normal_cdf(h, k, r), edges)
        state["d1"], state["d2"] = _differences(dense), _differences(bent)
        safe = np.maximum(state["p"], LEAST)
        ratio = state["d1"] / safe
        value = (used * ratio).sum(axis=(1, 2))
        value[(likely & (state["p"] < LEAST)).any(axis=(1, 2))] = np.nan
        return value, (used * (state["d2"] / safe - ratio * ratio)).sum(axis=(1, 2))

    rho, step = find_roots(evaluate, _start(counts, cuts, heights, one, other), BOUND)
    s = step[:, None, None]
    p = state["p"] + s * (state["d1"] + s / 2.0 * state["d2"])
    expected = p * counts.sum(axis=(1, 2), keepdims=True)
    empty = (none.any(axis=(1, 2)), (none & (expected >= ENOUGH)).sum(axis=(1, 2)))
    return _scored(rho, p, state["d1"] + s * state["d2"], counts, cuts, heights, one, other, empty)


def _scored(
    rho: Floats,
    p: Floats,
    slope: Floats,
    counts: Floats,
    cuts: Floats,
    heights: Floats,
    one: Integers,
    other: Integers,
    empty: tuple[NDArray[np.bool_], Integers],
) -> TablePairs:
    """Return correlations with their scores and the products of these with the scores of thresholds."""
    inverse = np.divide(1.0, p, out=np.zeros_like(p), where=p > LEAST)
    score = slope * inverse
    weight = counts * score * inverse
    first = _by_threshold(weight, rho, cuts[one], heights[one], cuts[other])
    second = _by_threshold(weight.transpose(0, 2, 1), rho, cuts[other], heights[other], cuts[one])
    return TablePairs(rho, score, first, second, (counts * score * score).sum(axis=(1, 2)), *empty)


def _by_threshold(weight: Floats, rho: Floats, own: Floats, height: Floats, others: Floats) -> Floats:
    """Return sum over cells of weight times d probability / d threshold, (P, K - 1), of the variable in the rows."""
    r = rho[:, None, None]
    inner = ndtr((others[:, None, :] - r * own[:, :, None]) / np.sqrt(1.0 - r * r))
    P, k = own.shape
    whole = np.zeros((P, k, k + 2))
    whole[:, :, 1:-1], whole[:, :, -1] = inner, 1.0
    strip = np.diff(whole, axis=2) * height[:, :, None]
    return np.asarray(((weight[:, :-1] - weight[:, 1:]) * strip).sum(axis=2))


def _edges(cuts: Floats, one: Integers, other: Integers) -> Floats:
    """Return cumulative probabilities (P, K + 1, K + 1) with the edges filled in."""
    below = np.asarray(ndtr(cuts))
    size = cuts.shape[1] + 1
    out = np.zeros((len(one), size + 1, size + 1))
    out[:, -1, 1:-1], out[:, 1:-1, -1], out[:, -1, -1] = below[other], below[one], 1.0
    return out


def _cells(inner: Floats, edges: Floats) -> Floats:
    """Return the probabilities of cells (P, K, K) from cumulative ones at the thresholds (P, K - 1, K - 1)."""
    edges[:, 1:-1, 1:-1] = inner
    lines = edges[:, 1:] - edges[:, :-1]
    return np.asarray(lines[:, :, 1:] - lines[:, :, :-1])


def _differences(inner: Floats) -> Floats:
    """Return the second differences (P, K, K) of what is zero at the edges."""
    whole = np.zeros((inner.shape[0], inner.shape[1] + 2, inner.shape[2] + 2))
    return _cells(inner, whole)


def _filled(counts: Floats, tables: Integers) -> Floats:
    """Return the counts with half a row moved into the one empty cell of some tables of two by two, margins kept."""
    out = counts.copy()
    for t in tables:
        i, j = np.argwhere(counts[t, :2, :2] == 0)[0]
        out[t, :2, :2] += ADDED if i == j else -ADDED
        out[t, [0, 1], [1, 0]] += -2 * ADDED if i == j else 2 * ADDED
    return out


def _start(counts: Floats, cuts: Floats, heights: Floats, one: Integers, other: Integers) -> Floats:
    """Return correlations by which the codes would have the covariances that they have, to third order.

    P(X > h, Y > k) less its value under independence is sum_j rho^j / j! He_j-1(h) He_j-1(k) phi(h) phi(k) (Pearson
    1900), He being Hermite polynomials; it is summed over all thresholds.
    """
    size = counts.shape[1]
    codes = np.arange(size, dtype=np.float64)
    total = np.maximum(counts.sum(axis=(1, 2)), 1.0)
    rows, columns = counts.sum(axis=2) @ codes / total, counts.sum(axis=1) @ codes / total
    covariance = (counts @ codes) @ codes / total - rows * columns
    terms = [(heights * part).sum(axis=1) for part in (np.ones_like(cuts), cuts, cuts * cuts - 1.0)]
    first, second, third = (term[one] * term[other] for term in terms)
    rho = np.clip(covariance / first, -0.95, 0.95)
    for _ in range(3):
        value = rho * (first + rho * (second / 2.0 + rho * third / 6.0)) - covariance
        slope = first + rho * (second + rho * third / 2.0)
        rho = np.clip(rho - value / np.where(slope > 0.1 * first, slope, first), -0.95, 0.95)
    return np.asarray(rho)
