"""Weighted least squares of means and covariances: GLS, ULS, WLS (any distribution) and DWLS (its diagonal).

F = (s - sigma)' V (s - sigma), on covariances with divisor n - 1 and weighted by n - 1, as in lavaan. GLS: Jöreskog &
Goldberger (1972), Psychometrika 37, 243-260; WLS: Browne (1984), Br J Math Stat Psychol 37, 62-83.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.structural.constraints import Constraints, Linear
from alliancekit.structural.continuous.asymptotic import moment_covariance, stack
from alliancekit.structural.continuous.counted import held_places, independence_slopes, kept_moments
from alliancekit.structural.continuous.limited import minimise_within
from alliancekit.structural.duplication import from_half, half_vector, kronecker_sum
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.estimators import SCALED
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.likelihood.inference import inverse_information
from alliancekit.structural.model import Model, compile_model, jacobian
from alliancekit.structural.options import Options
from alliancekit.structural.sample import GroupSample, Sample
from alliancekit.structural.scoring import Criterion, Curvature, Found, search_by_scoring
from alliancekit.structural.starts import starting_values
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def fit_least_squares(
    options: Options, table: ParameterTable, constraints: Constraints, sample: Sample
) -> StructuralEstimates:
    """Return the least-squares estimates of a model of complete data.

    Raises
    ------
    SpecError : the weights need rows, and only moments were given. FitError : the start is not admissible.
    """
    groups = sample.groups
    covs = [g.cov * (g.n / (g.n - 1)) for g in groups]
    pairs = [(g.mean, cov) for g, cov in zip(groups, covs, strict=True)]
    model = compile_model(table, pairs)
    kept = [kept_moments(table, b, g, model.means) for b, g in enumerate(groups, start=1)]
    observed = [_vector(g.mean, c, k) for g, c, k in zip(groups, covs, kept, strict=True)]
    held = [held_places(table, b, g) for b, g in enumerate(groups, start=1)]
    needed = options.point in ("WLS", "DWLS") or options.se == "robust.sem" or options.test in SCALED.values()
    gammas = [_gamma(options.point, g, k, x, needed) for g, k, x in zip(groups, kept, held, strict=True)]
    weights = [_weight(options.point, c, gamma, k) for c, gamma, k in zip(covs, gammas, kept, strict=True)]
    start = starting_values(table, [g.names for g in groups], pairs)
    limits = Limits(table, constraints)
    rows = [g.n - 1 for g in groups]
    functions = _criterion(model, constraints.linear, (observed, weights, kept), rows)
    search = partial(_search, constraints.linear, limits, *functions)
    nearby = partial(_diagonal_start, model, constraints.linear, limits, (observed, weights, kept), rows, start)
    several = options.point in ("GLS", "WLS")  # whose criteria have several minima where a model fits badly
    found, tangent, n_parameters = search(nearby() if several and limits.any else start)
    if several and not limits.any and not (found.converged and _proper(model, constraints.linear.expand(found.x))):
        other = search(nearby())[0]
        found = min(found, other, key=lambda one: (not one.converged, one.value))
    x, value = constraints.linear.expand(found.x), found.value / sample.n
    slopes = [j[k] for j, k in zip(model.jacobian(x), kept, strict=True)]
    implied = model.moments(x)
    curved = options.information == "observed"
    counts = rows if curved else [g.n for g in groups]
    information = np.zeros((x.size, x.size))
    for D, V, n in zip(slopes, weights, counts, strict=True):
        information += n * (D.T @ V @ D)
    if curved:
        gaps = [s - _vector(at.mu, at.sigma, k) for s, at, k in zip(observed, implied, kept, strict=True)]
        information += _curvature(model, x, gaps, weights, kept, rows)
    information *= (sample.n - len(groups)) / sample.n
    basis = constraints.linear.basis if tangent is None else tangent
    df = sum(len(s) for s in observed) - n_parameters
    chisq = sample.n * value if df > 0 or limits.any else 0.0
    stacked = stack(slopes, weights, gammas, [g.n / sample.n for g in groups])
    return StructuralEstimates(
        options,
        table,
        model,
        constraints,
        sample,
        x,
        inverse_information(information, basis),
        information,
        implied,
        tuple(Moments(g.mean, cov) for g, cov in zip(groups, covs, strict=True)),
        ModelTest(chisq, df),
        ModelTest(*_independence(table, groups, observed, weights, kept)),
        value / 2.0,
        float("nan"),
        float("nan"),
        None,
        n_parameters,
        found.iterations,
        found.converged,
        "least squares",
        stacked=stacked,
        tangent=tangent,
    )


def _curvature(
    model: Model,
    x: Floats,
    gaps: Sequence[Floats],
    weights: Sequence[Floats],
    kept: Sequence[Booleans],
    rows: Sequence[int],
) -> Floats:
    """Return what the curvature of the moments adds to the information: half the second derivative of chi-square."""
    slopes = []
    for gap, V, k, n in zip(gaps, weights, kept, rows, strict=True):
        whole = np.zeros(k.size)
        whole[k] = -2.0 * n * (V @ gap)
        p = int((np.sqrt(9 + 8 * k.size) - 3) / 2)
        half = from_half(whole[p:], p) / 2
        half.flat[:: p + 1] *= 2
        slopes.append(Moments(whole[:p], half))
    return np.asarray(model.bend(x, slopes) / 2)


def refit_least_squares(fit: StructuralEstimates, groups: Sequence[GroupSample], start: Floats) -> tuple[Floats, float]:
    """Return the parameters (size,) of a fit for other rows of its groups, and chi-square.

    Raises
    ------
    FitError : the weights cannot be computed, or the search does not end at a minimum.
    """
    table, point, linear = fit.table, fit.options.point, fit.constraints.linear
    covs = [g.cov * (g.n / (g.n - 1)) for g in groups]
    pairs = [(g.mean, cov) for g, cov in zip(groups, covs, strict=True)]
    model = compile_model(table, pairs) if any(table.exo) else fit.model
    kept = [kept_moments(table, b, g, model.means) for b, g in enumerate(groups, start=1)]
    held = [held_places(table, b, g) for b, g in enumerate(groups, start=1)]
    needed = point in ("WLS", "DWLS")
    gammas = [_gamma(point, g, k, x, needed) for g, k, x in zip(groups, kept, held, strict=True)]
    weights = [_weight(point, c, gamma, k) for c, gamma, k in zip(covs, gammas, kept, strict=True)]
    observed = [_vector(g.mean, c, k) for g, c, k in zip(groups, covs, kept, strict=True)]
    functions = _criterion(model, linear, (observed, weights, kept), [g.n - 1 for g in groups])
    found = _search(linear, Limits(table, fit.constraints), *functions, start)[0]
    if not found.converged:
        raise FitError(message("the search for the estimates stopped before the optimum"))
    return linear.expand(found.x), found.value


def _criterion(
    model: Model,
    linear: Linear,
    targets: tuple[Sequence[Floats], Sequence[Floats], Sequence[Booleans]],
    rows: Sequence[int],
) -> tuple[Criterion, Curvature]:
    """Return chi-square with gradient as a function of z, and its expected second derivative.

    targets : per group, observed moments, weights, and which moments count. rows : n - 1 of each group.
    """
    parts = list(zip(*targets, rows, strict=True))

    def criterion(z: Floats) -> tuple[float, Floats]:
        x = linear.expand(z)
        total, slope = 0.0, np.zeros(x.size)
        for block, at, (s, V, k, n) in zip(model.blocks, model.parts(x), parts, strict=True):
            gap = s - _vector(at.mu, at.sigma, k)
            pull = V @ gap
            total += n * float(gap @ pull)
            slope -= 2.0 * n * (pull @ jacobian(block, at, x.size)[k])
        return total, linear.basis.T @ slope

    def curvature(z: Floats) -> Floats:
        x = linear.expand(z)
        inner = np.zeros((x.size, x.size))
        for D, (_, V, k, n) in zip(model.jacobian(x), parts, strict=True):
            inner += 2.0 * n * (D[k].T @ V @ D[k])
        return np.asarray(linear.basis.T @ inner @ linear.basis)

    return criterion, curvature


def _diagonal_start(
    model: Model,
    linear: Linear,
    limits: Limits,
    targets: tuple[Sequence[Floats], Sequence[Floats], Sequence[Booleans]],
    rows: Sequence[int],
    start: Floats,
) -> Floats:
    """Return the minimum within the limits where moments are weighted by their variances alone; else the start."""
    observed, weights, kept = targets
    diagonal = [np.diag(1.0 / np.diag(np.linalg.inv(V))) for V in weights]
    functions = _criterion(model, linear, (observed, diagonal, kept), rows)
    try:
        found = _search(linear, limits, *functions, start)[0]
    except FitError:
        return start
    return linear.expand(found.x) if found.converged else start


def _proper(model: Model, x: Floats) -> bool:
    """Return whether no variance is negative."""
    for c in (block.covariances for block in model.blocks):
        if (x[c.parameters[c.rows == c.columns]] < 0).any():
            return False
    return True


def _search(
    linear: Linear, limits: Limits, criterion: Criterion, curvature: Curvature, start: Floats
) -> tuple[Found, Floats | None, int]:
    """Return the minimum of chi-square, the directions along which limits hold, and the degrees of freedom used."""
    z = linear.reduce(start)
    found = search_by_scoring(criterion, curvature, z, tolerance=1e-10, max_iterations=500, refresh=4)
    if limits.any:
        near = found.x if found is not None and found.converged else None
        within = minimise_within(limits, criterion, curvature, z, near)
        return within.found, within.tangent, within.spent
    if found is None or not np.isfinite(found.value):
        raise FitError(message("the starting values are not admissible", do="Give others with start()"))
    return found, None, linear.basis.shape[1]


def _vector(mean: Floats, cov: Floats, kept: Booleans) -> Floats:
    return np.asarray(np.concatenate([mean, half_vector(cov)])[kept])


def _gamma(point: str, group: GroupSample, kept: Booleans, held: Sequence[int], needed: bool) -> Floats:
    """Return the covariance of the moments that count; zero where it is not needed."""
    if group.rows is None and point in ("WLS", "DWLS"):
        raise SpecError(message(f"estimator {point} needs the rows of the data, not only their covariances"))
    if group.rows is None or not needed:
        return np.zeros((int(kept.sum()), int(kept.sum())))
    return np.asarray(moment_covariance(group.rows, True, held)[np.ix_(kept, kept)])


def _weight(point: str, cov: Floats, gamma: Floats, kept: Booleans) -> Floats:
    if point == "ULS":
        return np.eye(int(kept.sum()))
    if point == "GLS":
        return normal_weights(cov, kept)
    if point == "DWLS":
        return np.diag(1.0 / np.diag(gamma))
    scale = np.sqrt(np.diag(gamma))
    values = np.linalg.eigvalsh(gamma / np.outer(scale, scale))
    if values[0] <= 1e-12 * values[-1]:
        what = "the covariance matrix of the moments is singular: there are fewer rows than moments"
        raise FitError(message(what, do="Take estimator ML, GLS or DWLS"))
    return np.asarray(np.linalg.inv(gamma))


def normal_weights(cov: Floats, kept: Booleans) -> Floats:
    """Return the information of one normal row about the moments that count."""
    P = np.asarray(np.linalg.inv(cov), dtype=np.float64)
    p = len(P)
    whole = np.zeros((kept.size, kept.size))
    whole[:p, :p], whole[p:, p:] = P, kronecker_sum(P[None], P[None]) / 2
    return whole[np.ix_(kept, kept)]


def _independence(
    table: ParameterTable,
    groups: Sequence[GroupSample],
    observed: Sequence[Floats],
    weights: Sequence[Floats],
    kept: Sequence[Booleans],
) -> tuple[float, int]:
    """Return chi-square and df of independence, a linear model of the moments."""
    value, df = 0.0, 0
    for b, (group, s, V, k) in enumerate(zip(groups, observed, weights, kept, strict=True), start=1):
        D = independence_slopes(table, b, group)[k]
        D = D[:, D.any(axis=0)]
        gap = s - D @ np.linalg.solve(D.T @ V @ D, D.T @ V @ s)
        value += (group.n - 1) * float(gap @ V @ gap)
        df += len(s) - D.shape[1]
    return value, df
