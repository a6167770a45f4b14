"""Tables, figures, sentences and equations of mixed models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, SpecError, check_columns, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.bootstrap import Bootstrap
from alliancekit.multilevel.after.influence import Influence
from alliancekit.multilevel.after.partition import R2Partition
from alliancekit.multilevel.after.profile import Profile
from alliancekit.multilevel.api import GeneralisedMixedFit, MixedFit
from alliancekit.report import multilevel_means, multilevel_tests
from alliancekit.report.formatting import format_fixed
from alliancekit.report.multilevel_figures import make_figure
from alliancekit.report.multilevel_generalised import generalised_sentence, generalised_table, outcome_lines
from alliancekit.report.multilevel_influence import influence_sentence, influence_table
from alliancekit.report.multilevel_intervals import interval_sentence, interval_table
from alliancekit.report.multilevel_models import models_table
from alliancekit.report.multilevel_partition import partition_sentence, partition_table
from alliancekit.report.multilevel_tests import coefficient_text
from alliancekit.report.multilevel_words import component_name, outcome_label, sample_note, term_label, units_text
from alliancekit.report.parts import Equation, Sentence, Table

__all__ = ["coefficient_text", "make_equation", "make_figure", "make_sentence", "make_table"]


def make_table(*results: Any, names: tuple[str, ...] | None = None) -> Table:
    """Return the table of one fit, of several fits side by side (under ``names``), or of one table of tests."""
    if all(isinstance(r, MixedFit) for r in results) and (len(results) > 1 or names is not None):
        return models_table(results, names)
    if names is not None:
        raise SpecError(message("names= is for the table of several models", do="Leave it out"))
    if isinstance(results[0], GeneralisedMixedFit) and len(results) == 1:
        return generalised_table(results[0])
    if isinstance(results[0], MixedFit) and len(results) == 1:
        return _one(results[0])
    for tables in (multilevel_tests.TABLES, multilevel_means.TABLES):
        if len(results) == 1 and type(results[0]) in tables:
            return tables[type(results[0])](results[0])
    if len(results) == 1 and isinstance(results[0], Profile | Bootstrap):
        return interval_table(results[0])
    if len(results) == 1 and isinstance(results[0], Influence):
        return influence_table(results[0])
    if len(results) == 1 and isinstance(results[0], R2Partition):
        return partition_table(results[0])
    raise ReportError(message("fits and comparisons cannot share a table", do="Call ak.table for each"))


def _one(fit: MixedFit) -> Table:
    """Fixed effects, then variance components, in one table."""
    fixed = fit.tidy().assign(component="Fixed effects")
    parts = fit.variance_components()
    random = pd.DataFrame(
        {
            "component": "Random effects (SD and correlation)",
            "term": [component_name(r) for r in rows(parts)],
            "estimate": parts["sd_or_correlation"],
            "conf_low": parts["conf_low"],
            "conf_high": parts["conf_high"],
        }
    )
    data = pd.concat([fixed, random], ignore_index=True)
    columns = ["component", "term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value"]
    notes = [sample_note(fit), _method_note(fit)]
    if fit.singular:
        notes.append("A variance is at zero or a correlation at one; no interval is given for it.")
    return Table(
        title="Fixed and Random Effects of the Mixed Model",
        data=data[columns],
        group="component",
        stub=("term",),
        labels={"term": "", "statistic": "t"},
        notes=tuple(notes),
        source=fit,
    )


def _method_note(fit: MixedFit) -> str:
    how = "restricted maximum likelihood" if fit.method == "REML" else "maximum likelihood"
    return (
        f"Estimated by {how}; df by Satterthwaite's method. 95% intervals of SDs are Wald intervals on the log "
        f"scale, of correlations on "
        "Fisher's z scale."
    )


def make_sentence(result: Any, terms: tuple[str, ...] | None = None) -> Sentence:
    """Return the sentences about a fit's fixed effects (some or all), or about a table of tests."""
    if isinstance(result, GeneralisedMixedFit):
        check_columns(result.design.names, terms or (), where="terms of the sentence")
        return generalised_sentence(result, terms)
    if isinstance(result, MixedFit):
        return _fit_sentence(result) if terms is None else _term_sentence(result, terms)
    for sentences in (multilevel_tests.SENTENCES, multilevel_means.SENTENCES):
        if type(result) in sentences:
            return sentences[type(result)](result)
    if isinstance(result, Profile | Bootstrap):
        return interval_sentence(result)
    if isinstance(result, Influence):
        return influence_sentence(result)
    if isinstance(result, R2Partition):
        return partition_sentence(result)
    raise ReportError(message(f"a {type(result).__name__} has no sentence"))


