"""Conditional modes by unit, fitted values and prediction for old and new rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.multilevel.estimates import formula_order, random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import random_effects as modes_of
from alliancekit.numerics.distributions import normal_quantile

Floats = NDArray[np.float64]


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


def predict(fit: GaussianFit, new: pd.DataFrame, include_random: bool, level: float) -> pd.DataFrame:
    """Return estimate, std_error, conf_low, conf_high, new_group for each row of ``new``; missing rows stay missing.

    The standard error is that of the fixed part (as ``predict(..., se.fit = TRUE, re.form = NA)`` in lme4). A unit that
    the model has not seen gets the population's prediction and ``new_group`` True.
    """
    built = fit.design.recipe.build(new, allow_missing=True, random=include_random)
    estimate = np.asarray(built.X @ fit.beta)
    if built.offset is not None:
        estimate = estimate + built.offset
    se = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", built.X, fit.vcov, built.X), 0.0))
    unseen = np.zeros(len(new), dtype=bool)
    if include_random:
        modes = modes_of(fit.engine, fit.optimum.state, fit.sigma)
        by_group = {f.group: m[0] for f, m in zip(fit.factors, modes, strict=True)}
        at: dict[str, int] = {}
        for block in built.random:
            mode = by_group[block.group]
            start = at.get(block.group, 0)
            q = block.Z.shape[1]
            at[block.group] = start + q
            known = block.codes >= 0
            unseen |= ~known
            part = np.einsum("nq,nq->n", block.Z, mode[np.where(known, block.codes, 0), start : start + q])
            estimate = estimate + np.where(known, part, 0.0)
    reach = normal_quantile(1 - (1 - level) / 2) * se
    return pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": se,
            "conf_low": estimate - reach,
            "conf_high": estimate + reach,
            "new_group": unseen,
        },
        index=new.index,
    )


def residuals(fit: GaussianFit) -> Floats:
    """Return response minus fitted value with random effects, shape (n,)."""
    y = fit.design.y
    assert y is not None
    return np.asarray(y - fitted(fit), dtype=np.float64)
