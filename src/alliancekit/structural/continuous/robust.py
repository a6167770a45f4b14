"""Standard errors and tests of complete data that do not assume normality, from Gamma (MLM, MLMV, MLMVS, ULSM ...)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.asymptotic import Stacked, sandwich, scale_test, stack
from alliancekit.structural.continuous.fit import exogenous_places
from alliancekit.structural.continuous.least_squares import independence_slopes, kept_moments, normal_weights
from alliancekit.structural.estimates import StructuralEstimates

Floats = NDArray[np.float64]


def make_robust(fit: StructuralEstimates, stacked: Stacked) -> StructuralEstimates:
    """Return the fit with the standard errors and the scaled tests that its options ask for."""
    options, basis = fit.options, fit.directions
    vcov = sandwich(stacked, basis) / fit.sample.n if options.se == "robust.sem" else fit.vcov
    if options.test == "standard":
        return replace(fit, vcov=vcov)
    alone = _independence(fit, stacked)
    free = np.eye(alone.slopes.shape[1])
    return replace(
        fit,
        vcov=vcov,
        test=scale_test(fit.test, stacked, basis, options.test),
        baseline=scale_test(fit.baseline, alone, free, options.test),
    )


def _independence(fit: StructuralEstimates, stacked: Stacked) -> Stacked:
    """Return moments, weights and Gamma of the model of independence."""
    slopes, weights, gammas, shares = [], [], [], []
    width = at = 0
    parts = []
    for b, group in enumerate(fit.sample.groups, start=1):
        k = kept_moments(fit.table, b, group, fit.model.means)
        D = independence_slopes(fit.table, b, group)[k]
        D = D[:, D.any(axis=0)]
        own = slice(at, at + len(D))
        at += len(D)
        share = (group.n - (fit.engine != "moments")) / fit.sample.n
        shares.append(share)
        gammas.append(stacked.gamma[own, own] * share)
        if fit.engine == "moments":
            places = exogenous_places(fit.table, b, group.names)
            cov = np.diag(np.diag(group.cov))
            cov[np.ix_(places, places)] = group.cov[np.ix_(places, places)]
            weights.append(normal_weights(cov, k))
        else:
            weights.append(stacked.weight[own, own] / share)
        parts.append((width, D))
        width += D.shape[1]
    for start, D in parts:
        wide = np.zeros((len(D), width))
        wide[:, start : start + D.shape[1]] = D
        slopes.append(wide)
    return stack(slopes, weights, gammas, shares)
