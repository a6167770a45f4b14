"""Correlations of pairs of variables from their rows: with covariates, or where one or both are numeric.

The parameters of each variable alone are those of the first step. Polyserial: Olsson, Drasgow & Dorans (1982),
Psychometrika 47, 337-347.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf, bivariate_normal_density
from alliancekit.structural.ordinal.roots import find_roots
from alliancekit.structural.ordinal.tables import BOUND, LEAST
from alliancekit.structural.ordinal.univariate import Margins, density

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
TINY = float(np.finfo(float).eps)
BOUND_MIXED = 0.995


@dataclass(frozen=True, eq=False, slots=True)
class RowPair:
    """One pair of variables. rho : correlation. score : (n,) d log-likelihood / d rho, 0 where a value is missing.

    first, second : (n, columns) scores of the own parameters of either variable (thresholds or mean, slopes, variance)
    in the likelihood of the pair.
    """

    rho: float
    score: Floats
    first: Floats
    second: Floats


def fit_pair(margins: Margins, i: int, j: int) -> RowPair:
    """Return the correlation of variables i and j given all covariates, with its scores."""
    known = margins.known[:, i] & margins.known[:, j]
    if margins.ordinal[i] and margins.ordinal[j]:
        return _polychoric(margins, i, j, known)
    if margins.ordinal[i]:
        found = _polyserial(margins, j, i, known)
        return RowPair(found.rho, found.score, found.second, found.first)
    return _polyserial(margins, i, j, known) if margins.ordinal[j] else _pearson(margins, i, j, known)


def _polychoric(margins: Margins, i: int, j: int, known: NDArray[np.bool_]) -> RowPair:
    (a1, a0), (b1, b0) = ([limit[known] for limit in margins.row_limits(k)] for k in (i, j))
    corners = [(a1, b1, 1.0), (a0, b1, -1.0), (a1, b0, -1.0), (a0, b0, 1.0)]
    likely = (ndtr(a1) - ndtr(a0)) * (ndtr(b1) - ndtr(b0)) >= LEAST
    state: dict[str, Floats] = {}

    def evaluate(rho: Floats) -> tuple[Floats, Floats]:
        """Score and curvature; NaN where a row that is likely without correlation has no probability left."""
        p, d1, d2 = np.zeros(a1.size), np.zeros(a1.size), np.zeros(a1.size)
        for x, y, sign in corners:
            p += sign * bivariate_normal_cdf(x, y, rho)
            dense = sign * bivariate_normal_density(x, y, rho)
            d1 += dense
            d2 += dense * _relative_slope(x, y, rho)
        inverse = np.divide(1.0, p, out=np.zeros_like(p), where=p >= LEAST)
        state["inverse"], state["score"] = inverse, d1 * inverse
        state["bend"] = d2 * inverse - state["score"] ** 2
        value = np.nan if (likely & (p < LEAST)).any() else float(state["score"].sum())
        return np.array([value]), state["bend"].sum(keepdims=True)

    found, _ = find_roots(evaluate, np.array([_code_correlation(margins, i, j, known)]), BOUND)
    evaluate(found)
    rho, inverse = float(found[0]), state["inverse"]
    score = np.zeros(len(known))
    score[known] = state["score"]
    first = _ordinal_scores(margins, i, known, _at_limits(a1, a0, b1, b0, rho, inverse))
    second = _ordinal_scores(margins, j, known, _at_limits(b1, b0, a1, a0, rho, inverse))
    return RowPair(rho, score, first, second)


def _relative_slope(x: Floats, y: Floats, rho: Floats) -> Floats:
    """Return d log density / d rho; 0 where a point is infinite."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(finite, x, 0.0), np.where(finite, y, 0.0)
    left = 1.0 - rho * rho
    found = (rho + x * y) / left - rho * (x * x + y * y - 2.0 * rho * x * y) / (left * left)
    return np.asarray(np.where(finite, found, 0.0))


def _code_correlation(margins: Margins, i: int, j: int, known: NDArray[np.bool_]) -> float:
    """Return the correlation of the codes, to start from."""
    codes = margins.codes[known][:, [i, j]].astype(np.float64)
    centred = codes - codes.mean(axis=0)
    size = float(np.sqrt((centred[:, 0] ** 2).sum() * (centred[:, 1] ** 2).sum()))
    return float(centred[:, 0] @ centred[:, 1]) / size if size > 0 else 0.0


def _at_limits(
    own1: Floats, own0: Floats, other1: Floats, other0: Floats, rho: float, inverse: Floats
) -> tuple[Floats, Floats]:
    """Return d log probability of a rectangle by the upper limit of one variable, and less that by the lower one."""
    root = float(np.sqrt(1.0 - rho * rho))
    out = []
    for limit in (own1, own0):
        finite = np.isfinite(limit)
        z = np.where(finite, limit, 0.0)
        strip = ndtr((other1 - rho * z) / root) - ndtr((other0 - rho * z) / root)
        out.append(np.where(finite, density(z) * strip * inverse, 0.0))
    return out[0], out[1]


