"""Partial and semi-partial correlations and variance inflation of the predictors of one model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alliancekit.prediction.moments import Floats


def partial_correlations(frame: pd.DataFrame, outcome: str, predictors: tuple[str, ...]) -> pd.DataFrame:
    """Return each predictor's correlation with the outcome: r, partial_r and semipartial_r.

    Partial: the other predictors are taken out of both; semi-partial: out of the predictor alone, so its square is
    the R² the predictor adds to the others. Computed by pingouin.

    Parameters
    ----------
    frame : complete numeric columns.
    outcome, predictors : column names.

    Returns
    -------
    frame indexed by predictor.
    """
    from pingouin import partial_corr

    # Names of our own, so that no column name can have a meaning to the library.
    inner = {name: f"x{j}" for j, name in enumerate(predictors)}
    values = frame[[outcome, *predictors]].rename(columns={outcome: "y", **inner})
    rows = []
    for name in predictors:
        others = [inner[other] for other in predictors if other != name]
        r = float(values[inner[name]].corr(values["y"]))
        partial = semipartial = r
        if others:
            partial = float(partial_corr(values, x=inner[name], y="y", covar=others)["r"].iloc[0])
            semipartial = float(partial_corr(values, x=inner[name], y="y", x_covar=others)["r"].iloc[0])
        rows.append({"r": r, "partial_r": partial, "semipartial_r": semipartial})
    return pd.DataFrame(rows, index=list(predictors))


def variance_inflation(X: Floats) -> Floats:
    """Return the variance inflation factor of each column of ``X``, shape (p,): 1 / (1 - R² on the others)."""
    if X.shape[1] == 1:
        return np.ones(1)
    return np.asarray(np.diag(np.linalg.inv(np.corrcoef(X, rowvar=False))), dtype=np.float64)
