"""Tables and sentences of the descriptive results: sample flow, description, correlations.

Counts of 1 to 4 people in a subgroup are not shown, nor the numbers that would give them away.
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
from alliancekit.report.formatting import ci_text, decimals_for, format_fixed, format_integer, is_missing
from alliancekit.report.grid import SMALLEST_COUNT
from alliancekit.report.parts import Figure, Sentence, Table
from alliancekit.study.correlations import Correlations
from alliancekit.study.describe import OVERALL, Description
from alliancekit.study.flow import SampleFlow

INDENT: Final = "\u2003"
HIDDEN: Final = "…"
SMALL: Final = f"<{SMALLEST_COUNT}"
PRESENTED: Final = (SampleFlow, Description, Correlations)
HIDING_NOTE: Final = f"Counts below {SMALLEST_COUNT}, and the numbers that would reveal them ({HIDDEN}), are not shown."


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


def plural(word: str, n: float = 2) -> str:
    """Return a unit's name in the plural: patient, patients; family, families."""
    text = word.replace("_", " ")
    if n == 1:
        return text
    return f"{text[:-1]}ies" if text.endswith("y") and text[-2:-1] not in "aeiou" else f"{text}s"


def reason_text(reason: str) -> str:
    """Return a recorded reason as words: "dropped_out" is shown as "dropped out"."""
    return reason.replace("_", " ")


# ------------------------------------------------------------------------------------------------- sample flow


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
    return line | {f"arm: {arm}": int(by_group[arm].n_units) for arm in flow.groups}


def _missing_lines(flow: SampleFlow, variable: str, levels: list[str]) -> list[dict[str, Any]]:
    told = {row.group: row for row in rows(flow.missing[flow.missing["variable"] == variable])}
    whole = told[OVERALL]
    column = whole.unit if whole.unit in levels else flow.by
    line: dict[str, Any] = {"part": "Missing values", "label": whole.label, column: int(whole.n_missing)}
    line["percent"] = float(whole.percent)
    if column == flow.by:
        line |= {f"arm: {arm}": int(told[arm].n_missing) for arm in flow.groups}
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
        most = missing.loc[missing["percent"].idxmax()]
        text += f" The largest share of missing values was {format_fixed(most['percent'], 1)}% ({most['label']})."
    return Sentence(text, source=flow)


# ------------------------------------------------------------------------------------------------- description


