"""-2 log-likelihood of incomplete normal data with its derivatives by the means and covariances.

For each pattern k with n_k rows, mean m_k and cross-products S_k, and P_k the inverse of the observed part of sigma:
    -2 log L = sum_k n_k [p_k log(2 pi) + log|sigma_k| + tr(P_k T_k)],  T_k = S_k + (m_k - mu)(m_k - mu)'
All patterns are inverted as one stack; what is missing is an identity while inverting, zero after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.patterns import Patterns

Floats = NDArray[np.float64]
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """-2 log-likelihood with d/d sigma (p, p; symmetric, an off-diagonal entry counted once), d/d mu (p,).

    inverse (K, p, p) and weighted (K, p): P_k and P_k (m_k - mu), for the information; empty for patterns in parts.
    """

    value: float
    d_sigma: Floats
    d_mu: Floats
    inverse: Floats
    weighted: Floats


def invert_patterns(sigma: Floats, patterns: Patterns) -> tuple[Floats, Floats] | None:
    """Return the inverses of all observed parts (K, p, p), zero where missing, and their log determinants (K,).

    None where sigma is not positive definite.
    """
    there = patterns.observed
    diagonal = np.arange(sigma.shape[0])
    scale = np.sqrt(np.maximum(sigma.diagonal(), 0.0))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return None
    padded = np.where(there[:, :, None] & there[:, None, :], sigma / np.outer(scale, scale), 0.0)
    padded[:, diagonal, diagonal] = 1.0
    try:
        factor = np.linalg.cholesky(padded)
    except np.linalg.LinAlgError:
        return None
    pivots = factor[:, diagonal, diagonal]
    if not (pivots > 1e-7).all():
        return None
    inverse = np.linalg.inv(padded)
    inverse[:, diagonal, diagonal] *= there
    inverse /= np.outer(scale, scale)
    return inverse, 2 * (np.log(pivots).sum(axis=1) + there @ np.log(scale))


def evaluate_patterns(sigma: Floats, mu: Floats, patterns: Patterns) -> Evaluation | None:
    """Return -2 log-likelihood and its derivatives at sigma (p, p) and mu (p,); None where sigma is not admissible."""
    if patterns.parts:
        return _sum_parts([evaluate_patterns(sigma, mu, part) for part in patterns.parts])
    inverted = invert_patterns(sigma, patterns)
    if inverted is None:
        return None
    inverse, log_det = inverted
    size = patterns.size
    residual = np.where(patterns.observed, patterns.mean - mu, 0.0)
    weighted = np.matmul(inverse, residual[:, :, None])[:, :, 0]
    repeated = np.flatnonzero(size > 1)
    part = inverse[repeated]
    half = np.matmul(part, patterns.cross[repeated]) * size[repeated][:, None, None]
    value = patterns.points * LOG_2PI + float(size @ log_det) + float(size @ (weighted * residual).sum(axis=1))
    value += float(np.trace(half, axis1=1, axis2=2).sum())
    scaled = weighted * size[:, None]
    d_sigma = np.tensordot(size, inverse, axes=1) - weighted.T @ scaled
    d_sigma -= np.tensordot(half, part, axes=((0, 2), (0, 1)))
    return Evaluation(value, (d_sigma + d_sigma.T) / 2, -2 * scaled.sum(axis=0), inverse, weighted)


def _sum_parts(parts: list[Evaluation | None]) -> Evaluation | None:
    """Return the sum of evaluations, without what only single patterns need."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    p = known[0].d_mu.size
    d_sigma = np.sum([part.d_sigma for part in known], axis=0)
    d_mu = np.sum([part.d_mu for part in known], axis=0)
    return Evaluation(sum(part.value for part in known), d_sigma, d_mu, np.zeros((0, p, p)), np.zeros((0, p)))
