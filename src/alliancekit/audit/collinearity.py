"""Collinearity: predictors that can hardly be told apart, and slopes whose sign is against their correlation.

Source: Belsley, Kuh & Welsch (1980); O'Brien (2007, Quality & Quantity 41, 673-690) on reading VIF with care; Tzelgov &
Henik (1991, Psychological Bulletin 109, 524-536) on suppression.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context, listed
from alliancekit.audit.types import PASS, WARN, Check

NAME = "collinearity"
HIGH = 5.0
CLEAR = 1.96

Array = NDArray[np.float64]


def check(context: Context) -> Check:
    """Report the variance inflation factors, columns dropped as collinear, and sign reversals (suppression)."""
    slopes = [j for j, t in enumerate(context.terms) if np.ptp(context.X[:, j]) > 0]
    dropped = list(context.fit.design.dropped) if context.kind == "multilevel" and context.fit is not None else []
    if len(slopes) < 2 and not dropped:
        return Check(NAME, PASS, "The model has fewer than two predictors.")
    vif = dict(zip([context.terms[j] for j in slopes], variance_inflation(context.X[:, slopes]), strict=True))
    reversed_ = _sign_reversals(context, slopes) if context.kind == "prediction" else []
    high = [t for t, v in vif.items() if v > HIGH]
    top = max(vif, key=lambda t: vif[t]) if vif else ""
    parts = [f"Largest VIF {vif[top]:.1f} ('{top}')"] if vif else []
    advice = []
    if dropped:
        parts.append(f"dropped as linear combinations: {listed(dropped)}")
        advice.append("Say which columns were dropped, or remove them from the formula")
    if high:
        advice.append(f"Do not read the slopes of {listed(high)} one by one; test them together (fit.test, ak.compare)")
    if reversed_:
        parts.append(f"slope against the sign of the correlation: {listed(reversed_)}")
        advice.append("A reversed slope is suppression: report both signs and do not interpret it as an effect")
    evidence = "; ".join(parts) + "."
    numbers = {f"vif_{t}": v for t, v in vif.items()}
    if advice:
        return Check(NAME, WARN, evidence, ". ".join(advice) + ".", numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def variance_inflation(X: Array) -> list[float]:
    """Return 1 / (1 - R2) of each column on the others (columns without intercept); infinite for a combination."""
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    correlations = scaled.T @ scaled / len(X)
    if np.linalg.cond(correlations) > 1e12:
        return [float("inf")] * X.shape[1]
    return [float(v) for v in np.diag(np.linalg.inv(correlations))]


def _sign_reversals(context: Context, slopes: list[int]) -> list[str]:
    """Return predictors whose slope and correlation with the outcome are both clear and of opposite sign."""
    found = []
    for j in slopes:
        r = float(np.corrcoef(context.X[:, j], context.y)[0, 1])
        z = np.arctanh(np.clip(r, -0.999999, 0.999999)) * np.sqrt(max(len(context.y) - 3, 1))
        slope = context.estimates[j] / context.std_errors[j]
        if abs(z) > CLEAR and abs(slope) > CLEAR and np.sign(z) != np.sign(slope):
            found.append(context.terms[j])
    return found
