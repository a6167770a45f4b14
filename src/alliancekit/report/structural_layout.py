"""Where each variable stands in a path diagram: causes left of effects, indicators beside or above their factor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from alliancekit.report.structural_graph import Graph

Side = Literal["left", "right", "above", "below"]
PITCH, GAP, BETWEEN, AWAY = 0.36, 0.24, 0.66, 1.15
"""Inches: between indicators in a list, between lists, between columns, and from a factor to indicators above it."""
LETTERS = 13
"""Names longer than this are broken after a full stop, an underscore or a small letter before a capital."""
TURNED: dict[Side, Side] = {"right": "below", "below": "left", "left": "above", "above": "right"}


@dataclass
class Place:
    """Where a variable stands (inches, y upwards), its half width and half height, and where its indicators are."""

    x: float
    y: float
    half_width: float
    half_height: float
    latent: bool
    side: Side = "right"


@dataclass
class Layout:
    """Places of all variables.

    outside : on which side the residual arrow of a variable comes in. owner : the factor an indicator stands beside.
    beyond : variables beyond a list of indicators, and those indicators. angles : of residual arrows, degrees, where
    the side does not say enough.
    """

    places: dict[str, Place] = field(default_factory=dict)
    outside: dict[str, Side] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    beyond: set[str] = field(default_factory=set)
    angles: dict[str, float] = field(default_factory=dict)


def wrapped(name: str) -> list[str]:
    """Return a name in lines of a length that a box can hold."""
    pieces = [piece for piece in re.split(r"(?<=[._ ])|(?<=[a-z])(?=[A-Z])", name) if piece]
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + len(piece) <= LETTERS:
            lines[-1] += piece
        else:
            lines.append(piece)
    return [line.strip() or line for line in lines]


def new_place(name: str, x: float, y: float, latent: bool) -> Place:
    """Return a place that is large enough for the name."""
    return Place(x, y, _half_width(name, latent), _half_height(name, latent), latent)


def _half_width(name: str, latent: bool) -> float:
    longest = max(len(line) for line in wrapped(name))
    return max(0.42 if latent else 0.24, 0.038 * longest + (0.14 if latent else 0.07))


def _half_height(name: str, latent: bool) -> float:
    return (0.21 if latent else 0.14) + (0.08 if latent else 0.065) * (len(wrapped(name)) - 1)


def stretched(layout: Layout, across: float, along: float) -> Layout:
    """Return a layout with its places further apart, sideways (``across``) and upwards (``along``)."""
    places = {v: replace(p, x=p.x * across, y=p.y * along) for v, p in layout.places.items()}
    return replace(layout, places=places)


def turned(layout: Layout) -> Layout:
    """Return a layout that is read from top to bottom."""
    places = layout.places.values()
    wide = max(2 * p.half_width + 0.12 for p in places) / PITCH if len(places) > 1 else 1.0
    out = {v: replace(p, x=-p.y * min(wide, 2.2), y=-p.x * 0.85, side=TURNED[p.side]) for v, p in layout.places.items()}
    return replace(layout, places=out, outside={v: TURNED[side] for v, side in layout.outside.items()}, angles={})


def lay_out(graph: Graph) -> Layout:
    """Return places: waves of a panel from left to right, else what predicts left of what it predicts."""
    from alliancekit.report.structural_panel import panel_layout

    return panel_layout(graph) or _in_rows(graph) or _layered(graph)


def _layered(graph: Graph) -> Layout:
    """Return columns of variables by how many arrows lead to them, and indicators beside, above or below them."""
    items = _indicators(graph)
    later = _after_growth(graph, items)
    inner = [v for v in (*graph.latent, *graph.observed) if v not in items and v not in later]
    depth = _depths(graph, inner)
    last = max(depth.values(), default=0)
    outer = _outer(graph, inner, items)
    general = _general(graph) if last == 0 else ""
    if general:
        items = _indicators(graph, general)
        inner.remove(general)
    targets = {e.end for e in graph.edges if e.start in outer and e.kind == "regression"}
    targets |= {e.end for e in graph.edges if e.start == general and e.kind == "loading"}
    layout = Layout(owner=items, beyond={*outer, *targets})
    columns: dict[int, list[str]] = {}
    for name in inner:
        if name not in outer:
            columns.setdefault(depth[name], []).append(name)
    lists = {name: [v for v, factor in items.items() if factor == name] for name in [*inner, general]}
    left = [n for n in columns.get(0, []) if lists[n]] if last > 0 else []
    right = [n for n in [*columns.get(last, []), general] if lists[n]]
    pitch = max([0.58 if targets else PITCH] + [2 * _half_height(v, False) + 0.08 for v in items])
    width = max([_half_width(v, False) for v in items] or [0.3])
    heights = [_list_height(lists, side, pitch) for side in (left, right)]
    middle = [len(nodes) * 1.15 for d, nodes in columns.items() if 0 < d < last]
    height = max([*heights, *middle, 0.7 * max((len(nodes) for nodes in columns.values()), default=1)])
    edges = _column_places(graph, columns, 2 * width + 0.9 if left else 0.0)
    for d in sorted(columns):
        _place_column(layout, graph, columns[d], edges[d][0], height, lists, left if d == 0 else right)
    if left:
        _place_list(layout, left, lists, edges[0][0] - edges[0][1] - 0.55 - width, height, pitch, "left")
    away = 1.7 if _sharing(graph) else 0.83
    beside = sum(edges[last]) + away + width if columns else 0.0
    _place_list(layout, right, lists, beside, height, pitch, "right")
    for d, own in ((0, left), (last, right)):
        _spread_column(layout, graph, columns.get(d, []), own, height)
    for d in range(1, last):
        _place_rows(layout, columns.get(d, []), lists, width)
    reach = beside + width + (1.3 if general else 0.8)
    _place_beyond(layout, graph, general, outer, reach, (height, pitch))
    bottom = min((layout.places[v].y for v in items), default=0.0)
    for k, name in enumerate(later):
        layout.places[name] = new_place(name, beside, bottom - 0.55 - 0.45 * k, name in graph.latent)
        layout.outside[name] = "right"
    return layout


def _in_rows(graph: Graph) -> Layout | None:
    """Return one factor after the other above one row of all indicators, whose covariances are arcs below the row.

    It is for factors that predict each other and have indicators that covary across factors; None for other models.
    """
    items = _indicators(graph)
    inner = [v for v in (*graph.latent, *graph.observed) if v not in items]
    depth = _depths(graph, inner)
    ties = [e for e in graph.edges if e.kind == "covariance" and e.start in items and e.end in items]
    across = any(depth[items[e.start]] != depth[items[e.end]] for e in ties)
    if not across or len(set(depth.values())) < len(inner) or set(items.values()) != set(inner) or _sharing(graph):
        return None
    layout, x = Layout(owner=items), 0.0
    for factor in sorted(inner, key=lambda v: depth[v]):
        own = [v for v, f in items.items() if f == factor]
        start = x
        for v in own:
            half = _half_width(v, False)
            layout.places[v] = new_place(v, x + half, 0.0, False)
            layout.outside[v] = "below"
            x += 2 * half + 0.1
        middle = (start + x - 0.1) / 2
        layout.places[factor] = new_place(factor, middle, AWAY, True)
        layout.places[factor].side, layout.outside[factor] = "below", "above"
        x += GAP
    return layout


def _column_places(graph: Graph, columns: Mapping[int, Sequence[str]], start: float) -> dict[int, tuple[float, float]]:
    """Return middle and half width of each column."""
    out: dict[int, tuple[float, float]] = {}
    x = start
    for d in sorted(columns):
        half = max(_half_width(v, v in graph.latent) for v in columns[d])
        if d:
            x += half + BETWEEN
        out[d] = (x, half)
        x += half
    return out


def _place_beyond(
    layout: Layout, graph: Graph, general: str, outer: Sequence[str], x: float, size: tuple[float, float]
) -> None:
    """Place a general factor, and covariates of single indicators, beyond the indicators."""
    height, pitch = size
    for k, name in enumerate([general] if general else outer):
        latent = name == general
        half = _half_width(name, latent)
        y = height / 2
        if not latent:
            target = next(e.end for e in graph.edges if e.start == name and e.kind == "regression")
            y = layout.places[target].y if target in layout.places else height - k * pitch
        layout.places[name] = new_place(name, x + half, y, latent)
        layout.outside[name] = "right"


def _sharing(graph: Graph) -> set[str]:
    """Return factors that have indicators in common with another, as those of growth models do."""
    loads = {f: {e.end for e in graph.edges if e.kind == "loading" and e.start == f} for f in graph.latent}
    return {f for f in loads for g in loads if f != g and len(loads[f] & loads[g]) > 1}


def _after_growth(graph: Graph, items: Mapping[str, str]) -> list[str]:
    """Return observed outcomes of factors that share their indicators: they stand below these, not in a column."""
    shared = _sharing(graph)
    ways = [e for e in graph.edges if e.kind == "regression"]
    ends = {e.end for e in ways if e.start in shared}
    starts = {e.start for e in ways}
    return [v for v in graph.observed if v in ends and v not in starts and v not in items]


def _general(graph: Graph) -> str:
    """Return the general factor of a bifactor model, which stands beyond the items; "" where there is none.

    It has the items of two other factors or more, and nothing but loadings.
    """
    loads: dict[str, set[str]] = {name: set() for name in graph.latent}
    for e in graph.edges:
        if e.kind == "loading":
            loads[e.start].add(e.end)
    tied = {v for e in graph.edges if e.kind in ("covariance", "regression") for v in (e.start, e.end)}
    tied |= set().union(*loads.values()) if loads else set()
    for name, own in loads.items():
        inside = [other for other in loads if other != name and loads[other] and loads[other] < own]
        if name not in tied and len(inside) > 1 and not own & set(graph.latent):
            return name
    return ""


def _indicators(graph: Graph, general: str = "") -> dict[str, str]:
    """Return indicator -> the factor it is drawn with: the first that it measures, a general one last."""
    latent = set(graph.latent)
    out: dict[str, str] = {}
    predicts = {e.start for e in graph.edges if e.kind == "regression"}
    for e in sorted(graph.edges, key=lambda e: e.start == general):
        if e.kind == "loading" and e.end not in latent and e.end not in predicts:
            out.setdefault(e.end, e.start)
    return out


def _depths(graph: Graph, inner: Sequence[str]) -> dict[str, int]:
    """Return how many arrows lead at most to each variable; loops are cut."""
    known = set(inner)
    arrows = [(e.start, e.end) for e in graph.edges if e.kind in ("loading", "regression")]
    arrows = [(a, b) for a, b in arrows if a in known and b in known and a != b]
    depth = dict.fromkeys(inner, 0)
    for _ in range(len(inner)):
        moved = False
        for a, b in arrows:
            if depth[b] < depth[a] + 1 <= len(inner) - 1:
                depth[b], moved = depth[a] + 1, True
        if not moved:
            break
    used = sorted(set(depth.values()))
    return {name: used.index(d) for name, d in depth.items()}


def _outer(graph: Graph, inner: Sequence[str], items: Mapping[str, str]) -> list[str]:
    """Return observed variables that predict nothing but indicators: they stand beyond these."""
    out = []
    for name in inner:
        ends = [e.end for e in graph.edges if e.start == name and e.kind in ("regression", "loading")]
        if ends and name not in graph.latent and all(end in items for end in ends):
            out.append(name)
    return out


def _list_height(lists: Mapping[str, list[str]], names: Sequence[str], pitch: float) -> float:
    count = sum(len(lists[name]) for name in names)
    return max(0.0, (count - 1) * pitch + (len(names) - 1) * GAP) if count else 0.0


def _spread_column(layout: Layout, graph: Graph, names: Sequence[str], listed: Sequence[str], height: float) -> None:
    """Spread the variables of a column where some have a list beside them and some have none.

    Factors without a list of their own share one: all are spread evenly. Observed variables stand below the lists.
    """
    bare = [name for name in names if name not in listed]
    if not listed or not bare:
        return
    if not graph.latent or any(name in graph.latent for name in bare):
        step = max(height / len(names), 0.7)
        for k, name in enumerate(names):
            layout.places[name].y = height / 2 + ((len(names) - 1) / 2 - k) * step
        return
    low = min(layout.places[name].y for name in listed)
    for k, name in enumerate(bare):
        layout.places[name].y = low - 0.7 - 0.5 * k
        layout.outside[name] = "below"


def _place_list(
    layout: Layout,
    names: Sequence[str],
    lists: Mapping[str, list[str]],
    x: float,
    height: float,
    pitch: float,
    side: Side,
) -> None:
    """Place indicators of several factors in one list from top to bottom, and factors beside the middle of theirs."""
    y = height - (height - _list_height(lists, names, pitch)) / 2
    same = max((_half_width(item, False) for name in names for item in lists[name]), default=0.0)
    for name in names:
        top = y
        for item in lists[name]:
            layout.places[item] = replace(new_place(item, x, y, False), half_width=same)
            layout.outside[item] = "above" if item in layout.beyond else side
            y -= pitch
        if name in layout.places:
            layout.places[name].side = side
            layout.places[name].y = (top + y + pitch) / 2
        y -= GAP


def _place_column(
    layout: Layout,
    graph: Graph,
    names: Sequence[str],
    x: float,
    height: float,
    lists: Mapping[str, list[str]],
    listed: Sequence[str],
) -> None:
    """Place variables of one column, evenly; those with a list beside them are moved to its middle later."""
    alone = [name for name in names if name not in listed or not lists[name]]
    step = height / max(len(alone), 1)
    for k, name in enumerate(alone):
        latent = name in graph.latent
        y = height - (k + 0.5) * step
        layout.places[name] = new_place(name, x, y, latent)
        layout.outside[name] = "above" if y >= height / 2 else "below"
    for name in names:
        if name not in layout.places:
            latent = name in graph.latent
            layout.places[name] = new_place(name, x, height / 2, latent)
            layout.outside[name] = "above"


def _place_rows(layout: Layout, names: Sequence[str], lists: Mapping[str, list[str]], width: float) -> None:
    """Place indicators of factors in the middle in rows above (upper ones) or below."""
    several = [name for name in names if lists[name]]
    for k, name in enumerate(several):
        place = layout.places[name]
        side: Side = "above" if k < len(several) / 2 and len(several) > 1 else "below"
        place.side = side
        layout.outside[name], layout.angles[name] = "left", 195.0 if side == "below" else 165.0
        step = 2 * width + 0.1
        count = len(lists[name])
        for j, item in enumerate(lists[name]):
            x = place.x + (j - (count - 1) / 2) * step
            y = place.y + (AWAY if side == "above" else -AWAY)
            layout.places[item] = replace(new_place(item, x, y, False), half_width=width)
            layout.outside[item] = side
