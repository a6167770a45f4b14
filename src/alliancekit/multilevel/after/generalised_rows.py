"""Rows and units of generalised fits: random effects, fitted values, residuals, predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.recipe import NewDesign
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.generalised import moments
from alliancekit.multilevel.generalised.combinations import (
    Loading,
    conditional_variance,
    fitted_variance,
    parameter_slopes,
)
from alliancekit.multilevel.generalised.fit import GeneralisedFit
from alliancekit.multilevel.generalised.inference import prediction_errors
from alliancekit.multilevel.generalised.inference import random_effects as modes_of
from alliancekit.numerics.distributions import normal_quantile

Floats = NDArray[np.float64]
RESIDUALS = ("response", "pearson", "deviance")
ERRORS = ("conditional", "total")
SCALES = ("response", "link")


def random_effects(fit: GeneralisedFit, errors: str) -> pd.DataFrame:
    """Return one row per group, unit and term: conditional mode and its SD."""
    check_option("errors", errors, ERRORS)
    optimum = fit.optimum
    found = modes_of(fit.engine, optimum.x, optimum.point)
    spreads = [spread for _, spread in found]
    if errors == "total":
        spreads = prediction_errors(fit.engine, optimum.x, optimum.point, fit.parameter_covariance)
    pieces = []
    for index in formula_order(fit):
        factor, (mode, _) = fit.factors[index], found[index]
        for j, name in enumerate(factor.names):
            columns = {
                "group": factor.group,
                "unit": list(factor.labels.all()),
                "term": name,
                "estimate": mode[:, j],
                "std_error": spreads[index][:, j],
            }
            pieces.append(pd.DataFrame(columns))
    return pd.concat(pieces, ignore_index=True)


def fitted(fit: GeneralisedFit, include_random: bool = True) -> Floats:
    """Return the expected count or proportion of each row used, shape (n,)."""
    eta = fit.linear_predictor if include_random else fit.fixed_part
    return moments.mean(fit.words, eta, fit.shape)


def residuals(fit: GeneralisedFit, kind: str = "response") -> Floats:
    """Return residuals of one kind, shape (n,); see ``GeneralisedMethods.residuals``."""
    check_option("kind", kind, RESIDUALS)
    gap = observed(fit) - fitted(fit)
    if kind == "response":
        return gap
    eta, counted = fit.linear_predictor, fit.counted
    if kind == "deviance":
        lost = moments.unit_deviance(fit.words, counted, eta, fit.shape)
        return np.asarray(np.sign(gap) * np.sqrt(np.maximum(lost, 0.0)), dtype=np.float64)
    spread = moments.variance(fit.words, counted.trials, eta, fit.shape)
    weights = 1.0 if counted.weights is None else counted.weights
    return np.asarray(gap / np.sqrt(spread / weights), dtype=np.float64)


def observed(fit: GeneralisedFit) -> Floats:
    """Return the outcome on the scale of fitted values: a count, or the proportion of successes."""
    return np.asarray(fit.counted.y / fit.counted.trials, dtype=np.float64)


def conditional_deviance(fit: GeneralisedFit) -> float:
    """Return the sum of the rows' deviances at the modes (lme4's ``deviance``); nan where the family has none."""
    try:
        return float(moments.unit_deviance(fit.words, fit.counted, fit.linear_predictor, fit.shape).sum())
    except SpecError:
        return float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class _Predictor:
    """Linear predictors of new rows: eta, its error variance, and J by the engine's parameters, (n, K)."""

    eta: Floats
    variance: Floats
    slopes: Floats
    unseen: NDArray[np.bool_]


