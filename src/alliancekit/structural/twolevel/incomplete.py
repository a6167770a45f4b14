"""-2 log-likelihood of two-level normal data with missing values, and its derivatives.

Given the variation between clusters the rows are independent with covariance sigma_W. With P_i the inverse of the
observed part for row i, A_j = sum_i P_i and p_j = sum_i P_i r_i over the rows of cluster j, and B the covariance of the
cluster effects (given the between-only variables), these have posterior covariance G_j = (B^-1 + A_j)^-1 and mean
b_j = G_j p_j, and
    -2 log L_j = sum_i [log|sigma_i| + r_i' P_i r_i] + log|I + B A_j| - p_j' b_j
Derivatives follow from Fisher's identity; B need not be positive definite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.structural.continuous.missing.likelihood import invert_patterns
from alliancekit.structural.continuous.missing.patterns import Patterns, group_patterns
from alliancekit.structural.duplication import half_gradient
from alliancekit.structural.twolevel.likelihood import LOG_2PI, invert_positive
from alliancekit.structural.twolevel.moments import LevelMoments, spread_moments
from alliancekit.structural.twolevel.statistics import Roles, require_variation

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
FARTHEST = 1e8
"""Variance of a cluster's effects over that of its rows from which differences lose the digits of the likelihood."""


@dataclass(frozen=True, eq=False, slots=True)
class IncompleteClusters:
    """Clustered data of one group with missing values.

    patterns: rows by pattern of missing values; cluster (n,): cluster of each kept row; count (J, K): rows of each
    cluster by pattern; only (J, p_z): between-only variables, nan where missing; kinds: clusters that share a pattern
    of between-only values, as (observed (p_z,), clusters).
    """

    roles: Roles
    patterns: Patterns
    cluster: Integers
    count: Floats
    only: Floats
    kinds: tuple[tuple[Booleans, Integers], ...]

    @property
    def n(self) -> int:
        """Rows with at least one value."""
        return self.patterns.n

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return int(self.count.shape[0])


@dataclass(frozen=True, eq=False, slots=True)
class IncompleteEvaluation:
    """-2 log-likelihood, its derivatives by the moments of each level, and what the scores of clusters need.

    effect (J, p_y) and spread (J, p_y, p_y): posterior mean and covariance of the cluster effects.
    """

    value: float
    slope: LevelMoments
    inverse: Floats
    remainder: Floats
    effect: Floats
    spread: Floats
    cluster_slope: Floats
    cluster_mean: Floats


def summarise_incomplete(rows: Floats, cluster: Integers, only: Floats, roles: Roles) -> IncompleteClusters:
    """Return clustered data with nan where a value is missing, arranged by patterns."""
    patterns = group_patterns(rows, roles.within)
    kept = cluster[patterns.kept]
    _, kept = np.unique(kept, return_inverse=True)
    kept = kept.ravel()
    _require_two_levels(patterns, kept, roles)
    only = only[np.unique(cluster[patterns.kept])]
    k = patterns.size.size
    groups = int(kept.max()) + 1
    count = np.bincount(kept * k + patterns.pattern, minlength=groups * k).reshape(groups, k).astype(float)
    there = ~np.isnan(only)
    if only.shape[1] == 0:
        return IncompleteClusters(roles, patterns, kept, count, only, ((np.zeros(0, dtype=bool), np.arange(groups)),))
    forms, number = np.unique(there, axis=0, return_inverse=True)
    kinds = tuple((forms[f], np.flatnonzero(number.ravel() == f)) for f in range(forms.shape[0]))
    return IncompleteClusters(roles, patterns, kept, count, only, kinds)


