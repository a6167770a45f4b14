"""Shares of variance by level (VPC, ICC) with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import check_option
from alliancekit.multilevel.after.bootstrap import Bootstrap, interval_of
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.natural import covariance_stacks
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty
from alliancekit.multilevel.moments import random_products
from alliancekit.numerics.distributions import normal_quantile

Floats = NDArray[np.float64]
INTERVALS = ("wald", "bootstrap")


def variance_shares(
    fit: GaussianFit, level: float, uncertainty: VarianceUncertainty | None, replicates: Bootstrap | None
) -> pd.DataFrame:
    """Return each grouping factor's share of random plus residual variance, and that of all together, with intervals.

    Parameters
    ----------
    uncertainty : for Wald intervals, by the delta method on the logit of the share. replicates : for percentile
        intervals; exactly one of the two is given.

    Notes
    -----
    A factor's variance is the mean over the rows used of z'Gz (Johnson 2014, Methods Ecol Evol 5, 944-946).
    """
    check_level(level)
    groups = [fit.factors[i].group for i in formula_order(fit)]
    estimate = shares(fit, fit.optimum.theta[None], np.array([fit.sigma]))[0]
    if replicates is not None:
        many = replicates.refits.many
        draws = shares(fit, many.theta, many.sigma, getattr(many, "phi", None))
        ends = [
            interval_of(column[np.isfinite(column)], value, level, "percentile")
            for column, value in zip(draws.T, estimate.tolist(), strict=True)
        ]
    else:
        assert uncertainty is not None
        ends = _delta(fit, uncertainty, estimate, level)
    frame = pd.DataFrame({"group": [*groups, "total"], "estimate": estimate})
    frame["conf_low"], frame["conf_high"] = [low for low, _ in ends], [high for _, high in ends]
    frame.attrs.update(interval="wald" if replicates is None else "bootstrap", level=level)
    return frame


def shares(fit: GaussianFit, theta: Floats, sigma: Floats, phi: Floats | None = None) -> Floats:
    """Return the shares over B fits, shape (B, factors + 1): factors in the formula's order, then their sum.

    Where a structure lets the residual variance vary, it is the mean over the rows; ``phi``, shape (B, n_phi), has the
    structure's parameters of each fit.
    """
    stacks = covariance_stacks(fit, theta, sigma)
    variance = np.zeros((len(sigma), len(fit.factors)))
    for position, index in enumerate(formula_order(fit)):
        products = random_products(fit.design, fit.factors[index].group)
        variance[:, position] = np.einsum("bij,ij->b", stacks[index], products)
    out = variance / (variance.sum(axis=1) + sigma**2 * _mean_variance(fit, phi))[:, None]
    return np.column_stack([out, out.sum(axis=1)])


def _mean_variance(fit: GaussianFit, phi: Floats | None) -> Floats | float:
    """Return the mean residual variance over the rows, over sigma^2: one unless a structure lets it vary."""
    part = fit.residual
    if part is None or part.variance is None:
        return 1.0
    scale, own = part.variance.scale, part.phi[None] if phi is None else phi
    return np.array([float(np.mean(scale(row[part.rows.n_correlation :]) ** 2)) for row in own])


def check_interval(interval: str) -> str:
    """Return the kind of interval, if it is one that shares have."""
    return check_option("interval", interval, INTERVALS)


def _delta(
    fit: GaussianFit, uncertainty: VarianceUncertainty, estimate: Floats, level: float
) -> list[tuple[float, float]]:
    """Return Wald limits on the logit scale; nan for a share of zero, which has none."""
    with np.errstate(divide="ignore"):
        centre = np.log(estimate) - np.log1p(-estimate)
    slope = _slope(fit)
    spread = np.sqrt(np.maximum(np.einsum("ik,kl,il->i", slope, uncertainty.covariance, slope), 0.0))
    reach = normal_quantile(1 - (1 - level) / 2) * spread
    out = []
    for middle, half in zip(centre, reach, strict=True):
        known = np.isfinite(middle) and half > 0
        ends = (middle - half, middle + half) if known else (np.nan, np.nan)
        out.append((float(1 / (1 + np.exp(-ends[0]))), float(1 / (1 + np.exp(-ends[1])))))
    return out


def _slope(fit: GaussianFit) -> Floats:
    """Return the derivative of the logits by (theta, sigma, phi), shape (factors + 1, parameters), by differences."""
    k, phi = fit.engine.n_theta, np.zeros(0) if fit.residual is None else fit.residual.phi
    here = np.concatenate([fit.optimum.theta, [fit.sigma], phi])
    least = np.full(here.size, 0.1)
    least[k] = 0.0
    step = 1e-5 * np.maximum(np.abs(here), least)
    moved = np.concatenate([here + np.diag(step), here - np.diag(step)])
    value = shares(fit, moved[:, :k], moved[:, k], moved[:, k + 1 :])
    half = here.size
    with np.errstate(divide="ignore", invalid="ignore"):
        logit = np.log(value) - np.log1p(-value)
        slope = (logit[:half] - logit[half:]) / (2 * step)[:, None]
    return np.asarray(np.nan_to_num(slope).T, dtype=np.float64)
