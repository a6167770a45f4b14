"""The ML deviance of a linear mixed model with one parameter held: a fixed effect, an SD, a correlation, or sigma.

Every parameter is a natural one in the user's columns, and none needs a penalty or a constraint in the search:

* A fixed effect at c. Given theta, the residual sum of squares rises by (c - beta_j)^2 / (F^-1)_jj (F the Schur
  complement of X), so that beta and sigma stay profiled and theta alone is searched.
* An SD. The random effects of the term are rotated so that the first is a multiple R of the user's column. Its SD is
  then the first entry of the Cholesky factor T = sigma * theta, which is held; the rest of T and log(sigma) are free.
* A correlation of columns i and j. With c1 = R_i b_i first and c2 = R_j (b_j + k b_i / R_i) second, the correlation is
  cos(a) where T_21 - k T_11 = w cos(a), T_22 = w sin(a): the angle a is held, T_11 and w are free.
* sigma: log(sigma) is held, T is free.

The rotations are orthonormal in the engine's centred and scaled basis, so that the search is as well conditioned as the
fit itself. T is taken relative to the fitted sigma, so that its unit does not depend on the outcome's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.objective import deviance, eliminate, gradient, relative_factor
from alliancekit.numerics.profiles import Profiled, follow, origin

Floats = NDArray[np.float64]
SMALLEST_SIGMA = 1e-2  # share of the fitted sigma taken for zero: with one residual df the deviance rises by 1e4


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A parameter as the search sees it, and the way back to the user's scale.

    Attributes
    ----------
    kind : "fixed", "sd", "cor" or "sigma". name : as in ``after/natural.py``.
    profiled : for the root finder. to_user : from the search's scale. falling : whether to_user turns the order round.
    """

    kind: str
    name: str
    profiled: Profiled
    to_user: Callable[[float], float]
    falling: bool = False

    @property
    def component(self) -> str:
        """ "fixed" or "random"."""
        return "fixed" if self.kind == "fixed" else "random"


@dataclass(frozen=True, slots=True, eq=False)
class _Wide:
    """A design whose term has been rotated: theta of the wide design = map @ (entries of T) / sigma.

    entries : T at the estimate, relative to the fitted sigma, in the order of the narrow theta.
    first : where the rotated term's T_11 stands. scale : R_i. skew : k of the module text.
    """

    design: GaussianDesign
    map: Floats
    entries: Floats
    first: int
    q: int
    scale: float
    skew: float


def parameters(fit: GaussianFit, names: Collection[str]) -> list[Held]:
    """Return the named parameters of an ML fit, ready to be profiled, in the order of the model.

    Names are those of ``after/natural.py``: fixed effects, then SDs and correlations of each factor, then sigma.
    """
    out = [_fixed_effect(fit, j) for j, name in enumerate(fit.design.names) if name in names]
    for index in formula_order(fit):
        factor = fit.factors[index]
        sds = [_sd(fit, index, i) for i in range(factor.q)]
        out += [held for held in sds if held.name in names]
        lowest: dict[int, float] = {}
        for j in range(factor.q):
            for i in range(j + 1, factor.q):
                if factor.term[i] != factor.term[j] or _correlation_name(factor, j, i) not in names:
                    continue
                for k in (j, i):
                    lowest[k] = lowest[k] if k in lowest else _at_zero(fit, sds[k])
                out.append(_correlation(fit, index, j, i, min(lowest[j], lowest[i])))
    return [*out, _residual(fit)] if "sigma" in names else out


def _correlation_name(factor: Factor, j: int, i: int) -> str:
    return f"cor_{factor.names[i]}.{factor.names[j]}|{factor.group}"


