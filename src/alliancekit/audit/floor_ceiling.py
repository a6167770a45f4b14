"""Floor and ceiling: scores piled up at an end of the scale cannot tell people apart there.

Source: Terwee et al. (2007, Journal of Clinical Epidemiology 60, 34-42): more than 15% at an end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check

NAME = "floor and ceiling"
SHARE = 0.15


def check(context: Context) -> Check:
    """Report the share of outcome and predictors at the ends of their range (the codebook's, else the observed)."""
    shares: dict[str, tuple[float, float]] = {}
    for column in dict.fromkeys([*context.outcome_columns, *context.predictors]):
        values = context.used(column)
        if values is None or column in context.is_time or len(np.unique(values)) < 5:
            continue
        shares[column] = _ends(values, context.info(column, source=False).range)
    if not shares:
        return Check(NAME, NOT_CHECKED, "No score with five or more distinct values is at hand.", "Nothing to do.")
    worst = max(shares, key=lambda c: max(shares[c]))
    floor, ceiling = shares[worst]
    numbers = {
        f"{word}_{c}": v for c, pair in shares.items() for word, v in zip(("floor", "ceiling"), pair, strict=True)
    }
    evidence = f"Largest share at an end of the range: '{worst}', {100 * floor:.1f}% at the bottom and "
    evidence += f"{100 * ceiling:.1f}% at the top."
    if max(floor, ceiling) > SHARE:
        piled = [c for c, pair in shares.items() if max(pair) > SHARE]
        advice = (
            f"Slopes of or on {', '.join(piled)} are flattened; add a censored (Tobit) or ordinal model as a check."
        )
        return Check(NAME, WARN, evidence, advice, numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def _ends(values: NDArray[np.float64], span: tuple[float, float] | None) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    low, high = span if span is not None else (float(known.min()), float(known.max()))
    tolerance = 1e-9 * max(abs(low), abs(high), 1.0)
    return float((known <= low + tolerance).mean()), float((known >= high - tolerance).mean())
