"""Courses over time, observed and fitted, of single units (unnamed) and on average, by arm where the model has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.core.frames import rows
from alliancekit.formula.expressions import columns_in
from alliancekit.multilevel.api import MixedFit
from alliancekit.multilevel.pooled import TIME_NAMES, tells_time
from alliancekit.numerics.distributions import t_quantile
from alliancekit.report.multilevel_words import outcome_label, plural
from alliancekit.report.parts import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
BINS, MOST_LINES, MOST_ARMS, FEWEST = 12, 40, 4, 5


@dataclass(frozen=True, eq=False)
class Courses:
    """What is drawn: the time column and its values, unit and arm of each row, observed, fitted and average values."""

    time: str
    x: Floats
    units: Ints
    arm: str | None
    arms: tuple[str, ...]
    arm_of: Ints
    observed: Floats
    fitted: Floats
    average: Floats


def trajectories_figure(fit: MixedFit) -> Figure:
    """Courses of single units, observed (above) and fitted (below), with means of those observed and average course."""
    courses = _courses(fit)
    table = _averages(courses)
    lines = [_spread_units(courses, number) for number in range(len(courses.arms))]
    name, outcome = fit.labels.get(courses.time, courses.time), outcome_label(fit)
    group = _finest(fit)

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        columns = len(courses.arms)
        if columns == 1:
            figure, grid = new_figure(1, 2, height=3.2, sharex=True, sharey=True, squeeze=False)
            places = [(0, grid[0, 0], True), (0, grid[0, 1], False)]
            below, left = grid[0], [grid[0, 0]]
        else:
            figure, grid = new_figure(2, columns, height=4.6, sharex=True, sharey=True, squeeze=False)
            places = [(k, grid[r, k], r == 0) for r in (0, 1) for k in range(columns)]
            below, left = grid[1], list(grid[:, 0])
        for number, axes, observed in places:
            _draw(axes, courses, table, lines[number], number, observed)
        for axes in below:
            axes.set_xlabel(name)
        for axes in left:
            axes.set_ylabel(outcome)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)
        return figure

    shown = sum(len(chosen) for chosen in lines)
    by = f" by {fit.labels.get(courses.arm, courses.arm)}" if courses.arm is not None else ""
    return Figure(
        title=f"Observed and Fitted Courses of {outcome}{f' by {courses.arm}' if courses.arm else ''}",
        draw=draw,
        caption=f"Thin lines: {shown} {plural(group)}{by}, spread evenly over the sample and unnamed, as observed and "
        f"as fitted with their random effects. Points: means of all rows observed, with 95% confidence intervals, by "
        f"{name}; means of fewer than {FEWEST} rows are left out. Thick line: average of the fixed part over the same "
        "rows.",
        alt=_alt(courses, table, outcome),
        data=table,
        source=fit,
    )


def _draw(axes: Axes, courses: Courses, table: pd.DataFrame, units: Ints, number: int, observed: bool) -> None:
    from alliancekit.report.style import INK, MUTED, SERIES

    values = courses.observed if observed else courses.fitted
    for place, unit in enumerate(units):
        own = np.flatnonzero(courses.units == unit)
        own = own[np.argsort(courses.x[own], kind="stable")]
        label = "One unit" if place == 0 else None
        axes.plot(courses.x[own], values[own], color=MUTED, alpha=0.38, linewidth=0.6, label=label, zorder=1)
    part = table[table["arm"] == courses.arms[number]]
    x, mean = part["time"].to_numpy(), part["observed_mean"].to_numpy()
    reach = np.abs(part[["conf_low", "conf_high"]].to_numpy().T - mean)
    axes.errorbar(x, mean, yerr=reach, fmt="o", color=INK, markersize=3.6, label="Observed mean, 95% CI", zorder=3)
    axes.plot(x, part["fitted_mean"], color=SERIES[0], linewidth=2.2, label="Average fitted course", zorder=4)
    title = "Observed" if observed else "Fitted"
    axes.set_title(f"{courses.arms[number]}: {title.lower()}" if len(courses.arms) > 1 else title)


def _courses(fit: MixedFit) -> Courses:
    time = time_of(fit)
    units = _unit_codes(fit)
    arm, arms, arm_of = _arms(fit, time, units)
    fitted = fit.fitted()
    return Courses(
        time=time,
        x=fit.data[time].to_numpy(dtype=float),
        units=units,
        arm=arm,
        arms=arms,
        arm_of=arm_of,
        observed=fitted + fit.residuals(),
        fitted=fitted,
        average=fit.augment()["fixed_part"].to_numpy(dtype=float),
    )


def _finest(fit: MixedFit) -> str:
    return max(fit.design.random, key=lambda block: block.n_groups).group if fit.design.random else "row"


def _unit_codes(fit: MixedFit) -> Ints:
    if not fit.design.random:
        return np.arange(fit.nobs, dtype=np.intp)
    return np.asarray(max(fit.design.random, key=lambda block: block.n_groups).codes, dtype=np.intp)


def time_of(fit: MixedFit) -> str:
    """Return the column that is the model's time: of the random slopes, else of the fixed part, the first that runs.

    Raises
    ------
    SpecError : no column of the model tells when a row was recorded.
    """
    slopes = [
        c
        for random in fit.design.formula.random
        for term in random.terms
        for v in term.variables
        for c in columns_in(v)
    ]
    numeric = [
        c
        for c in dict.fromkeys([*slopes, *fit.design.formula.predictor_columns])
        if c in fit.data and pd.api.types.is_numeric_dtype(fit.data[c]) and fit.data[c].nunique() > 2
    ]
    units = _unit_codes(fit)
    named = [c for c in numeric if c.lower() in TIME_NAMES]
    running = [c for c in numeric if tells_time(fit.data[c].to_numpy(dtype=float), units)]
    varying = [c for c in slopes if c in numeric]
    for found in (named, running, varying):
        if found:
            return found[0]
    do = 'Use kind="effects" or kind="residuals"'
    raise SpecError(message("no column of the model tells time", where=fit.formula, do=do))


def _arms(fit: MixedFit, time: str, units: Ints) -> tuple[str | None, tuple[str, ...], Ints]:
    """Return the factor that interacts with time and does not change within units, its levels, and each row's level."""
    everyone = (None, ("all",), np.zeros(fit.nobs, dtype=np.intp))
    part = fit.design.recipe.fixed
    for term in part.terms:
        variables = [part.variables[place] for place, _ in term.parts]
        columns = {c for v in variables for c in columns_in(v.expr)}
        if time not in columns or len(variables) != 2:
            continue
        for column in sorted(columns - {time}):
            values = fit.data[column]
            codes, levels = pd.factorize(values, sort=True)
            if not 2 <= len(levels) <= MOST_ARMS:
                continue
            first = np.zeros(int(units.max()) + 1, dtype=np.intp)
            first[units] = codes
            if np.array_equal(first[units], codes):
                numeric = pd.api.types.is_numeric_dtype(values)
                names = tuple(f"{column} {level}" if numeric else str(level) for level in levels)
                return column, names, np.asarray(codes, dtype=np.intp)
    return everyone


