"""Find the maximum of a likelihood of raw data under a model, from starting values and the expected information."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import half_gradient
from alliancekit.structural.likelihood.contract import Block, Likelihood, Mapping
from alliancekit.structural.scoring import Criterion, Curvature, Found, search_by_scoring

Floats = NDArray[np.float64]


def search_maximum(
    data: Likelihood, mapping: Mapping, start: Floats, *, tolerance: float = 1e-11, max_iterations: int = 300
) -> Found | None:
    """Minimise -2 log-likelihood over the free parameters; None where the start is not admissible."""
    criterion, curvature = criterion_of(data, mapping)
    return search_by_scoring(criterion, curvature, start, tolerance=tolerance, max_iterations=max_iterations)


def criterion_of(data: Likelihood, mapping: Mapping) -> tuple[Criterion, Curvature]:
    """Return -2 log-likelihood with gradient as a function of the parameters, and its expected second derivative."""

    def criterion(x: Floats) -> tuple[float, Floats] | None:
        """-2 log-likelihood with gradient."""
        found = data.evaluate(mapping.moments(x))
        return None if found is None else (found[0], mapping.gradient(x, found[1]))

    def curvature(x: Floats) -> Floats:
        """Expected second derivative."""
        return 2 * parameter_information(data.information("expected", mapping.moments(x)), mapping.jacobian(x))

    return criterion, curvature


def parameter_information(information: Sequence[Floats], jacobian: Sequence[Floats]) -> Floats:
    """Return the information about the parameters from that about the moments, summed over groups."""
    size = jacobian[0].shape[1]
    out = np.zeros((size, size))
    for part, slope in zip(information, jacobian, strict=True):
        out += slope.T @ part @ slope
    return (out + out.T) / 2


def flatten_slopes(slopes: Sequence[Block]) -> Floats:
    """Return derivatives by the moments as one vector over all blocks."""
    return np.concatenate([part for block in slopes for part in (block.mu, half_gradient(block.sigma))])
