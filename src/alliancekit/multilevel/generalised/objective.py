"""-2 log-likelihood by the Laplace approximation, and its exact gradient.

With f(u) = -sum_i l_i(eta_i) + u'u / 2 at its minimum u^ and H its curvature there, -log L = f(u^) + log|H| / 2. H uses
the observed curvature of the log-density, also for links that are not canonical. The modes move with the parameters:
df = 0 there, but H changes with them. With v_i the variance of eta_i given the outcome and l', l'', l''' the
derivatives of l_i by eta_i (weight w = -l'', its slope w' = -l'''), a = H^-1 Lambda'Z'(v w' / 2) carries that change,
and the derivative by the linear predictor of the fixed part is r = -l' + v w' / 2 - w (Z Lambda a).

Sources: Tierney & Kadane (1986), JASA 81, 82-86, for the approximation; Kristensen, Nielsen, Berg, Skaug & Bell (2016),
J Stat Softw 70(5), eq. 4-6, for differentiating through the modes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.conditional import Conditional
from alliancekit.multilevel.generalised.design import GeneralisedDesign
from alliancekit.multilevel.generalised.elimination import Posterior, Relatives, posterior, solve
from alliancekit.multilevel.generalised.families import Density, Outer
from alliancekit.multilevel.generalised.modes import Modes, find_modes, pull, scale
from alliancekit.multilevel.generalised.quadrature import Nodes, integrate
from alliancekit.multilevel.generalised.sums import Effects, gather, row_variance, spread

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A model with its data: design, outcome given the random effects, and nodes per dimension (1 is Laplace)."""

    design: GeneralisedDesign
    conditional: Conditional
    quadrature: int
    constant: float


@dataclass(slots=True, eq=False)
class Point:
    """The criterion at one parameter vector: -2 log-likelihood, gradient, modes, and what they were computed from."""

    value: float
    gradient: Floats
    modes: Modes
    posterior: Posterior
    outer: Outer
    slopes: list[Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """A parameter vector taken apart, in the engine's basis."""

    beta: Floats
    relatives: Relatives
    dispersion: Floats | None
    inflation: Floats | None


def relative_factor(free: tuple[tuple[int, int], ...], q: int, theta: Floats) -> Floats:
    """Return the lower-triangular factor of a covariance matrix, shape (q, q), of its free entries."""
    out = np.zeros((q, q))
    for value, (i, j) in zip(theta, free, strict=True):
        out[i, j] = value
    return out


def take_apart(design: GeneralisedDesign, x: Floats) -> Parameters:
    """Return the parts of a parameter vector: fixed effects, theta, dispersion, inflation."""
    fixed, theta, dispersion, inflation = design.parts
    relatives = [
        relative_factor(factor.free, factor.q, x[theta][where])
        for factor, where in zip(design.factors, design.slices, strict=True)
    ]
    return Parameters(
        x[fixed], relatives, _side(design.dispersion, x[dispersion]), _side(design.inflation, x[inflation])
    )


def _side(columns: Floats | None, coefficients: Floats) -> Floats | None:
    """Return the predictor of a side part: (n,), or (1,) where it is a constant."""
    if columns is None:
        return None
    if columns.shape[1] == 1 and bool((columns == 1.0).all()):
        return coefficients
    return np.asarray(columns @ coefficients, dtype=np.float64)


def evaluate(problem: Problem, x: Floats, start: Effects) -> Point:
    """Return the criterion at a parameter vector; the modes are searched from ``start``.

    Raises
    ------
    NoMode : there is no finite value here.
    """
    parameters = take_apart(problem.design, x)
    return evaluate_at(problem, parameters, start)


def evaluate_at(problem: Problem, parameters: Parameters, start: Effects) -> Point:
    """Return the criterion with the covariance factors given as matrices, which need not be triangular."""
    design = problem.design
    fixed_part = design.offset + design.X @ parameters.beta
    density = problem.conditional.at(parameters.dispersion, parameters.inflation)
    with np.errstate(all="ignore"):
        modes = find_modes(design, density, parameters.relatives, fixed_part, start)
        after = posterior(design, modes.elimination)
        outer = density.outer(modes.eta)
        nodes = None
        if problem.quadrature > 1:
            nodes = integrate(design, density, parameters.relatives[0], fixed_part, modes, problem.quadrature)
        height = float(modes.value.sum()) - modes.penalty
        minus = modes.elimination.log_det / 2 - height if nodes is None else -nodes.log_integral
        gradient, slopes = _gradient(problem, parameters, density, modes, after, outer, nodes)
    return Point(2.0 * (minus - problem.constant), 2.0 * gradient, modes, after, outer, [2.0 * s for s in slopes])


def _gradient(
    problem: Problem,
    parameters: Parameters,
    density: Density,
    modes: Modes,
    after: Posterior,
    outer: Outer,
    nodes: Nodes | None,
) -> tuple[Floats, list[Floats]]:
    """Return the gradient of -log L, and its derivative by each factor's whole Lambda."""
    design, relatives = problem.design, parameters.relatives
    variance = row_variance(design, after.chain, after.mixed, after.border)
    if nodes is not None:  # the determinant of each group counts as often as its nodes say
        variance = variance * nodes.det_weight[design.codes]
    pushed = 0.5 * variance * outer.weight_slope
    right = pull(design, relatives, pushed)
    if nodes is not None:
        right = [right[0] - nodes.mode_slope]
    carried = solve(design, modes.elimination, right)
    back = spread(design, scale(relatives, carried))
    slope = modes.slope if nodes is None else nodes.slope
    indirect = pushed - back * modes.weight
    row = indirect - slope
    slopes = _factor_slopes(design, modes, after, nodes, indirect, carried)
    theta = np.empty(design.n_theta)
    for factor, where, full in zip(design.factors, design.slices, slopes, strict=True):
        theta[where] = [full[i, j] for i, j in factor.free]
    parts = [design.X.T @ row, theta]
    for columns, by, own in (
        (design.dispersion, outer.dispersion, None if nodes is None else nodes.by_dispersion),
        (design.inflation, outer.inflation, None if nodes is None else nodes.by_inflation),
    ):
        if columns is not None:
            assert by is not None
            value = by[0] if own is None else own
            parts.append(columns.T @ (-value + 0.5 * variance * by[2] + back * by[1]))
    return np.concatenate(parts), slopes


def _factor_slopes(
    design: GeneralisedDesign, modes: Modes, after: Posterior, nodes: Nodes | None, indirect: Floats, carried: Effects
) -> list[Floats]:
    """Return, per factor, the derivative by Lambda: of the determinant, of the height, and through the modes."""
    if nodes is not None:
        pulled = gather(design, modes.slope)[0]
        direct = gather(design, indirect)[0] @ modes.effects[0].T + pulled @ carried[0].T
        return [nodes.relative_slope + direct + nodes.det_slope(design, modes)]
    moved, pulled_all = gather(design, indirect - modes.slope), gather(design, modes.slope)
    return [
        slope + m @ u.T + g @ a.T
        for slope, m, u, g, a in zip(after.slopes, moved, modes.effects, pulled_all, carried, strict=True)
    ]