def _ordinal_scores(margins: Margins, i: int, known: NDArray[np.bool_], slopes: tuple[Floats, Floats]) -> Floats:
    """Return scores of thresholds and slopes (n, K - 1 + q), from those of the upper and (less) the lower limits."""
    k, q = int(margins.widths[i]), margins.slopes.shape[1]
    out = np.zeros((len(known), k + q))
    rows, code = np.flatnonzero(known), margins.codes[known, i]
    top, bottom = code < k, code > 0
    out[rows[top], code[top]] = slopes[0][top]
    out[rows[bottom], code[bottom] - 1] = -slopes[1][bottom]
    if q:
        out[rows, k:] = (slopes[1] - slopes[0])[:, None] * margins.covariates[rows]
    return out


def _polyserial(margins: Margins, i: int, j: int, known: NDArray[np.bool_]) -> RowPair:
    """Numeric variable i with ordinal variable j."""
    z = margins.standard[known, i]
    upper, lower = (limit[known] for limit in margins.row_limits(j))
    tops, bottoms = np.isfinite(upper), np.isfinite(lower)
    tau1, tau0 = np.where(tops, upper, 0.0), np.where(bottoms, lower, 0.0)
    likely = ndtr(upper) - ndtr(lower) >= TINY
    state: dict[str, Floats] = {}

    def evaluate(rho: Floats) -> tuple[Floats, Floats]:
        """Score and curvature; NaN where a row that is likely without correlation has no probability left."""
        r = float(rho[0])
        root = float(np.sqrt(1.0 - r * r))
        one, other = (tau1 - r * z) / root, (tau0 - r * z) / root
        p = np.where(tops, ndtr(one), 1.0) - np.where(bottoms, ndtr(other), 0.0)
        inverse = 1.0 / np.maximum(p, TINY)
        state["up"] = np.where(tops, density(one), 0.0) * inverse
        state["down"] = np.where(bottoms, density(other), 0.0) * inverse
        first, second = (tau1 * r - z) / root**3, (tau0 * r - z) / root**3
        score = state["up"] * first - state["down"] * second
        bent1 = tau1 / root**3 + 3.0 * r * first / root**2 - one * first * first
        bent0 = tau0 / root**3 + 3.0 * r * second / root**2 - other * second * second
        state["score"] = score
        curve = state["up"] * bent1 - state["down"] * bent0 - score * score
        value = np.nan if (likely & (p < TINY)).any() else float(score.sum())
        return np.array([value]), curve.sum(keepdims=True)

    found, _ = find_roots(evaluate, np.array([_start_mixed(margins, j, z, known)]), BOUND_MIXED)
    evaluate(found)
    rho = float(found[0])
    root, up, down = float(np.sqrt(1.0 - rho * rho)), state["up"], state["down"]
    score = np.zeros(len(known))
    score[known] = state["score"]
    sd = float(np.sqrt(margins.variances[i]))
    pull = rho / root * (up - down)
    by_mean, by_variance = np.zeros(len(known)), np.zeros(len(known))
    by_mean[known] = (z + pull) / sd
    by_variance[known] = (z * z - 1.0 + z * pull) / (2.0 * sd * sd)
    first = np.column_stack([by_mean, by_mean[:, None] * margins.covariates, by_variance])
    return RowPair(rho, score, first, _ordinal_scores(margins, j, known, (up / root, down / root)))


def _start_mixed(margins: Margins, j: int, z: Floats, known: NDArray[np.bool_]) -> float:
    """Return the covariance with the codes over what a correlation of one would bring."""
    code = margins.codes[known, j].astype(np.float64)
    cuts = margins.limits[j, 1 : margins.sizes[j]]
    found = float((z * (code - code.mean())).mean()) / float(density(cuts).sum())
    return found if abs(found) < 0.9 else found / 2


def _pearson(margins: Margins, i: int, j: int, known: NDArray[np.bool_]) -> RowPair:
    """Two numeric variables; where rows are missing, the likelihood of the pair at the variances of each alone."""
    x, y = np.where(known, margins.standard[:, i], 0.0), np.where(known, margins.standard[:, j], 0.0)
    n = float(known.sum())
    xx, xy, yy = float(x @ x), float(x @ y), float(y @ y)

    def evaluate(rho: Floats) -> tuple[Floats, Floats]:
        """Score and curvature, times (1 - rho^2)^2."""
        value = xy + rho * (n - xx - yy + rho * (xy - rho * n))
        return value, n - xx - yy + rho * (2.0 * xy - 3.0 * n * rho)

    found, _ = find_roots(evaluate, np.array([xy / np.sqrt(xx * yy)]), BOUND)
    rho = float(found[0]) if n < len(known) else xy / n
    left = 1.0 - rho * rho
    score = np.where(known, rho / left + x * y / left - (x * x - 2.0 * rho * x * y + y * y) * rho / left**2, 0.0)
    sides = []
    for own, other, k in ((x, y, i), (y, x, j)):
        sd = float(np.sqrt(margins.variances[k]))
        by_mean = (own - rho * other) / (sd * left)
        by_variance = np.where(known, (own * own - rho * own * other) / left - 1.0, 0.0) / (2.0 * sd * sd)
        sides.append(np.column_stack([by_mean, by_mean[:, None] * margins.covariates, by_variance]))
    return RowPair(rho, score, sides[0], sides[1])
