"""Measurement error in covariates: what is controlled for badly is not controlled for.

A predictor can add to error-laden rivals without adding to what they measure. Source: Westfall & Yarkoni (2016, PLOS
ONE 11, e0152719); the correction is the classical one of the predictors' covariance matrix (Fuller, 1987, section 2.2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context, listed
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check
from alliancekit.audit.words import number
from alliancekit.core.errors import SpecError, message

NAME = "measurement error"
ENOUGH = 0.90

Array = NDArray[np.float64]


def check(context: Context) -> Check:
    """Correct the slopes for the reliabilities that were given, and see whether the focus's slope holds."""
    given = {c: r for c, r in context.asked.reliability.items() if c in context.predictors}
    bad = [c for c, r in given.items() if not 0 < r <= 1]
    if bad:
        raise SpecError(message(f"the reliability of {listed(bad)} is not between 0 and 1", where="reliability="))
    if not given:
        need = "The reliability of the predictors is not known."
        return Check(NAME, NOT_CHECKED, need, "Give reliability={column: omega} (ak.reliability).")
    shown = ", ".join(f"'{c}' {r:.2f}" for c, r in given.items())
    numbers = {f"reliability_{c}": float(r) for c, r in given.items()}
    if min(given.values()) >= ENOUGH:
        return Check(NAME, PASS, f"Reliability: {shown}.", numbers=numbers)
    evidence = f"Reliability: {shown}"
    key = context.focus
    if key is not None:
        columns = [j for j, t in enumerate(context.terms) if t in context.predictors]
        names = [context.terms[j] for j in columns]
        before, after = corrected_slopes(context.X[:, columns], context.y, [given.get(n, 1.0) for n in names])
        at = names.index(key)
        numbers |= {"slope": before[at], "slope_corrected": after[at]}
        if np.isfinite(after[at]):
            evidence += f"; slope of '{key}' {number(before[at])}, corrected for it {number(after[at])}"
        else:
            evidence += (
                f"; a correction of the slope of '{key}' is not possible (more error than the correlations allow)"
            )
    advice = "Incremental validity over error-laden scores is not incremental validity over what they measure: show a "
    advice += "latent-variable model, or the corrected slope, beside this one."
    return Check(NAME, WARN, evidence + ".", advice, numbers)


def corrected_slopes(X: Array, y: Array, reliability: list[float]) -> tuple[Array, Array]:
    """Return least-squares slopes before and after taking error variance out of the predictors' covariance matrix.

    The corrected slopes are nan where the corrected matrix is not positive definite.
    """
    joint = np.cov(np.column_stack([X, y]), rowvar=False)
    S, s = joint[:-1, :-1], joint[:-1, -1]
    true = S - np.diag(np.diag(S) * (1 - np.asarray(reliability)))
    before = np.asarray(np.linalg.solve(S, s), dtype=np.float64)
    scale = np.sqrt(np.diag(true))
    if np.linalg.eigvalsh(true / np.outer(scale, scale))[0] < 1e-6:
        return before, np.full(len(before), np.nan)
    return before, np.asarray(np.linalg.solve(true, s), dtype=np.float64)
