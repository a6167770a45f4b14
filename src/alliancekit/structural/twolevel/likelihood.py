"""-2 log-likelihood of complete two-level normal data with its derivatives and information.

The rows of a cluster of size s split in two independent parts: s - 1 deviations with covariance sigma_W, and the vector
v = (z, mean of y) with covariance omega_s = sigma_B + sigma_W / s, both written in wide order with zeros where a
variable is not at that level. So
    -2 log L = (n - J) [log|sigma_W| + tr(sigma_W^-1 S_PW)] + sum_s J_s [log|omega_s| + tr(omega_s^-1 T_s) + p_y log s]
plus constants, T_s the mean square of v about its expectation (Muthen 1990; McDonald and Goldstein 1989). Clusters of
one size are one term.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.twolevel.moments import LevelMoments, spread_moments
from alliancekit.structural.twolevel.statistics import Clusters

Floats = NDArray[np.float64]
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False, slots=True)
class LevelEvaluation:
    """-2 log-likelihood and its derivatives by the moments of each level (symmetric, off-diagonal counted once).

    inverse (S, q, q) and weighted (S, q) are omega_s^-1 and omega_s^-1 (mean - mu); inverse_within (p_w, p_w).
    """

    value: float
    slope: LevelMoments
    inverse: Floats
    weighted: Floats
    inverse_within: Floats


def invert_positive(stack: Floats) -> tuple[Floats, Floats] | None:
    """Return inverses and log determinants of a stack (S, q, q); None unless all are positive definite."""
    scale = np.sqrt(np.maximum(np.diagonal(stack, axis1=-2, axis2=-1), 0.0))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return None
    both = scale[..., :, None] * scale[..., None, :]
    try:
        factor = np.linalg.cholesky(stack / both)
    except np.linalg.LinAlgError:
        return None
    pivots = np.diagonal(factor, axis1=-2, axis2=-1)
    if not (pivots > 1e-7).all():
        return None
    return np.linalg.inv(stack / both) / both, 2 * (np.log(pivots) + np.log(scale)).sum(axis=-1)


def evaluate_clusters(moments: LevelMoments, data: Clusters) -> LevelEvaluation | None:
    """Return -2 log-likelihood and derivatives; None where sigma_W or some omega_s is not positive definite."""
    w, b = data.roles.places()
    mu, between, within = spread_moments(moments, data.roles)
    inner = invert_positive(moments.sigma_within)
    outer = invert_positive(between + within / data.sizes[:, None, None])
    if inner is None or outer is None:
        return None
    inverse_within, log_det_within = inner
    inverse, log_det = outer
    spare = data.n - data.n_clusters
    residual = data.mean - mu
    weighted = np.matmul(inverse, residual[:, :, None])[:, :, 0]
    half = np.matmul(inverse, data.cross)
    value = spare * float(log_det_within) + float((inverse_within * data.within).sum())
    value += float(data.number @ (log_det + (weighted * residual).sum(axis=1) + np.trace(half, axis1=1, axis2=2)))
    value += len(w) * float(data.number @ np.log(data.sizes)) + LOG_2PI * (
        data.n * len(w) + data.n_clusters * (mu.size - len(w))
    )
    pull = inverse - np.matmul(half, inverse) - weighted[:, :, None] * weighted[:, None, :]
    pull = (pull + pull.transpose(0, 2, 1)) / 2
    d_between = np.tensordot(data.number, pull, axes=1)
    d_within = np.tensordot(data.number / data.sizes, pull, axes=1)[np.ix_(w, w)]
    d_within += spare * inverse_within - inverse_within @ data.within @ inverse_within
    d_mu = -2 * (data.number @ weighted)
    slope = LevelMoments(d_mu[w], d_within, d_mu[b], d_between[np.ix_(b, b)])
    return LevelEvaluation(value, slope, inverse, weighted, inverse_within)
