"""The drawing of path diagrams: sizes, spacing until no number touches anything, shapes, arrows and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from alliancekit.report.formatting import format_fixed
from alliancekit.report.structural_graph import Edge, Graph
from alliancekit.report.structural_layout import Layout, Place, lay_out, stretched, turned, wrapped
from alliancekit.report.structural_path import PathOptions
from alliancekit.report.structural_routes import Route, curve, route_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

STRETCHES = ((1.0, 1.0), (1.0, 1.2), (1.12, 1.35), (1.12, 1.6), (1.3, 1.8), (1.3, 2.2), (1.5, 2.6))
"""How far apart variables are pulled, sideways and upwards, while a number touches something."""
TALLEST, LARGEST, MARGIN, TITLE = 8.6, 1.12, 0.06, 0.3
"""Inches: the height of a page, ..., the margin, and room for the title of a panel; second: the largest scale."""
NAME, NUMBER, SMALLEST = 7.6, 6.9, 5.2
"""Points: names, numbers, and below what size numbers do not go."""
EMS = {".": 0.318, "−": 0.838, "*": 0.5, "–": 0.5}
"""Widths of characters of the figures' font (DejaVu Sans), in ems; digits are 0.636."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Panel:
    """One graph with its places and routes, and the left, right, bottom and top of what is drawn."""

    graph: Graph
    layout: Layout
    routes: tuple[Route, ...]
    box: Box


def draw_graphs(graphs: Sequence[Graph], options: PathOptions) -> MplFigure:
    """Return the drawing of graphs, one below the other, on one scale."""
    from alliancekit.report.style import WIDTH, new_figure

    panels, scale = compose(graphs, options)
    heights = [scale * (p.box[3] - p.box[2]) + (TITLE if p.graph.title else 0.0) for p in panels]
    total = sum(heights)
    figure, axes = new_figure(len(panels), height=total, squeeze=False)
    figure.set_layout_engine("none")
    top = total
    for panel, height, own in zip(panels, heights, axes.ravel(), strict=True):
        left, right, low, high = panel.box
        top -= height
        room = height - (TITLE if panel.graph.title else 0.0)
        own.set_position((0.0, top / total, 1.0, room / total))
        middle, reach = (left + right) / 2, WIDTH / scale / 2
        own.set_xlim(middle - reach, middle + reach)
        own.set_ylim(low, high)
        own.axis("off")
        if panel.graph.title:
            own.text(
                0.02,
                1.0 + 0.06 / room,
                panel.graph.title,
                transform=own.transAxes,
                va="bottom",
                fontsize=9.5,
                parse_math=False,
            )
        _Pen(own, scale, options).draw(panel)
    return figure


def compose(graphs: Sequence[Graph], options: PathOptions) -> tuple[list[Panel], float]:
    """Return panels and the scale of the drawing; variables are pulled apart while a number touches something."""
    graphs = [_shown(graph, options) for graph in graphs]
    first = [lay_out(graph) for graph in graphs]
    first = [turned(layout) for layout in first] if options.layout == "down" else first
    best: tuple[int, list[Panel], float] | None = None
    for across, along in STRETCHES:
        layouts = [stretched(layout, across, along) for layout in first]
        found = _composed(graphs, layouts, options)
        if best is None or found[0] < best[0]:
            best = found
        if best[0] == 0:
            break
    assert best is not None
    return best[1], best[2]


def _shown(graph: Graph, options: PathOptions) -> Graph:
    """Return a graph without variances of one in a standardised drawing."""
    if options.value != "std_all":
        return graph
    edges = tuple(e for e in graph.edges if e.kind != "variance" or abs(e.value - 1.0) > 1e-9)
    return Graph(graph.title, graph.observed, graph.latent, edges)


def _composed(
    graphs: Sequence[Graph], layouts: Sequence[Layout], options: PathOptions
) -> tuple[int, list[Panel], float]:
    """Return how many numbers touch something, the panels, and the scale that lets them fit the page."""
    scale = 1.0
    for _ in range(3):
        panels, touching = [], 0
        for graph, layout in zip(graphs, layouts, strict=True):
            routes, count = route_all(graph, layout, _rooms(graph, scale, options))
            touching += count
            panels.append(Panel(graph, layout, tuple(routes), _extent(layout, routes)))
        before, scale = scale, _scale(panels)
        if abs(scale - before) < 0.01:
            break
    return touching, panels, scale


def _scale(panels: Sequence[Panel]) -> float:
    from alliancekit.report.style import WIDTH

    width = max(p.box[1] - p.box[0] for p in panels)
    height = sum(p.box[3] - p.box[2] for p in panels)
    titles = TITLE * sum(bool(p.graph.title) for p in panels)
    return float(min(WIDTH / width, (TALLEST - titles) / height, LARGEST))


def _rooms(graph: Graph, scale: float, options: PathOptions) -> dict[Edge, tuple[float, float]]:
    """Return half width and half height of each number in the drawing's own inches."""
    size = number_size(scale) / 72 / scale
    out = {}
    for e in graph.edges:
        text = text_of(e, options)
        ems = sum(EMS.get(letter, 0.636) for letter in text)
        out[e] = (0.5 * ems * size + 0.01, 0.40 * size + 0.005) if text else (0.0, 0.0)
    return out


