"""One group of clustered rows, complete or not: likelihood, scores and information under one name each."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.twolevel.incomplete import (
    IncompleteClusters,
    IncompleteEvaluation,
    evaluate_incomplete,
    incomplete_scores,
)
from alliancekit.structural.twolevel.information import cluster_scores, expected_levels, observed_levels
from alliancekit.structural.twolevel.likelihood import LevelEvaluation, evaluate_clusters
from alliancekit.structural.twolevel.moments import LevelMoments, join_moments, join_slope, split_moments
from alliancekit.structural.twolevel.statistics import Clusters

Floats = NDArray[np.float64]
GroupData = Clusters | IncompleteClusters
Found = TypeVar("Found")


def evaluate_group(moments: LevelMoments, group: GroupData) -> LevelEvaluation | IncompleteEvaluation | None:
    """Return -2 log-likelihood and derivatives of one group."""
    if isinstance(group, Clusters):
        return evaluate_clusters(moments, group)
    return evaluate_incomplete(moments, group)


def group_scores(moments: LevelMoments, group: GroupData) -> Floats:
    """Return the scores of the clusters of one group."""
    if isinstance(group, Clusters):
        return cluster_scores(moments, group, _required(evaluate_clusters(moments, group)))
    return incomplete_scores(group, _required(evaluate_incomplete(moments, group)))


def group_sizes(group: GroupData) -> NDArray[np.intp]:
    """Return the number of rows of each cluster."""
    return group.size if isinstance(group, Clusters) else group.count.sum(axis=1).astype(np.intp)


def group_information(kind: str, moments: LevelMoments, group: GroupData) -> Floats:
    """Return the information of one group about the moments of both levels, summed over rows.

    With missing values the expected information is that of complete data in clusters of the same sizes, which serves
    as a start for the search, and the observed one is taken by differences.
    """
    if kind == "first.order":
        scores = group_scores(moments, group)
        return np.asarray(scores.T @ scores)
    if kind == "expected":
        return expected_levels(moments, group.roles, group_sizes(group))
    if isinstance(group, Clusters):
        return observed_levels(group, _required(evaluate_clusters(moments, group)))
    return _difference_information(moments, group)


def _required(found: Found | None) -> Found:
    """Return what was found; raise FitError where the moments are not admissible."""
    if found is None:
        raise FitError(message("The implied covariance matrices are not positive definite at this point"))
    return found


def _difference_information(moments: LevelMoments, group: IncompleteClusters) -> Floats:
    """Return the observed information about the moments by central differences of the gradient."""
    expected = expected_levels(moments, group.roles, group_sizes(group))
    centre = join_moments(moments)
    step = 1e-3 / np.sqrt(np.maximum(expected.diagonal(), 1e-300))
    out = np.empty_like(expected)
    for i in range(centre.size):
        move = np.zeros(centre.size)
        move[i] = step[i]
        up, down = (
            join_slope(_required(evaluate_incomplete(split_moments(point, group.roles), group)).slope)
            for point in (centre + move, centre - move)
        )
        out[i] = (up - down) / (4 * step[i])
    return (out + out.T) / 2
