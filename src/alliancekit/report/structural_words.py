"""Sentences about structural models: what was fitted to whom, how well, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, message, nearest
from alliancekit.core.frames import rows
from alliancekit.report.formatting import ci_text, decimals_for, format_fixed, format_integer, p_text, test_text
from alliancekit.report.structural_after import LIMITS
from alliancekit.report.structural_fit import fit_words, spoken_notes
from alliancekit.structural.checks import refusals
from alliancekit.structural.compare import StructuralComparison
from alliancekit.structural.exploratory import FactorSolutions
from alliancekit.structural.result.fit import StructuralFit

NOT_CONVERGED = "The search for the estimates did not end at an optimum: the numbers are not to be used."


def fit_text(fit: StructuralFit, terms: Sequence[str] | None = None, interval: str = "percentile") -> str:
    """Return the sentences about a fit.

    Parameters
    ----------
    terms : the parameters to speak of, None of the whole model. interval : kind of limits, of a bootstrap.

    Raises
    ------
    SpecError : a term that the model does not have.
    """
    table = fit.tidy(interval=interval)
    kind = table.attrs.get("interval", "")
    named = None if terms is None else pd.concat([_named(table, term) for term in terms])
    if not fit.converged:
        return f"{_what(fit)} {NOT_CONVERGED}"
    wrong = refusals(fit._fit)
    if any(check == "identification" for check, _ in wrong):
        saturated = fit._fit.test.df >= 0
        return (
            f"{_what(fit)} {'The model is not identified: no claim can rest on it.' if saturated else fit_words(fit)}"
        )
    if named is not None:
        return " ".join(_parameter_text(fit, row, kind) for row in rows(named))
    parts = [_what(fit), fit_words(fit), bootstrap_words(fit, kind)]
    parts += _growth_texts(fit, table) if fit._fit.options.function == "growth" else _loading_texts(fit, table)
    paths = table[table["op"].isin(["~", ":="]) & (table["std_error"] > 0)]
    parts += [_parameter_text(fit, row, kind) for row in rows(paths)]
    parts += ["The solution is not admissible, and no claim should rest on it."] if wrong else []
    return " ".join(part for part in parts if part)


def _named(table: pd.DataFrame, term: str) -> pd.DataFrame:
    """Return the rows of a term as ``tidy`` writes it, of a label, or of a definition; one per group and level."""
    wanted = "".join(term.split())
    terms = table["term"].str.replace(" ", "")
    found = table[(terms == wanted) | (table["label"] == wanted) | ((table["op"] == ":=") & (table["lhs"] == wanted))]
    if found.empty:
        close = nearest(wanted, list(terms))
        hint = f"Did you mean '{table['term'][terms == close].iloc[0]}'? " if close else ""
        what = f"there is no term '{term}' in the model"
        raise SpecError(message(what, where="terms of the sentence", do=f"{hint}fit.tidy() lists the terms"))
    return found


def _what(fit: StructuralFit) -> str:
    """Return what was estimated, from how many rows, clusters and groups."""
    kind = kind_of(fit)
    article = "An" if kind.startswith("e") else "A"
    return f"{article} {kind} was estimated with {sample_words(fit)}."


def sample_words(fit: StructuralFit) -> str:
    """Return the rows used, with the number of clusters, and the size of each group."""
    groups, cluster = fit._fit.sample.groups, fit._fit.options.cluster
    out = f"{format_integer(fit.nobs)} rows"
    if cluster:
        out += f" in {format_integer(fit.sample.groups[cluster])} clusters ({cluster})"
    if len(groups) > 1:
        sizes = ", ".join(f"{group.label} n = {format_integer(group.n)}" for group in groups)
        out += f" in {len(groups)} groups ({sizes})" if not cluster else f" and {len(groups)} groups ({sizes})"
    return out


def kind_of(fit: StructuralFit) -> str:
    """Return what kind of model it is."""
    ops = set(fit.table.op)
    levels = "two-level " if fit.table.n_levels > 1 else ""
    if fit._fit.options.function == "growth":
        return f"{levels}latent growth model"
    if any(fit.table.efa):
        return f"{levels}exploratory {'structural equation' if '~' in ops else 'factor'} model"
    if "~" not in ops and "=~" in ops:
        return f"{levels}confirmatory factor model"
    return f"{levels}structural equation model" if "=~" in ops else f"{levels}path model"


def bootstrap_words(fit: StructuralFit, interval: str) -> str:
    """Return where standard errors and limits of a bootstrap come from; empty for other fits."""
    found = fit._fit.replicates
    if found is None:
        return ""
    lost = found.asked - len(found.replicates)
    left_out = f" ({format_integer(lost)} more could not be fitted)" if lost else ""
    return (
        f"Standard errors are those of {format_integer(len(found.replicates))} bootstrap samples{left_out}, limits "
        f"{LIMITS[interval][0]} (seed {found.seed})."
    )


def _loading_texts(fit: StructuralFit, table: pd.DataFrame) -> list[str]:
    """Return the range of the standardised loadings of the items, and of factors on factors of a higher order."""
    loadings = table[(table["op"] == "=~") & table["std_all"].notna()]
    higher = loadings["rhs"].isin(loadings["lhs"])
    texts = []
    for own, what in ((loadings[~higher], "loadings"), (loadings[higher], "loadings of factors on factors")):
        name = "loading" if len(own) == 1 else what
        low, high = own["std_all"].min(), own["std_all"].max()
        if len(own) == 1:
            texts.append(f"The standardised {name} was {_standardised(low)}.")
        elif len(own):
            texts.append(f"Standardised {name} ranged from {_standardised(low)} to {_standardised(high)}.")
    return texts


def _growth_texts(fit: StructuralFit, table: pd.DataFrame) -> list[str]:
    """Return mean (or intercept) and variance of each growth factor; loadings are fixed and say nothing."""
    factors = list(dict.fromkeys(table.loc[table["op"] == "=~", "lhs"]))
    predicted = set(table.loc[table["op"] == "~", "lhs"])
    moments = table[
        table["lhs"].isin(factors) & ((table["op"] == "~1") | ((table["op"] == "~~") & (table["lhs"] == table["rhs"])))
    ]
    texts = []
    keys = [name for name in ("group", "level") if name in moments]
    for factor in factors:
        own = moments[moments["lhs"] == factor]
        for _, block in own.groupby(keys, sort=False) if keys else [((), own)]:
            clauses = []
            for row in rows(block[block["std_error"] > 0].sort_values("op", kind="stable")):
                name = "residual variance" if factor in predicted else "variance"
                name = name if row.op == "~~" else "intercept" if factor in predicted else "mean"
                clauses.append(f"a {name} of {_estimate(row)}".replace("a intercept", "an intercept"))
            if clauses:
                texts.append(
                    f"The growth factor {factor}{_where(next(iter(rows(block))))} had {', and '.join(clauses)}."
                )
    return texts


def _estimate(row: Any) -> str:
    decimals = max(decimals_for([row.estimate], [row.std_error]), 2)
    return f"{format_fixed(row.estimate, decimals)}, {ci_text(row.conf_low, row.conf_high, decimals=decimals)}"


def _standardised(value: float) -> str:
    return format_fixed(value, 2, leading_zero=False)


def _where(row: Any) -> str:
    """Return the group and the level of a row, in brackets."""
    group, level = getattr(row, "group", ""), getattr(row, "level", "")
    words = [f"group {group}"] if group else []
    words += [f"{level} level"] if level else []
    return f" ({', '.join(words)})" if words else ""


def _lead(row: Any) -> str:
    where = _where(row)
    leads = {
        ":=": f"The defined parameter {row.lhs} ({row.rhs})",
        "~": f"The effect of {row.rhs} on {row.lhs}{where}",
        "=~": f"The loading of {row.rhs} on {row.lhs}{where}",
        "<~": f"The weight of {row.rhs} in {row.lhs}{where}",
        "~1": f"The mean or intercept of {row.lhs}{where}",
        "~~": f"The covariance of {row.lhs} and {row.rhs}{where}",
        "|": f"The threshold {row.rhs} of {row.lhs}{where}",
        "~*~": f"The scale of {row.lhs}{where}",
    }
    if row.op == "~~" and row.lhs == row.rhs:
        return f"The variance of {row.lhs}{where}"
    return leads[row.op]


def _parameter_text(fit: StructuralFit, row: Any, interval: str) -> str:
    """Return the sentence about one parameter; in a bootstrap the interval decides, else the test."""
    lead = _lead(row)
    std = f", standardised {_standardised(row.std_all)}" if row.std_all == row.std_all else ""
    if not row.std_error > 0:
        why = "was fixed" if fit._fit.options.se != "none" else "had no standard error"
        return f"{lead} {why}, b = {format_fixed(row.estimate, 2)}{std}."
    drawn = fit._fit.replicates is not None
    clear = row.conf_low > 0 or row.conf_high < 0 if drawn else row.p_value < 0.05
    sign = "positive" if row.estimate > 0 else "negative"
    verdict = f"{lead} was {sign}" if clear else f"{lead} was not reliably different from zero"
    test = "" if drawn else f", {test_text('z', row.statistic)}, {p_text(row.p_value)}"
    end = f" ({LIMITS[interval][1]} of the bootstrap)" if drawn else ""
    return f"{verdict}, b = {_estimate(row)}{end}{std}{test}."


def comparison_text(result: StructuralComparison) -> str:
    """Return which model fits worse than the one before it; nothing where no test is to be had."""
    clauses = []
    table = result.tidy()
    ended = [fit.converged for fit in result.fits]
    pairs = zip(rows(table.iloc[:-1]), rows(table.iloc[1:]), ended[:-1], ended[1:], strict=True)
    for before, row, *both in pairs:
        if np.isnan(row.p_value) or not all(both):
            continue
        worse = "fitted worse than" if row.p_value < 0.05 else "did not fit reliably worse than"
        test = f"{test_text('Δχ²', row.chisq_diff, row.df_diff)}, {p_text(row.p_value)}"
        clauses.append(f"The model “{row.model}” {worse} “{before.model}”, {test}.")
    return " ".join([*(clauses or ["The models cannot be tested."]), *spoken_notes(result)])


def solutions_text(result: FactorSolutions) -> str:
    """Return items, rotation, fit and factor correlations of exploratory solutions."""
    first = next(iter(result.fits.values()))
    words = first._fit.options.rotation
    numbers = [str(number) for number in result.nfactors]
    listed = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    plural = "s" if numbers != ["1"] else ""
    how = "orthogonal" if words.orthogonal else "oblique"
    turned = f", {words.criterion} rotation ({how})" if max(result.nfactors) > 1 else ""
    items = len(first._fit.model.blocks[0].observed)
    parts = [
        f"{'Exploratory factor analyses' if len(numbers) > 1 else 'An exploratory factor analysis'} of {items} items "
        f"with {listed} factor{plural} {'were' if len(numbers) > 1 else 'was'} estimated with "
        f"{sample_words(first)}{turned}."
    ]
    for number, fit in result.fits.items():
        name = f"{number} factor{'s' if number > 1 else ''}"
        parts.append(_solution_text(result, number, name) if fit.converged else f"With {name}: {NOT_CONVERGED}")
    return " ".join(parts)


def _solution_text(result: FactorSolutions, number: int, name: str) -> str:
    text = fit_words(result.fits[number])
    text = f"Fit with {name}: {text[5:]}" if text.startswith("Fit: ") else f"With {name}: {text}"
    if number == 1 or result.fits[number]._fit.options.rotation.orthogonal:
        return text
    frame = result.factor_correlations(number).to_numpy(dtype=float)
    values = [frame[i, j] for i in range(number) for j in range(i)]
    low, high = _standardised(min(values)), _standardised(max(values))
    found = f"The factors correlated {low}" if number == 2 else f"Factor correlations ranged from {low} to {high}"
    return f"{text} {found}."
