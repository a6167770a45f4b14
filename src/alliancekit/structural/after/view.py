"""A fitted model as seen by what comes after it: per group, moments observed and implied, their weights and slopes.

The vector of moments of a group: means (where the model has them), then the lower triangle of the covariances column by
column; in a two-level model the within block is followed by the between block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import half_gradient, half_vector, kronecker_sum, triangle
from alliancekit.structural.likelihood.contract import Block as Moments

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class GroupView:
    """One group; m moments.

    Attributes
    ----------
    label : of the group. names : observed variables. n : rows.
    observed, implied : (m,) moments of the sample (or the saturated model), and of the model.
    jacobian : (m, size) derivatives of the implied moments by the free parameters.
    weight : (m, m) expected information about the moments of one row; for least squares, the weight matrix.
    slope : (m,) derivative of the log-likelihood by the implied moments, of all rows; for least squares, of -n F / 2.
    means : whether means come first. curvature : returns the information about the moments of one row, of the kind that
    standard errors use, at the implied moments. spread : returns the covariance matrix (m, m) of the observed moments.
    """

    label: str
    names: tuple[str, ...]
    n: int
    observed: Floats
    implied: Floats
    jacobian: Floats
    weight: Floats
    slope: Floats
    means: bool
    curvature: Callable[[], Floats]
    spread: Callable[[], Floats]


def normal_weight(sigma: Floats, means: bool, held: Booleans | None = None) -> Floats:
    """Return the information about means and covariances of one row of a normal distribution, (m, m).

    held : (p,) covariates with fixed moments, about which a model conditional on them holds no information.
    """
    P = np.asarray(np.linalg.inv(sigma), dtype=np.float64)
    own = kronecker_sum(P[None], P[None]) / 2
    if means:
        p = len(sigma)
        out = np.zeros((p + len(own), p + len(own)))
        out[:p, :p], out[p:, p:] = P, own
    else:
        out = own
    if held is not None and held.any():
        none = held_moments(held, means)
        out[none] = 0.0
        out[:, none] = 0.0
    return out


def held_moments(held: Booleans, means: bool) -> Booleans:
    """Return which moments of a block are those of covariates alone, (m,)."""
    rows, columns = triangle(held.size)
    both = held[rows] & held[columns]
    return np.concatenate([held, both]) if means else both


def normal_slope(sample: Moments, model: Moments, n: float, means: bool) -> Floats:
    """Return the derivative of the normal log-likelihood of ``n`` complete rows by the implied moments, (m,)."""
    P = np.linalg.inv(model.sigma)
    spread = sample.sigma
    if means:
        gap = sample.mu - model.mu
        spread = spread + np.outer(gap, gap)
    by_cov = half_gradient(n / 2 * (P @ spread @ P - P))
    return np.concatenate([n * P @ (sample.mu - model.mu), by_cov]) if means else by_cov


def inverse_of(matrix: Floats) -> Floats:
    """Return the (pseudo-)inverse of a symmetric positive semidefinite matrix, whatever the units of its rows.

    Rows and columns are brought to one scale first; empty ones stay empty.
    """
    scale = np.sqrt(np.abs(matrix.diagonal()))
    known = scale > 0
    unit = np.where(known, scale, 1.0)
    weights = np.where(known, 1.0 / unit, 0.0)
    found = np.linalg.pinv(matrix * weights[:, None] * weights, rcond=1e-13, hermitian=True)
    return np.asarray(found * weights[:, None] * weights)


def stack_moments(blocks: Sequence[Moments], means: bool) -> Floats:
    """Return the vector of moments of some blocks."""
    parts = [part for b in blocks for part in ((b.mu, half_vector(b.sigma)) if means else (half_vector(b.sigma),))]
    return np.concatenate(parts)


def keep_moments(sizes: Sequence[int], means: bool) -> Booleans:
    """Return which rows of a model's Jacobian (means always first in a block) belong to the vector of moments."""
    parts = [np.concatenate([np.full(p, means), np.ones(p * (p + 1) // 2, dtype=bool)]) for p in sizes]
    return np.concatenate(parts)
