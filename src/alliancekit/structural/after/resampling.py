"""Samples of a bootstrap or of a jackknife, and the parameters of the model fitted to each."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.structural.after.draws import Draws, Picks, draws_of, without_one
from alliancekit.structural.after.refits import (
    PIECE,
    Refit,
    by_moments,
    fit_moments,
    fit_squares,
    refit_of,
    with_information,
)
from alliancekit.structural.arguments import check_samples, check_seed
from alliancekit.structural.checks import unidentified
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.rotation.again import rotate_again

Floats = NDArray[np.float64]


def fit_again(
    fit: StructuralEstimates, n: int, seed: int, kind: str = "ordinary", executor: str = "serial", workers: int = 2
) -> Floats:
    """Return the parameters (samples, size) of the samples that could be fitted, of ``n``.

    Raises
    ------
    SpecError : ``n`` is no number of samples, or the fit does not take the ``kind``. FitError : the model is
        not identified, or most samples cannot be fitted.
    """
    check_samples(n)
    check_seed(seed)
    x = _parameters(fit, draws_of(fit, kind), spawn(seed, n), "bootstrap", executor, workers)
    return x[fitted(x)]


def leave_one_out(fit: StructuralEstimates, executor: str = "serial", workers: int = 2) -> list[Floats]:
    """Return the parameters (units, size) without one row, or one cluster, of each group; NaN where that failed."""
    draws, picks = without_one(draws_of(fit, "ordinary"))
    x = _parameters(fit, draws, picks, "jackknife", executor, workers)
    return split_by_group(x, draws)


def split_by_group(values: Floats, draws: Draws) -> list[Floats]:
    """Return the values of samples without one unit, by the group of the unit."""
    return np.split(values, np.cumsum(draws.units())[:-1])


def _parameters(fit: StructuralEstimates, draws: Draws, picks: Picks, work: str, executor: str, workers: int) -> Floats:
    """Return the parameters (samples, size), NaN where a sample could not be fitted."""
    before = fit if fit.rotation is None else fit.rotation.before
    for found in unidentified(before):
        raise FitError(found)
    refit, size = refit_of(before)
    parts = [picks[at : at + size] for at in range(0, len(picks), size)]
    function = partial(_refit, refit, None if fit.rotation is None else fit, draws)
    return np.concatenate(run_all(function, parts, executor=executor, workers=workers, description=work))


def _refit(refit: Refit, rotated: StructuralEstimates | None, draws: Draws, picks: Picks) -> Floats:
    """Return the parameters of one piece of samples, of a rotated fit after rotation."""
    x = refit(draws, picks)
    return x if rotated is None else rotate_again(rotated, x)


def drawn_tests(fit: StructuralEstimates, n: int, seed: int) -> Floats:
    """Return chi-square of ``n`` samples of rows that the model fits exactly (Bollen & Stine).

    Raises
    ------
    SpecError : the fit is not one of complete, independent rows of continuous variables.
    """
    squares = fit.engine == "least squares"
    if not (by_moments(fit) or squares) or fit.options.cluster:
        what = "the test of Bollen and Stine is for complete, independent rows of continuous variables"
        rows = fit.engine == "rows" and fit.options.missing != "listwise"
        do = 'Fit with missing="listwise", or leave this test out' if rows else "Leave this test out"
        raise SpecError(message(what, do=do))
    check_samples(n)
    check_seed(seed)
    before = fit if fit.rotation is None else fit.rotation.before  # a rotation leaves chi-square as it is
    draws, seeds = draws_of(before, "bollen.stine"), spawn(seed, n)
    function = partial(fit_squares, before, draws) if squares else partial(fit_moments, with_information(before), draws)
    pieces = [seeds[at : at + PIECE] for at in range(0, n, PIECE)]
    found = run_all(function, pieces, description="bootstrap")
    return np.concatenate([chisq for _, chisq in found])[fitted(np.concatenate([x for x, _ in found]))]


def fitted(x: Floats) -> NDArray[np.bool_]:
    """Return which samples have parameters; raise FitError where most have none."""
    there = np.isfinite(x).all(axis=1)
    if there.sum() < max(len(x) // 2, 2):
        what = f"only {there.sum()} of {len(x)} bootstrap samples could be fitted"
        raise FitError(message(what, do="Simplify the model"))
    return np.asarray(there)
