"""Linear combinations of the fixed effects: estimate, standard error, degrees of freedom, interval.

Means, contrasts, slopes and effect sizes ask nothing else of a fit than this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.multilevel.after.ddf import Precision
from alliancekit.multilevel.estimates import Estimates
from alliancekit.numerics.distributions import t_quantile, t_two_sided

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RowInference:
    """What a method says about linear combinations L beta.

    Attributes
    ----------
    beta : shape (p,). vcov : shape (p, p), of beta; adjusted where the method adjusts it.
    df : function from rows L, shape (m, p), to degrees of freedom, shape (m,).
    method : a word of ``after/ddf.py``.
    """

    beta: Floats
    vcov: Floats
    df: Callable[[Floats], Floats]
    method: str

    def std_error(self, L: Floats) -> Floats:
        """Return the standard errors of L beta, shape (m,)."""
        return np.asarray(np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", L, self.vcov, L), 0.0)))


def row_inference(fit: Estimates, precision: Precision) -> RowInference:
    """Return what a method (``after/ddf.py``) says about linear combinations of a fit's fixed effects."""

    def df(L: Floats) -> Floats:
        out = np.full(len(L), np.nan)
        some = L.any(axis=1)
        if some.any():
            out[some] = precision.df(L[some])
        return out

    return RowInference(fit.beta, precision.vcov, df, precision.method)


def linear_estimates(
    fit: Estimates, L: Floats, precision: Precision, level: float, *, constant: Floats | None = None
) -> pd.DataFrame:
    """Return one row per row of L: estimate, std_error, df, statistic, p_value, conf_low, conf_high.

    Parameters
    ----------
    L : shape (m, p), weights of the fixed effects. precision : covariance and df by one method. level : of the
        intervals. constant : shape (m,), added to the estimates (an offset); it has no error.
    """
    return inferred(row_inference(fit, precision), L, level, constant=constant)


def inferred(
    inference: RowInference,
    L: Floats,
    level: float,
    *,
    constant: Floats | None = None,
    estimable: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return the frame of ``linear_estimates`` from a method's answers; rows that are not estimable are missing."""
    estimate = L @ inference.beta + (0.0 if constant is None else constant)
    error, df = inference.std_error(L), inference.df(L)
    if estimable is not None and not estimable.all():
        estimate, error, df = (np.where(estimable, values, np.nan) for values in (estimate, error, df))
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = estimate / error
    reach = t_quantile(1 - (1 - level) / 2, df) * error
    frame = pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": error,
            "df": df,
            "statistic": statistic,
            "p_value": t_two_sided(statistic, df),
            "conf_low": estimate - reach,
            "conf_high": estimate + reach,
        }
    )
    frame.attrs.update(df_method=inference.method, level=level)
    return frame
