"""The same model with a residual structure fitted to many responses, from the fit's own estimates on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.many import Many
from alliancekit.multilevel.residual.design import with_response
from alliancekit.multilevel.residual.fit import fit_rows, refit

Floats = NDArray[np.float64]
LEAST = 0.1  # start of a relative SD that is zero in the fit: zero itself is a saddle of the deviance


@dataclass(frozen=True, slots=True, eq=False)
class ManyWithStructure(Many):
    """Estimates of B fits; phi : shape (B, n_phi), the structure's parameters."""

    phi: Floats


def refit_many(fit: GaussianFit, Y: Floats) -> ManyWithStructure:
    """Fit the model of ``fit`` to each row of Y, shape (B, n)."""
    part = fit.residual
    assert part is not None
    B = Y.shape[0]
    theta, beta = np.full((B, fit.engine.n_theta), np.nan), np.full((B, len(fit.beta)), np.nan)
    sigma, log_likelihood, phi = np.full(B, np.nan), np.full(B, np.nan), np.full((B, part.phi.size), np.nan)
    converged, singular = np.zeros(B, dtype=bool), np.zeros(B, dtype=bool)
    for i, y in enumerate(Y):
        try:
            again = _once_more(fit, y)
        except np.linalg.LinAlgError:
            continue
        assert again.residual is not None
        theta[i], sigma[i], beta[i], phi[i] = again.optimum.theta, again.sigma, again.beta, again.residual.phi
        log_likelihood[i], converged[i], singular[i] = again.log_likelihood, again.converged, any(again.singular)
    return ManyWithStructure(theta, sigma, beta, log_likelihood, converged, singular, phi)


def _once_more(fit: GaussianFit, y: Floats) -> GaussianFit:
    part = fit.residual
    assert part is not None
    moving = part.structure.variance is not None and part.structure.variance.of_fitted
    if moving or not part.free.all():
        return refit(fit, y)
    design = replace(fit.design, y=np.asarray(y, float))
    return fit_rows(design, with_response(part.rows, design), fit.reml, part.structure, start_of(fit))


def start_of(fit: GaussianFit) -> Floats:
    """Return (theta, phi) of a fit as the start of a search: relative SDs are kept away from zero."""
    assert fit.residual is not None
    theta = fit.optimum.theta.copy()
    for factor, where in zip(fit.engine.factors, fit.engine.slices, strict=True):
        own = theta[where]
        diagonal = np.array([i == j for i, j in factor.free])
        theta[where] = np.where(diagonal, np.maximum(np.abs(own), LEAST), own)
    return np.concatenate([theta, fit.residual.phi])
