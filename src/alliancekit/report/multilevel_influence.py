"""Influence of units: table, figure and sentence by rank, so that nobody can be recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.multilevel.after.influence import Influence
from alliancekit.multilevel.api import MixedFit
from alliancekit.report.formatting import format_fixed
from alliancekit.report.multilevel_words import plural
from alliancekit.report.parts import Figure, Sentence, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

SHOWN, MOST_EXACT = 10, 300


def influence_of(fit: MixedFit) -> Influence:
    """Return the influence of the units of a fit's finest grouping factor; one-step deletion where they are many."""
    if not fit.design.random:
        raise ReportError(message("the model has no units to leave out", where=fit.formula, do="Use fit.influence()"))
    block = max(fit.design.random, key=lambda b: b.n_groups)
    return fit.influence(by=block.group, method="exact" if block.n_groups <= MOST_EXACT else "one-step")


def ranked(result: Influence) -> pd.DataFrame:
    """Return the units by rank, most influential first; their names are left out."""
    table = result.tidy()
    table = table[table["converged"]].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.drop(columns=["unit", "converged"])


def influence_table(result: Influence) -> Table:
    """Return the most influential units by rank."""
    columns = [
        "rank",
        "n_rows",
        "cooks_distance",
        "mdffits",
        "covratio",
        "term",
        "dfbetas",
        "component",
        "relative_change",
    ]
    glance, count, by = result.glance().iloc[0], len(result.units), plural(result.by)
    notes = [
        f"The {min(SHOWN, count)} of {count} {by} with the largest Cook's distance, by rank; {int(glance['n_above'])} "
        f"lie above the usual mark of 4 / {count} = {format_fixed(result.cutoff, 3)}.",
        _method(result),
        "Moves: the fixed effect that changes most when the unit is left out, in standard errors, and the variance "
        "that changes most, relative to its value.",
    ]
    if glance["not_estimable"]:
        lost = int(glance["not_estimable"])
        notes.append(f"{lost} of the {by} cannot be left out: a fixed effect rests on one of them alone.")
    return Table(
        title=f"Most Influential {by[:1].upper()}{by[1:]}",
        data=ranked(result).head(SHOWN)[columns],
        stub=("rank",),
        kinds={"rank": "integer", "n_rows": "integer", "relative_change": "percent", "dfbetas": "statistic"},
        labels={
            "rank": "Rank",
            "n_rows": "Rows",
            "cooks_distance": "Cook's D",
            "mdffits": "MDFFITS",
            "covratio": "COVRATIO",
            "term": "Moves",
            "dfbetas": "SEs",
            "component": "Variance",
            "relative_change": "Change",
        },
        decimals={"cooks_distance": 3, "mdffits": 3, "covratio": 2, "relative_change": 0},
        notes=tuple(notes),
        source=result,
    )


def influence_figure(result: Influence, kind: str | None = None) -> Figure:
    """Return Cook's distance by rank, beside the change of each fixed effect when each unit is left out."""
    check_option("kind", kind or "influence", ("influence",))
    table = ranked(result)
    changes = result.fixed_effects().dropna(subset=["dfbetas"])
    terms = list(result.terms)
    name = plural(result.by)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, MUTED, SERIES, new_figure

        figure, axes = new_figure(columns=2, height=max(2.9, 1.3 + 0.26 * len(terms)), width_ratios=[1, 1.1])
        top = table.head(60)
        above = (top["cooks_distance"] > result.cutoff).to_numpy()
        for chosen, colour in ((~above, MUTED), (above, SERIES[0])):
            part = top[chosen]
            axes[0].vlines(part["rank"], 0, part["cooks_distance"], color=colour, linewidth=1.0)
            axes[0].plot(part["rank"], part["cooks_distance"], "o", color=colour, markersize=3, markeredgewidth=0)
        axes[0].axhline(result.cutoff, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes[0].set_ylim(bottom=0)
        axes[0].set_xlabel(f"Rank of {name}" + (" (first 60)" if len(table) > 60 else ""))
        axes[0].set_ylabel("Cook's distance")
        places = np.arange(len(terms))[::-1]
        axes[1].axvline(0, color=FAINT, linewidth=0.8)
        for place, term in zip(places, terms, strict=True):
            own = changes[changes["term"] == term]["dfbetas"].to_numpy()
            axes[1].plot(own, np.full(len(own), place), "|", color=SERIES[0], markersize=9, alpha=0.55)
        axes[1].set_yticks(places, terms)
        axes[1].set_ylim(-0.6, len(terms) - 0.4)
        axes[1].set_xlabel("Change without one unit (SE)")
        return figure

    glance, count = result.glance().iloc[0], len(result.units)
    return Figure(
        title=f"Influence of Single {name[:1].upper()}{name[1:]}",
        draw=draw,
        caption=f"Left: Cook's distance of each of {count} {name} by rank; dashed: 4 / {count}. Right: change of each "
        f"fixed effect when one is left out, in standard errors. {_method(result)} No unit is named.",
        alt=f"Largest Cook's distance {glance['cooks_distance']:.3f}; {int(glance['n_above'])} of {count} above the "
        f"mark; the largest change of a fixed effect is {glance['dfbetas']:.2f} standard errors.",
        data=table,
        source=result,
    )


def influence_sentence(result: Influence) -> Sentence:
    """Return how far the estimates rest on any single unit."""
    table, glance = ranked(result), result.glance().iloc[0]
    by = plural(result.by)
    if table.empty:
        raise ReportError(message("no unit could be left out, so there is nothing to say", where=result.formula))
    strongest = table.iloc[int(table["dfbetas"].abs().to_numpy().argmax())]
    moved = format_fixed(abs(float(strongest["dfbetas"])), 2)
    count, above = len(result.units), int(glance["n_above"])
    text = (
        f"Leaving out any one of {count} {by} moved no fixed effect of {result.outcome} by more than {moved} standard "
        f"errors (coefficient of {strongest['term']}); Cook's distance was at most "
        f"{format_fixed(float(glance['cooks_distance']), 3)}, and {above} of {count} {by} lay above the mark of "
        f"{format_fixed(result.cutoff, 3)}."
    )
    return Sentence(text=text, source=result)


def _method(result: Influence) -> str:
    if result.method == "exact":
        return "Each was left out and the model fitted again."
    return "Each was left out by one Newton step from the estimates of all rows."
