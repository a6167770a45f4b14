"""The criterion with one parameter held: a fixed effect, an SD, a correlation, a coefficient of a side part.

Every parameter is a natural one in the user's columns, and none needs a penalty or a constraint in the search:

* A coefficient is a linear form r'x of the engine's parameters; it is held, and the space orthogonal to r is searched.
* An SD. The random effects of its term are rotated, orthonormally in the engine's basis, so that the first is a
  multiple of the user's column. Its SD is then the first entry of the term's triangular factor, which is held.
* A correlation of columns j and i. With b_j = R_j c_1 and b_i = k c_1 + R_i c_2 after such a rotation, and T the factor
  of c, the correlation is cos(a) where T_21 + (k / R_i) T_11 = w cos(a) and T_22 = w sin(a): the angle a is held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.design import Factor
from alliancekit.multilevel.generalised.elimination import NotPositive
from alliancekit.multilevel.generalised.fit import GeneralisedFit, SideEstimates
from alliancekit.multilevel.generalised.modes import NoMode, zero_effects
from alliancekit.multilevel.generalised.objective import Parameters, Point, Problem, evaluate_at, take_apart
from alliancekit.multilevel.generalised.sums import Effects
from alliancekit.numerics.profiles import Profiled

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A parameter as the search sees it, and the way back to the user's scale.

    Attributes
    ----------
    component : "fixed", "random", "dispersion" or "zero_inflation". name : as in ``confint``. estimate : user's scale.
    profiled : for the root finder. to_user : from the search's scale. falling : whether to_user turns the order round.
    """

    component: str
    name: str
    estimate: float
    profiled: Profiled
    to_user: Callable[[float], float]
    falling: bool = False


class _Warm:
    """The criterion with whole factor matrices, its modes searched from where they were last."""

    def __init__(self, fit: GeneralisedFit) -> None:
        self.problem: Problem = fit.problem
        self.effects: Effects = fit.optimum.point.modes.effects

    def __call__(self, parameters: Parameters) -> Point | None:
        for start in (self.effects, zero_effects(self.problem.design)):
            try:
                point = evaluate_at(self.problem, parameters, start)
            except (NoMode, NotPositive):
                continue
            if np.isfinite(point.value) and np.isfinite(point.gradient).all():
                self.effects = point.modes.effects
                return point
        return None


def names_of(fit: GeneralisedFit) -> list[tuple[str, str]]:
    """Return (component, name) of every parameter: fixed effects, SDs and correlations by factor, side parts."""
    out = [("fixed", name) for name in fit.design.names]
    for index in formula_order(fit):
        factor = fit.factors[index]
        out += [("random", f"sd_{name}|{factor.group}") for name in factor.names]
        out += [("random", correlation_name(factor, j, i)) for j, i in pairs(factor)]
    for component, side in (("dispersion", fit.dispersion), ("zero_inflation", fit.inflation)):
        out += [(component, name) for name in side_names(component, side)]
    return out


def side_names(component: str, side: SideEstimates | None) -> list[str]:
    """Return the names of a side part's parameters: "dispersion" alone where it is a constant."""
    if side is None:
        return []
    if component == "dispersion" and side.constant:
        return ["dispersion"]
    return [f"{component}_{name}" for name in side.names]


def pairs(factor: Factor) -> list[tuple[int, int]]:
    """Return the places (j, i), j < i, of the correlations of a factor."""
    return [(j, i) for j in range(factor.q) for i in range(j + 1, factor.q) if factor.term[i] == factor.term[j]]


def correlation_name(factor: Factor, j: int, i: int) -> str:
    """Return lme4's name of a correlation."""
    return f"cor_{factor.names[i]}.{factor.names[j]}|{factor.group}"


def held_parameters(fit: GeneralisedFit, names: Collection[str]) -> list[Held]:
    """Return the named parameters, ready to be profiled, in the order of ``names_of``."""
    fixed, _, dispersion, inflation = fit.engine.parts
    engine = fit.engine
    out = [
        _coefficient(fit, "fixed", name, fixed, engine.fixed_basis[j], float(fit.beta[j]), float(fit.vcov[j, j]))
        for j, name in enumerate(fit.design.names)
        if name in names
    ]
    for index in formula_order(fit):
        factor = fit.factors[index]
        for i, name in enumerate(factor.names):
            if f"sd_{name}|{factor.group}" in names:
                out.append(_sd(fit, index, i))
        for j, i in pairs(factor):
            if correlation_name(factor, j, i) in names:
                out.append(_correlation(fit, index, j, i))
    for component, side, where, basis in (
        ("dispersion", fit.dispersion, dispersion, engine.dispersion_basis),
        ("zero_inflation", fit.inflation, inflation, engine.inflation_basis),
    ):
        for k, name in enumerate(side_names(component, side)):
            assert side is not None
            if name in names:
                value, variance = float(side.estimate[k]), float(side.vcov[k, k])
                out.append(_coefficient(fit, component, name, where, basis[k], value, variance))
    return out


