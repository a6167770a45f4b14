"""Tables, figures and sentences of profiles and bootstraps of mixed models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import check_option
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.bootstrap import Bootstrap
from alliancekit.multilevel.after.profile import Profile
from alliancekit.numerics.distributions import normal_quantile
from alliancekit.report.formatting import ci_text, decimals_for, format_fixed, format_integer
from alliancekit.report.parts import Figure, Sentence, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

COMPONENTS = {"fixed": "Fixed effects", "random": "Random effects (SD and correlation)"}
PER_ROW = 3
BINS = 30


def interval_table(result: Profile | Bootstrap) -> Table:
    """Return the limits of every parameter."""
    data = result.tidy()
    data["component"] = data["component"].map(COMPONENTS)
    if isinstance(result, Profile):
        notes = [_profile_note(result), *result.notes]
        title = "Profile-Likelihood Intervals"
    else:
        data = data.drop(columns="replicates")
        notes = [_bootstrap_note(result)]
        title = "Parametric Bootstrap of the Mixed Model"
    labels = {"term": ""} | ({"bias": "Bias"} if "bias" in data else {})
    return Table(
        title,
        data,
        group="component",
        stub=("term",),
        labels=labels,
        notes=tuple(notes),
        source=result,
        kinds={"bias": "estimate"} if "bias" in data else {},
    )


def _profile_note(result: Profile) -> str:
    rise = normal_quantile(1 - (1 - result.level) / 2) ** 2
    return (
        f"{100 * result.level:g}% intervals: values at which the deviance, least over all other parameters, has risen "
        f"by {rise:.2f}. A limit at 0 or at ±1 is the end of the parameter's space."
    )


def _bootstrap_note(result: Bootstrap) -> str:
    about = result.glance().iloc[0]
    used, boundary = int(about["replicates"] - about["failed"]), format_integer(int(about["singular"]))
    return (
        f"95% percentile intervals from {format_integer(used)} outcomes simulated from the model with new random "
        f"effects, each fitted by {result.method} (seed {about['seed']}); {boundary} of these fits were on the "
        "boundary. Bias: mean of the replicates minus estimate."
    )


def interval_sentence(result: Profile | Bootstrap) -> Sentence:
    """Return one sentence that gives every parameter with its limits."""
    data = result.tidy()
    how = "profile likelihood" if isinstance(result, Profile) else "parametric bootstrap (percentile method)"
    level = result.level if isinstance(result, Profile) else 0.95
    clauses = []
    for row in rows(data[data["estimate"].notna()]):
        digits = max(decimals_for([row.estimate], [(row.conf_high - row.conf_low) / 4]), 2)
        limits = ci_text(row.conf_low, row.conf_high, decimals=digits, level=level)
        clauses.append(f"{row.term} = {format_fixed(row.estimate, digits)}, {limits}")
    notes = result.notes if isinstance(result, Profile) else ()
    return Sentence(text=" ".join([f"By {how}: {'; '.join(clauses)}.", *notes]), source=result)


def interval_figure(result: Profile | Bootstrap, kind: str | None) -> Figure:
    """Return the profiles (kind "profile") or the histograms of the replicates (kind "bootstrap")."""
    if isinstance(result, Profile):
        check_option("kind", kind or "profile", ["profile"])
        return _profile_figure(result)
    check_option("kind", kind or "bootstrap", ["bootstrap"])
    return _bootstrap_figure(result)


def _panels(count: int) -> tuple[MplFigure, list[Any]]:
    from alliancekit.report.style import new_figure

    across = min(PER_ROW, count)
    down = -(-count // across)
    figure, axes = new_figure(rows=down, columns=across, height=2.1 * down)
    flat = list(np.atleast_1d(np.asarray(axes, dtype=object)).ravel())
    for spare in flat[count:]:
        spare.set_axis_off()
    return figure, flat


def _profile_figure(result: Profile) -> Figure:
    """Draw zeta against each parameter; the level's limits are where the curve meets the horizontal lines."""
    limits, points = result.tidy(), result.augment()
    z = normal_quantile(1 - (1 - result.level) / 2)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, SERIES

        figure, axes = _panels(len(limits))
        for panel, row in zip(axes, rows(limits), strict=False):
            own = points[(points["term"] == row.term) & (points["component"] == row.component)]
            for height in (-z, 0.0, z):
                panel.axhline(height, color=FAINT, linewidth=0.7, linestyle="-" if height == 0 else "--")
            panel.plot(own["value"], own["zeta"], "-", color=SERIES[0])
            for limit in filter(np.isfinite, (row.conf_low, row.conf_high)):
                panel.axvline(limit, color=FAINT, linewidth=0.7)
            panel.set_title(row.term)
            panel.locator_params(axis="x", nbins=4)
            panel.set_ylabel("ζ")
        return figure

    return Figure(
        title="Profile Likelihood of Each Parameter",
        draw=draw,
        caption=(
            "ζ is the signed square root of the rise of the deviance when a parameter is held and all others follow. "
            f"Dashed: ±{z:.2f}; thin vertical lines: the {100 * result.level:g}% limits. Where the curve is straight, "
            "a Wald interval would say the same; one that ends before a dashed line has met the end of its space."
        ),
        alt=_alt(limits),
        data=points,
        source=result,
    )


def _bootstrap_figure(result: Bootstrap) -> Figure:
    """Draw the distribution of the replicates of each parameter."""
    limits = result.tidy()
    values = result.refits.values
    counts = []
    for position, row in enumerate(rows(limits)):
        known = values[np.isfinite(values[:, position]), position]
        heights, edges = np.histogram(known, bins=BINS)
        counts.append(pd.DataFrame({"term": row.term, "from": edges[:-1], "to": edges[1:], "replicates": heights}))
    bars = pd.concat(counts, ignore_index=True)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, INK, SERIES

        figure, axes = _panels(len(limits))
        for panel, own, row in zip(axes, counts, rows(limits), strict=False):
            panel.bar(own["from"], own["replicates"], own["to"] - own["from"], align="edge", color=SERIES[0])
            panel.axvline(row.estimate, color=INK)
            for limit in filter(np.isfinite, (row.conf_low, row.conf_high)):
                panel.axvline(limit, color=FAINT, linewidth=0.9, linestyle="--")
            panel.set_title(row.term)
            panel.locator_params(axis="x", nbins=4)
        return figure

    return Figure(
        title="Bootstrap Distribution of Each Parameter",
        draw=draw,
        caption="Estimates from outcomes simulated from the model. Solid: the estimate; dashed: 95% percentile limits.",
        alt=_alt(limits),
        data=bars,
        source=result,
    )


def _alt(limits: pd.DataFrame) -> str:
    return "; ".join(f"{r.term} from {r.conf_low:.3g} to {r.conf_high:.3g}" for r in rows(limits))
