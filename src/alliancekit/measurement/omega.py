"""Omega of a one-factor model: the share of the sum score's variance that is due to the factor.

omega = (sum lambda)² / ((sum lambda)² + sum psi) (McDonald 1999, Test Theory, eq. 6.20b); the denominator is the
model's variance of the sum. With the observed variance in its place the number is the one that semTools calls omega
with ``obs.var = TRUE``; where the two part, one factor does not fit. Limits: delta method (Raykov 2002, Multivariate
Behavioral Research 37, 89-103) on the logit of omega, so that they stay between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri

from alliancekit.measurement.one_factor import Floats, OneFactor


@dataclass(frozen=True, slots=True)
class Omega:
    """Omega total of one factor with its standard error and limits; ``observed`` divides by the observed variance."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    observed: float


def omega_total(fit: OneFactor, S: Floats, level: float) -> Omega:
    """Return omega of a fitted one-factor model.

    Parameters
    ----------
    fit : the model.
    S : covariance matrix of the items that it was fitted to, shape (p, p).
    level : confidence level.
    """
    p = len(fit.loadings)
    total, error = fit.loadings.sum(), fit.uniquenesses.sum()
    common = total**2
    estimate = float(common / (common + error))
    slope_loading = 2.0 * total * error / (common + error) ** 2
    slope_error = -common / (common + error) ** 2
    gradient = np.concatenate([np.full(p, slope_loading), np.full(p, slope_error)])
    std_error = float(np.sqrt(gradient @ fit.covariance @ gradient))
    half = float(ndtri((1.0 + level) / 2.0)) * std_error / (estimate * (1.0 - estimate))
    low, high = expit(logit(estimate) - half), expit(logit(estimate) + half)
    return Omega(estimate, std_error, float(low), float(high), float(common / S.sum()))
