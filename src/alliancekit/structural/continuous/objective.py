"""Maximum likelihood from means and covariances of complete data: discrepancy, gradient, expected information.

F = log|Sigma| + tr(S Sigma^-1) - log|S| - p + (m - mu)' Sigma^-1 (m - mu), weighted by the share of rows of each group
(Jöreskog 1967, Psychometrika 32, 443-482; 1971, ibid. 36, 409-426).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.model import Model, Parts, add_gradient, factors_of

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
        value = 2.0 * float(np.log(diagonal).sum()) + float((inverse * sample.cov).sum()) - sample.log_det
        if model.means:
            gap = sample.mean - part.mu
            value += float(gap @ inverse @ gap)
        total += sample.weight * (value - len(diagonal))
        inverses.append(inverse)
    return Point(x, total, parts, inverses) if np.isfinite(total) else None


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
    out = np.zeros(model.size)
    for block, part, inverse, sample in zip(model.blocks, point.parts, point.inverses, samples, strict=True):
        gap = sample.mean - part.mu if model.means else np.zeros(len(sample.mean))
        spread = sample.cov + np.outer(gap, gap) if model.means else sample.cov
        by_sigma = sample.weight * (inverse - inverse @ spread @ inverse)
        add_gradient(out, block, part, Moments(-2.0 * sample.weight * (inverse @ gap), by_sigma))
    return out


def expected_information(model: Model, samples: Sequence[SampleMoments], point: Point) -> Floats:
    """Return half the expected second derivative of F, (size, size): the information of one row.

    1/2 tr(P dS_k P dS_l) = (U'PU)(V'PV) + (U'PV)(V'PU), entry by entry, where dS = u v' + v u'.
    """
    out = np.zeros((model.size, model.size))
    for block, part, P, sample in zip(model.blocks, point.parts, point.inverses, samples, strict=True):
        where, U, V, by_mean = factors_of(block, part)
        PU, PV = P @ U, P @ V
        crossed = U.T @ PV
        own = (U.T @ PU) * (V.T @ PV) + crossed * crossed.T
        if model.means:
            own += by_mean.T @ P @ by_mean
        out[np.ix_(where, where)] += sample.weight * own
    return out
