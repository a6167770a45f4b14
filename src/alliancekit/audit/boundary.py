"""Boundary: a variance at zero or a correlation at one is an answer, but one to know about.

Source: Bates, Kliegl, Vasishth & Baayen (2015, arXiv 1506.04967); Stram & Lee (1994, Biometrics 50, 1171-1177).
"""

from __future__ import annotations

import numpy as np

from alliancekit.audit.context import Context
from alliancekit.audit.types import PASS, WARN, Check

NAME = "boundary"
RELATIVE = 1e-6


def check(context: Context) -> Check:
    """Name the random terms whose covariance matrix is singular, relative to the residual variance."""
    if not context.Z:
        return Check(NAME, PASS, "The model has no variance components.")
    singular, zero = [], []
    for group, _, covariance in context.Z:
        scale = np.sqrt(np.diag(covariance))
        if scale.max(initial=0.0) ** 2 <= RELATIVE * context.sigma**2:
            zero.append(group)
        elif _rank_deficient(covariance):
            singular.append(group)
    if not zero and not singular:
        return Check(NAME, PASS, "All variances are above zero and no correlation is at one.")
    parts = []
    if zero:
        parts.append(f"the variance of {', '.join(map(repr, zero))} is estimated as zero")
    if singular:
        parts.append(f"the random effects of {', '.join(map(repr, singular))} are singular")
    advice = "Keep a random intercept of the design: the other estimates are right with it. "
    advice += "Use a likelihood-based interval, not a Wald test, for the variance"
    advice += "; simplify the random slopes of a singular term." if singular else "."
    evidence = "; ".join(parts)
    return Check(NAME, WARN, evidence[0].upper() + evidence[1:] + ".", advice, {"terms": float(len(zero + singular))})


def _rank_deficient(covariance: np.ndarray) -> bool:
    scale = np.sqrt(np.diag(covariance))
    if (scale <= np.sqrt(RELATIVE) * scale.max()).any():
        return True
    return bool(np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] < RELATIVE)
