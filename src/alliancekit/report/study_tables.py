"""Tables and sentences of the descriptive results: sample flow, description, correlations.

Counts of 1 to 4 people in a subgroup are not shown, nor the numbers that would give them away. The flow is in
``study_flow.py``, the description in ``study_description.py``, the figures in ``study_figures.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.columns import Kind
from alliancekit.core.errors import ReportError, SpecError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.report.formatting import ci_text, format_fixed, is_missing
from alliancekit.report.parts import Figure, Sentence, Table
from alliancekit.report.study_description import description_sentence, description_table
from alliancekit.report.study_flow import flow_sentence, flow_table
from alliancekit.report.study_words import plural
from alliancekit.study.correlations import Correlations
from alliancekit.study.describe import Description
from alliancekit.study.flow import SampleFlow

PRESENTED: Final = (SampleFlow, Description, Correlations)


def make_table(*results: Any) -> Table:
    """Return the table of one descriptive result.

    Raises
    ------
    ReportError : several results, or one of another kind.
    """
    result = _only(results)
    if isinstance(result, SampleFlow):
        return flow_table(result)
    if isinstance(result, Description):
        return description_table(result)
    return correlation_table(result)


def make_figure(result: Any, kind: str | None = None) -> Figure:
    """Return a figure of a sample flow: "flow" (boxes and arrows) or "retention" (observed at each occasion)."""
    from alliancekit.report.study_figures import flow_figure, retention_figure

    if not isinstance(result, SampleFlow):
        raise ReportError(message(f"a {type(result).__name__} has no figure", do="Use ak.table(result)"))
    chosen = check_option("kind", kind or "flow", ["flow", "retention"])
    if chosen == "flow":
        return flow_figure(result)
    if result.retention.empty:
        raise SpecError(message("no retention was counted", do="Call ak.sample_flow with outcome= and time="))
    return retention_figure(result)


def make_sentence(result: Any) -> Sentence:
    """Return the sentences of a descriptive result."""
    found = _only((result,))
    if isinstance(found, SampleFlow):
        return flow_sentence(found)
    if isinstance(found, Description):
        return description_sentence(found)
    return correlation_sentence(found)


def _only(results: Sequence[Any]) -> Any:
    if len(results) != 1:
        raise ReportError(message("descriptive results do not share a table", do="Call ak.table for each"))
    if not isinstance(results[0], PRESENTED):
        raise ReportError(message(f"a {type(results[0]).__name__} is no descriptive result"))
    return results[0]


def correlation_table(result: Correlations) -> Table:
    """Return one matrix: within persons above the diagonal, between persons below; then M, SDs and ICC."""
    names = result.variables["term"].tolist()
    places = {name: i for i, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    for row in rows(result.pairs):
        i, j = places[row.term_1], places[row.term_2]
        matrix[(i, j) if row.level == "within" else (j, i)] = row.estimate
    numbers = [str(i + 1) for i in range(len(names))]
    data = pd.DataFrame({"variable": [f"{i + 1}. {v}" for i, v in enumerate(result.variables["label"])]})
    data[numbers] = matrix
    wanted = ["mean", "sd_within", "sd_between", "icc"] if result.repeated else ["mean", "sd"]
    sizes = [c for c in ("n_units", "nobs") if result.repeated or c == "n_units"]
    data[[*wanted, *sizes]] = result.variables[[*wanted, *sizes]].to_numpy()
    data[sizes] = data[sizes].astype(int)
    if result.repeated:
        data.loc[_without_between(result), "icc"] = np.nan
    kinds: dict[str, Kind] = {**dict.fromkeys([*numbers, "icc"], "proportion"), **dict.fromkeys(sizes, "integer")}
    kinds = {c: k for c, k in kinds.items() if c in data}
    labels = {"variable": "", "mean": "M", "sd": "SD", "sd_within": "SD within", "sd_between": "SD between"}
    labels |= {"icc": "ICC", "n_units": plural(result.by).capitalize(), "nobs": "Rows"} | {n: n for n in numbers}
    name = {"pearson": "Pearson", "spearman": "Spearman"}[result.method]
    return Table(
        title="Correlations Within and Between Persons" if result.repeated else "Correlations",
        data=data,
        kinds=kinds,
        labels={c: text for c, text in labels.items() if c in data},
        stub=("variable",),
        notes=_correlation_notes(result, name),
        source=result,
        missing="–" if result.repeated else "",
    )


def _without_between(result: Correlations) -> NDArray[np.bool_]:
    """Return which variables have the same mean in every person, such as the occasion: an ICC says nothing there."""
    spread = result.variables
    return (spread["sd_between"] <= 1e-12 * spread["sd"]).to_numpy(dtype=bool)


def _correlation_notes(result: Correlations, name: str) -> tuple[str, ...]:
    unit = result.by.replace("_", " ")
    if not result.repeated:
        return (f"{name} correlations. Each {unit} has one row: ordinary correlations, pairwise complete.",)
    notes = [
        f"{name} correlations. Above the diagonal: within {plural(unit)} (deviations from the {unit}'s own mean, "
        f"pooled). Below the diagonal: between {plural(unit)} (correlations of {plural(unit)}' means).",
        f"ICC = share of variance between {plural(unit)}. Rows of one {unit} are taken as independent given the mean; "
        "a shared trend in time raises within correlations.",
    ]
    constant = result.variables.loc[result.variables["sd_within"] == 0, "label"].tolist()
    if constant:
        notes.append(f"Does not change within {plural(unit)}: {', '.join(constant)}.")
    equal = result.variables.loc[_without_between(result), "label"].tolist()
    if equal:
        notes.append(f"All {plural(unit)} have the same mean: {', '.join(equal)}.")
    return tuple(notes)


def correlation_sentence(result: Correlations) -> Sentence:
    """Return the strongest within-person and the strongest between-person correlation, and the ICCs."""
    labels = dict(zip(result.variables["term"], result.variables["label"], strict=True))
    unit = plural(result.by)
    parts = []
    for level in ("within", "between"):
        told = result.pairs[result.pairs["level"] == level].dropna(subset=["estimate"])
        if told.empty:
            continue
        row = told.iloc[int(np.argmax(told["estimate"].abs().to_numpy()))]
        where = f"{level.capitalize()} {unit}" if result.repeated else f"Across {unit}"
        interval = ""
        if not is_missing(row["conf_low"]):
            interval = f", {ci_text(row['conf_low'], row['conf_high'], level=result.level, leading_zero=False)}"
        estimate = format_fixed(row["estimate"], 2, leading_zero=False)
        parts.append(
            f"{where}, the strongest correlation was that of {labels[row['term_1']]} and {labels[row['term_2']]}, "
            f"r({format_fixed(row['df'], 0, commas=False)}) = {estimate}{interval}."
        )
    if result.repeated:
        shares = [
            f"{row.label} {format_fixed(row.icc, 2, leading_zero=False)}"
            for row in rows(result.variables[~_without_between(result)])
            if not is_missing(row.icc)
        ]
        parts.append(f"Intraclass correlations were: {', '.join(shares)}.")
    return Sentence(" ".join(parts), source=result)
