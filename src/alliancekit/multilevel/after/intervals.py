"""Intervals of every parameter in one table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from alliancekit.core.frames import rows


def parameter_name(row: Any) -> str:
    """Return R's name of a row of ``variance_components``: sigma, sd_x|g or cor_y.x|g."""
    if pd.isna(row.term_1):
        return "sigma"
    return f"sd_{row.term_1}|{row.group}" if pd.isna(row.term_2) else f"cor_{row.term_2}.{row.term_1}|{row.group}"


def wald(coefficients: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    """Return Wald intervals: component, term, estimate, conf_low, conf_high."""
    fixed = coefficients[["term", "estimate", "conf_low", "conf_high"]].assign(component="fixed")
    random = pd.DataFrame(
        {
            "term": [parameter_name(row) for row in rows(components)],
            "estimate": components["sd_or_correlation"],
            "conf_low": components["conf_low"],
            "conf_high": components["conf_high"],
            "component": "random",
        }
    )
    out = pd.concat([fixed, random], ignore_index=True)
    return out[["component", "term", "estimate", "conf_low", "conf_high"]]
