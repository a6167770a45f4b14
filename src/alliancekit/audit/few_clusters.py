"""Number of clusters: below 20 a normal reference is not trusted, below 10 nothing is claimed about the cluster level.

In simulations (nominal .05, therapist-level predictor, ICC .30) z rejects .133 with 6 therapists and .107 with 10,
Satterthwaite .077 and .070. McNeish & Stapleton (2016, Educational Psychology Review 28, 295-314) agree.
"""

from __future__ import annotations

import numpy as np

from alliancekit.audit.context import Context, listed
from alliancekit.audit.types import NOT_CHECKED, PASS, REFUSE, WARN, Check

NAME = "number of clusters"
FEW, TOO_FEW = 20, 10


def check(context: Context) -> Check:
    """Count the units of each grouping factor; refuse claims about predictors of a level with fewer than ten units."""
    if not context.groups:
        return Check(NAME, NOT_CHECKED, "The model has no grouping factor.", "Name the column of the therapist.")
    counts = {name: int(codes.max()) + 1 for name, codes in context.groups.items()}
    shown = "; ".join(f"{count} units of '{name}'" for name, count in counts.items())
    numbers = {f"n_{name}": float(count) for name, count in counts.items()}
    least = min(counts, key=lambda name: counts[name])
    if counts[least] >= FEW:
        return Check(NAME, PASS, f"{shown}.", numbers=numbers)
    if counts[least] >= TOO_FEW:
        advice = (
            "Report Satterthwaite or Kenward-Roger degrees of freedom; z and likelihood-ratio tests are too liberal."
        )
        return Check(NAME, WARN, f"{shown}: fewer than {FEW} of '{least}'.", advice, numbers)
    upper = _cluster_level(context, least)
    if upper:
        evidence = f"{shown}: fewer than {TOO_FEW} of '{least}', whose level has the terms {listed(upper)}."
        advice = f"No claim about {listed(upper)} can rest on {counts[least]} units; collect more, or describe only."
        return Check(NAME, REFUSE, evidence, advice, numbers)
    evidence = f"{shown}: fewer than {TOO_FEW} of '{least}'; no term of the model lies at that level."
    advice = f"Make no claim about '{least}' or its variance; add it as fixed effects as a second analysis."
    return Check(NAME, WARN, evidence, advice, numbers)


def _cluster_level(context: Context, group: str) -> list[str]:
    """Return the terms (without intercept) that are constant within every unit of a group."""
    codes = context.groups[group]
    first = np.unique(codes, return_index=True)[1][np.unique(codes, return_inverse=True)[1]]
    found = []
    for j, term in enumerate(context.terms):
        column = context.X[:, j]
        constant = bool(np.all(np.abs(column - column[first]) <= 1e-10 * max(1.0, float(np.abs(column).max()))))
        if constant and np.ptp(column) > 0:
            found.append(term)
    return found
