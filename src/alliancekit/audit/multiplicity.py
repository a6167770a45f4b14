"""Multiplicity: the more ways a question was tested, the less one small p value says.

Source: Holm (1979, Scandinavian Journal of Statistics 6, 65-70); Steegen, Tuerlinckx, Gelman & Vanpaemel (2016,
Perspectives on Psychological Science 11, 702-712).
"""

from __future__ import annotations

import numpy as np

from alliancekit.audit.context import Context, listed
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check
from alliancekit.core.errors import SpecError, message

NAME = "multiplicity"
ALPHA = 0.05


def check(context: Context) -> Check:
    """Adjust the p values of all ways in which the question was tested, and see whether the answer changes."""
    tested = context.asked.alternatives
    if not tested:
        need = "It is not known in how many ways (windows, raters, subscales, covariates) the question was tested."
        return Check(NAME, NOT_CHECKED, need, "Give alternatives={'window 1-3': p, ...}, or say that it was one.")
    bad = [name for name, p in tested.items() if not 0 <= p <= 1]
    if bad:
        raise SpecError(message(f"{listed(bad)} has no p value between 0 and 1", where="alternatives="))
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    raw = [n for n, p in tested.items() if p < ALPHA]
    kept = [n for n, p in adjusted.items() if p < ALPHA]
    numbers = {"tested": float(len(tested)), "below": float(len(raw)), "below_after_holm": float(len(kept))}
    evidence = f"{len(raw)} of {len(tested)} ways give p < .05, {len(kept)} after Holm's adjustment."
    if len(kept) < len(raw) or 0 < len(raw) < len(tested):
        advice = "Show all of them (specification curve) and let the one planned beforehand carry the claim."
        return Check(NAME, WARN, evidence, advice, numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def holm(p_values: list[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return [float(v) for v in out]
