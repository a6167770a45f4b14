"""Person means from few sessions: the between part is then measured with error and drawn towards the within part.

Source: Bliese (1998, Organizational Research Methods 1, 355-373); Luedtke et al. (2008, Psychological Methods 13,
203-229).
"""

from __future__ import annotations

import numpy as np

from alliancekit.audit.context import Context, source_of
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check
from alliancekit.audit.words import number
from alliancekit.numerics.spread import spread_between

NAME = "reliability of person means"
ENOUGH = 0.70


def check(context: Context) -> Check:
    """Compute ICC(2) of each predictor that enters as within and between parts."""
    pairs = [p for p in context.predictors if p.endswith("_between") and f"{source_of(p)}_within" in context.predictors]
    if not pairs:
        return Check(NAME, PASS, "No predictor enters as within and between parts.")
    codes = _people(context)
    if codes is None:
        return Check(NAME, NOT_CHECKED, "The people are not known.", "Give patient='column'.")
    found = {}
    for between in pairs:
        parts = [context.used(f"{source_of(between)}_{p}") for p in ("within", "between")]
        if any(p is None for p in parts):
            continue
        spread = spread_between(np.asarray(parts[0]) + np.asarray(parts[1]), codes)
        if spread is not None:
            found[source_of(between)] = spread
    if not found:
        return Check(NAME, NOT_CHECKED, "The parts are not numeric columns of the data.", "Use ak.within_between.")
    shown = "; ".join(f"'{n}' {number(s.icc2)} ({s.size:.1f} sessions each)" for n, s in found.items())
    numbers = {f"icc2_{n}": s.icc2 for n, s in found.items()}
    if min(numbers.values()) < ENOUGH:
        advice = (
            "The between and contextual effects are contaminated by the within effect; rate more sessions, or use a "
        )
        advice += "latent person mean (doubly latent model) or correct for the mean's reliability."
        return Check(NAME, WARN, f"ICC(2) of person means: {shown}; below {ENOUGH:g}.", advice, numbers)
    return Check(NAME, PASS, f"ICC(2) of person means: {shown}.", numbers=numbers)


def _people(context: Context) -> np.ndarray | None:
    column = context.patient
    if column is not None:
        return context.codes(column)
    return max(context.groups.values(), key=lambda c: int(c.max()), default=None)
