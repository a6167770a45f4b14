"""Information of complete two-level data about the moments of both levels, and the scores of single clusters.

Moments stand in the order: means within, triangle within, means between, triangle between. Each cluster size adds the
information of a normal sample with covariance sigma_B + sigma_W / s, divided by s for each part that is within.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import half_gradient, kronecker_sum, triangle
from alliancekit.structural.twolevel.likelihood import LevelEvaluation
from alliancekit.structural.twolevel.moments import LevelMoments, spread_moments
from alliancekit.structural.twolevel.statistics import Clusters, Roles

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def expected_levels(moments: LevelMoments, roles: Roles, size: Integers) -> Floats:
    """Return the expected information about the moments of both levels of complete clusters of the sizes given."""
    _, between, within = spread_moments(moments, roles)
    sizes, number = np.unique(size, return_counts=True)
    inverse: Floats = np.asarray(np.linalg.inv(between + within / sizes[:, None, None]), dtype=np.float64)
    inner: Floats = np.asarray(np.linalg.inv(moments.sigma_within), dtype=np.float64)
    spare = float(size.sum() - size.size)
    return _assemble(roles, number.astype(float), sizes.astype(float), inverse, inverse / 2, inner, spare * inner / 2)


def observed_levels(data: Clusters, found: LevelEvaluation) -> Floats:
    """Return the observed information about the moments of both levels, summed over all rows."""
    inverse, inner = found.inverse, found.inverse_within
    second = found.weighted[:, :, None] * found.weighted[:, None, :] - inverse / 2
    second += np.matmul(np.matmul(inverse, data.cross), inverse)
    spare = data.n - data.n_clusters
    within = inner @ data.within @ inner - spare * inner / 2
    return _assemble(data.roles, data.number, data.sizes, inverse, second, inner, within, found.weighted)


def _assemble(
    roles: Roles,
    number: Floats,
    sizes: Floats,
    inverse: Floats,
    second: Floats,
    inner: Floats,
    within: Floats,
    weighted: Floats | None = None,
) -> Floats:
    """Join the parts: sum over sizes of D'(inverse x second)D by level, and that of the deviations within clusters.

    weighted (S, q): omega^-1 (mean - mu), for the part of means by covariances, which has expectation zero.
    """
    q, p_w = len(roles.wide), len(roles.within)
    m_w, m_b = (len(names) * (len(names) + 3) // 2 for names in (roles.within, roles.between))
    out = np.zeros((m_w + m_b, m_w + m_b))
    places = _wide_places(roles)
    share = (1.0 / sizes, np.ones_like(sizes))
    means = np.tensordot(number, inverse, axes=1)
    alike = kronecker_sum(inverse, second * number[:, None, None]) if sizes.size == 1 else None
    for a, rows in enumerate(places):
        for b, columns in enumerate(places[: a + 1]):
            block = np.zeros((q + q * (q + 1) // 2, q + q * (q + 1) // 2))
            block[:q, :q] = means
            if alike is not None:
                block[q:, q:] = alike * (share[a] * share[b])
            else:
                block[q:, q:] = kronecker_sum(inverse, second * (number * share[a] * share[b])[:, None, None])
            if weighted is not None:
                block[:q, q:] = _mean_by_covariance(inverse, weighted * (number * share[b])[:, None])
                block[q:, :q] = _mean_by_covariance(inverse, weighted * (number * share[a])[:, None]).T
            part = block[np.ix_(rows, columns)]
            first, other = _offset(a, m_w, m_w + m_b), _offset(b, m_w, m_w + m_b)
            out[np.ix_(first, other)] = part
            out[np.ix_(other, first)] = part.T
    out[p_w:m_w, p_w:m_w] += kronecker_sum(inner[None], within[None])
    return out


def _offset(level: int, first: int, total: int) -> Integers:
    """Return the places of a level in the joint moment vector."""
    return np.arange(first) if level == 0 else np.arange(first, total)


def _wide_places(roles: Roles) -> tuple[Integers, Integers]:
    """Return where the moments of the within and of the between model stand among those of the wide order."""
    q = len(roles.wide)
    rows, columns = triangle(q)
    number = np.empty((q, q), dtype=np.intp)
    number[rows, columns] = number[columns, rows] = np.arange(rows.size)
    out = []
    for places in roles.places():
        r, c = triangle(places.size)
        out.append(np.concatenate([places, q + number[places[r], places[c]]]))
    return out[0], out[1]


def _mean_by_covariance(inverse: Floats, weighted: Floats) -> Floats:
    """Return the second derivative by a mean and a covariance, (q, q(q + 1)/2), clusters weighted."""
    rows, columns = triangle(weighted.shape[1])
    cross = np.tensordot(inverse, weighted, axes=(0, 0))
    block = cross[:, rows, columns] + cross[:, columns, rows]
    block[:, rows == columns] /= 2
    return np.asarray(block)


def cluster_scores(moments: LevelMoments, data: Clusters, found: LevelEvaluation) -> Floats:
    """Return d log L_j / d moments of each cluster, shape (J, moments)."""
    roles = data.roles
    w, b = roles.places()
    mu = spread_moments(moments, roles)[0]
    place = np.searchsorted(data.sizes, data.size)
    z = np.matmul(found.inverse[place], (data.centre - mu)[:, :, None])[:, :, 0]
    outer = (z[:, :, None] * z[:, None, :] - found.inverse[place]) / 2
    deviation = (data.rows - data.centre[data.cluster][:, w]) @ found.inverse_within
    p = w.size
    inner = np.empty((data.n_clusters, p, p))
    for i in range(p):
        for k in range(i + 1):
            inner[:, i, k] = inner[:, k, i] = np.bincount(
                data.cluster, deviation[:, i] * deviation[:, k], data.n_clusters
            )
    inner -= (data.size - 1)[:, None, None] * found.inverse_within
    within = inner / 2 + outer[:, w[:, None], w[None, :]] / data.size[:, None, None]
    return np.column_stack([z[:, w], half_gradient(within), z[:, b], half_gradient(outer[:, b[:, None], b[None, :]])])