def hide_small(counts: NDArray[np.float64], sensitive: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return, for each cell of categories x (whole, groups ...), "" shown, "small" 1 to 4, or "also" hidden with it.

    A hidden cell could be worked out where it is the only one in its row (groups add up to the whole) or in its column
    (categories add up to the group's size); then the smallest other cell of that line is hidden too.

    Parameters
    ----------
    counts : categories x columns; the first column is the whole sample, which the others add up to.
    sensitive : cells that are hidden for being small.
    """
    state = np.where(sensitive & (counts > 0) & (counts < SMALLEST_COUNT), "small", "")
    changed = True
    while changed:
        changed = False
        lines = [(state[:, j], counts[:, j]) for j in range(counts.shape[1])]
        if counts.shape[1] > 1:
            lines += [(state[i, :], counts[i, :]) for i in range(counts.shape[0])]
        for shown, n in lines:
            open_ = np.flatnonzero(shown == "")
            if (shown != "").sum() == 1 and open_.size:
                ranked = sorted(open_.tolist(), key=lambda k, n=n: (n[k] == 0, n[k]))  # type: ignore[misc]
                shown[ranked[0]] = "also"
                changed = True
    return state


def description_table(result: Description) -> Table:
    """Return Table 1: numbers in columns where there are no groups and no categories, else one column per group."""
    if result.by is None and result.rows["category"].isna().all():
        return _number_table(result)
    groups = list(result.sizes)
    lines: list[dict[str, str]] = []
    hidden = False
    for variable in result.rows["variable"].drop_duplicates():
        told = result.rows[result.rows["variable"] == variable]
        made, hides = (
            _number_lines(told, groups, result) if told["category"].isna().all() else _count_lines(told, groups)
        )
        difference = result.differences.loc[result.differences["variable"] == variable, "smd"]
        made[0]["smd"] = format_fixed(difference.iloc[0], 2) if len(difference) and not is_missing(difference.iloc[0]) else ""
        lines += made
        hidden = hidden or hides
    columns = ["variable", *groups, *(["smd"] if len(result.differences) else [])]
    sizes = {group: f"{group} (n = {format_integer(n)})" for group, n in result.sizes.items()}
    return Table(
        title="Description of the Sample" + (" by Arm" if result.by else ""),
        data=pd.DataFrame(lines, columns=columns).fillna(""),
        kinds=dict.fromkeys(columns, "text"),
        labels={"variable": "", "smd": "SMD"} | sizes,
        stub=("variable",),
        notes=(*_description_notes(result), *([HIDING_NOTE] if hidden else [])),
        source=result,
        missing="",
    )


def _number_table(result: Description) -> Table:
    columns = ["label", "n", "n_missing", "mean", "sd", "median", "minimum", "maximum"]
    data = result.rows[columns].copy()
    labels = {"label": "", "n": "n", "n_missing": "Missing", "median": "Mdn", "minimum": "Min", "maximum": "Max"}
    data["label"] = [_with_unit(row, result) for row in rows(result.rows)]
    digits = decimals_for(data[["mean", "sd"]].to_numpy().ravel().tolist())
    exact = decimals_for(data[["median", "minimum", "maximum"]].to_numpy().ravel().tolist())
    whole = bool((data[["median", "minimum", "maximum"]] % 1 == 0).all(axis=None))
    return Table(
        title="Description of the Sample",
        data=data,
        kinds={"n": "integer", "n_missing": "integer", **dict.fromkeys(columns[3:], "estimate")},
        decimals={"mean": digits, "sd": digits} | dict.fromkeys(columns[5:], 0 if whole else exact),
        labels=labels,
        stub=("label",),
        notes=_description_notes(result),
        source=result,
    )


def _with_unit(row: Any, result: Description) -> str:
    return f"{row.label}ᵃ" if row.unit != result.level else str(row.label)


def _description_notes(result: Description) -> tuple[str, ...]:
    notes = []
    if (result.rows["unit"] != result.level).any():
        notes.append(
            f"ᵃ Changes within {plural(result.level)}: described over all {format_integer(result.n_rows)} rows."
        )
    if len(result.differences):
        pairs = result.differences["comparison"].drop_duplicates().tolist()
        which = f" ({pairs[0]})" if len(pairs) == 1 else ", of the two arms that differ most"
        notes.append(
            f"SMD = standardised mean difference{which}: difference of means in units of the root of the mean of the "
            "variances; of categories, without sign. Arms are not compared by tests: after randomisation such tests "
            "have nothing to test."
        )
    if result.rows["category"].notna().any():
        notes.append("Percentages are of the values that are there.")
    return tuple(notes)


def _number_lines(told: pd.DataFrame, groups: list[str], result: Description) -> tuple[list[dict[str, str]], bool]:
    found = {row.group: row for row in rows(told)}
    spread = decimals_for([v for row in found.values() for v in (row.mean, row.sd)])
    points = [v for row in found.values() for v in (row.median, row.minimum, row.maximum) if not is_missing(v)]
    exact = 0 if all(float(v).is_integer() for v in points) else decimals_for(points)
    half = max(exact, 1) if any(not float(v).is_integer() for v in points) else exact
    head: dict[str, str] = {"variable": f"{_with_unit(next(iter(found.values())), result)}, M (SD)"}
    middle = {"variable": f"{INDENT}Mdn [min, max]"}
    lost = {"variable": f"{INDENT}Missing, n"}
    counts = np.array([[float(found[g].n_missing) for g in groups], [float(found[g].n) for g in groups]])
    sensitive = np.zeros(counts.shape, dtype=bool)
    sensitive[:, 1:] = True
    state = hide_small(counts, sensitive)
    for j, group in enumerate(groups):
        row = found[group]
        few = state[1, j] == "small"
        head[group] = HIDDEN if few else f"{format_fixed(row.mean, spread)} ({format_fixed(row.sd, spread)})"
        ends = f"[{format_fixed(row.minimum, exact)}, {format_fixed(row.maximum, exact)}]"
        middle[group] = HIDDEN if few else f"{format_fixed(row.median, half)} {ends}"
        lost[group] = _shown(state[0, j], format_integer(row.n_missing))
    any_lost = counts[0, 0] > 0
    shown_hidden = bool((state[1] == "small").any()) or (any_lost and bool((state[0] != "").any()))
    return [head, middle, lost] if any_lost else [head, middle], shown_hidden


def _count_lines(told: pd.DataFrame, groups: list[str]) -> tuple[list[dict[str, str]], bool]:
    categories = told["category"].drop_duplicates().tolist()
    cells = {(row.category, row.group): row for row in rows(told)}
    counts = np.array([[float(cells[c, g].n) for g in groups] for c in categories])
    lost = np.array([[float(cells[categories[0], g].n_missing) for g in groups]])
    whole = np.concatenate([counts, lost]) if lost[0, 0] > 0 else counts
    sensitive = np.ones(whole.shape, dtype=bool)
    if lost[0, 0] > 0:
        sensitive[-1, 0] = False
    state = hide_small(whole, sensitive)
    mark = "ᵃ" if told["unit"].iloc[0] == "row" and "row" not in groups else ""
    first = told.iloc[0]
    lines = [{"variable": f"{first['label']}{mark if first['unit'] == 'row' else ''}, n (%)"} | dict.fromkeys(groups, "")]
    for i, category in enumerate(categories):
        line = {"variable": f"{INDENT}{category}"}
        for j, group in enumerate(groups):
            cell = cells[category, group]
            line[group] = _shown(state[i, j], f"{format_integer(cell.n)} ({format_fixed(cell.percent, 1)}%)")
        lines.append(line)
    if lost[0, 0] > 0:
        shown = [_shown(state[-1, j], format_integer(lost[0, j])) for j in range(len(groups))]
        lines.append({"variable": f"{INDENT}Missing"} | dict(zip(groups, shown, strict=True)))
    return lines, bool((state != "").any())


def _shown(state: str, text: str) -> str:
    return {"small": SMALL, "also": HIDDEN}.get(str(state), text)


def description_sentence(result: Description) -> Sentence:
    """Return the size of the sample, its numeric variables in words, and the largest difference between arms."""
    n = result.sizes[OVERALL]
    unit = "row" if result.level == "row" else result.level
    text = f"The sample comprised {format_integer(n)} {plural(unit, n)}"
    groups = [g for g in result.sizes if g != OVERALL]
    if groups:
        text += f" ({', '.join(f'{g}: {format_integer(result.sizes[g])}' for g in groups)})"
    text += "."
    whole = result.rows[(result.rows["group"] == OVERALL) & result.rows["category"].isna()]
    told = []
    for row in rows(whole[whole["unit"] == result.level]):
        digits = decimals_for([row.mean, row.sd])
        told.append(f"{row.label} (M = {format_fixed(row.mean, digits)}, SD = {format_fixed(row.sd, digits)})")
    if told:
        text += f" Means were: {', '.join(told)}."
    known = result.differences.dropna(subset=["smd"])
    if len(known):
        worst = known.loc[known["smd"].abs().idxmax()]
        label = result.rows.loc[result.rows["variable"] == worst["variable"], "label"].iloc[0]
        text += (
            f" The largest standardised difference between arms was {format_fixed(worst['smd'], 2)} "
            f"({label}, {worst['comparison']})."
        )
    return Sentence(text, source=result)
