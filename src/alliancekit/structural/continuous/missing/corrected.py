"""Fit of a FIML solution freed from the missing values: what goes into the robust CFI, TLI and RMSEA.

The misfit is the complete-data discrepancy between the saturated (EM) moments and those of the FIML solution; its
expectation under a true model is a trace that replaces the degrees of freedom (Zhang and Savalei 2022: FIML-C, V6 for
normal data, V3 with robust estimation). lavaan 0.6-14 leaves exogenous variables out of the complete-data information
even where they are random (fixed_x=False); here they are left out only where their moments are fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.information import complete_information
from alliancekit.structural.likelihood.contract import Block
from alliancekit.structural.likelihood.saturation import SaturatedModel

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class SaturatedInformation:
    """Information about the saturated moments of each group, summed over rows and cut to the moments that count.

    observed: of the incomplete data; complete: of complete data with the same moments; meat: squared scores or None.
    """

    observed: tuple[Floats, ...]
    complete: tuple[Floats, ...]
    meat: tuple[Floats, ...] | None
    counted: tuple[Booleans, ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """Complete-data chi-square of a solution, its expectation under a true model, and the degrees of freedom."""

    statistic: float
    trace: float
    df: int

    @property
    def factor(self) -> float:
        """Scaling factor of the chi-square (nan where no degrees of freedom are left)."""
        return self.trace / self.df if self.df > 0 else float("nan")


def saturated_information(data: IncompleteRows, saturated: SaturatedModel, *, robust: bool) -> SaturatedInformation:
    """Return the information at the saturated moments; with the squared scores where the estimation is robust."""
    cut = [np.ix_(free, free) for free in saturated.counted]
    observed = tuple(m[c] for m, c in zip(saturated.information(data, "observed"), cut, strict=True))
    complete = tuple(
        group.n * complete_information(block.sigma)[c]
        for group, block, c in zip(data.groups, saturated.blocks, cut, strict=True)
    )
    meat = tuple(m[c] for m, c in zip(saturated.meats(data), cut, strict=True)) if robust else None
    return SaturatedInformation(observed, complete, meat, saturated.counted)


def corrected_fit(
    known: SaturatedInformation,
    saturated: Sequence[Block],
    implied: Sequence[Block],
    sizes: Sequence[int],
    jacobian: Sequence[Floats],
    inverse: Floats,
    df: int,
) -> Corrected:
    """Return chi-square and scaling of one solution.

    jacobian: d moments / d parameters of each group; inverse: inverse of the unstructured information about the
    parameters, summed over rows (constraints respected).
    """
    statistic = sum(n * _discrepancy(s, m) for n, s, m in zip(sizes, saturated, implied, strict=True))
    size = inverse.shape[0]
    trace = 0.0
    pull, middle, outer = (np.zeros((size, size)) for _ in range(3))
    for g, (slope, free) in enumerate(zip(jacobian, known.counted, strict=True)):
        delta, complete = slope[free], known.complete[g]
        ratio = np.linalg.solve(known.observed[g], complete)
        pull += delta.T @ complete @ delta
        if known.meat is None:
            trace += float(np.trace(ratio))
            continue
        meat = known.meat[g]
        trace += float(np.trace(ratio @ np.linalg.solve(known.observed[g], meat)))
        middle += delta.T @ ratio.T @ meat @ delta
        outer += delta.T @ meat @ delta
    if known.meat is None:
        trace -= float((pull * inverse).sum())
    else:
        trace += float(np.trace(inverse @ pull @ inverse @ outer)) - 2 * float((inverse * middle.T).sum())
    return Corrected(float(statistic), trace, df)


def _discrepancy(sample: Block, model: Block) -> float:
    """Return the normal-theory discrepancy between two sets of moments."""
    ratio = np.linalg.solve(model.sigma, sample.sigma)
    offset = sample.mu - model.mu
    value = float(np.trace(ratio)) - sample.mu.size + float(offset @ np.linalg.solve(model.sigma, offset))
    return value - float(np.linalg.slogdet(ratio)[1])
