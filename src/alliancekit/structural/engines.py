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
from alliancekit.structural.likelihood.inference import model_information
from alliancekit.structural.options import Options
from alliancekit.structural.sample import Sample
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.continuous import least_squares, robust
    from alliancekit.structural.continuous.missing import estimate as missing
    from alliancekit.structural.likelihood import solution as solved
    from alliancekit.structural.likelihood.solution import Request, Solution
    from alliancekit.structural.ordinal import fit as ordinal
    from alliancekit.structural.twolevel import estimate as twolevel
else:
    least_squares = Later("alliancekit.structural.continuous.least_squares")
    robust = Later("alliancekit.structural.continuous.robust")
    missing = Later("alliancekit.structural.continuous.missing.estimate")
    solved = Later("alliancekit.structural.likelihood.solution")
    ordinal = Later("alliancekit.structural.ordinal.fit")
    twolevel = Later("alliancekit.structural.twolevel.estimate")


def estimate(options: Options, table: ParameterTable, constraints: Constraints, sample: Sample) -> StructuralEstimates:
    """Return the estimates of a model by the engine that its options need; without uncertainty where none is wanted."""
    found = _by_engine(options, table, constraints, sample)
    return replace(found, vcov=np.full_like(found.vcov, np.nan)) if options.se == "none" else found


def _by_engine(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    if options.ordered:
        return ordinal.fit_ordinal(options, table, constraints, sample)
    if table.n_levels > 1:
        return _by_levels(options, table, constraints, sample)
    plain = options.se in ("standard", "robust.sem", "bootstrap", "none") and options.information != "first.order"
    plain = plain and not options.test.startswith("yuan")
    if options.missing == "listwise" and plain and not options.cluster:
        return _by_moments(options, table, constraints, sample)
    return _by_rows(options, table, constraints, sample)


def _by_moments(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    """Fit means and covariances of complete data."""
    corrected = options.se == "robust.sem" or options.test != "standard"
    if options.point == "ML":
        fit = fit_complete(options, table, constraints, sample)
        return robust.make_robust(fit, least_squares.stacked_of(fit)) if corrected else fit
    fit = least_squares.fit_least_squares(options, table, constraints, sample)
    if not corrected:
        return fit
    if fit.stacked is None or any(group.rows is None for group in sample.groups):
        raise SpecError(message("robust standard errors need the rows of the data, not only their covariances"))
    return robust.make_robust(fit, fit.stacked)


def request_of(options: Options, *, clusters: bool = False) -> Request:
    """Return how uncertainty is computed; clusters: scores are summed by cluster in a model of one level.

    As in lavaan, tests other than those of estimator MLR take the information without the curvature of the moments.
    """
    kind = "first.order" if options.se == "first.order" else options.information
    test = "yuan.bentler.mplus" if clusters and options.test == "standard" else options.test
    for_test = "hessian" if test == "standard" or options.estimator == "MLR" else "h1"
    sandwich = clusters or options.se == "robust.huber.white"
    return solved.Request((kind, kind), ("hessian", for_test), sandwich=sandwich, test=test)


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
