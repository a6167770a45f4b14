"""Simple slopes: the derivative of the model's mean by one covariate, at stated values of everything else.

The covariate may stand in the formula by itself, in interactions, and inside poly(), log(), I() and their like: the
derivative is taken of the coded columns, by a difference formula of fourth order, which is exact for polynomials up to
degree four.

Source: Aiken & West (1991), Multiple Regression; Bauer & Curran (2005), Multivar Behav Res 40, 373-400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, check_option, message
from alliancekit.formula.design import Design
from alliancekit.formula.expressions import columns_in
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.contrast_rows import RowInference, inferred
from alliancekit.multilevel.after.contrasts import Contrasts, contrasts_of
from alliancekit.multilevel.after.grid_values import check_names, chosen_values
from alliancekit.multilevel.after.margins import Margin, make_setting
from alliancekit.multilevel.after.margins_text import margin_text
from alliancekit.multilevel.after.reference_grid import (
    WEIGHTS,
    Coder,
    Lines,
    all_cells,
    averaged_lines,
    make_coder,
)
from alliancekit.multilevel.after.regions import Regions, find_regions
from alliancekit.multilevel.after.response_scale import ResponseScale

Floats = NDArray[np.float64]

_STEPS = (1e-3, 1e-5, 1e-7)


@dataclass(frozen=True, slots=True, eq=False)
class Slopes(Margin):
    """Simple slopes of one covariate (read-only). Made by ``fit.slopes``.

    Attributes
    ----------
    variable : whose slopes these are. regions : where on a moderator the slope differs from zero, one for each cell of
        the other variables; empty where they were not asked for. Others as in ``MarginalMeans``.
    means : the model's means over the covariate's range in each cell, for the figure.
    """

    variable: str = ""
    regions: tuple[Regions, ...] = ()
    means: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    def tidy(self) -> pd.DataFrame:
        """Return one row per slope: term, columns of the cells, estimate, std_error, df, statistic, p_value, limits."""
        frame = self.estimates()
        out = self.labelled(frame)
        out.attrs.update(
            df_method=self.inference.method,
            level=self.level,
            scale=self.scale.word,
            quantity=f"slope of {self.variable}",
        )
        return out

    def glance(self) -> pd.DataFrame:
        """Return one row: how many slopes, of what, and how they were made."""
        return self.overview("n_slopes").assign(variable=self.variable)

    def contrasts(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        *,
        interaction: bool | str | Sequence[str] = False,
        adjust: str | None = None,
    ) -> Contrasts:
        """Return contrasts among these slopes; see ``fit.contrasts``."""
        return contrasts_of(self, method, interaction, adjust, self.variable)

    def __repr__(self) -> str:
        title = f"Slopes of {self.setting.response} on {self.variable}"
        lines = [margin_text(self, self.tidy(), title, f"{self.variable}.trend", tests=True)]
        lines += [region.text(self.variable) for region in self.regions]
        return "\n\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def simple_slopes(
    design: Design,
    frame: pd.DataFrame,
    inference: RowInference,
    scale: ResponseScale,
    variable: str,
    *,
    by: str | Sequence[str] | None,
    at: Mapping[str, Any] | None,
    level: float,
    weights: str,
    regions: str | None,
) -> Slopes:
    """Return the slopes of ``variable`` in the cells of ``by``; ``frame`` holds the rows used."""
    check_level(level)
    check_option("weights", weights, WEIGHTS)
    coder = make_coder(design, frame)
    _check_variable(coder, variable)
    moderator = check_names(regions, coder.variables, "regions")
    several = [n for n, v in (at or {}).items() if _is_several(v) and (by is None or n == variable)]
    named = check_names(by, coder.variables, "by")
    shown = tuple(dict.fromkeys([*named, *(n for n in several if n in coder.variables), *moderator]))
    for name in shown:
        _check_interaction(coder, variable, name)
    spread = {n: "mean ± sd" for n in shown if coder.variables[n].kind == "number" and n != variable}
    values = chosen_values(coder.variables, at, spread)
    lines = _slope_lines(coder, values, variable, shown, weights)
    ignored = set(coder.variables) - _partners(coder, variable)
    if _is_straight(coder, values, variable, lines):
        ignored.add(variable)
    setting = make_setting(design, coder.variables, values, shown, (), weights, list(at or ()), sorted(ignored))
    setting_scale = ResponseScale("link", scale.link, scale.family)
    found = _regions(coder, values, variable, shown, weights, regions, inference, level)
    ends = _course(coder, values, variable, shown, weights, inference, level)
    return Slopes(setting, setting_scale, level, lines, inference, variable, found, ends)


def _is_several(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() != "mean"
    return isinstance(value, Sequence | np.ndarray | pd.Series) and len(value) > 1


def _check_variable(coder: Coder, variable: str) -> None:
    if not isinstance(variable, str):
        raise SpecError(message("slopes are of one covariate", do='Name it: fit.slopes("session", by="arm")'))
    check_names(variable, coder.variables, "slopes")
    if coder.variables[variable].kind == "factor":
        do = f'Use fit.contrasts("{variable}") for differences between its levels'
        raise SpecError(message(f"'{variable}' is a factor and has no slope", do=do))
    if not _partners(coder, variable):
        raise SpecError(message(f"'{variable}' stands in an offset only", do="Its slope is one by definition"))


def _partners(coder: Coder, variable: str) -> set[str]:
    """Return the variables that share a term with the covariate, itself among them: those its slope can depend on."""
    part = coder.design.recipe.fixed
    terms = [{c for i, _ in term.parts for c in columns_in(part.variables[i].expr)} for term in part.terms]
    return set().union(*(columns for columns in terms if variable in columns))


def _check_interaction(coder: Coder, variable: str, moderator: str) -> None:
    """Refuse slopes by a variable that the slope does not depend on in this model."""
    if moderator == variable or moderator in _partners(coder, variable):
        return
    what = f"the slope of '{variable}' does not depend on '{moderator}' in this model"
    do = f"Add the interaction to the formula: {variable} * {moderator}"
    raise SpecError(message(what, where=coder.design.formula.text, do=do))


def _slope_lines(
    coder: Coder, values: Mapping[str, tuple[Any, ...]], variable: str, shown: Sequence[str], weights: str
) -> Lines:
    """Return the derivative of the averaged lines by ``variable``."""
    lines, grid, average = averaged_lines(coder, values, shown, weights)
    cells = Lines(grid, *_derivative(coder, grid, variable))
    return cells.combine(average, lines.cells)


def _derivative(coder: Coder, grid: pd.DataFrame, variable: str) -> tuple[Floats, Floats, Floats]:
    """Return the derivatives of rows, offset and gap at each cell of a grid."""
    known = coder.variables[variable].values
    span = float(np.ptp(known)) or 1.0
    failure: DesignError | None = None
    for step in _STEPS:
        h = step * span
        try:
            sides = [
                coder.code(grid.assign(**{variable: grid[variable].astype(float) + k * h})) for k in (-2, -1, 1, 2)
            ]
        except DesignError as error:  # a transform is not defined beyond the point, as log(x) at zero: come closer
            failure = error
            continue
        first, second, third, fourth = sides
        derived = [(8 * (c - b) - (d - a)) / (12 * h) for a, b, c, d in zip(first, second, third, fourth, strict=True)]
        return derived[0], derived[1], derived[2]
    where = f"{variable} = {', '.join(f'{v:g}' for v in np.unique(grid[variable].astype(float)))}"
    do = f"Give other values: at={{'{variable}': ...}}"
    raise SpecError(message("the slope is not defined", where=where, do=do)) from failure


def _is_straight(coder: Coder, values: Mapping[str, tuple[Any, ...]], variable: str, lines: Lines) -> bool:
    """Return whether the slope is the same at every value of the covariate."""
    if variable in lines.cells:
        return False
    known = coder.variables[variable].values
    apart = list(lines.cells.columns)
    there = _slope_lines(coder, {**values, variable: (float(np.quantile(known, 0.9)),)}, variable, apart, "equal").rows
    here = _slope_lines(coder, {**values, variable: (float(np.quantile(known, 0.6)),)}, variable, apart, "equal").rows
    return bool(np.allclose(there, here, rtol=1e-7, atol=1e-9 * np.abs(here).max()))


def _regions(
    coder: Coder,
    values: Mapping[str, tuple[Any, ...]],
    variable: str,
    shown: Sequence[str],
    weights: str,
    moderator: str | None,
    inference: RowInference,
    level: float,
) -> tuple[Regions, ...]:
    """Return the regions of significance over the moderator, one for each cell of the other variables."""
    if moderator is None:
        return ()
    known = coder.variables[moderator]
    if known.kind != "number" or moderator == variable:
        do = f'Use fit.slopes("{variable}", by="{moderator}")'
        raise SpecError(message(f"regions need a moderator with many values; '{moderator}' has none", do=do))
    others = all_cells({n: values[n] for n in shown if n != moderator})
    out = []
    for i in range(len(others)):
        fixed = {**values, **{n: (others[n].iloc[i],) for n in others.columns}}

        def rows(points: Floats, fixed: Mapping[str, tuple[Any, ...]] = fixed) -> Floats:
            at_points = {**fixed, moderator: tuple(points.tolist())}
            return _slope_lines(coder, at_points, variable, (moderator,), weights).rows

        where = {n: others[n].iloc[i] for n in others.columns}
        out.append(find_regions(rows, inference, level, known.values, moderator, where))
    return tuple(out)


def _course(
    coder: Coder,
    values: Mapping[str, tuple[Any, ...]],
    variable: str,
    shown: Sequence[str],
    weights: str,
    inference: RowInference,
    level: float,
) -> pd.DataFrame:
    """Return the model's means over the range of the covariate in each cell, on the scale of the linear predictor."""
    known = coder.variables[variable].values
    points = tuple(np.linspace(known.min(), known.max(), 41).tolist())
    apart = [n for n in shown if n != variable]
    lines, _, _ = averaged_lines(coder, {**values, variable: points}, (variable, *apart), weights)
    frame = inferred(inference, lines.rows, level, constant=lines.constant, estimable=lines.estimable)
    return pd.concat([lines.cells, frame[["estimate", "conf_low", "conf_high"]]], axis=1)