def _fixed_effect(fit: GaussianFit, j: int) -> Held:
    engine = fit.engine
    row, shift = engine.fixed_basis[j], float(engine.y_shift[j])
    estimate, error, n = float(fit.beta[j]), float(np.sqrt(fit.vcov[j, j])), engine.products.n

    def evaluate(at: float, theta: Floats) -> tuple[float, Floats, float]:
        try:
            state = eliminate(engine, theta)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(theta), np.nan
        across = state.fixed_inverse @ row
        spread = float(row @ across)
        gap = estimate + at * error - shift - float(row @ state.beta)
        held = replace(state, beta=state.beta + across * (gap / spread), r2=state.r2 + gap**2 / spread)
        slope = n / held.r2 * 2.0 * gap / spread * error
        return deviance(held, engine, False), gradient(held, engine, reml=False), slope

    profiled = Profiled(0.0, fit.optimum.theta, evaluate, 1.0)
    return Held("fixed", fit.design.names[j], profiled, lambda u: estimate + u * error)


def _residual(fit: GaussianFit) -> Held:
    engine, sigma = fit.engine, fit.sigma

    def evaluate(at: float, entries: Floats) -> tuple[float, Floats, float]:
        return _at_sigma(engine, entries, at, sigma)

    step = 1.0 / np.sqrt(2.0 * engine.products.n)
    lowest = float(np.log(SMALLEST_SIGMA))
    profiled = Profiled(0.0, fit.optimum.theta, evaluate, step, lower=lowest)
    return Held("sigma", "sigma", profiled, lambda u: sigma * float(np.exp(u)) if u > lowest else 0.0)


def _at_sigma(design: GaussianDesign, entries: Floats, log_ratio: float, unit: float) -> tuple[float, Floats, float]:
    """Return the deviance at T = unit * entries and sigma = unit * exp(log_ratio), with both derivatives."""
    ratio = float(np.exp(-log_ratio))
    theta = entries * ratio
    try:
        state = eliminate(design, theta)
    except np.linalg.LinAlgError:
        return np.inf, np.zeros_like(entries), np.nan
    n, sigma2 = design.products.n, (unit / ratio) ** 2
    value = state.log_det + n * float(np.log(2.0 * np.pi * sigma2)) + state.r2 / sigma2 - design.products.log_weights
    slope = gradient(state, design, reml=False, r2_weight=1.0 / sigma2)
    return value, slope * ratio, float(-slope @ theta + 2.0 * n - 2.0 * state.r2 / sigma2)


def _sd(fit: GaussianFit, index: int, i: int) -> Held:
    factor = fit.factors[index]
    wide = _rotate(fit, index, i)
    free = np.delete(np.arange(wide.entries.size), wide.first)
    estimate, levels = float(wide.entries[wide.first]), factor.n_levels
    unit = fit.sigma / wide.scale

    def evaluate(at: float, inner: Floats) -> tuple[float, Floats, float]:
        entries = np.empty(wide.entries.size)
        entries[free], entries[wide.first] = inner[:-1], at
        value, slope, by_sigma = _at_sigma(wide.design, wide.map @ entries, float(inner[-1]), fit.sigma)
        slope = wide.map.T @ slope
        return value, np.append(slope[free], by_sigma), float(slope[wide.first])

    step = float(np.sqrt(estimate**2 + 0.1) / np.sqrt(2.0 * levels))
    profiled = Profiled(estimate, np.append(wide.entries[free], 0.0), evaluate, step, lower=0.0)
    name = f"sd_{factor.names[i]}|{factor.group}"
    return Held("sd", name, profiled, lambda u: float(u * unit))


def _at_zero(fit: GaussianFit, held: Held) -> float:
    """Return the least deviance with an SD at zero: no correlation of that effect can cost more."""
    if held.profiled.estimate == 0.0:
        return fit.deviance
    return follow(held.profiled, fit.deviance, 0.0, origin(held.profiled, fit.deviance)).criterion