def _coefficient(
    fit: GeneralisedFit, component: str, name: str, where: slice, row: Floats, estimate: float, variance: float
) -> Held:
    """Return a coefficient, held in units of its standard error."""
    size, error = fit.engine.n_parameters, float(np.sqrt(variance))
    form = np.zeros(size)
    form[where] = row
    along = form / float(form @ form)
    across = _orthogonal_to(form)
    origin, warm = fit.optimum.x, _Warm(fit)

    def evaluate(at: float, inner: Floats) -> tuple[float, Floats, float]:
        x = along * (estimate + at * error) + across @ inner
        point = warm(take_apart(fit.engine, x))
        if point is None:
            return np.inf, np.zeros_like(inner), np.nan
        return point.value, across.T @ point.gradient, float(along @ point.gradient) * error

    natural = name == "dispersion"
    shown = float(np.exp(estimate)) if natural else estimate
    profiled = Profiled(0.0, across.T @ origin, evaluate, 1.0)

    def to_user(u: float) -> float:
        value = estimate + u * error
        return float(np.exp(value)) if natural else value

    return Held(component, name, shown, profiled, to_user)


def _orthogonal_to(form: Floats) -> Floats:
    """Return an orthonormal basis of what is orthogonal to a vector, shape (K, K - 1)."""
    full, _ = np.linalg.qr(np.column_stack([form, np.eye(form.size)]))
    return np.asarray(full[:, 1 : form.size], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """A term whose effects are rotated: Lambda = rotation @ T, T with free entries ``free``.

    Attributes
    ----------
    rotation : (q, q). free : entries of T. entries : T at the estimate. first, second : places of the leading columns.
    lengths : R of each leading column. skew : k of the module text.
    """

    rotation: Floats
    free: tuple[tuple[int, int], ...]
    entries: Floats
    first: int
    second: int
    lengths: tuple[float, ...]
    skew: float

    def matrix(self, entries: Floats) -> Floats:
        """Return Lambda of the entries of T."""
        triangle = np.zeros_like(self.rotation)
        for value, (r, c) in zip(entries, self.free, strict=True):
            triangle[r, c] = value
        return np.asarray(self.rotation @ triangle, dtype=np.float64)

    def pull(self, slope: Floats) -> Floats:
        """Return the derivative by the entries of T of a derivative by Lambda."""
        turned = self.rotation.T @ slope
        return np.array([turned[r, c] for r, c in self.free])

    def place(self, r: int, c: int) -> int:
        """Return where T_rc stands among the entries."""
        return self.free.index((r, c))


def _turn(fit: GeneralisedFit, index: int, *leading: int) -> _Turned:
    factor = fit.factors[index]
    own = [i for i, term in enumerate(factor.term) if term == factor.term[leading[0]]]
    place = [own.index(i) for i in leading]
    rows = factor.basis[np.ix_(list(leading), own)]
    turn, upper = np.linalg.qr(np.column_stack([rows.T, np.eye(len(own))]))
    signs = np.where(np.diag(upper) < 0, -1.0, 1.0)
    turn, upper = turn * signs, upper * signs[:, None]
    rotation = np.eye(factor.q)
    rotation[np.ix_(own, own)] = turn
    theta = fit.optimum.x[fit.engine.parts[1]][fit.engine.slices[index]]
    relative = np.zeros((factor.q, factor.q))
    for value, (r, c) in zip(theta, factor.free, strict=True):
        relative[r, c] = value
    triangle = np.asarray(np.linalg.qr((rotation.T @ relative).T, mode="r")).T
    triangle = triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0)
    lengths = tuple(float(upper[k, k]) for k in range(len(place)))
    skew = float(upper[0, 1]) if len(place) > 1 else 0.0
    second = own[1] if len(own) > 1 else own[0]
    entries = np.array([triangle[r, c] for r, c in factor.free])
    return _Turned(rotation, factor.free, entries, own[0], second, lengths, skew)


