"""The same linear mixed model fitted to many responses at once, as a parametric bootstrap asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.multilevel.gaussian.batch import (
    Eliminations,
    deviances,
    eliminate_batch,
    gradients,
    prepare,
    relatives_of,
)
from alliancekit.multilevel.gaussian.design import GaussianDesign, respond
from alliancekit.multilevel.gaussian.fit import GaussianFit, refit
from alliancekit.multilevel.gaussian.optimise import (
    NEAR_ZERO,
    SINGULAR,
    flattened,
    floored,
    optimise,
    positive_diagonals,
)
from alliancekit.multilevel.gaussian.responses import Responses, own_response, take_responses
from alliancekit.numerics.many import minimise_many
from alliancekit.numerics.optimisers import difference_hessian, positive_definite

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_CACHED = 150_000  # numbers of a batch that are worked on at a time
_ROWS = 8_000_000  # numbers of responses that are multiplied at a time
_FIELDS = ("theta", "sigma", "beta", "log_likelihood", "converged", "singular")
_NEAR = 0.05  # relative standard deviation from which a minimum is checked for being a saddle


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """Estimates of B fits.

    Attributes
    ----------
    theta : shape (B, k), engine basis. sigma : (B,). beta : (B, p), in the user's columns. log_likelihood : (B,),
        restricted where the fit was. converged, singular : (B,). A fit that failed is nan and not converged.
    """

    theta: Floats
    sigma: Floats
    beta: Floats
    log_likelihood: Floats
    converged: Bools
    singular: Bools


def refit_many(fit: GaussianFit, Y: ArrayLike) -> Many:
    """Fit the model of ``fit`` to many responses; nothing of the design is built again.

    Parameters
    ----------
    fit : a fitted model. Y : shape (R, n), one response per row, n the rows used by the fit.

    Returns
    -------
    Many : arrays with one entry per response.

    Raises
    ------
    DesignError : Y has another shape, or holds values that are not finite.

    Notes
    -----
    All searches run at once, from the estimates of ``fit``; a response whose search ends at a suspicious point is
    fitted alone from a cold start. Models with crossed factors are fitted one response at a time, on shared products;
    models with a residual structure likewise, on shared rows.

    Checked against
    ---------------
    Single refits, to 1e-8 (tests/unit/multilevel/test_batch.py).

    When not to use
    ---------------
    For other rows or other predictors: fit them anew.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from alliancekit.formula.design import build_design
    >>> from alliancekit.multilevel.gaussian.fit import fit
    >>> rng = np.random.default_rng(1)
    >>> d = pd.DataFrame({"g": np.repeat(np.arange(20), 5), "y": rng.normal(size=100)})
    >>> one = fit(build_design("y ~ 1 + (1 | g)", d), True)
    >>> refit_many(one, rng.normal(size=(3, 100))).beta.shape
    (3, 1)
    """
    values = np.asarray(Y, dtype=np.float64)
    n = fit.engine.products.n
    shaped = values.ndim == 2 and values.shape[0] > 0 and values.shape[1] == n
    if not shaped or not np.isfinite(values).all():
        what = "a response is not finite" if shaped else f"the responses have shape {values.shape}"
        raise DesignError(message(what, do=f"Give an array of shape (responses, {n}), one column per row used"))
    if fit.residual is not None:
        return _join([_one_by_one(fit, y) for y in values])
    step = max(_ROWS // max(n, 1), 1)
    pieces = []
    search = None if fit.engine.border or not fit.engine.chain else _Search(fit)
    for start in range(0, values.shape[0], step):
        responses = take_responses(fit.engine, fit.design, values[start : start + step])
        if search is None:
            pieces += [_alone(fit, responses, r) for r in range(responses.yy.size)]
            continue
        for first in range(0, responses.yy.size, search.size):
            pieces.append(search.run(responses.chosen(slice(first, first + search.size))))
    return _join(pieces)


class _Search:
    """The searches of one model: where they start, and how many run at a time."""

    def __init__(self, fit: GaussianFit) -> None:
        self.fit, self.engine, self.reml = fit, fit.engine, fit.reml
        engine = fit.engine
        first = engine.products.links[0]
        patterns = engine.products.patterns
        width = first.square.shape[0] * (engine.products.p + 1)
        levels = first.square.shape[2]
        if patterns is not None:
            levels = patterns.count.size + (engine.chain[1].n_levels if len(engine.chain) > 1 else 0)
        self.size = int(np.clip(_CACHED // (width * levels), 8, 1000))
        self.start = floored(engine, fit.optimum.theta)
        passes = _Passes(engine, self.reml, own_response(engine))
        curvature = difference_hessian(lambda theta: passes(theta[None], np.zeros(1, dtype=np.intp))[1][0], self.start)
        self.hessian = positive_definite(curvature, 1e-3)

    def run(self, responses: Responses) -> Many:
        """Return the estimates for these responses."""
        try:
            return self._together(responses)
        except np.linalg.LinAlgError:  # one member spoils the others' matrices: none is fitted with them
            return _join([_alone(self.fit, responses, r) for r in range(responses.yy.size)])

    def _together(self, responses: Responses) -> Many:
        engine, reml = self.engine, self.reml
        passes = _Passes(engine, reml, responses)
        found = minimise_many(passes, np.tile(self.start, (responses.yy.size, 1)), self.hessian)
        theta = positive_diagonals(engine, found.x)
        alone = ~found.converged | _saddles(engine, passes, theta)
        theta, singular = _snap(engine, passes, theta, found.value)
        states = passes.states(theta, np.arange(theta.shape[0]))
        together = _estimates(self.fit, responses, states, found.converged, singular)
        for r in np.flatnonzero(alone).tolist():
            again = _alone(self.fit, responses, r)
            for name in _FIELDS:
                getattr(together, name)[r] = getattr(again, name)[0]
        return together


class _Passes:
    """Deviance and gradient of some members of a batch; the products of those still searching are kept at hand."""

    def __init__(self, engine: GaussianDesign, reml: bool, responses: Responses) -> None:
        self.engine, self.reml, self.all = engine, reml, responses
        self.which = np.arange(responses.yy.size)
        self.responses, self.members = responses, prepare(engine, responses)

    def states(self, thetas: Floats, which: NDArray[np.intp]) -> Eliminations:
        """Return the forward pass of members ``which``, (B,), at thetas, (B, k)."""
        if not np.array_equal(which, self.which):
            self.which, self.responses = which, self.all.chosen(which)
            self.members = prepare(self.engine, self.responses)
        return eliminate_batch(self.engine, self.members, self.responses, thetas)

    def __call__(self, thetas: Floats, which: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return deviances (B,) and gradients (B, k)."""
        states = self.states(thetas, which)
        return deviances(states, self.engine, self.reml), gradients(states, self.engine, reml=self.reml)


