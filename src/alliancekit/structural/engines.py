"""Which engine fits which model: moments of complete data, rows with missing values or robust errors, two levels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.core.later import Later
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.continuous.fit import fit_complete
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.estimators import SCALED, YUAN, is_scaled
from alliancekit.structural.likelihood.inference import model_information
from alliancekit.structural.options import Options
from alliancekit.structural.sample import Sample
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.continuous import least_squares, robust
    from alliancekit.structural.continuous import squares as squared
    from alliancekit.structural.continuous.missing import estimate as missing
    from alliancekit.structural.likelihood import solution as solved
    from alliancekit.structural.likelihood.solution import Request, Solution
    from alliancekit.structural.ordinal import fit as ordinal
    from alliancekit.structural.twolevel import estimate as twolevel
else:
    least_squares = Later("alliancekit.structural.continuous.least_squares")
    robust = Later("alliancekit.structural.continuous.robust")
    squared = Later("alliancekit.structural.continuous.squares")
    missing = Later("alliancekit.structural.continuous.missing.estimate")
    solved = Later("alliancekit.structural.likelihood.solution")
    ordinal = Later("alliancekit.structural.ordinal.fit")
    twolevel = Later("alliancekit.structural.twolevel.estimate")

SQUARES = ("robust.huber.white", "first.order")
"""Standard errors from squared scores of the rows."""


def estimate(options: Options, table: ParameterTable, constraints: Constraints, sample: Sample) -> StructuralEstimates:
    """Return the estimates of a model by the engine that its options need; without uncertainty where none is wanted.

    Tests beyond the one by which measures are scaled are those of fits that ask for them alone.
    """
    found = _by_engine(options, table, constraints, sample)
    others = [word for word in options.words.tests if is_scaled(word) and word != options.test]
    plain = replace(options, se="none")
    more = {word: _by_engine(replace(plain, test=word), table, constraints, sample).test for word in others}
    vcov = np.full_like(found.vcov, np.nan) if options.se == "none" else found.vcov
    return replace(found, vcov=vcov, more_tests=more)


def _by_engine(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    if options.ordered:
        return ordinal.fit_ordinal(options, table, constraints, sample)
    if table.n_levels > 1:
        return _by_levels(options, table, constraints, sample)
    squares = options.se in SQUARES or (options.information == "first.order" and options.se != "none")
    squares = squares or options.test in YUAN
    moments = options.se == "robust.sem" or options.test in SCALED.values() or options.likelihood == "wishart"
    if options.missing == "listwise" and not options.cluster and (moments or not squares):
        found = _by_moments(options, table, constraints, sample)
        return squared.add_squares(found, request_of(options)) if squares else found
    found = _by_rows(options, table, constraints, sample)
    return found if options.likelihood == "normal" else squared.as_wishart(found)


def _by_moments(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    """Fit means and covariances of complete data."""
    corrected = options.se == "robust.sem" or options.test in SCALED.values()
    if options.point == "ML":
        fit = fit_complete(options, table, constraints, sample)
        return robust.make_robust(fit) if corrected else fit
    fit = least_squares.fit_least_squares(options, table, constraints, sample)
    if not corrected:
        return fit
    if fit.stacked is None or any(group.rows is None for group in sample.groups):
        raise SpecError(message("robust standard errors need the rows of the data, not only their covariances"))
    return robust.make_robust(fit)


def request_of(options: Options, *, clusters: bool = False) -> Request:
    """Return how uncertainty is computed from rows; clusters: scores are summed by cluster in a model of one level."""
    words = options.words
    kind = "first.order" if options.se == "first.order" else options.information
    test = options.test if options.test in YUAN else "standard"
    if clusters and not options.test_given and test == "standard":
        test = "yuan.bentler.mplus"
    sandwich = clusters or options.se == "robust.huber.white"
    return solved.Request((kind, words.information[1]), words.observed, words.h1, sandwich=sandwich, test=test)


def _by_rows(options: Options, table: ParameterTable, constraints: Constraints, sample: Sample) -> StructuralEstimates:
    """Fit raw data of one level."""
    centred = "~1" not in table.op
    rows = [group.rows - group.mean * centred for group in sample.groups if group.rows is not None]
    if len(rows) < len(sample.groups):
        what = "robust standard errors and missing values need the rows of the data, not only their covariances"
        raise SpecError(message(what, do="Hand in the data"))
    labels = [group.clusters for group in sample.groups if group.clusters is not None] if options.cluster else None
    request = request_of(options, clusters=labels is not None)
    found = missing.fit_incomplete(table, constraints, rows, request, clusters=labels, auxiliary=options.auxiliary)
    return _gather(options, constraints, sample, found, found.baseline()[1], "rows")


def _by_levels(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    """Fit raw data of two levels."""
    if options.cluster is None:
        raise SpecError(message("a model with two levels needs clusters", do="Name their column in cluster="))
    rows, only, labels = [], [], []
    for roles, group in zip(twolevel.group_roles(table), sample.groups, strict=True):
        if group.rows is None or group.clusters is None:
            raise SpecError(message("a model with two levels needs the rows of the data", do="Hand in the data"))
        place = {name: k for k, name in enumerate(group.names)}
        rows.append(group.rows[:, [place[name] for name in roles.within]])
        only.append(group.rows[:, [place[name] for name in roles.cluster_only]])
        labels.append(group.clusters)
    found = twolevel.fit_clustered(table, constraints, rows, only, labels, request_of(options))
    baseline = found.baseline()
    if baseline is None:
        raise FitError(message("the model of independent variables cannot be fitted to both levels"))
    return _gather(options, constraints, sample, found, baseline[1], "levels")


def _gather(
    options: Options,
    constraints: Constraints,
    sample: Sample,
    found: missing.IncompleteFit | twolevel.ClusteredFit,
    baseline: Solution,
    engine: str,
) -> StructuralEstimates:
    """Return the estimates of a fit of raw data."""
    solution = found.solution
    information = solution.information
    if information.shape[0] != found.x.size:
        information = model_information(options.information, found.data, found.model, found.x)
    return StructuralEstimates(
        options,
        found.table,
        found.model,
        constraints,
        sample,
        found.x,
        found.vcov,
        information,
        solution.implied,
        found.saturated.blocks,
        _test(solution, found.request),
        _test(baseline, found.request),
        found.fmin,
        solution.log_likelihood,
        found.saturated.log_likelihood - found.saturated.outside,
        None if solution.scaling is None else (solution.scaling.saturated, solution.scaling.model),
        found.mapping.spent,
        found.found.iterations,
        found.found.converged,
        engine,
        found,
    )


def _test(solution: Solution, request: Request) -> ModelTest:
    factor = None if solution.scaling is None else solution.scaling.factor
    return ModelTest(solution.statistic, solution.df, float("nan") if request.scaled and factor is None else factor)
