"""Tables and sentences of what a mixed model says at chosen places: means, contrasts, slopes, effect sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.frames import rows
from alliancekit.multilevel.after.contrasts import Contrasts
from alliancekit.multilevel.after.ddf import DDF_WORDS
from alliancekit.multilevel.after.effect_size import EffectSize
from alliancekit.multilevel.after.effect_size_text import time_text
from alliancekit.multilevel.after.margins import Margin, Setting, missing_note
from alliancekit.multilevel.after.margins_text import adjust_words
from alliancekit.multilevel.after.means import MarginalMeans
from alliancekit.multilevel.after.regions import Regions
from alliancekit.multilevel.after.slopes import Slopes
from alliancekit.report.formatting import ci_text, decimals_for, format_fixed, p_text, test_text
from alliancekit.report.parts import Sentence, Table

_MEAN_HEADS = {"mean": "M", "probability": "Probability", "rate": "Rate", "response": "Mean"}
_NOUNS = {  # singular, plural
    "mean": ("mean", "means"),
    "response": ("mean", "means"),
    "probability": ("probability", "probabilities"),
    "rate": ("rate", "rates"),
}
_LISTED = 8  # so many results are named one by one in a sentence


def typeset(text: str) -> str:
    """Return text with real minus signs before numbers and between names.

    Examples
    --------
    >>> typeset("TAU - CBT at x = -0.4")
    'TAU − CBT at x = −0.4'
    """
    return re.sub(r"(?<![\w.)])-(?=[\d.])", "\u2212", text.replace(" - ", " \u2212 "))


def group_texts(setting: Setting, frame: pd.DataFrame) -> list[str]:
    """Return the group of ``by`` of each row in words: "Arm = CBT"."""
    parts = [[f"{setting.label(n)} = {setting.shown(n, v)}" for v in frame[n]] for n in setting.by]
    return [typeset(", ".join(row)) for row in zip(*parts, strict=True)]


def _cells(setting: Setting, frame: pd.DataFrame, data: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """Put the groups of ``by`` before a table's columns; return the column of the groups."""
    if not setting.by:
        return data, None
    data.insert(0, "group", group_texts(setting, frame))
    return data, "group"


def _notes(result: Margin | Contrasts, *more: str) -> tuple[str, ...]:
    level = f"CI: {100 * result.level:g}%. Degrees of freedom by {DDF_WORDS[result.inference.method]}."
    return tuple(typeset(n) for n in (*result.setting.lines(), level, *more) if n)


def _heads(result: Margin | Contrasts, df: pd.Series[float]) -> dict[str, str]:
    low, high = f"{100 * result.level:g}% CI low", f"{100 * result.level:g}% CI high"
    return {"statistic": "z" if np.isinf(df.dropna()).all() else "t", "conf_low": low, "conf_high": high}


def means_table(result: MarginalMeans) -> Table:
    """Return the table of marginal means."""
    setting, frame = result.setting, result.tidy()
    data = pd.DataFrame(
        {n: [typeset(setting.shown(n, v)) for v in frame[n]] for n in setting.factors}, index=frame.index
    )
    stub = tuple(setting.factors) or ("term",)
    if not setting.factors:
        data["term"] = "Overall"
    data[["estimate", "std_error", "conf_low", "conf_high", "df"]] = frame[
        ["estimate", "std_error", "conf_low", "conf_high", "df"]
    ]
    data, group = _cells(setting, frame, data)
    labels = {n: setting.label(n) for n in setting.factors} | {
        "estimate": _MEAN_HEADS[result.scale.mean_name],
    }
    labels |= {} if setting.factors else {"term": ""}
    scale = (
        "Averages and intervals were made on the scale of the link and taken back." if result.scale.transforms else ""
    )
    return Table(
        title=f"Estimated Marginal Means of {setting.label(setting.response)}",
        data=data,
        stub=stub,
        group=group,
        labels=labels,
        notes=_notes(result, scale, missing_note(frame)),
        source=result,
    )


