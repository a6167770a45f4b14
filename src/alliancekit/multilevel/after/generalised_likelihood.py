"""The likelihood of a generalised model's data at parameters that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.generalised.fit import GeneralisedFit
from alliancekit.multilevel.generalised.inference import theta_of
from alliancekit.multilevel.generalised.modes import zero_effects
from alliancekit.multilevel.generalised.objective import evaluate


def log_likelihood_at(fit: GeneralisedFit, fixed: Mapping[str, float], covariances: Mapping[str, ArrayLike]) -> float:
    """Return the log-likelihood at given fixed effects and covariance matrices (user's columns); side parts stay."""
    names = fit.design.names
    missing = [n for n in names if n not in fixed] + [f.group for f in fit.factors if f.group not in covariances]
    if missing:
        raise SpecError(
            message(f"no value is given for {', '.join(missing)}", do="Give every term and grouping factor")
        )
    x = fit.optimum.x.copy()
    beta, theta, _, _ = fit.engine.parts
    x[beta] = np.linalg.solve(fit.engine.fixed_basis, np.array([float(fixed[n]) for n in names]))
    matrices = [np.atleast_2d(np.asarray(covariances[f.group], dtype=float)) for f in fit.factors]
    x[theta] = theta_of(fit.engine, matrices)
    return -evaluate(fit.problem, x, zero_effects(fit.engine)).value / 2.0
