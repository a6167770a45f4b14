"""Maximum likelihood from means and covariances of complete data: discrepancy, gradient, expected information.

F = log|Sigma| + tr(S Sigma^-1) - log|S| - p + (m - mu)' Sigma^-1 (m - mu), weighted by the share of rows of each group
(Jöreskog 1967, Psychometrika 32, 443-482; 1971, ibid. 36, 409-426).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.structural.model import Model, Parts, factors_of, mean_slopes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class SampleMoments:
    """Means (p,) and covariances (p, p) of one group; weight: its share of the rows; log_det: of the covariances."""

    mean: Floats
    cov: Floats
    weight: float
    log_det: float


@dataclass(frozen=True, eq=False, slots=True)
class Point:
    """The discrepancy at ``x``: value, matrices of each block, and the inverses of the implied covariances."""

    x: Floats
    value: float
    parts: list[Parts]
    inverses: list[Floats]


def evaluate(model: Model, samples: Sequence[SampleMoments], x: Floats) -> Point | None:
    """Return the discrepancy at ``x``; None where an implied covariance matrix is not positive definite."""
    total, parts, inverses = 0.0, model.parts(x), []
    for part, sample in zip(parts, samples, strict=True):
        found = inverse_of(part.sigma)
        if found is None:
            return None
        inverse, diagonal = found
        value = 2.0 * sum(map(log, diagonal.tolist())) + float(np.vdot(inverse, sample.cov)) - sample.log_det
        if model.means:
            gap = sample.mean - part.mu
            value += float(gap @ inverse @ gap)
        total += sample.weight * (value - len(diagonal))
        inverses.append(inverse)
    return Point(x, total, parts, inverses) if isfinite(total) else None


def inverse_of(matrix: Floats) -> tuple[Floats, Floats] | None:
    """Return the inverse of a positive definite matrix and the diagonal of its Cholesky factor; None for others."""
    factor, failed = lapack.dpotrf(matrix, lower=1)
    if failed:
        return None
    lower, _ = lapack.dpotri(factor, lower=1)
    inverse = lower + lower.T
    inverse.flat[:: len(inverse) + 1] *= 0.5
    return inverse, factor.diagonal()


def gradient(model: Model, samples: Sequence[SampleMoments], point: Point) -> Floats:
    """Return dF / dx."""
    return derivatives(model, samples, point, information=False)[0]


def expected_information(model: Model, samples: Sequence[SampleMoments], point: Point) -> Floats:
    """Return half the expected second derivative of F, (size, size): the information of one row."""
    found = derivatives(model, samples, point)[1]
    assert found is not None
    return found


def derivatives(
    model: Model, samples: Sequence[SampleMoments], point: Point, *, information: bool = True
) -> tuple[Floats, Floats | None]:
    """Return dF / dx and, where asked for, half the expected second derivative.

    With dS = u v' + v u': tr(G dS) = 2 u'G v, and 1/2 tr(P dS_k P dS_l) = (U'PU)(V'PV) + (U'PV)(V'PU), entry by entry.
    """
    slope, curvature = np.zeros(model.size), np.zeros((model.size, model.size)) if information else None
    for block, part, P, sample in zip(model.blocks, point.parts, point.inverses, samples, strict=True):
        w, (U, V), where = sample.weight, factors_of(block, part), block.plan.where
        spread = sample.cov
        if model.means:
            gap, by_mean = sample.mean - part.mu, mean_slopes(block, part)
            spread = spread + gap[:, None] * gap
        PV = P @ V
        own = 2.0 * w * (U * (PV - P @ (spread @ PV))).sum(axis=0)
        if model.means:
            own -= 2.0 * w * ((P @ gap) @ by_mean)
        slope[where] += own
        if curvature is None:
            continue
        crossed = U.T @ PV
        second = (U.T @ (P @ U)) * (V.T @ PV)
        second += crossed * crossed.T
        if model.means:
            second += by_mean.T @ P @ by_mean
        if where.size == model.size:
            curvature += w * second
        else:
            curvature[where[:, None], where] += w * second
    return slope, curvature
