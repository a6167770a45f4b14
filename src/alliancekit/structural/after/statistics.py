"""Replicates of whatever is computed from a fit: each sample is fitted completely, with tests and all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message, shown
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.structural.after.bootstrap import StructuralBootstrap, kind_of
from alliancekit.structural.after.draws import Draws, Picks, draws_of, without_one
from alliancekit.structural.after.refits import LOST
from alliancekit.structural.after.resampling import fitted, split_by_group
from alliancekit.structural.arguments import check_samples, check_seed
from alliancekit.structural.engines import estimate
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.ordinal.fit import check_categories
from alliancekit.structural.rotation.fitted import rotate_fit
from alliancekit.structural.sample import GroupSample

if TYPE_CHECKING:
    from alliancekit.structural.result.fit import StructuralFit

Floats = NDArray[np.float64]
Statistic = Callable[["StructuralFit"], Any]
Opened = Callable[[StructuralEstimates], "StructuralFit"]
"""Makes the public result of estimates."""
NUMBERS = ("fit_measures", "r2", "reliability", "standardized")


def bootstrap_statistic(
    fit: StructuralEstimates,
    opened: Opened,
    statistic: str | Statistic,
    n: int,
    seed: int,
    kind: str,
    executor: str,
    workers: int,
) -> StructuralBootstrap:
    """Return replicates of a statistic of the fit; see ``StructuralFit.bootstrap``."""
    check_samples(n)
    check_seed(seed)
    kind = kind_of(kind)
    draws = draws_of(fit, kind)
    own = _named(_function(statistic)(opened(fit)))
    wanted = _Wanted(fit, opened, _function(statistic), tuple(own.index))
    values = _values(wanted, draws, spawn(seed, n), "bootstrap", executor, workers)
    known = np.isfinite(own.to_numpy())
    kept = fitted(values[:, known]) if known.any() else np.ones(len(values), dtype=bool)
    again = partial(_without_one, wanted, executor, workers) if kind == "ordinary" else None
    return StructuralBootstrap(wanted.names, own.to_numpy(), values[kept], n, seed, kind, again)


@dataclass(frozen=True, eq=False, slots=True)
class _Wanted:
    """What is computed, from the fit of each sample, and the names of its numbers."""

    fit: StructuralEstimates
    opened: Opened
    statistic: Statistic
    names: tuple[str, ...]


def _without_one(wanted: _Wanted, executor: str, workers: int) -> list[Floats]:
    """Return the statistic (units, K) without one row, or cluster, of each group."""
    draws, picks = without_one(draws_of(wanted.fit, "ordinary"))
    return split_by_group(_values(wanted, draws, picks, "jackknife", executor, workers), draws)


def _values(wanted: _Wanted, draws: Draws, picks: Picks, work: str, executor: str, workers: int) -> Floats:
    """Return the statistic (samples, K) of each sample, NaN where it could not be fitted."""
    found = run_all(partial(_value, wanted, draws), picks, executor=executor, workers=workers, description=work)
    return np.array(found).reshape(len(picks), len(wanted.names))


def _value(wanted: _Wanted, draws: Draws, pick: Any) -> Floats:
    """Return the statistic (K,) of one sample."""
    lost = np.full(len(wanted.names), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = fit_sample(wanted.fit, draws, pick)
        except LOST:
            return lost
        turned = found.rotation is None or found.rotation.converged
        if not (found.converged and turned):
            return lost
        values = _named(wanted.statistic(wanted.opened(found)))
    return values.reindex(list(wanted.names)).to_numpy(dtype=np.float64)


def fit_sample(fit: StructuralEstimates, draws: Draws, pick: Any) -> StructuralEstimates:
    """Return the fit of one sample: with the options of a fit, from its estimates on, its factors matched to its own.

    Raises
    ------
    FitError : there is no solution, or an ordinal variable has lost a category.
    """
    before = fit if fit.rotation is None else fit.rotation.before
    groups = tuple(_group(*pair) for pair in zip(fit.sample.groups, draws.sample(pick), strict=True))
    if fit.options.ordered:
        check_categories(before, groups)
    x = np.concatenate([(np.nan,), before.x])
    start = tuple(x[free] if free else given for free, given in zip(before.table.free, before.table.start, strict=True))
    table = replace(before.table, start=tuple(float(value) for value in start))
    sample = replace(fit.sample, groups=groups)
    found = estimate(fit.options, table, before.constraints, sample)
    return found if fit.rotation is None else rotate_fit(found, fit.rotation.found)


def _group(group: GroupSample, drawn: tuple[Floats, NDArray[np.intp] | None]) -> GroupSample:
    """Return a group with other rows."""
    rows, clusters = drawn
    mean = np.nanmean(rows, axis=0)
    away = rows - mean
    index = pd.RangeIndex(len(rows))
    cov = away.T @ away / len(rows)
    return replace(group, n=len(rows), rows=rows, mean=mean, cov=cov, clusters=clusters, index=index)


def _function(statistic: str | Statistic) -> Statistic:
    """Return what computes a statistic, by its word or as handed in."""
    if callable(statistic):
        return statistic
    if not isinstance(statistic, str):
        what = f"statistic={shown(statistic)} is neither a word nor a function of a fit"
        raise SpecError(message(what, do=f"Give a function, or one of {', '.join(NUMBERS)}"))
    return _WORDS[check_option("statistic", statistic, NUMBERS)]


def _fit_measures(fit: StructuralFit) -> pd.Series:
    measures: pd.Series = fit.fit_measures()
    return measures


def _r2(fit: StructuralFit) -> pd.Series:
    return _column(fit.r2(), "r2", ("variable",))


def _standardized(fit: StructuralFit) -> pd.Series:
    return _column(fit.standardized(), "estimate", ("lhs", "op", "rhs"))


def _reliability(fit: StructuralFit) -> pd.Series:
    found = fit.reliability()
    measures = [c for c in found.columns if c not in ("group", "factor", "items")]
    parts: list[pd.Series] = [_column(found, name, ("factor",), f"{name} ") for name in measures]
    joined: pd.Series = pd.concat(parts)
    return joined


_WORDS: Mapping[str, Statistic] = {
    "fit_measures": _fit_measures,
    "r2": _r2,
    "reliability": _reliability,
    "standardized": _standardized,
}


def _column(frame: pd.DataFrame, name: str, by: Sequence[str], before: str = "") -> pd.Series:
    """Return a column of numbers by the names of its rows, and by group and level where there are any."""
    names = frame[by[0]].astype(str)
    for column in by[1:]:
        names = names + frame[column]
    for column in ("level", "group"):
        if column in frame:
            names = names + np.where(frame[column] == "", "", " (" + frame[column].astype(str) + ")")
    return pd.Series(frame[name].to_numpy(dtype=np.float64), index=before + names)


def _named(found: Any) -> pd.Series:
    """Return numbers by name: of a series or a mapping its own names, else the number of each.

    Raises
    ------
    SpecError : no numbers, or a name twice.
    """
    if isinstance(found, Mapping):
        found = pd.Series(dict(found), dtype=object)
    if isinstance(found, pd.Series):
        values, names = list(found), [str(name) for name in found.index]
    else:
        values = list(np.atleast_1d(np.asarray(found, dtype=object)).ravel()) if not isinstance(found, str) else [found]
        names = ["statistic"] if len(values) == 1 else [f"statistic {k + 1}" for k in range(len(values))]
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if not numbers.size or len(set(names)) < len(names):
        what = f"the statistic is {shown(found)}, and not numbers with a name each"
        raise SpecError(message(what, do="Return a number, several, a mapping from name to number, or a series"))
    return pd.Series(numbers, index=names)
