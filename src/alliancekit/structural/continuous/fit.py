"""Maximum likelihood of complete data from their moments: estimates, expected information, tests, log-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.core.errors import FitError, message
from alliancekit.core.later import Later
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.continuous.counted import exogenous_places
from alliancekit.structural.continuous.objective import SampleMoments, evaluate
from alliancekit.structural.continuous.optimise import Optimum, search, search_limited
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.likelihood.inference import inverse_information, model_information
from alliancekit.structural.model import Model, compile_model
from alliancekit.structural.options import Options
from alliancekit.structural.sample import GroupSample, Sample
from alliancekit.structural.starts import admissible_start, starting_values
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.continuous.missing import data as missing
else:
    missing = Later("alliancekit.structural.continuous.missing.data")

Floats = NDArray[np.float64]
LOG_2PI = float(np.log(2 * np.pi))


def fit_complete(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    """Return the estimates of a model of complete data.

    Raises
    ------
    FitError : no admissible start was found, or no parameters that satisfy the constraints.
    """
    unbiased = options.likelihood == "wishart"
    groups = sample.groups
    covs = [g.cov * (g.n / (g.n - 1)) if unbiased else g.cov for g in groups]
    total = float(sample.n)
    moments = [
        SampleMoments(g.mean, cov, g.n / total, float(np.linalg.slogdet(cov)[1]))
        for g, cov in zip(groups, covs, strict=True)
    ]
    pairs = [(g.mean, cov) for g, cov in zip(groups, covs, strict=True)]
    model = compile_model(table, pairs)
    start = starting_values(table, [g.names for g in groups], pairs)
    found = _optimum(model, moments, constraints, start, Limits(table, constraints), total)
    information = found.information * total
    if options.information != "expected" or options.words.h1[0] != "structured":
        information = information_of(options, 0, model, pairs, [g.n for g in groups], found.point.x)
    if unbiased:
        information = information * ((sample.n - len(groups)) / sample.n)
    basis = None if constraints.linear.trivial and found.tangent is None else found.directions(constraints.linear)
    vcov = inverse_information(information, basis)
    points = sum(len(g.names) * (len(g.names) + 1) // 2 + (len(g.names) if model.means else 0) for g in groups)
    held = _held(table, groups)
    n_parameters = constraints.linear.basis.shape[1] if found.spent is None else found.spent
    df = points - sum(count for count, _ in held) - n_parameters
    value, tested = found.point.value, moments
    if unbiased:  # as lavaan, whose tests count a row less than the search
        tested = [replace(own, weight=(g.n - 1) / total) for own, g in zip(moments, groups, strict=True)]
        at = evaluate(model, tested, found.point.x)
        value = found.point.value if at is None else at.value
    chisq = max(total * value, 0.0) if df > 0 or found.tangent is not None else 0.0
    saturated = _log_likelihood(groups, covs, held)
    return StructuralEstimates(
        options,
        table,
        model,
        constraints,
        sample,
        found.point.x,
        vcov,
        information,
        tuple(Moments(part.mu, part.sigma) for part in found.point.parts),
        tuple(Moments(g.mean, cov) for g, cov in zip(groups, covs, strict=True)),
        ModelTest(chisq, df),
        _baseline(table, groups, tested, total),
        found.point.value / 2.0,
        saturated - sample.n * found.point.value / 2.0,
        saturated,
        None,
        n_parameters,
        found.iterations,
        found.converged,
        "moments",
        tangent=found.tangent,
    )


def _optimum(
    model: Model,
    moments: Sequence[SampleMoments],
    constraints: Constraints,
    start: Floats,
    limits: Limits,
    total: float,
) -> Optimum:
    """Return the minimum, within the limits where there are any."""
    found = search(model, moments, constraints.linear, start)
    if found is None:
        start = admissible_start(model, constraints.linear, start)
        found = search(model, moments, constraints.linear, start)
    if limits.any:
        found = search_limited(model, moments, constraints.linear, start, found, limits, total)
    if found is None:
        what = "the covariance matrix implied by the starting values is not positive definite"
        raise FitError(message(what, do="Give starting values with start(), or check the model"))
    for block, part in zip(model.blocks, found.point.parts, strict=True):
        _check_definite(block.observed, part.sigma)
    return found


def _check_definite(names: Sequence[str], sigma: Floats) -> None:
    """Raise FitError where the model says that observed variables depend on each other exactly."""
    scale = 1.0 / np.sqrt(sigma.diagonal())
    factor, failed = lapack.dpotrf(scale[:, None] * sigma * scale, lower=1)
    if failed or factor.diagonal().min() < 1e-7:
        at = failed - 1 if failed else int(factor.diagonal().argmin())
        what = f"the covariance matrix that the model implies is singular: '{names[at]}' follows from the others"
        raise FitError(message(what, do="Leave residual variances free, or leave the variable out"))


def information_of(
    options: Options,
    use: int,
    model: Model,
    pairs: Sequence[tuple[Floats, Floats]],
    weights: Sequence[float] | Floats,
    x: Floats,
) -> Floats:
    """Return the information of all rows about the parameters, for standard errors (use 0) or tests (1).

    First-order information, which needs the rows, is not among them: observed information stands in its place.
    """
    words = options.words
    kind = "expected" if words.information[use] == "expected" else "observed"
    seen = [(mean * model.means, cov) for mean, cov in pairs]
    at = [Moments(*pair) for pair in seen] if words.h1[use] == "unstructured" else None
    data = complete_likelihood(seen, weights)
    return model_information(kind, data, model, x, observed=words.observed[use], at=at)


def complete_likelihood(
    pairs: Sequence[tuple[Floats, Floats]], weights: Sequence[float] | Floats
) -> missing.IncompleteRows:
    """Return the likelihood of complete rows of which only means and covariances are known."""
    return missing.summary_rows([mean for mean, _ in pairs], [cov for _, cov in pairs], [int(w) for w in weights])


def _held(table: ParameterTable, groups: Sequence[GroupSample]) -> list[tuple[int, list[int]]]:
    """Return, per group, the number of moments held at their sample values, and the variables they belong to."""
    out = []
    for b, group in enumerate(groups, start=1):
        rows = table.rows(b)
        count = sum(1 for i in rows if table.exo[i])
        places = exogenous_places(table, b, group.names) if count else []
        out.append((count, places))
    return out


def _log_likelihood(
    groups: Sequence[GroupSample], covs: Sequence[Floats], held: Sequence[tuple[int, list[int]]]
) -> float:
    """Return the log-likelihood of the saturated model, given the covariates that are held."""
    total = 0.0
    for group, cov, (_, places) in zip(groups, covs, held, strict=True):
        total += _normal(group.n, cov)
        if places:
            total -= _normal(group.n, cov[np.ix_(places, places)])
    return total


def _normal(n: int, cov: Floats) -> float:
    p = len(cov)
    return -n / 2.0 * (p * LOG_2PI + float(np.linalg.slogdet(cov)[1]) + p)


def _baseline(
    table: ParameterTable, groups: Sequence[GroupSample], moments: Sequence[SampleMoments], total: float
) -> ModelTest:
    """Return the test of independence; covariates keep their covariances."""
    value, df = 0.0, 0
    for b, (group, sample) in enumerate(zip(groups, moments, strict=True), start=1):
        places = exogenous_places(table, b, group.names)
        others = [k for k in range(len(group.names)) if k not in places]
        log_det = float(np.log(np.diag(sample.cov)[others]).sum())
        if places:
            log_det += float(np.linalg.slogdet(sample.cov[np.ix_(places, places)])[1])
        value += sample.weight * (log_det - sample.log_det)
        p, q = len(group.names), len(places)
        df += p * (p - 1) // 2 - q * (q - 1) // 2
    return ModelTest(total * value, df)
