"""Residuals: what the model leaves unexplained of covariances and means, their standard errors, and their size.

Standardised residuals: Ogasawara (2001, Psychometrika 66, 421-436), as in lavaan. Size with standard errors and an
unbiased estimate: Maydeu-Olivares (2017, Psychometrika 82, 533-558).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.numerics.distributions import normal_quantile, normal_upper
from alliancekit.structural.after.view import GroupView
from alliancekit.structural.duplication import from_half, half_vector, triangle
from alliancekit.structural.likelihood.contract import Block as Moments

Floats = NDArray[np.float64]
KINDS = ("raw", "cor.bentler", "cor.bollen", "normalized", "standardized")
CLOSE = 0.05
NOISE = 1e-12


@dataclass(frozen=True, eq=False, slots=True)
class Residuals:
    """Residuals of one block: covariances (p, p), means (p,) or None."""

    cov: Floats
    mean: Floats | None


def plain_residuals(sample: Moments, model: Moments, kind: str, means: bool) -> Residuals:
    """Return residuals that need no standard error.

    kind : "raw"; "cor.bentler", both divided by the sample's standard deviations; "cor.bollen", differences of
    correlations.
    """
    sd = np.sqrt(sample.sigma.diagonal())
    gap = _without_noise(sample.mu - model.mu, np.maximum(sd, np.abs(sample.mu))) if means else None
    if kind == "raw":
        return Residuals(_without_noise(sample.sigma - model.sigma, np.outer(sd, sd)), gap)
    with np.errstate(invalid="ignore"):
        other = sd if kind == "cor.bentler" else np.sqrt(model.sigma.diagonal())
        cov = sample.sigma / np.outer(sd, sd) - model.sigma / np.outer(other, other)
    return Residuals(_without_noise(cov, np.ones_like(cov)), None if gap is None else gap / sd)


def _without_noise(gap: Floats, size: Floats) -> Floats:
    """Return differences with zeros where they are no more than rounding of numbers of that size."""
    return np.where(np.abs(gap) < NOISE * size, 0.0, gap)


def scaled_residuals(sample: Moments, model: Moments, means: bool, spread: Floats) -> Residuals:
    """Return raw residuals over standard errors; those at zero stay there. ``spread`` : their covariances (m, m)."""
    error = split(np.sqrt(np.maximum(spread.diagonal(), 0.0)), len(sample.mu), means)
    raw = plain_residuals(sample, model, "raw", means)
    mean = None if raw.mean is None or error.mean is None else _over(raw.mean, error.mean)
    return Residuals(_over(raw.cov, error.cov), mean)


def _over(values: Floats, errors: Floats, tiny: float = 1e-5) -> Floats:
    """Return values over errors; values near zero are kept, as in lavaan; NaN where there is no error."""
    known = errors > 0
    over = np.where(known, values / np.where(known, errors, 1.0), np.nan)
    return np.where(np.abs(values) < tiny, values, over)


def split(vector: Floats, p: int, means: bool) -> Residuals:
    """Return the vector of moments of one block as matrix and means."""
    if not means:
        return Residuals(from_half(vector, p), None)
    return Residuals(from_half(vector[p:], p), vector[:p])


def residual_spread(view: GroupView, bread: Floats) -> Floats:
    """Return the covariance matrix (m, m) of the residuals of a group.

    bread : (size, size) inverse information of all parameters, of the kind that curvature is.
    """
    curvature = view.curvature()
    fitted = view.n * view.jacobian @ bread @ view.jacobian.T
    left = np.eye(len(fitted)) - fitted @ curvature
    before = view.spread()
    out = left @ before @ left.T
    sure = out.diagonal() < 1e-12 * before.diagonal()  # what a parameter fits exactly has no error
    out[sure] = 0.0
    out[:, sure] = 0.0
    return np.asarray(out)


def rescale_spread(spread: Floats, sample: Moments, kind: str, means: bool) -> Floats:
    """Return the covariance matrix of residuals of correlations, from that of raw residuals."""
    if kind == "raw":
        return spread
    sd = np.sqrt(sample.sigma.diagonal())
    rows, columns = triangle(len(sd))
    plain = kind == "cor.bentler"
    change = np.diag(1.0 / (sd[rows] * sd[columns])) if plain else _correlation_slopes(sample.sigma)
    if means:
        p = len(sd)
        whole = np.zeros((p + len(rows), p + len(rows)))
        whole[:p, :p], whole[p:, p:] = np.diag(1.0 / sd), change
        change = whole
    return np.asarray(change @ spread @ change.T)


def _correlation_slopes(cov: Floats) -> Floats:
    """Return the derivatives of correlations (diagonal: zero) by covariances, lower triangles."""
    variance = cov.diagonal()
    sd = np.sqrt(variance)
    rows, columns = triangle(len(sd))
    place = {(i, j): k for k, (i, j) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))}
    out = np.zeros((len(rows), len(rows)))
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        if i == j:
            continue
        r = cov[i, j] / (sd[i] * sd[j])
        out[k, k] = 1.0 / (sd[i] * sd[j])
        out[k, place[i, i]] = -r / (2 * variance[i])
        out[k, place[j, j]] = -r / (2 * variance[j])
    return out


def z_residuals(residuals: Residuals, spread: Floats, means: bool) -> Residuals:
    """Return residuals over their standard errors, for correlations; near zero (under 1e-4) they are kept."""
    p = len(residuals.cov)
    error = split(np.sqrt(np.maximum(spread.diagonal(), 0.0)), p, means)
    mean = None
    if residuals.mean is not None and error.mean is not None:
        mean = _over(residuals.mean, error.mean, 1e-4)
    return Residuals(_over(residuals.cov, error.cov, 1e-4), mean)


@dataclass(frozen=True, slots=True)
class ResidualSize:
    """Root mean square residual with its test of exact fit, and its unbiased form with its test of close fit."""

    size: float
    std_error: float
    exact_z: float
    exact_p: float
    unbiased: float
    unbiased_error: float
    low: float
    high: float
    close_z: float
    close_p: float


def residual_sizes(residuals: Residuals, spread: Floats, kind: str, means: bool) -> dict[str, ResidualSize]:
    """Return the size of the residuals of "cov", "mean" and "total" of one group; kind as in ``plain_residuals``."""
    p = len(residuals.cov)
    values = half_vector(residuals.cov)
    count = len(values) - (p if kind == "cor.bollen" else 0)
    if not means or residuals.mean is None:
        return {"cov": size_of(values, spread, count)}
    return {
        "cov": size_of(values, spread[p:, p:], count),
        "mean": size_of(residuals.mean, spread[:p, :p], p),
        "total": size_of(np.concatenate([residuals.mean, values]), spread, count + p),
    }


def size_of(values: Floats, spread: Floats, count: int) -> ResidualSize:
    """Return the size of residuals (m,) with their covariance matrix (m, m); ``count`` : by how many it is divided."""
    trace, trace2 = float(np.trace(spread)), float((spread * spread.T).sum())
    total = float(values @ values)
    size = float(np.sqrt(total / count))
    nan = float("nan")
    if not trace > 0 or not total > 0:
        return ResidualSize(size, nan, nan, nan, size, nan, nan, nan, nan, nan)
    error = _root(trace2 / (trace * 2 * count))
    expected = np.sqrt(trace / count) * (4 * trace**2 - trace2) / (4 * trace**2)
    exact = max(size - expected, 0.0) / error
    around = float(values @ spread @ values)
    k = 1 - (trace2 + 2 * around) / (4 * total**2)
    unbiased = np.sqrt(max(total - trace, 0.0) / count) / k
    unbiased_error = _root((trace2 + 2 * around) / (2 * count * total) / k**2)
    reach = float(normal_quantile(0.95)) * unbiased_error
    close = (unbiased - CLOSE) / unbiased_error
    return ResidualSize(
        size,
        error,
        exact,
        float(normal_upper(exact)),
        float(unbiased),
        unbiased_error,
        float(unbiased - reach),
        float(unbiased + reach),
        float(close),
        float(normal_upper(close)),
    )


def _root(value: float) -> float:
    return float(np.sqrt(value)) if np.isfinite(value) and value > np.finfo(float).eps else float("nan")
