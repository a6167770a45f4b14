"""What touches in a path diagram, measured on what matplotlib drew: numbers, names, variables, arrows."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from alliancekit.report.parts import Figure
from alliancekit.report.style import figure_style


def touching(figure: Figure) -> list[str]:
    """Return a line for each number on a number, variable or another arrow, and each arrow through a variable.

    Names wider than their variable, variables on variables and what is cut off count as well.
    """
    with figure_style():
        drawn = figure.draw()
        drawn.canvas.draw()
        found: list[str] = []
        for axes in drawn.axes:
            found += _of_panel(axes, drawn.bbox)
    return found


def _of_panel(axes: Any, page: Bbox) -> list[str]:
    numbers = {t.get_gid(): _letters(t) for t in axes.texts if (t.get_gid() or "").startswith("number")}
    names = {t.get_text().replace("\n", ""): t.get_window_extent() for t in axes.texts if t.get_gid() == "name"}
    shapes = [p for p in axes.patches if p.get_gid() == "variable"]
    outlines = [p.get_path().transformed(p.get_transform()) for p in shapes]
    arrows = {p.get_gid(): _line(p) for p in axes.patches if isinstance(p, FancyArrowPatch)}
    found = [f"{a} on {b}" for a, b in combinations(numbers, 2) if numbers[a].overlaps(numbers[b])]
    for number, box in numbers.items():
        own = number.removeprefix("number ")
        found += [f"{number} on variable" for path in outlines if path.intersects_bbox(box, filled=True)]
        found += [
            f"{number} on {a}" for a, line in arrows.items() if a != own and line.intersects_bbox(box, filled=False)
        ]
        found += [] if _holds(page, box) else [f"{number} cut off"]
    for path, (name, box) in zip(outlines, names.items(), strict=True):
        found += [] if _holds(path.get_extents(), box) else [f"{name} wider than its variable"]
        found += [] if _holds(page, path.get_extents()) else [f"{name} cut off"]
        for arrow, line in arrows.items():
            ends = arrow.split(" ")[1:]
            if name not in ends and path.contains_points(line.vertices).any():
                found.append(f"{arrow} through {name}")
    pairs = combinations(zip(names, outlines, strict=True), 2)
    return found + [f"{a} on {b}" for (a, one), (b, two) in pairs if one.get_extents().overlaps(two.get_extents())]


def _letters(text: Any) -> Bbox:
    """Return the box of the letters, without the empty line below them that matplotlib counts."""
    box = text.get_window_extent()
    slack = 0.14 * box.height
    return Bbox.from_extents(box.x0, box.y0 + slack, box.x1, box.y1 - slack / 2)


def _line(patch: Any) -> Path:
    """Return the middle line of an arrow in dots, in short straight pieces."""
    path = patch._path_original.transformed(patch.axes.transData)
    corners = np.asarray(path.to_polygons(closed_only=False)[0])
    pieces = [np.linspace(a, b, 60) for a, b in pairwise(corners)]
    return Path(np.vstack(pieces))


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return bool(
        outer.x0 - 1 <= inner.x0 and outer.y0 - 1 <= inner.y0 and inner.x1 <= outer.x1 + 1 and inner.y1 <= outer.y1 + 1
    )
