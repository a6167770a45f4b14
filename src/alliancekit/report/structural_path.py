"""The path diagram of a structural model: factors, indicators, loadings, regressions, covariances, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, SpecError, check_option, message
from alliancekit.report.parts import Figure
from alliancekit.report.structural_graph import Graph, graph_of
from alliancekit.structural.result.fit import StructuralFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

PANELS = 4
SHOWN = 0.3
"""Standardised loadings of exploratory factors up to this size are not drawn, but for the largest of an item."""
SIGNIFICANCE = ("lines", "stars", "both", "none")


@dataclass(frozen=True)
class PathOptions:
    """How a path diagram is drawn; see ``ak.figure``."""

    value: str = "std_all"
    numbers: bool = True
    significance: str = "lines"
    residuals: bool = True
    means: bool = False
    group: str | None = None
    level: str | None = None
    layout: str = "right"

    def __post_init__(self) -> None:
        check_option("significance", self.significance, SIGNIFICANCE)
        check_option("layout", self.layout, ("right", "down"))
        for name in ("residuals", "means"):
            if not isinstance(getattr(self, name), bool):
                raise SpecError(message(f"{name}={getattr(self, name)!r} is not True or False"))


def path_figure(fit: StructuralFit, options: PathOptions) -> Figure:
    """Return the path diagram."""
    graphs = _chosen(graphs_of(fit, options.value, means=options.means), fit, options)
    if len(graphs) > PANELS:
        what = f"a path diagram has room for {PANELS} groups or levels, the model has {len(graphs)}"
        raise ReportError(message(what, do='Choose one: ak.figure(fit, group="...")'))
    if not options.residuals:
        graphs = [replace(g, edges=tuple(e for e in g.edges if e.kind != "variance")) for g in graphs]

    def draw() -> MplFigure:
        from alliancekit.report.structural_drawing import draw_graphs

        return draw_graphs(graphs, options)

    rows = [
        {"panel": g.title, "from": e.start, "to": e.end, "kind": e.kind, options.value: e.value}
        for g in graphs
        for e in g.edges
    ]
    return Figure(
        title="Path Diagram",
        draw=draw,
        caption=_caption(fit, graphs, options),
        alt=_words(graphs),
        data=pd.DataFrame(rows),
        source=fit,
    )


def _caption(fit: StructuralFit, graphs: Sequence[Graph], options: PathOptions) -> str:
    """Return what the shapes, arrows, lines and stars of a diagram mean, as far as they are drawn."""
    standardised = options.value == "std_all"
    what = "Standardised estimates. " if standardised else "Unstandardised estimates. "
    kinds = {e.kind for g in graphs for e in g.edges}
    ways = [word for kind, word in (("loading", "loadings"), ("regression", "regressions")) if kind in kinds]
    parts = [f"straight arrows are {' and '.join(ways)}"] if ways else []
    parts += ["curved ones covariances"] if "covariance" in kinds else []
    if "variance" in kinds:
        ones = ", which are left out where they are one" if standardised else ""
        parts.append(f"short ones (residual) variances{ones}")
    parts += ["those from triangles means and intercepts"] if "mean" in kinds else []
    shapes = "Ellipses are latent variables, boxes observed ones; " if any(g.latent for g in graphs) else ""
    arrows = ", ".join(parts)
    text = (what if options.numbers else "") + (shapes + arrows if shapes else arrows.capitalize()) + "."
    edges = [e for g in graphs for e in g.edges]
    if options.numbers and not all(np.isfinite(e.value) for e in edges):
        text += " Arrows without a number have no standardised value, because a variance is not positive."
    if options.significance in ("lines", "both") and not all(e.certain for e in edges):
        text += " Broken lines: the 95% interval holds zero."
    if options.significance in ("stars", "both") and options.numbers:
        text += " * p < .05. ** p < .01. *** p < .001."
    if any(fit.table.efa):
        text += " Standardised loadings up to |.3| are not drawn."
    return text


def _chosen(graphs: list[Graph], fit: StructuralFit, options: PathOptions) -> list[Graph]:
    """Return the graphs of the group and the level that were asked for."""
    labels, levels = [str(v) for v in fit.table.group_labels], fit.table.n_levels
    out = graphs
    if options.group is not None:
        if len(labels) < 2:
            raise SpecError(message("group= is for models of several groups", do="Leave it out"))
        wanted = check_option("group", str(options.group), labels)
        out = [g for g in out if g.title.removesuffix(", Within").removesuffix(", Between") == wanted]
    if options.level is not None:
        if levels < 2:
            raise SpecError(message("level= is for models of two levels", do="Leave it out"))
        wanted = check_option("level", options.level, ("within", "between")).capitalize()
        out = [g for g in out if g.title.endswith(wanted)]
    return out


def graphs_of(fit: StructuralFit, value: str, *, means: bool = False) -> list[Graph]:
    """Return one graph per group and level, the between level first."""
    table = fit.tidy()
    table = table[table["op"] != ":="]
    if any(fit.table.efa):
        table = _large_loadings(table, {v for v, efa in zip(fit.table.lhs, fit.table.efa, strict=True) if efa})
    out = []
    levels, labels = fit.table.n_levels, fit.table.group_labels
    for b, block in enumerate(fit._fit.model.blocks):
        own, words = table, []
        if len(labels) > 1:
            own = own[own["group"] == labels[b // levels]]
            words.append(str(labels[b // levels]))
        if levels > 1:
            name = ("within", "between")[b % levels]
            own = own[own["level"] == name]
            words.append(name.capitalize())
        out.append(graph_of(own, block.observed, block.latent, value, ", ".join(words), means=means))
    if levels > 1:
        out = [g for pair in zip(out[1::2], out[::2], strict=True) for g in pair]
    return out


def _large_loadings(table: pd.DataFrame, factors: set[str]) -> pd.DataFrame:
    """Return the table with the large loadings of exploratory factors only, the largest of each item first."""
    explored = (table["op"] == "=~") & table["lhs"].isin(factors)
    part = table[explored]
    size = part["std_all"].abs()
    blocks = ["rhs", *(name for name in ("group", "level") if name in part)]
    largest = size == size.groupby([part[name] for name in blocks]).transform("max")
    drawn = part[(size > SHOWN) | largest]
    ordered = drawn.loc[drawn["std_all"].abs().sort_values(ascending=False, kind="stable").index]
    return pd.concat([ordered, table[~explored]])


def _words(graphs: list[Graph]) -> str:
    """Return the loadings and regressions in words, for readers who cannot see the diagram."""
    parts = []
    for g in graphs:
        arrows = [f"{e.start} to {e.end} {e.value:.2f}" for e in g.edges if e.kind in ("loading", "regression")]
        parts.append(": ".join(p for p in (g.title, "; ".join(arrows)) if p))
    return ". ".join(parts)
