"""Likelihood-ratio tests of nested mixed models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.multilevel.after.boundary import lrt_statistic, mixture_p, mixture_text
from alliancekit.multilevel.after.nesting import (
    RANDOM,
    boundary_note,
    check_same_approximation,
    distributions_nested,
    limits_added,
    shape_words,
)
from alliancekit.multilevel.after.simulated_lrt import bootstrap_p
from alliancekit.multilevel.api import MixedFit, check_fit
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.moments import same_columns
from alliancekit.numerics.distributions import chi2_upper


@dataclass(frozen=True, eq=False)
class Comparison:
    """Likelihood-ratio tests of models in order of size, each against the one before.

    Attributes
    ----------
    fits : the models as tested (by the criterion asked for). notes : what was done to the fits handed in, and which p
    value to read.
    """

    frame: pd.DataFrame
    fits: tuple[MixedFit, ...]
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per model: model, npar, aic, bic, log_likelihood, deviance, chisq, df, p_value, p_mixture."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: number of models, rows, the last test."""
        last = self.frame.iloc[-1]
        row = {
            "models": len(self.frame),
            "nobs": self.fits[0].nobs,
            "chisq": last["chisq"],
            "df": last["df"],
            "p_value": last["p_value"],
            "p_mixture": last["p_mixture"],
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(index=False), *self.notes])


def compare(
    *fits: MixedFit,
    method: str = "standard",
    names: list[str] | None = None,
    criterion: str = "ML",
    n: int = 1000,
    seed: int = 1,
    executor: str = "serial",
    workers: int = 2,
) -> Comparison:
    """Compare nested mixed models by likelihood-ratio tests: what ``ak.compare`` does with fits of ``ak.mixed``."""
    check_option("method", method, ("standard", "bootstrap"))
    check_option("criterion", criterion, ("ML", "REML"))
    if len(fits) < 2:
        raise SpecError(message("a comparison needs at least two fits", do="Call ak.compare(fit0, fit1)"))
    for fit in fits:
        check_fit(fit)
    labels = list(names) if names is not None else default_labels(fits)
    if len(labels) != len(fits):
        raise SpecError(message(f"{len(labels)} names for {len(fits)} fits", do="Give one name per fit"))
    _check_same_rows(fits)
    check_same_approximation([f._fit for f in fits], [f.formula for f in fits])
    if criterion == "REML":
        _check_same_fixed_effects(fits)
    used = tuple(f.with_method(criterion) for f in fits)
    notes = _refit_notes(fits, criterion)
    order = sorted(range(len(used)), key=lambda i: used[i].n_parameters)
    rows = []
    for position, i in enumerate(order):
        row = _row(labels[i], used[i])
        if position:
            j = order[position - 1]
            row.update(_test(used[j], used[i]))
            if method == "bootstrap" and np.isfinite(row["p_value"]):
                p, count = bootstrap_p(used[j]._fit, used[i]._fit, n, seed, executor, workers)
                row.update(p_value=p, p_mixture=np.nan)
                notes.append(f"'{labels[i]}': p value by a parametric bootstrap of {count} outcomes.")
            notes += _test_notes(used[j], used[i], labels[j], labels[i], row, simulated=method == "bootstrap")
        rows.append(row)
    return Comparison(pd.DataFrame(rows), tuple(used[i] for i in order), tuple(notes))


def default_labels(fits: Sequence[MixedFit]) -> list[str]:
    """Return the formulas; where one stands twice, with its distribution, and where that does not help, a number."""
    labels = [fit.formula for fit in fits]
    for more in (lambda fit: fit.family, lambda fit: shape_words(fit._fit)):
        twice = {label for label in labels if labels.count(label) > 1}
        added = [more(fit) for fit in fits]
        labels = [
            f"{label}, {text}" if label in twice and text else label for label, text in zip(labels, added, strict=True)
        ]
    twice = {label for label in labels if labels.count(label) > 1}
    return [f"{label} [{i}]" if label in twice else label for i, label in enumerate(labels, start=1)]


def _refit_notes(fits: tuple[MixedFit, ...], criterion: str) -> list[str]:
    again = sum(f.method != criterion for f in fits)
    if not again:
        return []
    other = "REML" if criterion == "ML" else "ML"
    return [
        f"{again} of {len(fits)} models had been fitted by {other} and were fitted again by {criterion} for the tests."
    ]


def _row(label: str, fit: MixedFit) -> dict[str, Any]:
    glance = fit.glance()
    return {
        "model": label,
        "npar": fit.n_parameters,
        "aic": float(glance["aic"].iloc[0]),
        "bic": float(glance["bic"].iloc[0]),
        "log_likelihood": fit.log_likelihood,
        "deviance": -2 * fit.log_likelihood,
        "chisq": np.nan,
        "df": np.nan,
        "p_value": np.nan,
        "p_mixture": np.nan,
    }


