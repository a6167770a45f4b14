"""The table of fixed effects and tests of linear hypotheses about them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.hypothesis import parse_hypothesis
from alliancekit.multilevel.after.ddf import Precision
from alliancekit.multilevel.estimates import Estimates
from alliancekit.numerics.distributions import f_upper, t_quantile, t_two_sided

DDF = ("satterthwaite", "kenward-roger", "inner-outer", "residual", "normal")


def check_ddf(ddf: str | None) -> str:
    """Return the df method, Satterthwaite by default; SpecError for a word that is none."""
    return check_option("ddf", "satterthwaite" if ddf is None else ddf, DDF)


def coefficients(fit: Estimates, precision: Precision, level: float) -> pd.DataFrame:
    """Return one row per fixed effect; covariance and df are those of ``precision``."""
    check_level(level)
    se = np.sqrt(np.diag(precision.vcov))
    df = precision.df(np.eye(len(fit.beta)))
    statistic = fit.beta / se
    reach = t_quantile(1 - (1 - level) / 2, df) * se
    frame = pd.DataFrame(
        {
            "term": list(fit.design.names),
            "estimate": fit.beta,
            "std_error": se,
            "df": df,
            "statistic": statistic,
            "p_value": t_two_sided(statistic, df),
            "conf_low": fit.beta - reach,
            "conf_high": fit.beta + reach,
        }
    )
    frame.attrs.update(df_method=precision.method, level=level, method="REML" if fit.reml else "ML")
    return frame


def check_level(level: float) -> float:
    """Return the confidence level if it lies strictly between 0 and 1."""
    if not (isinstance(level, int | float) and 0 < level < 1):
        raise SpecError(
            message(f"level={level!r} is not a confidence level", do="Give a number between 0 and 1, such as 0.95")
        )
    return float(level)


def test(fit: Estimates, precision: Precision, hypothesis: str) -> pd.DataFrame:
    """Return the F test of one or more linear hypotheses about the fixed effects, jointly: one row.

    Columns: hypothesis, statistic (F), df_numerator, df, p_value.
    """
    contrasts, right = parse_hypothesis(hypothesis, fit.design.names)
    contrasts, right = np.atleast_2d(np.asarray(contrasts, float)), np.atleast_1d(np.asarray(right, float))
    _check_consistent(contrasts, right, hypothesis)
    gap: NDArray[np.float64] = contrasts @ fit.beta - right
    found = precision.f(contrasts, gap)
    frame = pd.DataFrame(
        {
            "hypothesis": [hypothesis],
            "statistic": [found.statistic],
            "df_numerator": [found.df_numerator],
            "df": [found.df],
            "p_value": [float(f_upper(found.statistic, found.df_numerator, found.df))],
        }
    )
    frame.attrs.update(df_method=precision.method)
    return frame


def _check_consistent(contrasts: NDArray[np.float64], right: NDArray[np.float64], text: str) -> None:
    augmented = np.column_stack([contrasts, right])
    if np.linalg.matrix_rank(augmented) > np.linalg.matrix_rank(contrasts):
        raise SpecError(message(f"the hypotheses contradict each other: {text!r}", do="Remove one of them"))
