"""Explained variance by source and level: table, stacked bars, sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.core.errors import check_option
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.partition import R2Partition
from alliancekit.report.formatting import format_fixed
from alliancekit.report.multilevel_words import plural
from alliancekit.report.parts import Figure, Sentence, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure


def _source_name(result: R2Partition, source: str, group: str | None, level: str) -> str:
    """Return what a source is, in words."""
    if source == "sigma2":
        return "Residual"
    if source.startswith("f"):
        return f"Fixed part, {_level_name(result, level)}"
    if source.startswith("m"):
        return f"Means of {plural(str(group))}"
    return f"Slopes of {plural(str(group))}" + ("" if level == result.levels[0] else f", {_level_name(result, level)}")


def _level_name(result: R2Partition, level: str) -> str:
    place = result.levels.index(level)
    return f"within {plural(result.units[0])}" if place == 0 else f"between {plural(result.units[place - 1])}"


def _shown(result: R2Partition) -> pd.DataFrame:
    """Return the sources that have any variance, with their names."""
    table = result.tidy()
    table["name"] = [_source_name(result, r.source, r.group, r.level) for r in rows(table)]
    return table[table["variance"] > 1e-12 * table["variance"].sum()].reset_index(drop=True)


def partition_table(result: R2Partition) -> Table:
    """Return variances and shares by source, the levels one below the other."""
    table = _shown(result)
    table["part"] = [
        _level_name(result, level)[:1].upper() + _level_name(result, level)[1:] for level in table["level"]
    ]
    order = [result.levels.index(level) for level in table["level"]]
    table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    measures = result.measures()
    total = measures[measures["scope"] == "total"].set_index("measure")["r2"]
    notes = [
        "Decomposition of Rights and Sterba (2019; three and more levels: 2023). Of the whole variance, fixed effects "
        f"account for {_share(total['f'])}, with varying slopes for {_share(total['fv'])}, with unit means for "
        f"{_share(total['fvm'])}."
    ]
    if not result.centred:
        notes.append("A predictor varies at more than one level; its parts were told apart by the means of the units.")
    return Table(
        title=f"Variance of {result.outcome} by Source and Level",
        data=table[["part", "name", "source", "variance", "r2_total", "r2_level"]],
        group="part",
        stub=("name",),
        kinds={"source": "text", "variance": "estimate", "r2_total": "proportion", "r2_level": "proportion"},
        labels={
            "name": "",
            "source": "Symbol",
            "variance": "Variance",
            "r2_total": "Of total",
            "r2_level": "Of level",
        },
        notes=tuple(notes),
        source=result,
    )


def partition_figure(result: R2Partition, kind: str | None = None) -> Figure:
    """Return one stacked bar for the whole variance and one for each level."""
    check_option("kind", kind or "partition", ("partition",))
    table = _shown(result)
    names = list(dict.fromkeys(table["name"]))
    bars = [("Total", table)] + [(_level_name(result, v), table[table["level"] == v]) for v in result.levels]
    bars = [(label[:1].upper() + label[1:], part) for label, part in bars if len(part)]

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        figure, axes = new_figure(height=1.15 + 0.42 * len(bars) + 0.2 * -(-len(names) // 2))
        colours = _colours(names)
        for place, (_, part) in enumerate(bars):
            left, whole = 0.0, float(part["variance"].sum())
            for row in rows(part):
                share = float(row.variance) / whole
                colour, faint = colours[row.name]
                axes.barh(-place, share, 0.62, left, color=colour, alpha=0.3 if faint else 0.85, linewidth=0)
                if share >= 0.06:
                    text = f"{100 * share:.0f}%"
                    axes.text(left + share / 2, -place, text, ha="center", va="center", color=_ink(faint))
                left += share
        axes.set_yticks(-np.arange(len(bars)), [label for label, _ in bars])
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
        axes.set_xlabel("Share of the variance")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        _legend(figure, names, colours)
        return figure

    return Figure(
        title=f"Variance of {result.outcome} by Source",
        draw=draw,
        caption="Decomposition of Rights and Sterba: the whole variance, and that at each level, divided by what "
        "accounts for it.",
        alt="; ".join(f"{r.name}: {100 * r.r2_total:.0f}% of the total" for r in rows(table)),
        data=table[["source", "group", "level", "variance", "r2_total", "r2_level"]],
        source=result,
    )


def _colours(names: list[str]) -> dict[str, tuple[str, bool]]:
    """Return (colour, faint) of each source: strong where something is explained, the residual grey."""
    from alliancekit.report.style import MUTED, SERIES

    out: dict[str, tuple[str, bool]] = {}
    used = 0
    for name in names:
        if name == "Residual":
            out[name] = (MUTED, True)
            continue
        out[name] = (SERIES[used % len(SERIES)], used >= len(SERIES))
        used += 1
    return out


def _ink(faint: bool) -> str:
    from alliancekit.report.style import INK

    return INK if faint else "#ffffff"


def _legend(figure: MplFigure, names: list[str], colours: dict[str, tuple[str, bool]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colours[n][0], alpha=0.3 if colours[n][1] else 0.85, label=n) for n in names]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, handlelength=1.2)


def partition_sentence(result: R2Partition) -> Sentence:
    """Return what fixed effects, slopes and units account for, in total and at each level."""
    measures = result.measures().set_index(["scope", "measure"])["r2"]
    glance = result.glance().iloc[0]
    parts = []
    for level in result.levels:
        share, fixed = float(glance[f"share_{level}"]), measures[level, "f"]
        lead = f"{_share(share)} lay {_level_name(result, level)}"
        parts.append(f"{lead} (fixed effects accounted for {_share(fixed)} of it)" if share >= 0.0005 else lead)
    text = f"Of the variance of {result.outcome}, {', '.join(parts[:-1])} and {parts[-1]}" + (
        f". In total, fixed effects accounted for {_share(measures['total', 'f'])} of the variance, fixed effects and "
        f"varying slopes for {_share(measures['total', 'fv'])}, and these with unit means for "
        f"{_share(measures['total', 'fvm'])}."
    )
    return Sentence(text=text, source=result)


def _share(value: float) -> str:
    return f"{format_fixed(100 * float(value), 1)}%"