def slopes_table(result: Slopes) -> Table:
    """Return the table of simple slopes, with the regions of significance in its notes."""
    setting, frame = result.setting, result.tidy()
    data = pd.DataFrame(
        {n: [typeset(setting.shown(n, v)) for v in frame[n]] for n in setting.factors}, index=frame.index
    )
    if not setting.factors:
        data["term"] = "Overall"
    columns = ["estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value"]
    data[columns] = frame[columns]
    labels = {n: setting.label(n) for n in setting.factors} | {"estimate": "Slope"}
    labels |= {} if setting.factors else {"term": ""}
    return Table(
        title=f"Slopes of {setting.label(setting.response)} on {setting.label(result.variable)}",
        data=data,
        stub=tuple(setting.factors) or ("term",),
        labels={**labels, "statistic": _heads(result, frame["df"])["statistic"]},
        notes=_notes(result, *(_region_sentence(result, region) for region in result.regions)),
        source=result,
    )


def contrasts_table(result: Contrasts) -> Table:
    """Return the table of contrasts."""
    setting, frame = result.setting, result.tidy()
    columns = ["term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value"]
    data, group = _cells(setting, frame, frame[columns].assign(term=frame["term"].map(typeset)))
    name = result.scale.contrast_name
    adjusted = adjust_words(result)
    return Table(
        title=f"{name.title()}s Between {_quantity(result)}",
        data=data,
        stub=("term",),
        group=group,
        labels={
            "term": "Contrast",
            "estimate": name.capitalize(),
            "statistic": _heads(result, frame["df"])["statistic"],
        },
        notes=_notes(
            result, f"p values and intervals adjusted by {adjusted}." if adjusted else "", missing_note(frame)
        ),
        source=result,
    )


def _quantity(result: Contrasts) -> str:
    """Return what is compared, in the codebook's words and title case."""
    outcome = result.setting.label(result.setting.response)
    if not result.variable:
        return f"Means of {outcome}"
    return f"Slopes of {outcome} on {result.setting.label(result.variable)}"


def effect_size_table(result: EffectSize) -> Table:
    """Return the table of standardised mean differences."""
    frame = result.tidy()
    columns = [
        "term",
        "difference",
        "sd",
        "estimate",
        "std_error",
        "conf_low",
        "conf_high",
        "df",
        "p_value",
        "hedges_g",
    ]
    shares = [f"{r.component} {format_fixed(r.variance, decimals_for([r.variance]))}" for r in rows(result.parts)]
    counted = "counts the error of the SD" if result.sd_error else "takes the SD as known"
    notes = (
        f"d: {question_words(result)}, in units of {spread_words(result)}.",
        f"Variances behind the SD: {', '.join(shares)}.",
        f"CI: {100 * result.level:g}%; it {counted}. df by {DDF_WORDS[result.df_method]}; p: test of the difference.",
        "g: d corrected for small samples.",
        *result.notes,
        *result.outside,
    )
    return Table(
        title=f"Standardised Mean Differences Between Levels of {_label(result, result.arm)}",
        data=frame[columns].assign(term=frame["term"].map(typeset)),
        stub=("term",),
        kinds={"difference": "estimate", "hedges_g": "estimate"},
        labels={"term": "Contrast", "difference": "Difference", "estimate": "d", "hedges_g": "g"},
        notes=notes,
        source=result,
    )


def _label(result: EffectSize, name: str) -> str:
    return result.labels.get(name, name)


def question_words(result: EffectSize) -> str:
    """Return what the difference is of, in the codebook's words."""
    outcome = _label(result, result.response)
    if result.kind == "change":
        span = f"{_label(result, str(result.time))} {time_text(result.start)} to {time_text(result.end)}"
        return f"difference in change of {outcome} from {span}"
    where = f" at {_label(result, result.time)} {time_text(result.end)}" if result.time else ""
    return f"difference in adjusted means of {outcome}{where}"


