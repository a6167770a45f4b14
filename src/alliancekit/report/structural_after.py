"""Tables of what is computed after a structural fit: replicates of a bootstrap, reliability of factors."""

from __future__ import annotations

import pandas as pd

from alliancekit.core.columns import Kind
from alliancekit.core.errors import ReportError, message
from alliancekit.report.formatting import format_fixed, format_integer
from alliancekit.report.parts import Table
from alliancekit.structural.after.bootstrap import StructuralBootstrap

MISSING = {
    "listwise": "rows with a missing value left out",
    "fiml": "missing values by full information",
    "fiml.x": "missing values by full information",
    "pairwise": "missing values by pairs",
}
LIMITS = {
    "percentile": ("their percentiles", "percentiles"),
    "basic": ("their percentiles mirrored at the estimate", "basic limits"),
    "normal": ("normal, without their bias", "normal limits"),
    "bca": ("their percentiles corrected for bias and acceleration (BCa)", "BCa limits"),
    "bca.simple": ("their percentiles corrected for bias", "bias-corrected percentiles"),
}
"""Kinds of limits of a bootstrap, in a note and in brackets."""
_KINDS = {
    "ordinary": "rows drawn again",
    "parametric": "samples drawn from the model",
    "bollen.stine": "rows turned so that the model fits them",
    "yuan": "rows turned so that the model misfits them as estimated",
}
_LABELS = {
    "group": "Group",
    "factor": "Factor",
    "omega": "ω",
    "omega_responses": "ω of responses",
    "omega_implied": "ω implied",
    "alpha": "α",
    "ave": "AVE",
    "items": "Items",
    "omega_within": "ω within",
    "omega_two_level": "ω two-level",
    "omega_between": "ω between",
    "interrater": "Interrater",
}


def bootstrap_table(result: StructuralBootstrap, interval: str = "percentile") -> Table:
    """Return estimate, bias, standard error and limits of each parameter and definition."""
    found = result.tidy(interval)
    used = len(result.replicates)
    lost = result.asked - used
    left_out = f"; {lost:,} more could not be fitted and are left out" if lost else ""
    how = _KINDS.get(result.kind, result.kind)
    return Table(
        title="Bootstrap of the Structural Equation Model",
        data=found,
        stub=("term",),
        labels={"term": "", "bias": "Bias"},
        kinds={"bias": "estimate"},
        notes=(
            f"{used:,} bootstrap samples ({how}), seed {result.seed}{left_out}.",
            f"SE: standard deviation of the replicates; limits: {LIMITS[found.attrs['interval']][0]}; bias: their mean "
            "less the estimate.",
        ),
        source=result,
    )


def reliability_table(found: pd.DataFrame) -> Table:
    """Return the table of ``fit.reliability()``.

    Raises
    ------
    ReportError : another frame.
    """
    measures = [str(c) for c in found.columns if c not in ("group", "factor", "items")]
    if "factor" not in found or not set(measures) <= set(_LABELS):
        what = "this frame is not as fit.reliability() gave it"
        raise ReportError(message(what, do='Wrap it: Table("Title", frame) of alliancekit.report.parts'))
    kinds: dict[str, Kind] = dict.fromkeys(measures, "proportion")
    model = found.attrs.get("model")
    of = list(dict.fromkeys(map(str, found["factor"])))
    notes = ["ω: share of the variance of a sum of items that its factor explains."]
    notes += ["ω implied: by the variance that the model implies."] if "omega_implied" in found else []
    notes += ["AVE: average variance extracted."] if "ave" in found else []
    if model:
        how = MISSING.get(model["missing"], model["missing"])
        chisq = (
            f"χ²({format_fixed(model['df'], 0)}, N = {format_integer(model['n'])}) = {format_fixed(model['chisq'], 2)}"
        )
        notes.insert(0, f"From the model with {chisq} (estimator {model['estimator']}; {how}).")
    return Table(
        title=f"Reliability of {of[0]}" if len(of) == 1 else f"Reliability of the Factors {', '.join(of)}",
        data=found,
        stub=tuple(name for name in ("group", "factor") if name in found),
        labels={name: label for name, label in _LABELS.items() if name in found},
        kinds=kinds | ({"items": "integer"} if "items" in found else {}),
        decimals=dict.fromkeys(measures, 2),
        notes=tuple(notes),
        source=found,
    )
