"""The parameters of a residual structure with their intervals, as rows of ``variance_components``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.inference import VarianceUncertainty
from alliancekit.multilevel.residual.part import ResidualPart
from alliancekit.numerics.distributions import normal_quantile

Floats = NDArray[np.float64]
GROUP = "Residual structure"


Row = tuple[str, float, float, float]


def parameter_rows(part: ResidualPart, uncertainty: VarianceUncertainty, level: float) -> list[Row]:
    """Return (name, estimate, low, high) for each parameter of the structure, in natural units.

    Intervals are Wald intervals on the scale that the structure names for them (nlme's), by the delta method; for an SD
    ratio on the log scale. They are missing for a parameter at a boundary.
    """
    spread = uncertainty.covariance[-part.phi.size :, -part.phi.size :]
    reach = normal_quantile(1 - (1 - level) / 2)
    return _correlation_rows(part, spread, reach) + _variance_rows(part, spread, reach)


def _correlation_rows(part: ResidualPart, spread: Floats, reach: float) -> list[Row]:
    bound, phi, n = part.correlation, part.correlation_phi, part.rows.n_correlation
    if bound is None:
        return []
    natural = bound.natural(phi)
    if part.at_boundary or not part.free[:n].all():
        return [(name, float(value), np.nan, np.nan) for name, value in zip(bound.names, natural, strict=True)]
    slope = np.empty((natural.size, n))
    for i in range(n):
        h = 1e-5 * max(abs(phi[i]), 0.1)
        up, down = phi.copy(), phi.copy()
        up[i] += h
        down[i] -= h
        slope[:, i] = (bound.link(bound.natural(up)) - bound.link(bound.natural(down))) / (2 * h)
    sd = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", slope, spread[:n, :n], slope), 0.0))
    linked = bound.link(natural)
    low, high = bound.unlink(linked - reach * sd), bound.unlink(linked + reach * sd)
    return [
        (name, float(value), float(a), float(b))
        for name, value, a, b in zip(bound.names, natural, low, high, strict=True)
    ]


def _variance_rows(part: ResidualPart, spread: Floats, reach: float) -> list[Row]:
    bound, psi, n = part.variance, part.variance_phi, part.rows.n_correlation
    if bound is None:
        return []
    sd = np.sqrt(np.maximum(np.diag(spread[n:, n:]), 0.0))
    natural, low, high = (bound.natural(psi + times * sd) for times in (0.0, -reach, reach))
    if bound.kind == "ratio":
        names = [f"SD of {name} / SD of {bound.labels[0]}" for name in bound.names]
    else:
        names = [f"power of {label}" for label in bound.labels]
    return [
        (name, float(natural[i]), float(low[i]), float(high[i]))
        if part.free[n + i]
        else (name, float(natural[i]), np.nan, np.nan)
        for i, name in enumerate(names)
    ]
