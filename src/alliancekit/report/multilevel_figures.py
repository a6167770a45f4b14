"""Figures of mixed models: trajectories, effects, diagnostics, random effects. No line can be traced to a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, SpecError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.formula.expressions import columns_in
from alliancekit.multilevel.after.bootstrap import Bootstrap
from alliancekit.multilevel.after.profile import Profile
from alliancekit.multilevel.api import MixedFit
from alliancekit.numerics.distributions import normal_quantile, t_quantile
from alliancekit.report import multilevel_means
from alliancekit.report.multilevel_intervals import interval_figure
from alliancekit.report.multilevel_means_figures import make_margin_figure
from alliancekit.report.parts import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

BINS = 12


def make_figure(fit: Any, kind: str | None) -> Figure:
    """Return a figure of a fit ("trajectories", "effects", "diagnostics" or "random"), a profile or a bootstrap."""
    if isinstance(fit, Profile | Bootstrap):
        return interval_figure(fit, kind)
    if type(fit) in multilevel_means.TABLES:
        return make_margin_figure(fit, kind)
    if not isinstance(fit, MixedFit):
        raise ReportError(message(f"a {type(fit).__name__} has no figure", do="Use ak.table"))
    makers: dict[str, Callable[[MixedFit], Figure]] = {
        "trajectories": trajectories,
        "effects": effects,
        "diagnostics": diagnostics,
        "random": random_effects,
    }
    return makers[check_option("kind", kind or "effects", list(makers))](fit)


def _time_of(fit: MixedFit) -> str:
    """Return the column that the random slopes run over: the model's own time."""
    for random in fit.design.formula.random:
        for term in random.terms:
            names = list(columns_in(term.variables[0]))
            if len(term.variables) == 1 and len(names) == 1 and pd.api.types.is_numeric_dtype(fit.data[names[0]]):
                return names[0]
    raise SpecError(
        message(
            "the model has no random slope, so it does not say which column is time",
            where=fit.formula,
            do='Use kind="effects", or give patients a random slope of time',
        )
    )


def trajectories(fit: MixedFit) -> Figure:
    """Observed means and the average fitted course over time, with lines of single units (unlabelled)."""
    column = _time_of(fit)
    group = fit.design.random[0].group
    data = fit.augment()
    x = data[column].to_numpy(dtype=float)
    edges, centres = _bins(x)
    place = np.clip(np.digitize(x, edges[1:-1]), 0, len(centres) - 1)
    rows = []
    for i in range(len(centres)):
        part = data[place == i]
        if len(part) < 5:
            continue
        y = part[fit.design.response] if fit.design.response in part else part["fitted"] + part["residual"]
        mean, n = float(y.mean()), len(y)
        half = float(t_quantile(0.975, n - 1)) * float(y.std(ddof=1)) / np.sqrt(n)
        rows.append(
            {
                column: float(part[column].mean()),
                "n": n,
                "observed_mean": mean,
                "conf_low": mean - half,
                "conf_high": mean + half,
                "fitted_mean": float(part["fixed_part"].mean()),
            }
        )
    table = pd.DataFrame(rows)
    codes = fit.design.random[0].codes
    name = fit.labels.get(column, column)
    chosen = _spread_units(codes, 60)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, INK, SERIES, new_figure

        figure, axes = new_figure(height=3.6)
        fitted = fit.fitted()
        for unit in chosen:
            own = codes == unit
            order = np.argsort(x[own])
            axes.plot(x[own][order], fitted[own][order], color=FAINT, alpha=0.35, linewidth=0.6)
        error = np.abs(table[["conf_low", "conf_high"]].to_numpy().T - table["observed_mean"].to_numpy())
        axes.errorbar(
            table[column],
            table["observed_mean"],
            yerr=error,
            fmt="o",
            color=INK,
            ms=4,
            capsize=2,
            label="Observed mean, 95% CI",
        )
        axes.plot(table[column], table["fitted_mean"], color=SERIES[0], linewidth=2.2, label="Average fitted course")
        axes.set_xlabel(fit.labels.get(column, column))
        axes.set_ylabel(fit.labels.get(fit.design.response, fit.design.response))
        axes.legend()
        return figure

    first, last = table.iloc[0], table.iloc[-1]
    return Figure(
        title=f"Observed and Fitted {fit.labels.get(fit.design.response, fit.design.response)} Over {name}",
        draw=draw,
        caption=f"Points: observed means in {len(table)} intervals of {column} with 95% confidence intervals. "
        f"Thick line: "
        f"average fitted course (fixed effects). Thin lines: fitted courses of {len(chosen)} levels of {group}, spread "
        "evenly over the sample and unlabelled.",
        alt=f"{fit.design.response} goes from a mean of {first['observed_mean']:.1f} to "
        f"{last['observed_mean']:.1f}; the "
        "fitted course follows the observed means.",
        data=table,
        source=fit,
    )


