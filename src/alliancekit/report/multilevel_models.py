"""The model-building table: models side by side, from the null model to the full one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from alliancekit.core.errors import BoundaryWarning, SpecError, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.generalised_components import DISPERSION
from alliancekit.multilevel.api import MixedFit
from alliancekit.multilevel.compare import compare
from alliancekit.multilevel.moments import same_columns
from alliancekit.multilevel.residual.components import GROUP
from alliancekit.report.multilevel_words import outcome_label, plural
from alliancekit.report.parts import Table

FIXED, RANDOM, SAMPLE = "Fixed effects", "Variance components", "Sample"
RESIDUAL = "Residual variance"
SHARES, FIT, TEST = "Shares of variance", "Fit, by maximum likelihood", "Change from the model before"


class Line(NamedTuple):
    """One row of the table: its section, its name, how it is formatted (None: by the columns)."""

    part: str
    term: str
    kind: str | None


def models_table(fits: Sequence[MixedFit], names: Sequence[str] | None = None) -> Table:
    """Return the table of several fits: one pair of columns, estimate and SE, for each.

    Raises
    ------
    SpecError : another number of names than of fits, or a name twice.
    """
    heads = _names(fits, names)
    by_ml = _by_ml(fits)
    tables = [fit.variance_components() for fit in fits]
    single = _single_pairs(tables)
    cells = [_column(fit, ml, _components(t, single)) for fit, ml, t in zip(fits, by_ml, tables, strict=True)]
    nulls = [i for i, fit in enumerate(fits) if set(fit.design.names) <= {"(Intercept)"}] or [0]
    for i in nulls:
        cells[i].update(_shares(fits[i]) if _has_shares(fits[i]) else {})
    tests, notes = _tests(by_ml, heads)
    for column, found in zip(cells, tests, strict=True):
        column.update(found)
    lines = _lines(cells)
    data = pd.DataFrame({"part": [line.part for line in lines], "term": [line.term for line in lines]})
    labels, spans = {"term": "", "part": ""}, {}
    for number, (head, column) in enumerate(zip(heads, cells, strict=True), start=1):
        pair = (f"estimate_{number}", f"std_error_{number}")
        values = [column.get(line, (np.nan, np.nan)) for line in lines]
        for place, name in enumerate(pair):
            data[name] = [float(value[place]) for value in values]
        spans[head] = pair
        labels.update(dict(zip(pair, ("Estimate", "SE"), strict=True)))
    return Table(
        title=f"Mixed Models of {' and '.join(dict.fromkeys(map(outcome_label, fits)))} Side by Side",
        data=data,
        group="part",
        stub=("term",),
        labels=labels,
        kinds={name: "estimate" for pair in spans.values() for name in pair},
        spans=spans,
        row_kinds={i: line.kind for i, line in enumerate(lines) if line.kind is not None},  # type: ignore[misc]
        missing="",
        notes=(*_formulas(fits, heads), *_method_notes(fits, [heads[i] for i in nulls]), *notes),
        source=fits[-1],
    )


def _names(fits: Sequence[MixedFit], names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [f"Model {number}" for number in range(1, len(fits) + 1)]
    heads = [str(name) for name in names]
    if len(heads) != len(fits) or len(set(heads)) < len(heads):
        what = f"{len(heads)} names for {len(fits)} models" if len(heads) != len(fits) else "a name stands twice"
        raise SpecError(message(what, where="names=", do="Give one name for each model, all different"))
    return heads


def _by_ml(fits: Sequence[MixedFit]) -> list[MixedFit]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoundaryWarning)  # the fits themselves have said so
        return [fit.with_method("ML") for fit in fits]


def _column(
    fit: MixedFit, by_ml: MixedFit, components: list[tuple[str, str, float]]
) -> dict[Line, tuple[float, float]]:
    """Return a model's cells without tests and shares: (value, standard error)."""
    none = float("nan")
    out = {Line(FIXED, r.term, None): (float(r.estimate), float(r.std_error)) for r in rows(fit.tidy())}
    for name, kind, value in components:
        out[Line(RANDOM, name, kind)] = (value, none)
    out[Line(SAMPLE, "Observations", "integer")] = (fit.nobs, none)
    for group, count in fit.sample.groups.items():
        out[Line(SAMPLE, _capital(plural(group)), "integer")] = (count, none)
    glance = by_ml.glance().iloc[0]
    if _has_shares(fit):
        r2 = fit.r2()
        out[Line(SHARES, "Marginal R²", "proportion")] = (float(r2["marginal"]), none)
        out[Line(SHARES, "Conditional R²", "proportion")] = (float(r2["conditional"]), none)
    out[Line(FIT, "Parameters", "integer")] = (by_ml.n_parameters, none)
    for name, column in (("Deviance", "deviance"), ("AIC", "aic"), ("BIC", "bic")):
        out[Line(FIT, name, "statistic")] = (float(glance[column]), none)
    return out


