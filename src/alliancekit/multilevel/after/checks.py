"""Refusals that several results share."""

from __future__ import annotations

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.gaussian.fit import GaussianFit


def check_plain(fit: GaussianFit, what: str, instead: str) -> None:
    """Raise SpecError where the residuals have a structure, for which ``what`` does not exist."""
    if fit.residual is not None:
        raise SpecError(message(f"{what} is there for independent residuals only", do=instead))
