"""Regions of significance (Johnson-Neyman): at which values of a moderator a simple slope differs from zero.

The slope at moderator value w is l(w)' beta. A bound is a root of |l(w)' beta| / SE(w) - t(w), where t(w) is the
critical value for the degrees of freedom at w itself, so that a bound is exactly where the printed p value crosses the
level.

Source: Johnson & Neyman (1936); Bauer & Curran (2005), Multivar Behav Res 40, 373-400, eq. 9 to 14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.frames import rows
from alliancekit.multilevel.after.contrast_rows import RowInference
from alliancekit.numerics.distributions import t_quantile

Floats = NDArray[np.float64]

_CURVE = 101
_SCAN = 400


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Where on a moderator the slope differs from zero (pointwise tests).

    Attributes
    ----------
    moderator : its column. where : values of other variables. level : of the test.
    bounds : values of the moderator where significance begins or ends, ascending, also beyond the data.
    low, high : range of the moderator in the data. linear : whether the slope is a straight line in the moderator; if
        it is not, bounds are looked for within the data only.
    table : one row per region: low, high, significant, direction, share of the rows used that lie in it.
    curve : moderator, estimate, std_error, conf_low, conf_high over the data's range. tenths : shape (9,), deciles of
        the moderator.
    """

    moderator: str
    where: Mapping[str, Any]
    level: float
    bounds: tuple[float, ...]
    low: float
    high: float
    linear: bool
    table: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    tenths: Floats = field(repr=False)

    def text(self, variable: str) -> str:
        """Return the regions in words."""
        where = "".join(f", {name} = {value}" for name, value in self.where.items())
        head = f"Region of significance of the slope of {variable} over {self.moderator}{where}:"
        lines = []
        for row in rows(self.table[(self.table["high"] > self.low) & (self.table["low"] < self.high)]):
            verdict = f"{row.direction} (p < {1 - self.level:.3g})" if row.significant else "not different from zero"
            low, high = (row.low if row.low > self.low else -np.inf), (row.high if row.high < self.high else np.inf)
            lines.append(f"  {span_text(self.moderator, low, high)}: {verdict}; {100 * row.share:.1f}% of rows")
        lines.append(f"Range of {self.moderator} in the data: {self.low:.4g} to {self.high:.4g}. Tests are pointwise.")
        beyond = [f"{b:.4g}" for b in self.bounds if not self.low <= b <= self.high]
        if beyond:
            lines.append(f"Bounds outside the data: {', '.join(beyond)}.")
        return "\n".join([head, *lines])


def span_text(name: str, low: float, high: float) -> str:
    """Return a region in words: below 3.2, 3.2 to 7, above 7, all values."""
    if np.isinf(low) and np.isinf(high):
        return f"all observed values of {name}"
    if np.isinf(low):
        return f"{name} below {high:.4g}"
    return f"{name} above {low:.4g}" if np.isinf(high) else f"{name} {low:.4g} to {high:.4g}"


def find_regions(
    rows_at: Callable[[Floats], Floats],
    inference: RowInference,
    level: float,
    observed: Floats,
    moderator: str,
    where: Mapping[str, Any],
) -> Regions:
    """Return the regions of a slope.

    Parameters
    ----------
    rows_at : gives the slope's weights of the fixed effects, shape (m, p), at m values of the moderator.
    observed : the moderator in the rows used.
    """
    low, high = float(observed.min()), float(observed.max())
    middle, half = (low + high) / 2, (high - low) / 2
    three = rows_at(np.array([low, middle, high]))
    bend = np.abs(three[0] - 2 * three[1] + three[2]).max()
    linear = bool(bend <= 1e-8 * max(float(np.abs(three).max()), 1e-300))
    base, step = three[1], (three[2] - three[0]) / (high - low)  # a straight line needs no coding, also beyond the data

    def at(w: Floats) -> Floats:
        return np.asarray(base + (w - middle)[:, None] * step) if linear else rows_at(w)

    def excess(w: Floats) -> Floats:
        L = at(w)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.abs(L @ inference.beta) / inference.std_error(L)
        return np.asarray(ratio - t_quantile(1 - (1 - level) / 2, inference.df(L)))

    if linear:
        angle = np.linspace(-np.pi / 2, np.pi / 2, _SCAN + 2)[1:-1]
        far = 10.0 ** np.arange(3, 10)
        grid = middle + half * np.concatenate([-far[::-1], np.tan(angle), far])
    else:
        grid = np.linspace(low, high, _SCAN)
    bounds = _roots(excess, grid)
    edges = [-np.inf, *bounds, np.inf] if linear else [low, *bounds, high]
    table = _table(at, excess, inference, edges, observed, grid)
    points = np.linspace(low, high, _CURVE)
    return Regions(
        moderator,
        dict(where),
        level,
        tuple(bounds),
        low,
        high,
        linear,
        table,
        _curve(at, inference, level, points, moderator),
        np.quantile(observed, np.linspace(0.1, 0.9, 9)),
    )


def _roots(excess: Callable[[Floats], Floats], grid: Floats) -> list[float]:
    """Return the points where the function changes its sign, by bisection between neighbours of a grid."""
    values = excess(grid)
    places = np.flatnonzero(np.sign(values[1:]) * np.sign(values[:-1]) < 0)
    if not places.size:
        return []
    left, right = grid[places].copy(), grid[places + 1].copy()
    sign = np.sign(values[places])
    for _ in range(80):  # all roots at once; halves until the two ends are neighbouring numbers
        middle = (left + right) / 2
        same = np.sign(excess(middle)) == sign
        left, right = np.where(same, middle, left), np.where(same, right, middle)
        if np.all(right - left <= 4e-16 * np.maximum(np.abs(left), np.abs(right))):
            break
    return [float(v) for v in (left + right) / 2]


def _table(
    at: Callable[[Floats], Floats],
    excess: Callable[[Floats], Floats],
    inference: RowInference,
    edges: list[float],
    observed: Floats,
    grid: Floats,
) -> pd.DataFrame:
    out = []
    for a, b in pairwise(edges):
        inner = grid[(grid > a) & (grid < b)]
        inside = float(inner[len(inner) // 2]) if inner.size else (a + b) / 2
        point = np.array([inside])
        estimate = float((at(point) @ inference.beta)[0])
        significant = bool(excess(point)[0] > 0)
        direction = ("positive" if estimate > 0 else "negative") if significant else ""
        held = (observed >= a) & ((observed < b) | (b == edges[-1]))
        out.append((a, b, significant, direction, float(held.mean())))
    return pd.DataFrame(out, columns=["low", "high", "significant", "direction", "share"])


def _curve(
    at: Callable[[Floats], Floats], inference: RowInference, level: float, points: Floats, moderator: str
) -> pd.DataFrame:
    L = at(points)
    estimate, error = L @ inference.beta, inference.std_error(L)
    reach = t_quantile(1 - (1 - level) / 2, inference.df(L)) * error
    return pd.DataFrame(
        {
            moderator: points,
            "estimate": estimate,
            "std_error": error,
            "conf_low": estimate - reach,
            "conf_high": estimate + reach,
        }
    )
