"""Tables, figures and sentences of incremental validity, its steps, coefficients, weights and specificity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.columns import Kind
from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.prediction.results import (
    AddedVariable,
    CoefficientTable,
    IncrementalValidity,
    StepTable,
    WeightTable,
)
from alliancekit.prediction.specificity import Specificity
from alliancekit.report.formatting import format_fixed
from alliancekit.report.parts import Equation, Figure, Sentence, Table
from alliancekit.report.prediction_figures import dominance_figure, partial_figure, specificity_figure, steps_figure
from alliancekit.report.prediction_words import (
    answer,
    coefficients_sentence,
    join_names,
    name_of,
    opening,
    r2_word,
    share,
    specificity_sentence,
    steps_sentence,
    weights_sentence,
)

FIGURES = ("steps", "dominance", "partial", "specificity")
HALF_BETTER = "Oriented slopes have their sign turned so that positive = better."


def make_table(*results: Any) -> Table:
    """Return the table of a result of this layer; step tables of several outcomes stand under one another.

    Raises
    ------
    ReportError : results of different kinds, or several that are not step tables.
    """
    steps = [r.steps if isinstance(r, IncrementalValidity) else r for r in results]
    if all(isinstance(s, StepTable) for s in steps):
        return _steps(steps, results)
    if len(results) > 1:
        raise ReportError(message("these results cannot share a table", do="Call ak.table for each"))
    makers: dict[type, Callable[[Any], Table]] = {
        CoefficientTable: _coefficients,
        WeightTable: _weights,
        Specificity: _specificity,
    }
    return makers[_known(results[0], makers)](results[0])


def make_figure(result: Any, kind: str | None = None) -> Figure:
    """Return a figure: "steps" (increments), "dominance", "partial" (added-variable plot), "specificity".

    Raises
    ------
    SpecError : no such kind. ReportError : the result has no such figure.
    """
    if isinstance(result, IncrementalValidity):
        return _figure_of(result, check_option("kind", kind or "steps", FIGURES))
    makers: dict[type, tuple[str, Callable[[Any], Figure]]] = {
        StepTable: ("steps", steps_figure),
        WeightTable: ("dominance", dominance_figure),
        AddedVariable: ("partial", partial_figure),
        Specificity: ("specificity", specificity_figure),
    }
    name, make = makers[_known(result, makers)]
    check_option("kind", kind or name, [name])
    return make(result)


def _figure_of(result: IncrementalValidity, kind: str) -> Figure:
    if kind == "steps":
        return steps_figure(result.steps)
    if kind == "dominance":
        if result.weights is None:
            raise ReportError(message("there are no dominance weights", do="They need 2 to 12 predictors"))
        return dominance_figure(result.weights)
    if result.added_variable is None or result.specificity is None:
        todo = "Call ak.incremental_validity with focus="
        raise ReportError(message(f"a figure of kind '{kind}' needs a focus predictor", do=todo))
    return partial_figure(result.added_variable) if kind == "partial" else specificity_figure(result.specificity)


def make_sentence(result: Any) -> Sentence:
    """Return the sentence of a result; those of the whole analysis and of the specificity are headlines."""
    if isinstance(result, IncrementalValidity):
        return Sentence(answer(result), headline=True, source=result)
    makers: dict[type, Callable[[Any], str]] = {
        StepTable: steps_sentence,
        CoefficientTable: coefficients_sentence,
        WeightTable: weights_sentence,
        Specificity: specificity_sentence,
    }
    text = makers[_known(result, makers)](result)
    return Sentence(text, headline=isinstance(result, Specificity), source=result)


def make_equation(result: Any) -> Equation:
    """Return the equation of the final model."""
    if not isinstance(result, IncrementalValidity):
        raise ReportError(message(f"a {type(result).__name__} has no equation", do="Hand over the whole analysis"))
    outcome = name_of(result.outcome, result.labels)
    terms = [name_of(n, result.labels) for names in result.entered.values() for n in names]
    right = " + ".join(f"β{_subscript(i)} {term}ᵢ" for i, term in enumerate(terms, start=1))
    effect, where = "", ["εᵢ ~ N(0, σ²)"]
    if result.approach == "random":
        effect, where = " + uₖ", ["uₖ ~ N(0, τ²), one for each therapist k", *where]
    lines = (f"{outcome}ᵢ = β₀ + {right}{effect} + εᵢ",)
    return Equation(lines=lines, r_call=_r_call(result), python_call=_python_call(result), where=tuple(where))


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _quoted(name: str) -> str:
    return name if name.replace(".", "").replace("_", "").isalnum() and name[0].isalpha() else f"`{name}`"


def _r_call(result: IncrementalValidity) -> str:
    right = " + ".join(_quoted(n) for names in result.entered.values() for n in names)
    formula = f"{_quoted(result.outcome)} ~ {right}"
    if result.approach == "random":
        return f"lmerTest::lmer({formula} + (1 | {_quoted(str(result.therapist))}), data = d, REML = TRUE)"
    fit = f"lm({formula}, data = d)"
    if result.approach == "ols":
        return fit
    return f'm <- {fit}; sandwich::vcovCL(m, cluster = d${_quoted(str(result.therapist))}, type = "HC1")'


def _python_call(result: IncrementalValidity) -> str:
    steps = ", ".join(f"{step!r}: {list(names)!r}" for step, names in result.entered.items())
    parts = [f"ak.incremental_validity(df, {result.outcome!r}, {{{steps}}}", f"approach={result.approach!r}"]
    for name in ("focus", "therapist"):
        if getattr(result, name) is not None:
            parts.append(f"{name}={getattr(result, name)!r}")
    return ", ".join([*parts, f"bootstrap={result.resamples}", f"seed={result.seed}"]) + ")"


def _known(result: Any, makers: Mapping[type, object]) -> type:
    if type(result) in makers:
        return type(result)
    raise ReportError(message(f"a {type(result).__name__} has no such presentation", do="Use ak.table(result)"))


def _steps(steps: list[StepTable], results: tuple[Any, ...]) -> Table:
    first = steps[0]
    frames = []
    for table in steps:
        frame = table.frame.copy()
        frame["predictors"] = [join_names(table.entered[step], table.labels) for step in frame["step"]]
        frame.insert(0, "outcome", name_of(table.outcome, table.labels))
        frames.append(frame)
    mixed = any(table.r2_name != "R² of least squares" for table in steps)
    wanted = ["step", "predictors", "r2", "delta_r2", "conf_low", "conf_high", "f2", "statistic", "df", "df_error"]
    wanted += ["p_value", "aic", *(["r2_conditional"] if mixed else []), "cv_delta_r2"]
    data = pd.concat(frames, ignore_index=True)
    if data["df_error"].isna().all():
        wanted.remove("df_error")
    if data["conf_low"].isna().all():
        wanted = [name for name in wanted if name not in ("conf_low", "conf_high")]
    data = data[[*(["outcome"] if len(steps) > 1 else []), *wanted]]
    data.attrs["level"] = first.level
    outcomes = opening(join_names(list(dict.fromkeys(name_of(t.outcome, t.labels) for t in steps))))
    shares: dict[str, Kind] = dict.fromkeys(("r2", "delta_r2", "conf_low", "conf_high", "f2"), "proportion")
    shares |= {c: "proportion" for c in ("r2_conditional", "cv_delta_r2") if c in data}
    word = r2_word(first.r2_name)
    return Table(
        title=f"Hierarchical Prediction of {outcomes}",
        data=data,
        kinds={c: k for c, k in {**shares, "df": "df", "df_error": "df", "aic": "statistic"}.items() if c in data},
        labels={
            **({"conf_low": f"{100 * first.level:g}% CI of ΔR²"} if "conf_low" in data else {}),
            **({"df_error": "Error df"} if "df_error" in data else {}),
            **({"r2_conditional": "Conditional R²"} if mixed else {}),
            "predictors": "Predictors added",
            "r2": word[:1].upper() + word[1:],
            "delta_r2": "ΔR²",
            "f2": "f²",
            "statistic": "χ²" if "df_error" not in data else "F",
            "cv_delta_r2": "Cross-validated ΔR²",
            "aic": "AIC",
        },
        decimals={c: 3 for c in shares if c in data},
        stub=("step",),
        group="outcome" if len(steps) > 1 else None,
        notes=_step_notes(steps, results),
        source=results[0] if len(results) == 1 else None,
    )


def _step_notes(steps: list[StepTable], results: tuple[Any, ...]) -> tuple[str, ...]:
    first = steps[0]
    notes = []
    counts = sorted({int(n) for table in steps for n in table.frame["n"]})
    rows = f"n = {counts[0]}" if len(counts) == 1 else f"n from {counts[0]} to {counts[-1]}"
    notes.append(f"{rows}; every step uses the same complete cases.")
    for result in results:
        if isinstance(result, IncrementalValidity) and result.sample.dropped:
            reasons = "; ".join(f"{count} {reason}" for reason, count in result.sample.dropped)
            notes.append(f"Of {result.sample.n_rows} rows were left out: {reasons}.")
        if isinstance(result, IncrementalValidity) and result.therapist in result.sample.groups:
            notes.append(f"{result.sample.groups[str(result.therapist)]} therapists.")
    text = f"R² is the {first.r2_name}; the test is the {first.test_name}; f² = ΔR² / (1 − R² of the larger model)."
    notes.append(text)
    if first.resamples:
        notes.append(
            f"Limits: bias-corrected and accelerated bootstrap of {first.resamples:,} resamples of {first.resampled}. "
            "ΔR² of nested models is not negative by least squares, so whether there is an increment is answered by "
            "the test, not by the limits."
        )
    unit = first.resampled.removesuffix("s")
    notes.append(f"Cross-validation in {first.folds} folds, no {unit} in both parts (least squares).")
    return tuple(notes)


def _coefficients(table: CoefficientTable) -> Table:
    data = table.frame.copy()
    data["term"] = [name_of(term, table.labels) for term in data["term"]]
    wanted = ["term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value", "std_estimate"]
    wanted += [*(["oriented"] if "oriented" in data else []), "partial_r", "semipartial_r", "vif"]
    data = data[wanted]
    data.attrs["level"] = table.level
    notes = [f"n = {table.n}. Estimates: {table.software}; degrees of freedom: {table.df_method}."]
    notes.append(
        "Partial and semi-partial correlations and VIF (variance inflation factor) are those of least squares."
    )
    if table.better is not None:
        notes.append(f"{HALF_BETTER} For {name_of(table.outcome, table.labels)} {table.better} is better.")
    shares: dict[str, Kind] = {
        c: "proportion" for c in ("std_estimate", "oriented", "partial_r", "semipartial_r") if c in data
    }
    labels = {"std_estimate": "β", "partial_r": "Partial r", "semipartial_r": "Semi-partial r", "vif": "VIF"}
    return Table(
        title=f"Coefficients of the Final Model of {name_of(table.outcome, table.labels)}",
        data=data,
        kinds={**shares, "vif": "statistic"},
        labels={**labels, "term": "", "statistic": "t", **({"oriented": "Oriented β"} if "oriented" in data else {})},
        stub=("term",),
        notes=tuple(notes),
        source=table,
    )


def _weights(weights: WeightTable) -> Table:
    data = weights.frame.sort_values("general", ascending=False, kind="stable").reset_index(drop=True)
    complete = weights.analysis.complete()
    dominated = []
    for term in data["term"]:
        names = [other for other in data["term"] if complete.loc[term, other] == 1.0]
        dominated.append(join_names(names, weights.labels) if names else "–")
    data["share"] = 100.0 * data["share"]
    data["dominates"] = dominated
    data["term"] = [name_of(term, weights.labels) for term in data["term"]]
    wanted = [
        "term",
        "general",
        "conf_low",
        "conf_high",
        "share",
        "first",
        "last",
        "relative_weight",
        "pratt",
        "dominates",
    ]
    if data["conf_low"].isna().all():
        wanted = [name for name in wanted if name not in ("conf_low", "conf_high")]
    data = data[wanted]
    data.attrs["level"] = weights.level
    kinds: dict[str, Kind] = dict.fromkeys(wanted[1:-1], "proportion")
    kinds["share"] = "percent"
    return Table(
        title=f"Relative Importance for {name_of(weights.analysis.outcome, weights.labels)}",
        data=data,
        kinds=kinds,
        labels={
            "term": "",
            "general": "General dominance",
            "share": "% of R²",
            "first": "Alone",
            "last": "Beside all",
            "relative_weight": "Relative weight",
            "pratt": "Pratt",
            "dominates": "Dominates completely",
        },
        decimals={c: 3 for c in kinds if c != "share"} | {"share": 1},
        stub=("term",),
        notes=(
            f"R² = {share(weights.analysis.r2[-1])}, n = {weights.analysis.n}, least squares. General dominance "
            "weights (LMG) and relative weights each add up to R².",
            "A predictor dominates another completely when it adds more to every subset of the other predictors.",
        ),
        source=weights,
    )


def _specificity(of: Specificity) -> Table:
    focus = name_of(of.focus, of.labels)
    base, rivals = join_names(of.base, of.labels), join_names(of.rivals or ("no others",), of.labels)
    rows = [
        (f"ΔR² of {focus} beyond {base}", of.delta_r2_base),
        (f"ΔR² of {focus} beyond {base} and {rivals}", of.delta_r2_all),
        (f"β of {focus} beside {base}", of.slope_base),
        (f"β of {focus} beside {base} and {rivals}", of.slope_all),
        ("Difference between the two slopes", of.slope_drop),
    ]
    records = [
        {"term": text, "estimate": b.estimate, "conf_low": b.conf_low, "conf_high": b.conf_high, "p_value": b.p_value}
        for text, b in rows
    ]
    for rival, r, low, high in of.correlations.itertuples(index=False):
        text = f"r of {focus} with {name_of(rival, of.labels)}"
        records.append({"term": text, "estimate": r, "conf_low": low, "conf_high": high, "p_value": np.nan})
    data = pd.DataFrame.from_records(records)
    data.attrs["level"] = of.level
    mark = {"specific": "good", "not specific": "bad", "not distinguishable": "warn", "no increment": "bad"}[of.verdict]
    return Table(
        title=f"Specificity of {opening(focus)}",
        data=data,
        kinds={"estimate": "proportion", "conf_low": "proportion", "conf_high": "proportion"},
        labels={"term": ""},
        decimals={"estimate": 3, "conf_low": 3, "conf_high": 3},
        stub=("term",),
        marks={(1, "estimate"): mark},
        notes=(
            f"Verdict: {of.verdict}. n = {of.n}; VIF of {focus} in the final model {format_fixed(of.vif, 2)}; R² is "
            f"the {of.r2_name}; tests: {of.test_name}.",
            "Specific: adds beyond all others and keeps at least half of its slope. Not specific: adds beyond the "
            "base, but its slope fell to less than half, by more than chance, when the others entered. Not "
            "distinguishable: neither can be said.",
        ),
        source=of,
    )