def number_size(scale: float) -> float:
    """Return the size of numbers in points."""
    return max(NUMBER * min(scale, 1.0), SMALLEST)


def text_of(edge: Edge, options: PathOptions) -> str:
    """Return what stands on an arrow: the number, with stars where they are wanted; nothing where there is none."""
    if not options.numbers or not np.isfinite(edge.value):
        return ""
    number = format_fixed(edge.value, 2, leading_zero=options.value != "std_all")
    return number + (edge.stars if options.significance in ("stars", "both") else "")


def _extent(layout: Layout, routes: Sequence[Route]) -> Box:
    """Return left, right, bottom and top of all that is drawn, with a margin."""
    corners = [(p.x + s * p.half_width, p.y + s * p.half_height) for p in layout.places.values() for s in (-1, 1)]
    corners += [(r.at[0] + s * r.room[0], r.at[1] + s * r.room[1]) for r in routes for s in (-1, 1)]
    points = np.vstack([np.array(corners), *(curve(r.points) for r in routes)])
    (left, low), (right, high) = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    return float(left), float(right), float(low), float(high)


def rounded(points: Any) -> Any:
    """Return a bracket of four points with room for round corners."""
    out = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        for end in (before, after):
            way = end - corner
            length = float(np.hypot(*way)) or 1.0
            out.append(corner + way * min(0.2, length / 2) / length)
        out.insert(-1, corner)
    return np.array([*out, points[-1]])


class _Pen:
    """Draws one panel on one pair of axes (inches)."""

    def __init__(self, axes: Any, scale: float, options: PathOptions) -> None:
        from alliancekit.report import style

        self.axes, self.options, self.style, self.scale = axes, options, style, scale
        self.name, self.number = NAME * min(scale, 1.0), number_size(scale)

    def draw(self, panel: Panel) -> None:
        """Draw arrows first, variables over them, numbers last."""
        for route in panel.routes:
            self._arrow(route)
            self._number(route)
        for name, place in panel.layout.places.items():
            self._variable(name, place)

    def _variable(self, name: str, place: Place) -> None:
        from matplotlib.patches import Ellipse, Rectangle

        look: dict[str, Any] = {
            "facecolor": self.style.PAPER,
            "edgecolor": self.style.INK,
            "linewidth": 0.9,
            "zorder": 3,
        }
        wide, high = 2 * place.half_width, 2 * place.half_height
        if place.latent:
            shape: Any = Ellipse((place.x, place.y), wide, high, **look)
        else:
            shape = Rectangle((place.x - place.half_width, place.y - place.half_height), wide, high, **look)
        shape.set_gid("variable")
        self.axes.add_patch(shape)
        self.axes.text(
            place.x,
            place.y,
            "\n".join(wrapped(name)),
            ha="center",
            va="center",
            linespacing=1.0,
            fontsize=self.name,
            zorder=4,
            parse_math=False,
            gid="name",
        )

    def _arrow(self, route: Route) -> None:
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        edge, points = route.edge, route.points
        if len(points) > 3:
            points = rounded(points)
            codes = [
                Path.MOVETO,
                Path.LINETO,
                Path.CURVE3,
                Path.CURVE3,
                Path.LINETO,
                Path.CURVE3,
                Path.CURVE3,
                Path.LINETO,
            ]
        else:
            codes = [Path.MOVETO, *([Path.LINETO] if len(points) == 2 else [Path.CURVE3, Path.CURVE3])]
        soft = edge.kind in ("covariance", "variance", "mean")
        broken = not edge.certain and self.options.significance in ("lines", "both")
        arrow = FancyArrowPatch(
            path=Path(points, codes),
            arrowstyle="<|-|>" if edge.kind == "covariance" else "-|>",
            mutation_scale=6.5 * min(self.scale, 1.0),
            linewidth=0.75 if soft else 0.95,
            color=self.style.MUTED if soft else self.style.INK,
            linestyle=(0, (3, 2)) if broken else "-",
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
        arrow.set_gid(f"{edge.kind} {edge.start} {edge.end}")
        self.axes.add_patch(arrow)
        if edge.kind == "mean":
            self._triangle(points)

    def _triangle(self, points: Any) -> None:
        """Draw the triangle of a mean at the tail of its arrow."""
        from matplotlib.patches import Polygon

        x, y = points[0]
        corners = [(x - 0.055, y - 0.045), (x + 0.055, y - 0.045), (x, y + 0.06)]
        look = {"facecolor": self.style.PAPER, "edgecolor": self.style.MUTED, "linewidth": 0.75, "zorder": 3}
        self.axes.add_patch(Polygon(corners, closed=True, **look))

    def _number(self, route: Route) -> None:
        text = text_of(route.edge, self.options)
        if not text:
            return
        short = route.edge.kind in ("variance", "mean")
        self.axes.text(
            *route.at,
            text,
            ha="center",
            va="center",
            fontsize=self.number,
            color=self.style.MUTED if short else self.style.INK,
            zorder=5,
            gid=f"number {route.edge.kind} {route.edge.start} {route.edge.end}",
            **({} if short else {"bbox": {"facecolor": self.style.PAPER, "edgecolor": "none", "pad": 0.5}}),
        )
