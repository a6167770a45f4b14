"""Where the arrows of a path diagram run and where their numbers stand, so that nothing covers anything else.

Arrows that predict are straight unless a variable stands in the way; covariances bend; (residual) variances and means
are short arrows into their variable. Numbers are put on their arrow where no other arrow, number or variable is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.report.structural_graph import Edge, Graph
from alliancekit.report.structural_layout import Layout, Place

Array = NDArray[np.float64]
STUB, CLEAR, STEP, HEAD, APART = 0.2, 0.05, 0.02, 0.08, 0.03
"""Inches: length of a short arrow, room around variables, distance of points on a curve, length of an arrow's head, and
room around numbers."""
GAP = {"variance": 0.03, "mean": 0.07}
"""Inches from the tail of a short arrow to its number; at the tail of a mean stands a triangle."""
FAR = 2.6
"""What a way around all variables costs, in the terms of ``_Router._bent``."""
BENDS = (0.14, 0.22, 0.32, 0.44, 0.58, 0.74, 0.92, 1.15, 1.4, 1.75, 2.1)
"""Inches: how far from the straight line a bent arrow may pass at its middle."""
ANGLES: dict[str, float] = {"right": 0.0, "above": 90.0, "left": 180.0, "below": 270.0}
SIDES: dict[str, tuple[float, float]] = {
    "right": (1.0, 0.0),
    "left": (-1.0, 0.0),
    "above": (0.0, 1.0),
    "below": (0.0, -1.0),
}


@dataclass(frozen=True)
class Route:
    """An arrow as it is drawn, and the middle and half size of its number.

    Two points are a line, three a quadratic curve, four a bracket with round corners.
    """

    edge: Edge
    points: Array
    at: tuple[float, float]
    room: tuple[float, float]


def curve(points: Array) -> Array:
    """Return points on a line, a quadratic curve or a bracket, close enough to each other to test what it touches."""
    if len(points) > 3:
        pieces = [curve(points[k : k + 2]) for k in range(len(points) - 1)]
        return np.vstack(pieces)
    length = float(np.hypot(*np.diff(points, axis=0).T).sum())
    t = np.linspace(0, 1, max(int(length / STEP), 4))[:, None]
    if len(points) == 2:
        return np.asarray((1 - t) * points[0] + t * points[1])
    return np.asarray((1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2])


def border(a: Place, towards: Sequence[float]) -> tuple[float, float]:
    """Return where the line from the middle of a variable towards a point leaves it."""
    dx, dy = towards[0] - a.x, towards[1] - a.y
    if dx == 0 and dy == 0:
        return a.x, a.y
    if a.latent:
        size = 1 / np.hypot(dx / a.half_width, dy / a.half_height)
    else:
        size = min(a.half_width / abs(dx) if dx else np.inf, a.half_height / abs(dy) if dy else np.inf)
    return float(a.x + size * dx), float(a.y + size * dy)


def route_all(graph: Graph, layout: Layout, rooms: Mapping[Edge, tuple[float, float]]) -> tuple[list[Route], int]:
    """Return the routes of all arrows and how many numbers still touch something.

    Parameters
    ----------
    rooms : half width and half height of the number of each arrow, inches.
    """
    return _Router(graph, layout, rooms).route()


class _Router:
    """Routes predicting arrows first, then short ones, then covariances, then numbers."""

    def __init__(self, graph: Graph, layout: Layout, rooms: Mapping[Edge, tuple[float, float]]) -> None:
        self.graph, self.layout, self.rooms = graph, layout, rooms
        self.lines: dict[Edge, Array] = {}
        self.paths: dict[Edge, Array] = {}
        self.stubs: dict[Edge, tuple[float, float]] = {}
        self.boxes: list[tuple[float, float, float, float]] = []

    def route(self) -> tuple[list[Route], int]:
        edges = self.graph.edges
        straight = [e for e in edges if e.kind in ("loading", "regression")]
        for e in sorted(straight, key=self._length):
            self._keep(e, self._bent(e, covariance=False))
        for e in [e for e in edges if e.kind in ("variance", "mean")]:
            self._stub(e)
        curved = [e for e in edges if e.kind == "covariance"]
        for e in sorted(curved, key=self._length):
            self._keep(e, self._bent(e, covariance=True))
        places, touching = self._numbers([*straight, *curved])
        at = self.stubs | places
        return [Route(e, self.lines[e], at[e], self.rooms[e]) for e in edges if e in self.lines], touching

    def _keep(self, edge: Edge, points: Array) -> None:
        self.lines[edge], self.paths[edge] = points, curve(points)

    def _length(self, edge: Edge) -> float:
        a, b = self.layout.places[edge.start], self.layout.places[edge.end]
        return float(np.hypot(a.x - b.x, a.y - b.y))

    def _bent(self, edge: Edge, *, covariance: bool) -> Array:
        """Return the line or curve that costs least: clear of variables, of other arrows, and little bent."""
        a, b = self.layout.places[edge.start], self.layout.places[edge.end]
        along = np.array([b.x - a.x, b.y - a.y])
        length = float(np.hypot(*along)) or 1.0
        across = np.array([-along[1], along[0]]) / length
        middle = np.array([(a.x + b.x) / 2, (a.y + b.y) / 2])
        straight = np.array([border(a, (b.x, b.y)), border(b, (a.x, a.y))])
        if not covariance and not self._hits(curve(straight), edge):
            return straight
        wanted = self._outward(edge) if covariance else np.zeros(2)
        least = 0.08 + 0.07 * length if covariance else 0.0
        best, cost = straight, np.inf if covariance else 40.0
        for bend in BENDS:
            for side in (1.0, -1.0):
                points = _through(a, b, middle + side * bend * across)
                path = curve(points)
                own = 10.0 * self._hits(path, edge) + self._crossings(path, edge) + 1.2 * abs(bend - least)
                own += 0.0 if float(side * across @ wanted) > -0.1 else 1.5 if covariance else 0.0
                own += 8.0 * (np.hypot(*(points[0] - points[2])) < (0.28 if covariance else 0.1))
                if own < cost - 1e-9:
                    best, cost = points, own
        if covariance and cost > FAR:
            for points in self._brackets(a, b):
                path = curve(points)
                own = 10.0 * self._hits(path, edge) + self._crossings(path, edge) + FAR
                if own < cost - 1e-9:
                    best, cost = points, own
        return best

    def _brackets(self, a: Place, b: Place) -> list[Array]:
        """Return ways around all variables, on each side."""
        boxes = [
            (p.x - p.half_width, p.x + p.half_width, p.y - p.half_height, p.y + p.half_height)
            for p in self.layout.places.values()
        ]
        boxes += [(x - w, x + w, y - h, y + h) for x, y, w, h in self.boxes]
        left, right, low, high = (f(v) for f, v in zip((min, max, min, max), zip(*boxes, strict=True), strict=True))
        out = []
        for x, way in ((left - 0.25, -1), (right + 0.25, 1)):
            first, last = (a.x + way * a.half_width, a.y), (b.x + way * b.half_width, b.y)
            out.append(np.array([first, (x, a.y), (x, b.y), last]))
        for y, way in ((low - 0.25, -1), (high + 0.25, 1)):
            first, last = (a.x, a.y + way * a.half_height), (b.x, b.y + way * b.half_height)
            out.append(np.array([first, (a.x, y), (b.x, y), last]))
        return out

    def _outward(self, edge: Edge) -> Array:
        """Return the direction in which a covariance should bend: away from what its variables are tied to."""
        a, b = self.layout.places[edge.start], self.layout.places[edge.end]
        if not a.latent and not b.latent:
            return np.array(SIDES[self.layout.outside.get(edge.start, "right")])
        x, y = np.mean([(p.x, p.y) for p in self.layout.places.values()], axis=0)
        away = np.array([(a.x + b.x) / 2 - x, (a.y + b.y) / 2 - y])
        return np.asarray(away / (np.hypot(*away) or 1.0))

    def _hits(self, path: Array, edge: Edge) -> int:
        """Return how many variables and short arrows' numbers a path touches."""
        count = 0
        for name, p in self.layout.places.items():
            room = 0.0 if name in (edge.start, edge.end) else CLEAR
            inside = path[2:-2] if room == 0 else path
            if p.latent:
                size = ((inside[:, 0] - p.x) / (p.half_width + room)) ** 2
                size = size + ((inside[:, 1] - p.y) / (p.half_height + room)) ** 2
                count += bool((size < 1 - 1e-6).any())
            else:
                count += _inside(inside, (p.x, p.y, p.half_width + room - 1e-6, p.half_height + room - 1e-6))
        return count + sum(_inside(path, box) for box in self.boxes)

    def _crossings(self, path: Array, edge: Edge) -> float:
        """Return how much a path runs over or beside the arrows that lie already."""
        cost, tails = 0.0, path[4:-4] if len(path) > 12 else path
        for other, line in self.paths.items():
            near = np.hypot(tails[:, None, 0] - line[None, :, 0], tails[:, None, 1] - line[None, :, 1]).min(axis=1)
            close = int((near < 0.045).sum()) * STEP
            shared = {edge.start, edge.end} & {other.start, other.end}
            over = 0.8 if edge.kind == "covariance" and other.kind in ("loading", "regression") and not shared else 0.35
            cost += (over if close > 0 else 0.0) + 3.0 * max(close - (0.25 if shared else 0.12), 0.0)
        return cost

    def _stub(self, edge: Edge) -> None:
        """Place a short arrow into a variable, and its number at the tail, on the free side next to the usual one."""
        place = self.layout.places[edge.start]
        usual = ANGLES[self.layout.outside.get(edge.start, "right")]
        usual += 25.0 if place.latent and usual != 0 else 0.0
        usual = self.layout.angles.get(edge.start, usual)
        usual += 180.0 if edge.kind == "mean" and not place.latent else 0.0
        length = STUB * (0.65 if edge.start in self.layout.beyond else 1.0)
        best: tuple[Array, tuple[float, float]] | None = None
        cost = np.inf
        for turn in range(0, 181, 15):
            for sign in (1, -1):
                points, at = _short(place, usual + sign * turn, length, self.rooms[edge], GAP[edge.kind])
                slant = not place.latent and abs((usual + sign * turn) % 90) > 1
                own = self._stub_cost(points, at, edge) + turn / 180 + 0.7 * slant
                if own < cost - 1e-9:
                    best, cost = (points, at), own
        assert best is not None
        self._keep(edge, best[0])
        self.stubs[edge] = best[1]
        self.boxes.append((*best[1], self.rooms[edge][0] + 0.02, self.rooms[edge][1] + 0.02))

    def _stub_cost(self, points: Array, at: tuple[float, float], edge: Edge) -> float:
        box = (*at, self.rooms[edge][0] + 0.015, self.rooms[edge][1] + 0.015)
        cost = 0.0
        for name, p in self.layout.places.items():
            cost += 4.0 * _overlap(box, (p.x, p.y, p.half_width, p.half_height))
            cost += 4.0 * (name != edge.start and _inside(curve(points), (p.x, p.y, p.half_width, p.half_height)))
        tail = curve(points)[:-3]
        for line in self.paths.values():
            near = np.hypot(tail[:, None, 0] - line[None, :, 0], tail[:, None, 1] - line[None, :, 1]).min()
            cost += 2.0 * _inside(line, box) + (1.0 if near < GAP[edge.kind] + 0.02 else 0.0)
        return cost + sum(3.0 * _overlap(box, other) for other in self.boxes)

    def _numbers(self, edges: Sequence[Edge]) -> tuple[dict[Edge, tuple[float, float]], int]:
        """Return the place of each number, and how many touch something else.

        The choice is made for the numbers with the fewest free places first, and mended until nothing changes.
        """
        points = {e: self._candidates(e) for e in edges}
        fixed = {e: self._fixed_costs(e, points[e]) for e in edges}
        order = sorted(edges, key=lambda e: int((fixed[e] < 1).sum()))
        chosen: dict[Edge, int] = {}
        for _ in range(6):
            moved = False
            for e in order:
                own = fixed[e] + self._near_numbers(e, points, chosen)
                k = int(np.argmin(own))
                moved |= chosen.get(e) != k
                chosen[e] = k
            if not moved:
                break
        costs = [fixed[e][chosen[e]] + self._near_numbers(e, points, chosen)[chosen[e]] for e in edges]
        return {e: (float(points[e][chosen[e]][0]), float(points[e][chosen[e]][1])) for e in edges}, sum(
            c >= 1 for c in costs
        )

    def _candidates(self, edge: Edge) -> Array:
        path = self.paths[edge]
        width, height = self.rooms[edge]
        ends = [path[-1]] if edge.kind != "covariance" else [path[0], path[-1]]
        free = np.ones(len(path), dtype=bool)
        for end in ends:
            free &= ~((abs(path[:, 0] - end[0]) < width + HEAD) & (abs(path[:, 1] - end[1]) < height + HEAD))
        found = path[free]
        return found if len(found) else path[[len(path) // 2]]

    def _fixed_costs(self, edge: Edge, points: Array) -> Array:
        """Return what each place of a number costs for itself: variables, arrows, short arrows, and distance."""
        width, height = self.rooms[edge]
        full, count = self.paths[edge], len(points)
        usual = 0.5 if edge.kind == "covariance" else 0.55 if edge.kind == "loading" else 0.42
        ideal = full[int(usual * (len(full) - 1))]
        cost = 0.3 * np.hypot(*(points - ideal).T)
        for p in self.layout.places.values():
            apart = (abs(points[:, 0] - p.x) < width + p.half_width + 0.01) & (
                abs(points[:, 1] - p.y) < height + p.half_height + 0.01
            )
            cost = cost + 4.0 * apart
        for other, line in self.paths.items():
            if other is edge:
                continue
            near = (abs(points[:, None, 0] - line[None, :, 0]) < width + APART) & (
                abs(points[:, None, 1] - line[None, :, 1]) < height + APART
            )
            cost = cost + 1.5 * near.any(axis=1)
        for x, y, w, h in self.boxes:
            cost = cost + 4.0 * ((abs(points[:, 0] - x) < width + w) & (abs(points[:, 1] - y) < height + h))
        return np.asarray(cost.reshape(count))

    def _near_numbers(self, edge: Edge, points: Mapping[Edge, Array], chosen: Mapping[Edge, int]) -> Array:
        width, height = self.rooms[edge]
        cost = np.zeros(len(points[edge]))
        for other, k in chosen.items():
            if other is not edge:
                x, y = points[other][k]
                w, h = self.rooms[other]
                cost += 4.0 * (
                    (abs(points[edge][:, 0] - x) < width + w + APART)
                    & (abs(points[edge][:, 1] - y) < height + h + APART)
                )
        return cost


def _through(a: Place, b: Place, apex: Array) -> Array:
    """Return a quadratic curve between two variables that passes a point half-way."""
    start, end = np.array([a.x, a.y]), np.array([b.x, b.y])
    control = apex
    for _ in range(4):
        control = 2 * apex - (start + end) / 2
        start, end = np.array(border(a, (control[0], control[1]))), np.array(border(b, (control[0], control[1])))
    return np.array([start, control, end])


def _short(
    place: Place, degrees: float, length: float, room: tuple[float, float], gap: float
) -> tuple[Array, tuple[float, float]]:
    """Return a short arrow into a variable from a side, and the middle of the number at its tail, a gap away."""
    angle = np.radians(degrees)
    way = np.array([np.cos(angle), np.sin(angle)])
    head = np.array(border(place, (place.x + way[0], place.y + way[1])))
    tail = head + length * way
    wide, high = room[0] + gap, room[1] + gap
    at = tail + way * min(wide / max(abs(way[0]), 1e-9), high / max(abs(way[1]), 1e-9))
    return np.array([tail, head]), (float(at[0]), float(at[1]))


def _inside(points: Array, box: tuple[float, float, float, float]) -> bool:
    """Return whether a point lies in a box of middle and half sizes."""
    x, y, w, h = box
    return bool(((abs(points[:, 0] - x) < w) & (abs(points[:, 1] - y) < h)).any())


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return abs(a[0] - b[0]) < a[2] + b[2] and abs(a[1] - b[1]) < a[3] + b[3]
