"""The saturated model of both levels, and the model of independent variables (the baseline).

Both have some of the moments as their parameters and are found by Fisher scoring. A saturated between-level matrix must
be positive semidefinite; where the free maximum is not, the search goes on in its triangular root.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.saturated import available_moments
from alliancekit.structural.duplication import half_vector, triangle
from alliancekit.structural.scoring import search_by_scoring
from alliancekit.structural.twolevel.group import GroupData, evaluate_group, group_sizes
from alliancekit.structural.twolevel.incomplete import IncompleteClusters
from alliancekit.structural.twolevel.information import expected_levels
from alliancekit.structural.twolevel.moments import LevelMoments, join_moments, join_slope, split_moments
from alliancekit.structural.twolevel.statistics import Clusters, Roles

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Pair = tuple[frozenset[str], frozenset[str]]
NOBODY: Pair = (frozenset(), frozenset())


@dataclass(frozen=True, eq=False, slots=True)
class LevelFit:
    """Moments of both levels, log-likelihood there, and how the search ended.

    free (moments,): which moments are parameters; boundary: the between matrix is singular.
    """

    moments: LevelMoments
    log_likelihood: float
    free: Booleans
    iterations: int
    converged: bool
    boundary: bool


def fit_saturated_levels(data: GroupData) -> LevelFit | None:
    """Return the saturated model of both levels; None where it cannot be started."""
    free = free_moments(data.roles)
    start = moment_start(data)
    found = _fit_balanced(data, free) or _fit_free(data, free, start)
    if found is None:
        return None
    between = found.moments.sigma_between
    spread = np.sqrt(np.maximum(np.abs(between.diagonal()), 1e-12 * float(np.abs(between).max())))
    lowest = float(np.linalg.eigvalsh(between / np.outer(spread, spread))[0])
    if lowest >= -1e-9 and found.converged:
        return LevelFit(found.moments, found.log_likelihood, free, found.iterations, True, lowest < 1e-6)
    return _fit_in_root(data, free, start)


def fit_baseline_levels(data: GroupData, exogenous: Pair = NOBODY) -> LevelFit | None:
    """Return the model of independent variables: means and variances at both levels, no covariance.

    exogenous: variables within and between whose covariances with each other stay free.
    """
    free = free_moments(data.roles, exogenous)
    found = _fit_balanced(data, free)
    if found is not None:
        return found
    start = moment_start(data)
    flat = np.where(free | _mean_places(data.roles), join_moments(start), 0.0)
    return _fit_free(data, free, split_moments(flat, data.roles))


def _fit_balanced(data: GroupData, free: Booleans) -> LevelFit | None:
    """Return the maximum in closed form: complete clusters of one size, every within variable at both levels.

    Within clusters and between their means the likelihood is that of two samples, with covariances sigma_W and
    sigma_B + sigma_W / s; covariances that are not free are zero. None for other data.
    """
    roles = data.roles
    if not isinstance(data, Clusters) or data.sizes.size > 1 or not set(roles.within) <= set(roles.between):
        return None
    w, b = roles.places()
    pooled = data.within / (data.n - data.n_clusters)
    whole = data.cross[0].copy()
    whole[np.ix_(w, w)] -= pooled / data.sizes[0]
    every = join_moments(LevelMoments(np.zeros(w.size), pooled, data.mean[0][b], whole[np.ix_(b, b)]))
    moments = split_moments(np.where(free | _mean_places(roles), every, 0.0), roles)
    found = evaluate_group(moments, data)
    return None if found is None else LevelFit(moments, -found.value / 2, free, 0, True, False)


def free_moments(roles: Roles, exogenous: Pair | None = None) -> Booleans:
    """Return which moments are free: all but the within means of variables at both levels.

    With ``exogenous`` given, only variances, and the covariances of these variables with each other.
    """
    flags: list[bool] = []
    held = set(roles.between)
    for level, names in enumerate((roles.within, roles.between)):
        flags += [level == 1 or name not in held for name in names]
        rows, columns = triangle(len(names))
        if exogenous is None:
            flags += [True] * rows.size
            continue
        own = np.array([name in exogenous[level] for name in names])
        flags += list((rows == columns) | (own[rows] & own[columns]))
    return np.array(flags, dtype=bool)


def _mean_places(roles: Roles) -> Booleans:
    """Return which places of the moment vector are means."""
    parts = []
    for names in (roles.within, roles.between):
        p = len(names)
        parts += [np.ones(p, dtype=bool), np.zeros(p * (p + 1) // 2, dtype=bool)]
    return np.concatenate(parts)


def moment_start(data: GroupData) -> LevelMoments:
    """Return moments to start from, by analysis of variance, the between matrix made positive definite."""
    roles = data.roles
    w, b = roles.places()
    if isinstance(data, Clusters):
        pooled = data.within / (data.n - data.n_clusters)
        pooled = pooled + 1e-3 * np.diag(pooled.diagonal())
        centre = data.centre.mean(axis=0)
        cov = np.atleast_2d(np.cov(data.centre.T, bias=True))
        cov[np.ix_(w, w)] -= pooled * float(np.mean(1.0 / data.size))
    else:
        centre, cov, pooled = _available_start(data)
    floor = np.zeros(centre.size)
    floor[w] = 0.05 * pooled.diagonal()
    spread = np.sqrt(np.maximum(np.maximum(cov.diagonal(), floor), 1e-6 * float(np.abs(cov.diagonal()).max())))
    correlation = cov / np.outer(spread, spread)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 0.05:
        correlation = (vectors * np.maximum(values, 0.05)) @ vectors.T
    between = (correlation * np.outer(spread, spread))[np.ix_(b, b)]
    inside = np.array([0.0 if name in roles.between else centre[k] for name, k in zip(roles.within, w, strict=True)])
    return LevelMoments(inside, pooled, centre[b], between)


def _available_start(data: IncompleteClusters) -> tuple[Floats, Floats, Floats]:
    """Return centre, between and within covariances to start from: the available moments, shared out by level."""
    mean, total = available_moments(data.patterns)
    only = data.only
    centre = np.concatenate([np.nanmean(only, axis=0), mean])
    cov = np.zeros((centre.size, centre.size))
    p_z = only.shape[1]
    cov[:p_z, :p_z] = np.diag(np.nanvar(only, axis=0))
    cov[p_z:, p_z:] = 0.2 * total
    return centre, cov, 0.8 * total


def _fit_free(data: GroupData, free: Booleans, start: LevelMoments) -> LevelFit | None:
    """Find the free moments by Fisher scoring, the others at their starting values."""
    origin = join_moments(start)
    size = group_sizes(data)

    def moments_at(x: Floats) -> LevelMoments:
        """Moments of both levels."""
        flat = origin.copy()
        flat[free] = x
        return split_moments(flat, data.roles)

    def criterion(x: Floats) -> tuple[float, Floats] | None:
        """-2 log-likelihood with gradient."""
        found = evaluate_group(moments_at(x), data)
        return None if found is None else (found.value, join_slope(found.slope)[free])

    def curvature(x: Floats) -> Floats:
        """Expected second derivative of the criterion."""
        return np.asarray(2 * expected_levels(moments_at(x), data.roles, size)[np.ix_(free, free)])

    found = search_by_scoring(criterion, curvature, origin[free])
    if found is None:
        return None
    return LevelFit(moments_at(found.x), -found.value / 2, free, found.iterations, found.converged, False)


def _fit_in_root(data: GroupData, free: Booleans, start: LevelMoments) -> LevelFit | None:
    """Return the saturated model with the between matrix as root times root transposed."""
    root = _RootMap(data.roles, free, join_moments(start))
    size = group_sizes(data)

    def criterion(x: Floats) -> tuple[float, Floats] | None:
        """-2 log-likelihood with gradient."""
        found = evaluate_group(root.moments(x), data)
        return None if found is None else (found.value, root.jacobian(x).T @ join_slope(found.slope))

    def curvature(x: Floats) -> Floats:
        """Expected second derivative, with a floor where the root is singular."""
        slopes = root.jacobian(x)
        out = 2 * slopes.T @ expected_levels(root.moments(x), data.roles, size) @ slopes
        return np.asarray(out + 1e-6 * np.diag(out.diagonal() + 1e-6 * out.diagonal().max()))

    found = search_by_scoring(criterion, curvature, root.start(start), tolerance=1e-8, max_iterations=500)
    if found is None:
        return None
    return LevelFit(root.moments(found.x), -found.value / 2, free, found.iterations, found.converged, True)


class _RootMap:
    """Moments from free means, the within triangle, and the triangular root of the between matrix."""

    def __init__(self, roles: Roles, free: Booleans, origin: Floats) -> None:
        b = len(roles.between)
        self.roles, self.origin = roles, origin
        self.rows, self.columns = triangle(b)
        self.cut = free.size - self.rows.size
        self.free = np.flatnonzero(free[: self.cut])

    def start(self, moments: LevelMoments) -> Floats:
        """Return the parameters of positive definite moments."""
        root = np.linalg.cholesky(moments.sigma_between)
        return np.concatenate([self.origin[self.free], root[self.rows, self.columns]])

    def _root(self, x: Floats) -> Floats:
        """Return the triangular root."""
        b = len(self.roles.between)
        root = np.zeros((b, b))
        root[self.rows, self.columns] = x[self.free.size :]
        return root

    def moments(self, x: Floats) -> LevelMoments:
        """Return the moments of both levels."""
        root = self._root(x)
        flat = self.origin[: self.cut].copy()
        flat[self.free] = x[: self.free.size]
        return split_moments(np.concatenate([flat, half_vector(root @ root.T)]), self.roles)

    def jacobian(self, x: Floats) -> Floats:
        """Return d moments / d parameters."""
        root = self._root(x)
        out = np.zeros((self.origin.size, x.size))
        out[self.free, np.arange(self.free.size)] = 1.0
        for k, (i, j) in enumerate(zip(self.rows, self.columns, strict=True)):
            change = np.zeros_like(root)
            change[i] += root[:, j]
            change[:, i] += root[:, j]
            out[self.cut :, self.free.size + k] = half_vector(change)
        return out
