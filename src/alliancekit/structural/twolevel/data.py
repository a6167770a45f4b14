"""The likelihood of clustered rows in groups, with or without missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block
from alliancekit.structural.twolevel.group import GroupData, evaluate_group, group_information, group_scores
from alliancekit.structural.twolevel.moments import LevelMoments
from alliancekit.structural.twolevel.statistics import Clusters

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class ClusteredRows:
    """Clustered rows, one set for each group; blocks of moments alternate: within and between of each group."""

    groups: tuple[GroupData, ...]

    @property
    def n(self) -> int:
        """Rows of all groups."""
        return sum(group.n for group in self.groups)

    @property
    def units(self) -> tuple[int, ...]:
        """Clusters of each group."""
        return tuple(group.n_clusters for group in self.groups)

    @property
    def analytic(self) -> bool:
        """The observed information is known in closed form where nothing is missing."""
        return all(isinstance(group, Clusters) for group in self.groups)

    def evaluate(self, blocks: Sequence[Block]) -> tuple[float, tuple[Block, ...]] | None:
        """Return -2 log-likelihood and its derivatives by the moments of both levels of each group."""
        total = 0.0
        slopes: list[Block] = []
        for moments, group in zip(_pair(blocks), self.groups, strict=True):
            found = evaluate_group(moments, group)
            if found is None:
                return None
            total += found.value
            slope = found.slope
            slopes += [Block(slope.mu_within, slope.sigma_within), Block(slope.mu_between, slope.sigma_between)]
        return total, tuple(slopes)

    def information(self, kind: str, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the information of each group about the moments of both levels, summed over rows."""
        return tuple(group_information(kind, m, group) for m, group in zip(_pair(blocks), self.groups, strict=True))

    def scores(self, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the scores of each cluster."""
        return tuple(group_scores(m, group) for m, group in zip(_pair(blocks), self.groups, strict=True))


def _pair(blocks: Sequence[Block]) -> list[LevelMoments]:
    """Return the moments of both levels of each group."""
    return [
        LevelMoments(within.mu, within.sigma, between.mu, between.sigma)
        for within, between in zip(blocks[::2], blocks[1::2], strict=True)
    ]
