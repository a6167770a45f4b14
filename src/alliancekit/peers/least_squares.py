"""Least squares in pingouin, as a second opinion on a hierarchical regression."""

from __future__ import annotations

import warnings
from importlib import metadata

import numpy as np
import pandas as pd

from alliancekit.peers.verdict import PeerEstimate


def fit_pingouin(frame: pd.DataFrame, outcome: str, predictors: list[str]) -> PeerEstimate:
    """Fit the same regression by ``pingouin.linear_regression``."""
    name = f"pingouin {metadata.version('pingouin')}"
    import pingouin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = pingouin.linear_regression(frame[predictors], frame[outcome], as_dataframe=True)
        except (ValueError, AssertionError, np.linalg.LinAlgError) as error:
            return PeerEstimate(name, status="failed", note=f"{type(error).__name__}: {error}")
    names = ["(Intercept)", *predictors]
    coefficients = table["coef"].to_numpy(dtype=float)
    errors = table["se"].to_numpy(dtype=float)
    return PeerEstimate(
        name,
        dict(zip(names, coefficients.tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)),
        note="plain least squares; its standard errors know nothing of clusters",
    )
