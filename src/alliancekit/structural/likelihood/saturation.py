"""The saturated model of raw data: its moments, its likelihood, and its information, computed once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block, Likelihood
from alliancekit.structural.likelihood.inference import moment_meat

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class SaturatedModel:
    """Saturated moments of all groups, the log-likelihood there, and which moments count as free in each group.

    outside: log-likelihood of exogenous variables with fixed moments, which is taken off both log-likelihoods.
    clusters: number of the cluster of each unit of each group, for standard errors robust to clustering.
    """

    blocks: tuple[Block, ...]
    log_likelihood: float
    counted: tuple[Booleans, ...]
    outside: float = 0.0
    clusters: tuple[Integers, ...] | None = None
    _known: dict[str, tuple[Floats, ...]] = field(default_factory=dict, repr=False)

    def information(self, data: Likelihood, kind: str) -> tuple[Floats, ...]:
        """Return the information about the moments of each group at the saturated moments, summed over rows."""
        if kind == "first.order":
            return self.meats(data)
        if kind not in self._known:
            self._known[kind] = data.information(kind, self.blocks)
        return self._known[kind]

    def meats(self, data: Likelihood) -> tuple[Floats, ...]:
        """Return the summed squared scores at the saturated moments of each group."""
        if "meat" not in self._known:
            self._known["meat"] = moment_meat(data, self.blocks, self.clusters)
        return self._known["meat"]
