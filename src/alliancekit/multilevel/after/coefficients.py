"""The table of fixed effects and tests of linear hypotheses about them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.hypothesis import parse_hypothesis
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty, satterthwaite, satterthwaite_f
from alliancekit.numerics.distributions import f_upper, t_quantile, t_two_sided

DDF = ("satterthwaite", "normal")
DDF_LATER = ("kenward-roger",)


def check_ddf(ddf: str | None) -> str:
    """Return the df method, Satterthwaite by default; SpecError for a word that is none."""
    if ddf in DDF_LATER:
        raise SpecError(message(f"ddf={ddf!r} is not available in this version", do=f"Use one of: {', '.join(DDF)}"))
    return check_option("ddf", "satterthwaite" if ddf is None else ddf, DDF)


def coefficients(fit: GaussianFit, uncertainty: VarianceUncertainty | None, ddf: str, level: float) -> pd.DataFrame:
    """Return one row per fixed effect; ``uncertainty`` is needed for Satterthwaite only."""
    check_level(level)
    basis = fit.engine.fixed_basis
    se = np.sqrt(np.diag(fit.vcov))
    if ddf == "satterthwaite":
        assert uncertainty is not None
        df = np.array([satterthwaite(uncertainty, basis[i]) for i in range(len(fit.beta))])
    else:
        df = np.full(len(fit.beta), np.inf)
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
    frame.attrs.update(df_method=ddf, level=level, method="REML" if fit.reml else "ML")
    return frame


def check_level(level: float) -> float:
    """Return the confidence level if it lies strictly between 0 and 1."""
    if not (isinstance(level, int | float) and 0 < level < 1):
        raise SpecError(
            message(f"level={level!r} is not a confidence level", do="Give a number between 0 and 1, such as 0.95")
        )
    return float(level)


def test(fit: GaussianFit, uncertainty: VarianceUncertainty | None, hypothesis: str, ddf: str) -> pd.DataFrame:
    """Return the F test of one or more linear hypotheses about the fixed effects, jointly: one row.

    Columns: hypothesis, statistic (F), df_numerator, df, p_value.
    """
    contrasts, right = parse_hypothesis(hypothesis, fit.design.names)
    contrasts, right = np.atleast_2d(np.asarray(contrasts, float)), np.atleast_1d(np.asarray(right, float))
    _check_consistent(contrasts, right, hypothesis)
    gap: NDArray[np.float64] = contrasts @ fit.beta - right
    if ddf == "satterthwaite":
        assert uncertainty is not None
        engine = contrasts @ fit.engine.fixed_basis
        statistic, rank, df = satterthwaite_f(uncertainty, engine, gap)
    else:
        variance = contrasts @ fit.vcov @ contrasts.T
        rank = int(np.linalg.matrix_rank(variance, hermitian=True))
        statistic, df = float(gap @ np.linalg.pinv(variance, hermitian=True) @ gap) / rank, float("inf")
    frame = pd.DataFrame(
        {
            "hypothesis": [hypothesis],
            "statistic": [statistic],
            "df_numerator": [rank],
            "df": [df],
            "p_value": [float(f_upper(statistic, rank, df))],
        }
    )
    frame.attrs.update(df_method=ddf)
    return frame


def _check_consistent(contrasts: NDArray[np.float64], right: NDArray[np.float64], text: str) -> None:
    augmented = np.column_stack([contrasts, right])
    if np.linalg.matrix_rank(augmented) > np.linalg.matrix_rank(contrasts):
        raise SpecError(message(f"the hypotheses contradict each other: {text!r}", do="Remove one of them"))
