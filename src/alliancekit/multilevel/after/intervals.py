"""Intervals of every parameter in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.bootstrap import INTERVALS
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.natural import check_parameters, parameter_names
from alliancekit.multilevel.gaussian.fit import GaussianFit
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


def check_request(
    fit: GaussianFit, method: str, level: float, ddf: str | None, wanted: Sequence[str] | None, interval: str
) -> None:
    """Raise SpecError for a wrong word, level or name before any work is done, or for df that a method does not use."""
    check_words(method, level, ddf, interval)
    if method == "wald":
        return
    check_parameters([term for _, term in parameter_names(fit)], wanted)


def check_words(method: str, level: float, ddf: str | None, interval: str) -> None:
    """Raise SpecError for a wrong word or level, and for df that a method does not use."""
    check_option("method", method, METHODS)
    check_option("interval", interval, INTERVALS)
    check_level(level)
    if ddf is not None and method != "wald":
        raise SpecError(message(f"ddf has no meaning for method={method!r}", do="Leave it out, or use method='wald'"))


def chosen(table: pd.DataFrame, wanted: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows of the wanted terms, all where None: component, term, estimate, conf_low, conf_high."""
    terms = check_parameters(table["term"].tolist(), wanted)
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