def _single_pairs(tables: Sequence[pd.DataFrame]) -> set[str]:
    """Return the grouping factors with one and the same pair of correlated effects in every model that has one."""
    pairs: dict[str, set[tuple[str, str]]] = {}
    for table in tables:
        for row in rows(table[table["term_2"].notna()]):
            pairs.setdefault(row.group, set()).add((row.term_1, row.term_2))
    return {group for group, found in pairs.items() if len(found) == 1}


def _components(table: pd.DataFrame, single: set[str]) -> list[tuple[str, str, float]]:
    """Return (name, kind, value) of each variance parameter; a covariance is followed by its correlation."""
    out: list[tuple[str, str, float]] = []
    for row in rows(table):
        value = float(row.variance_or_covariance)
        if row.group == DISPERSION:
            out.append((f"Dispersion ({row.term_1})", "estimate", float(row.sd_or_correlation)))
        elif row.group == GROUP:
            out.append((f"Residual structure: {row.term_1}", "estimate", float(row.sd_or_correlation)))
        elif pd.isna(row.term_1):
            out.append((RESIDUAL, "estimate", value))
        elif pd.isna(row.term_2):
            name = "Intercept variance" if row.term_1 == "(Intercept)" else f"Slope variance of {row.term_1}"
            out.append((f"{name}, {row.group}", "estimate", value))
        else:
            of = "" if row.group in single else f" of {_effect(row.term_1)} and {_effect(row.term_2)}"
            out.append((f"Covariance{of}, {row.group}", "estimate", value))
            out.append((f"Correlation{of}, {row.group}", "proportion", float(row.sd_or_correlation)))
    return out


def _effect(term: str) -> str:
    return "intercept" if term == "(Intercept)" else f"{term} slope"


def _has_shares(fit: MixedFit) -> bool:
    """Whether the model has R2 and ICC: some distributions have no variance on the link's scale that is agreed on."""
    try:
        fit.r2()
    except SpecError:
        return False
    return True


def _shares(fit: MixedFit) -> dict[Line, tuple[float, float]]:
    """Return the share of variance of each grouping factor (VPC, ICC)."""
    shares = fit.icc()
    values = shares if isinstance(shares, pd.Series) else shares.set_index("group")["estimate"]
    return {
        Line(SHARES, f"ICC (VPC) of {group}", "proportion"): (float(values[group]), float("nan"))
        for group in fit.sample.groups
    }


