"""What ``print(fit)`` shows of a generalised fit, and the same model as a call for R and for Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.frames import rows
from alliancekit.formula.expressions import label
from alliancekit.formula.outcome import counts_of
from alliancekit.formula.parse import Formula
from alliancekit.multilevel.after.generalised_components import DISPERSION, dispersion_name
from alliancekit.multilevel.after.layout import columns_text, p_text
from alliancekit.multilevel.after.text import components_text, number_text
from alliancekit.multilevel.generalised.fit import GeneralisedFit
from alliancekit.multilevel.generalised.words import FamilyWords

Floats = NDArray[np.float64]


def text(
    fit: GeneralisedFit,
    formula: str,
    coefficients: pd.DataFrame,
    components: pd.DataFrame,
    sides: pd.DataFrame,
    pearson: Floats,
    notes: Sequence[str],
) -> str:
    """Return the printed summary of a fit."""
    n, k = fit.design.sample.n_used, fit.n_parameters
    lines = [
        f"Generalised linear mixed model fit by maximum likelihood ({approximation(fit)}) [alliancekit]",
        f"Family: {family_text(fit.words)}",
        f"Formula: {formula}",
    ]
    if fit.design.success:
        lines.append(f"Outcome: 1 = {fit.design.success}")
    lines += [
        "",
        f"AIC {fit.deviance + 2 * k:.1f}   BIC {fit.deviance + k * np.log(n):.1f}   logLik {fit.log_likelihood:.1f}   "
        f"-2 logLik {fit.deviance:.1f}   df.resid {n - k}",
        "",
        "Scaled residuals:",
        "    Min      1Q  Median      3Q     Max",
        " ".join(f"{v:7.3f}" for v in np.quantile(pearson, [0, 0.25, 0.5, 0.75, 1])),
    ]
    lines += ["", "Random effects:", *components_text(components[components["group"] != DISPERSION])]
    groups = "; ".join(f"{name}, {count}" for name, count in fit.design.sample.groups.items())
    lines.append(f"Number of obs: {n}, groups: {groups}")
    if fit.dispersion is not None and fit.dispersion.constant:
        value = float(np.exp(fit.dispersion.estimate[0]))
        lines += ["", f"Dispersion ({dispersion_name(fit)}): {number_text(value)}"]
    lines += ["", "Fixed effects:", *_coefficients(coefficients)]
    titles = {"dispersion": "Dispersion (log scale):", "zero_inflation": "Extra zeros (logit scale):"}
    for component, title in titles.items():
        part = sides[sides["component"] == component]
        if len(part) and not (component == "dispersion" and fit.dispersion is not None and fit.dispersion.constant):
            lines += ["", title, *_coefficients(part)]
    lines += ["", *notes] if notes else []
    return "\n".join(lines)


def approximation(fit: GeneralisedFit) -> str:
    """Return how the random effects were integrated out."""
    if fit.quadrature == 1:
        return "Laplace approximation"
    return f"adaptive Gauss-Hermite quadrature, {fit.quadrature} nodes"


def family_text(words: FamilyWords) -> str:
    """Return family and link, such as "negative binomial, variance mu + mu^2 / size (log)"."""
    name = words.family.replace("-binomial", " binomial") if words.family.startswith("negative") else words.family
    if words.family == "negative-binomial":
        name += ", variance mu + mu^2 / size" if words.variance == "quadratic" else ", variance mu (1 + phi)"
    if words.inflated:
        name = f"zero-inflated {name}"
    return f"{name} ({words.link})"


def _coefficients(frame: pd.DataFrame) -> list[str]:
    lines = [("", "Estimate", "Std. Error", "z value", "Pr(>|z|)")]
    for row in rows(frame):
        statistic = f"{row.statistic:.3f}"
        lines.append((row.term, number_text(row.estimate), number_text(row.std_error), statistic, p_text(row.p_value)))
    return columns_text(lines, left=1)


def as_r(fit: GeneralisedFit, formula: Formula, weights: str | None) -> str:
    """Return R code that fits the same model: lme4 where it uses the same approximation, else glmmTMB."""
    words = fit.words
    plain = words.family in ("binomial", "poisson") and not words.inflated
    canonical = words.link in ("logit", "log")
    options = f", weights = {weights}" if weights else ""
    model = _r_formula(formula)
    if plain and (canonical or fit.quadrature > 1):
        nodes = f", nAGQ = {fit.quadrature}" if fit.quadrature > 1 else ""
        call = f'glmer({model}, data = data, family = {words.family}("{words.link}"){options}{nodes})'
        return f"library(lme4)\nfit <- {call}\nsummary(fit)"
    family = {"negative-binomial": "nbinom2", "beta-binomial": "betabinomial"}.get(words.family, words.family)
    if words.family == "negative-binomial" and words.variance == "linear":
        family = "nbinom1"
    for name, option in (("zero_inflation", "ziformula"), ("dispersion", "dispformula")):
        if name in fit.design.side:
            options += f", {option} = {' '.join(fit.design.side[name].formula.text.split())}"
    note = "# glmmTMB has the Laplace approximation only\n" if fit.quadrature > 1 else ""
    call = f'glmmTMB({model}, data = data, family = {family}("{words.link}"){options})'
    return f"library(glmmTMB)\n{note}fit <- {call}\nsummary(fit)"


def _r_formula(formula: Formula) -> str:
    counts = counts_of(formula.response)
    right = formula.text.split("~", 1)[1]
    if counts is None or counts.function == "cbind":
        return " ".join(formula.text.split())
    taken, total = label(counts.args[0]), label(dict(counts.options)["of"])
    return " ".join(f"cbind({taken}, {total} - {taken}) ~ {right}".split())


def as_python(fit: GeneralisedFit, formula: Formula, weights: str | None) -> str:
    """Return the call of alliancekit."""
    words = fit.words
    options = f', family="{words.family}"'
    if words.link not in ("logit", "log"):
        options += f', link="{words.link}"'
    if words.family == "negative-binomial" and words.variance == "linear":
        options += ', variance="linear"'
    for name, part in fit.design.side.items():
        options += f', {name}="{" ".join(part.formula.text.split())}"'
    if weights:
        options += f', weights="{weights}"'
    if fit.quadrature > 1:
        options += f", quadrature={fit.quadrature}"
    return f'fit = ak.mixed("{" ".join(formula.text.split())}", data{options})'