def _test(smaller: MixedFit, larger: MixedFit) -> dict[str, float]:
    """Return chi-square, df and both p values of two neighbours; the mixture only where a random effect is added."""
    df = larger.n_parameters - smaller.n_parameters
    chisq = lrt_statistic(larger.log_likelihood, smaller.log_likelihood)
    if not distributions_nested(smaller._fit, larger._fit):
        return dict.fromkeys(("chisq", "df", "p_value", "p_mixture"), float("nan"))
    added = len(_limits(smaller, larger))
    mixture = mixture_p(chisq, df, added) if added > 0 and _random_nested(smaller, larger) else float("nan")
    p = float(chi2_upper(chisq, df)) if df else float("nan")
    return {"chisq": chisq, "df": float(df), "p_value": p, "p_mixture": mixture}


def _test_notes(
    smaller: MixedFit, larger: MixedFit, before: str, after: str, row: dict[str, Any], simulated: bool
) -> list[str]:
    """Return which p value of a test to read, and why."""
    if not distributions_nested(smaller._fit, larger._fit):
        return [f"'{before}' is not nested in '{after}', whose distribution is another: read AIC; there is no test."]
    nested = set(smaller.design.names) <= set(larger.design.names) and _random_nested(smaller, larger)
    if not nested:
        return [f"'{before}' is not nested in '{after}': read AIC, not the test."]
    limits = [] if simulated else _limits(smaller, larger)
    return [boundary_note(after, limits, mixture_text(int(row["df"])))] if limits else []


def _limits(smaller: MixedFit, larger: MixedFit) -> list[str]:
    """Return what the larger model has more whose null value lies on the boundary, one word for each."""
    random = _random_effects(larger) - _random_effects(smaller)
    return [RANDOM] * random + limits_added(smaller._fit, larger._fit)


def _random_effects(fit: MixedFit) -> int:
    return sum(factor.q for factor in fit._fit.factors)


def _random_nested(smaller: MixedFit, larger: MixedFit) -> bool:
    """Whether all that varies in the smaller model, by each grouping factor, varies in the larger one."""
    structures = [getattr(fit._fit, "residual", None) is None for fit in (smaller, larger)]
    if structures == [True, False]:
        return True  # a structure of the residuals can stand in for a random effect
    for group in _grouping(smaller):
        same = _same_units(smaller, larger, group)
        if same is None:
            return False
        if any(fit._rows_absent for fit in (smaller, larger)):
            if not set(_effects(smaller, group)) <= set(_effects(larger, same)):
                return False
            continue
        small, large = random_columns(smaller.design, group), random_columns(larger.design, same)
        away = small - large @ np.linalg.lstsq(large, small, rcond=None)[0]
        if np.linalg.norm(away) > 1e-8 * np.linalg.norm(small):
            return False
    return True


def _effects(fit: MixedFit, group: str) -> list[str]:
    """Return the names of what varies over a grouping factor."""
    return [name for block in fit.design.random if block.group == group for name in block.names]


def _grouping(fit: MixedFit) -> dict[str, frozenset[str]]:
    """Return the columns of each grouping factor: ``a:b`` and ``b:a`` are the same units."""
    return {block.group: frozenset(block.columns) for block in fit.design.random}


def _same_units(smaller: MixedFit, larger: MixedFit, group: str) -> str | None:
    """Return the larger model's grouping factor with the units of ``group``: of the same columns, or of the same rows.

    Where patients are nested in therapists, ``patient:therapist`` and ``patient`` are the same units.
    """
    wanted, there = _grouping(smaller)[group], _grouping(larger)
    for name, columns in there.items():
        if columns == wanted:
            return name
    if smaller._rows_absent or larger._rows_absent:
        return None
    codes = {name: np.unique(_codes(larger, name), return_inverse=True) for name in there}
    units, own = np.unique(_codes(smaller, group), return_inverse=True)
    for name, (others, other) in codes.items():
        if len(units) == len(others) == len(np.unique(own.astype(np.int64) * len(others) + other)):
            return name
    return None


def _codes(fit: MixedFit, group: str) -> Any:
    return next(block.codes for block in fit.design.random if block.group == group)


def _check_same_fixed_effects(fits: tuple[MixedFit, ...]) -> None:
    first = fits[0]
    for fit in fits[1:]:
        same = fit.design.names == first.design.names and same_columns(fit.design.X, first.design.X)
        if not same:
            raise SpecError(
                message(
                    "restricted likelihoods of models with different fixed effects cannot be compared",
                    where=f"{first.formula}; {fit.formula}",
                    do='Leave criterion="REML" out: the models are then fitted by ML for the test',
                )
            )


def _check_same_rows(fits: tuple[MixedFit, ...]) -> None:
    first = fits[0]
    for fit in fits[1:]:
        if fit.nobs != first.nobs:
            raise SpecError(
                message(
                    f"the models were fitted to different rows ({first.nobs} and {fit.nobs})",
                    do="Fit the largest model first and the others to its rows: ak.mixed(formula, largest.data)",
                )
            )
        if fit._rows_absent != first._rows_absent:
            raise SpecError(
                message(
                    "one model was fitted to a file in chunks and another to rows in memory",
                    where=f"{first.formula}; {fit.formula}",
                    do="Fit both to the file, or both to the rows",
                )
            )
        if not same_columns(fit.design.y, first.design.y):
            raise SpecError(
                message(
                    "the models have different outcomes",
                    where=f"{first.formula}; {fit.formula}",
                    do="Compare models of the same outcome on the same rows",
                )
            )
