"""What ``print`` shows of an effect size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from alliancekit.multilevel.after.effect_size import EffectSize

DF_WORDS = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "inner-outer": "inner-outer rule",
    "residual": "residual (n - p)",
    "normal": "infinite (normal)",
}


def time_text(value: object) -> str:
    """Return a value of time: a level as it is, a number with at most six digits."""
    return value if isinstance(value, str) else f"{float(value):g}"  # type: ignore[arg-type]


def question_text(result: EffectSize) -> str:
    """Return what the difference is of, in words."""
    if result.kind == "change":
        return f"change in {result.response} from {result.time} {time_text(result.start)} to {time_text(result.end)}"
    where = f" at {result.time} {time_text(result.end)}" if result.time else ""
    return f"adjusted means of {result.response}{where}"


def spread_text(result: EffectSize) -> str:
    """Return which SD it is counted in, in words."""
    when = f" at {result.time} {time_text(result.start)}" if result.time else ""
    if result.sd_kind == "given":
        return "an SD that was given"
    if result.sd_kind == "pooled":
        return f"the observed SD{when}, pooled within arms"
    names = [str(n) for n in result.parts["component"]]
    groups = ", ".join(n for n in names if n != "Residual")
    return f"the SD that the model implies{when} (random effects of {groups}, and residual)"


def effect_size_text(result: EffectSize) -> str:
    """Return the printed table of an effect size."""
    table = result.tidy()
    heads = ["contrast", "difference", "SD", "d", "SE", "lower.CL", "upper.CL", "df", "p.value", "g"]
    columns = ["difference", "sd", "estimate", "std_error", "conf_low", "conf_high"]
    lines = [heads]
    for i in range(len(table)):
        row = table.iloc[i]
        df = "Inf" if np.isinf(row["df"]) else f"{row['df']:.1f}"
        p = "<.0001" if row["p_value"] < 1e-4 else f"{row['p_value']:.4f}"
        lines.append([str(row["term"]), *(f"{row[c]:.3f}" for c in columns), df, p, f"{row['hedges_g']:.3f}"])
    widths = [max(len(line[j]) for line in lines) for j in range(len(heads))]
    body = [
        " " + "  ".join(v.ljust(w) if j == 0 else v.rjust(w) for j, (v, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    counted = "counts the error of the SD" if result.sd_error else "takes the SD as known"
    notes = [
        f"d: difference in {question_text(result)}, in units of {spread_text(result)}.",
        f"The interval {counted}. p is that of the difference. g: d corrected for small samples (Hedges).",
        f"Degrees of freedom: {DF_WORDS[result.df_method]}. Confidence level: {result.level:g}.",
        *result.notes,
        *result.outside,
    ]
    return "\n".join([f"Standardised mean differences between levels of {result.arm}", "", *body, "", *notes])
