"""How well structural models fit: in words, side by side, and step by step as in tests of invariance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliancekit.core.columns import Kind
from alliancekit.core.errors import SpecError, message
from alliancekit.report.formatting import format_fixed, format_integer, format_interval, p_text
from alliancekit.report.parts import Table
from alliancekit.report.structural_after import MISSING
from alliancekit.structural.compare import StructuralComparison
from alliancekit.structural.result.fit import StructuralFit

MEASURES: tuple[str, ...] = ("chisq", "df", "p_value", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high")
MEASURES += ("srmr", "srmr_within", "srmr_between", "aic", "bic")
LABELS = {
    "model": "Model",
    "chisq": "χ²",
    "cfi": "CFI",
    "tli": "TLI",
    "rmsea": "RMSEA",
    "rmsea_low": "Low",
    "rmsea_high": "High",
    "srmr": "SRMR",
    "srmr_within": "Within",
    "srmr_between": "Between",
    "chisq_diff": "Δχ²",
    "df_diff": "Δdf",
    "p_diff": "p",
    "cfi_diff": "ΔCFI",
    "rmsea_diff": "ΔRMSEA",
    "srmr_diff": "ΔSRMR",
}


def preferred(fit: StructuralFit) -> dict[str, float]:
    """Return the measures to report: robust ones where there are some, else those of the plain test."""
    m = fit.fit_measures()

    def best(name: str, *ends: str) -> float:
        for end in (*ends, ""):
            if name + end in m and np.isfinite(m[name + end]):
                return float(m[name + end])
        return float("nan")

    out = {"chisq": best("chisq", "_scaled"), "df": best("df", "_scaled"), "p_value": best("pvalue", "_scaled")}
    for name in ("cfi", "tli", "rmsea"):
        out[name] = best(name, "_robust", "_scaled")
    out["rmsea_low"] = best("rmsea_ci_lower", "_robust", "_scaled")
    out["rmsea_high"] = best("rmsea_ci_upper", "_robust", "_scaled")
    return out | {name: best(name) for name in ("srmr", "srmr_within", "srmr_between", "aic", "bic")}


def fit_words(fit: StructuralFit) -> str:
    """Return the fit of a model in APA style, one sentence."""
    found = preferred(fit)
    n = format_integer(fit.nobs)
    if found["df"] < 0 or fit._fit.test.df < 0:
        return f"The model is not identified (df = {format_fixed(fit._fit.test.df, 0)}): its fit cannot be tested."
    if fit._fit.options.test == "none":
        return "No test of the model was asked for."
    if found["df"] == 0:
        return "The model is saturated (df = 0): its fit cannot be tested."
    df = format_fixed(found["df"], 0 if float(found["df"]).is_integer() else 1)
    measures = fit.fit_measures()
    scaled = "scaled " if "chisq_scaled" in measures else ""
    parts = [f"{scaled}χ²({df}, N = {n}) = {format_fixed(found['chisq'], 2)}"]
    parts += [p_text(found["p_value"])] if np.isfinite(found["p_value"]) else []
    robust, of_tli, robust_error = (
        next(
            (
                word
                for end, word in (("_robust", "robust "), ("_scaled", "scaled "))
                if np.isfinite(measures.get(name + end, np.nan))
            ),
            "",
        )
        for name in ("cfi", "tli", "rmsea")
    )
    parts.append(f"{robust}CFI = {_share(found['cfi'], 3)}")
    parts.append(f"{of_tli}TLI = {_share(found['tli'], 3)}")
    interval = format_interval(found["rmsea_low"], found["rmsea_high"], 3, leading_zero=False)
    parts.append(f"{robust_error}RMSEA = {_share(found['rmsea'], 3)}, 90% CI {interval}")
    for name in ("srmr_within", "srmr_between") if "srmr_within" in measures else ("srmr",):
        if np.isfinite(found[name]):
            parts.append(f"{name.replace('srmr', 'SRMR').replace('_', ' ')} = {_share(found[name], 3)}")
    return f"Fit: {', '.join(parts)}."


def _share(value: float, decimals: int) -> str:
    return format_fixed(value, decimals, leading_zero=value > 1)


def fit_table(fits: Sequence[StructuralFit], names: Sequence[str] | None = None) -> Table:
    """Return the fit of several models, one row each, with the change of the measures from the row before."""
    heads = [f"Model {k}" for k in range(1, len(fits) + 1)] if names is None else [str(name) for name in names]
    if len(heads) != len(fits) or len(set(heads)) < len(heads):
        what = f"{len(heads)} names for {len(fits)} models" if len(heads) != len(fits) else "a name stands twice"
        raise SpecError(message(what, where="names=", do="Give one name for each model, all different"))
    data = _measures(fits, heads)
    lost = [head for head, fit in zip(heads, fits, strict=True) if not fit.converged]
    notes = [f"The search did not end at an optimum, and the numbers are not to be used: {', '.join(lost)}."]
    return _table(data, fits, "Fit of the Models", notes if lost else ())


def comparison_table(result: StructuralComparison) -> Table:
    """Return fit, difference tests and changes of fit of nested models, each against the one above."""
    data = _measures(result.fits, result.names).drop(columns=["p_value", "tli"], errors="ignore")
    tests = result.tidy()
    for name, column in (("chisq_diff", "chisq_diff"), ("df_diff", "df_diff"), ("p_diff", "p_value")):
        data[name] = tests[column].to_numpy()
    for name in ("cfi", "rmsea", "srmr"):
        if name in data:
            data[f"{name}_diff"] = data[name].diff()
    data = data[[name for name in data if name not in ("aic", "bic")] + [n for n in ("aic", "bic") if n in data]]
    notes = ("Each model is tested against the one above; Δ: change from it.", *spoken_notes(result))
    return _table(data, result.fits, "Difference Tests of Nested Models", notes)


def spoken_notes(result: StructuralComparison) -> list[str]:
    """Return the notes of a comparison as they hold for its table, where statistics are scaled if they can be."""
    return [note.replace("; chisq is not scaled", "") for note in result.notes]


def _measures(fits: Sequence[StructuralFit], names: Sequence[str]) -> pd.DataFrame:
    found = pd.DataFrame([preferred(fit) for fit in fits])
    found.insert(0, "model", list(names))
    found["srmr"] = found["srmr"].where(found["srmr_within"].isna())  # the sum of two levels says less than each
    return found[["model", *MEASURES]].dropna(axis="columns", how="all")


def _table(data: pd.DataFrame, fits: Sequence[StructuralFit], title: str, notes: Sequence[str]) -> Table:
    names = [str(c) for c in data.columns]
    kinds: dict[str, Kind] = {c: "proportion" for c in names if c.startswith(("cfi", "tli", "rmsea", "srmr"))}
    decimals = dict.fromkeys(kinds, 3)
    kinds |= {c: "integer" for c in ("df", "df_diff") if c in names and bool((data[c].dropna() % 1 == 0).all())}
    kinds |= {c: "statistic" for c in ("chisq", "chisq_diff", "aic", "bic") if c in names}
    levels = tuple(name for name in ("srmr_within", "srmr_between") if name in names)
    if "p_diff" in names:
        kinds["p_diff"] = "p"
    robust = any("chisq_scaled" in fit.fit_measures() for fit in fits)
    about = ["χ² is scaled; CFI, TLI and RMSEA are robust forms where these exist."] if robust else []
    counts = sorted({fit.nobs for fit in fits})
    rows = " and ".join(f"{count:,}" for count in counts)
    methods = sorted({(fit._fit.options.estimator, fit._fit.options.missing) for fit in fits})
    about += [f"Estimator {estimator}; {MISSING.get(missing, missing)}." for estimator, missing in methods]
    return Table(
        title=title,
        data=data,
        stub=("model",),
        labels={name: label for name, label in LABELS.items() if name in names},
        kinds=kinds,
        decimals=decimals,
        spans={"90% CI": ("rmsea_low", "rmsea_high")} | ({"SRMR": levels} if levels else {}),
        notes=(*notes, *about, f"N = {rows}."),
        missing="",
        source=fits[-1],
    )