def _with_relative(
    fit: GeneralisedFit, warm: _Warm, index: int, turned: _Turned, entries: Floats, others: Floats
) -> tuple[float, Floats, Floats] | None:
    """Return the criterion with one factor given by T; gradients by T and by all other parameters."""
    engine = fit.engine
    keep = _others(fit, index)
    x = fit.optimum.x.copy()
    x[keep] = others
    parameters = take_apart(engine, x)
    relatives = list(parameters.relatives)
    relatives[index] = turned.matrix(entries)
    point = warm(Parameters(parameters.beta, relatives, parameters.dispersion, parameters.inflation))
    if point is None:
        return None
    return point.value, turned.pull(point.slopes[index]), point.gradient[keep]


def _others(fit: GeneralisedFit, index: int) -> NDArray[np.bool_]:
    """Return which engine parameters are not of one factor."""
    keep = np.ones(fit.engine.n_parameters, dtype=bool)
    where, theta = fit.engine.slices[index], fit.engine.parts[1]
    keep[theta.start + where.start : theta.start + where.stop] = False
    return keep


def _sd(fit: GeneralisedFit, index: int, i: int) -> Held:
    factor, turned, warm = fit.factors[index], _turn(fit, index, i), _Warm(fit)
    held = turned.place(turned.first, turned.first)
    free = np.delete(np.arange(turned.entries.size), held)
    estimate, unit = float(turned.entries[held]), turned.lengths[0]

    def evaluate(at: float, inner: Floats) -> tuple[float, Floats, float]:
        entries = np.empty(turned.entries.size)
        entries[free], entries[held] = inner[: free.size], at
        found = _with_relative(fit, warm, index, turned, entries, inner[free.size :])
        if found is None:
            return np.inf, np.zeros_like(inner), np.nan
        value, slope, rest = found
        return value, np.concatenate([slope[free], rest]), float(slope[held])

    start = np.concatenate([turned.entries[free], fit.optimum.x[_others(fit, index)]])
    step = float(np.sqrt(estimate**2 + 0.1) / np.sqrt(2.0 * factor.n_levels))
    profiled = Profiled(estimate, start, evaluate, step, lower=0.0)
    name = f"sd_{factor.names[i]}|{factor.group}"
    return Held("random", name, estimate * unit, profiled, lambda u: float(u * unit))


def _correlation(fit: GeneralisedFit, index: int, j: int, i: int) -> Held:
    factor, turned, warm = fit.factors[index], _turn(fit, index, j, i), _Warm(fit)
    size = turned.entries.size
    corner, second, down = (
        turned.place(*at)
        for at in ((turned.first, turned.first), (turned.second, turned.first), (turned.second, turned.second))
    )
    free = np.delete(np.arange(size), [second, down])
    place, tilt = int(np.flatnonzero(free == corner)[0]), turned.skew / turned.lengths[1]
    across = float(turned.entries[second] + tilt * turned.entries[corner])
    width = float(np.hypot(across, turned.entries[down]))
    estimate = float(np.arctan2(turned.entries[down], across)) if width > 0 else np.pi / 2

    def evaluate(at: float, inner: Floats) -> tuple[float, Floats, float]:
        w, cos, sin = float(inner[free.size]), float(np.cos(at)), float(np.sin(at))
        entries = np.empty(size)
        entries[free] = inner[: free.size]
        entries[second], entries[down] = w * cos - tilt * entries[corner], w * sin
        found = _with_relative(fit, warm, index, turned, entries, inner[free.size + 1 :])
        if found is None:
            return np.inf, np.zeros_like(inner), np.nan
        value, slope, rest = found
        own = slope[free]
        own[place] -= tilt * slope[second]
        by_width = slope[second] * cos + slope[down] * sin
        by_angle = w * (slope[down] * cos - slope[second] * sin)
        return value, np.concatenate([own, [by_width], rest]), float(by_angle)

    start = np.concatenate([turned.entries[free], [width], fit.optimum.x[_others(fit, index)]])
    nudge = 1e-3 * max(float(np.sin(estimate)), 1e-3)
    profiled = Profiled(
        estimate, start, evaluate, 1.0 / float(np.sqrt(factor.n_levels)), nudge, 0.0, np.pi,
        valid=lambda inner: bool(inner[place] * inner[free.size] >= 0.0),
    )  # fmt: skip
    name = correlation_name(factor, j, i)
    return Held("random", name, float(np.cos(estimate)), profiled, lambda u: float(np.cos(u)), falling=True)