def spread_words(result: EffectSize) -> str:
    """Return which SD it is counted in."""
    when = f" at {_label(result, result.time)} {time_text(result.start)}" if result.time else ""
    words = {
        "given": "an SD that was given",
        "pooled": f"the observed SD{when}, pooled within arms",
        "model": f"the SD that the model implies{when} (all random effects and the residual)",
    }
    return words[result.sd_kind]


def means_sentence(result: MarginalMeans) -> Sentence:
    """Return one sentence with the means, all of them where they are few."""
    setting, frame = result.setting, result.tidy()
    frame = frame[frame["estimate"].notna()]
    digits = max(decimals_for(frame["estimate"], frame["std_error"]), 2)
    noun = _NOUNS[result.scale.mean_name][len(frame) > 1]
    few = len(frame) <= _LISTED
    shown = frame if few else frame.loc[[frame["estimate"].idxmin(), frame["estimate"].idxmax()]]
    clauses = []
    for r in rows(shown):
        where = f" for {typeset(r.term)}" if r.term != "overall" else ""
        clauses.append(f"{format_fixed(r.estimate, digits)}{where}, {_interval(result, r, digits)}")
    verb = ("was" if len(frame) == 1 else "were") if few else "ranged from"
    listed = _listed(clauses) if few else "; to ".join(clauses)
    text = f"The estimated {noun} of {setting.label(setting.response)} {verb} {listed}."
    return Sentence(text=" ".join([text, *_where(setting)]), source=result)


def _listed(clauses: Sequence[str]) -> str:
    """Join clauses that hold commas themselves."""
    return clauses[0] if len(clauses) == 1 else f"{'; '.join(clauses[:-1])}; and {clauses[-1]}"


def _interval(result: Margin | Contrasts, row: Any, digits: int) -> str:
    return ci_text(row.conf_low, row.conf_high, decimals=digits, level=result.level)


def _where(setting: Setting) -> list[str]:
    """Return a sentence about what was averaged over and where covariates were held; none where there is nothing."""
    held = [f"{setting.label(n)} = {setting.shown(n, v)}" for n, v in setting.held.items()]
    averaged = [setting.label(n) for n in setting.averaged]
    parts = [f"averaged over {_and(averaged)}"] if averaged else []
    parts += [f"at {_and(held)}"] if held else []
    return [typeset(f"Estimates are {', '.join(parts)}.")] if parts else []


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def slopes_sentence(result: Slopes) -> Sentence:
    """Return a clause for each slope, and one for each region of significance."""
    setting, frame = result.setting, result.tidy()
    digits = max(decimals_for(frame["estimate"], frame["std_error"]), 2)
    clauses = []
    for r in rows(frame):
        where = "" if r.term == "overall" else f" for {typeset(r.term)}"
        verdict = "" if r.p_value < 1 - result.level else ", not reliably different from zero"
        clauses.append(
            f"{format_fixed(r.estimate, digits)}{where}, {_interval(result, r, digits)}, {_test(r)}{verdict}"
        )
    text = f"The slope of {setting.label(setting.response)} on {setting.label(result.variable)} was {_listed(clauses)}."
    regions = [_region_sentence(result, g) for g in result.regions]
    return Sentence(text=" ".join([text, *_where(setting), *regions]), source=result)


def _test(row: Any) -> str:
    return f"{test_text('z' if np.isinf(row.df) else 't', row.statistic, row.df)}, {p_text(row.p_value)}"


def _region_sentence(result: Slopes, region: Regions) -> str:
    """Return where, among the observed values of the moderator, the slope differs from zero."""
    setting = result.setting
    name = setting.label(region.moderator)
    where = [f"{setting.label(n)} = {setting.shown(n, v)}" for n, v in region.where.items()]
    lead = f"For {', '.join(where)}, the slope" if where else "The slope"
    digits = max(decimals_for([], [(region.high - region.low) / 20]), 1)
    alpha = f"p < {format_fixed(1 - region.level, 2, leading_zero=False)}"
    span = f"{format_fixed(region.low, digits)} to {format_fixed(region.high, digits)}"
    inside = region.table[(region.table["high"] > region.low) & (region.table["low"] < region.high)]
    parts = []
    for r in rows(inside[inside["significant"]]):
        low, high = max(r.low, region.low), min(r.high, region.high)
        if (low, high) == (region.low, region.high):
            return typeset(f"{lead} was {r.direction} ({alpha}) at all observed values of {name} ({span}).")
        parts.append(
            f"{r.direction} {_span(name, low, high, region, digits)} ({format_fixed(100 * r.share, 0)}% of rows)"
        )
    if not parts:
        return typeset(f"{lead} did not differ from zero ({alpha}) at any observed value of {name} ({span}).")
    return typeset(f"{lead} differed from zero ({alpha}) among the observed values of {name} ({span}): {_and(parts)}.")


