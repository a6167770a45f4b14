"""Therapists in the model: their effect stays in, even where its variance is estimated as zero.

In simulations the Type I error of a therapist-level predictor without the therapist effect is .133 with 8 therapists
and .107 with 20 at ICC .10 (nominal .05). Wampold & Serlin (2000, Psychological Methods 5, 425-433).
"""

from __future__ import annotations

import numpy as np

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, REFUSE, WARN, Check
from alliancekit.audit.words import number, p_text
from alliancekit.numerics.spread import collapse, spread_between

NAME = "therapist effect"
ALPHA, NOTABLE = 0.05, 0.05


def check(context: Context) -> Check:
    """See whether the therapists' column is in the model; where it is not, how much residuals cluster by therapist."""
    column = context.therapist
    if column is None:
        need = "No column is known to name the therapist."
        return Check(NAME, NOT_CHECKED, need, "Give therapist='column', or say in the report that there was one each.")
    modelled = [g for g, columns in context.group_columns.items() if column in columns]
    if modelled:
        what = "random effect" if context.Z else "clusters of the covariance"
        return Check(NAME, PASS, f"'{column}' is in the model ({what}).")
    codes = context.codes(column)
    if codes is None:
        need = f"'{column}' is not known for every row used."
        return Check(NAME, NOT_CHECKED, need, "Hand over the frame of the analysis with the therapist of each row.")
    units = max(context.groups.values(), key=lambda c: int(c.max()), default=np.arange(len(codes), dtype=np.intp))
    marginal = context.y - context.X @ np.nan_to_num(context.estimates)
    found = spread_between(*collapse(marginal, codes, units))
    if found is None:
        return Check(NAME, NOT_CHECKED, f"'{column}' has one unit, or one row per unit.", "Nothing can be done.")
    numbers = {"icc": found.icc, "p_value": found.p_value, "therapists": float(found.groups)}
    evidence = (
        f"'{column}' is not in the model; residuals have ICC {number(found.icc, 3)} over {found.groups} therapists"
    )
    evidence += f" (F test {p_text(found.p_value)})."
    advice = f"Add (1 | {column})."
    if found.icc > NOTABLE and found.p_value < ALPHA:
        return Check(NAME, REFUSE, evidence, advice + " Standard errors without it are too small.", numbers)
    return Check(NAME, WARN, evidence, advice + " It stays in the model even at zero variance.", numbers)
