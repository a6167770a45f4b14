"""The outcome given the random effects: a family, with extra zeros and weights of rows where the model has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alliancekit.multilevel.generalised.families import Density, Family, Inner, Outer

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """A family with its outcome.

    Attributes
    ----------
    family : the distribution with the outcome. zero : (n,) rows whose outcome is 0, where extra zeros are modelled.
    weights : (n,) how many times a row counts; None for once.
    """

    family: Family
    zero: Mask | None = None
    weights: Floats | None = None

    @property
    def constant(self) -> float:
        """What of the log-likelihood depends on no parameter."""
        rows = self.family.constant
        return float(rows.sum() if self.weights is None else rows @ self.weights)

    def at(self, dispersion: Floats | None, inflation: Floats | None) -> Density:
        """Return the density of the rows at a log dispersion and a logit of an extra zero."""
        density = self.family.at(dispersion)
        if self.zero is not None:
            assert inflation is not None
            density = Inflated(density, self.zero, inflation)
        return density if self.weights is None else Weighted(density, self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """A density whose rows count ``weights`` times."""

    density: Density
    weights: Floats

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        return _times(self.weights, self.density.inner(eta))

    def outer(self, eta: Floats) -> Outer:
        """Return the further derivatives."""
        found, w = self.density.outer(eta), self.weights
        parts = [None if part is None else _times(w, part) for part in (found.dispersion, found.inflation)]
        return Outer(w * found.weight_slope, *parts)


@dataclass(frozen=True, slots=True, eq=False)
class Inflated:
    """A mixture: with probability pi = logistic(zeta) an extra zero, otherwise the base density.

    With l the base log-density at 0, the log-density of a zero is log(e^zeta + e^l) - log(1 + e^zeta), whose
    derivative by l is the probability q that the zero came from the base.

    Source: Lambert (1992), Technometrics 34, 1-14, eq. 1, for any base family.
    """

    density: Density
    zero: Mask
    zeta: Floats

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        value, slope, weight = self.density.inner(eta)
        q, mixed = self._share(value)
        own = np.where(self.zero, np.logaddexp(self.zeta, value), value) - np.logaddexp(0.0, self.zeta)
        return own, q * slope, q * weight - mixed * slope * slope

    def outer(self, eta: Floats) -> Outer:
        """Return the further derivatives."""
        value, slope, weight = self.density.inner(eta)
        base = self.density.outer(eta)
        q, mixed = self._share(value)
        tilt = mixed * (1.0 - 2.0 * q)
        third = q * base.weight_slope + 3.0 * mixed * slope * weight - tilt * slope**3
        pi = special.expit(self.zeta)
        by_zeta = (np.where(self.zero, 1.0 - q, 0.0) - pi, -mixed * slope, tilt * slope * slope - mixed * weight)
        by_dispersion = None
        if base.dispersion is not None:
            v, s, w = base.dispersion
            by_dispersion = (
                q * v,
                q * s + mixed * slope * v,
                q * w - mixed * (2.0 * slope * s - weight * v) - tilt * slope * slope * v,
            )
        return Outer(third, by_dispersion, by_zeta)

    def _share(self, value: Floats) -> tuple[Floats, Floats]:
        """Return q and q (1 - q): 1 and 0 for rows that are not zero."""
        q = np.where(self.zero, special.expit(value - self.zeta), 1.0)
        return q, q * (1.0 - q)


def _times(weights: Floats, parts: Inner) -> Inner:
    return weights * parts[0], weights * parts[1], weights * parts[2]
