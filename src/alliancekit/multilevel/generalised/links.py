"""Links: from the linear predictor to the mean, with derivatives up to the third.

A link of probabilities also gives log p and log(1 - p) and their derivatives, which keep their precision where p is
close to 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.later import Later

if TYPE_CHECKING:
    from scipy import special
else:
    special = Later("scipy.special")

Floats = NDArray[np.float64]
Derivatives = tuple[Floats, Floats, Floats, Floats]
_LOG_ROOT_TWO_PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, slots=True)
class Logit:
    """log(p / (1 - p)) = eta."""

    name: str = "logit"
    effect: str = "odds ratio"

    def inverse(self, eta: Floats) -> Floats:
        """Return the probability."""
        return np.asarray(special.expit(eta), dtype=np.float64)

    def link(self, p: Floats) -> Floats:
        """Return eta of a probability."""
        return np.asarray(special.logit(p), dtype=np.float64)

    def derivative(self, eta: Floats) -> Floats:
        """Return the derivative of ``inverse``."""
        return self.inverse_derivatives(eta)[1]

    def inverse_derivatives(self, eta: Floats) -> Derivatives:
        """Return p and its first three derivatives by eta."""
        p = self.inverse(eta)
        first = p * self.inverse(-eta)
        second = first * (1.0 - 2.0 * p)
        return p, first, second, second * (1.0 - 2.0 * p) - 2.0 * first * first

    def log_success(self, eta: Floats) -> Derivatives:
        """Return log p and its first three derivatives by eta."""
        q = self.inverse(-eta)
        second = -self.inverse(eta) * q
        return -_softplus(-eta), q, second, second * (2.0 * q - 1.0)

    def log_failure(self, eta: Floats) -> Derivatives:
        """Return log(1 - p) and its first three derivatives by eta."""
        value, first, second, third = self.log_success(-eta)
        return value, -first, second, -third


@dataclass(frozen=True, slots=True)
class Probit:
    """p is the standard normal distribution function at eta."""

    name: str = "probit"
    effect: str = ""

    def inverse(self, eta: Floats) -> Floats:
        """Return the probability."""
        return np.asarray(special.ndtr(eta), dtype=np.float64)

    def link(self, p: Floats) -> Floats:
        """Return eta of a probability."""
        return np.asarray(special.ndtri(p), dtype=np.float64)

    def derivative(self, eta: Floats) -> Floats:
        """Return the derivative of ``inverse``."""
        return self.inverse_derivatives(eta)[1]

    def inverse_derivatives(self, eta: Floats) -> Derivatives:
        """Return p and its first three derivatives by eta."""
        density = np.exp(-0.5 * eta * eta - _LOG_ROOT_TWO_PI)
        return self.inverse(eta), density, -eta * density, (eta * eta - 1.0) * density

    def log_success(self, eta: Floats) -> Derivatives:
        """Return log p and its first three derivatives by eta (the first is the inverse Mills ratio)."""
        value = special.log_ndtr(eta)
        mills = np.exp(-0.5 * eta * eta - _LOG_ROOT_TWO_PI - value)
        gap = eta + mills
        second = -mills * gap
        return value, mills, second, -second * gap - mills * (1.0 + second)

    def log_failure(self, eta: Floats) -> Derivatives:
        """Return log(1 - p) and its first three derivatives by eta."""
        value, first, second, third = self.log_success(-eta)
        return value, -first, second, -third


@dataclass(frozen=True, slots=True)
class Cloglog:
    """log(-log(1 - p)) = eta: the grouped-time form of proportional hazards."""

    name: str = "cloglog"
    effect: str = "hazard ratio"

    def inverse(self, eta: Floats) -> Floats:
        """Return the probability."""
        return np.asarray(-np.expm1(-np.exp(eta)), dtype=np.float64)

    def link(self, p: Floats) -> Floats:
        """Return eta of a probability."""
        return np.asarray(np.log(-np.log1p(-p)), dtype=np.float64)

    def derivative(self, eta: Floats) -> Floats:
        """Return the derivative of ``inverse``."""
        return self.inverse_derivatives(eta)[1]

    def inverse_derivatives(self, eta: Floats) -> Derivatives:
        """Return p and its first three derivatives by eta."""
        hazard = np.exp(eta)
        first = np.exp(eta - hazard)
        second = first * (1.0 - hazard)
        return self.inverse(eta), first, second, second * (1.0 - hazard) - first * hazard

    def log_success(self, eta: Floats) -> Derivatives:
        """Return log p and its first three derivatives by eta."""
        hazard = np.exp(np.clip(eta, -700.0, 700.0))
        first = hazard / np.expm1(hazard)
        rate = 1.0 - hazard - first
        second = first * rate
        return np.log(-np.expm1(-hazard)), first, second, second * rate - first * (hazard + second)

    def log_failure(self, eta: Floats) -> Derivatives:
        """Return log(1 - p) and its first three derivatives by eta."""
        minus = -np.exp(eta)
        return minus, minus, minus, minus


@dataclass(frozen=True, slots=True)
class Log:
    """log(mu) = eta."""

    name: str = "log"
    effect: str = "rate ratio"

    def inverse(self, eta: Floats) -> Floats:
        """Return the mean."""
        return np.asarray(np.exp(eta), dtype=np.float64)

    def link(self, mu: Floats) -> Floats:
        """Return eta of a mean."""
        return np.asarray(np.log(mu), dtype=np.float64)

    def derivative(self, eta: Floats) -> Floats:
        """Return the derivative of ``inverse``."""
        return self.inverse_derivatives(eta)[1]

    def inverse_derivatives(self, eta: Floats) -> Derivatives:
        """Return the mean and its first three derivatives by eta."""
        mu = self.inverse(eta)
        return mu, mu, mu, mu


ProbabilityLink = Logit | Probit | Cloglog
Link = ProbabilityLink | Log
LINKS: dict[str, Link] = {link.name: link for link in (Logit(), Probit(), Cloglog(), Log())}


def _softplus(x: Floats) -> Floats:
    """Return log(1 + e^x) without overflow."""
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))), dtype=np.float64)
