"""Fit a model of ordinal and mixed variables: from options, table and sample to estimates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignWarning, FitError, SpecError, message
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.continuous.asymptotic import Stacked, scale_by_traces, scale_test, stack
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.estimators import SCALED
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.model import BlockModel, Model, compile_model
from alliancekit.structural.options import Options
from alliancekit.structural.ordinal.compile import compile_structures, conditional_names, start
from alliancekit.structural.ordinal.estimate import Estimated, OrdinalFit, estimate_ordinal, independence, weights_of
from alliancekit.structural.ordinal.notices import notices
from alliancekit.structural.ordinal.search import Target, search_limited
from alliancekit.structural.ordinal.statistics import Statistics, compute_statistics
from alliancekit.structural.ordinal.structure import Structure
from alliancekit.structural.sample import GroupSample, Sample
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def fit_ordinal(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    """Return the estimates of a model with ordinal variables.

    Raises
    ------
    SpecError : two levels. FitError : a first-step regression has no solution, the weights cannot be computed, no
    admissible start, limits that cannot be satisfied.
    """
    if table.n_levels > 1:
        what = "ordinal variables in a model with two levels cannot be estimated"
        raise SpecError(message(what, do='Leave ordered= out, which with estimator="MLR" treats them as continuous'))
    statistics, sizes, outside = [], [], []
    for b, group in enumerate(sample.groups, start=1):
        names, given = conditional_names(table, b)
        own, rows, covariates = _columns(group, sample, names, given)
        sizes.append(own)
        statistics.append(compute_statistics(names, rows, own, covariates))
        outside.append(_moments(group, given, covariates))
        for found in notices(statistics[-1], group.label):
            warnings.warn(found, DesignWarning, stacklevel=2)
    model = compile_model(table, outside)
    structures = compile_structures(table, model, sizes, options.rules.theta)
    robust = options.se == "robust.sem"
    first = start(table, structures, statistics)
    limits = Limits(table, constraints)
    done = estimate_ordinal(structures, statistics, options.point, constraints.linear, first, limits, robust=robust)
    return _gather(options, table, constraints, sample, model, done)


def refit_ordinal(fit: StructuralEstimates, groups: Sequence[GroupSample]) -> Floats:
    """Return the parameters (size,) of a fit for other rows of its groups, searched from its own on.

    Raises
    ------
    FitError : a category has no row, there are no weights, or the search does not end at a minimum.
    """
    assert fit.ordinal is not None
    statistics, point = [], fit.options.point
    for b, group in enumerate(groups, start=1):
        names, given = conditional_names(fit.table, b)
        sizes, rows, covariates = _columns(group, fit.sample, names, given)
        _require_categories(names, sizes, rows)
        statistics.append(compute_statistics(names, rows, sizes, covariates))
    total = sum(s.n for s in statistics)
    targets = [Target(s.vector, weights_of(point, s), (s.n - 1) / total) for s in statistics]
    limits = Limits(fit.table, fit.constraints)
    reached = search_limited(fit.ordinal.structures, targets, fit.constraints.linear, fit.x, limits, total)
    if reached is None or not reached.optimum.converged:
        raise FitError(message("the search for the estimates stopped before the optimum"))
    return reached.optimum.x


def check_categories(fit: StructuralEstimates, groups: Sequence[GroupSample]) -> None:
    """Raise FitError where other rows of the groups of a fit lack a category."""
    for b, group in enumerate(groups, start=1):
        names, given = conditional_names(fit.table, b)
        _require_categories(names, *_columns(group, fit.sample, names, given)[:2])


def _require_categories(names: Sequence[str], sizes: Integers, rows: Floats) -> None:
    for name, size, codes in zip(names, sizes.tolist(), rows.T, strict=True):
        if size and len(np.unique(codes[~np.isnan(codes)])) < size:
            raise FitError(message(f"a category of '{name}' has no row"))


def _columns(
    group: GroupSample, sample: Sample, names: tuple[str, ...], given: tuple[str, ...]
) -> tuple[Integers, Floats, Floats]:
    """Return numbers of categories, values of the modelled variables, and covariates of one group."""
    assert group.rows is not None
    place = {name: k for k, name in enumerate(group.names)}
    sizes = np.array([len(sample.categories.get(name, ())) for name in names], dtype=np.intp)
    return sizes, group.rows[:, [place[n] for n in names]], group.rows[:, [place[n] for n in given]]


def _moments(group: GroupSample, given: tuple[str, ...], covariates: Floats) -> tuple[Floats, Floats]:
    """Return mean and covariance (divisor n - 1, as in lavaan) of all observed variables, zero but for covariates."""
    p = len(group.names)
    mean, cov = np.zeros(p), np.zeros((p, p))
    places = [group.names.index(name) for name in given]
    mean[places] = covariates.mean(axis=0)
    centred = covariates - mean[places]
    cov[np.ix_(places, places)] = centred.T @ centred / (len(covariates) - 1)
    return mean, cov


def _gather(
    options: Options,
    table: ParameterTable,
    constraints: Constraints,
    sample: Sample,
    model: Model,
    done: Estimated,
) -> StructuralEstimates:
    fit, found, total = done.fit, done.reached.optimum, sample.n
    n_parameters = done.reached.spent
    df = sum(len(target.observed) for target in fit.targets) - n_parameters
    stacked = _stack(fit, [at.jacobian for at in fit.at], total)
    alone = independence(fit)
    test = ModelTest(total * found.value if df > 0 or Limits(table, constraints).any else 0.0, df)
    baseline = ModelTest(total * alone.value, alone.df)
    if options.test in SCALED.values():
        test = scale_test(test, stacked, done.reached.directions, options.test)
        baseline = scale_by_traces(baseline, alone.first, alone.second, options.test)
    blocks = tuple(_complete(block, at.S, s) for block, at, s in zip(model.blocks, fit.at, fit.structures, strict=True))
    nan = float("nan")
    return StructuralEstimates(
        options,
        table,
        replace(model, blocks=blocks),
        constraints,
        sample,
        found.x,
        done.vcov,
        done.information * total,
        tuple(Moments(at.mu, at.sigma) for at in fit.at),
        tuple(_sample_moments(s) for s in fit.statistics),
        test,
        baseline,
        found.value / 2.0,
        nan,
        nan,
        None,
        n_parameters,
        found.iterations,
        found.converged,
        "ordinal",
        stacked=stacked,
        ordinal=fit,
        tangent=done.reached.directions,
    )


def _stack(fit: OrdinalFit, slopes: list[Floats], total: int) -> Stacked:
    weights = [t.weight if t.weight.ndim == 2 else np.diag(t.weight) for t in fit.targets]
    shares = [s.n / total for s in fit.statistics]
    return stack(slopes, weights, [s.gamma for s in fit.statistics], shares)


def _complete(block: BlockModel, S: Floats, structure: Structure) -> BlockModel:
    """Return a block with the residual variances of ordinal variables filled in."""
    own = structure.own[structure.ordinal]
    filled = block.S.copy()
    filled[own, own] = S[own, own]
    return replace(block, S=filled)


def _sample_moments(statistics: Statistics) -> Moments:
    return Moments(np.where(statistics.margins.ordinal, 0.0, statistics.margins.location), statistics.covariance)
