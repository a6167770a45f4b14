"""Intervals of every parameter in one table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.residual.components import GROUP

METHODS = ("wald", "profile", "bootstrap")


def parameter_name(row: Any) -> str:
    """Return R's name of a row of ``variance_components``: sigma, sd_x|g or cor_y.x|g."""
    if pd.isna(row.term_1):
        return "sigma"
    if row.group == GROUP:
        return str(row.term_1)
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


def check_method(method: str, ddf: str | None) -> str:
    """Return the method, if it is one; SpecError where df are asked for that it does not use."""
    check_option("method", method, METHODS)
    if ddf is not None and method != "wald":
        raise SpecError(message(f"ddf has no meaning for method={method!r}", do="Leave it out, or use method='wald'"))
    return method


def chosen(table: pd.DataFrame, terms: list[str]) -> pd.DataFrame:
    """Return the rows of the named terms, columns component, term, estimate, conf_low, conf_high."""
    columns = ["component", "term", "estimate", "conf_low", "conf_high"]
    out = table.loc[table["term"].isin(terms), columns].reset_index(drop=True)
    out.attrs.update(table.attrs)
    return out


def with_limits(components: pd.DataFrame, intervals: pd.DataFrame) -> pd.DataFrame:
    """Return the table of variance components with limits taken from a table of intervals of the same fit."""
    random = intervals[intervals["component"] == "random"].set_index("term")
    names = [parameter_name(row) for row in rows(components)]
    out = components.copy()
    for column in ("conf_low", "conf_high"):
        out[column] = random.loc[names, column].to_numpy()
    out.attrs.update(interval=intervals.attrs["method"], level=intervals.attrs["level"])
    return out
