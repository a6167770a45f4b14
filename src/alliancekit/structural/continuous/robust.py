"""Standard errors and tests of complete data that do not assume normality, from Gamma (MLM, MLMV, MLMVS, ULSM ...)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.continuous.asymptotic import Stacked, moment_covariance, sandwich, scale_test, stack
from alliancekit.structural.continuous.counted import exogenous_places, held_places, independence_slopes, kept_moments
from alliancekit.structural.continuous.fit import complete_likelihood, information_of
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.estimators import SCALED
from alliancekit.structural.likelihood.contract import Block as Moments

Floats = NDArray[np.float64]


def make_robust(fit: StructuralEstimates) -> StructuralEstimates:
    """Return the fit with the standard errors and the scaled test from Gamma that its options ask for."""
    options, basis = fit.options, fit.directions
    vcov, test, baseline = fit.vcov, fit.test, fit.baseline
    if options.se == "robust.sem":
        stacked, information = stacked_of(fit, 0)
        less_one = options.likelihood == "wishart" or fit.engine != "moments"
        rows = fit.sample.n - len(fit.sample.groups) * less_one
        vcov = sandwich(stacked, basis, information) / rows
    if options.test in SCALED.values():
        stacked, information = stacked_of(fit, 1)
        alone = _independence(fit, stacked)
        test = scale_test(test, stacked, basis, options.test, information)
        baseline = scale_test(baseline, alone, np.eye(alone.slopes.shape[1]), options.test)
    return replace(fit, vcov=vcov, test=test, baseline=baseline)


def stacked_of(fit: StructuralEstimates, use: int) -> tuple[Stacked, Floats | None]:
    """Return moments, weights and Gamma, and the information of one row where it is not that of the weights.

    use : 0 for standard errors, 1 for tests.
    """
    if fit.stacked is not None:
        return fit.stacked, None
    words = fit.options.words
    slopes, gammas, means = [], [], fit.model.means
    for b, (group, D) in enumerate(zip(fit.sample.groups, fit.model.jacobian(fit.x), strict=True), start=1):
        if group.rows is None:
            raise SpecError(message("robust standard errors need the rows of the data, not only their covariances"))
        k = kept_moments(fit.table, b, group, means)
        slopes.append(D[k])
        gammas.append(moment_covariance(group.rows, True, held_places(fit.table, b, group))[np.ix_(k, k)])
    shares = [group.n / fit.sample.n for group in fit.sample.groups]
    out = stack(slopes, _weights(fit, use, fit.implied), gammas, shares)
    if words.information[use] != "observed" or words.observed[use] != "hessian":
        return out, None
    pairs = [(block.mu, block.sigma) for block in fit.saturated]
    sizes = np.array([float(group.n) for group in fit.sample.groups])
    return out, information_of(fit.options, use, fit.model, pairs, sizes, fit.x) / fit.sample.n


def _weights(fit: StructuralEstimates, use: int, model: Sequence[Moments]) -> list[Floats]:
    """Return the information of one normal row about the moments that count, of each group."""
    words, means = fit.options.words, fit.model.means
    seen = [(block.mu * means, block.sigma) for block in fit.saturated]
    at = [Moments(*pair) for pair in seen] if words.h1[use] == "unstructured" else model
    kind = "expected" if words.information[use] == "expected" else "observed"
    sizes = [float(group.n) for group in fit.sample.groups]
    found = complete_likelihood(seen, sizes).information(kind, at)
    out = []
    for b, (group, whole) in enumerate(zip(fit.sample.groups, found, strict=True), start=1):
        k = kept_moments(fit.table, b, group, means)
        out.append(whole[np.ix_(k, k)] / group.n)
    return out


def _independence(fit: StructuralEstimates, stacked: Stacked) -> Stacked:
    """Return moments, weights and Gamma of the model of independence."""
    slopes, gammas, shares = [], [], []
    of_weights: list[Floats] = []
    width = at = 0
    parts, alone = [], []
    for b, group in enumerate(fit.sample.groups, start=1):
        k = kept_moments(fit.table, b, group, fit.model.means)
        D = independence_slopes(fit.table, b, group)[k]
        D = D[:, D.any(axis=0)]
        own = slice(at, at + len(D))
        at += len(D)
        share = group.n / fit.sample.n
        shares.append(share)
        gammas.append(stacked.gamma[own, own] * share)
        of_weights.append(stacked.weight[own, own] / share)
        sample = fit.saturated[b - 1]
        places = exogenous_places(fit.table, b, group.names)
        cov = np.diag(np.diag(sample.sigma))
        cov[np.ix_(places, places)] = sample.sigma[np.ix_(places, places)]
        alone.append(Moments(sample.mu * fit.model.means, cov))
        parts.append((width, D))
        width += D.shape[1]
    for start, D in parts:
        wide = np.zeros((len(D), width))
        wide[:, start : start + D.shape[1]] = D
        slopes.append(wide)
    weights = _weights(fit, 1, alone) if fit.engine == "moments" else of_weights
    return stack(slopes, weights, gammas, shares)
