"""Conditional modes of the units with their intervals, in order of size; no unit is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.multilevel.api import MixedFit
from alliancekit.numerics.distributions import normal_quantile
from alliancekit.report.multilevel_words import outcome_label, plural
from alliancekit.report.parts import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

MOST_PANELS, MOST_BARS = 6, 150


def caterpillar_figure(fit: MixedFit) -> Figure:
    """Deviations of the units from the average, with 95% intervals, one panel for each random effect."""
    table = _ordered(fit)
    panels = [(str(k[0]), str(k[1]), part) for k, part in table.groupby(["group", "term"], sort=False)][:MOST_PANELS]
    columns = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, MUTED, SERIES, new_figure

        count = -(-len(panels) // columns)
        height = {1: 3.2, 2: 2.7, 3: 2.5}[columns] * count
        figure, grid = new_figure(count, columns, height=height, squeeze=False)
        for axes, (group, term, part) in zip(grid.flat, panels, strict=False):
            rank, estimate = part["rank"].to_numpy(), part["estimate"].to_numpy()
            low, high = part["conf_low"].to_numpy(), part["conf_high"].to_numpy()
            away = (low > 0) | (high < 0)
            axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
            many = len(part) > MOST_BARS
            if many:
                axes.fill_between(rank, low, high, color=MUTED, alpha=0.25, linewidth=0, zorder=1)
            else:
                for chosen, colour in ((~away, MUTED), (away, SERIES[0])):
                    axes.vlines(rank[chosen], low[chosen], high[chosen], color=colour, linewidth=0.9, zorder=2)
            for chosen, colour in ((~away, MUTED), (away, SERIES[0])):
                size = 2.0 if many else 3.4
                axes.plot(
                    rank[chosen], estimate[chosen], "o", color=colour, markersize=size, markeredgewidth=0, zorder=3
                )
            axes.set_title(f"{group}: {'intercept' if term == '(Intercept)' else f'slope of {term}'}")
            axes.set_xlabel(f"{plural(group)[:1].upper()}{plural(group)[1:]}, in order")
            axes.locator_params(axis="x", integer=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for row in grid:
            row[0].set_ylabel("Deviation from average")
        return figure

    shown = pd.concat([part for _, _, part in panels], ignore_index=True)
    away = ((shown["conf_low"] > 0) | (shown["conf_high"] < 0)).groupby([shown["group"], shown["term"]], sort=False)
    return Figure(
        title=f"Deviations of Units in {outcome_label(fit)}",
        draw=draw,
        caption="Conditional modes with 95% intervals (conditional standard deviations), ordered by size and unnamed. "
        "Coloured: intervals without zero. Modes are drawn towards zero the more, the less is known of a unit.",
        alt="; ".join(
            f"{group}, {term}: {len(part)} units from {part['estimate'].iloc[0]:.2f} to "
            f"{part['estimate'].iloc[-1]:.2f}, {int(away.sum()[(group, term)])} with an interval without zero"
            for group, term, part in panels
        ),
        data=shown,
        source=fit,
    )


def _ordered(fit: MixedFit) -> pd.DataFrame:
    """Return group, term, rank, estimate and limits; the units' names are left out."""
    modes = fit.random_effects()
    if modes.empty:
        raise ReportError(
            message("the model has no random effects to draw", where=fit.formula, do='Use kind="effects"')
        )
    reach = normal_quantile(0.975)
    pieces = []
    for (group, term), part in modes.groupby(["group", "term"], sort=False):
        part = part.sort_values("estimate", kind="stable")
        estimate, error = part["estimate"].to_numpy(), part["std_error"].to_numpy()
        pieces.append(
            pd.DataFrame(
                {
                    "group": group,
                    "term": term,
                    "rank": np.arange(1, len(part) + 1),
                    "estimate": estimate,
                    "conf_low": estimate - reach * error,
                    "conf_high": estimate + reach * error,
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
