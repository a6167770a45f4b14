"""Dropout: who is missing from the outcome, and do they differ from those who stayed?

Analysing completers conditions on staying. Where staying depends on severity and alliance, this alone can create or
hide an association between them (a collider). Complete cases are right only if dropout depends on nothing beyond the
model's predictors. Source: Little & Rubin (2019, chapter 3); Hernan, Hernandez-Diaz & Robins (2004, Epidemiology 15,
615-625).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check
from alliancekit.audit.words import number, p_text
from alliancekit.core.errors import SpecError, message, nearest
from alliancekit.numerics.distributions import t_two_sided

NAME = "dropout"
SHARED_END = 0.2  # share of patients seen at the latest time below which no common last occasion is taken for granted
NEGLIGIBLE, MANY, NOTABLE, ALPHA = 0.05, 0.20, 0.30, 0.05

Array = NDArray[np.float64]


def check(context: Context) -> Check:
    """Compare those with and without the outcome on what was known before."""
    if context.kind == "multilevel":
        return _of_courses(context)
    frame = context.everything
    if frame is None or context.outcome not in frame.columns:
        need = "The rows without outcome are not at hand."
        return Check(NAME, NOT_CHECKED, need, "Hand over the frame or Study that the analysis was made from.")
    gone = frame[context.outcome].isna().to_numpy()
    return _judge(context, frame, gone, "patients have no outcome")


def _of_courses(context: Context) -> Check:
    """Compare patients whose course ends early with the others, at their first value of the outcome."""
    person, clock = context.patient, _clock(context)
    codes = context.codes(person) if person is not None else None
    if codes is None or clock is None:
        need = "Patient or time of the rows is not known."
        return Check(NAME, NOT_CHECKED, need, "Hand over the Study, or name patient= and keep the column of time.")
    if len(np.unique(codes)) == len(codes):
        return Check(NAME, NOT_CHECKED, "There is one row per patient.", "Hand over the rows without outcome.")
    order = np.lexsort((clock, codes))
    first = order[np.unique(codes[order], return_index=True)[1]]
    last = pd.Series(clock).groupby(codes).max().to_numpy()
    planned = float(np.mean(last == last.max()))
    if planned < SHARED_END:
        evidence = f"Only {planned:.0%} of the patients were seen at the latest time: no common last occasion is known."
        do = "Describe who was seen how long; the model takes dropout to depend only on what it contains."
        return Check(NAME, NOT_CHECKED, evidence, do)
    gone = last < last.max()
    start = pd.DataFrame({f"first {context.outcome}": context.y[first]})
    for column in context.asked.baseline:
        start[column] = _known(context, column, first)
    return _judge(context, start, gone, "patients have no last occasion", columns=list(start.columns))


def _judge(
    context: Context, frame: pd.DataFrame, gone: NDArray[np.bool_], what: str, columns: list[str] | None = None
) -> Check:
    share = float(gone.mean())
    evidence = f"{int(gone.sum())} of {len(gone)} {what} ({100 * share:.0f}%)"
    if share < NEGLIGIBLE:
        return Check(NAME, PASS, evidence + ".", numbers={"share": share})
    columns = columns if columns is not None else _baseline(context, frame)
    compared = {c: standardised_difference(frame[c].to_numpy(dtype=float, na_value=np.nan), gone) for c in columns}
    differences = {c: d for c, d in compared.items() if d is not None}
    numbers = {"share": share} | {f"d_{c}": d[0] for c, d in differences.items()}
    numbers |= {f"p_{c}": d[1] for c, d in differences.items()}
    if not differences:
        need = f"{evidence}; nothing known before is at hand to compare them on."
        return Check(NAME, NOT_CHECKED, need, "Give baseline=['column', ...].", numbers)
    shown = ", ".join(f"'{c}' d = {number(d)} ({p_text(p)})" for c, (d, p) in differences.items())
    evidence += f"; those without minus those with: {shown}."
    notable = [c for c, (d, p) in differences.items() if p < ALPHA or abs(d) >= NOTABLE]
    if notable or share >= MANY:
        advice = "Do not call completers the sample. "
        advice += f"Those without differ in {', '.join(notable)}: keep these in the model. " if notable else ""
        advice += (
            "Show the result under multiple imputation too, and under dropout that depends on the missing outcome."
        )
        return Check(NAME, WARN, evidence, advice, numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def standardised_difference(values: Array, gone: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return Cohen's d (without minus with outcome, pooled SD) and Welch's p; None where a group has under 2 values."""
    a, b = values[gone & ~np.isnan(values)], values[~gone & ~np.isnan(values)]
    if min(len(a), len(b)) < 2 or a.var() + b.var() == 0:
        return None
    va, vb = a.var(ddof=1), b.var(ddof=1)
    pooled = np.sqrt(((len(a) - 1) * va + (len(b) - 1) * vb) / (len(a) + len(b) - 2))
    ea, eb = va / len(a), vb / len(b)
    df = (ea + eb) ** 2 / (ea**2 / (len(a) - 1) + eb**2 / (len(b) - 1))
    difference = a.mean() - b.mean()
    return float(difference / pooled), float(t_two_sided(difference / np.sqrt(ea + eb), df))


def _baseline(context: Context, frame: pd.DataFrame) -> list[str]:
    """Return the columns to compare on: those asked for, else the model's numeric predictors."""
    for column in context.asked.baseline:
        if column not in frame.columns:
            close = nearest(column, [str(c) for c in frame.columns])
            hint = f"Did you mean '{close}'?" if close else ""
            raise SpecError(message(f"baseline column '{column}' is not in the data", do=hint))
    chosen = context.asked.baseline or context.predictors
    return [c for c in chosen if c in frame.columns and pd.api.types.is_numeric_dtype(frame[c])]


def _clock(context: Context) -> Array | None:
    played = [context.study.role(r) for r in ("time", "session")] if context.study is not None else []
    for column in [*sorted(context.is_time), *played, "time", "session"]:
        values = context.used(column) if column is not None else None
        if values is not None and not np.isnan(values).any():
            return values
    return None


def _known(context: Context, column: str, rows: NDArray[np.intp]) -> Array:
    values = context.used(column)
    if values is None:
        raise SpecError(message(f"baseline column '{column}' is not a numeric column of the data"))
    return values[rows]
