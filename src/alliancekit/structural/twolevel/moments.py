"""Moments of the two levels of a model, as matrices, as one vector, and in the wide order of the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import from_half, half_gradient, half_vector
from alliancekit.structural.twolevel.statistics import Roles

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class LevelMoments:
    """Means and covariances of the two models: within (p_w), between (p_b), in each model's own order."""

    mu_within: Floats
    sigma_within: Floats
    mu_between: Floats
    sigma_between: Floats


def spread_moments(moments: LevelMoments, roles: Roles) -> tuple[Floats, Floats, Floats]:
    """Return the mean (q,), sigma_B and sigma_W (q, q) in wide order."""
    w, b = roles.places()
    q = len(roles.wide)
    mu = np.zeros(q)
    mu[b] += moments.mu_between
    mu[w] += moments.mu_within
    between = np.zeros((q, q))
    between[np.ix_(b, b)] = moments.sigma_between
    within = np.zeros((q, q))
    within[np.ix_(w, w)] = moments.sigma_within
    return mu, between, within


def join_moments(moments: LevelMoments) -> Floats:
    """Return all moments as one vector: means within, triangle within, means between, triangle between."""
    return np.concatenate(
        [
            moments.mu_within,
            half_vector(moments.sigma_within),
            moments.mu_between,
            half_vector(moments.sigma_between),
        ]
    )


def split_moments(vector: Floats, roles: Roles) -> LevelMoments:
    """Return the moments from one vector."""
    w, b = len(roles.within), len(roles.between)
    t = w * (w + 1) // 2
    return LevelMoments(
        vector[:w], from_half(vector[w : w + t], w), vector[w + t : w + t + b], from_half(vector[w + t + b :], b)
    )


def join_slope(slope: LevelMoments) -> Floats:
    """Return the derivative of -2 log L by the vector of moments."""
    s = slope
    return np.concatenate([s.mu_within, half_gradient(s.sigma_within), s.mu_between, half_gradient(s.sigma_between)])
