"""The standard deviation that an effect size is counted in: implied by the model, or observed within the arms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.formula.expressions import columns_in
from alliancekit.multilevel.after.reference_grid import Coder
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty, factor_covariances

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """A standard deviation.

    Attributes
    ----------
    sd : its value. variance : its sampling variance; 0 where it is taken as known. df : what it is worth in degrees of
        freedom, 2 V^2 / var(V) for V = sd^2; infinite where it is taken as known.
    parts : what V is made of: component, variance.
    """

    sd: float
    variance: float
    df: float
    parts: pd.DataFrame = field(repr=False)


def known_spread(sd: float) -> Spread:
    """Return an SD that the caller states, such as that of a norm sample."""
    if not (np.isfinite(sd) and sd > 0):
        raise SpecError(message(f"sd={sd!r} is no standard deviation", do="Give a positive number"))
    return Spread(float(sd), 0.0, float("inf"), pd.DataFrame({"component": ["given"], "variance": [sd**2]}))


def model_spread(fit: GaussianFit, uncertainty: VarianceUncertainty, coder: Coder, cells: pd.DataFrame) -> Spread:
    """Return the SD that the model implies at the cells: the root of sum z'Gz over grouping factors + sigma^2.

    Parameters
    ----------
    cells : values of the variables of the fixed part, one row per arm, at the time of the baseline. Where the arms have
        different variances (random effects in one arm only), their mean counts.
    """
    if fit.residual is not None and fit.residual.variance is not None:
        do = 'Use sd="pooled", or give the SD as a number'
        raise SpecError(message("the model-implied SD is for models with one residual variance", do=do))
    zs = _random_rows(fit, coder, cells)

    def parts(theta: Floats, sigma: float) -> Floats:
        matrices = factor_covariances(fit.engine, theta, sigma)
        own = [float(np.einsum("ni,ij,nj->n", z, G, z).mean()) for z, G in zip(zs, matrices, strict=True)]
        return np.array([*own, sigma**2])

    theta, sigma = fit.optimum.theta, fit.sigma
    values = parts(theta, sigma)
    total = float(values.sum())
    slope = _gradient(lambda x: float(parts(x[:-1], float(x[-1])).sum()), np.array([*theta, sigma]))
    own = slice(len(slope))  # parameters of a residual correlation follow; the variance does not depend on them
    variance = float(slope @ uncertainty.covariance[own, own] @ slope)
    names = [factor.group for factor in fit.factors] + ["Residual"]
    frame = pd.DataFrame({"component": names, "variance": values})
    df = 2 * total**2 / variance if variance > 0 else float("inf")
    return Spread(float(np.sqrt(total)), variance / (4 * total), df, frame)


def _gradient(value: Callable[[Floats], float], at: Floats) -> Floats:
    """Return the gradient by central differences, which are exact for the quadratic forms met here."""
    out = np.empty(len(at))
    for i in range(len(at)):
        h = 1e-3 * max(abs(float(at[i])), 0.1)
        step = np.zeros(len(at))
        step[i] = h
        out[i] = (value(at + step) - value(at - step)) / (2 * h)
    return out


def _random_rows(fit: GaussianFit, coder: Coder, cells: pd.DataFrame) -> list[Floats]:
    """Return, per grouping factor, the columns that vary over it at each cell."""
    raw = coder.raw(cells)
    recipe = fit.design.recipe
    numbers = {c for b in recipe.blocks for v in b.part.variables if not v.is_factor for c in columns_in(v.expr)}
    for name in recipe.columns(random=True):
        if name not in raw:
            values = coder.frame[name]
            raw[name] = float(values.mean()) if name in numbers else values.iloc[0]
    new = fit.design.recipe.build(raw, random=True)
    return [np.concatenate([b.Z for b in new.random if b.group == f.group], axis=1) for f in fit.factors]


def pooled_spread(
    outcome: Floats, arms: NDArray[Any], rows: NDArray[np.bool_], where: str, levels: Sequence[str]
) -> Spread:
    """Return the SD observed within the arms, pooled over them, in the chosen rows.

    Raises
    ------
    DesignError : an arm has fewer than two of the rows.
    """
    frame = pd.DataFrame({"y": outcome[rows], "arm": arms[rows]})
    counts = frame.groupby("arm")["y"].count()
    short = [level for level in levels if counts.get(level, 0) < 2]
    if short:
        do = 'Use sd="model", or give the SD as a number'
        raise DesignError(message(f"fewer than two observations {where} in {', '.join(short)}", do=do))
    df = float((counts - 1).sum())
    squares = float(((frame["y"] - frame.groupby("arm")["y"].transform("mean")) ** 2).sum())
    variance = squares / df
    if not variance > 0:
        raise DesignError(message(f"the outcome does not vary {where}", do='Use sd="model" or a number'))
    parts = pd.DataFrame({"component": ["observed within arms"], "variance": [variance]})
    return Spread(float(np.sqrt(variance)), variance / (2 * df), df, parts)
