"""Tables and sentences of the tests of a mixed model: F tables, random terms, robust coefficients, comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.frames import rows
from alliancekit.multilevel.after.anova import AnovaTable
from alliancekit.multilevel.after.boundary import mixture_text
from alliancekit.multilevel.after.ddf import DDF_WORDS
from alliancekit.multilevel.after.ranova import WHOLE, Ranova
from alliancekit.multilevel.after.robust import RobustCoefficients
from alliancekit.multilevel.compare import Comparison
from alliancekit.report.formatting import ci_text, decimals_for, format_fixed, p_text, test_text
from alliancekit.report.parts import Sentence, Table

ROBUST_WORDS = {"CR0": "CR0, without correction", "CR1": "CR1, J / (J − 1)", "CR2": "CR2, Pustejovsky and Tipton"}


def _anova_table(result: AnovaTable) -> Table:
    return Table(
        title=f"Type {result.type} F Tests of the Fixed Effects",
        data=result.tidy(),
        stub=("term",),
        kinds={"df_numerator": "integer"},
        labels={"term": "", "statistic": "F", "df": "Den. df"},
        notes=(
            f"{result.nobs:,} observations; denominator df by {DDF_WORDS[result.ddf]}. "
            "Sums of squares are F times its numerator df times the residual variance.",
            *result.notes,
        ),
        source=result,
    )


def _ranova_table(result: Ranova) -> Table:
    data = result.tidy()
    data["removed"] = data["removed"].replace(WHOLE, "Nothing (the whole model)")
    return Table(
        title="Likelihood-Ratio Tests of the Random Effects",
        data=data,
        stub=("removed",),
        kinds={"npar": "integer", "chisq": "statistic", "df": "integer"},
        labels={"removed": "Removed", "npar": "Parameters", "chisq": "χ²", "p_value": "p (χ²)"},
        notes=(f"Likelihoods by {result.method}; each row lacks one random effect of the whole model.", *result.notes),
        source=result,
    )


def _robust_table(result: RobustCoefficients) -> Table:
    columns = ["term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value"]
    return Table(
        title="Fixed Effects With Cluster-Robust Standard Errors",
        data=result.tidy()[columns],
        stub=("term",),
        labels={"term": "", "statistic": "t"},
        notes=(
            f"{result.nobs:,} observations in {result.n_clusters} clusters by {result.cluster}. Standard errors: "
            f"{ROBUST_WORDS[result.type]}; df by Satterthwaite's method for the robust variance.",
            *result.notes,
        ),
        source=result,
    )


def _comparison_table(result: Comparison) -> Table:
    data = result.tidy()
    columns = ["model", "npar", "log_likelihood", "aic", "bic", "chisq", "df", "p_value"]
    if data["p_mixture"].notna().any():
        columns.append("p_mixture")
    return Table(
        title="Likelihood-Ratio Tests of Nested Models",
        data=data[columns],
        stub=("model",),
        kinds={"npar": "integer", "chisq": "statistic", "df": "integer"},
        labels={"model": "Model", "npar": "Parameters", "chisq": "χ²"},
        notes=("Each model is tested against the one above.", *_for_people(result.notes)),
        source=result,
    )


def _for_people(notes: tuple[str, ...]) -> list[str]:
    return [note.replace("p_mixture", "the p value of the mixture") for note in notes]


def _anova_sentence(result: AnovaTable) -> Sentence:
    tested = [row for row in rows(result.tidy()) if not np.isnan(row.statistic)]
    clauses = {True: [], False: []}  # type: dict[bool, list[str]]
    for row in tested:
        test = test_text("F", row.statistic, row.df_numerator, row.df)
        clauses[row.p_value < 0.05].append(f"{_by(row.term)}, {test}, {p_text(row.p_value)}")
    lead = f"In F tests of type {result.type} (denominator df by {DDF_WORDS[result.ddf]})"
    parts = []
    if clauses[True]:
        parts.append(f"there were reliable effects of {'; '.join(clauses[True])}")
    if clauses[False]:
        parts.append(f"there was no reliable effect of {'; '.join(clauses[False])}")
    if not parts:
        return Sentence(text="The model has no term to test.", source=result)
    return Sentence(text=f"{lead} {'; '.join(parts)}.", source=result)


def _by(term: str) -> str:
    return term.replace(":", " by ")


def _ranova_sentence(result: Ranova) -> Sentence:
    sentences = []
    for row in rows(result.tidy().iloc[1:]):
        known = not np.isnan(row.p_mixture)
        p = row.p_mixture if known else row.p_value
        how = "fitted reliably worse" if p < 0.05 else "did not fit reliably worse"
        by = f"by {mixture_text(int(row.df))}" if known else "by chi-square, which is too large for variances"
        test = test_text("χ²", row.chisq, row.df)
        sentences.append(f"Without {row.removed} the model {how}, {test}, {p_text(p)} ({by}).")
    lead = f"Random effects were tested by likelihood ratios ({result.method})."
    return Sentence(text=" ".join([lead, *sentences]), source=result)


def _robust_sentence(result: RobustCoefficients) -> Sentence:
    clauses = []
    for row in rows(result.tidy()):
        if row.term == "(Intercept)":
            continue
        verdict = f"the coefficient of {_by(row.term)} was {'positive' if row.estimate > 0 else 'negative'}"
        if row.p_value >= 0.05:
            verdict = f"there was no reliable relation with {_by(row.term)}"
        clauses.append(f"{verdict}, {coefficient_text(row)}")
    lead = (
        f"With cluster-robust standard errors ({result.type}, {result.n_clusters} clusters by {result.cluster}, df by "
        "Satterthwaite's method)"
    )
    body = "; ".join(clauses) or "only an intercept was estimated"
    return Sentence(text=" ".join([f"{lead} {body}.", *result.notes]), source=result)


def coefficient_text(row: Any) -> str:
    """Return a coefficient in APA style: b = 0.24, 95% CI [0.10, 0.38], t(34.2) = 2.41, p = .021."""
    decimals = max(decimals_for([row.estimate], [row.std_error]), 2)
    symbol = "z" if np.isinf(row.df) else "t"
    return (
        f"b = {format_fixed(row.estimate, decimals)}, {ci_text(row.conf_low, row.conf_high, decimals=decimals)}, "
        f"{test_text(symbol, row.statistic, row.df)}, {p_text(row.p_value)}"
    )


def _comparison_sentence(result: Comparison) -> Sentence:
    last = result.tidy().iloc[-1]
    if pd.isna(last["p_value"]):
        return Sentence(
            text=" ".join(["The last two models cannot be tested.", *_for_people(result.notes)]), source=result
        )
    p = last["p_value"] if pd.isna(last["p_mixture"]) else last["p_mixture"]
    better = "fitted better than" if p < 0.05 else "did not fit reliably better than"
    text = (
        f"By a likelihood-ratio test the last model {better} the one before, "
        f"{test_text('χ²', last['chisq'], last['df'])}, {p_text(p)}."
    )
    return Sentence(text=" ".join([text, *_for_people(result.notes)]), source=result)


TABLES: dict[type, Callable[[Any], Table]] = {
    AnovaTable: _anova_table,
    Ranova: _ranova_table,
    RobustCoefficients: _robust_table,
    Comparison: _comparison_table,
}
SENTENCES: dict[type, Callable[[Any], Sentence]] = {
    AnovaTable: _anova_sentence,
    Ranova: _ranova_sentence,
    RobustCoefficients: _robust_sentence,
    Comparison: _comparison_sentence,
}
