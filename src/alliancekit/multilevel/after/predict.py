"""Conditional modes by unit, fitted values and prediction for old and new rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, check_option, message
from alliancekit.formula.columns import Columns, name_rows
from alliancekit.formula.recipe import NewDesign
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.estimates import formula_order, random_columns
from alliancekit.multilevel.gaussian.combinations import Loading, error_variance
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import random_effects as modes_of
from alliancekit.numerics.distributions import normal_quantile

Floats = NDArray[np.float64]
INTERVALS = ("confidence", "prediction")
SCALES = ("response", "link")


def random_effects(fit: GaussianFit) -> pd.DataFrame:
    """Return one row per group, unit and term: conditional mode and its conditional SD."""
    modes = modes_of(fit.engine, fit.optimum.state, fit.sigma)
    pieces = []
    for index in formula_order(fit):
        factor, (mode, spread) = fit.factors[index], modes[index]
        for j, name in enumerate(factor.names):
            pieces.append(
                pd.DataFrame(
                    {
                        "group": factor.group,
                        "unit": list(factor.labels.all()),
                        "term": name,
                        "estimate": mode[:, j],
                        "std_error": spread[:, j],
                    }
                )
            )
    columns = ["group", "unit", "term", "estimate", "std_error"]
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=columns)


def fitted(fit: GaussianFit, include_random: bool = True) -> Floats:
    """Return the fitted value of each row used, shape (n,)."""
    design = fit.design
    out = design.X @ fit.beta
    if design.offset is not None:
        out = out + design.offset
    if include_random:
        modes = modes_of(fit.engine, fit.optimum.state, fit.sigma)
        for factor, (mode, _) in zip(fit.factors, modes, strict=True):
            Z = random_columns(design, factor.group)
            out = out + np.einsum("nq,nq->n", Z, mode[factor.codes])
    return np.asarray(out, dtype=np.float64)


def row_error_variance(fit: GaussianFit) -> tuple[Floats, Floats]:
    """Return, for each row used, the error variance of the fitted value over sigma^2 and its part due to b, (n,)."""
    loadings = {
        index: Loading(factor.codes, random_columns(fit.design, factor.group) @ factor.basis)
        for index, factor in enumerate(fit.factors)
    }
    return error_variance(fit.optimum.state, fit.engine, fit.design.X @ fit.engine.fixed_basis, loadings)


def predict(
    fit: GaussianFit,
    new: pd.DataFrame,
    *,
    include_random: bool,
    interval: str | None,
    level: float,
    scale: str,
    weights: str | None,
) -> pd.DataFrame:
    """Return estimate, std_error, conf_low, conf_high, new_group for each row of ``new``; see ``MixedFit.predict``."""
    check_level(level)
    word = check_option("interval", "confidence" if interval is None else interval, INTERVALS)
    check_option("scale", scale, SCALES)
    wide = word == "prediction"
    built = fit.design.recipe.build(new, allow_missing=True, random=include_random or wide, groups=include_random)
    gone = built.missing
    X = np.where(gone[:, None], 0.0, built.X)
    estimate = X @ fit.beta + (0.0 if built.offset is None else np.where(gone, 0.0, built.offset))
    loadings = _loadings(fit, built)
    unseen = np.zeros(len(new), dtype=bool)
    if include_random:
        modes = modes_of(fit.engine, fit.optimum.state, fit.sigma)
        for index, (codes, Z) in loadings.items():
            unseen |= codes < 0
            effects = modes[index][0][np.maximum(codes, 0)]
            estimate += np.where(codes >= 0, np.einsum("nq,nq->n", Z, effects), 0.0)
    variance = _error_variance(fit, X, loadings)
    spread = variance.copy()
    if wide:
        spread += _residual_variance(fit, new, weights, estimate, ~gone)
        for index, (codes, Z) in loadings.items():
            spread += np.where(codes < 0, np.einsum("ni,ij,nj->n", Z, fit.covariances[index], Z), 0.0)
    reach = normal_quantile(1 - (1 - level) / 2) * np.sqrt(spread)
    values = {
        "estimate": estimate,
        "std_error": np.sqrt(variance),
        "conf_low": estimate - reach,
        "conf_high": estimate + reach,
    }
    frame = pd.DataFrame(
        {**{name: np.where(gone, np.nan, column) for name, column in values.items()}, "new_group": unseen},
        index=new.index,
    )
    frame.attrs.update(interval=word, level=level)
    return frame


def _loadings(fit: GaussianFit, built: NewDesign) -> dict[int, tuple[NDArray[np.intp], Floats]]:
    """Return, by index of the factor, the level of each new row (-1: not fitted) and its columns in user's units."""
    out: dict[int, tuple[NDArray[np.intp], Floats]] = {}
    for index, factor in enumerate(fit.factors):
        blocks = [block for block in built.random if block.group == factor.group]
        if blocks:
            Z = np.concatenate([block.Z for block in blocks], axis=1)
            out[index] = (np.asarray(blocks[0].codes, dtype=np.intp), np.where(built.missing[:, None], 0.0, Z))
    return out


def _error_variance(fit: GaussianFit, X: Floats, loadings: Mapping[int, tuple[NDArray[np.intp], Floats]]) -> Floats:
    """Return the error variance of x'beta + z'b, with b of units that were not fitted left out."""
    known = {i: Loading(codes, Z @ fit.factors[i].basis) for i, (codes, Z) in loadings.items() if (codes >= 0).any()}
    total, _ = error_variance(fit.optimum.state, fit.engine, X @ fit.engine.fixed_basis, known)
    return np.asarray(fit.sigma**2 * total, dtype=np.float64)


def _residual_variance(
    fit: GaussianFit, new: pd.DataFrame, weights: str | None, mean: Floats, needed: NDArray[np.bool_]
) -> Floats:
    """Return the residual variance of each new row: sigma^2 times the structure's ratio, over its prior weight."""
    variance = np.full(len(new), fit.sigma**2)
    if fit.residual is not None:
        from alliancekit.multilevel.residual.prediction import variance_ratios

        variance = variance * variance_ratios(fit.residual, new, mean, needed)
    if weights is None:
        return variance
    values = Columns(new, [weights], where="new data").numbers(weights)
    bad = values <= 0
    if bad.any():
        what = f"weights in '{weights}' are not positive"
        raise DesignError(message(what, where=name_rows(new.index, bad), do="Correct them in the new data"))
    return np.asarray(variance / values, dtype=np.float64)
