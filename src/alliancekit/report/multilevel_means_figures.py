"""Figures of means, contrasts, simple slopes, regions of significance and effect sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.contrasts import Contrasts
from alliancekit.multilevel.after.effect_size import EffectSize
from alliancekit.multilevel.after.margins import Setting
from alliancekit.multilevel.after.means import MarginalMeans
from alliancekit.multilevel.after.regions import Regions
from alliancekit.multilevel.after.slopes import Slopes
from alliancekit.report.formatting import format_fixed
from alliancekit.report.multilevel_means import group_texts, question_words, spread_words, typeset
from alliancekit.report.parts import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

MOST_PANELS = 6


def make_margin_figure(result: Any, kind: str | None) -> Figure:
    """Return a figure of means, contrasts, slopes (kind "slopes" or "regions") or effect sizes."""
    if isinstance(result, Slopes):
        makers: dict[str, Callable[[Slopes], Figure]] = {"slopes": slopes_figure, "regions": regions_figure}
        return makers[check_option("kind", kind or "slopes", list(makers))](result)
    name = {MarginalMeans: "means", Contrasts: "contrasts", EffectSize: "effect sizes"}[type(result)]
    check_option("kind", kind or name, [name])
    if isinstance(result, MarginalMeans):
        return means_figure(result)
    return _contrasts_figure(result) if isinstance(result, Contrasts) else _effect_figure(result)


def _series(setting: Setting, frame: pd.DataFrame, names: list[str]) -> list[str]:
    """Return the label of the series that each row belongs to: its levels of these columns."""
    parts = [
        [v if isinstance(v, str) else f"{setting.label(n)} {setting.shown(n, v)}" for v in frame[n]] for n in names
    ]
    return [typeset(", ".join(row)) for row in zip(*parts, strict=True)] if names else [""] * len(frame)


def means_figure(result: MarginalMeans) -> Figure:
    """Means with intervals: over a covariate as lines with bands, over a factor as points; a panel per group."""
    setting, frame = result.setting, result.tidy()
    numeric = [n for n in setting.factors if not isinstance(frame[n].iloc[0], str) and frame[n].nunique() > 2]
    across = numeric[0] if numeric else setting.factors[0] if setting.factors else None
    others = [n for n in setting.factors if n != across]
    frame = frame.assign(series=_series(setting, frame, others))
    frame["panel"] = group_texts(setting, frame) if setting.by else ""
    panels = list(dict.fromkeys(frame["panel"]))
    if len(panels) > MOST_PANELS:
        do = "Name fewer groups with at={...}"
        raise SpecError(message(f"{len(panels)} groups do not fit in one figure", do=do))
    outcome = setting.label(setting.response)

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        width = min(len(panels), 3)
        deep = -(-len(panels) // width)
        figure, grid = new_figure(deep, width, height=0.6 + 2.8 * deep, sharey=True, squeeze=False)
        for i, axes in enumerate(grid.ravel()):
            axes.set_visible(i < len(panels))
            if i < len(panels):
                part = frame[frame["panel"] == panels[i]]
                _mean_panel(axes, part, across, bool(numeric), setting)
                axes.set_title(panels[i])
                axes.set_xlabel(setting.label(across) if across else "")
        for row in grid:
            row[0].set_ylabel(_y_label(result, outcome))
        if others:
            grid[0, 0].legend(title=None)
        return figure

    return Figure(
        title=f"Estimated Marginal Means of {outcome}",
        draw=draw,
        caption=" ".join([f"Means of the model with {100 * result.level:g}% confidence intervals.", *setting.lines()]),
        alt=_alt(frame),
        data=frame.drop(columns=["panel", "series"]),
        source=result,
    )


def _y_label(result: MarginalMeans, outcome: str) -> str:
    words = {"mean": "", "response": "", "probability": "Probability of ", "rate": "Rate of "}
    return f"{words[result.scale.mean_name]}{outcome}"


def _alt(frame: pd.DataFrame) -> str:
    known = frame[frame["estimate"].notna()]
    order = known.sort_values("estimate", kind="stable")
    low, high = order.iloc[0], order.iloc[-1]
    return (
        f"{len(known)} estimates, from {low['estimate']:.3g} for {low['term']} to {high['estimate']:.3g} for "
        f"{high['term']}."
    )


def _mean_panel(axes: Axes, part: pd.DataFrame, across: str | None, as_lines: bool, setting: Setting) -> None:
    from alliancekit.report.style import LINES, MARKERS, SERIES

    names = list(dict.fromkeys(part["series"]))
    for k, name in enumerate(names):
        own = part[part["series"] == name]
        colour, style = SERIES[k % len(SERIES)], LINES[k % len(LINES)]
        if as_lines:
            own = own.sort_values(str(across))
            x = own[str(across)].to_numpy(float)
            axes.fill_between(x, own["conf_low"], own["conf_high"], color=colour, alpha=0.15, linewidth=0)
            axes.plot(x, own["estimate"], color=colour, linestyle=style, marker=MARKERS[k % len(MARKERS)], label=name)
            continue
        levels = list(dict.fromkeys(part[across])) if across else [""]
        shift = 0.0 if len(names) == 1 else 0.36 * (k / (len(names) - 1) - 0.5)
        x = np.array([levels.index(v) for v in own[across]] if across else [0]) + shift
        error = np.abs(own[["conf_low", "conf_high"]].to_numpy().T - own["estimate"].to_numpy())
        axes.errorbar(
            x, own["estimate"], yerr=error, fmt=MARKERS[k % len(MARKERS)], color=colour, capsize=2.5, label=name
        )
        axes.set_xticks(range(len(levels)), [setting.shown(str(across), v) for v in levels] if across else [""])
        axes.set_xlim(-0.6, len(levels) - 0.4)


def slopes_figure(result: Slopes) -> Figure:
    """The model's mean over the covariate: a line with its band for each cell of the moderators, a panel per group."""
    setting = result.setting
    apart = [c for c in result.means.columns if c not in (result.variable, "estimate", "conf_low", "conf_high")]
    numeric = [c for c in apart if not isinstance(result.means[c].iloc[0], str)]
    lines = apart if len(apart) < 2 else [(numeric or apart)[-1]]
    panels = [c for c in apart if c not in lines]
    frame = result.means.assign(
        series=_series(setting, result.means, lines), panel=_series(setting, result.means, panels)
    )
    names = list(dict.fromkeys(frame["panel"]))
    if len(names) > MOST_PANELS:
        raise SpecError(message(f"{len(names)} groups do not fit in one figure", do="Name fewer with at={...}"))
    outcome, name = setting.label(setting.response), setting.label(result.variable)
    scale = "" if result.scale.link_name == "identity" else f" ({result.scale.link_name} scale)"

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        width = min(len(names), 3)
        deep = -(-len(names) // width)
        figure, grid = new_figure(deep, width, height=0.7 + 2.8 * deep, sharey=True, squeeze=False)
        for i, axes in enumerate(grid.ravel()):
            axes.set_visible(i < len(names))
            if i < len(names):
                _slope_panel(axes, frame[frame["panel"] == names[i]], result.variable)
                axes.set_title(names[i])
                axes.set_xlabel(name)
        for row in grid:
            row[0].set_ylabel(f"{outcome}{scale}")
        if apart:
            grid[0, 0].legend()
        return figure

    slopes = "; ".join(f"{typeset(r.term)}: {typeset(f'{r.estimate:.3g}')}" for r in rows(result.tidy()))
    return Figure(
        title=f"{outcome} by {name} at Chosen Values",
        draw=draw,
        caption=f"Lines: the model's mean with {100 * result.level:g}% confidence bands. Slopes: {slopes}.",
        alt=f"Slopes of {outcome} on {name}: {slopes}.",
        data=result.means,
        source=result,
    )


def _slope_panel(axes: Axes, part: pd.DataFrame, variable: str) -> None:
    from alliancekit.report.style import LINES, SERIES

    for k, label in enumerate(dict.fromkeys(part["series"])):
        own = part[part["series"] == label]
        x, colour = own[variable].to_numpy(float), SERIES[k % len(SERIES)]
        axes.fill_between(x, own["conf_low"], own["conf_high"], color=colour, alpha=0.13, linewidth=0)
        axes.plot(x, own["estimate"], color=colour, linestyle=LINES[k % len(LINES)], label=label)


def regions_figure(result: Slopes) -> Figure:
    """The slope over the moderator with its band; where the band leaves zero, the slope differs from it."""
    if not result.regions:
        do = f'Ask for them: fit.slopes("{result.variable}", regions="moderator")'
        raise SpecError(message("these slopes hold no regions of significance", do=do))
    setting = result.setting
    name, moderator = setting.label(result.variable), setting.label(result.regions[0].moderator)
    count = len(result.regions)
    titles = [
        ", ".join(f"{setting.label(n)} = {setting.shown(n, v)}" for n, v in r.where.items()) for r in result.regions
    ]

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        width = min(count, 3)
        deep = -(-count // width)
        figure, grid = new_figure(deep, width, height=0.5 + 2.8 * deep, sharey=True, squeeze=False)
        for i, axes in enumerate(grid.ravel()):
            axes.set_visible(i < count)
            if i < count:
                _region_panel(axes, result.regions[i])
                axes.set_title(titles[i])
                axes.set_xlabel(moderator)
        for row in grid:
            row[0].set_ylabel(f"Slope of {setting.label(setting.response)} on {name}")
        return figure

    curves = pd.concat([r.curve.assign(**r.where) for r in result.regions], ignore_index=True)
    return Figure(
        title=f"Slope on {name} Over {moderator}: Regions of Significance",
        draw=draw,
        caption=f"Line: slope at each value of {moderator} in the data, with pointwise {100 * result.level:g}% band. "
        "Coloured: the slope differs from zero there. Dashed lines: bounds of the region. Ticks at the foot: deciles "
        "of the observed values.",
        alt=" ".join(_bound_text(r, moderator) for r in result.regions),
        data=curves,
        source=result,
    )


def _bound_text(region: Regions, moderator: str) -> str:
    inside = [b for b in region.bounds if region.low <= b <= region.high]
    if not inside:
        return f"No bound lies within the range of {moderator}."
    return f"Bounds at {moderator} = {', '.join(format_fixed(b, 2) for b in inside)}."


def _region_panel(axes: Axes, region: Regions) -> None:
    from alliancekit.report.style import FAINT, INK, MUTED, SERIES

    x = region.curve[region.moderator].to_numpy(float)
    low, high = region.curve["conf_low"].to_numpy(), region.curve["conf_high"].to_numpy()
    bounds = [b for b in region.bounds if region.low < b < region.high]
    x_all = np.sort(np.concatenate([x, bounds]))
    low, high = np.interp(x_all, x, low), np.interp(x_all, x, high)
    axes.fill_between(x_all, low, high, color=FAINT, alpha=0.25, linewidth=0)
    for r in rows(region.table[region.table["significant"]]):
        inside = (x_all >= r.low) & (x_all <= r.high)
        axes.fill_between(x_all, low, high, where=inside, color=SERIES[0], alpha=0.25, linewidth=0)
    axes.plot(x, region.curve["estimate"], color=INK, linewidth=1.8)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    for b in bounds:
        axes.axvline(b, color=SERIES[1], linestyle="--", linewidth=1.1)
    foot = axes.get_xaxis_transform()
    axes.plot(region.tenths, np.full(len(region.tenths), 0.015), "|", color=MUTED, ms=6, transform=foot)


def _contrasts_figure(result: Contrasts) -> Figure:
    frame = result.tidy()
    if result.setting.by:
        frame["term"] = [f"{t} ({g})" for t, g in zip(frame["term"], group_texts(result.setting, frame), strict=True)]
    null = 1.0 if result.scale.ratios else 0.0
    return _forest(
        frame[["term", "estimate", "conf_low", "conf_high"]],
        null,
        result.scale.contrast_name.capitalize(),
        title=f"{result.scale.contrast_name.title()}s With Confidence Intervals",
        caption=f"Contrasts with {100 * result.level:g}% confidence intervals.",
        source=result,
    )


def _effect_figure(result: EffectSize) -> Figure:
    return _forest(
        result.tidy()[["term", "estimate", "conf_low", "conf_high"]],
        0.0,
        "d",
        title="Standardised Mean Differences With Confidence Intervals",
        caption=f"d: {question_words(result)}, in units of {spread_words(result)}, with {100 * result.level:g}% CI.",
        source=result,
    )


def _forest(frame: pd.DataFrame, null: float, name: str, *, title: str, caption: str, source: Any) -> Figure:
    """Estimates with intervals, one line each, from the first at the top; the null is marked."""

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, SERIES, new_figure

        figure, axes = new_figure(height=0.9 + 0.34 * len(frame))
        y = np.arange(len(frame))[::-1]
        error = np.abs(frame[["conf_low", "conf_high"]].to_numpy().T - frame["estimate"].to_numpy())
        axes.axvline(null, color=FAINT, linewidth=0.8)
        axes.errorbar(frame["estimate"], y, xerr=error, fmt="o", color=SERIES[0], ms=5, capsize=2.5)
        axes.set_yticks(y, [typeset(t) for t in frame["term"]])
        axes.set_ylim(-0.6, len(frame) - 0.4)
        if null == 1.0:
            _ratio_axis(axes)
        axes.set_xlabel(name)
        return figure

    return Figure(title=title, draw=draw, caption=caption, alt=_alt(frame), data=frame, source=source)


def _ratio_axis(axes: Axes) -> None:
    """Make the axis of ratios logarithmic, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
