"""Crossed or nested: does a person belong to one therapist, or do ids repeat?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check

NAME = "crossed or nested"


def check(context: Context) -> Check:
    """Count, for each pair of factors, the units of the finer one that occur with several units of the other."""
    factors = _factors(context)
    if len(factors) < 2:
        return Check(NAME, NOT_CHECKED, "Fewer than two grouping columns are known.", "Name therapist= and patient=.")
    parts, trouble, numbers = [], [], {}
    for a, b in combinations(factors, 2):
        fine, coarse = (a, b) if factors[a].max() >= factors[b].max() else (b, a)
        several, units = _with_several(factors[fine], factors[coarse])
        numbers[f"{fine}_with_several_{coarse}"] = float(several)
        if several == 0:
            parts.append(f"each '{fine}' has one '{coarse}'")
            continue
        parts.append(f"{several} of {units} '{fine}' occur with several '{coarse}'")
        if not _explicit(context, fine, coarse):
            trouble.append((fine, coarse))
    evidence = "; ".join(parts)
    evidence = evidence[0].upper() + evidence[1:] + "."
    if not trouble:
        return Check(NAME, PASS, evidence, numbers=numbers)
    fine, coarse = trouble[0]
    advice = (
        f"If ids of '{fine}' start again for each '{coarse}', write (1 | {coarse}/{fine}); if people did change, the "
    )
    advice += f"crossed terms (1 | {fine}) + (1 | {coarse}) are right: say so, with their number."
    return Check(NAME, WARN, evidence, advice, numbers)


def _factors(context: Context) -> dict[str, NDArray[np.intp]]:
    """Return the single-column grouping factors at hand, in the model or known as patient or therapist."""
    names = [c for columns in context.group_columns.values() for c in columns]
    names += [c for c in (context.patient, context.therapist) if c is not None]
    found = {}
    for name in dict.fromkeys(names):
        codes = context.codes(name)
        if codes is not None and int(codes.max()) > 0:
            found[name] = codes
    return found


def _with_several(fine: NDArray[np.intp], coarse: NDArray[np.intp]) -> tuple[int, int]:
    pairs = pd.DataFrame({"fine": fine, "coarse": coarse}).drop_duplicates()
    counts = pairs["fine"].value_counts()
    return int((counts > 1).sum()), len(counts)


def _explicit(context: Context, fine: str, coarse: str) -> bool:
    """Return True where the model's grouping joins both columns, as ``patient:therapist`` does."""
    return any({fine, coarse} <= set(columns) for columns in context.group_columns.values())