def _averages(courses: Courses) -> pd.DataFrame:
    """Return, by arm and interval of time: mean observed with limits, mean of the fixed part; rows under 5 left out."""
    edges = _edges(courses.x)
    place = np.clip(np.digitize(courses.x, edges), 0, len(edges))
    out = []
    for number, arm in enumerate(courses.arms):
        for at in range(len(edges) + 1):
            own = (place == at) & (courses.arm_of == number)
            n = int(own.sum())
            if n < FEWEST:
                continue
            y = courses.observed[own]
            half = float(t_quantile(0.975, n - 1)) * float(y.std(ddof=1)) / np.sqrt(n)
            mean = float(y.mean())
            line = (
                arm,
                float(courses.x[own].mean()),
                n,
                mean,
                mean - half,
                mean + half,
                float(courses.average[own].mean()),
            )
            out.append(line)
    columns = ["arm", "time", "n", "observed_mean", "conf_low", "conf_high", "fitted_mean"]
    return pd.DataFrame(out, columns=columns)


def _edges(x: Floats) -> Floats:
    """Return the inner edges of the intervals of time: between its values where they are few, else at quantiles."""
    values = np.unique(x)
    if values.size <= BINS + 4:
        return np.asarray((values[1:] + values[:-1]) / 2, dtype=np.float64)
    return np.asarray(np.unique(np.quantile(x, np.linspace(0, 1, BINS + 1)))[1:-1], dtype=np.float64)


def _spread_units(courses: Courses, number: int) -> Ints:
    """Return some units of an arm, evenly spread over the means of their courses."""
    own = courses.arm_of == number
    units, place = np.unique(courses.units[own], return_inverse=True)
    means = np.bincount(place, courses.fitted[own]) / np.bincount(place)
    order = units[np.argsort(means, kind="stable")]
    chosen = order[np.linspace(0, len(order) - 1, min(MOST_LINES, len(order))).astype(int)]
    return np.asarray(chosen, dtype=np.intp)


def _alt(courses: Courses, table: pd.DataFrame, outcome: str) -> str:
    texts = []
    for arm in courses.arms:
        part = list(rows(table[table["arm"] == arm]))
        if part:
            texts.append(
                f"{outcome} ({arm}): observed mean from {part[0].observed_mean:.1f} to {part[-1].observed_mean:.1f}, "
                f"average fitted course from {part[0].fitted_mean:.1f} to {part[-1].fitted_mean:.1f}"
            )
    return "; ".join(texts)