def _fit_sentence(fit: MixedFit) -> Sentence:
    table = fit.tidy()
    outcome = outcome_label(fit)
    clauses = [_clause(fit, row) for row in rows(table) if row.term != "(Intercept)"]
    units = units_text(fit)
    of = f" of {units}" if units else ""
    how = "restricted maximum likelihood" if fit.method == "REML" else "maximum likelihood"
    kind = "A linear mixed model" if units else "A linear model with correlated residuals (generalised least squares)"
    lead = (
        f"{kind} of {outcome} was fitted by {how} to {fit.nobs:,} observations{of} "
        "(degrees of freedom by Satterthwaite's method)."
    )
    r2 = fit.r2()
    tail = f"Fixed effects explained {format_fixed(100 * r2['marginal'], 1)}% of the variance" + (
        f", fixed and random effects together {format_fixed(100 * r2['conditional'], 1)}%." if units else "."
    )
    body = " ".join(clauses)
    return Sentence(text=" ".join(p for p in (lead, body, tail) if p), source=fit)


def _clause(fit: MixedFit, row: Any) -> str:
    name = term_label(fit, row.term)
    if row.p_value < 0.05:
        verdict = f"The coefficient of {name} was {'positive' if row.estimate > 0 else 'negative'}"
    else:
        verdict = f"There was no reliable relation with {name}"
    return f"{verdict}, {coefficient_text(row)}."


def _term_sentence(fit: MixedFit, terms: tuple[str, ...]) -> Sentence:
    """Return one sentence on the outcome for each named term."""
    table = fit.tidy().set_index("term", drop=False)
    check_columns(table.index, terms, where="terms of the sentence")
    outcome = outcome_label(fit)
    clauses = []
    for row in (table.loc[term] for term in terms):
        direction = "higher" if row["estimate"] > 0 else "lower"
        name = term_label(fit, str(row["term"]))
        level = _level_of(fit, str(row["term"]))
        lead = f"in {level[1]} than in {level[0]}" if level else f"with higher values of {_quoted(name)}"
        verdict = f"was {direction} {lead}" if row["p_value"] < 0.05 else f"was not reliably {direction} {lead}"
        clauses.append(f"{outcome} {verdict}, {coefficient_text(row)}.")
    return Sentence(text=" ".join(clauses), source=fit)


def _quoted(name: str) -> str:
    """Put a label of several words in quotes, so that a sentence around it can be read."""
    return f"“{name}”" if " " in name else name


def _level_of(fit: MixedFit, term: str) -> tuple[str, str] | None:
    """Return (reference level, level) where a term is a treatment contrast of one factor, else None."""
    for column in fit.design.variables:
        values = fit.data[column]
        if not term.startswith(column) or ":" in term or pd.api.types.is_numeric_dtype(values):
            continue
        levels = [str(v) for v in (values.cat.categories if hasattr(values, "cat") else sorted(values.unique()))]
        if term[len(column) :] in levels[1:]:
            return levels[0], term[len(column) :]
    return None


def make_equation(fit: MixedFit) -> Equation:
    """Return the model's equation with every random effect, and the calls for Python and R."""
    if not isinstance(fit, MixedFit):
        raise ReportError(message(f"a {type(fit).__name__} has no equation"))
    groups = list(fit.covariances().items())
    letters = [chr(ord("u") + i) if i < 4 else f"u{i}" for i in range(len(groups))]
    fixed = [
        f"β{_subscript(i)}" + ("" if name == "(Intercept)" else f"·{name}") for i, name in enumerate(fit.design.names)
    ]
    random = []
    where = []
    for letter, (group, matrix) in zip(letters, groups, strict=True):
        for j, name in enumerate(matrix.columns):
            mark = f"{letter}{_subscript(j)}[{group}]"
            random.append(mark if name == "(Intercept)" else f"{mark}·{name}")
        names = ", ".join(f"{letter}{_subscript(j)}" for j in range(len(matrix)))
        diagonal = len(matrix) > 1 and bool(np.allclose(matrix.to_numpy(), np.diag(np.diag(matrix))))
        kind = (
            "a diagonal covariance matrix"
            if diagonal
            else ("a free covariance matrix" if len(matrix) > 1 else "variance τ²")
        )
        where.append(f"{names} ~ N(0, {kind}) for each {group}")
    left, last = fit.design.response, ["ε"]
    if isinstance(fit, GeneralisedMixedFit):
        left, law = outcome_lines(fit)
        where, last = [law, *where], []
    elif fit.residual_structure is not None:
        where.append(f"ε ~ N(0, σ²R), R by {fit.residual_structure}")
    else:
        where.append("ε ~ N(0, σ²)")
    lines = (f"{left} = " + " + ".join(fixed), "    + " + " + ".join([*random, *last]))
    return Equation(lines=lines, r_call=fit.as_r(), python_call=fit.as_python(), where=tuple(where))


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
