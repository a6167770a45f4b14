"""The likelihood of incomplete rows in groups (full-information maximum likelihood)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.information import moment_information, row_scores
from alliancekit.structural.continuous.missing.likelihood import Evaluation, evaluate_patterns
from alliancekit.structural.continuous.missing.patterns import Patterns
from alliancekit.structural.likelihood.contract import Block

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class IncompleteRows:
    """Rows with missing values, one set of patterns for each group."""

    groups: tuple[Patterns, ...]
    _last: dict[int, tuple[Block, Evaluation | None]] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> int:
        """Rows of all groups."""
        return sum(group.n for group in self.groups)

    @property
    def units(self) -> tuple[int, ...]:
        """Rows of each group."""
        return tuple(group.n for group in self.groups)

    @property
    def analytic(self) -> bool:
        """The observed information is known in closed form."""
        return True

    def evaluate(self, blocks: Sequence[Block]) -> tuple[float, tuple[Block, ...]] | None:
        """Return -2 log-likelihood and its derivatives by the moments of each group."""
        total = 0.0
        slopes = []
        for number, block in enumerate(blocks):
            found = self._at(number, block)
            if found is None:
                return None
            total += found.value
            slopes.append(Block(found.d_mu, found.d_sigma))
        return total, tuple(slopes)

    def information(self, kind: str, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the information of each group about its moments, summed over rows."""
        return tuple(
            group.n * moment_information(kind, block.sigma, block.mu, group, self._at(number, block))
            for number, (block, group) in enumerate(zip(blocks, self.groups, strict=True))
        )

    def scores(self, blocks: Sequence[Block]) -> tuple[Floats, ...]:
        """Return the scores of each row."""
        return tuple(
            row_scores(block.sigma, block.mu, group, self._at(number, block))
            for number, (block, group) in enumerate(zip(blocks, self.groups, strict=True))
        )

    def _at(self, number: int, block: Block) -> Evaluation | None:
        """Return the evaluation of a group, the last one again where the moments have not moved."""
        known = self._last.get(number)
        if known is not None and np.array_equal(known[0].sigma, block.sigma) and np.array_equal(known[0].mu, block.mu):
            return known[1]
        found = evaluate_patterns(block.sigma, block.mu, self.groups[number])
        self._last[number] = (block, found)
        return found


def summary_rows(means: Sequence[Floats], covariances: Sequence[Floats], sizes: Sequence[int]) -> IncompleteRows:
    """Return means and covariances (divisor n) in the form of patterns: complete rows known by their moments alone."""
    groups = []
    empty = np.zeros(0, dtype=np.intp)
    for mean, cov, n in zip(means, covariances, sizes, strict=True):
        there = np.ones((1, mean.size), dtype=bool)
        rows = np.zeros((0, mean.size))
        groups.append(Patterns(there, np.array([float(n)]), mean[None, :], cov[None, :, :], rows, empty, empty, 0))
    return IncompleteRows(tuple(groups))
