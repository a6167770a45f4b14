"""Tables of exploratory factor analyses: the loadings of one solution, the fit of several."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from alliancekit.core.columns import Kind
from alliancekit.report.parts import Table
from alliancekit.report.structural_fit import fit_table, fit_words
from alliancekit.structural.exploratory import FactorSolutions

_ROWS = {
    "sum_of_squares": "Sum of squared loadings",
    "share": "Share of variance",
    "share_of_common": "Share of common",
}


def solutions_table(result: FactorSolutions) -> Table:
    """Return the loadings of the only solution, or the fit of several side by side."""
    if len(result.fits) > 1:
        names = [f"{number} factor{'s' if number > 1 else ''}" for number in result.nfactors]
        table = fit_table(list(result.fits.values()), names)
        return replace(table, notes=(*table.notes, *result._heywood_notes()))
    return loadings_table(result, result.nfactors[0])


def loadings_table(result: FactorSolutions, number: int) -> Table:
    """Return the loadings of the solution with a number of factors, what they explain, and factor correlations."""
    fit = result.fits[number]
    loadings = result.loadings(number).drop(columns="communality")
    factors = [str(c) for c in loadings.columns if c not in ("item", "uniqueness")]
    parts = [loadings.assign(component="Loadings")]
    squares = result.sums_of_squares(number).set_index("factor")
    for name, title in _ROWS.items():
        parts.append(pd.DataFrame([{"item": title, **squares[name].to_dict(), "component": "Explained"}]))
    correlations = result.factor_correlations(number)
    words = fit._fit.options.rotation
    if len(factors) > 1 and not words.orthogonal:
        for k, name in enumerate(factors[1:], start=1):
            row = {other: correlations.loc[name, other] for other in factors[:k]}
            parts.append(pd.DataFrame([{"item": name, **row, "component": "Factor correlations"}]))
    data = pd.concat(parts, ignore_index=True)[["component", "item", *factors, "uniqueness"]]
    kinds: dict[str, Kind] = dict.fromkeys([*factors, "uniqueness"], "statistic")
    how = "orthogonal" if words.orthogonal else "oblique"
    turned = "" if len(factors) == 1 else f" Rotation: {words.criterion}, {how}."
    which = f", {number} Factor{'s' if number > 1 else ''}" if len(result.fits) > 1 else ""
    return Table(
        title="Standardised Loadings of the Exploratory Factor Analysis" + which,
        data=data,
        group="component",
        stub=("item",),
        labels={"item": "", "uniqueness": "Uniqueness"} | {name: name for name in factors},
        kinds=kinds,
        decimals=dict.fromkeys(kinds, 2),
        notes=(fit_words(fit), f"N = {fit.nobs:,}.{turned}", *FactorSolutions({number: fit})._heywood_notes()),
        missing="",
        source=result,
    )