def _smallest(engine: GaussianDesign, theta: Floats) -> Floats:
    """Return the smallest relative SD of each factor, (B, factors)."""
    sizes = [np.linalg.svd(relatives_of(engine, i, theta), compute_uv=False)[:, -1] for i in range(len(engine.factors))]
    return np.stack(sizes, axis=1)


def _saddles(engine: GaussianDesign, passes: _Passes, theta: Floats) -> Bools:
    """Return which members ended near zero where the deviance curves down: not a minimum."""
    out = np.zeros(theta.shape[0], dtype=bool)
    near = np.flatnonzero((_smallest(engine, theta) < _NEAR).any(axis=1))
    if not near.size:
        return out
    k = theta.shape[1]
    here = passes(theta[near], near)[1]
    curvature = np.empty((near.size, k, k))
    for i in range(k):
        step = 1e-4 * np.maximum(np.abs(theta[near, i]), 0.1)
        moved = theta[near].copy()
        moved[:, i] += step
        curvature[:, i] = (passes(moved, near)[1] - here) / step[:, None]
    values = np.linalg.eigvalsh((curvature + curvature.transpose(0, 2, 1)) / 2)
    out[near] = values[:, 0] < -1e-6 * np.maximum(np.abs(values).max(axis=1), 1e-12)
    return out


def _snap(engine: GaussianDesign, passes: _Passes, theta: Floats, value: Floats) -> tuple[Floats, Bools]:
    """Put relative variances near zero at zero where that costs nothing, as ``optimise`` does for one response."""
    smallest = _smallest(engine, theta)
    singular = smallest < SINGULAR
    for index, (factor, where) in enumerate(zip(engine.factors, engine.slices, strict=True)):
        members, trials = [], []
        for r in np.flatnonzero(smallest[:, index] < NEAR_ZERO).tolist():
            flat = flattened(factor, theta[r, where])[1]
            if flat is not None:
                members.append(r)
                trials.append(theta[r].copy())
                trials[-1][where] = flat
        if members:
            which, moved = np.array(members, dtype=np.intp), np.stack(trials)
            reached = deviances(passes.states(moved, which), engine, passes.reml)
            free = reached <= value[which] + 1e-7
            theta[which[free]] = moved[free]
            singular[which[free], index] = True
    return theta, singular


def _estimates(fit: GaussianFit, responses: Responses, states: Eliminations, converged: Bools, singular: Bools) -> Many:
    """Return the estimates of each member from its last pass; ``singular`` is by member and factor."""
    engine, reml = fit.engine, fit.reml
    dof = engine.products.n - (engine.products.p if reml else 0)
    sigma = np.sqrt(states.r2 / dof)
    beta = states.beta @ engine.fixed_basis.T + responses.shift
    log_likelihood = -deviances(states, engine, reml) / 2
    return Many(states.thetas, sigma, beta, log_likelihood, converged, np.asarray(singular.any(axis=1)))


def _alone(fit: GaussianFit, responses: Responses, r: int) -> Many:
    """Return the estimates from one response, fitted from a cold start."""
    engine = respond(fit.engine, responses, r)
    try:
        found = optimise(engine, fit.reml)
    except np.linalg.LinAlgError:
        return _failed(fit)
    sigma = np.sqrt(found.state.r2 / (engine.products.n - (engine.products.p if fit.reml else 0)))
    beta = engine.fixed_basis @ found.state.beta + engine.y_shift
    return _single(found.theta, sigma, beta, -found.deviance / 2, found.search.converged, found.singular)


def _one_by_one(fit: GaussianFit, y: Floats) -> Many:
    """Return the estimates from one response of a model with a residual structure."""
    try:
        again = refit(fit, y)
    except np.linalg.LinAlgError:
        return _failed(fit)
    return _single(again.optimum.theta, again.sigma, again.beta, again.log_likelihood, again.converged, again.singular)


def _single(
    theta: Floats, sigma: float, beta: Floats, log_likelihood: float, converged: bool, singular: tuple[bool, ...]
) -> Many:
    numbers = np.array([sigma]), np.array(beta)[None], np.array([log_likelihood])
    return Many(np.array(theta)[None], *numbers, np.array([converged]), np.array([any(singular)]))


def _failed(fit: GaussianFit) -> Many:
    nothing = np.full(fit.engine.n_theta, np.nan), np.nan, np.full(len(fit.beta), np.nan), np.nan
    return _single(*nothing, False, ())


def _join(pieces: list[Many]) -> Many:
    """Return the fits of several batches as one."""
    return Many(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in _FIELDS))
