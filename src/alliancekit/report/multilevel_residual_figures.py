"""Diagnostics of a mixed model: residuals against fitted values, their spread, and normal quantiles at each level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from alliancekit.multilevel.api import MixedFit
from alliancekit.report.multilevel_words import outcome_label
from alliancekit.report.parts import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

Floats = NDArray[np.float64]
MOST_POINTS, MOST_PANELS = 1500, 6
ROOT_MEAN = 0.8222
"""Mean of the square root of the absolute value of a standard normal variable."""


def chosen_residuals(fit: MixedFit) -> tuple[Floats, Floats, str]:
    """Return fitted values, the residuals that have variance one where the model holds, and what they are called."""
    if fit.family != "gaussian":
        kind, name = "pearson", "Pearson residual"
    elif getattr(fit._fit, "residual", None) is not None:
        kind, name = "normalized", "Normalised residual"
    else:
        kind, name = "standardised", "Standardised residual"
    values, fitted = fit.residuals(kind), fit.fitted()
    known = np.isfinite(values)
    return fitted[known], values[known], name


def residuals_figure(fit: MixedFit) -> Figure:
    """Standardised residuals against fitted values, with their running mean and spread."""
    fitted, values, name = chosen_residuals(fit)
    table = binned(fitted, values)
    beyond = float((np.abs(values) > 3).mean())

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, MUTED, SERIES, new_figure

        figure, axes = new_figure(height=3.5)
        axes.plot(*thin(fitted, values), ".", color=MUTED, markersize=3.2, alpha=0.4, markeredgewidth=0, zorder=1)
        for height in (-2, 0, 2):
            axes.axhline(height, color=FAINT, linewidth=0.8, linestyle="-" if height == 0 else (0, (4, 3)), zorder=2)
        low, high = table["mean"] - 2 * table["sd"], table["mean"] + 2 * table["sd"]
        axes.fill_between(table["fitted"], low, high, color=SERIES[0], alpha=0.12, linewidth=0, zorder=2)
        axes.plot(table["fitted"], table["mean"], color=SERIES[0], linewidth=2, zorder=3)
        axes.set_xlabel(f"Fitted {outcome_label(fit)}")
        axes.set_ylabel(name)
        return figure

    return Figure(
        title="Residuals Against Fitted Values",
        draw=draw,
        caption=f"{_kind_text(name)} Line and band: running mean ± 2 running standard deviations; where the model "
        "holds the line lies at zero and the band between the dashed lines at ±2.",
        alt=f"Running means from {table['mean'].min():.2f} to {table['mean'].max():.2f}, running SDs from "
        f"{table['sd'].min():.2f} to {table['sd'].max():.2f}; {100 * beyond:.1f}% of residuals lie beyond 3.",
        data=table,
        source=fit,
    )


def scale_location_figure(fit: MixedFit) -> Figure:
    """Square root of the size of residuals against fitted values: does their spread depend on the level?"""
    fitted, values, name = chosen_residuals(fit)
    size = np.sqrt(np.abs(values))
    table = binned(fitted, size)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, MUTED, SERIES, new_figure

        figure, axes = new_figure(height=3.3)
        axes.plot(*thin(fitted, size), ".", color=MUTED, markersize=3.2, alpha=0.4, markeredgewidth=0, zorder=1)
        axes.axhline(ROOT_MEAN, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
        axes.plot(table["fitted"], table["mean"], color=SERIES[0], linewidth=2, zorder=3)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"Fitted {outcome_label(fit)}")
        axes.set_ylabel(f"Root of |{name[0].lower()}{name[1:]}|")
        return figure

    rise = float(table["mean"].iloc[-1] / table["mean"].iloc[0]) ** 2
    return Figure(
        title="Spread of Residuals Against Fitted Values",
        draw=draw,
        caption=f"{_kind_text(name)} Line: running mean of the root of their size; dashed: its value for normal "
        "residuals of equal variance. A line that rises shows a spread that grows with the level.",
        alt=f"The running mean goes from {table['mean'].iloc[0]:.2f} to {table['mean'].iloc[-1]:.2f}: the residual SD "
        f"at the highest fitted values is {rise:.2f} times that at the lowest.",
        data=table,
        source=fit,
    )


def qq_figure(fit: MixedFit) -> Figure:
    """Normal quantile plots by level: residuals, and each random effect in its own standard deviations."""
    panels = _quantile_panels(fit)
    pieces = []
    for label, values in panels:
        expected, ordered = quantiles(values)
        x, y = thin(expected, ordered, 400)
        pieces.append(pd.DataFrame({"panel": label, "expected": x, "observed": y}))
    table = pd.concat(pieces, ignore_index=True)
    columns = 2 if len(panels) == 4 else min(3, len(panels))

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        count = -(-len(panels) // columns)
        height = {1: 3.7, 2: 3.1, 3: 2.4}[columns] * count
        figure, grid = new_figure(count, columns, height=height, squeeze=False)
        for axes, (label, values) in zip(grid.flat, panels, strict=False):
            draw_quantiles(axes, values, label)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("Normal quantile")
        for row in grid:
            row[0].set_ylabel("Standardised value")
        return figure

    return Figure(
        title="Normal Quantile Plots by Level",
        draw=draw,
        caption="Residuals, and conditional modes of the random effects over their own standard deviations. Line: what "
        "a normal distribution gives; band: where 95% of the points at each place would lie.",
        alt="; ".join(
            f"{label}: skewness {_skew(v):.2f}, {_outside(v)} of {len(v)} points outside" for label, v in panels
        ),
        data=table,
        source=fit,
    )


def diagnostics_figure(fit: MixedFit) -> Figure:
    """Residuals against fitted values beside quantile plots of residuals and of the first random effect."""
    fitted, values, name = chosen_residuals(fit)
    panels = _quantile_panels(fit)[:2]
    table = binned(fitted, values)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, MUTED, SERIES, new_figure

        figure, axes = new_figure(columns=1 + len(panels), height=2.6)
        axes[0].plot(*thin(fitted, values), ".", color=MUTED, markersize=2.6, alpha=0.4, markeredgewidth=0)
        axes[0].axhline(0, color=FAINT, linewidth=0.8)
        axes[0].plot(table["fitted"], table["mean"], color=SERIES[0], linewidth=1.8)
        axes[0].set_xlabel("Fitted value")
        axes[0].set_ylabel(name)
        for panel, (label, own) in zip(axes[1:], panels, strict=True):
            draw_quantiles(panel, own, label)
            panel.set_xlabel("Normal quantile")
        return figure

    heavy = float((np.abs(values) > 3).mean())
    return Figure(
        title="Residual Diagnostics",
        draw=draw,
        caption=f"{_kind_text(name)} The line is their running mean. Beside it normal quantile plots of them and of "
        "random effects, with bands where 95% of the points at each place would lie.",
        alt=f"Residuals have skewness {_skew(values):.2f}; {100 * heavy:.1f} percent lie beyond three standard "
        "deviations.",
        data=table,
        source=fit,
    )


def _kind_text(name: str) -> str:
    if name.startswith("Pearson"):
        return "Pearson residuals: outcome less fitted value, over the standard deviation at that value."
    if name.startswith("Normalised"):
        return "Normalised residuals: freed of the correlation and the unequal variances of the model."
    return "Standardised residuals: conditional residuals over their standard deviation, leverage allowed for."


def _quantile_panels(fit: MixedFit) -> list[tuple[str, Floats]]:
    """Return (label, standardised values) of the residuals and of each random effect that has any variance."""
    _, values, name = chosen_residuals(fit)
    out = [(f"{name}s", values)]
    effects = fit.random_effects()
    variances = {
        (g, str(t)): float(v) for g, m in fit.covariances().items() for t, v in zip(m.index, np.diag(m), strict=True)
    }
    for key, part in effects.groupby(["group", "term"], sort=False):
        group, term = (str(name) for name in key)
        variance = variances[group, term]
        spread = variance - part["std_error"].to_numpy() ** 2
        if variance <= 0 or (spread <= 0.01 * variance).all():
            continue
        kept = spread > 0.01 * variance  # units of which nearly nothing is known have modes of nearly zero
        shown = "intercepts" if term == "(Intercept)" else f"slopes of {term}"
        scaled = part["estimate"].to_numpy()[kept] / np.sqrt(spread[kept])
        out.append((f"{group}: {shown}", np.asarray(scaled, dtype=np.float64)))
    return out[:MOST_PANELS]


def quantiles(values: Floats) -> tuple[Floats, Floats]:
    """Return normal quantiles and the ordered values that stand at them."""
    n = len(values)
    return np.asarray(ndtri((np.arange(n) + 0.5) / n), dtype=np.float64), np.sort(values)


def _band(n: int) -> tuple[Floats, Floats]:
    """Return the 2.5% and 97.5% points of each ordered value of n standard normal ones."""
    rank = np.arange(1, n + 1)
    low, high = (ndtri(betaincinv(rank, n + 1 - rank, p)) for p in (0.025, 0.975))
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def draw_quantiles(axes: Axes, values: Floats, label: str) -> None:
    """Draw one normal quantile plot: points, line through the quartiles' scale, pointwise band."""
    from alliancekit.report.style import FAINT, MUTED, SERIES

    expected, ordered = quantiles(values)
    centre, scale = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 1.0
    low, high = _band(len(values))
    axes.fill_between(expected, centre + scale * low, centre + scale * high, color=MUTED, alpha=0.18, linewidth=0)
    ends = expected[[0, -1]]
    axes.plot(ends, centre + scale * ends, color=FAINT, linewidth=0.9)
    axes.plot(*thin(expected, ordered), ".", color=SERIES[0], markersize=3.6, markeredgewidth=0)
    axes.set_title(label)


