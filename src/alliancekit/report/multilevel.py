"""Tables, figures, sentences and equations of mixed models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, check_columns, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.bootstrap import Bootstrap
from alliancekit.multilevel.after.profile import Profile
from alliancekit.multilevel.api import MixedFit
from alliancekit.multilevel.residual.components import GROUP
from alliancekit.report import multilevel_means, multilevel_tests
from alliancekit.report.formatting import format_fixed
from alliancekit.report.multilevel_figures import make_figure
from alliancekit.report.multilevel_intervals import interval_sentence, interval_table
from alliancekit.report.multilevel_tests import coefficient_text
from alliancekit.report.parts import Equation, Sentence, Table

__all__ = ["coefficient_text", "make_equation", "make_figure", "make_sentence", "make_table"]


def make_table(*results: Any) -> Table:
    """Return the table of one fit, of several fits side by side, or of one table of tests."""
    if all(isinstance(r, MixedFit) for r in results):
        return _one(results[0]) if len(results) == 1 else _side_by_side(results)
    for tables in (multilevel_tests.TABLES, multilevel_means.TABLES):
        if len(results) == 1 and type(results[0]) in tables:
            return tables[type(results[0])](results[0])
    if len(results) == 1 and isinstance(results[0], Profile | Bootstrap):
        return interval_table(results[0])
    raise ReportError(message("fits and comparisons cannot share a table", do="Call ak.table for each"))


def _one(fit: MixedFit) -> Table:
    """Fixed effects, then variance components, in one table."""
    fixed = fit.tidy().assign(component="Fixed effects")
    parts = fit.variance_components()
    random = pd.DataFrame(
        {
            "component": "Random effects (SD and correlation)",
            "term": [_component_name(r) for r in rows(parts)],
            "estimate": parts["sd_or_correlation"],
            "conf_low": parts["conf_low"],
            "conf_high": parts["conf_high"],
        }
    )
    data = pd.concat([fixed, random], ignore_index=True)
    columns = ["component", "term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value"]
    notes = [_sample_note(fit), _method_note(fit)]
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


def _component_name(row: Any) -> str:
    if row.term_1 is None or pd.isna(row.term_1):
        return "Residual SD"
    if row.group == GROUP:
        return f"Residual structure: {row.term_1}"
    if row.term_2 is None or pd.isna(row.term_2):
        return f"{row.group}: SD of {row.term_1}"
    return f"{row.group}: r of {row.term_1} and {row.term_2}"


def _sample_note(fit: MixedFit) -> str:
    groups = ", ".join(f"{count} {_plural(name)}" for name, count in fit.sample.groups.items())
    dropped = fit.sample.n_rows - fit.sample.n_used
    left_out = f"; {dropped} of {fit.sample.n_rows} rows not used" if dropped else ""
    of = f" of {groups}" if groups else ""
    return f"{fit.nobs:,} observations{of}{left_out}."


def _plural(name: str) -> str:
    return f"levels of {name}" if ":" in name else (name if name.endswith("s") else f"{name}s")


def _method_note(fit: MixedFit) -> str:
    how = "restricted maximum likelihood" if fit.method == "REML" else "maximum likelihood"
    return (
        f"Estimated by {how}; df by Satterthwaite's method. 95% intervals of SDs are Wald intervals on the log "
        f"scale, of correlations on "
        "Fisher's z scale."
    )


def _side_by_side(fits: tuple[MixedFit, ...]) -> Table:
    """The model-building table: one column pair per model."""
    terms = list(dict.fromkeys(t for fit in fits for t in fit.tidy()["term"]))
    names = [_component_name(r) for fit in fits for r in rows(fit.variance_components())]
    names = [n for n in dict.fromkeys(names) if n != "Residual SD"] + ["Residual SD"]
    lines: list[dict[str, Any]] = [{"part": "Fixed effects", "term": t} for t in terms]
    lines += [{"part": "Random effects", "term": n} for n in names]
    measures = ("Observations", "Marginal R²", "Conditional R²", "ICC", "Log-likelihood", "AIC", "BIC")
    lines += [{"part": "Model", "term": m} for m in measures]
    spans, labels = {}, {"term": "", "part": ""}
    by_ml = tuple(fit.with_method("ML") for fit in fits)
    for number, fit in enumerate(fits, start=1):
        estimate, error = f"estimate_{number}", f"std_error_{number}"
        spans[f"Model {number}"] = (estimate, error)
        labels.update({estimate: "Estimate", error: "SE"})
        column = _model_column(fit, by_ml[number - 1])
        for row in lines:
            row[estimate], row[error] = column.get((row["part"], row["term"]), (np.nan, np.nan))
    row_kinds: dict[int, Any] = {}
    for i, row in enumerate(lines):
        if row["part"] == "Model":
            row_kinds[i] = {"Observations": "integer"}.get(
                row["term"], "proportion" if "R²" in row["term"] or row["term"] == "ICC" else "statistic"
            )
    notes = [f"Model {i}: {fit.formula}." for i, fit in enumerate(fits, start=1)]
    methods = " and ".join(sorted({f.method for f in fits}))
    notes.append(
        f"Estimates by {methods}; log-likelihood, AIC and BIC always by ML, since those by REML cannot be compared "
        "between models with different fixed effects. R² after Nakagawa and Schielzeth; ICC: all random effects."
    )
    rows_used = {f.nobs for f in fits}
    if len(rows_used) > 1:
        notes.append("The models use different rows, so that their AIC and BIC cannot be compared.")
    return Table(
        title="Models Side by Side",
        data=pd.DataFrame(lines),
        group="part",
        stub=("term",),
        labels=labels,
        kinds={c: "estimate" for pair in spans.values() for c in pair},
        spans=spans,
        row_kinds=row_kinds,
        notes=tuple(notes),
        source=fits[-1],
    )


def _model_column(fit: MixedFit, by_ml: MixedFit) -> dict[tuple[str, str], tuple[float, float]]:
    out = {("Fixed effects", r.term): (r.estimate, r.std_error) for r in rows(fit.tidy())}
    for r in rows(fit.variance_components()):
        out["Random effects", _component_name(r)] = (r.sd_or_correlation, np.nan)
    r2, glance = fit.r2(), by_ml.glance().iloc[0]
    values = {
        "Observations": fit.nobs,
        "Marginal R²": r2["marginal"],
        "Conditional R²": r2["conditional"],
        "ICC": fit.icc()["total"],
        "Log-likelihood": by_ml.log_likelihood,
        "AIC": glance["aic"],
        "BIC": glance["bic"],
    }
    out.update({("Model", name): (float(value), np.nan) for name, value in values.items()})
    return out


def make_sentence(result: Any, terms: tuple[str, ...] | None = None) -> Sentence:
    """Return the sentences about a fit's fixed effects (some or all), or about a table of tests."""
    if isinstance(result, MixedFit):
        return _fit_sentence(result) if terms is None else _term_sentence(result, terms)
    for sentences in (multilevel_tests.SENTENCES, multilevel_means.SENTENCES):
        if type(result) in sentences:
            return sentences[type(result)](result)
    if isinstance(result, Profile | Bootstrap):
        return interval_sentence(result)
    raise ReportError(message(f"a {type(result).__name__} has no sentence"))