def _require_two_levels(patterns: Patterns, cluster: Integers, roles: Roles) -> None:
    """Refuse data without two clusters, or a variable that does not vary within clusters."""
    groups = int(cluster.max()) + 1
    if groups < 2:
        what = "A two-level model needs at least two clusters"
        raise DesignError(message(what, do="Check the column given as cluster"))
    there = patterns.observed[patterns.pattern].astype(float)
    centre = patterns.rows.sum(axis=0) / there.sum(axis=0)
    centred = np.where(there > 0, patterns.rows - centre, 0.0)
    count, sums, squares = (_sum_by(part, cluster, groups) for part in (there, centred, centred**2))
    within = (squares - sums**2 / np.maximum(count, 1.0)).sum(axis=0)
    require_variation(within, squares.sum(axis=0), roles)


def evaluate_incomplete(moments: LevelMoments, data: IncompleteClusters) -> IncompleteEvaluation | None:
    """Return -2 log-likelihood and derivatives; None where the moments are not admissible."""
    patterns = data.patterns
    mu, between, _ = spread_moments(moments, data.roles)
    p_z = len(data.roles.cluster_only)
    inverted = invert_patterns(moments.sigma_within, patterns)
    given = _condition(mu, between, data, p_z)
    if inverted is None or given is None:
        return None
    inverse, log_det = inverted
    value, spread, shift = given
    p = patterns.width
    observed = patterns.observed[patterns.pattern]
    residual = np.where(observed, patterns.rows - mu[p_z:] - shift[data.cluster], 0.0)
    pulled = np.matmul(inverse[patterns.pattern], residual[:, :, None])[:, :, 0]
    load = _sum_by(pulled, data.cluster, data.n_clusters)
    precision = (data.count @ inverse.reshape(-1, p * p)).reshape(-1, p, p)
    root, admissible = _root(precision)
    turned = np.matmul(spread, root)
    inner = np.matmul(root.transpose(0, 2, 1), turned)
    inner[:, np.arange(p), np.arange(p)] += 1.0
    within_reach = admissible and float(np.abs(inner).max(initial=0.0)) < FARTHEST
    solved = invert_positive(inner) if within_reach else None
    if solved is None:
        return None
    posterior = spread - np.matmul(np.matmul(turned, solved[0]), turned.transpose(0, 2, 1))
    effect = np.matmul(posterior, load[:, :, None])[:, :, 0]
    remainder = load - np.matmul(precision, effect[:, :, None])[:, :, 0]
    value += patterns.points * LOG_2PI + float(patterns.size @ log_det) + float((pulled * residual).sum())
    value += float(solved[1].sum()) - float((load * effect).sum())
    pull = precision - np.matmul(np.matmul(precision, posterior), precision)
    pull -= remainder[:, :, None] * remainder[:, None, :]
    cluster_slope, cluster_mean = _spread_slopes(mu, between, data, pull, remainder)
    left = pulled - np.matmul(inverse[patterns.pattern], effect[data.cluster][:, :, None])[:, :, 0]
    average = (data.count.T @ posterior.reshape(-1, p * p)).reshape(-1, p, p)
    d_within = np.tensordot(patterns.size, inverse, axes=1) - left.T @ left
    d_within -= np.matmul(np.matmul(inverse, average), inverse).sum(axis=0)
    w, b = data.roles.places()
    d_between = cluster_slope.sum(axis=0)
    d_mu = cluster_mean.sum(axis=0)
    slope = LevelMoments(d_mu[w], (d_within + d_within.T) / 2, d_mu[b], d_between[np.ix_(b, b)])
    return IncompleteEvaluation(value, slope, inverse, left, effect + shift, posterior, cluster_slope, cluster_mean)


def incomplete_scores(data: IncompleteClusters, found: IncompleteEvaluation) -> Floats:
    """Return d log L_j / d moments of each cluster, shape (J, moments)."""
    w, b = data.roles.places()
    p = w.size
    left = found.remainder
    within = (data.count @ found.inverse.reshape(-1, p * p)).reshape(-1, p, p)
    within -= _sum_by((left[:, :, None] * left[:, None, :]).reshape(-1, p * p), data.cluster, data.n_clusters).reshape(
        -1, p, p
    )
    cluster, pattern = np.nonzero(data.count)
    part = np.matmul(np.matmul(found.inverse[pattern], found.spread[cluster]), found.inverse[pattern])
    part *= data.count[cluster, pattern][:, None, None]
    within -= _sum_by(part.reshape(-1, p * p), cluster, data.n_clusters).reshape(-1, p, p)
    within = (within + within.transpose(0, 2, 1)) / 2
    between = found.cluster_slope[:, b[:, None], b[None, :]]
    mean = found.cluster_mean
    joined = [mean[:, w], half_gradient(within), mean[:, b], half_gradient(between)]
    return np.asarray(np.column_stack(joined) / -2)