def _bins(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.unique(x)
    if values.size <= BINS:
        middle = (values[1:] + values[:-1]) / 2
        return np.concatenate([[-np.inf], middle, [np.inf]]), values
    edges = np.unique(np.quantile(x, np.linspace(0, 1, BINS + 1)))
    return edges, (edges[1:] + edges[:-1]) / 2


def _spread_units(codes: np.ndarray, most: int) -> np.ndarray:
    units = np.unique(codes)
    return np.asarray(units[np.linspace(0, units.size - 1, min(most, units.size)).astype(int)])


def effects(fit: MixedFit) -> Figure:
    """Fixed effects (without intercept) with confidence intervals, in SDs of outcome and predictor."""
    table = fit.tidy()
    table = table[table["term"] != "(Intercept)"].reset_index(drop=True)
    if table.empty:
        raise ReportError(message("the model has no predictor to draw", where=fit.formula, do='Use kind="diagnostics"'))
    names = list(fit.design.names)
    spread = fit.design.X.std(axis=0, ddof=1)[[names.index(t) for t in table["term"]]]
    factor = spread / float(np.std(np.asarray(fit.design.y), ddof=1))
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
        axes.set_xlabel(
            f"Change in {fit.labels.get(fit.design.response, fit.design.response)} (SD) per SD of the predictor"
        )
        return figure

    return Figure(
        title="Fixed Effects With 95% Confidence Intervals",
        draw=draw,
        caption="Each effect in standard deviations of the outcome per standard deviation of the predictor's column; "
        "degrees of freedom by Satterthwaite's method.",
        alt="; ".join(
            f"{r.term} {r.standardised_estimate:.2f}, from {r.standardised_conf_low:.2f} to "
            f"{r.standardised_conf_high:.2f}"
            for r in rows(shown)
        ),
        data=shown,
        source=fit,
    )


def diagnostics(fit: MixedFit) -> Figure:
    """Residuals against fitted values, and normal quantile plots of residuals and of the first random effect."""
    residuals = fit.residuals() / fit.sigma
    fitted = fit.fitted()
    modes = fit.random_effects()
    first = modes[(modes["group"] == modes["group"].iloc[0]) & (modes["term"] == modes["term"].iloc[0])]
    effects_ = np.sort(first["estimate"].to_numpy())
    effects_ = effects_ / (effects_.std(ddof=1) or 1.0)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, INK, SERIES, new_figure

        figure, axes = new_figure(columns=3, height=2.7)
        axes[0].plot(*_thin(fitted, residuals), ".", color=INK, ms=2.5, alpha=0.35)
        axes[0].axhline(0, color=FAINT, linewidth=0.8)
        axes[0].plot(*_smooth(fitted, residuals), color=SERIES[0], linewidth=1.8)
        axes[0].set_xlabel("Fitted value")
        axes[0].set_ylabel("Residual / SD")
        _quantile_plot(axes[1], np.sort(residuals), "Residuals")
        _quantile_plot(axes[2], effects_, f"{first['group'].iloc[0]} effects")
        return figure

    skew = float(np.mean(residuals**3))
    heavy = float(np.mean(np.abs(residuals) > 3))
    return Figure(
        title="Residual Diagnostics",
        draw=draw,
        caption="Left: standardised residuals against fitted values with a running mean. Middle and right: normal "
        "quantile "
        f"plots of residuals and of the conditional modes of {first['group'].iloc[0]}: {first['term'].iloc[0]}.",
        alt=f"Residuals have skewness {skew:.2f}; {100 * heavy:.1f} percent lie beyond three standard deviations.",
        data=pd.DataFrame({"quantity": ["skewness", "share beyond 3 SD"], "value": [skew, heavy]}),
        source=fit,
    )


def _thin(x: np.ndarray, y: np.ndarray, most: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    keep = np.linspace(0, x.size - 1, min(most, x.size)).astype(int)
    return x[keep], y[keep]


def _smooth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.unique(np.quantile(x, np.linspace(0, 1, 16)))
    place = np.clip(np.digitize(x, edges[1:-1]), 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        centre = np.bincount(place, x, len(edges) - 1) / counts
        mean = np.bincount(place, y, len(edges) - 1) / counts
    return centre[counts > 0], mean[counts > 0]


def _quantile_plot(axes: Axes, values: np.ndarray, label: str) -> None:
    from alliancekit.report.style import FAINT, INK

    n = values.size
    expected = np.array([normal_quantile((i + 0.5) / n) for i in range(n)])
    axes.plot(*_thin(expected, values), ".", color=INK, ms=2.5)
    ends = np.array([expected[0], expected[-1]])
    axes.plot(ends, values.mean() + values.std(ddof=1) * ends, color=FAINT, linewidth=0.8)
    axes.set_xlabel("Normal quantile")
    axes.set_ylabel(label)


def random_effects(fit: MixedFit) -> Figure:
    """Conditional modes with intervals, ordered (caterpillar plot); units are unlabelled."""
    modes = fit.random_effects()
    group, term = modes["group"].iloc[-1], modes[modes["group"] == modes["group"].iloc[-1]]["term"].iloc[0]
    part = modes[(modes["group"] == group) & (modes["term"] == term)].sort_values("estimate", kind="stable")
    estimate, error = part["estimate"].to_numpy(), 1.96 * part["std_error"].to_numpy()

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, SERIES, new_figure

        figure, axes = new_figure(height=3.0)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.errorbar(np.arange(1, len(part) + 1), estimate, yerr=error, fmt="o", ms=3, color=SERIES[0], linewidth=0.8)
        axes.set_xlabel(f"{group}, ordered")
        axes.set_ylabel(f"Deviation of {term}")
        return figure

    return Figure(
        title=f"Deviations of Each {group}",
        draw=draw,
        caption=f"Conditional modes of {term} with 95% intervals, ordered by size; units are not named.",
        alt=f"{len(part)} units; deviations from {estimate[0]:.2f} to {estimate[-1]:.2f}.",
        data=pd.DataFrame(
            {"rank": np.arange(1, len(part) + 1), "estimate": estimate, "std_error": part["std_error"].to_numpy()}
        ),
        source=fit,
    )
