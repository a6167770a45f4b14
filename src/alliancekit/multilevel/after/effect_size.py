"""The standardised mean difference between arms: of growth models (difference in change) and of adjusted means.

    d = (change in the arm - change in the reference arm) / SD at baseline

For a linear course the numerator is the difference in slopes times the duration. The variance of d by the delta method,
with fixed effects and variances independent, as they are asymptotically:

    var(d) = var(difference) / SD^2 + d^2 var(SD) / SD^2

Sources: Feingold (2009), Psychol Methods 14, 43-53, eq. 5 to 7; Feingold (2013), J Consult Clin Psychol 81, 111-121;
Feingold (2015), Psychol Methods 20, 91-98 (interval with the SD taken as known); Hedges (1981), J Educ Stat 6, 107-128
(g).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.expressions import columns_in
from alliancekit.multilevel.after.baseline_spread import Spread, known_spread, model_spread, pooled_spread
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.contrast_rows import RowInference, inferred
from alliancekit.multilevel.after.effect_size_text import effect_size_text, time_text
from alliancekit.multilevel.after.grid_values import GridVariable, check_names, chosen_values, outside_notes
from alliancekit.multilevel.after.reference_grid import Coder, Lines, averaged_lines, make_coder
from alliancekit.multilevel.estimates import Estimates
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty
from alliancekit.numerics.distributions import t_quantile

KINDS = ("change", "means")
SPREADS = ("model", "pooled")


@dataclass(frozen=True, slots=True, eq=False)
class EffectSize:
    """Standardised mean differences between arms (read-only). Made by ``fit.effect_size``.

    Attributes
    ----------
    response, arm, time : columns; time is None where the model has none. reference : level of the arm compared with.
    kind : "change" (from start to end) or "means" (adjusted means at the end). start, end : values of time.
    sd_kind : "model", "pooled" or "given". sd_error : whether the interval counts the SD's own error. level : of it.
    df_method : of the difference. parts : what the variance behind the SD is made of. nobs : rows of the fit.
    notes : what the reader must know, as sentences. outside : sentences about values beyond the data.
    labels : column -> text for people.
    """

    response: str
    arm: str
    time: str | None
    reference: str
    kind: str
    start: Any
    end: Any
    sd_kind: str
    sd_error: bool
    level: float
    df_method: str
    nobs: int
    parts: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]
    outside: tuple[str, ...]
    table: pd.DataFrame = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)

    def tidy(self) -> pd.DataFrame:
        """Return one row per arm against the reference.

        Columns: term, difference (on the outcome's scale), difference_error, sd, estimate (d), std_error, df,
        statistic and p_value (of the difference), conf_low, conf_high (of d), hedges_g, g_low, g_high.
        """
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row about how the effect sizes were made."""
        row = {
            "nobs": self.nobs,
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            "sd": self.sd_kind,
            "sd_error": self.sd_error,
            "df_method": self.df_method,
            "confidence_level": self.level,
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        return effect_size_text(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the columns of arm and time, and the span of time (None where there is no time)."""

    arm: str
    time: str | None
    kind: str
    start: Any
    end: Any


def effect_size(
    fit: Estimates,
    frame: pd.DataFrame,
    inference: RowInference,
    uncertainty: Callable[[], VarianceUncertainty],
    *,
    arm: str | None,
    time: str | None,
    kind: str | None,
    duration: float | None,
    at: Mapping[str, Any] | None,
    sd: str | float,
    sd_error: bool,
    level: float,
) -> EffectSize:
    """Return the effect sizes of a Gaussian fit; ``frame`` holds the rows used.

    Raises
    ------
    SpecError : the outcome is not Gaussian, or see ``ask``.
    """
    check_level(level)
    if not isinstance(fit, GaussianFit):
        do = "Use fit.contrasts, which gives odds ratios or rate ratios"
        raise SpecError(message("an effect size in standard deviations is for Gaussian outcomes", do=do))
    coder = make_coder(fit.design, frame)
    span = dict(at or {}).get(time or find_time(coder) or "")
    question = ask(coder, arm, time, kind, duration, span)
    others = {n: v for n, v in dict(at or {}).items() if n != question.time}
    values = chosen_values(coder.variables, others)
    if question.time is not None:
        values[question.time] = tuple(dict.fromkeys([question.start, question.end]))
    lines, names, cells = _differences(coder, values, question)
    outside = outside_notes(coder.variables, values)
    spreads = _spreads(fit, coder, uncertainty, question, cells, sd)
    sd_kind = sd if isinstance(sd, str) else "given"
    table = _table(inferred(inference, lines.rows, level, estimable=lines.estimable), names, spreads, sd_error, level)
    table.attrs.update(df_method=inference.method, level=level)
    notes = _notes(coder, question, sd_kind)
    return EffectSize(
        fit.design.response,
        question.arm,
        question.time,
        str(values[question.arm][0])
        if coder.variables[question.arm].kind == "factor"
        else f"{values[question.arm][0]:g}",
        question.kind,
        question.start,
        question.end,
        sd_kind,
        sd_error and sd_kind != "given",
        level,
        inference.method,
        int(fit.design.X.shape[0]),
        spreads[0].parts,
        notes,
        outside,
        table,
    )


def _term_columns(coder: Coder) -> list[set[str]]:
    part = coder.design.recipe.fixed
    return [{c for i, _ in term.parts for c in columns_in(part.variables[i].expr)} for term in part.terms]


def find_time(coder: Coder) -> str | None:
    """Return the column of time: the covariate of a random slope, else the one that a factor interacts with."""
    for block in coder.design.recipe.blocks:
        for variable in block.part.variables:
            for name in columns_in(variable.expr):
                if not variable.is_factor and name in coder.variables and coder.variables[name].kind == "number":
                    return name
    found = {
        name
        for columns in _term_columns(coder)
        for name in columns
        if len(columns) > 1
        and coder.variables[name].kind == "number"
        and any(coder.variables[c].has_levels for c in columns)
    }
    return found.pop() if len(found) == 1 else None


def find_arm(coder: Coder, time: str | None) -> str:
    """Return the column of the arms: the variable with levels that interacts with time, or the only one there is."""
    with_levels = [n for n, v in coder.variables.items() if v.has_levels and n != time]
    joined = {c for columns in _term_columns(coder) if time in columns for c in columns}
    chosen = [n for n in with_levels if n in joined] or with_levels
    if len(chosen) == 1:
        return chosen[0]
    listed = f"It could be: {', '.join(chosen)}" if chosen else "The model has no variable with levels"
    raise SpecError(
        message("which variable is the arm?", where=coder.design.formula.text, do=f'{listed}. Write arm="..."')
    )


def ask(
    coder: Coder, arm: str | None, time: str | None, kind: str | None, duration: float | None, span: Any
) -> Question:
    """Return what is asked, with defaults filled in.

    Raises
    ------
    SpecError : no such column; arm or time cannot be told; the arms change alike in this model; a wrong duration.
    """
    check_names([n for n in (arm, time) if n is not None], coder.variables, "effect_size")
    time = time or find_time(coder)
    arm = arm or find_arm(coder, time)
    if arm == time or not coder.variables[arm].has_levels:
        raise SpecError(message(f"'{arm}' has no levels to compare", where="arm", do="Name the column of the arms"))
    joined = time is not None and any({arm, time} <= columns for columns in _term_columns(coder))
    kind = check_option("kind", kind or ("change" if time is not None else "means"), KINDS)
    if kind == "change" and not joined:
        what = f"the arms change alike in this model: it has no interaction of '{arm}' and {time or 'time'}"
        do = f'Fit {arm} * {time or "time"} for a difference in change, or write kind="means" for adjusted means'
        raise SpecError(message(what, where=coder.design.formula.text, do=do))
    if time is None:
        return Question(arm, None, kind, None, None)
    return Question(arm, time, kind, *_span(coder.variables[time], duration, span))


def _span(time: GridVariable, duration: float | None, span: Any) -> tuple[Any, Any]:
    """Return start and end: those given, else the first and the last time in the data."""
    if time.kind == "factor":
        if duration is not None:
            do = f'Give two levels: at={{"{time.name}": ["{time.levels[0]}", "{time.levels[-1]}"]}}'
            raise SpecError(message(f"'{time.name}' is a factor and has no duration", do=do))
        default: tuple[Any, ...] = (time.levels[0], time.levels[-1])
    else:
        default = (float(time.values.min()), float(time.values.max()))
    given = default if span is None else chosen_values({time.name: time}, {time.name: span})[time.name]
    if len(given) > 2 or (len(given) < 2 and duration is None):
        do = f"Give the start and the end of the course: at={{'{time.name}': [0, 12]}}"
        raise SpecError(message(f"at gives {len(given)} values of '{time.name}'", do=do))
    if duration is None:
        return given[0], given[1]
    if span is not None and len(given) == 2:
        raise SpecError(message("both duration and two times are given", do="Give one of them"))
    if not (isinstance(duration, int | float) and np.isfinite(duration) and duration > 0):
        raise SpecError(message(f"duration={duration!r} is no length of time", do="Give a positive number"))
    return given[0], given[0] + float(duration)


def _differences(
    coder: Coder, values: Mapping[str, tuple[Any, ...]], question: Question
) -> tuple[Lines, list[str], pd.DataFrame]:
    """Return the difference of each arm to the first, their names, and the grid's cells at the start, one per arm."""
    shown = [question.arm] + ([question.time] if question.time else [])
    lines, grid, _ = averaged_lines(coder, values, shown, "equal")
    k, cells = len(values[question.arm]), lines.cells
    if k < 2:
        do = "Give two or more levels"
        raise SpecError(message(f"an effect size needs two arms; at leaves one of '{question.arm}'", do=do))
    when = None if question.time is None else cells[question.time].to_numpy()
    last = np.ones(len(cells), bool) if when is None else when == question.end
    first = np.zeros(len(cells), bool) if when is None or question.kind == "means" else when == question.start
    level = list(values[question.arm])
    own = np.array([level.index(v) for v in cells[question.arm]])
    weights = np.zeros((k - 1, len(cells)))
    for i in range(1, k):
        sign = (own == i).astype(float) - (own == 0).astype(float)
        weights[i - 1] = sign * (last.astype(float) - first.astype(float))
    text = [v if isinstance(v, str) else f"{question.arm} {v:g}" for v in level]
    names = [f"{text[i]} - {text[0]}" for i in range(1, k)]
    start = grid if question.time is None else grid[grid[question.time] == question.start]
    return lines.combine(weights, pd.DataFrame({"term": names})), names, start.reset_index(drop=True)


def _spreads(
    fit: GaussianFit,
    coder: Coder,
    uncertainty: Callable[[], VarianceUncertainty],
    question: Question,
    cells: pd.DataFrame,
    sd: str | float,
) -> list[Spread]:
    """Return the SD that belongs to each difference."""
    levels = list(dict.fromkeys(cells[question.arm]))
    count = len(levels) - 1
    if not isinstance(sd, str):
        number = isinstance(sd, int | float | np.number) and not isinstance(sd, bool)
        return [known_spread(float(sd) if number else float("nan"))] * count
    if check_option("sd", sd, SPREADS) == "model":
        pairs = [cells[cells[question.arm].isin([levels[0], one])].reset_index(drop=True) for one in levels[1:]]
        return [model_spread(fit, uncertainty(), coder, pair) for pair in pairs]
    assert fit.design.y is not None
    rows, where = np.ones(len(coder.frame), bool), "within the arms"
    if question.time is not None:
        variable = coder.variables[question.time]
        if variable.kind == "factor":
            rows = variable.codes == variable.levels.index(question.start)
        else:
            rows = np.abs(variable.values - question.start) <= 1e-9 * float(np.ptp(variable.values))
        where = f"at {question.time} = {time_text(question.start)}"
    arm = coder.variables[question.arm]
    labels = np.array([str(v) for v in arm.levels], dtype=object)[arm.codes]
    chosen = rows & np.isin(labels, [str(v) for v in levels])
    return [pooled_spread(fit.design.y, labels, chosen, where, [str(v) for v in levels])] * count


def _table(
    differences: pd.DataFrame, names: Sequence[str], spreads: Sequence[Spread], sd_error: bool, level: float
) -> pd.DataFrame:
    sd = np.array([s.sd for s in spreads])
    d = differences["estimate"].to_numpy() / sd
    error = differences["std_error"].to_numpy()
    own = np.array([s.variance if sd_error else 0.0 for s in spreads])
    spread = np.sqrt(error**2 + d**2 * own) / sd
    reach = t_quantile(1 - (1 - level) / 2, differences["df"].to_numpy()) * spread
    shrink = np.array([small_sample_factor(s.df) for s in spreads])
    return pd.DataFrame(
        {
            "term": list(names),
            "difference": differences["estimate"],
            "difference_error": error,
            "sd": sd,
            "estimate": d,
            "std_error": spread,
            "df": differences["df"],
            "statistic": differences["statistic"],
            "p_value": differences["p_value"],
            "conf_low": d - reach,
            "conf_high": d + reach,
            "hedges_g": shrink * d,
            "g_low": shrink * (d - reach),
            "g_high": shrink * (d + reach),
        }
    )


def small_sample_factor(df: float) -> float:
    """Return Hedges' exact factor J(df): d times J is free of the bias that an estimated SD brings.

    Examples
    --------
    >>> round(small_sample_factor(20.0), 4)
    0.9619
    """
    if np.isinf(df):
        return 1.0
    if df <= 1:
        return float("nan")
    return float(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2) - 0.5 * np.log(df / 2)))


def _notes(coder: Coder, question: Question, sd_kind: str) -> tuple[str, ...]:
    """Say what else the reader must know: covariates whose variance the model-implied SD leaves out."""
    others = [n for n in coder.variables if n not in (question.arm, question.time)]
    if sd_kind != "model" or not others:
        return ()
    listed = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
    these = "these explain" if len(others) > 1 else "that explains"
    return (
        f"The SD that the model implies is the SD at equal {listed}. Where {these} much of the outcome, as the "
        "outcome's own value before treatment does, d is larger than in units of the whole SD.",
    )
