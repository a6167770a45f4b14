"""Which engine fits which model: moments of complete data, or raw data with missing values or robust errors."""

from __future__ import annotations

from alliancekit.structural.constraints import Constraints
from alliancekit.structural.continuous.fit import fit_complete
from alliancekit.structural.continuous.missing.estimate import fit_incomplete
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.likelihood.inference import model_information
from alliancekit.structural.likelihood.solution import Request
from alliancekit.structural.options import Options
from alliancekit.structural.sample import Sample
from alliancekit.structural.table import ParameterTable


def estimate(options: Options, table: ParameterTable, constraints: Constraints, sample: Sample) -> StructuralEstimates:
    """Return the estimates of a model by the engine that its options need."""
    plain = options.se == "standard" and options.test == "standard" and options.information == "expected"
    if options.missing == "listwise" and plain:
        return fit_complete(options, table, constraints, sample)
    return _by_rows(options, table, constraints, sample)


def _by_rows(options: Options, table: ParameterTable, constraints: Constraints, sample: Sample) -> StructuralEstimates:
    kind = options.information
    request = Request((kind, kind), sandwich=options.se == "robust.huber.white", test=options.test)
    rows = [group.rows for group in sample.groups]
    assert all(part is not None for part in rows)
    found = fit_incomplete(table, constraints, [part for part in rows if part is not None], request)
    solution = found.solution
    baseline = found.baseline()[1]
    scaling = solution.scaling
    return StructuralEstimates(
        options,
        table,
        found.model,
        constraints,
        sample,
        found.x,
        found.vcov,
        model_information(kind, found.data, found.model, found.x),
        solution.implied,
        found.saturated.blocks,
        ModelTest(solution.statistic, solution.df, None if scaling is None else scaling.factor),
        ModelTest(baseline.statistic, baseline.df, None if baseline.scaling is None else baseline.scaling.factor),
        found.fmin,
        solution.log_likelihood,
        found.saturated.log_likelihood - found.saturated.outside,
        None if scaling is None else (scaling.saturated, scaling.model),
        solution.x.size,
        found.found.iterations,
        found.found.converged,
        "rows",
    )
