"""Residuals: shape of their distribution, and spread that changes with the prediction.

Source: Koenker (1981, Journal of Econometrics 17, 107-112), the studentised Breusch-Pagan test; bounds of skewness and
kurtosis as rules of thumb (West, Finch & Curran, 1995, allow 2 and 7; fixed effects are robust far beyond 1 and 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import PASS, WARN, Check
from alliancekit.audit.words import number, p_text
from alliancekit.numerics.distributions import chi2_upper

NAME = "residuals"
SKEW, KURTOSIS, ALPHA = 1.0, 3.0, 0.01

Array = NDArray[np.float64]


def check(context: Context) -> Check:
    """Report skewness, excess kurtosis and the Koenker test of spread against the fixed part."""
    skew, kurtosis = moments(context.residuals)
    statistic, p_value = koenker(context.residuals, context.X @ np.nan_to_num(context.estimates))
    numbers = {"skewness": skew, "excess_kurtosis": kurtosis, "koenker": statistic, "p_value": p_value}
    evidence = f"Skewness {number(skew)}, excess kurtosis {number(kurtosis)}; Koenker chi-square(1) = {statistic:.2f}, "
    evidence += f"{p_text(p_value)}."
    advice = []
    if abs(skew) > SKEW or kurtosis > KURTOSIS:
        advice.append("The residuals are not near normal: add a bootstrap interval, look for outliers or a floor")
    if p_value < ALPHA:
        advice.append("Spread changes with the prediction: add robust standard errors, or model the variance")
    if advice:
        return Check(NAME, WARN, evidence, ". ".join(advice) + ".", numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def moments(residuals: Array) -> tuple[float, float]:
    """Return skewness and excess kurtosis (moment estimators)."""
    centred = residuals - residuals.mean()
    variance = float((centred**2).mean())
    if variance == 0:
        return 0.0, 0.0
    return float((centred**3).mean() / variance**1.5), float((centred**4).mean() / variance**2 - 3)


def koenker(residuals: Array, prediction: Array) -> tuple[float, float]:
    """Return n R2 of the squared residuals on the prediction, and its p value on 1 df."""
    squares = residuals**2
    if np.ptp(prediction) <= 1e-12 * max(1.0, float(np.abs(prediction).max())) or np.ptp(squares) == 0:
        return 0.0, 1.0
    statistic = float(len(squares) * np.corrcoef(squares, prediction)[0, 1] ** 2)
    return statistic, float(chi2_upper(statistic, 1.0))
