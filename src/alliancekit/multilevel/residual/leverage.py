"""Leverages and variances of conditional residuals where residuals are correlated, from whole matrices unit by unit.

With V the covariance of the outcomes, R that of the residuals and P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1, the
conditional residuals are R P y, so that fitted values have the derivative I - R P and the residuals the covariance
R P R (Nobre & Singer 2007, Biom J 49, 863-875).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.dense import covariance, independent_units, stacks

Floats = NDArray[np.float64]
MOST = 10_000  # rows that hang together: their matrices take 800 MB each


def hat_values(fit: GaussianFit) -> Floats:
    """Return d fitted_i / d y_i with the variances held, (n,)."""
    return _diagonals(fit)[0]


def error_shares(fit: GaussianFit) -> Floats:
    """Return the variance of each conditional residual over that of the residual itself, (n,)."""
    return _diagonals(fit)[1]


def _diagonals(fit: GaussianFit) -> tuple[Floats, Floats]:
    X = fit.design.X
    units = independent_units(fit)
    largest = int(np.bincount(units).max())
    if largest > MOST:
        what = f"a leverage needs matrices of {largest:,} by {largest:,}, because {largest:,} rows hang together"
        raise SpecError(message(what, do='Use kind="normalized"'))
    hat, share = np.empty(len(X)), np.empty(len(X))
    for _, rows in stacks(units, 6):
        V, R = covariance(fit, rows)
        inverse = np.linalg.inv(V)
        weighted = inverse @ X[rows]
        P = inverse - weighted @ fit.vcov @ weighted.transpose(0, 2, 1)
        RP = R @ P
        hat[rows] = 1.0 - np.einsum("lii->li", RP)
        share[rows] = np.einsum("lij,lji->li", RP, R) / np.einsum("lii->li", R)
    return hat, share
