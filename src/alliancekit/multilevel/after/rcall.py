"""The same model as a call for R."""

from __future__ import annotations

import keyword


def as_r(formula: str, method: str, weights: str | None) -> str:
    """Return R code that fits the same model with lme4 and lmerTest."""
    options = "" if method == "REML" else ", REML = FALSE"
    if weights:
        options += f", weights = {weights}"
    text = " ".join(formula.split())
    return f"library(lmerTest)\nfit <- lmer({text}, data = data{options})\nsummary(fit)"


def as_python(formula: str, method: str, weights: str | None, residual: object | None = None) -> str:
    """Return the call of alliancekit."""
    options = "" if method == "REML" else f', method="{method}"'
    if weights and not keyword.iskeyword(weights):
        options += f', weights="{weights}"'
    if residual is not None:
        options += f", residual_structure={residual}"
    return f'fit = ak.mixed("{" ".join(formula.split())}", data{options})'