def binned(x: Floats, y: Floats, bins: int = 14) -> pd.DataFrame:
    """Return mean and SD of y in bins of x with equal counts; columns fitted, n, mean, sd."""
    bins = int(min(bins, max(len(x) // 15, 3)))
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)))
    count = max(len(edges) - 1, 1)
    place = np.clip(np.digitize(x, edges[1:-1]), 0, count - 1)
    frame = pd.DataFrame({"place": place, "fitted": x, "value": y})
    grouped = frame.groupby("place")
    out = pd.DataFrame(
        {
            "fitted": grouped["fitted"].mean(),
            "n": grouped.size(),
            "mean": grouped["value"].mean(),
            "sd": grouped["value"].std(ddof=1),
        }
    )
    return out[out["n"] > 1].reset_index(drop=True)


def thin(x: Floats, y: Floats, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """Return at most ``most`` of the points, evenly spread over their order, the first and the last among them."""
    keep = np.linspace(0, len(x) - 1, min(most, len(x))).astype(int)
    return x[keep], y[keep]


def _skew(values: Floats) -> float:
    spread = float(values.std())
    return float(np.mean((values - values.mean()) ** 3)) / spread**3 if spread > 0 else 0.0


def _outside(values: Floats) -> int:
    _, ordered = quantiles(values)
    low, high = _band(len(values))
    scaled = (ordered - ordered.mean()) / (ordered.std(ddof=1) or 1.0)
    return int(((scaled < low) | (scaled > high)).sum())
