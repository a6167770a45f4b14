"""What every fitted likelihood offers, whatever its family: the seam between engines and what comes after a fit."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.design import Factor

Floats = NDArray[np.float64]


class Estimates(Protocol):
    """Estimates of one model, as data. Files of ``after/`` that serve every family take nothing else.

    Attributes
    ----------
    design : the formula's design. factors : grouping factors, each with all of its random terms.
    covariances : per factor, shape (q, q), in the user's columns. singular : per factor, covariance without full rank.
    beta : shape (p,). vcov : shape (p, p), of beta, in the user's columns. sigma : residual SD, 1 where there is none.
    reml : whether the likelihood is restricted. deviance : -2 log-likelihood (restricted where ``reml``).
    n_parameters : fixed effects, covariance parameters and dispersion. converged : whether the optimum was reached.
    """

    @property
    def design(self) -> Design:
        """The formula's design."""

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Grouping factors in the engine's order."""

    @property
    def covariances(self) -> tuple[Floats, ...]:
        """Covariance of each factor's random effects."""

    @property
    def singular(self) -> tuple[bool, ...]:
        """Whether each factor's covariance lies on the boundary."""

    @property
    def beta(self) -> Floats:
        """Fixed effects."""

    @property
    def vcov(self) -> Floats:
        """Covariance of the fixed effects."""

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""

    @property
    def reml(self) -> bool:
        """Whether the criterion is REML."""

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood at the estimates."""

    @property
    def deviance(self) -> float:
        """-2 log-likelihood."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""

    @property
    def converged(self) -> bool:
        """Whether the search reached the optimum."""


def formula_order(fit: Estimates) -> list[int]:
    """Return the indices of the factors in the order in which the formula names them."""
    groups = list(dict.fromkeys(block.group for block in fit.design.random))
    return sorted(range(len(fit.factors)), key=lambda i: groups.index(fit.factors[i].group))


def random_columns(design: Design, group: str) -> Floats:
    """Return the columns that vary over one grouping factor, shape (n, q), all its random terms side by side."""
    return np.concatenate([block.Z for block in design.random if block.group == group], axis=1)
