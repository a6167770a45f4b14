"""The sample flow as a table and as sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.columns import Kind
from alliancekit.core.frames import rows
from alliancekit.report.formatting import format_fixed, format_integer
from alliancekit.report.grid import SMALLEST_COUNT
from alliancekit.report.parts import Sentence, Table
from alliancekit.report.study_words import INDENT, plural, reason_text
from alliancekit.study.flow import OVERALL, SampleFlow


def flow_frame(flow: SampleFlow) -> pd.DataFrame:
    """Return the rows of the flow table: part, label, one column per level, percent, one column per arm."""
    levels = _levels(flow)
    arms = flow.groups
    lines: list[dict[str, Any]] = []
    stages = flow.stages["stage"].drop_duplicates().tolist()
    start = _count(flow, stages[0], flow.by, OVERALL)
    for stage in stages:
        told = flow.exclusions[flow.exclusions["stage"] == stage]
        for reason in told["reason"].drop_duplicates():
            lines.append(_reason_line(flow, told[told["reason"] == reason], str(reason), levels))
        line: dict[str, Any] = {"part": "Flow", "label": stage}
        line |= {level: _count(flow, stage, level, OVERALL) for level in levels}
        line["percent"] = 100 * line[flow.by] / start if start else np.nan
        line |= {f"arm: {arm}": _count(flow, stage, flow.by, arm) for arm in arms}
        lines.append(line)
    for variable in flow.missing["variable"].drop_duplicates():
        lines += _missing_lines(flow, str(variable), levels)
    return pd.DataFrame(lines, columns=["part", "label", *levels, "percent", *(f"arm: {a}" for a in arms)])


def _levels(flow: SampleFlow) -> list[str]:
    """Return the levels that say something: rows are left out where each unit has one."""
    whole = flow.stages[flow.stages["group"] == OVERALL]
    levels = [str(level) for level in whole["level"].drop_duplicates()]
    units, rows_ = (whole.loc[whole["level"] == level, "n"].tolist() for level in (flow.by, "row"))
    return [level for level in levels if level != "row" or units != rows_]


def _count(flow: SampleFlow, stage: str, level: str, group: str) -> int:
    at = flow.stages
    found = at.loc[(at["stage"] == stage) & (at["level"] == level) & (at["group"] == group), "n"]
    return int(found.iloc[0])


def _reason_line(flow: SampleFlow, told: pd.DataFrame, reason: str, levels: list[str]) -> dict[str, Any]:
    by_group = {row.group: row for row in rows(told)}
    line: dict[str, Any] = {"part": "Flow", "label": f"{INDENT}Left out: {reason_text(reason)}"}
    line[flow.by] = int(by_group[OVERALL].n_units)
    if "row" in levels:
        line["row"] = int(by_group[OVERALL].n_rows)
    return line | _by_arm({arm: int(by_group[arm].n_units) for arm in flow.groups})


def _by_arm(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts by arm; none where an arm has so few people that they might be known."""
    if any(0 < n < SMALLEST_COUNT for n in counts.values()):
        return {}
    return {f"arm: {arm}": n for arm, n in counts.items()}


def _missing_lines(flow: SampleFlow, variable: str, levels: list[str]) -> list[dict[str, Any]]:
    told = {row.group: row for row in rows(flow.missing[flow.missing["variable"] == variable])}
    whole = told[OVERALL]
    column = whole.unit if whole.unit in levels else flow.by
    line: dict[str, Any] = {"part": "Missing values", "label": whole.label, column: int(whole.n_missing)}
    line["percent"] = float(whole.percent)
    if column == flow.by:
        line |= _by_arm({arm: int(told[arm].n_missing) for arm in flow.groups})
    lines = [line]
    for row in rows(flow.reasons[flow.reasons["variable"] == variable]):
        lines.append({"part": "Missing values", "label": f"{INDENT}{reason_text(row.reason)}", column: int(row.n)})
    return lines


def flow_table(flow: SampleFlow) -> Table:
    """Return the flow and the missing values as one table."""
    data = flow_frame(flow)
    levels, arms = _levels(flow), [c for c in data.columns if str(c).startswith("arm: ")]
    kinds: dict[str, Kind] = {**dict.fromkeys([*levels, *arms], "integer"), "percent": "percent"}
    labels = {"label": "", "percent": "%"} | {level: plural(level).capitalize() for level in levels}
    labels |= {arm: arm.removeprefix("arm: ") for arm in arms}
    stay = f"%: {plural(flow.by)} who remain (flow), values that are missing (below)."
    notes = [stay]
    if "row" in levels:
        notes.append(
            f"Rows are observations; left-out rows include those of {plural(flow.by)} who remain. A missing value is "
            f"counted among the {plural(flow.by)} where the variable belongs to them, else among the rows."
        )
    if arms:
        notes.append(
            f"Those left out and missing values are given by arm where each arm has none or at least {SMALLEST_COUNT}."
        )
    suppress = {arm: tuple(other for other in arms if other != arm) for arm in arms}
    return Table(
        title="Sample Flow and Missing Values",
        data=data,
        kinds=kinds,
        labels=labels,
        stub=("label",),
        group="part",
        spans={plural(flow.by).capitalize() + " by arm": tuple(arms)} if arms else {},
        notes=tuple(notes),
        source=flow,
        suppress=suppress,
        missing="",
    )


def flow_sentence(flow: SampleFlow) -> Sentence:
    """Return who was in the data, who remained, and why others did not."""
    data = flow_frame(flow)
    stages = data[(data["part"] == "Flow") & ~data["label"].str.startswith(INDENT)]
    first, last = stages.iloc[0], stages.iloc[-1]
    people = plural(flow.by)
    higher = [level for level in _levels(flow) if level not in (flow.by, "row")]
    around = [f"{format_integer(first[level])} {plural(level, first[level])}" for level in higher]
    if "row" in data:
        around.append(f"{format_integer(first['row'])} rows")
    inside = f" ({', '.join(around)})" if around else ""
    text = f"The data hold {format_integer(first[flow.by])} {people}{inside}."
    if len(stages) > 1:
        verb = {"Analysed": "were analysed", "Outcome observed": "had the outcome"}.get(last["label"], "remained")
        text += f" Of them, {format_integer(last[flow.by])} ({format_fixed(last['percent'], 1)}%) {verb}"
        told = data[data["label"].str.startswith(INDENT) & (data["part"] == "Flow") & (data[flow.by] > 0)]
        reasons = [
            f"{r['label'].strip().removeprefix('Left out: ')} (n = {format_integer(r[flow.by])})"
            for r in told.to_dict("records")
        ]
        text += f"; left out were: {'; '.join(reasons)}." if reasons else "."
        if "row" in data and last["row"] < first["row"]:
            text += f" They contributed {format_integer(last['row'])} rows."
    missing = data[(data["part"] == "Missing values") & (data["percent"] > 0)]
    if len(missing):
        most = missing.iloc[int(np.argmax(missing["percent"].to_numpy()))]
        text += f" The largest share of missing values was {format_fixed(most['percent'], 1)}% ({most['label']})."
    return Sentence(text, source=flow)
