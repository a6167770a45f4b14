"""The saturated model of both levels, and the model of independent variables (the baseline).

Both are linear in the moments and are found by Fisher scoring. A saturated between-level matrix must be positive
semidefinite; where the free maximum is not, the search goes on in its triangular root, which stays in bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import from_half, half_gradient, half_vector, triangle
from alliancekit.structural.scoring import Found, search_by_scoring
from alliancekit.structural.twolevel.information import level_information
from alliancekit.structural.twolevel.likelihood import LevelEvaluation, LevelMoments, evaluate_clusters
from alliancekit.structural.twolevel.statistics import Clusters, Roles

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class LevelFit:
    """Moments of both levels, log-likelihood, number of free moments, and how the search ended.

    design (moments, free): where the free moments stand; boundary: the between matrix is singular.
    """

    moments: LevelMoments
    log_likelihood: float
    design: Floats
    iterations: int
    converged: bool
    boundary: bool


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


def join_slope(found: LevelEvaluation) -> Floats:
    """Return the derivative of -2 log L by the vector of moments."""
    s = found.slope
    return np.concatenate([s.mu_within, half_gradient(s.sigma_within), s.mu_between, half_gradient(s.sigma_between)])


def moment_start(data: Clusters) -> LevelMoments:
    """Return moments by analysis of variance, the between matrix made positive definite."""
    roles = data.roles
    w, b = roles.places()
    spare = data.n - data.n_clusters
    pooled = data.within / spare
    pooled = pooled + 1e-3 * np.diag(pooled.diagonal())
    centre = data.centre.mean(axis=0)
    cov = np.cov(data.centre.T, bias=True).reshape(centre.size, centre.size)
    cov[np.ix_(w, w)] -= pooled * float(np.mean(1.0 / data.size))
    floor = np.full(centre.size, 0.0)
    floor[w] = 0.05 * pooled.diagonal()
    spread = np.sqrt(np.maximum(cov.diagonal(), np.maximum(floor, 1e-6 * np.abs(cov.diagonal()))))
    correlation = cov / np.outer(spread, spread)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 0.05:
        correlation = (vectors * np.maximum(values, 0.05)) @ vectors.T
    between = (correlation * np.outer(spread, spread))[np.ix_(b, b)]
    inside = np.array([0.0 if name in roles.between else centre[k] for name, k in zip(roles.within, w, strict=True)])
    return LevelMoments(inside, pooled, centre[b], between)


def _saturated_places(roles: Roles, diagonal: bool) -> Floats:
    """Return the selection matrix of the free moments: all, or means and variances alone."""
    flags: list[bool] = []
    fixed = set(roles.between)
    for names, held in ((roles.within, fixed), (roles.between, set[str]())):
        rows, columns = triangle(len(names))
        flags += [name not in held for name in names]
        flags += list(rows == columns) if diagonal else [True] * rows.size
    return np.asarray(np.eye(len(flags))[:, np.array(flags)])


def fit_linear(data: Clusters, design: Floats, start: LevelMoments) -> Found | None:
    """Find the free moments by Fisher scoring, the others at their starting values."""
    origin = join_moments(start)
    free = design.any(axis=1)
    offset = np.where(free, 0.0, origin)

    def criterion(x: Floats) -> tuple[float, Floats] | None:
        """-2 log-likelihood with gradient."""
        found = evaluate_clusters(split_moments(offset + design @ x, data.roles), data)
        return None if found is None else (found.value, design.T @ join_slope(found))

    def curvature(x: Floats) -> Floats:
        """Expected second derivative of the criterion."""
        found = evaluate_clusters(split_moments(offset + design @ x, data.roles), data)
        assert found is not None
        return np.asarray(2 * design.T @ level_information("expected", data, found) @ design)

    return search_by_scoring(criterion, curvature, origin[free])


def fit_saturated_levels(data: Clusters) -> LevelFit | None:
    """Return the saturated model of both levels; None where it cannot be started."""
    design = _saturated_places(data.roles, diagonal=False)
    start = moment_start(data)
    found = fit_linear(data, design, start)
    if found is None:
        return None
    free = design.any(axis=1)
    moments = split_moments(np.where(free, 0.0, join_moments(start)) + design @ found.x, data.roles)
    spread = np.sqrt(np.abs(moments.sigma_between.diagonal()))
    lowest = float(np.linalg.eigvalsh(moments.sigma_between / np.outer(spread, spread))[0])
    if lowest >= -1e-9:
        return LevelFit(moments, -found.value / 2, design, found.iterations, found.converged, lowest < 1e-6)
    return _fit_in_root(data, design, start)


def fit_baseline_levels(data: Clusters) -> LevelFit | None:
    """Return the model of independent variables: means and variances at both levels, no covariance."""
    design = _saturated_places(data.roles, diagonal=True)
    start = moment_start(data)
    start = LevelMoments(
        start.mu_within,
        np.diag(start.sigma_within.diagonal()),
        start.mu_between,
        np.diag(start.sigma_between.diagonal()),
    )
    found = fit_linear(data, design, start)
    if found is None:
        return None
    free = design.any(axis=1)
    moments = split_moments(np.where(free, 0.0, join_moments(start)) + design @ found.x, data.roles)
    return LevelFit(moments, -found.value / 2, design, found.iterations, found.converged, False)


def _fit_in_root(data: Clusters, design: Floats, start: LevelMoments) -> LevelFit | None:
    """Return the saturated model with the between matrix as root times root transposed."""
    roles = data.roles
    b = len(roles.between)
    rows, columns = triangle(b)
    cut = design.shape[0] - rows.size
    free = design.any(axis=1)[:cut]
    origin = join_moments(start)[:cut]

    def moments_at(x: Floats) -> tuple[LevelMoments, Floats]:
        """Moments and the root."""
        root = np.zeros((b, b))
        root[rows, columns] = x[free.sum() :]
        flat = origin.copy()
        flat[free] = x[: free.sum()]
        return split_moments(np.concatenate([flat, half_vector(root @ root.T)]), roles), root

    def jacobian(root: Floats) -> Floats:
        """d moments / d x."""
        out = np.zeros((design.shape[0], int(free.sum()) + rows.size))
        out[np.flatnonzero(free), np.arange(int(free.sum()))] = 1.0
        for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
            change = np.zeros((b, b))
            change[i] += root[:, j]
            change[:, i] += root[:, j]
            out[cut:, int(free.sum()) + k] = half_vector(change)
        return out

    def criterion(x: Floats) -> tuple[float, Floats] | None:
        """-2 log-likelihood with gradient."""
        moments, root = moments_at(x)
        found = evaluate_clusters(moments, data)
        return None if found is None else (found.value, jacobian(root).T @ join_slope(found))

    def curvature(x: Floats) -> Floats:
        """Expected second derivative, with a floor where the root is singular."""
        moments, root = moments_at(x)
        found = evaluate_clusters(moments, data)
        assert found is not None
        slopes = jacobian(root)
        out = 2 * slopes.T @ level_information("expected", data, found) @ slopes
        return np.asarray(out + 1e-6 * np.diag(out.diagonal() + 1e-6 * out.diagonal().max()))

    first = np.concatenate([origin[free], np.linalg.cholesky(start.sigma_between)[rows, columns]])
    found = search_by_scoring(criterion, curvature, first, tolerance=1e-8, max_iterations=500)
    if found is None:
        return None
    return LevelFit(moments_at(found.x)[0], -found.value / 2, design, found.iterations, found.converged, True)