def _sum_by(values: Floats, group: Integers, groups: int) -> Floats:
    """Return column sums (groups, k) of values (n, k) by group."""
    return np.column_stack([np.bincount(group, values[:, k], groups) for k in range(values.shape[1])])


def _root(precision: Floats) -> tuple[Floats, bool]:
    """Return triangular roots of a stack whose zero rows stay zero, and whether all the rest was positive definite."""
    p = precision.shape[1]
    there = precision[:, np.arange(p), np.arange(p)] > 0
    padded = precision.copy()
    padded[:, np.arange(p), np.arange(p)] += ~there
    try:
        root = np.linalg.cholesky(padded)
    except np.linalg.LinAlgError:
        return padded, False
    return np.asarray(root * there[:, :, None], dtype=np.float64), True


def _condition(mu: Floats, between: Floats, data: IncompleteClusters, p_z: int) -> tuple[float, Floats, Floats] | None:
    """Return -2 log L of the between-only values, and covariance and mean of the cluster effects given them."""
    own = between[p_z:, p_z:]
    p = own.shape[0]
    spread = np.repeat(own[None], data.n_clusters, axis=0)
    shift = np.zeros((data.n_clusters, p))
    value = 0.0
    for seen, members in data.kinds:
        if not seen.any():
            continue
        z = np.flatnonzero(seen)
        inverted = invert_positive(between[np.ix_(z, z)])
        if inverted is None:
            return None
        inverse, log_det = inverted
        centred = data.only[np.ix_(members, z)] - mu[z]
        regression = between[p_z:, z] @ inverse
        spread[members] = own - regression @ between[z, p_z:]
        shift[members] = centred @ regression.T
        value += members.size * (float(log_det) + z.size * LOG_2PI) + float(((centred @ inverse) * centred).sum())
    return value, spread, shift


def _spread_slopes(
    mu: Floats, between: Floats, data: IncompleteClusters, pull: Floats, remainder: Floats
) -> tuple[Floats, Floats]:
    """Return the derivatives of -2 log L_j by the between covariances (J, q, q) and the means (J, q), in wide order."""
    p_z = len(data.roles.cluster_only)
    q = mu.size
    slope = np.zeros((data.n_clusters, q, q))
    slope[:, p_z:, p_z:] = pull
    mean = np.zeros((data.n_clusters, q))
    mean[:, p_z:] = -2 * remainder
    for seen, members in data.kinds:
        if not seen.any():
            continue
        z = np.flatnonzero(seen)
        inverse = np.linalg.inv(between[np.ix_(z, z)])
        regression = between[p_z:, z] @ inverse
        weighted = (data.only[np.ix_(members, z)] - mu[z]) @ inverse
        back = remainder[members] @ regression
        side = np.matmul(pull[members], regression)
        cross = -side - remainder[members][:, :, None] * weighted[:, None, :]
        own = np.matmul(regression.T, side) + inverse - weighted[:, :, None] * weighted[:, None, :]
        own += back[:, :, None] * weighted[:, None, :] + weighted[:, :, None] * back[:, None, :]
        y = np.arange(p_z, q)
        slope[np.ix_(members, y, z)] = cross
        slope[np.ix_(members, z, y)] = cross.transpose(0, 2, 1)
        slope[np.ix_(members, z, z)] = own
        mean[np.ix_(members, z)] = 2 * back - 2 * weighted
    return slope, mean
