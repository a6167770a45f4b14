"""Figures of incremental validity: increments, dominance weights, added-variable plot, specificity."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from alliancekit.prediction.results import AddedVariable, StepTable, WeightTable
from alliancekit.prediction.specificity import Bounded, Specificity
from alliancekit.report.parts import Figure
from alliancekit.report.prediction_words import join_names, name_of, opening, r2_word, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

# Colours of Okabe & Ito, told apart with colour-blind eyes.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"


def _canvas(width: float, height: float, columns: int = 1) -> tuple[MplFigure, Any]:
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _wrapped(text: str, width: int = 28) -> str:
    return "\n".join(textwrap.wrap(text, width)) or text


def _interval(ax: Axes, position: float, low: float, estimate: float, high: float, colour: str = BLUE) -> None:
    if np.isfinite(low):
        ax.plot(
            [low, high],
            [position, position],
            color=colour,
            linestyle="-",
            linewidth=1.8,
            solid_capstyle="butt",
            zorder=2,
        )
    ax.plot([estimate], [position], "o", color=colour, markersize=6.5, zorder=3)


def steps_figure(steps: StepTable) -> Figure:
    """Return the increments of the steps with their limits, and beside them the cross-validated ones."""
    frame = steps.frame[["step", "predictors", "delta_r2", "conf_low", "conf_high", "cv_delta_r2"]]
    names = [join_names(steps.entered[step], steps.labels) for step in frame["step"]]
    word = r2_word(steps.r2_name)

    def draw() -> MplFigure:
        figure, ax = _canvas(6.4, 0.9 + 0.55 * len(frame))
        positions = np.arange(len(frame))[::-1]
        ax.axvline(0.0, color=GREY, linewidth=0.8)
        for position, row in zip(positions, frame.to_dict("records"), strict=True):
            _interval(ax, position + 0.1, row["conf_low"], row["delta_r2"], row["conf_high"])
            ax.plot(
                [row["cv_delta_r2"]],
                [position - 0.16],
                "D",
                color=ORANGE,
                markersize=5,
                markerfacecolor="white",
                zorder=3,
            )
        signs = ["", *["+ "] * (len(frame) - 1)]
        ax.set_yticks(positions, [_wrapped(f"{sign}{name}") for sign, name in zip(signs, names, strict=True)])
        ax.set_ylim(-0.6, len(frame) - 0.4)
        ax.set_xlabel(f"Increment in {word}")
        ax.plot(
            [],
            [],
            "o-",
            color=BLUE,
            label="in the sample" + (f", {100 * steps.level:g}% CI" if steps.resamples else ""),
        )
        ax.plot([], [], "D", color=ORANGE, markerfacecolor="white", label="cross-validated (least squares)")
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize="small")
        return figure

    outcome = name_of(steps.outcome, steps.labels)
    shown = "; ".join(f"{n}: {share(d)}" for n, d in zip(names, frame["delta_r2"], strict=True))
    return Figure(
        title=f"What Each Step Adds to the Prediction of {outcome}",
        draw=draw,
        caption=(
            f"Filled circles: increment in the {steps.r2_name}"
            + (
                f" with {100 * steps.level:g}% bootstrap limits (resampled {steps.resampled})"
                if steps.resamples
                else ""
            )
            + f". Open diamonds: increment for patients left out of the estimation ({steps.folds} folds of "
            f"{steps.resampled}); below zero the step makes predictions worse."
        ),
        alt=f"Points with intervals, one line per step; increments: {shown}.",
        data=frame.reset_index(drop=True),
        source=steps,
    )


def dominance_figure(weights: WeightTable) -> Figure:
    """Return general dominance weights as bars, largest first, with what each predictor adds alone and beside all."""
    frame = weights.frame.sort_values("general", ascending=False, kind="stable").reset_index(drop=True)
    frame = frame[["term", "general", "conf_low", "conf_high", "first", "last"]]
    names = [name_of(t, weights.labels) for t in frame["term"]]

    def draw() -> MplFigure:
        figure, ax = _canvas(6.4, 1.0 + 0.5 * len(frame))
        positions = np.arange(len(frame))[::-1]
        ax.barh(positions, frame["general"], height=0.55, color=BLUE, alpha=0.55, label="general dominance weight")
        for position, row in zip(positions, frame.to_dict("records"), strict=True):
            if np.isfinite(row["conf_low"]):
                ax.plot(
                    [row["conf_low"], row["conf_high"]], [position, position], color=GREY, linestyle="-", linewidth=1.4
                )
        ax.plot(frame["first"], positions, "o", color=ORANGE, markersize=6, label="alone")
        ax.plot(
            frame["last"],
            positions,
            "D",
            color=ORANGE,
            markersize=5,
            markerfacecolor="white",
            label="beside all others",
            clip_on=False,
            zorder=3,
        )
        ax.set_yticks(positions, [_wrapped(name) for name in names])
        ax.set_xlim(left=min(0.0, float(frame["conf_low"].min())) if frame["conf_low"].notna().any() else 0.0)
        ax.set_xlabel("Share of variance explained (R²)")
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize="small")
        return figure

    outcome = name_of(weights.analysis.outcome, weights.labels)
    shown = "; ".join(f"{n}: {share(g)}" for n, g in zip(names, frame["general"], strict=True))
    limits = f" with {100 * weights.level:g}% bootstrap limits (grey lines)" if frame["conf_low"].notna().any() else ""
    return Figure(
        title=f"Relative Importance for {outcome}",
        draw=draw,
        caption=(
            f"Bars: general dominance weights, which add up to R² = {share(weights.analysis.r2[-1])}{limits}. "
            "Filled circles: R² of the predictor alone. Open diamonds: what it adds beside all others. The further the "
            "two are apart, the more it shares with the others."
        ),
        alt=f"Horizontal bars; {shown}.",
        data=frame,
        source=weights,
    )


def partial_figure(added: AddedVariable) -> Figure:
    """Return the added-variable plot of the focus predictor."""
    focus, outcome = name_of(added.focus, added.labels), name_of(added.outcome, added.labels)
    grid = np.linspace(added.x.min(), added.x.max(), 60)
    half = float(stdtrit(added.df, 0.975)) * added.std_error * np.abs(grid)
    line = pd.DataFrame({"focus": grid, "estimate": added.slope * grid})
    line["conf_low"], line["conf_high"] = line["estimate"] - half, line["estimate"] + half

    def draw() -> MplFigure:
        figure, ax = _canvas(5.2, 4.0)
        ax.axhline(0.0, color=GREY, linewidth=0.6)
        ax.axvline(0.0, color=GREY, linewidth=0.6)
        ax.plot(added.x, added.y, "o", color=GREY, markersize=4.5, alpha=0.5, markeredgewidth=0)
        ax.fill_between(grid, line["conf_low"], line["conf_high"], color=BLUE, alpha=0.2, linewidth=0)
        ax.plot(grid, line["estimate"], color=BLUE, linestyle="-", linewidth=2)
        ax.set_xlabel(f"{_wrapped(focus, 40)},\nall other predictors taken out")
        ax.set_ylabel(f"{_wrapped(outcome, 40)},\nall other predictors taken out")
        return figure

    return Figure(
        title=f"{opening(focus)} and {outcome} With the Other Predictors Taken Out",
        draw=draw,
        caption=(
            "Added-variable plot: residuals of both after regression on all other predictors; the line's slope is the "
            f"coefficient of {focus} in the final model by least squares, b = {added.slope:.3g}, with its 95% band."
        ),
        alt=f"Scatter of {len(added.x)} points with a line of slope {added.slope:.3g}.",
        data=line,
        source=added,
    )


def specificity_figure(of: Specificity) -> Figure:
    """Return the focus's increment and slope beside its base and beside everything else."""
    focus = name_of(of.focus, of.labels)
    base, rivals = join_names(of.base, of.labels), join_names(of.rivals or ("nothing else",), of.labels)
    ticks = [_wrapped(f"beyond {base}"), f"{_wrapped(f'beyond {base}')}\n{_wrapped(f'and {rivals}')}"]
    panels: list[tuple[str, tuple[Bounded, Bounded]]] = [
        (f"ΔR² of {focus}", (of.delta_r2_base, of.delta_r2_all)),
        (f"Standardised slope of {focus}", (of.slope_base, of.slope_all)),
    ]

    def draw() -> MplFigure:
        figure, axes = _canvas(7.2, 2.3, columns=2)
        for ax, (heading, pair) in zip(axes, panels, strict=True):
            ax.axvline(0.0, color=GREY, linewidth=0.8)
            for position, bounded, colour in zip((1, 0), pair, (BLUE, ORANGE), strict=True):
                _interval(ax, position, bounded.conf_low, bounded.estimate, bounded.conf_high, colour)
            ax.set_ylim(-0.6, 1.6)
            ax.set_yticks([1, 0], ticks)
            ax.set_xlabel(_wrapped(heading, 34))
        axes[1].set_yticklabels([])
        return figure

    data = pd.DataFrame(
        [
            {
                "quantity": quantity,
                "beside": beside,
                "estimate": bounded.estimate,
                "conf_low": bounded.conf_low,
                "conf_high": bounded.conf_high,
            }
            for quantity, pair in (("delta_r2", panels[0][1]), ("standardised slope", panels[1][1]))
            for beside, bounded in zip(("base", "all others"), pair, strict=True)
        ]
    )
    return Figure(
        title=f"Is the Increment of {focus} Its Own?",
        draw=draw,
        caption=(
            f"Left: what {focus} adds to R²; right: its standardised slope; each beyond {base} alone and with {rivals} "
            f"in the model too, with {100 * of.level:g}% bootstrap limits. Verdict: {of.verdict}."
        ),
        alt=(
            f"Two panels with two intervals each. Increment {share(of.delta_r2_base.estimate)} and "
            f"{share(of.delta_r2_all.estimate)}; slope {share(of.slope_base.estimate, 2)} and "
            f"{share(of.slope_all.estimate, 2)}."
        ),
        data=data,
        source=of,
    )
