"""The same linear mixed model fitted to many responses; nothing that does not depend on the response is built twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.fit import GaussianFit, refit

Floats = NDArray[np.float64]


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
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]


def refit_many(fit: GaussianFit, Y: Floats) -> Many:
    """Fit the model of ``fit`` to each row of Y, shape (B, n)."""
    B = Y.shape[0]
    theta, beta = np.full((B, fit.engine.n_theta), np.nan), np.full((B, len(fit.beta)), np.nan)
    sigma, log_likelihood = np.full(B, np.nan), np.full(B, np.nan)
    converged, singular = np.zeros(B, dtype=bool), np.zeros(B, dtype=bool)
    for i, y in enumerate(Y):
        try:
            again = refit(fit, y)
        except np.linalg.LinAlgError:
            continue
        theta[i], sigma[i], beta[i] = again.optimum.theta, again.sigma, again.beta
        log_likelihood[i], converged[i], singular[i] = again.log_likelihood, again.converged, any(again.singular)
    return Many(theta, sigma, beta, log_likelihood, converged, singular)
