"""The ML deviance of a model with a residual structure with one parameter held; the structure follows with the others.

* A parameter of the structure that is one coordinate of phi is held there. A correlation of an unstructured matrix is
  made one: with its two occasions first, it is the first entry of the factor.
* A fixed effect and sigma are held as in ``gaussian/profile.py``, with the gradient by phi from ``phi_gradient``.
* For an SD or a correlation of random effects the engine's own profile is taken at each phi, and differentiated by phi
  by central differences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.objective import deviance, eliminate, gradient
from alliancekit.multilevel.gaussian.profile import SMALLEST_SIGMA, Held, _at_zero, _correlation, _sd
from alliancekit.multilevel.residual.components import structure_names, structure_values
from alliancekit.multilevel.residual.design import ResidualDesign
from alliancekit.multilevel.residual.objective import criterion, phi_gradient
from alliancekit.multilevel.residual.part import ResidualPart
from alliancekit.multilevel.residual.unstructured import BoundUnstructured, Pattern
from alliancekit.numerics.profiles import Profiled

Floats = NDArray[np.float64]
Answer = tuple[float, Floats, float]
STEP = 1e-4  # of phi, in differences of the profile of a random effect's SD or correlation


def parameters(fit: GaussianFit, names: Collection[str]) -> list[Held]:
    """Return the named parameters of an ML fit, ready to be profiled, in the order of ``after/natural.py``.

    Raises
    ------
    SpecError : variances follow the fitted values, which move with what is held; or the correlation is at its boundary.
    """
    part = _checked(fit)
    out = [_fixed_effect(fit, part, j) for j, name in enumerate(fit.design.names) if name in names]
    for index in formula_order(fit):
        out += _of_factor(fit, part, index, names)
    if "sigma" in names:
        out.append(_residual(fit, part))
    for k, name in enumerate(structure_names(part)):
        if name in names:
            out.append(_of_structure(fit, part, k, name))
    return out


def _of_factor(fit: GaussianFit, part: ResidualPart, index: int, names: Collection[str]) -> list[Held]:
    """Return the named SDs and correlations of one grouping factor."""
    factor = fit.factors[index]
    sds = [_of_random_effect(fit, part, partial(_sd, index=index, i=i)) for i in range(factor.q)]
    out = [held for held in sds if held.name in names]
    lowest: dict[int, float] = {}
    for j in range(factor.q):
        for i in range(j + 1, factor.q):
            name = f"cor_{factor.names[i]}.{factor.names[j]}|{factor.group}"
            if factor.term[i] != factor.term[j] or name not in names:
                continue
            for k in (j, i):
                lowest[k] = lowest[k] if k in lowest else _at_zero(fit, sds[k])
            make = partial(_correlation, index=index, j=j, i=i, ceiling=min(lowest[j], lowest[i]))
            out.append(_of_random_effect(fit, part, make))
    return out


def _checked(fit: GaussianFit) -> ResidualPart:
    part = fit.residual
    assert part is not None
    do = "Use confint(method='wald') or method='bootstrap'"
    if part.structure.variance is not None and part.structure.variance.of_fitted:
        raise SpecError(message("a profile would move the fitted values that the residual structure is about", do=do))
    if not part.free.all() or part.at_boundary:
        what = "the correlation of the residual structure is at its boundary, where it has no profile"
        raise SpecError(message(what, do="Fit the model without it"))
    return part


def _fixed_effect(fit: GaussianFit, part: ResidualPart, j: int) -> Held:
    k, n = fit.engine.n_theta, fit.engine.products.n
    row, shift = fit.engine.fixed_basis[j], float(fit.engine.y_shift[j])
    estimate, error = float(fit.beta[j]), float(np.sqrt(fit.vcov[j, j]))

    def evaluate(at: float, others: Floats) -> Answer:
        theta, phi = others[:k], others[k:]
        try:
            engine = part.rows.at(phi)
            state = eliminate(engine, theta)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(others), np.nan
        across = state.fixed_inverse @ row
        spread = float(row @ across)
        gap = estimate + at * error - shift - float(row @ state.beta)
        held = replace(state, beta=state.beta + across * (gap / spread), r2=state.r2 + gap**2 / spread)
        own = gradient(held, engine, reml=False)
        slopes = np.concatenate([own, phi_gradient(part.rows, phi, engine, held, reml=False)])
        return deviance(held, engine, False), slopes, n / held.r2 * 2.0 * gap / spread * error

    profiled = Profiled(0.0, np.concatenate([fit.optimum.theta, part.phi]), evaluate, 1.0)
    return Held("fixed", fit.design.names[j], profiled, lambda u: estimate + u * error)


def _residual(fit: GaussianFit, part: ResidualPart) -> Held:
    """Hold log(sigma) with the random effects' SDs free: their factors are those relative to the fitted sigma."""
    k, n, sigma = fit.engine.n_theta, fit.engine.products.n, fit.sigma

    def evaluate(at: float, others: Floats) -> Answer:
        ratio = float(np.exp(-at))
        theta, phi = others[:k] * ratio, others[k:]
        try:
            engine = part.rows.at(phi)
            state = eliminate(engine, theta)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(others), np.nan
        sigma2 = (sigma / ratio) ** 2
        value = state.log_det + n * float(np.log(2.0 * np.pi * sigma2)) + state.r2 / sigma2
        own = gradient(state, engine, reml=False, r2_weight=1.0 / sigma2)
        structure = phi_gradient(part.rows, phi, engine, state, reml=False, r2_weight=1.0 / sigma2)
        slope = float(-own @ theta + 2.0 * n - 2.0 * state.r2 / sigma2)
        return value - engine.products.log_weights, np.concatenate([own * ratio, structure]), slope

    lowest = float(np.log(SMALLEST_SIGMA))
    start = np.concatenate([fit.optimum.theta, part.phi])
    profiled = Profiled(0.0, start, evaluate, 1.0 / np.sqrt(2.0 * n), lower=lowest)
    return Held("sigma", "sigma", profiled, lambda u: sigma * float(np.exp(u)) if u > lowest else 0.0)


