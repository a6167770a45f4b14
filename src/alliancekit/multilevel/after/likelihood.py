"""The likelihood of a fitted model's data at parameters that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import theta_from_covariances
from alliancekit.multilevel.gaussian.objective import deviance, eliminate


def log_likelihood_at(
    fit: GaussianFit, fixed: Mapping[str, float], covariances: Mapping[str, ArrayLike], sigma2: float
) -> float:
    """Return the log-likelihood (restricted for a REML fit) at given parameters.

    Parameters
    ----------
    fixed : every fixed effect by term. covariances : covariance matrix of each grouping factor, in the user's columns
        in the order of ``Factor.names``. sigma2 : residual variance.

    Notes
    -----
    A restricted likelihood has no fixed effects in it. Here the quadratic loss of the given ones is charged in both
    cases, so that a wrong slope is seen: it is zero at the generalised least squares estimate for these variances.
    """
    names = fit.design.names
    missing = [n for n in names if n not in fixed] + [f.group for f in fit.engine.factors if f.group not in covariances]
    if missing:
        raise SpecError(
            message(f"no value is given for {', '.join(missing)}", do="Give every term and grouping factor")
        )
    if not sigma2 > 0:
        raise SpecError(message(f"sigma2={sigma2} is not a variance", do="Give a positive number"))
    engine = fit.engine
    matrices = [np.atleast_2d(np.asarray(covariances[f.group], float)) for f in engine.factors]
    theta = theta_from_covariances(engine, matrices, float(np.sqrt(sigma2)))
    state = eliminate(engine, theta)
    beta = np.array([float(fixed[n]) for n in names])
    away = np.linalg.solve(engine.fixed_basis, beta - engine.y_shift) - state.beta
    n, p = engine.products.n, engine.products.p
    dof = n - p if fit.reml else n
    profiled = deviance(state, engine, fit.reml)
    constant = profiled - dof * (1.0 + np.log(2 * np.pi * state.r2 / dof))
    loss = (state.r2 + float(away @ state.fixed @ away)) / sigma2
    return float(-(constant + dof * np.log(2 * np.pi * sigma2) + loss) / 2)