def _span(name: str, low: float, high: float, region: Regions, digits: int) -> str:
    if low == region.low:
        return f"where {name} was below {format_fixed(high, digits)}"
    if high == region.high:
        return f"where {name} was above {format_fixed(low, digits)}"
    return f"where {name} was between {format_fixed(low, digits)} and {format_fixed(high, digits)}"


def contrasts_sentence(result: Contrasts) -> Sentence:
    """Return a clause for each contrast, the reliable ones first; of many the others are counted only."""
    setting, frame = result.setting, result.tidy()
    frame = frame[frame["estimate"].notna()].reset_index(drop=True)
    groups = group_texts(setting, frame) if setting.by else [""] * len(frame)
    digits = max(decimals_for(frame["estimate"], frame["std_error"]), 2)
    clauses: dict[bool, list[str]] = {True: [], False: []}
    for r, group in zip(rows(frame), groups, strict=True):
        where = f" at {group}" if group else ""
        numbers = f"{format_fixed(r.estimate, digits)}, {_interval(result, r, digits)}, {_test(r)}"
        clauses[bool(r.p_value < 1 - result.level)].append(f"{typeset(r.term)}{where}, {numbers}")
    adjusted = adjust_words(result)
    name, what = result.scale.contrast_name, _quantity(result)
    between = f"between {what[0].lower()}{what[1:]}"
    if len(frame) == 1:
        only = (clauses[True] or clauses[False])[0]
        text = f"The {name} {between} was {'reliable' if clauses[True] else 'not reliable'}: {only}."
    else:
        how = f" (p values adjusted by {adjusted})" if adjusted else ""
        count = len(clauses[True])
        text = (
            f"Of the {len(frame)} {name}s {between}{how}, {count or 'none'} {'was' if count < 2 else 'were'} reliable"
        )
        few = clauses[False] if len(frame) <= _LISTED else []
        first, rest = (clauses[True], few) if count else (few, [])
        text += f": {_listed(first)}." if first else "."
        text += f" Not reliable: {_listed(rest)}." if rest else ""
    return Sentence(text=" ".join([text, *_where(setting)]), source=result)


def effect_size_sentence(result: EffectSize) -> Sentence:
    """Return a clause for each effect size."""
    frame = result.tidy()
    digits = max(decimals_for(frame["estimate"], frame["std_error"]), 2)
    clauses = []
    for r in rows(frame):
        limits = ci_text(r.conf_low, r.conf_high, decimals=digits, level=result.level)
        verdict = "" if r.p_value < 1 - result.level else ", not reliably different from zero"
        clauses.append(f"d = {format_fixed(r.estimate, digits)} for {typeset(r.term)}, {limits}, {_test(r)}{verdict}")
    text = f"In units of {spread_words(result)}, the {question_words(result)} was {_listed(clauses)}."
    return Sentence(text=" ".join([text, *result.notes]), source=result)


TABLES: dict[type, Callable[[Any], Table]] = {
    MarginalMeans: means_table,
    Slopes: slopes_table,
    Contrasts: contrasts_table,
    EffectSize: effect_size_table,
}
SENTENCES: dict[type, Callable[[Any], Sentence]] = {
    MarginalMeans: means_sentence,
    Slopes: slopes_sentence,
    Contrasts: contrasts_sentence,
    EffectSize: effect_size_sentence,
}
