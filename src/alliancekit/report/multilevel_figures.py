"""Figures of mixed models: which kind is asked for, and the fixed effects. No line can be traced to a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.bootstrap import Bootstrap
from alliancekit.multilevel.after.influence import Influence
from alliancekit.multilevel.after.partition import R2Partition
from alliancekit.multilevel.after.profile import Profile
from alliancekit.multilevel.api import GeneralisedMixedFit, MixedFit
from alliancekit.report import multilevel_means
from alliancekit.report.multilevel_caterpillar import caterpillar_figure
from alliancekit.report.multilevel_influence import influence_figure, influence_of
from alliancekit.report.multilevel_intervals import interval_figure
from alliancekit.report.multilevel_means_figures import make_margin_figure
from alliancekit.report.multilevel_partition import partition_figure
from alliancekit.report.multilevel_residual_figures import (
    diagnostics_figure,
    qq_figure,
    residuals_figure,
    scale_location_figure,
)
from alliancekit.report.multilevel_trajectories import trajectories_figure
from alliancekit.report.multilevel_words import outcome_label
from alliancekit.report.parts import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure


def make_figure(result: Any, kind: str | None) -> Figure:
    """Return a figure of a fit, of a profile or bootstrap, of influence, or of a partition of variance.

    Kinds for a fit: "effects" (default), "trajectories", "residuals", "scale-location", "qq", "diagnostics" (residuals
    and quantiles in one row), "caterpillar", "influence", "partition".
    """
    if isinstance(result, Profile | Bootstrap):
        return interval_figure(result, kind)
    if type(result) in multilevel_means.TABLES:
        return make_margin_figure(result, kind)
    if isinstance(result, Influence):
        return influence_figure(result, kind)
    if isinstance(result, R2Partition):
        return partition_figure(result, kind)
    if not isinstance(result, MixedFit):
        raise ReportError(message(f"a {type(result).__name__} has no figure", do="Use ak.table"))
    makers: dict[str, Callable[[MixedFit], Figure]] = {
        "effects": effects_figure,
        "trajectories": trajectories_figure,
        "residuals": residuals_figure,
        "scale-location": scale_location_figure,
        "qq": qq_figure,
        "diagnostics": diagnostics_figure,
        "caterpillar": caterpillar_figure,
        "influence": lambda fit: influence_figure(influence_of(fit)),
        "partition": lambda fit: partition_figure(fit.r2_partition()),
    }
    return makers[check_option("kind", kind or "effects", list(makers))](result)


def effects_figure(fit: MixedFit) -> Figure:
    """Fixed effects (without intercept) with confidence intervals, in SDs of outcome and predictor."""
    table = fit.tidy()
    table = table[table["term"] != "(Intercept)"].reset_index(drop=True)
    if table.empty:
        raise ReportError(message("the model has no predictor to draw", where=fit.formula, do='Use kind="diagnostics"'))
    names = list(fit.design.names)
    spread = fit.design.X.std(axis=0, ddof=1)[[names.index(t) for t in table["term"]]]
    link = fit.link if isinstance(fit, GeneralisedMixedFit) else None
    factor = spread / (float(np.std(np.asarray(fit.design.y), ddof=1)) if link is None else 1.0)
    shown = pd.DataFrame({"term": table["term"]})
    for column in ("estimate", "conf_low", "conf_high"):
        shown[f"standardised_{column}"] = table[column] * factor

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, SERIES, new_figure

        figure, axes = new_figure(height=0.9 + 0.38 * len(shown))
        y = np.arange(len(shown))[::-1]
        estimate = shown["standardised_estimate"].to_numpy()
        error = np.abs(shown[["standardised_conf_low", "standardised_conf_high"]].to_numpy().T - estimate)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.errorbar(estimate, y, xerr=error, fmt="o", color=SERIES[0], ms=5, capsize=2.5)
        axes.set_yticks(y, shown["term"])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        unit = f"{outcome_label(fit)} (SD)" if link is None else f"the {link} of {outcome_label(fit)}"
        axes.set_xlabel(f"Change in {unit} per SD of the predictor")
        return figure

    return Figure(
        title="Fixed Effects With 95% Confidence Intervals",
        draw=draw,
        caption="Each effect in standard deviations of the outcome per standard deviation of the predictor's column; "
        "degrees of freedom by Satterthwaite's method."
        if link is None
        else f"Each effect on the {link} scale per standard deviation of the predictor's column; z tests.",
        alt="; ".join(
            f"{r.term} {r.standardised_estimate:.2f}, from {r.standardised_conf_low:.2f} to "
            f"{r.standardised_conf_high:.2f}"
            for r in rows(shown)
        ),
        data=shown,
        source=fit,
    )
