"""What ``print`` shows of means, slopes and contrasts: the layout that emmeans users know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.multilevel.after.ddf import DDF_WORDS
from alliancekit.multilevel.after.margins import Margin, Setting, missing_note

if TYPE_CHECKING:
    from alliancekit.multilevel.after.contrasts import Contrasts

_ADJUST_WORDS = {
    "tukey": "Tukey's method for a family of {means} estimates",
    "dunnettx": "Dunnett's method (approximate) for {k} tests",
    "mvt": "multivariate t for {k} tests",
    "scheffe": "Scheffé's method",
    "sidak": "Šidák's method for {k} tests",
    "bonferroni": "Bonferroni's method for {k} tests",
    "holm": "Holm's method for {k} tests (intervals: Bonferroni)",
    "fdr": "false discovery rate of Benjamini and Hochberg for {k} tests (intervals: Bonferroni)",
}


def adjust_words(result: Contrasts) -> str:
    """Return how a set of contrasts was adjusted, in words; empty where it was not."""
    groups = len(result.lines.cells[list(result.setting.by)].drop_duplicates()) if result.setting.by else 1
    k = len(result.names) // groups
    if result.adjust == "none" or (k == 1 and result.adjust != "scheffe"):
        return ""
    each = " in each group" if groups > 1 else ""
    return _ADJUST_WORDS[result.adjust].format(means=result.means, k=k) + each


def margin_text(margin: Margin, frame: pd.DataFrame, title: str, name: str, tests: bool = False) -> str:
    """Return the printed table of means or slopes, grouped by ``by``. ``name`` : heading of the estimates."""
    heads = {name: "estimate", "SE": "std_error", "df": "df", "lower.CL": "conf_low", "upper.CL": "conf_high"}
    if tests:
        heads |= _tests(frame)
    body = _blocks(frame, margin.setting, list(margin.setting.factors), heads)
    notes = [*margin.setting.lines(), _method_line(margin), missing_note(frame)]
    return "\n".join([title, "", *body, "", *(n for n in notes if n)])


def contrasts_text(result: Contrasts) -> str:
    """Return the printed table of contrasts."""
    frame = result.tidy().rename(columns={"term": "contrast"})
    shown = [c for c in result.lines.cells.columns if c not in result.setting.by] or ["contrast"]
    heads = {
        result.scale.contrast_name.replace(" ", ".") if result.scale.ratios else "estimate": "estimate",
        "SE": "std_error",
        "df": "df",
        "lower.CL": "conf_low",
        "upper.CL": "conf_high",
        **_tests(frame),
    }
    body = _blocks(frame, result.setting, shown, heads)
    adjusted = adjust_words(result)
    scale = _scale_line(result)
    notes = [
        *result.setting.lines(),
        scale,
        f"Degrees of freedom: {DDF_WORDS[result.inference.method]}. Confidence level: {result.level:g}.",
        f"p values and intervals adjusted: {adjusted}." if adjusted else "",
        missing_note(frame),
    ]
    what = result.scale.contrast_name.capitalize() + "s"
    title = f"{what} between {result.quantity}"
    return "\n".join([title, "", *body, "", *(n for n in notes if n)])


def _tests(frame: pd.DataFrame) -> dict[str, str]:
    letter = "z" if np.isinf(frame["df"].dropna()).all() else "t"
    return {f"{letter}.ratio": "statistic", "p.value": "p_value"}


def _scale_line(result: Contrasts) -> str:
    if result.scale.ratios:
        return f"Tests are on the {'log odds' if result.scale.link_name == 'logit' else 'log'} scale."
    return "" if result.scale.link_name == "identity" else f"Differences are on the {result.scale.link_name} scale."


def _method_line(margin: Margin) -> str:
    text = f"Degrees of freedom: {DDF_WORDS[margin.inference.method]}. Confidence level: {margin.level:g}."
    if margin.scale.transforms:
        text += f" Averages and intervals are made on the {margin.scale.link_name} scale and taken back."
    elif margin.scale.link_name != "identity":
        text += f" Results are on the {margin.scale.link_name} scale."
    return text


def _blocks(frame: pd.DataFrame, setting: Setting, left: Sequence[str], heads: dict[str, str]) -> list[str]:
    """Return the lines of the table, a block for each group of ``by``."""
    cells = {name: _numbers(frame, column) for name, column in heads.items()}
    stub = {name: [setting.shown(name, v) for v in frame[name]] for name in left}
    columns = {**stub, **cells}
    widths = {name: max(len(name), *(len(v) for v in values)) for name, values in columns.items()}

    def line(values: dict[str, str]) -> str:
        shown = [v.ljust(widths[n]) if n in stub else v.rjust(widths[n]) for n, v in values.items()]
        return (" " + "  ".join(shown)).rstrip()

    out: list[str] = []
    before: tuple[str, ...] | None = None
    for i in range(len(frame)):
        group = tuple(f"{name} = {setting.shown(name, frame[name].iloc[i])}" for name in setting.by)
        if group != before:
            out += ([""] if out else []) + ([f"{', '.join(group)}:"] if group else [])
            out.append(line({name: name for name in columns}))
            before = group
        out.append(line({name: values[i] for name, values in columns.items()}))
    return out


def _numbers(frame: pd.DataFrame, column: str) -> list[str]:
    values = frame[column].to_numpy(dtype=float)
    if column == "df":
        return [f"{v:.1f}" if np.isfinite(v) else "Inf" if np.isinf(v) else "NA" for v in values]
    if column == "statistic":
        return [f"{v:.3f}" if np.isfinite(v) else "NA" for v in values]
    if column == "p_value":
        return ["NA" if np.isnan(v) else f"{v:.4f}" if v >= 1e-4 else "<.0001" for v in values]
    errors = frame["std_error"].to_numpy(dtype=float)
    errors = errors[np.isfinite(errors) & (errors > 0)]
    digits = 2 - int(np.floor(np.log10(errors.min()))) if errors.size else 3
    digits = min(max(digits, 0), 8)
    return [f"{v:.{digits}f}" if np.isfinite(v) else "NA" for v in values]
