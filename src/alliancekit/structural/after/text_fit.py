"""The upper half of the printed summary: what was fitted to what, tests of the model, fit measures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alliancekit.structural.after.model_tests import Row, main_test, requested
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.twolevel.estimate import ClusteredFit

LEFT, CELL = 42, 12
CORRECTIONS = {
    "satorra.bentler": "Satorra-Bentler correction",
    "yuan.bentler": "Yuan-Bentler correction",
    "yuan.bentler.mplus": "Yuan-Bentler correction (Mplus variant)",
    "mean.var.adjusted": "mean and variance adjusted correction",
    "scaled.shifted": "simple second-order correction",
}
LABELS = {
    "bollen.stine": "Bollen-Stine bootstrap",
    "browne.residual.nt": "Browne's residual-based (NT) test",
    "browne.residual.adf": "Browne's residual-based (ADF) test",
    "browne.residual.nt.model": "Browne's residual (NT model-based) test",
    "browne.residual.adf.model": "Browne's residual (ADF model-based) test",
}
ERRORS = {
    "standard": "Standard",
    "robust.huber.white": "Sandwich",
    "robust.sem": "Robust.sem",
    "first.order": "Standard",
    "bootstrap": "Bootstrap",
    "none": "None",
}


def head(fit: StructuralEstimates) -> list[str]:
    """Return what was fitted: estimator, parameters, observations."""
    steps = f"{fit.iterations} iteration{'' if fit.iterations == 1 else 's'}"
    state = f"ended normally after {steps}" if fit.converged else "DID NOT END NORMALLY"
    lines = [f"alliancekit {state}", ""]
    tied = 0 if fit.rotation is not None else fit.table.n_free - fit.n_parameters
    count = fit.n_parameters if fit.rotation is not None else fit.table.n_free
    lines += [_pair("Estimator", fit.options.estimator), _pair("Number of model parameters", str(count))]
    if tied > 0:
        lines.append(_pair("Number of equality constraints", str(tied)))
    unequal = sum(op in ("<", ">") for op in fit.table.op)
    if unequal:
        lines.append(_pair("Number of inequality constraints", str(unequal)))
    lines += ["", *_rotated(fit)]
    groups = fit.sample.groups
    account = fit.sample.account
    if len(groups) == 1:
        used = account.n_rows != account.n_used
        lines += [_cells("", "Used", "Total")] if used else []
        counts = (str(groups[0].n), str(account.n_rows)) if used else (str(groups[0].n),)
        lines.append(_cells("Number of observations", *counts))
    else:
        lines.append("  Number of observations per group:")
        lines += [_pair(f"  {group.label}", str(group.n)) for group in groups]
    return [*lines, *_structure(fit)]


def _rotated(fit: StructuralEstimates) -> list[str]:
    """Return how exploratory factors were rotated."""
    words = fit.options.rotation
    if fit.rotation is None:
        return []
    how = "orthogonal" if words.orthogonal else "oblique"
    lines = [_pair("Rotation method", f"{words.criterion} {how}")]
    own = {"geomin": ("Geomin epsilon", words.geomin_epsilon), "oblimin": ("Oblimin gamma", words.oblimin_gamma)}
    if words.criterion in own:
        name, value = own[words.criterion]
        lines.append(_pair(name, f"{value:g}"))
    lines.append(_pair("Standardized metric", str(words.std_ov).upper()))
    return [*lines, _pair("Row weights", words.row_weights.capitalize()), ""]


def _structure(fit: StructuralEstimates) -> list[str]:
    """Return the number of clusters or of patterns of missing values."""
    source = fit.source
    labels = [group.label for group in fit.sample.groups]
    if isinstance(source, ClusteredFit):
        name = fit.options.cluster or "cluster"
        counts = [group.n_clusters for group in source.data.groups]
        return _by_group(f"Number of clusters [{name}]", labels, counts)
    lines = []
    if fit.options.cluster is not None:
        counts = [len(np.unique(group.clusters)) for group in fit.sample.groups if group.clusters is not None]
        lines += _by_group(f"Number of clusters [{fit.options.cluster}]", labels, counts)
    if isinstance(source, IncompleteFit) and fit.options.missing != "listwise":
        patterns = [group.size.size for group in source.data.groups]
        lines += _by_group("Number of missing patterns", labels, patterns)
    return lines


def _by_group(name: str, labels: list[str], counts: list[int]) -> list[str]:
    if len(labels) == 1:
        return [_pair(name, str(counts[0]))]
    rows = zip(labels, counts, strict=True)
    return [f"  {name} per group:", *(_pair(f"  {label}", str(count)) for label, count in rows)]


def tests(fit: StructuralEstimates, m: pd.Series) -> list[str]:
    """Return the test of the model, its scaled form, and the other tests that were asked for."""
    if fit.options.test == "none":
        return ["No test of the model was asked for."]
    others = [row for row in requested(fit)[1:] if row[0] != main_test(fit)]
    return [*_main(fit, m), *(line for row in others for line in _other(fit, row))]


def _other(fit: StructuralEstimates, row: Row) -> list[str]:
    """Return a test beside the standard one and the one by which measures are scaled."""
    word, statistic, df, p, factor = row
    lines = ["", f"  {(CORRECTIONS | LABELS)[word]}:", _pair("  Test statistic", _number(statistic))]
    lines.append(_pair("  Degrees of freedom", _number(df, whole=True)))
    name = "  P-value (Bollen-Stine bootstrap)" if word == "bollen.stine" else "  P-value (Chi-square)"
    lines += [_pair(name, _number(p))] if df > 0 else []
    lines += [_pair("  Scaling correction factor", _number(factor))] if word in CORRECTIONS else []
    if word == "scaled.shifted":
        lines.append(_pair("  Shift parameter", _number(fit.more_tests[word].shift)))
    return lines


def _main(fit: StructuralEstimates, m: pd.Series) -> list[str]:
    """Return the test of the model, and its scaled form."""
    scaled = "chisq_scaled" in m
    lines = ["Model Test User Model:"]
    lines.append(_cells("", "Standard", "Scaled") if scaled else "")
    lines += [
        _measure("Test statistic", m, "chisq"),
        _measure("Degrees of freedom", m, "df"),
    ]
    if m["df"] > 0:
        lines.append(_measure("P-value (Chi-square)", m, "pvalue"))
    if scaled:
        lines.append(_cells("Scaling correction factor", "", _number(m["chisq_scaling_factor"])))
        if fit.options.test == "scaled.shifted":
            lines.append(_cells("Shift parameter", "", _number(fit.test.shift)))
        lines.append(f"    {CORRECTIONS.get(main_test(fit), main_test(fit))}")
    return lines


def measures(m: pd.Series, tested: bool = True) -> list[str]:
    """Return the fit measures that lavaan prints; those that need a test only where there is one."""
    size = ["Standardized Root Mean Square Residual:", ""]
    if "srmr_within" in m:
        size += [_pair("SRMR (within covariance matrix)", _number(m["srmr_within"]))]
        size += [_pair("SRMR (between covariance matrix)", _number(m["srmr_between"]))]
    else:
        size.append(_pair("SRMR", _number(m["srmr"])))
    likelihood = _likelihood(m) if "logl" in m and m["logl"] == m["logl"] else []
    if tested:
        return [*_against_baseline(m), *([""] if likelihood else []), *likelihood, "", *_rmsea(m), "", *size]
    return [*likelihood, *([""] if likelihood else []), *size]


def _against_baseline(m: pd.Series) -> list[str]:
    """Return the test of independence, and the measures that compare the model with it."""
    lines = ["Model Test Baseline Model:", ""]
    lines += [
        _measure("Test statistic", m, "baseline_chisq"),
        _measure("Degrees of freedom", m, "baseline_df"),
        _measure("P-value", m, "baseline_pvalue"),
    ]
    if "baseline_chisq_scaling_factor" in m:
        lines.append(_cells("Scaling correction factor", "", _number(m["baseline_chisq_scaling_factor"])))
    lines += ["", "User Model versus Baseline Model:", ""]
    lines += [_measure("Comparative Fit Index (CFI)", m, "cfi"), _measure("Tucker-Lewis Index (TLI)", m, "tli")]
    wide = 1 if "cfi_scaled" in m else 0
    if "cfi_robust" in m:
        lines += ["", _robust("Robust Comparative Fit Index (CFI)", m, "cfi_robust", wide)]
        lines.append(_robust("Robust Tucker-Lewis Index (TLI)", m, "tli_robust", wide))
    return lines


def _likelihood(m: pd.Series) -> list[str]:
    lines = ["Loglikelihood and Information Criteria:", ""]
    for name, key, factor in (
        ("Loglikelihood user model (H0)", "logl", "scaling_factor_h0"),
        ("Loglikelihood unrestricted model (H1)", "unrestricted_logl", "scaling_factor_h1"),
    ):
        lines.append(_pair(name, _number(m[key])))
        if factor in m:
            lines.append(_cells("Scaling correction factor", "", _number(m[factor])))
    lines += ["", _pair("Akaike (AIC)", _number(m["aic"])), _pair("Bayesian (BIC)", _number(m["bic"]))]
    return [*lines, _pair("Sample-size adjusted Bayesian (SABIC)", _number(m["bic2"]))]


def _rmsea(m: pd.Series) -> list[str]:
    wide = 1 if "cfi_scaled" in m else 0
    rows = (
        ("RMSEA", "rmsea"),
        ("90 Percent confidence interval - lower", "rmsea_ci_lower"),
        ("90 Percent confidence interval - upper", "rmsea_ci_upper"),
        ("P-value H_0: RMSEA <= 0.050", "rmsea_pvalue"),
        ("P-value H_0: RMSEA >= 0.080", "rmsea_notclose_pvalue"),
    )
    lines = ["Root Mean Square Error of Approximation:", "", *(_measure(name, m, key) for name, key in rows)]
    if "rmsea_robust" in m:
        names = (name.replace("RMSEA", "Robust RMSEA") for name, _ in rows)
        lines += ["", *(_robust(name, m, f"{key}_robust", wide) for name, (_, key) in zip(names, rows, strict=True))]
    return lines


def how_estimated(fit: StructuralEstimates) -> list[str]:
    """Return how standard errors were computed."""
    options = fit.options
    errors = ERRORS.get(options.se, options.se)
    if options.cluster is not None and fit.table.n_levels == 1 and options.se in ("standard", "robust.huber.white"):
        errors = "Robust.cluster"
    lines = ["Parameter Estimates:", "", _pair("Standard errors", errors)]
    if options.se in ("none", "bootstrap"):
        return lines
    name = "Information bread" if options.se == "robust.huber.white" else "Information"
    kind = "First.order" if options.se == "first.order" else options.information.capitalize()
    lines.append(_pair(name, kind))
    if kind == "Observed":
        lines.append(_pair("Observed information based on", options.words.observed[0].capitalize()))
    elif options.words.h1[0] == "unstructured":
        lines.append(_pair("Information saturated (h1) model", "Unstructured"))
    return lines


def _measure(name: str, m: pd.Series, key: str) -> str:
    """Return a line with a measure, and its scaled form where there is one."""
    cells = [_number(m[key], whole=key.endswith("df"))]
    if f"{key}_scaled" in m:
        cells.append(_number(m[f"{key}_scaled"], whole=key.endswith("df")))
    return _cells(name, *cells)


def _robust(name: str, m: pd.Series, key: str, wide: int) -> str:
    return _cells(name, *([""] * wide), _number(m[key]))


def _number(value: float, *, whole: bool = False) -> str:
    if value != value:
        return "NA"
    return f"{value:.0f}" if whole and float(value).is_integer() else f"{value:.3f}"


def _pair(name: str, value: str) -> str:
    return _cells(name, value)


def _cells(name: str, *values: str) -> str:
    return (f"  {name}".ljust(LEFT) + "".join(value.rjust(CELL) for value in values)).rstrip()
