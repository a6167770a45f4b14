"""The parameters of a residual structure with their intervals, as rows of ``variance_components``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.inference import VarianceUncertainty
from alliancekit.multilevel.residual.part import ResidualPart
from alliancekit.multilevel.residual.terms import BoundVariance
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
    names = _variance_names(bound)
    return [
        (name, float(natural[i]), float(low[i]), float(high[i]))
        if part.free[n + i]
        else (name, float(natural[i]), np.nan, np.nan)
        for i, name in enumerate(names)
    ]


def _variance_names(bound: BoundVariance) -> list[str]:
    if bound.kind == "ratio":
        return [f"SD of {name} / SD of {bound.labels[0]}" for name in bound.names]
    return [f"power of {label}" for label in bound.labels]


def structure_names(part: ResidualPart) -> list[str]:
    """Return the names of the structure's parameters, in the order of ``parameter_rows``."""
    names = [] if part.correlation is None else list(part.correlation.names)
    return names + ([] if part.variance is None else _variance_names(part.variance))


def structure_values(part: ResidualPart, phi: Floats) -> Floats:
    """Return the parameters of B fits in natural units, shape (B, parameters), from ``phi`` (B, n_phi)."""
    n, out = part.rows.n_correlation, []
    for row in phi:
        known = not np.isnan(row).any()  # a boundary may lie at infinity
        own = [] if part.correlation is None else [part.correlation.natural(row[:n]) if known else row[:n]]
        out.append(np.concatenate([*own, *([] if part.variance is None else [part.variance.natural(row[n:])])]))
    return np.array(out).reshape(len(phi), -1)


def structure_space(part: ResidualPart, name: str) -> tuple[float, float]:
    """Return the ends of the space of one of the structure's parameters."""
    if part.correlation is not None and name in part.correlation.names:
        low, high = part.correlation.unlink(np.full((2, len(part.correlation.names)), [[-np.inf], [np.inf]]))
        return float(low[0]), float(high[0])
    return (-np.inf, np.inf) if name.startswith("power of ") else (0.0, np.inf)
