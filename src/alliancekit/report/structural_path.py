"""The path diagram of a structural model: factors, indicators, loadings, regressions, covariances, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.report.formatting import format_fixed
from alliancekit.report.parts import Figure
from alliancekit.report.structural_graph import Edge, Graph, Layout, Place, extent, graph_of, lay_out
from alliancekit.structural.result.fit import StructuralFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

PANELS = 4
SHOWN = 0.3
"""Standardised loadings of exploratory factors up to this size are not drawn, but for the largest of an item."""
LABEL = (0.17, 0.08)
"""Inches: half the width and height of a number with the room it needs."""


def path_figure(fit: StructuralFit, value: str = "std_all") -> Figure:
    """Return the path diagram; ``value`` : "std_all" or "estimate", the column that labels the arrows."""
    graphs = graphs_of(fit, value)
    if len(graphs) > PANELS:
        what = f"a path diagram has room for {PANELS} groups or levels, the model has {len(graphs)}"
        raise ReportError(message(what, do="Draw ak.figure of the model in one group"))
    shown = [(graph, lay_out(graph)) for graph in graphs]

    def draw() -> MplFigure:
        return _draw(shown, value)

    rows = [
        {"panel": g.title, "from": e.start, "to": e.end, "kind": e.kind, value: e.value}
        for g in graphs
        for e in g.edges
    ]
    what = "Standardised estimates" if value == "std_all" else "Estimates"
    return Figure(
        title="Path Diagram",
        draw=draw,
        caption=f"{what}. Ellipses are latent variables, boxes observed ones; straight arrows are loadings and "
        "regressions, curved ones covariances, short ones (residual) variances"
        + (", which are left out where they are one" if value == "std_all" else "")
        + ". Broken lines: the 95% interval holds zero."
        + (" Standardised loadings up to |.3| are not drawn." if any(fit.table.efa) else ""),
        alt=_words(graphs),
        data=pd.DataFrame(rows),
        source=fit,
    )


def graphs_of(fit: StructuralFit, value: str) -> list[Graph]:
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
        out.append(graph_of(own, block.observed, block.latent, value, ", ".join(words)))
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


def _draw(shown: list[tuple[Graph, Layout]], value: str) -> MplFigure:
    from alliancekit.report.style import WIDTH, new_figure

    boxes = [_box(graph, layout, value) for graph, layout in shown]
    width = max(right - left for left, right, _, _ in boxes)
    heights = [top - bottom for _, _, bottom, top in boxes]
    scale = min(WIDTH / width, 1.15)
    titled = 0.3 * sum(1 for g, _ in shown if g.title)
    figure, axes = new_figure(
        len(shown), height=scale * sum(heights) + titled + 0.1, squeeze=False, height_ratios=heights
    )
    for (graph, layout), box, own in zip(shown, boxes, axes.ravel(), strict=True):
        left, right, bottom, top = box
        middle = (left + right) / 2
        reach = max(width, WIDTH / scale) / 2
        own.set_xlim(middle - reach, middle + reach)
        own.set_ylim(bottom, top)
        own.set_aspect("equal")
        own.axis("off")
        if graph.title:
            own.set_title(graph.title)
        _Panel(own, graph, layout, scale, value).draw()
    return figure


def _box(graph: Graph, layout: Layout, value: str) -> tuple[float, float, float, float]:
    """Return the extent of a panel, with room for the curves of covariances."""
    left, right, bottom, top = extent(layout)
    for e in graph.edges:
        apex = _apex(layout, e) if e.kind == "covariance" else _around(layout, e) if e.kind == "regression" else None
        if apex is not None:
            left, right = min(left, apex[0] - 0.25), max(right, apex[0] + 0.25)
            bottom, top = min(bottom, apex[1] - 0.15), max(top, apex[1] + 0.15)
    return left, right, bottom, top


def _around(layout: Layout, edge: Edge) -> tuple[float, float] | None:
    """Return a point to pass where the straight line would run through another variable."""
    a, b = layout.places[edge.start], layout.places[edge.end]
    for name, other in layout.places.items():
        if name in (edge.start, edge.end) or not min(a.x, b.x) + 0.1 < other.x < max(a.x, b.x) - 0.1:
            continue
        line = a.y + (b.y - a.y) * (other.x - a.x) / (b.x - a.x)
        if abs(line - other.y) < other.half_height + 0.05:
            over = (a.y + b.y) / 2 >= other.y - 1e-9
            if other.latent and other.side in ("above", "below"):
                over = other.side == "below"
            side = "above" if over else "below"
            reach = other.half_height + (0.62 if layout.outside.get(name) == side else 0.34)
            return (a.x + b.x) / 2, other.y + (reach if over else -reach)
    return None


def _apex(layout: Layout, edge: Edge) -> tuple[float, float]:
    """Return the point that the curve of a covariance passes half-way."""
    a, b = layout.places[edge.start], layout.places[edge.end]
    along = np.array([b.x - a.x, b.y - a.y])
    length = float(np.hypot(*along))
    middle = np.array([(a.x + b.x) / 2, (a.y + b.y) / 2])
    if abs(along[0]) < 0.05:  # one above the other: bulge to the outer side
        if a.latent and b.latent and a.side == "left" and _neighbours(layout, a, b):
            return float(middle[0]), float(middle[1])
        out = _bulge(layout, edge, a, b, length)
        return float(middle[0] + out), float(middle[1])
    across = np.array([-along[1], along[0]]) / length
    if across[1] < 0:
        across = -across
    outer = layout.outside.get(edge.start) == "below"
    row = abs(along[1]) < 0.05 and not a.latent and not b.latent
    reach = a.half_height + 0.55 + 0.06 * length if row else 0.18 * length + 0.15
    x, y = middle + across * reach * (-1 if outer else 1)
    return float(x), float(y)


def _neighbours(layout: Layout, a: Place, b: Place) -> bool:
    """Return whether no variable stands between two variables of a column."""
    low, high = min(a.y, b.y), max(a.y, b.y)
    return not any(abs(p.x - a.x) < 0.05 and low < p.y < high for p in layout.places.values())


def _bulge(layout: Layout, edge: Edge, a: Place, b: Place, length: float) -> float:
    """Return how far to the right (or left, below zero) the curve between two variables of a column goes."""
    if a.latent and b.latent:
        reach = max(a.half_width, b.half_width) + 0.08 + 0.11 * length**1.6
        beyond = [p.x - p.half_width for p in layout.places.values() if p.x > a.x + 0.1]
        if a.side == "left" and beyond:  # short of what stands to the right
            reach = min(reach, max(min(beyond) - a.x - 0.25, a.half_width + 0.1))
        return float(-reach if a.side == "right" else reach)
    side = layout.outside.get(edge.start, "right")
    reach = max(a.half_width, b.half_width) + 0.68 + 0.14 * length
    return reach if side == "right" else -reach


class _Panel:
    """Draws one graph on one pair of axes (inches)."""

    def __init__(self, axes: Any, graph: Graph, layout: Layout, scale: float, value: str) -> None:
        from alliancekit.report import style

        self.axes, self.graph, self.layout, self.value = axes, graph, layout, value
        self.size = 7.6 * min(scale, 1.0) ** 0.5
        self.style = style
        self.taken: list[tuple[float, float]] = []

    def draw(self) -> None:
        """Draw arrows first, variables over them, numbers last."""
        for edge in self.graph.edges:
            if edge.kind in ("loading", "regression"):
                self._straight(edge)
            elif edge.kind == "covariance":
                self._curved(edge)
            else:
                self._residual(edge)
        for name, place in self.layout.places.items():
            self._variable(name, place)

    def _variable(self, name: str, place: Place) -> None:
        from matplotlib.patches import Ellipse, FancyBboxPatch

        look: dict[str, Any] = {
            "facecolor": self.style.PAPER,
            "edgecolor": self.style.INK,
            "linewidth": 0.9,
            "zorder": 3,
        }
        if place.latent:
            shape: Any = Ellipse((place.x, place.y), 2 * place.half_width, 2 * place.half_height, **look)
        else:
            corner = (place.x - place.half_width, place.y - place.half_height)
            shape = FancyBboxPatch(corner, 2 * place.half_width, 2 * place.half_height, boxstyle="square,pad=0", **look)
        self.axes.add_patch(shape)
        self.axes.text(place.x, place.y, name, ha="center", va="center", fontsize=self.size, zorder=4)

    def _straight(self, edge: Edge) -> None:
        a, b = self.layout.places[edge.start], self.layout.places[edge.end]
        around = _around(self.layout, edge)
        if around is not None:
            self._through(edge, around, "-|>")
            return
        start, end = _border(a, b), _border(b, a)
        self._arrow([start, end], edge, "-|>")
        fan = sum(1 for e in self.graph.edges if e.start == edge.start and e.kind == "regression")
        part = 0.6 if edge.kind == "loading" else 0.3 if fan > 1 else 0.45
        if edge.kind == "loading" and self.layout.owner.get(edge.end) not in (edge.start, None):
            part = 0.32
        x, y = self._clear(edge, start, end, part) if edge.kind == "loading" else _between(start, end, part)
        self.taken.append((x, y))
        self._number(x, y, edge)

    def _clear(
        self, edge: Edge, start: tuple[float, float], end: tuple[float, float], part: float
    ) -> tuple[float, float]:
        """Return where a number covers no other number, arrow or variable, as near ``part`` as can be."""
        lines = []
        for e in self.graph.edges:
            if e is not edge and e.kind in ("loading", "regression") and _around(self.layout, e) is None:
                a, b = self.layout.places[e.start], self.layout.places[e.end]
                lines.append((_border(a, b), _border(b, a)))
        best, most = _between(start, end, part), -1.0
        for t in [part, *sorted(np.arange(0.2, 0.86, 0.03), key=lambda t: abs(t - part))]:
            point = _between(start, end, float(t))
            free = min([_distance(point, *line) for line in lines] + [1.0])
            free = min([free, *(_distance(point, other, other) / 2 for other in self.taken)])
            inside = any(
                abs(point[0] - p.x) < p.half_width + 0.1 and abs(point[1] - p.y) < p.half_height + 0.06
                for name, p in self.layout.places.items()
                if name not in (edge.start, edge.end)
            )
            free = 0.0 if inside else free
            if free > most + 1e-9:
                best, most = point, free
        return best

    def _curved(self, edge: Edge) -> None:
        self._through(edge, _apex(self.layout, edge), "<|-|>")

    def _through(self, edge: Edge, apex: tuple[float, float], head: str) -> None:
        """Draw a curve from variable to variable that passes a point half-way, and the number there."""
        a, b = self.layout.places[edge.start], self.layout.places[edge.end]
        start, end = (a.x, a.y), (b.x, b.y)
        control = apex
        for _ in range(3):
            control = (2 * apex[0] - (start[0] + end[0]) / 2, 2 * apex[1] - (start[1] + end[1]) / 2)
            towards = Place(control[0], control[1], 0.0, 0.0, False)
            start, end = _border(a, towards), _border(b, towards)
        self._arrow([start, control, end], edge, head)
        if edge.kind == "covariance" and a.latent and a.side == "left" and abs(a.x - b.x) < 0.05 < apex[0] - a.x:
            first, second = _between(start, control, 0.25), _between(control, end, 0.25)
            apex = _between(first, second, 0.25)  # a quarter on the way, clear of arrows that leave the middle
        self._number(apex[0], apex[1], edge)

    def _residual(self, edge: Edge) -> None:
        """Draw a short arrow into a variable with its (residual) variance at the tail."""
        place = self.layout.places[edge.start]
        if self.value == "std_all" and abs(edge.value - 1.0) < 1e-9:
            return
        side = self.layout.outside[edge.start]
        dx, dy = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "above": (0.55, 1.0), "below": (0.55, -1.0)}[side]
        if not place.latent and side in ("above", "below"):
            dx = 0.0
        head = (place.x + dx * place.half_width * (1 if dy == 0 else 0.6), place.y + dy * place.half_height * 0.95)
        if place.latent and side == "left":  # beside the arrows that come in from the left
            dy = 0.5 if place.side == "above" else -0.5
            head = (place.x - 0.9 * place.half_width, place.y + 0.9 * dy * place.half_height)
        length = 0.13 if edge.start in self.layout.beyond else 0.25
        flat = abs(dy) < 1
        tail = (head[0] + length * np.sign(dx) * (1 if flat else 0.35), head[1] + length * dy)
        self._arrow([tail, head], edge, "-|>")
        align = {"left": "right", "right": "left"}.get(side, "center")
        up = {"above": "bottom", "below": "top"}.get(side, "center")
        self.axes.text(
            tail[0] + 0.03 * np.sign(dx) * flat,
            tail[1] + 0.02 * dy,
            self._text(edge),
            ha=align,
            va=up,
            fontsize=self.size - 0.8,
            color=self.style.MUTED,
            zorder=5,
        )

    def _arrow(self, points: list[tuple[float, float]], edge: Edge, head: str) -> None:
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        codes = [Path.MOVETO, *([Path.LINETO] if len(points) == 2 else [Path.CURVE3, Path.CURVE3])]
        soft = edge.kind in ("covariance", "variance")
        self.axes.add_patch(
            FancyArrowPatch(
                path=Path(points, codes),
                arrowstyle=head,
                mutation_scale=6.5,
                linewidth=0.8 if soft else 0.95,
                color=self.style.MUTED if soft else self.style.ACCENT if edge.kind == "regression" else self.style.INK,
                linestyle="-" if edge.certain else (0, (3, 2)),
                shrinkA=0,
                shrinkB=0,
                zorder=2,
            )
        )

    def _number(self, x: float, y: float, edge: Edge) -> None:
        self.axes.text(
            x,
            y,
            self._text(edge),
            ha="center",
            va="center",
            fontsize=self.size - 0.8,
            zorder=5,
            bbox={"facecolor": self.style.PAPER, "edgecolor": "none", "pad": 0.7},
        )

    def _text(self, edge: Edge) -> str:
        return format_fixed(edge.value, 2, leading_zero=self.value != "std_all")


def _between(start: tuple[float, float], end: tuple[float, float], part: float) -> tuple[float, float]:
    return (1 - part) * start[0] + part * end[0], (1 - part) * start[1] + part * end[1]


def _distance(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return how far a number is from a line, in sizes of a number; below one it covers the line."""
    p, a, b = (np.array(v) / LABEL for v in (point, start, end))
    along = b - a
    length = float(along @ along)
    part = min(max(float((p - a) @ along) / length, 0.0), 1.0) if length else 0.0
    return float(np.hypot(*(p - a - part * along)))


def _border(a: Place, towards: Place) -> tuple[float, float]:
    """Return where the line from the middle of a variable towards another leaves it."""
    dx, dy = towards.x - a.x, towards.y - a.y
    if dx == 0 and dy == 0:
        return a.x, a.y
    if a.latent:
        size = 1 / np.hypot(dx / a.half_width, dy / a.half_height)
    else:
        size = min(
            a.half_width / abs(dx) if dx else np.inf,
            a.half_height / abs(dy) if dy else np.inf,
        )
    return a.x + size * dx, a.y + size * dy
