"""Families with a dispersion parameter: both negative binomial forms and the beta-binomial.

Source: the forms of variance are those of Hardin & Hilbe (2007), Generalized Linear Models and Extensions, ch. 13: mu +
mu^2 / size ("quadratic", NB2) and mu (1 + phi) ("linear", NB1). The beta-binomial has mean trials * p and precision
phi = alpha + beta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alliancekit.multilevel.generalised.families import Inner, Outer, log_choose
from alliancekit.multilevel.generalised.links import ProbabilityLink
from alliancekit.multilevel.generalised.rising import Rising, rising

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NegativeBinomialQuadratic:
    """Counts with variance mu + mu^2 / size; dispersion = size."""

    y: Floats
    has_dispersion: bool = True

    @property
    def constant(self) -> Floats:
        """Return -log y!."""
        return np.asarray(-special.gammaln(self.y + 1.0), dtype=np.float64)

    def at(self, dispersion: Floats | None) -> QuadraticDensity:
        """Return the density at a log size."""
        assert dispersion is not None
        return QuadraticDensity(self.y, dispersion, rising(self.y, np.exp(dispersion)))


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticDensity:
    """With m = mu / (mu + size): a binomial of y + size trials in the predictor eta - log size."""

    y: Floats
    log_size: Floats
    rise: Rising

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        t = eta - self.log_size
        small = np.exp(-np.abs(t))
        plus = 1.0 + small
        m = np.where(t >= 0, 1.0, small) / plus
        total = self.y + np.exp(self.log_size)
        value = self.rise.log + self.y * t - total * (np.maximum(t, 0.0) + np.log1p(small))
        return value, self.y - total * m, total * (small / (plus * plus))

    def outer(self, eta: Floats) -> Outer:
        """Return the further derivatives."""
        t = eta - self.log_size
        size = np.exp(self.log_size)
        total = self.y + size
        m, rest = special.expit(t), special.expit(-t)
        spread = m * rest
        third = total * spread * (1.0 - 2.0 * m)
        by_size = (
            size * (self.rise.first - np.logaddexp(0.0, t)) + size * m - self.y * rest,
            -size * m + total * spread,
            size * spread - third,
        )
        return Outer(third, by_size)


@dataclass(frozen=True, slots=True, eq=False)
class NegativeBinomialLinear:
    """Counts with variance mu (1 + phi); dispersion = phi."""

    y: Floats
    has_dispersion: bool = True

    @property
    def constant(self) -> Floats:
        """Return -log y!."""
        return np.asarray(-special.gammaln(self.y + 1.0), dtype=np.float64)

    def at(self, dispersion: Floats | None) -> LinearDensity:
        """Return the density at a log phi."""
        assert dispersion is not None
        return LinearDensity(self.y, dispersion)


@dataclass(frozen=True, slots=True, eq=False)
class LinearDensity:
    """A negative binomial whose size r = mu / phi moves with the mean.

    Its log is log(rising) - r log(1 + phi) + y log(phi / (1 + phi)).
    """

    y: Floats
    log_phi: Floats

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        r, log_plus = np.exp(eta - self.log_phi), np.logaddexp(0.0, self.log_phi)
        rise = rising(self.y, r)
        first = r * (rise.first - log_plus)
        value = rise.log - r * log_plus + self.y * (self.log_phi - log_plus)
        return value, first, -(first + r * r * rise.second)

    def outer(self, eta: Floats) -> Outer:
        """Return the further derivatives."""
        r, log_plus = np.exp(eta - self.log_phi), np.logaddexp(0.0, self.log_phi)
        share = special.expit(self.log_phi)
        rise = rising(self.y, r, third=True)
        first, second, third = r * (rise.first - log_plus), r * r * rise.second, r**3 * rise.third
        by_phi = (
            -first - r * share + self.y * (1.0 - share),
            -first - second - r * share,
            first + 3.0 * second + third + r * share,
        )
        return Outer(-(first + 3.0 * second + third), by_phi)


@dataclass(frozen=True, slots=True, eq=False)
class BetaBinomial:
    """Successes out of ``trials`` whose probability varies as a beta distribution; dispersion = phi = alpha + beta."""

    y: Floats
    trials: Floats
    link: ProbabilityLink
    has_dispersion: bool = True

    @property
    def constant(self) -> Floats:
        """Return log C(trials, y)."""
        return log_choose(self.trials, self.y)

    def at(self, dispersion: Floats | None) -> BetaBinomialDensity:
        """Return the density at a log phi."""
        assert dispersion is not None
        return BetaBinomialDensity(
            self.y, self.trials, self.link, np.exp(dispersion), rising(self.trials, np.exp(dispersion))
        )


@dataclass(frozen=True, slots=True, eq=False)
class BetaBinomialDensity:
    """log B(y + alpha, trials - y + beta) - log B(alpha, beta), alpha = p phi, beta = (1 - p) phi."""

    y: Floats
    trials: Floats
    link: ProbabilityLink
    phi: Floats
    rise: Rising

    def _sides(self, eta: Floats, third: bool) -> tuple[Floats, Floats, Rising, Rising]:
        p, q = self.link.inverse(eta), self._failure(eta)
        up = rising(self.y, p * self.phi, third=third)
        return p, q, up, rising(self.trials - self.y, q * self.phi, third=third)

    def _failure(self, eta: Floats) -> Floats:
        return np.asarray(np.exp(self.link.log_failure(eta)[0]), dtype=np.float64)

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        _, _, up, down = self._sides(eta, False)
        _, d1, d2, _ = self.link.inverse_derivatives(eta)
        first = self.phi * (up.first - down.first)
        second = self.phi**2 * (up.second + down.second)
        return up.log + down.log - self.rise.log, first * d1, -(second * d1 * d1 + first * d2)

    def outer(self, eta: Floats) -> Outer:
        """Return the further derivatives."""
        p, q, up, down = self._sides(eta, True)
        _, d1, d2, d3 = self.link.inverse_derivatives(eta)
        phi = self.phi
        first, second = phi * (up.first - down.first), phi**2 * (up.second + down.second)
        third = phi**3 * (up.third - down.third)
        mixed = first + phi**2 * (p * up.second - q * down.second)
        mixed_second = 2.0 * second + phi**3 * (p * up.third + q * down.third)
        by_phi = (
            phi * (p * up.first + q * down.first - self.rise.first),
            mixed * d1,
            -(mixed_second * d1 * d1 + mixed * d2),
        )
        return Outer(-(third * d1**3 + 3.0 * second * d1 * d2 + first * d3), by_phi)
