"""The description of the sample as Table 1, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.frames import rows
from alliancekit.report.formatting import decimals_for, format_fixed, format_integer, is_missing
from alliancekit.report.grid import SMALLEST_COUNT
from alliancekit.report.parts import Sentence, Table
from alliancekit.report.study_words import HIDDEN, HIDING_NOTE, INDENT, SMALL, hide_small, plural
from alliancekit.study.describe import OVERALL, Description


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
            _number_lines(told, groups, result) if told["category"].isna().all() else _count_lines(told, groups, result)
        )
        difference = result.differences.loc[result.differences["variable"] == variable, "smd"]
        made[0]["smd"] = (
            format_fixed(difference.iloc[0], 2) if len(difference) and not is_missing(difference.iloc[0]) else ""
        )
        lines += made
        hidden = hidden or hides
    columns = ["variable", *groups, *(["smd"] if len(result.differences) else [])]
    sizes = {group: f"{group} (n = {format_integer(n)})" for group, n in result.sizes.items()}
    return Table(
        title="Description of the Sample" + (" by Arm" if result.by else ""),
        data=pd.DataFrame(lines, columns=columns).fillna(""),
        kinds=dict.fromkeys(columns, "text"),
        labels={"variable": "", **({"smd": "SMD"} if "smd" in columns else {}), **sizes},
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
    whole = bool((data[["minimum", "maximum"]] % 1 == 0).all(axis=None))
    return Table(
        title="Description of the Sample",
        data=data,
        kinds={"n": "integer", "n_missing": "integer", **dict.fromkeys(columns[3:], "estimate")},
        decimals={"mean": digits, "sd": digits, "median": 1 if whole else exact}
        | dict.fromkeys(columns[6:], 0 if whole else exact),
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
    ends_ = [v for row in found.values() for v in (row.minimum, row.maximum) if not is_missing(v)]
    whole = all(float(v).is_integer() for v in ends_)
    exact = 0 if whole else decimals_for(ends_)
    between = any(not is_missing(r.median) and not float(r.median).is_integer() for r in found.values())
    half = max(exact, 1 if between else 0)
    head: dict[str, str] = {"variable": f"{_with_unit(next(iter(found.values())), result)}, M (SD)"}
    middle = {"variable": f"{INDENT}Mdn [min, max]"}
    lost = {"variable": f"{INDENT}Missing, n"}
    counts = np.array([[float(found[g].n_missing) for g in groups]])
    sensitive = np.ones(counts.shape, dtype=bool)
    sensitive[:, 0] = False
    state = hide_small(counts, sensitive)[0]
    few = [j > 0 and 0 < found[g].n < SMALLEST_COUNT for j, g in enumerate(groups)]
    for j, group in enumerate(groups):
        row = found[group]
        ends = f"[{format_fixed(row.minimum, exact)}, {format_fixed(row.maximum, exact)}]"
        head[group] = HIDDEN if few[j] else f"{format_fixed(row.mean, spread)} ({format_fixed(row.sd, spread)})"
        middle[group] = HIDDEN if few[j] else f"{format_fixed(row.median, half)} {ends}"
        lost[group] = _shown(state[j], format_integer(row.n_missing))
    any_lost = counts[0, 0] > 0
    shown_hidden = any(few) or (any_lost and bool((state != "").any()))
    return [head, middle, lost] if any_lost else [head, middle], shown_hidden


def _count_lines(told: pd.DataFrame, groups: list[str], result: Description) -> tuple[list[dict[str, str]], bool]:
    categories = told["category"].drop_duplicates().tolist()
    cells = {(row.category, row.group): row for row in rows(told)}
    counts = np.array([[float(cells[c, g].n) for g in groups] for c in categories])
    lost = np.array([[float(cells[categories[0], g].n_missing) for g in groups]])
    whole = np.concatenate([counts, lost]) if lost[0, 0] > 0 else counts
    sensitive = np.ones(whole.shape, dtype=bool)
    if lost[0, 0] > 0:
        sensitive[-1, 0] = False
    state = hide_small(whole, sensitive)
    first = next(rows(told))
    lines = [{"variable": f"{_with_unit(first, result)}, n (%)"} | dict.fromkeys(groups, "")]
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
        worst = known.iloc[int(np.argmax(known["smd"].abs().to_numpy()))]
        label = result.rows.loc[result.rows["variable"] == worst["variable"], "label"].iloc[0]
        text += f" The largest standardised difference between arms was {format_fixed(worst['smd'], 2)} ({label})."
    return Sentence(text, source=result)
