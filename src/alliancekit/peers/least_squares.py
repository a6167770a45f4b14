"""Least squares in pingouin, as a second opinion on a hierarchical regression."""

from __future__ import annotations

from importlib import metadata

import pandas as pd

from alliancekit.peers.attempt import attempt
from alliancekit.peers.verdict import PeerEstimate


def fit_pingouin(frame: pd.DataFrame, outcome: str, predictors: list[str]) -> PeerEstimate:
    """Fit the same regression by ``pingouin.linear_regression``."""
    name = f"pingouin {metadata.version('pingouin')}"
    answer = attempt(lambda: _table(frame, outcome, predictors))
    if answer.error:
        return PeerEstimate(name, status="failed", note=answer.error)
    table = answer.value
    names = ["(Intercept)", *predictors]
    coefficients = table["coef"].to_numpy(dtype=float)
    errors = table["se"].to_numpy(dtype=float)
    return PeerEstimate(
        name,
        dict(zip(names, coefficients.tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)),
        other_errors="pingouin's standard errors are those of plain least squares and know nothing of clusters; they "
        "are shown, the verdict is on the estimates",
    )


def _table(frame: pd.DataFrame, outcome: str, predictors: list[str]) -> pd.DataFrame:
    import pingouin

    table: pd.DataFrame = pingouin.linear_regression(frame[predictors], frame[outcome], as_dataframe=True)
    return table
