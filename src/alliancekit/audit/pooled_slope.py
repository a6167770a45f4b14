"""One slope for two effects: a predictor that varies within and between units needs both parts in the model.

Source: Kreft, de Leeuw & Aiken (1995, Multivariate Behavioral Research 30, 1-21); Raudenbush & Bryk (2002, pp.
135-139).
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context, listed
from alliancekit.audit.types import PASS, REFUSE, WARN, Check
from alliancekit.multilevel.pooled import is_lag_of, two_levels
from alliancekit.numerics.spread import Spread

NAME = "within and between parts"


def check(context: Context) -> Check:
    """Look for predictors that vary at two levels while the model has one slope for both.

    A predictor counts where at least 5% of its variance lies within and at least 5% between units (F test p < .05), and
    the units' means are not reproduced by the other columns of the model (so raw + mean, or within + between, pass), as
    ``multilevel/pooled.py`` judges, which also warns at the fit.
    Repeated measures of patients are refused; patients in therapists (one slope for patient and therapist level) warn.
    """
    units = {group: codes for group, codes in context.groups.items() if int(codes.max()) + 1 < len(codes)}
    if not units:
        return Check(NAME, PASS, "No unit has several rows: each slope belongs to one level.")
    finest = max(units, key=lambda group: int(units[group].max()))
    repeated = context.kind == "multilevel" and _repeats(context, finest)
    pooled: dict[str, list[str]] = {}
    numbers: dict[str, float] = {}
    for group, codes in units.items():
        for column in context.predictors:
            found = _two_levels(context, column, codes, units[finest])
            if found is not None:
                pooled.setdefault(group, []).append(column)
                numbers[f"icc_{column}_{group}"] = found.icc
    if not pooled:
        return Check(NAME, PASS, "Each slope belongs to one level.")
    parts = []
    for group, columns in pooled.items():
        shares = [f"'{c}' ({100 * numbers[f'icc_{c}_{group}']:.0f}% between '{group}')" for c in columns]
        parts.append(f"one slope for both levels of {listed(shares)}")
    names = listed(sorted({c for found in pooled.values() for c in found}))
    advice = f"Split {names} with ak.within_between by {', '.join(map(repr, pooled))} and enter all parts; their "
    advice += "difference is the contextual effect."
    status = REFUSE if repeated and finest in pooled else WARN
    evidence = "; ".join(parts)
    return Check(NAME, status, evidence[0].upper() + evidence[1:] + ".", advice, numbers)


def _repeats(context: Context, group: str) -> bool:
    """Return True where the units of a group are people (or dyads) observed repeatedly, not people in therapists."""
    therapist = context.therapist
    return therapist is None or therapist not in context.group_columns[group] or len(context.group_columns[group]) > 1


def _two_levels(context: Context, column: str, codes: NDArray[np.intp], finest: NDArray[np.intp]) -> Spread | None:
    """Return the spread of a predictor with one slope for two levels; None where there is no such trouble."""
    values = context.used(column)
    if values is None or column in context.is_time or len(np.unique(values)) < 3 or np.isnan(values).any():
        return None
    if is_lag_of(column, context.outcome_columns):
        return None
    own = np.array([column in re.split(r"\W+", term) for term in context.terms], dtype=bool)
    return two_levels(values, codes, finest, context.X, own)
