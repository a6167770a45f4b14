"""A structural model as a graph: who predicts whom, who goes with whom; and where each variable stands in a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

Side = Literal["left", "right", "above", "below"]
PITCH, GAP, COLUMN, AWAY = 0.36, 0.24, 1.45, 1.15
"""Inches: between indicators in a list, between lists, between columns, and from a factor to indicators above it."""


@dataclass(frozen=True)
class Edge:
    """An arrow: kind "loading", "regression", "covariance" or "variance" (of ``start`` alone), with its number."""

    start: str
    end: str
    kind: str
    value: float
    certain: bool
    """False where the interval of the parameter holds zero."""


@dataclass(frozen=True)
class Graph:
    """One block of a model: variables in order, arrows, and a title for the panel (group or level)."""

    title: str
    observed: tuple[str, ...]
    latent: tuple[str, ...]
    edges: tuple[Edge, ...]


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
    beyond : variables beyond a list of indicators, and those indicators.
    """

    places: dict[str, Place] = field(default_factory=dict)
    outside: dict[str, Side] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    beyond: set[str] = field(default_factory=set)


def graph_of(table: pd.DataFrame, observed: Sequence[str], latent: Sequence[str], value: str, title: str = "") -> Graph:
    """Return the graph of rows as ``tidy`` gives them; ``value`` : the column that labels the arrows.

    Moments of covariates that are fixed at their sample values are left out, and so are parameters fixed at zero.
    """
    edges = []
    explained = {*table.loc[table["op"] == "=~", "rhs"], *table.loc[table["op"] == "~", "lhs"], *latent}
    for row in table.to_dict("records"):
        lhs, op, rhs = row["lhs"], row["op"], row["rhs"]
        kinds = {"=~": "loading", "<~": "regression", "~": "regression", "~~": "covariance"}
        if op not in kinds:
            continue
        kind = "variance" if op == "~~" and lhs == rhs else kinds[op]
        fixed = not row["std_error"] > 0
        covariate = fixed and op == "~~" and not {lhs, rhs} & explained
        if fixed and (row["estimate"] == 0 or covariate):
            continue
        start, end = (lhs, rhs) if op in ("=~", "~~") else (rhs, lhs)
        clear = bool(row["conf_low"] > 0 or row["conf_high"] < 0) if "conf_low" in row else row["p_value"] < 0.05
        edges.append(Edge(start, end, kind, float(row[value]), bool(fixed or clear)))
    return Graph(title, tuple(observed), tuple(latent), tuple(edges))


def lay_out(graph: Graph) -> Layout:
    """Return places: what predicts stands left of what it predicts, indicators beside or above their factor."""
    items = _indicators(graph)
    inner = [v for v in (*graph.latent, *graph.observed) if v not in items]
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
    pitch = 0.58 if targets else PITCH
    columns: dict[int, list[str]] = {}
    for name in inner:
        if name not in outer:
            columns.setdefault(depth[name], []).append(name)
    lists = {name: [v for v, factor in items.items() if factor == name] for name in [*inner, general]}
    left = [n for n in columns.get(0, []) if lists[n]] if last > 0 else []
    right = [n for n in [*columns.get(last, []), general] if lists[n]]
    width = max([_half_width(v, False) for v in graph.observed] or [0.3])
    start = (2 * width + 0.9) if left else 0.0
    heights = [_list_height(lists, side, pitch) for side in (left, right)]
    middle = [len(nodes) * 1.15 for d, nodes in columns.items() if 0 < d < last]
    height = max([*heights, *middle, 0.7 * max((len(nodes) for nodes in columns.values()), default=1)])
    for d in sorted(columns):
        _place_column(
            layout, graph, columns[d], start + d * COLUMN, height, lists, left if d == 0 else right, d == last
        )
    _place_list(layout, left, lists, start - 0.85 - width, height, pitch, "left")
    edge = start + last * COLUMN
    _place_list(layout, right, lists, edge + 1.25 + width, height, pitch, "right")
    for d, own in ((0, left), (last, right)):
        _spread_column(layout, columns.get(d, []), own, height)
    for d in range(1, last):
        _place_rows(layout, columns.get(d, []), lists, width)
    if general:
        half = _half_width(general, True)
        layout.places[general] = Place(edge + 1.25 + 2 * width + 1.25 + half, height / 2, half, 0.21, True)
        layout.outside[general] = "right"
    for k, name in enumerate(outer):
        target = next(e.end for e in graph.edges if e.start == name and e.kind == "regression")
        y = layout.places[target].y if target in layout.places else height - k * pitch
        half = _half_width(name, False)
        layout.places[name] = Place(edge + 1.25 + 2 * width + 1.25 + half, y, half, 0.14, False)
        layout.outside[name] = "right"
    return layout


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


