"""Reliability and fit of ordinal items, from R's thresholds and polychoric correlations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliancekit.structural.after.categorical import (
    CategoricalGroup,
    categorical_fit,
    categorical_omega,
    score_covariance,
)

PAGE = Path(__file__).parent / "ordinal_solution.json"


@pytest.fixture(scope="module")
def solution() -> dict[str, object]:
    """A solution of lavaan 0.6-14 (WLSMV, 8 items, 2 factors, 400 rows) with the reliabilities of semTools 0.5-6."""
    return json.loads(PAGE.read_text())


def test_reliability_is_that_of_semtools(solution: dict) -> None:
    items, correlations = solution["items"], np.array(solution["sample"])
    for factor, expected in solution["reliability"].items():
        own = [items.index(v) for v in solution["loadings"][factor]]
        loadings = np.array(list(solution["loadings"][factor].values()))
        thresholds = [np.array(solution["thresholds"][items[i]]) for i in own]
        found = categorical_omega(loadings, correlations[np.ix_(own, own)], thresholds)
        assert found == pytest.approx(expected, abs=1e-9)


def test_robust_fit_is_that_of_lavaan(solution: dict) -> None:
    n, df = solution["n"], solution["df"]
    group = CategoricalGroup(
        n,
        np.array(solution["sample"]),
        np.array(solution["implied"]),
        np.array(solution["slopes"]),
        np.diag(solution["weight"]),
        np.array(solution["gamma"]),
    )
    found = categorical_fit([group], np.array(solution["bread"]), df)
    assert found is not None
    model, base = found
    gain, gain0 = model.statistic - model.factor * df, base.statistic - base.factor * base.df
    assert 1 - gain / gain0 == pytest.approx(solution["cfi_robust"], abs=1e-9)
    assert 1 - gain * base.df / (gain0 * df) == pytest.approx(solution["tli_robust"], abs=1e-9)
    rmsea = np.sqrt((model.statistic / df - model.factor) / (n - 1))
    assert rmsea == pytest.approx(solution["rmsea_robust"], abs=1e-9)
    broken = np.ones((8, 8))
    assert (
        categorical_fit(
            [CategoricalGroup(n, broken, *[getattr(group, k) for k in ("implied", "slopes", "weight", "gamma")])],
            np.array(solution["bread"]),
            df,
        )
        is None
    )


def test_covariance_of_scores_is_that_of_simulated_items() -> None:
    rng = np.random.default_rng(3)
    y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 400_000)
    first, second = np.array([-0.5, 0.4, 1.2]), np.array([0.1, 0.8])
    items = pd.DataFrame({"a": np.searchsorted(first, y[:, 0]), "b": np.searchsorted(second, y[:, 1])})
    assert score_covariance(first, second, 0.6) == pytest.approx(items.cov().loc["a", "b"], abs=0.004)
    assert score_covariance(first, first, 1.0) == pytest.approx(items["a"].var(), abs=0.005)
