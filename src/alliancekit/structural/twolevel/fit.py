"""Fit of a two-level model: residuals of the correlations at each level, intraclass correlations of the variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.twolevel.moments import LevelMoments
from alliancekit.structural.twolevel.statistics import Roles

Floats = NDArray[np.float64]


def level_srmr(saturated: LevelMoments, implied: LevelMoments, *, raised: bool = True) -> tuple[float, float]:
    """Return the root mean square residual of the correlations within and between, the diagonal counted as zero.

    raised: where the implied correlations between clusters are not positive definite, small eigenvalues of the
    covariances are raised to 1e-6 of the largest, as in lavaan 0.6-14, and the result depends on the units of the
    variables. Without it correlations are taken as they are, and there is no result where a variance is not positive.
    lavaan also raises those of admissible covariances whose variances differ by a factor above 1e6: that is left out.
    """
    within = _residual(saturated.sigma_within, implied.sigma_within)
    between = _near_definite(implied.sigma_between) if raised else implied.sigma_between
    return within, _residual(saturated.sigma_between, between)


def _residual(sample: Floats, model: Floats) -> float:
    """Return the root mean square over the lower triangle; nan where a variance is not positive."""
    spread = [matrix.diagonal() for matrix in (sample, model)]
    if any((values <= 0).any() for values in spread):
        return float("nan")
    first, second = (m / np.sqrt(np.outer(v, v)) for m, v in zip((sample, model), spread, strict=True))
    difference = (first - second)[np.tril_indices(sample.shape[0])]
    return float(np.sqrt((difference**2).mean()))


def _near_definite(matrix: Floats, floor: float = 1e-6) -> Floats:
    """Return the matrix with small eigenvalues raised to ``floor`` times the largest, unless it is admissible."""
    variances = matrix.diagonal()
    if (variances > 0).all():
        values = np.linalg.eigvalsh(matrix / np.sqrt(np.outer(variances, variances)))
        if values[0] >= floor * values[-1]:
            return matrix
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, floor * abs(float(values[-1])))) @ vectors.T)


def intraclass_correlations(saturated: LevelMoments, roles: Roles) -> dict[str, float]:
    """Return the share of the variance that is between clusters for each level-1 variable (zero if within only)."""
    out = {}
    for k, name in enumerate(roles.within):
        inside = float(saturated.sigma_within[k, k])
        at = roles.between.index(name) if name in roles.between else None
        outside = 0.0 if at is None else float(saturated.sigma_between[at, at])
        out[name] = outside / (inside + outside)
    return out