def _correlation(fit: GaussianFit, index: int, j: int, i: int, ceiling: float) -> Held:
    """Return the correlation of columns j < i of one term, held as its angle."""
    factor = fit.factors[index]
    wide = _rotate(fit, index, j, i)
    size, first = wide.entries.size, wide.first
    second, corner = first + 1, first + wide.q
    free = np.delete(np.arange(size), [second, corner])
    place = int(np.flatnonzero(free == first)[0])
    across = float(wide.entries[second] - wide.skew * wide.entries[first])
    down = float(wide.entries[corner])
    estimate = float(np.arctan2(down, across)) if np.hypot(across, down) > 0 else np.pi / 2

    def evaluate(at: float, inner: Floats) -> tuple[float, Floats, float]:
        width, cos, sin = float(inner[-2]), float(np.cos(at)), float(np.sin(at))
        entries = np.empty(size)
        entries[free] = inner[:-2]
        entries[second], entries[corner] = wide.skew * entries[first] + width * cos, width * sin
        value, slope, by_sigma = _at_sigma(wide.design, wide.map @ entries, float(inner[-1]), fit.sigma)
        slope = wide.map.T @ slope
        out = slope[free]
        out[place] += wide.skew * slope[second]
        by_width = slope[second] * cos + slope[corner] * sin
        by_angle = width * (slope[corner] * cos - slope[second] * sin)
        return value, np.concatenate([out, [by_width, by_sigma]]), float(by_angle)

    start = np.concatenate([wide.entries[free], [np.hypot(across, down), 0.0]])
    step = 1.0 / np.sqrt(factor.n_levels)
    nudge = 1e-3 * max(float(np.sin(estimate)), 1e-3)
    profiled = Profiled(
        estimate, start, evaluate, step, nudge, 0.0, np.pi, ceiling, lambda inner: inner[place] * inner[-2] >= 0.0
    )
    return Held("cor", _correlation_name(factor, j, i), profiled, lambda u: float(np.cos(u)), falling=True)


def _rotate(fit: GaussianFit, index: int, *leading: int) -> _Wide:
    """Rotate one term's random effects so that the leading columns of the user come first in the Cholesky factor."""
    engine, factor = fit.engine, fit.factors[index]
    own = [i for i, term in enumerate(factor.term) if term == factor.term[leading[0]]]
    start, q = own[0], len(own)
    lead = [i - start for i in leading]
    back = np.linalg.inv(factor.basis[np.ix_(own, own)])
    order = [i for i in range(q) if i not in lead] + lead[::-1]
    turn, upper = np.linalg.qr(back[:, order])
    signs = np.where(np.diag(upper) < 0, -1.0, 1.0)
    turn, upper = (turn * signs)[:, ::-1], upper * signs[:, None]
    skew = float(upper[-2, -1] / upper[-1, -1]) if len(lead) > 1 else 0.0
    rotation = np.eye(factor.q)
    rotation[np.ix_(own, own)] = turn
    free = tuple((r, c) for r, c in _columnwise(factor.q) if (r, c) in factor.free or (r in own and c in own))
    wide_factor = replace(factor, free=free)
    design = _with_factor(engine, index, wide_factor)
    where = engine.slices[index]
    map_ = np.zeros((design.n_theta, engine.n_theta))
    for f, old, new in zip(range(len(engine.factors)), engine.slices, design.slices, strict=True):
        if f != index:
            map_[new, old] = np.eye(old.stop - old.start)
    for k, (r, c) in enumerate(factor.free):
        for position, (a, b) in enumerate(free):
            if b == c:
                map_[design.slices[index].start + position, where.start + k] = rotation[a, r]
    entries = fit.optimum.theta.copy()
    turned = rotation.T @ relative_factor(factor, entries[where])
    triangle = np.asarray(np.linalg.qr(turned.T, mode="r")).T
    triangle = triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0)
    entries[where] = [triangle[r, c] for r, c in factor.free]
    first = where.start + factor.free.index((start, start))
    return _Wide(design, map_, entries, first, q, float(upper[-1, -1]), skew)


def _columnwise(q: int) -> list[tuple[int, int]]:
    return [(r, c) for c in range(q) for r in range(q)]


def _with_factor(engine: GaussianDesign, index: int, factor: Factor) -> GaussianDesign:
    """Return the design with one factor replaced; its cross-products stay as they are."""
    factors = tuple(factor if i == index else f for i, f in enumerate(engine.factors))
    slices, start = [], 0
    for f in factors:
        slices.append(slice(start, start + len(f.free)))
        start += len(f.free)
    return replace(engine, factors=factors, slices=tuple(slices))
