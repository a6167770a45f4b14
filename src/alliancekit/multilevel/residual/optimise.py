"""Find (theta, phi): starts from a fit without structure, one joint search, and the answer at a boundary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import conditional_modes, deviance, eliminate
from alliancekit.multilevel.gaussian.optimise import Optimum, optimise
from alliancekit.multilevel.residual.design import ResidualDesign
from alliancekit.multilevel.residual.objective import criterion
from alliancekit.numerics.optimisers import minimise

Floats = NDArray[np.float64]
NOTHING = 1e-7  # a rise of the deviance that is called none


@dataclass(frozen=True, slots=True, eq=False)
class ResidualOptimum:
    """Where the search ended: ``phi`` (n_phi,), ``free`` (which are not at a boundary), and the engine there."""

    phi: Floats
    free: NDArray[np.bool_]
    engine: GaussianDesign
    optimum: Optimum


def search(design: ResidualDesign, reml: bool, start: Floats | None = None) -> ResidualOptimum:
    """Minimise the profiled deviance over theta and phi jointly.

    Parameters
    ----------
    design : rows with their structure. reml : REML criterion instead of ML deviance.
    start : starting (theta, phi); None takes the best of several.
    """
    if start is None:
        start = _best_start(design, reml)
    k = design.base.n_theta
    found = minimise(lambda x: criterion(design, x, reml), start)
    phi = found.x[k:]
    free = np.ones(design.n_phi, dtype=bool)
    if design.correlation is not None:
        limit = design.correlation.limit(phi[: design.n_correlation])
        if limit is not None:
            trial = np.concatenate([limit, phi[design.n_correlation :]])
            at_limit = optimise(design.at(trial), reml, found.x[:k])
            if at_limit.deviance <= found.value + NOTHING:
                phi, free[: design.n_correlation] = trial, False
    engine = design.at(phi)
    optimum = optimise(engine, reml, found.x[:k])
    return ResidualOptimum(phi, free, engine, replace(optimum, search=replace(found, value=optimum.deviance)))


def _best_start(design: ResidualDesign, reml: bool) -> Floats:
    """Return the best of several starts; theta from a fit without structure, kept away from the saddle at zero."""
    theta = optimise(design.base, reml).theta.copy()
    for factor, where in zip(design.base.factors, design.base.slices, strict=True):
        own = theta[where]
        diagonal = np.array([i == j for i, j in factor.free])
        theta[where] = np.where(diagonal, np.maximum(own, 0.3), own)
    residuals = _residuals(design, theta)
    psi = np.zeros(0)
    if design.variance is not None:
        psi = design.variance.start(residuals)
        residuals = residuals / design.variance.scale(psi)
    first = design.correlation.starts(residuals) if design.correlation is not None else [np.zeros(0)]
    best, at = np.inf, np.concatenate([theta, first[0], psi])
    for phi, shrink in product(first, (1.0, 0.5) if design.base.n_theta and design.n_correlation else (1.0,)):
        x = np.concatenate([shrink * theta, phi, psi])
        value = deviance_at(design, x, reml)
        if value < best:
            best, at = value, x
    return at


def deviance_at(design: ResidualDesign, x: Floats, reml: bool) -> float:
    """Return the profiled deviance at x = (theta, phi), infinite where it is not defined."""
    k = design.base.n_theta
    try:
        engine = design.at(x[k:])
        value = deviance(eliminate(engine, x[:k]), engine, reml)
    except np.linalg.LinAlgError:
        return float("inf")
    return value if np.isfinite(value) else float("inf")


def _residuals(design: ResidualDesign, theta: Floats) -> Floats:
    """Return conditional residuals of the fit without structure, in the structure's order."""
    state = eliminate(design.base, theta)
    modes = conditional_modes(state, design.base)
    out, at = design.columns[-1].copy(), 0
    for factor, mode in zip(design.factors, modes, strict=True):
        for j in range(factor.q):
            out -= design.columns[at + j] * mode[j][factor.codes]
        at += factor.q
    return np.asarray(out - state.beta @ design.columns[at:-1])
