"""Tests of random terms, one at a time: the table of lmerTest's ``ranova``, with p values that heed the boundary."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from alliancekit.core.errors import DesignWarning
from alliancekit.core.frames import rows
from alliancekit.formula.design import Design, build_design
from alliancekit.formula.groups import RandomTerm
from alliancekit.formula.terms import Term
from alliancekit.multilevel.after.boundary import lrt_statistic, mixture_p
from alliancekit.multilevel.after.ddf import refuse_other_models
from alliancekit.multilevel.after.layout import columns_text, number_text, p_text
from alliancekit.multilevel.gaussian import fit as gaussian
from alliancekit.multilevel.gaussian.design import build
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.objective import deviance, eliminate
from alliancekit.numerics.distributions import chi2_upper

WHOLE = "<none>"


@dataclass(frozen=True, eq=False)
class Ranova:
    """Likelihood-ratio tests of the random terms of a mixed model (read-only). Made by ``fit.ranova``.

    Attributes
    ----------
    frame : the whole model, then one row per removed term. method : "REML" or "ML". formula : the model's. nobs : rows
    used. notes : what the reader must know of these tests.
    """

    frame: pd.DataFrame
    method: str
    formula: str
    nobs: int
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per model: removed, npar, log_likelihood, aic, chisq, df, p_value, p_mixture."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: number of tests, rows used, criterion, log-likelihood of the whole model."""
        first = float(self.frame["log_likelihood"].iloc[0])
        row = {"tests": len(self.frame) - 1, "nobs": self.nobs, "method": self.method, "log_likelihood": first}
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        lines = [("", "npar", "logLik", "AIC", "LRT", "Df", "Pr(>Chisq)", "Pr(mixture)")]
        for row in rows(self.frame):
            test = ("",) * 4
            if row.removed != WHOLE:
                test = (number_text(row.chisq), f"{row.df:.0f}", p_text(row.p_value), p_text(row.p_mixture))
            lines.append((row.removed, str(row.npar), f"{row.log_likelihood:.2f}", f"{row.aic:.2f}", *test))
        head = "ANOVA-like table for random-effects: single term deletions"
        return "\n".join([head, f"Model: {self.formula}", *columns_text(lines, left=1), *self.notes])


class _Reduced(NamedTuple):
    """A model with a random term removed or reduced: what was removed, and what is left."""

    removed: str
    random: tuple[RandomTerm, ...]


def ranova(fit: GaussianFit, frame: pd.DataFrame, formula: str, weights: str | None) -> Ranova:
    """Return the tests of a fit's random terms; see ``MixedFit.ranova``."""
    refuse_other_models(fit, "ranova", "Fit the model without the term, and test it by ak.compare(smaller, fit)")
    width = sum(factor.q for factor in fit.factors)
    npar = fit.n_parameters
    table = [(WHOLE, npar, fit.log_likelihood, fit.deviance + 2 * npar, np.nan, np.nan, np.nan, np.nan)]
    several = False
    for smaller in _reductions(fit.design):
        log_likelihood, k, effects = _smaller(fit, smaller.random, frame, weights)
        chisq, df = lrt_statistic(fit.log_likelihood, log_likelihood), npar - k
        variances = width - effects
        several |= variances > 1
        p, mixture = float(chi2_upper(chisq, df)), mixture_p(chisq, df, variances)
        table.append((smaller.removed, k, log_likelihood, 2 * k - 2 * log_likelihood, chisq, float(df), p, mixture))
    columns = ["removed", "npar", "log_likelihood", "aic", "chisq", "df", "p_value", "p_mixture"]
    result = pd.DataFrame(table, columns=columns)
    method = "REML" if fit.reml else "ML"
    result.attrs.update(method=method)
    return Ranova(result, method, formula, fit.design.sample.n_used, _notes(several, any(fit.singular)))


def _notes(several: bool, singular: bool) -> tuple[str, ...]:
    notes = [
        "A variance cannot be negative, so that the plain p value is too large; the mixture p value takes half of the "
        "chi-square of the removed parameters and half of that with one df fewer (Self & Liang 1987; Stram & Lee 1994)."
    ]
    if several:
        notes.append(
            "Where several random effects are removed at once the mixture is not known: only the plain one is."
        )
    if singular:
        notes.append("The whole model is singular: with another variance at zero both p values are approximate.")
    return tuple(notes)


def _smaller(
    fit: GaussianFit, random: tuple[RandomTerm, ...], frame: pd.DataFrame, weights: str | None
) -> tuple[float, int, int]:
    """Return log-likelihood, number of parameters and of random effects of the model with other random terms."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DesignWarning)  # said when the whole model was fitted
        design = build_design(replace(fit.design.formula, random=random), frame, weights=weights)
    if random:
        other = gaussian.fit(design, fit.reml)
        return other.log_likelihood, other.n_parameters, sum(factor.q for factor in other.factors)
    engine = build(design)
    return -deviance(eliminate(engine, np.zeros(0)), engine, fit.reml) / 2, engine.products.p + 1, 0


def _reductions(design: Design) -> Iterator[_Reduced]:
    """Yield the models that lack one random term, or one slope that is not part of a higher one, in formula order."""
    terms = design.formula.random
    for i, term in enumerate(terms):
        before, after = terms[:i], terms[i + 1 :]
        others = [*before, *after]
        for removed, left in _without_one(term, design, others):
            yield _Reduced(removed, (*before, *left, *after))


def _without_one(
    term: RandomTerm, design: Design, others: list[RandomTerm]
) -> Iterator[tuple[str, tuple[RandomTerm, ...]]]:
    """Yield what may be removed from one random term, and what is then left of it."""
    shown = term.display
    if not term.correlated and term.intercept:
        left = (replace(term, intercept=False),) if term.terms else ()
        yield f"(1 | {term.group_name})", left
    elif not term.terms:
        yield shown, ()
        return
    for one in _droppable(term.terms) if term.correlated else term.terms:
        rest = tuple(t for t in term.terms if t is not one)
        if rest or term.intercept:
            name = f"{one.label} in {shown}" if term.correlated else f"(0 + {one.label} | {term.group_name})"
            yield name, (replace(term, terms=rest),)
        elif _holds_intercept(term, design) and not _has_intercept(others, term):
            yield f"{one.label} in {shown}", (replace(term, terms=(), intercept=True, correlated=True),)
        else:
            yield shown, ()


def _droppable(terms: tuple[Term, ...]) -> list[Term]:
    """Return the terms that are no part of an interaction of the same random term."""
    return [t for t in terms if not any(set(t.variables) < set(other.variables) for other in terms)]


def _holds_intercept(term: RandomTerm, design: Design) -> bool:
    """Whether a random term without intercept has one column for each level of a factor, which add up to one."""
    block = next(b for b in design.random if b.group == term.group_name and b.columns == term.group and _same(b, term))
    return bool(np.allclose(block.Z.sum(axis=1), 1.0, rtol=0.0, atol=1e-12)) and block.Z.shape[1] > 1


def _same(block: object, term: RandomTerm) -> bool:
    shown = getattr(block, "display", "")
    return shown in (term.display, term.display.replace("||", "|"))


def _has_intercept(terms: list[RandomTerm], like: RandomTerm) -> bool:
    return any(t.intercept and t.group == like.group for t in terms)
