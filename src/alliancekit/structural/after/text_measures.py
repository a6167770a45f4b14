"""The fit measures in the printed summary, those that lavaan prints."""

from __future__ import annotations

import pandas as pd

from alliancekit.structural.after.text_pairs import Pairs, aligned
from alliancekit.structural.estimates import StructuralEstimates

_RMSEA = (
    ("RMSEA", "rmsea"),
    ("90 Percent confidence interval - lower", "rmsea_ci_lower"),
    ("90 Percent confidence interval - upper", "rmsea_ci_upper"),
    ("P-value H_0: RMSEA <= 0.050", "rmsea_pvalue"),
    ("P-value H_0: RMSEA >= 0.080", "rmsea_notclose_pvalue"),
)


def fit_measures(fit: StructuralEstimates, m: pd.Series) -> list[str]:
    """Return the sections of fit measures; those that need a test only where there is one."""
    twice = "chisq_scaled" in m
    robust = "cfi_robust" in m and fit.options.test != "mean.var.adjusted"  # as in lavaan
    base = [
        measure("Test statistic", m, "baseline_chisq"),
        measure("Degrees of freedom", m, "baseline_df"),
        measure("P-value", m, "baseline_pvalue"),
    ]
    if "baseline_chisq_scaling_factor" in m:
        base.append(("Scaling correction factor", "", number(m["baseline_chisq_scaling_factor"])))
    against: Pairs = [measure("Comparative Fit Index (CFI)", m, "cfi"), measure("Tucker-Lewis Index (TLI)", m, "tli")]
    close = [measure(name, m, key) for name, key in _RMSEA]
    if robust:
        against += [("",), _robust("Robust Comparative Fit Index (CFI)", m, "cfi", twice)]
        against.append(_robust("Robust Tucker-Lewis Index (TLI)", m, "tli", twice))
        names = (name.replace("RMSEA", "Robust RMSEA") for name, _ in _RMSEA)
        close += [("",), *(_robust(name, m, key, twice) for name, (_, key) in zip(names, _RMSEA, strict=True))]
    if fit.options.test == "none":
        base, against, close = [], [], []
    title = "Standardized Root Mean Square Residual"
    sections = {
        "Model Test Baseline Model": aligned(base, 35, 16),
        "User Model versus Baseline Model": aligned(against),
        "Loglikelihood and Information Criteria": aligned(_likelihood(m, twice), 39, 12),
        "Root Mean Square Error of Approximation": aligned(close),
        f"{title} (corr metric)" if "srmr_within" in m else title: aligned(_residuals(m, twice)),
    }
    lines = [line for heading, rows in sections.items() if rows for line in (f"{heading}:", "", *rows, "")]
    return lines[:-1]


def _likelihood(m: pd.Series, twice: bool) -> Pairs:
    """Return log-likelihoods and what is made of them; below a scaled test they stand in both columns, as in lavaan."""
    rows: Pairs = []
    if "logl" not in m or m["logl"] != m["logl"]:
        return rows
    for name, key, factor in (
        ("Loglikelihood user model (H0)", "logl", "scaling_factor_h0"),
        ("Loglikelihood unrestricted model (H1)", "unrestricted_logl", "scaling_factor_h1"),
    ):
        rows.append(_same(name, m[key], twice))
        if factor in m:
            rows += [("Scaling correction factor", "", number(m[factor])), ("    for the MLR correction",)]
    rows += [("",), _same("Akaike (AIC)", m["aic"], twice), _same("Bayesian (BIC)", m["bic"], twice)]
    return [*rows, _same("Sample-size adjusted Bayesian (SABIC)", m["bic2"], twice)]


def _residuals(m: pd.Series, twice: bool) -> Pairs:
    if "srmr_within" not in m:
        return [_same("SRMR", m["srmr"], twice)]
    keys = {"within": "srmr_within", "between": "srmr_between"}
    return [_same(f"SRMR ({name} covariance matrix)", m[key], twice) for name, key in keys.items()]


def measure(name: str, m: pd.Series, key: str) -> tuple[str, ...]:
    """Return a measure, and its scaled form where there is one."""
    keys = (key, f"{key}_scaled")
    return (name, *(number(m[k], whole=key.endswith("df")) for k in keys if k in m))


def number(value: float, *, whole: bool = False) -> str:
    """Return a number with three decimals; ``whole`` without any where it has none."""
    if value != value:
        return "NA"
    return f"{value:.0f}" if whole and float(value).is_integer() else f"{value:.3f}"


def _same(name: str, value: float, twice: bool) -> tuple[str, ...]:
    return (name, *([number(value)] * (2 if twice else 1)))


def _robust(name: str, m: pd.Series, key: str, twice: bool) -> tuple[str, ...]:
    return (name, *([""] if twice else []), number(m[f"{key}_robust"]))
