"""Unequal residual variance over the units of a level.

Source: Brown & Forsythe (1974, Journal of the American Statistical Association 69, 364-367).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check
from alliancekit.audit.words import p_text
from alliancekit.numerics.distributions import f_upper

NAME = "equal residual variance"
ALPHA, LEAST = 0.01, 3

Array = NDArray[np.float64]


def check(context: Context) -> Check:
    """Test the absolute deviations of residuals from their unit's median, over units with three rows or more."""
    codes, name = _units(context)
    if codes is None:
        return Check(NAME, NOT_CHECKED, "No level has units with several rows.", "Give therapist='column'.")
    found = brown_forsythe(context.residuals, codes)
    if found is None:
        return Check(NAME, NOT_CHECKED, f"Fewer than two units of '{name}' have {LEAST} rows.", "Nothing can be done.")
    statistic, df1, df2, p_value, low, high = found
    numbers = {"statistic": statistic, "df": df1, "df_error": df2, "p_value": p_value, "sd_low": low, "sd_high": high}
    evidence = f"Residual SD by '{name}': {low:.2f} to {high:.2f}; Brown-Forsythe F({df1:.0f}, {df2:.0f}) = "
    evidence += f"{statistic:.2f}, {p_text(p_value)}."
    if p_value < ALPHA:
        advice = f"Let the residual variance differ by '{name}', or use cluster-robust standard errors beside these."
        return Check(NAME, WARN, evidence, advice, numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def _units(context: Context) -> tuple[NDArray[np.intp] | None, str]:
    """Return the coarsest level: the therapist where known, else the factor with the fewest units."""
    name = context.therapist
    codes = context.codes(name) if name is not None else None
    if codes is None:
        choices = {g: c for g, c in context.groups.items() if int(c.max()) + 1 < len(c)}
        if not choices:
            return None, ""
        name = min(choices, key=lambda g: int(choices[g].max()))
        codes = choices[name]
    return codes, str(name)


def brown_forsythe(residuals: Array, codes: NDArray[np.intp]) -> tuple[float, float, float, float, float, float] | None:
    """Return F, df, error df, p, smallest and largest SD over units with enough rows; None with fewer than two such."""
    groups = [residuals[codes == g] for g in range(int(codes.max()) + 1)]
    groups = [g for g in groups if len(g) >= LEAST]
    if len(groups) < 2:
        return None
    deviations = [np.abs(g - np.median(g)) for g in groups]
    n, k = sum(map(len, deviations)), len(deviations)
    grand = np.concatenate(deviations).mean()
    between = sum(len(d) * (d.mean() - grand) ** 2 for d in deviations) / (k - 1)
    within = sum(float(((d - d.mean()) ** 2).sum()) for d in deviations) / (n - k)
    spread = [float(g.std(ddof=1)) for g in groups]
    statistic = float(between / within)
    return statistic, float(k - 1), float(n - k), float(f_upper(statistic, k - 1, n - k)), min(spread), max(spread)