def predict(
    fit: GeneralisedFit, new: pd.DataFrame, *, include_random: bool, interval: str | None, level: float, scale: str
) -> pd.DataFrame:
    """Return estimate, std_error, conf_low, conf_high, new_group; see ``GeneralisedMethods.predict``."""
    check_level(level)
    check_option("interval", "confidence" if interval is None else interval, ("confidence", "prediction"))
    check_option("scale", scale, SCALES)
    if interval == "prediction":
        raise SpecError(
            message(
                "a prediction interval of counts or proportions is not symmetric about anything",
                do='Draw outcomes with fit.simulate and take their quantiles; interval="confidence" is for the mean',
            )
        )
    built = fit.design.recipe.build(new, allow_missing=True, random=include_random, groups=include_random)
    gone = built.missing
    found = _predictor(fit, built, include_random)
    z = normal_quantile(1 - (1 - level) / 2)
    error = np.sqrt(found.variance)
    estimate, low, high = found.eta, found.eta - z * error, found.eta + z * error
    if scale == "response":
        if fit.inflation is not None:
            estimate, error, low, high, lost = _inflated(fit, new, found, z)
            gone = gone | lost
        else:
            inverse = fit.link.inverse
            error = np.abs(fit.link.derivative(estimate)) * error
            estimate, low, high = inverse(estimate), inverse(low), inverse(high)
    values = {"estimate": estimate, "std_error": error, "conf_low": low, "conf_high": high}
    frame = pd.DataFrame({name: np.where(gone, np.nan, value) for name, value in values.items()}, index=new.index)
    frame["new_group"] = found.unseen
    frame.attrs.update(interval="confidence", level=level, scale=scale)
    return frame


def _predictor(fit: GeneralisedFit, built: NewDesign, include_random: bool) -> _Predictor:
    gone, engine, optimum = built.missing, fit.engine, fit.optimum
    X = np.where(gone[:, None], 0.0, built.X)
    eta = X @ fit.beta + (0.0 if built.offset is None else np.where(gone, 0.0, built.offset))
    loadings: dict[int, Loading] = {}
    unseen = np.zeros(X.shape[0], dtype=bool)
    conditional = np.zeros(X.shape[0])
    if include_random:
        modes = modes_of(engine, optimum.x, optimum.point)
        for index, factor in enumerate(fit.factors):
            blocks = [block for block in built.random if block.group == factor.group]
            Z = np.where(gone[:, None], 0.0, np.concatenate([block.Z for block in blocks], axis=1))
            codes = np.asarray(blocks[0].codes, dtype=np.intp)
            unseen |= codes < 0
            effects = modes[index][0][np.maximum(codes, 0)]
            eta = eta + np.where(codes >= 0, np.einsum("nq,nq->n", Z, effects), 0.0)
            loadings[index] = Loading(codes, Z @ factor.basis)
        conditional, whole = fitted_variance(engine, optimum.point, loadings)
        if not whole.all():
            rest = {i: Loading(v.codes[~whole], v.Z[~whole]) for i, v in loadings.items()}
            conditional[~whole] = conditional_variance(engine, optimum.x, optimum.point, int((~whole).sum()), rest)
    slopes = parameter_slopes(engine, optimum.x, optimum.point, X @ engine.fixed_basis, loadings)
    variance = conditional + _quadratic(slopes, fit.parameter_covariance)
    return _Predictor(np.asarray(eta, dtype=np.float64), variance, slopes, unseen)


def _quadratic(rows: Floats, matrix: Floats) -> Floats:
    return np.asarray(np.maximum(np.einsum("nk,nk->n", rows @ matrix, rows), 0.0), dtype=np.float64)


def _inflated(
    fit: GeneralisedFit, new: pd.DataFrame, found: _Predictor, z: float
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return the mean with extra zeros, its SE by the delta method, limits on the log scale, and missing rows."""
    assert fit.inflation is not None
    built = fit.design.side["zero_inflation"].recipe.build(new, allow_missing=True, random=False)
    where = fit.engine.parts[3]
    X = np.where(built.missing[:, None], 0.0, built.X)
    pi = 1.0 / (1.0 + np.exp(-(X @ fit.inflation.estimate)))
    mu = fit.link.inverse(found.eta)
    own = fit.link.derivative(found.eta) / mu  # d log mean / d eta
    total = own[:, None] * found.slopes
    total[:, where] -= pi[:, None] * (X @ fit.engine.inflation_basis)
    conditional = found.variance - _quadratic(found.slopes, fit.parameter_covariance)
    log_error = np.sqrt(_quadratic(total, fit.parameter_covariance) + own**2 * np.maximum(conditional, 0.0))
    estimate = (1.0 - pi) * mu
    reach = np.exp(z * log_error)
    return estimate, estimate * log_error, estimate / reach, estimate * reach, built.missing
