"""Table, sentences and equation of models for binary outcomes and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.frames import rows
from alliancekit.multilevel.api import GeneralisedMixedFit
from alliancekit.report.formatting import ci_text, format_fixed, p_text, test_text
from alliancekit.report.multilevel_words import component_name, outcome_label, sample_note, term_label, units_text
from alliancekit.report.parts import Sentence, Table

FAMILY = {
    "binomial": "binomial",
    "poisson": "Poisson",
    "negative-binomial": "negative binomial",
    "beta-binomial": "beta-binomial",
}
RATIO = {"odds ratio": "OR", "rate ratio": "RR", "hazard ratio": "HR"}
SIDE = {"dispersion": "Log dispersion", "zero_inflation": "Extra zeros (logit)"}


def has_ratios(fit: GeneralisedMixedFit) -> bool:
    """Whether coefficients are logarithms of ratios: every link but probit."""
    return fit.link != "probit"


def generalised_table(fit: GeneralisedMixedFit) -> Table:
    """Return fixed effects with their ratios, models of dispersion and extra zeros, and variance components."""
    fixed = fit.tidy().assign(component="Fixed effects")
    labels = {"term": "", "statistic": "z"}
    columns = ["component", "term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"]
    notes = [sample_note(fit), _method_note(fit)]
    if has_ratios(fit):
        ratios = fit.ratios()
        name = str(ratios.attrs["ratio"])
        fixed["ratio"], fixed["ratio_low"], fixed["ratio_high"] = (
            ratios[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")
        )
        columns[4:6] = ["ratio", "ratio_low", "ratio_high"]
        labels.update(ratio=RATIO.get(name, name), ratio_low="95% low", ratio_high="95% high")
        notes.append(
            f"{RATIO.get(name, name)} = {name} with its 95% interval; it compares rows with the same random effects."
        )
    side = fit.submodels()
    side = side.assign(component=side["component"].map(SIDE))
    parts = fit.variance_components()
    random = pd.DataFrame(
        {
            "component": "Random effects (SD and correlation)",
            "term": [component_name(r) for r in rows(parts)],
            "estimate": parts["sd_or_correlation"],
        }
    )
    data = pd.concat([part for part in (fixed, side, random) if len(part)], ignore_index=True)
    if fit.singular:
        notes.append("A variance is at zero or a correlation at one.")
    title = f"Fixed and Random Effects of the {FAMILY[fit.family].capitalize()} Mixed Model"
    return Table(
        title=title.replace("binomial", "Binomial"),
        data=data[columns],
        group="component",
        stub=("term",),
        labels=labels,
        notes=tuple(notes),
        source=fit,
    )


def _method_note(fit: GeneralisedMixedFit) -> str:
    nodes = int(fit.glance()["quadrature"].iloc[0])
    how = "Laplace approximation" if nodes == 1 else f"adaptive Gauss-Hermite quadrature, {nodes} nodes"
    return f"{FAMILY[fit.family].capitalize()} outcome, {fit.link} link; maximum likelihood ({how}); z tests."


def generalised_sentence(fit: GeneralisedMixedFit, terms: tuple[str, ...] | None = None) -> Sentence:
    """Return the model in one sentence, and one for each coefficient (or for the named ones alone)."""
    table = fit.tidy().set_index("term", drop=False)
    chosen = [t for t in table.index if t != "(Intercept)"] if terms is None else list(terms)
    clauses = [_clause(fit, table.loc[term]) for term in chosen]
    if terms is not None:
        return Sentence(text=" ".join(clauses), source=fit)
    groups = units_text(fit)
    kind = FAMILY[fit.family]
    lead = (
        f"A {kind} mixed model of {outcome_label(fit)} ({fit.link} link) was fitted by maximum likelihood to "
        f"{fit.nobs:,} observations of {groups}."
    )
    return Sentence(text=" ".join([lead, *clauses]), source=fit)


def _clause(fit: GeneralisedMixedFit, row: Any) -> str:
    name = term_label(fit, str(row["term"]))
    up, sure = row["estimate"] > 0, row["p_value"] < 0.05
    outcome = outcome_label(fit)
    verdict = (
        f"The {_measure(fit)} of {outcome} {'rose' if up else 'fell'} with {name}"
        if sure
        else f"There was no reliable relation of {outcome} with {name}"
    )
    return f"{verdict}, {_numbers(fit, row)}."


def _measure(fit: GeneralisedMixedFit) -> str:
    if fit.family not in ("binomial", "beta-binomial"):
        return "rate"
    return "odds" if fit.link == "logit" else "probability"


def _numbers(fit: GeneralisedMixedFit, row: Any) -> str:
    z = f"{test_text('z', row['statistic'], np.inf)}, {p_text(row['p_value'])}"
    if not has_ratios(fit):
        return f"b = {format_fixed(row['estimate'], 2)}, {ci_text(row['conf_low'], row['conf_high'], decimals=2)}, {z}"
    short = RATIO.get(str(fit.ratios().attrs["ratio"]), "ratio")
    value, low, high = (float(np.exp(row[c])) for c in ("estimate", "conf_low", "conf_high"))
    return f"{short} = {format_fixed(value, 2)}, {ci_text(low, high, decimals=2)}, {z}"


def outcome_lines(fit: GeneralisedMixedFit) -> tuple[str, str]:
    """Return the left side of the equation of the linear predictor, and the distribution of the outcome in words."""
    more = {"negative-binomial": ", size φ", "beta-binomial": ", precision φ"}.get(fit.family, "")
    return f"{fit.link}(μ)", f"{fit.design.response} ~ {FAMILY[fit.family]} with mean μ{more}"
