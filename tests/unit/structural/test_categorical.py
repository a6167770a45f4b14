"""Reliability and fit of ordinal items, from R's thresholds and polychoric correlations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliancekit.formula.model_parse import parse_model
from alliancekit.structural.after.categorical import (
    CategoricalGroup,
    categorical_fit,
    categorical_omega,
    score_covariance,
)
from alliancekit.structural.after.scaling import standardise
from alliancekit.structural.after.whole import whole
from alliancekit.structural.automatic import complete
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.model import compile_model
from alliancekit.structural.rules import CFA

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


@pytest.mark.parametrize("label", ["WLSMV", "WLSMV_theta"])
def test_standardised_solution_of_responses_is_that_of_lavaan(solution: dict, label: str) -> None:
    """At R's estimates: residual variances follow (delta) or are one (theta), and so do the standard errors."""
    found = solution["standardised"][label]
    rules = replace(CFA, meanstructure=True, theta=label == "WLSMV_theta")
    model_text = "f1 =~ u1 + u2 + u3 + u4\nf2 =~ u5 + u6 + u7 + u8"
    table = complete(parse_model(model_text), rules, ("",), dict.fromkeys(solution["items"], 4))
    assert [*zip(table.lhs, table.op, table.rhs, strict=True)] == [tuple(key) for key in found["rows"]]
    values, x = np.array(found["values"]), np.array(found["x"])
    plain = compile_model(table)
    block, S = plain.blocks[0], plain.blocks[0].S.copy()
    names = (*block.observed, *block.latent)
    for (lhs, op, rhs), value in zip(found["rows"], values, strict=True):
        if op == "~~" and lhs == rhs and lhs in block.observed:
            S[names.index(lhs), names.index(lhs)] = value
    model = replace(plain, blocks=(replace(block, S=S),))
    by_x = np.zeros((len(table), x.size))
    for i, number in enumerate(table.free):
        if number:
            by_x[i, number - 1] = 1.0
    held = None if label == "WLSMV_theta" else [np.array([name in block.observed for name in names])]
    wholes = [whole(model.blocks[0], x)]
    for kind in ("std_all", "std_lv"):
        ours = standardise(table, model, wholes, values, kind, read_constraints(table), by_x=by_x, held=held)
        np.testing.assert_allclose(ours.values, found[kind], atol=1e-9)
        np.testing.assert_allclose(ours.errors(np.array(found["vcov"])), found[f"{kind}_errors"], atol=2e-7)
