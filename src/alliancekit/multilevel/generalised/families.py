"""Conditional distributions of the outcome: log-density of each row as a function of its linear predictor.

A *family* holds the outcome. ``at(dispersion)`` fixes the log dispersion and gives a *density*, whose ``inner`` returns
value, slope and weight (minus the curvature) of the log-density by eta, and whose ``outer`` returns what the exact
gradient of the Laplace approximation needs beside them. Every array has one entry per row; ``inner`` also takes
several linear predictors at once, shape (nodes, n). Terms without parameters are left out and stand in ``constant``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alliancekit.multilevel.generalised.links import ProbabilityLink

Floats = NDArray[np.float64]
Inner = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Outer:
    """Derivatives beside those of ``inner``.

    Attributes
    ----------
    weight_slope : derivative of the weight by eta.
    dispersion, inflation : derivatives of value, slope and weight by the row's log dispersion and by its logit of an
        extra zero; None where the family has no such parameter.
    """

    weight_slope: Floats
    dispersion: Inner | None = None
    inflation: Inner | None = None


class Density(Protocol):
    """Log-density of each row at fixed shape parameters."""

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight by eta."""

    def outer(self, eta: Floats) -> Outer:
        """Return the further derivatives."""


class Family(Protocol):
    """A distribution with its outcome."""

    @property
    def has_dispersion(self) -> bool:
        """Whether there is a dispersion parameter."""

    @property
    def constant(self) -> Floats:
        """What of each row's log-density depends on no parameter."""

    def at(self, dispersion: Floats | None) -> Density:
        """Return the density at a log dispersion: (n,), or shape (1,) for all rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Poisson:
    """Counts with variance equal to the mean; log link."""

    y: Floats
    has_dispersion: bool = False

    @property
    def constant(self) -> Floats:
        """Return -log y!."""
        return np.asarray(-special.gammaln(self.y + 1.0), dtype=np.float64)

    def at(self, dispersion: Floats | None) -> Poisson:
        """Return itself: there is nothing to fix."""
        return self

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        mu = np.exp(eta)
        return self.y * eta - mu, self.y - mu, mu

    def outer(self, eta: Floats) -> Outer:
        """Return the derivative of the weight."""
        return Outer(np.exp(eta))


@dataclass(frozen=True, slots=True, eq=False)
class BinomialLogit:
    """Successes out of ``trials`` (a number for all rows, or one per row), logit link."""

    y: Floats
    trials: Floats | float
    has_dispersion: bool = False

    @property
    def constant(self) -> Floats:
        """Return log C(trials, y)."""
        return log_choose(self.trials, self.y)

    def at(self, dispersion: Floats | None) -> BinomialLogit:
        """Return itself: there is nothing to fix."""
        return self

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight; one exponential serves all three."""
        small = np.exp(-np.abs(eta))
        plus = 1.0 + small
        p = np.where(eta >= 0, 1.0, small) / plus
        value = self.y * eta - self.trials * (np.maximum(eta, 0.0) + np.log(plus))
        return value, self.y - self.trials * p, self.trials * (small / (plus * plus))

    def outer(self, eta: Floats) -> Outer:
        """Return the derivative of the weight."""
        p = special.expit(eta)
        return Outer(self.trials * p * special.expit(-eta) * (1.0 - 2.0 * p))


@dataclass(frozen=True, slots=True, eq=False)
class Binomial:
    """Successes out of ``trials`` with any link of probabilities; observed, not expected, weights."""

    y: Floats
    trials: Floats | float
    link: ProbabilityLink
    has_dispersion: bool = False

    @property
    def constant(self) -> Floats:
        """Return log C(trials, y)."""
        return log_choose(self.trials, self.y)

    def at(self, dispersion: Floats | None) -> Binomial:
        """Return itself: there is nothing to fix."""
        return self

    def inner(self, eta: Floats) -> Inner:
        """Return value, slope and weight."""
        a, b = self.link.log_success(eta), self.link.log_failure(eta)
        failures = self.trials - self.y
        return (
            _product(self.y, a[0]) + _product(failures, b[0]),
            self.y * a[1] + failures * b[1],
            -(self.y * a[2] + failures * b[2]),
        )

    def outer(self, eta: Floats) -> Outer:
        """Return the derivative of the weight."""
        a, b = self.link.log_success(eta), self.link.log_failure(eta)
        return Outer(-(self.y * a[3] + (self.trials - self.y) * b[3]))


def log_choose(trials: Floats | float, y: Floats) -> Floats:
    """Return log C(trials, y); zero where there is one trial."""
    if np.ndim(trials) == 0 and float(trials) == 1.0:
        return np.zeros_like(y)
    out = special.gammaln(trials + 1.0) - special.gammaln(y + 1.0) - special.gammaln(trials - y + 1.0)
    return np.asarray(out, dtype=np.float64)


def _product(count: Floats, log: Floats) -> Floats:
    """Return count * log, 0 where the count is 0 even if the logarithm is infinite."""
    return np.asarray(np.where(count == 0, 0.0, count * log), dtype=np.float64)