def _tests(by_ml: Sequence[MixedFit], heads: Sequence[str]) -> tuple[list[dict[Line, tuple[float, float]]], list[str]]:
    """Return the likelihood-ratio test of each model against the one before, and what must be said about it."""
    out: list[dict[Line, tuple[float, float]]] = [{}]
    notes: list[str] = []
    for before, fit, names in zip(by_ml[:-1], by_ml[1:], pairwise(heads), strict=True):
        reason = _untested(before, fit)
        if reason:
            out.append({})
            notes.append(f"{names[1]} is not tested against {names[0]}: {reason}.")
            continue
        found = compare(before, fit, names=list(names))
        row = found.tidy().iloc[-1]
        if any("not nested" in note for note in found.notes):
            out.append({})
            notes += [note for note in found.notes if "not nested" in note]
            continue
        p = row["p_mixture"] if np.isfinite(row["p_mixture"]) else row["p_value"]
        none = float("nan")
        out.append(
            {
                Line(TEST, "χ² (fall in deviance)", "statistic"): (float(row["chisq"]), none),
                Line(TEST, "df", "integer"): (float(row["df"]), none),
                Line(TEST, "p", "p"): (float(p), none),
            }
        )
        notes += [note.replace("read p_mixture, from", "p is from") for note in found.notes if "boundary" in note]
    return out, notes


def _untested(before: MixedFit, fit: MixedFit) -> str:
    """Return why a model cannot be tested against the one before, or nothing."""
    if before.design.response != fit.design.response:
        return "they have different outcomes, so that AIC and BIC cannot be compared, either"
    if before.nobs != fit.nobs or not same_columns(before.design.y, fit.design.y):
        return "they use different rows, so that AIC and BIC cannot be compared, either"
    return "it has no more parameters" if fit.n_parameters <= before.n_parameters else ""


def _lines(cells: Sequence[dict[Line, tuple[float, float]]]) -> list[Line]:
    """Return all rows in order: sections as above, and in a section as the models bring them, the residual last."""
    found = list(dict.fromkeys(line for column in cells for line in column))
    sections = [FIXED, RANDOM, SAMPLE, SHARES, FIT, TEST]
    shares = {"Marginal R²": 1, "Conditional R²": 2}

    def place(line: Line) -> tuple[int, int, int, bool]:
        within = 0
        if line.part == RANDOM:
            within = 2 if line.term.startswith(("Residual structure", "Dispersion")) else int(line.term == RESIDUAL)
        if line.part == SHARES:
            within = shares.get(line.term, 0)
        joint = line.part == RANDOM and line.term.startswith(("Covariance", "Correlation"))
        return sections.index(line.part), within, _family(line, found), joint

    return sorted(found, key=place)


def _family(line: Line, found: list[Line]) -> int:
    """Return where a variance component's grouping factor first appears, so that its rows stand together."""
    if line.part != RANDOM or ", " not in line.term:
        return 0
    owners = [other.term.rsplit(", ", 1)[1] for other in found if other.part == RANDOM and ", " in other.term]
    return list(dict.fromkeys(owners)).index(line.term.rsplit(", ", 1)[1])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _formulas(fits: Sequence[MixedFit], heads: Sequence[str]) -> list[str]:
    return [f"{head}: {' '.join(fit.formula.split())}." for head, fit in zip(heads, fits, strict=True)]


def _method_notes(fits: Sequence[MixedFit], nulls: Sequence[str]) -> list[str]:
    words = {"REML": "restricted maximum likelihood (REML)", "ML": "maximum likelihood (ML)"}
    how = " and ".join(words[m] for m in dict.fromkeys(f.method for f in fits))
    linear = all(fit.family == "gaussian" for fit in fits)
    df = "; df, where single models are tested, by Satterthwaite's method" if linear else ""
    scale = "" if linear else ", on the scale of the link (Nakagawa, Johnson and Schielzeth, 2017)"
    notes = [
        f"Estimates and SEs by {how}{df}. "
        f"R² after Nakagawa and Schielzeth (2013) and Johnson (2014){scale}; ICC (VPC): share of the random and "
        f"residual variance, of {' and '.join(nulls)}.",
        "Deviance, AIC, BIC and tests use fits by maximum likelihood.",
    ]
    singular = [fit for fit in fits if fit.singular]
    if singular:
        notes.append("A variance at zero, or a correlation of one, lies on the boundary of what is possible.")
    return notes
