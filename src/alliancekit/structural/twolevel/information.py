"""Information of complete two-level data about the moments of both levels, and the scores of single clusters.

Moments stand in the order: means within, triangle within, means between, triangle between. Each cluster size adds the
information of a normal sample with covariance sigma_B + sigma_W / s, divided by s for each part that is within.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import half_gradient, kronecker_sum, triangle
from alliancekit.structural.twolevel.likelihood import LevelEvaluation, LevelMoments, spread_moments
from alliancekit.structural.twolevel.statistics import Clusters, Roles

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def level_information(kind: str, data: Clusters, found: LevelEvaluation) -> Floats:
    """Return the information about the moments of both levels, summed over all rows; kind: "observed" or "expected"."""
    roles = data.roles
    q, p_w = len(roles.wide), len(roles.within)
    m_w, m_b = (len(names) * (len(names) + 3) // 2 for names in (roles.within, roles.between))
    inverse = found.inverse
    second = inverse / 2
    inner = found.inverse_within / 2
    spare = data.n - data.n_clusters
    if kind == "observed":
        second = found.weighted[:, :, None] * found.weighted[:, None, :] - second
        second += np.matmul(np.matmul(inverse, data.cross), inverse)
        inner = found.inverse_within @ data.within @ found.inverse_within / max(spare, 1) - inner
    out = np.zeros((m_w + m_b, m_w + m_b))
    places = _wide_places(roles)
    share = np.array([1.0 / data.sizes, np.ones_like(data.sizes)])
    for a, rows in enumerate(places):
        for b, columns in enumerate(places):
            weight = data.number * share[a] * share[b]
            block = np.zeros((q + q * (q + 1) // 2, q + q * (q + 1) // 2))
            block[:q, :q] = np.tensordot(data.number, inverse, axes=1)
            block[q:, q:] = kronecker_sum(inverse, second * weight[:, None, None])
            if kind == "observed":
                block[:q, q:] = _mean_by_covariance(found, data.number * share[b])
                block[q:, :q] = _mean_by_covariance(found, data.number * share[a]).T
            out[np.ix_(*(_offset(k, m_w, m_w + m_b) for k in (a, b)))] = block[np.ix_(rows, columns)]
    out[p_w:m_w, p_w:m_w] += spare * kronecker_sum(found.inverse_within[None], inner[None])
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


def _mean_by_covariance(found: LevelEvaluation, weight: Floats) -> Floats:
    """Return the second derivative by a mean and a covariance, (q, q(q + 1)/2), clusters weighted."""
    rows, columns = triangle(found.weighted.shape[1])
    cross = np.tensordot(found.inverse, found.weighted * weight[:, None], axes=(0, 0))
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
            inner[:, i, k] = inner[:, k, i] = np.bincount(data.cluster, deviation[:, i] * deviation[:, k], data.n_clusters)
    inner -= (data.size - 1)[:, None, None] * found.inverse_within
    within = inner / 2 + outer[:, w[:, None], w[None, :]] / data.size[:, None, None]
    return np.column_stack([z[:, w], half_gradient(within), z[:, b], half_gradient(outer[:, b[:, None], b[None, :]])])
