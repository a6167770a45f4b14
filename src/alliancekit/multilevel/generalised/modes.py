"""The conditional modes of the random effects: the inner problem of the Laplace approximation.

For spherical effects u (b = Lambda u) the penalised log-density is h(u) = sum_i l_i(eta_i) - u'u / 2, eta = offset +
X beta + Z Lambda u. Newton's method with the observed curvature and step halving climbs it; where the curvature is not
positive definite, which can happen away from a mode of a family that is not log-concave, the weights are replaced by
their absolute values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.design import GeneralisedDesign
from alliancekit.multilevel.generalised.elimination import Elimination, NotPositive, Relatives, eliminate, solve
from alliancekit.multilevel.generalised.families import Density
from alliancekit.multilevel.generalised.sums import Effects, gather, spread

Floats = NDArray[np.float64]
TIGHT = 1e-12  # a Newton decrement below it is followed by one last step, after which it is its square
MAX_ITERATIONS = 60


class NoMode(ArithmeticError):
    """The search for the modes did not end at a maximum."""


@dataclass(slots=True, eq=False)
class Modes:
    """Where the search ended: effects u, their part of eta (Z b), eta, density parts there, and H factorised."""

    effects: Effects
    random_part: Floats
    eta: Floats
    value: Floats
    slope: Floats
    weight: Floats
    elimination: Elimination

    @property
    def penalty(self) -> float:
        """u'u / 2."""
        return 0.5 * sum(float(np.vdot(u, u)) for u in self.effects)


def zero_effects(design: GeneralisedDesign) -> Effects:
    """Return effects that are all zero."""
    return [np.zeros((f.q, f.n_levels)) for f in design.factors]


def scale(relatives: Relatives, effects: Effects) -> Effects:
    """Return b = Lambda u."""
    return [relative @ u for relative, u in zip(relatives, effects, strict=True)]


def pull(design: GeneralisedDesign, relatives: Relatives, x: Floats) -> Effects:
    """Return Lambda'Z'x."""
    return [relative.T @ z for relative, z in zip(relatives, gather(design, x), strict=True)]


def find_modes(
    design: GeneralisedDesign, density: Density, relatives: Relatives, fixed_part: Floats, start: Effects
) -> Modes:
    """Return the modes, searched from ``start``.

    Raises
    ------
    NoMode : the log-density is not finite, or the search does not settle.
    """
    u = start
    random = spread(design, scale(relatives, u))
    value, slope, weight = density.inner(fixed_part + random)
    height = float(value.sum()) - _half_square(u)
    if not np.isfinite(height):
        u = zero_effects(design)
        random = np.zeros(design.n)
        value, slope, weight = density.inner(fixed_part)
        height = float(value.sum())
        if not np.isfinite(height):
            raise NoMode
    for _ in range(MAX_ITERATIONS):
        uphill = [g - own for g, own in zip(pull(design, relatives, slope), u, strict=True)]
        state = _eliminate(design, relatives, weight)
        step = solve(design, state, uphill)
        decrement = sum(float(np.vdot(g, s)) for g, s in zip(uphill, step, strict=True))
        if not np.isfinite(decrement):
            raise NoMode
        along = spread(design, scale(relatives, step))
        noise = 1e-15 * abs(height)
        last = decrement <= max(TIGHT, noise)
        length = 1.0
        while True:
            u_new = [own + length * s for own, s in zip(u, step, strict=True)]
            random_new = random + length * along
            value, slope, weight = density.inner(fixed_part + random_new)
            height_new = float(value.sum()) - _half_square(u_new)
            if height_new >= height - 1e-12 * max(abs(height), 1.0):
                break
            length /= 2.0
            if length < 1e-10:
                raise NoMode
        u, random, height = u_new, random_new, height_new
        if last:
            break
    else:
        raise NoMode
    try:
        state = eliminate(design, relatives, weight)
    except NotPositive as error:
        raise NoMode from error
    return Modes(u, random, fixed_part + random, value, slope, weight, state)


def _eliminate(design: GeneralisedDesign, relatives: Relatives, weight: Floats) -> Elimination:
    try:
        return eliminate(design, relatives, weight)
    except NotPositive:
        return eliminate(design, relatives, np.abs(weight))


def _half_square(effects: Effects) -> float:
    return 0.5 * sum(float(np.vdot(u, u)) for u in effects)
