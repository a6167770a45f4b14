"""Dichotomised predictors: a score cut in two loses a third of its information and can invent effects.

Source: MacCallum, Zhang, Preacher & Rucker (2002, Psychological Methods 7, 19-40).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from alliancekit.audit.context import Context
from alliancekit.audit.types import PASS, WARN, Check

NAME = "dichotomised predictors"
GRADES = 6


def check(context: Context) -> Check:
    """Look for predictors with two values that are a cut of a graded column of the data."""
    data = context.frame if context.everything is None else context.everything[context.sample.rows_used]
    graded = {
        str(c): data[c].to_numpy(dtype=float, na_value=np.nan)
        for c in data.columns
        if pd.api.types.is_numeric_dtype(data[c]) and not pd.api.types.is_bool_dtype(data[c])
        if data[c].nunique() >= GRADES
    }
    found = {}
    for column in context.predictors:
        if column not in data.columns or data[column].nunique() != 2:
            continue
        upper = (data[column] == sorted(data[column].dropna().unique())[1]).to_numpy()
        parent = next((c for c, values in graded.items() if c != column and _cut(values, upper)), None)
        if parent is not None:
            found[column] = parent
    if not found:
        return Check(NAME, PASS, "No predictor is a cut of a graded column.")
    shown = "; ".join(f"'{c}' is a cut of '{parent}'" for c, parent in found.items())
    advice = f"Enter {', '.join(dict.fromkeys(found.values()))} as it was measured; show groups in a figure only."
    return Check(NAME, WARN, shown[0].upper() + shown[1:] + ".", advice, {"cut": float(len(found))})


def _cut(values: np.ndarray, upper: np.ndarray) -> bool:
    """Return True where one threshold on ``values`` gives ``upper`` or its opposite."""
    known = ~np.isnan(values)
    high, low = values[known & upper], values[known & ~upper]
    if len(high) < 2 or len(low) < 2 or min(len(np.unique(high)), len(np.unique(low))) < 2:
        return False
    return bool(high.min() > low.max() or low.min() > high.max())
