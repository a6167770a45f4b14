"""The layout of panel models with random intercepts: waves from left to right, random intercepts outside."""

from __future__ import annotations

from alliancekit.report.structural_graph import Graph
from alliancekit.report.structural_layout import Layout, Side, new_place

WAVE, ITEM, WITHIN, BAND = 1.2, 0.95, 0.8, 1.3
"""Inches: from wave to wave, from random intercept to items, from items to within factors, and between variables."""


def panel_layout(graph: Graph) -> Layout | None:
    """Return the layout of a model of within factors and random intercepts; None for other models.

    A within factor has one indicator, which a random intercept has, too; a random intercept has several of these. Each
    variable has a row of within factors, a row of items and its random intercept; the last variable has them upside
    down, so that random intercepts stand outside. Other variables stand left of what they predict, or at the right.
    """
    loads: dict[str, list[str]] = {name: [] for name in graph.latent}
    for e in graph.edges:
        if e.kind == "loading":
            loads[e.start].append(e.end)
    within = {own[0]: f for f, own in loads.items() if len(own) == 1}
    rows = {f: own for f, own in loads.items() if len(own) > 1 and all(v in within for v in own)}
    if not rows or len(within) != sum(len(own) for own in rows.values()):
        return None
    waves = _waves(graph, rows, within)
    layout = Layout(owner=dict(within))
    y, count = 0.0, len(rows)
    step = WAVE + 2 * max(0.0, max(new_place(v, 0, 0, True).half_width for v in within.values()) - 0.42)
    for k, (intercept, items) in enumerate(rows.items()):
        flipped = count > 1 and k == count - 1
        order = [y, y - ITEM, y - ITEM - WITHIN]
        high, middle, low = order[::-1] if flipped else order
        side: Side = "below" if flipped else "above"
        for v in items:
            x = step * waves[within[v]]
            layout.places[v] = new_place(v, x, middle, False)
            layout.places[within[v]] = new_place(within[v], x, low, True)
            layout.outside[v], layout.outside[within[v]] = "right", "above" if flipped else "below"
            layout.angles[within[v]] = 320.0 if flipped else 40.0
        centre = step * sum(waves[within[v]] for v in items) / len(items)
        layout.places[intercept] = new_place(intercept, centre, high, True)
        layout.outside[intercept] = side
        y = order[-1] - BAND
    _others(layout, graph, step)
    return layout


def _waves(graph: Graph, rows: dict[str, list[str]], within: dict[str, str]) -> dict[str, int]:
    """Return the wave of each within factor: its place among the indicators of its random intercept."""
    return {within[v]: wave for items in rows.values() for wave, v in enumerate(items)}


def _others(layout: Layout, graph: Graph, step: float) -> None:
    """Place variables beside the panel: at the left what predicts, at the right what is predicted."""
    rest = [v for v in (*graph.latent, *graph.observed) if v not in layout.places]
    predicted = {e.end for e in graph.edges if e.kind == "regression"}
    right = max(p.x for p in layout.places.values())
    bottom = min(p.y for p in layout.places.values())
    counts = {True: 0, False: 0}
    for name in rest:
        after = name in predicted
        room = bottom / (1 + sum((v in predicted) == after for v in rest))
        counts[after] += 1
        x = right + step if after else -step
        layout.places[name] = new_place(name, x, room * counts[after], name in graph.latent)
        layout.outside[name] = "right" if after else "left"