def _fit_sentence(fit: MixedFit) -> Sentence:
    table = fit.tidy()
    outcome = outcome_label(fit)
    clauses = [_clause(fit, row) for row in rows(table) if row.term != "(Intercept)"]
    groups = " in ".join(f"{count} {_plural(name)}" for name, count in fit.sample.groups.items())
    how = "restricted maximum likelihood" if fit.method == "REML" else "maximum likelihood"
    lead = (
        f"A linear mixed model of {outcome} was fitted by {how} to {fit.nobs:,} observations of {groups} "
        "(degrees of freedom by Satterthwaite's method)."
    )
    r2 = fit.r2()
    tail = (
        f"Fixed effects explained {format_fixed(100 * r2['marginal'], 1)}% of the variance, fixed and random effects "
        f"together {format_fixed(100 * r2['conditional'], 1)}%."
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


def outcome_label(fit: MixedFit) -> str:
    """Return the codebook's label of the outcome, or its name."""
    return fit.labels.get(fit.design.response, fit.design.response)


def term_label(fit: MixedFit, term: str) -> str:
    """Return a term with the codebook's labels in place of column names: ``armCBT:time`` -> "Arm (CBT) by time"."""
    parts = []
    for piece in term.split(":"):
        column = max((c for c in fit.labels if piece.startswith(c)), key=len, default=None)
        if column is None or column == fit.design.response:
            parts.append(piece)
            continue
        level = piece[len(column) :]
        parts.append(f"{fit.labels[column]} ({level})" if level else fit.labels[column])
    return " by ".join(parts)


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
    where.append("ε ~ N(0, σ²)")
    lines = (f"{fit.design.response} = " + " + ".join(fixed), "    + " + " + ".join(random) + " + ε")
    return Equation(lines=lines, r_call=fit.as_r(), python_call=fit.as_python(), where=tuple(where))


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
