"""Early symptom change: alliance rated after some improvement may only reflect that improvement.

Source: Zilcha-Mano (2017, American Psychologist 72, 311-325); Falkenstrom, Granstrom & Holmqvist (2013, Journal of
Counseling Psychology 60, 317-328).
"""

from __future__ import annotations

import numpy as np

from alliancekit.audit.context import Context, listed
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check
from alliancekit.core.errors import SpecError, message, nearest
from alliancekit.numerics.spread import explained
from alliancekit.study.codebook import ColumnInfo

NAME = "early symptom change"


def check(context: Context) -> Check:
    """See whether change between intake and the alliance rating is among the predictors."""
    column = context.asked.early_change
    if column is not None:
        if column in context.predictors:
            return Check(NAME, PASS, f"'{column}' is among the predictors.")
        known = context.everything if context.everything is not None else context.frame
        if column not in known.columns:
            close = nearest(column, [str(c) for c in known.columns])
            hint = f"Did you mean '{close}'?" if close else ""
            raise SpecError(message(f"early_change='{column}' is not in the data", do=hint))
        return Check(NAME, WARN, f"'{column}' is not among the predictors.", _advice(column))
    instrument = context.info(context.outcome_columns[0]).instrument if context.outcome_columns else None
    symptoms = [p for p in context.predictors if instrument and _measures(context, p, instrument)]
    if len(symptoms) >= 2:
        return Check(NAME, PASS, f"{instrument} enters more than once before the outcome: {listed(symptoms)}.")
    unknown = [p for p in context.predictors if context.info(p) == ColumnInfo()]
    if instrument and len(symptoms) == 1 and not unknown:
        evidence = f"{instrument} before the outcome enters once only ('{symptoms[0]}')."
        return Check(NAME, WARN, evidence, _advice(None))
    need = "It is not known which predictor is symptom change before the alliance rating."
    return Check(NAME, NOT_CHECKED, need, "Give early_change='column'.")


def _measures(context: Context, predictor: str, instrument: str) -> bool:
    """Return True where a predictor comes from the instrument: by the codebook, or as a sum of its earlier scores."""
    if context.info(predictor).instrument == instrument:
        return True
    values = context.used(predictor)
    data = context.frame if context.everything is None else context.everything
    scores = [
        context.used(str(c))
        for c in data.columns
        if c not in (predictor, *context.outcome_columns) and context.info(str(c)).instrument == instrument
    ]
    known = [s for s in scores if s is not None and not np.isnan(s).any()]
    if values is None or np.isnan(values).any() or not known or len(known) >= len(values) // 2:
        return False
    return explained(np.column_stack([np.ones(len(values)), *known]), values) > 1 - 1e-9


def _advice(column: str | None) -> str:
    what = f"'{column}'" if column else "change from intake to the rating"
    return f"Add {what} as a predictor: an alliance that follows improvement otherwise gets its credit."