def _half_width(name: str, latent: bool) -> float:
    return max(0.42 if latent else 0.24, 0.038 * len(name) + (0.12 if latent else 0.07))


def _list_height(lists: Mapping[str, list[str]], names: Sequence[str], pitch: float) -> float:
    count = sum(len(lists[name]) for name in names)
    return max(0.0, (count - 1) * pitch + (len(names) - 1) * GAP) if count else 0.0


def _spread_column(layout: Layout, names: Sequence[str], listed: Sequence[str], height: float) -> None:
    """Spread the variables of a column evenly where some have a list beside them and some have none."""
    if not listed or len(listed) == len(names):
        return
    step = max(height / len(names), 0.7)
    for k, name in enumerate(names):
        layout.places[name].y = height / 2 + ((len(names) - 1) / 2 - k) * step


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
    for name in names:
        top = y
        for item in lists[name]:
            layout.places[item] = Place(x, y, _half_width(item, False), 0.14, False)
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
    final: bool,
) -> None:
    """Place variables of one column, evenly; those with a list beside them are moved to its middle later."""
    alone = [name for name in names if name not in listed or not lists[name]]
    step = height / max(len(alone), 1)
    for k, name in enumerate(alone):
        latent = name in graph.latent
        y = height - (k + 0.5) * step
        layout.places[name] = Place(x, y, _half_width(name, latent), 0.21 if latent else 0.14, latent)
        layout.outside[name] = "above" if y >= height / 2 else "below"
    for name in names:
        if name not in layout.places:
            latent = name in graph.latent
            layout.places[name] = Place(x, height / 2, _half_width(name, latent), 0.21, latent)
            layout.outside[name] = "above"


def _place_rows(layout: Layout, names: Sequence[str], lists: Mapping[str, list[str]], width: float) -> None:
    """Place indicators of factors in the middle in rows above (upper ones) or below."""
    several = [name for name in names if lists[name]]
    for k, name in enumerate(several):
        place = layout.places[name]
        side: Side = "above" if k < len(several) / 2 and len(several) > 1 else "below"
        place.side = side
        layout.outside[name] = "left"
        step = 2 * width + 0.1
        count = len(lists[name])
        for j, item in enumerate(lists[name]):
            x = place.x + (j - (count - 1) / 2) * step
            y = place.y + (AWAY if side == "above" else -AWAY)
            layout.places[item] = Place(x, y, _half_width(item, False), 0.14, False)
            layout.outside[item] = side


def extent(layout: Layout) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of a layout with its residual arrows."""
    room = {"left": (0.62, 0, 0, 0), "right": (0, 0.62, 0, 0), "above": (0, 0, 0, 0.45), "below": (0, 0, 0.45, 0)}
    boxes = []
    for name, p in layout.places.items():
        left, right, down, up = room[layout.outside.get(name, "right")]
        boxes.append(
            (
                p.x - p.half_width - left,
                p.x + p.half_width + right,
                p.y - p.half_height - down,
                p.y + p.half_height + up,
            )
        )
    found = np.array(boxes)
    return (
        float(found[:, 0].min() - 0.08),
        float(found[:, 1].max() + 0.08),
        float(found[:, 2].min() - 0.08),
        float(found[:, 3].max() + 0.08),
    )