def _of_random_effect(fit: GaussianFit, part: ResidualPart, make: Callable[[GaussianFit], Held]) -> Held:
    """Return the engine's profile of an SD or correlation with phi beside the other parameters."""
    own = make(fit)
    k = own.profiled.start.size

    def plain(at: float, inner: Floats, phi: Floats) -> Answer:
        return make(replace(fit, engine=part.rows.at(phi))).profiled.evaluate(at, inner)

    def evaluate(at: float, others: Floats) -> Answer:
        inner, phi = others[:k], others[k:]
        value, slopes, slope = plain(at, inner, phi)
        if not np.isfinite(value):
            return value, np.zeros_like(others), slope
        structure = np.empty(phi.size)
        for i in range(phi.size):
            step = np.zeros(phi.size)
            step[i] = STEP * max(abs(phi[i]), 0.1)
            up, down = (plain(at, inner, phi + sign * step)[0] for sign in (1.0, -1.0))
            structure[i] = (up - down) / (2.0 * step[i])
        return value, np.concatenate([slopes, structure]), slope

    valid = own.profiled.valid
    start = np.concatenate([own.profiled.start, part.phi])
    profiled = replace(own.profiled, start=start, evaluate=evaluate, valid=lambda others: valid(others[:k]))
    return replace(own, profiled=profiled)


def _of_structure(fit: GaussianFit, part: ResidualPart, place: int, name: str) -> Held:
    rows, phi, held = part.rows, part.phi, place
    n = rows.n_correlation
    to_user: Callable[[float], float]
    if isinstance(part.correlation, BoundUnstructured) and place < n:
        rows, phi = _first_pair(rows, phi, part.correlation.pairs[place])
        held = 0

        def to_user(u: float) -> float:
            return float(u / np.sqrt(1.0 + u**2)) if np.isfinite(u) else float(np.sign(u))
    else:

        def to_user(u: float) -> float:
            moved = part.phi.copy()
            moved[place] = u
            return float(structure_values(part, moved[None])[0, place])

    k = fit.engine.n_theta

    def evaluate(at: float, others: Floats) -> Answer:
        value, slopes = criterion(rows, np.insert(others, k + held, at), False)
        return value, np.delete(slopes, k + held), float(slopes[k + held])

    start = np.concatenate([fit.optimum.theta, np.delete(phi, held)])
    step = 1.0 / np.sqrt(fit.engine.products.n)
    profiled = Profiled(float(phi[held]), start, evaluate, step)
    return Held("structure", name, profiled, to_user)


def _first_pair(rows: ResidualDesign, phi: Floats, pair: tuple[int, int]) -> tuple[ResidualDesign, Floats]:
    """Return the rows and their parameters with two occasions put first, so that their correlation hangs on phi[0]."""
    bound = rows.correlation
    assert isinstance(bound, BoundUnstructured)
    n, size = rows.n_correlation, len(bound.occasions)
    order = [*pair, *(t for t in range(size) if t not in pair)]
    rank = np.argsort(order)
    turned = copy(bound)
    turned.codes = rank[bound.codes]
    turned.patterns = [Pattern(rank[p.seen], p.rows) for p in bound.patterns]
    turned.occasions = tuple(bound.occasions[t] for t in order)
    root = np.linalg.cholesky(bound.correlation(phi[:n])[np.ix_(order, order)])
    own = (root / np.diag(root)[:, None])[bound.lower]
    return replace(rows, correlation=turned), np.concatenate([own, phi[n:]])
