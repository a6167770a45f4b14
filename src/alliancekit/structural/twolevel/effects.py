"""What the data say about the two parts of each value: within and between clusters (empirical Bayes).

The parts go into factor scores: regression scores of a level are the model's regression of its factors on its
variables, applied to the expected part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.twolevel.group import GroupData
from alliancekit.structural.twolevel.incomplete import IncompleteClusters, evaluate_incomplete
from alliancekit.structural.twolevel.likelihood import evaluate_clusters
from alliancekit.structural.twolevel.moments import LevelMoments, spread_moments
from alliancekit.structural.twolevel.statistics import Clusters

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class LevelParts:
    """Expected deviations from the means: within (n, p_w) by row, between (J, p_b) by cluster, in model order."""

    within: Floats
    between: Floats


def expected_parts(moments: LevelMoments, data: GroupData) -> LevelParts:
    """Return the posterior means of both parts at the moments given, less the model's means of the level."""
    return _complete_parts(moments, data) if isinstance(data, Clusters) else _incomplete_parts(moments, data)


def _complete_parts(moments: LevelMoments, data: Clusters) -> LevelParts:
    """Return the parts where nothing is missing: sigma_B omega_s^-1 (v_j - mu), and the rest of each row."""
    found = evaluate_clusters(moments, data)
    assert found is not None
    mu, between, _ = spread_moments(moments, data.roles)
    w, b = data.roles.places()
    place = np.searchsorted(data.sizes, data.size)
    pulled = np.matmul(found.inverse[place], (data.centre - mu)[:, :, None])[:, :, 0]
    effect = pulled @ between
    within = data.rows - mu[w] - effect[data.cluster][:, w]
    return LevelParts(within, effect[:, b])


def _incomplete_parts(moments: LevelMoments, data: IncompleteClusters) -> LevelParts:
    """Return the parts where values are missing: expected as well for what is not there."""
    found = evaluate_incomplete(moments, data)
    assert found is not None
    mu, between, _ = spread_moments(moments, data.roles)
    _, b = data.roles.places()
    p_z = len(data.roles.cluster_only)
    effect = np.zeros((data.n_clusters, mu.size))
    effect[:, p_z:] = found.effect
    for seen, members in data.kinds:
        known = np.concatenate([np.flatnonzero(seen), np.arange(p_z, mu.size)])
        known = known[between[known, known] > 0]
        absent = np.flatnonzero(~seen)
        effect[np.ix_(members, np.flatnonzero(seen))] = (
            data.only[np.ix_(members, np.flatnonzero(seen))] - mu[:p_z][seen]
        )
        if absent.size:
            regression = between[np.ix_(absent, known)] @ np.linalg.pinv(between[np.ix_(known, known)])
            effect[np.ix_(members, absent)] = effect[np.ix_(members, known)] @ regression.T
    return LevelParts(found.remainder @ moments.sigma_within, effect[:, b])
