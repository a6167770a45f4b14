"""What a model says of ordinal variables: derivatives, scales and residual variances, in both parameterisations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.ordinal.structure import evaluate

FACTOR = "f =~ u1 + u2 + u3\ng =~ u4 + u5 + u6"
MIXED = "f =~ u1 + u2 + y1\ng =~ u4 + y2 + u6\nu1 ~~ u4"
COVARIATES = "f =~ u1 + u2 + u3\nf ~ x1 + x2\nu2 ~ x1"
PATHS = "u1 ~ a*u2 + x1\nu2 ~ b*x1 + x2\ny1 ~ u1 + x2\nindirect := a*b"
GROUPS: dict[str, Any] = {"group": "site", "group_equal": ["loadings", "thresholds"]}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "factors": (FACTOR, {}),
    "mixed": (MIXED, {}),
    "covariates": (COVARIATES, {}),
    "paths": (PATHS, {}),
    "groups": (FACTOR, GROUPS),
    "mixed groups": (MIXED, {"group": "site"}),
}
CASES = [(name, word) for name in MODELS for word in ("delta", "theta")]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Six items, two numbers, two covariates, two sites."""
    rng = np.random.default_rng(21)
    n = 500
    x = rng.normal(size=(n, 2))
    f = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n)
    f[:, 0] += 0.4 * x[:, 0]
    out = {"x1": x[:, 0], "x2": x[:, 1], "site": np.where(np.arange(n) % 2, "north", "south")}
    for i in range(6):
        response = 0.7 * f[:, i // 3] + 0.7 * rng.normal(size=n)
        out[f"u{i + 1}"] = np.searchsorted([-0.8, 0.1, 0.9][: 1 + i % 3], response)
    for i in range(2):
        out[f"y{i + 1}"] = 2 + 1.5 * f[:, i] + rng.normal(size=n)
    return pd.DataFrame(out)


def fit(data: pd.DataFrame, name: str, word: str, **more: Any) -> Any:
    syntax, options = MODELS[name]
    named = [c for c in data if c.startswith("u") and c in syntax]
    return ak.sem(syntax, data, ordered=named, parameterization=word, **options, **more)._fit


@pytest.mark.parametrize(("name", "word"), CASES)
def test_derivatives_of_the_statistics(data: pd.DataFrame, name: str, word: str) -> None:
    found = fit(data, name, word)
    for structure in found.ordinal.structures:
        x = found.x + 0.03 * np.random.default_rng(2).uniform(-1, 1, found.x.size)
        at = evaluate(structure, x, complete=True)
        assert at is not None
        step = 1e-6
        for k in range(x.size):
            move = step * np.eye(x.size)[k]
            up, down = (evaluate(structure, x + s * move, complete=True) for s in (1, -1))
            assert up is not None and down is not None
            assert at.jacobian[:, k] == pytest.approx((up.vector - down.vector) / (2 * step), abs=2e-7)
            assert at.scale_slopes[:, k] == pytest.approx((up.scales - down.scales) / (2 * step), abs=2e-7)
            if at.residuals.size:
                own = structure.own[structure.ordinal]
                slope = (up.S.diagonal()[own] - down.S.diagonal()[own]) / (2 * step)
                assert at.residuals[:, k] == pytest.approx(slope, abs=2e-7)


@pytest.mark.parametrize(("name", "word"), CASES)
def test_responses_have_a_variance_of_one_in_their_scale(data: pd.DataFrame, name: str, word: str) -> None:
    found = fit(data, name, word)
    for structure, at in zip(found.ordinal.structures, found.ordinal.at, strict=True):
        block = structure.block
        A = block.A.copy()
        A[block.directed.rows, block.directed.columns] = found.x[block.directed.parameters]
        B = np.linalg.inv(np.eye(len(A)) - A)
        variance = (B @ at.S @ B.T).diagonal()[structure.own]
        ordinal = structure.ordinal
        assert (variance * at.scales**2)[ordinal] == pytest.approx(np.ones(ordinal.sum()), abs=1e-10)
        own = structure.own[ordinal]
        if word == "theta":
            free = np.isin(own, block.covariances.rows)
            assert at.S[own, own][~free] == pytest.approx(1.0)


@pytest.mark.parametrize("name", list(MODELS))
def test_both_parameterisations_say_the_same(data: pd.DataFrame, name: str) -> None:
    delta, theta = fit(data, name, "delta"), fit(data, name, "theta")
    assert delta.test.df == theta.test.df
    assert theta.test.statistic == pytest.approx(delta.test.statistic, rel=1e-6, abs=1e-8)
    assert theta.test.scaled == pytest.approx(delta.test.scaled, rel=1e-5, abs=1e-8)
    for one, other in zip(delta.ordinal.at, theta.ordinal.at, strict=True):
        assert other.vector == pytest.approx(one.vector, abs=1e-5)


@pytest.mark.parametrize(("name", "word"), CASES)
@pytest.mark.parametrize("estimator", ["WLSMV", "ULSMV", "WLS"])
def test_the_gradient_is_zero_within_the_equalities(data: pd.DataFrame, name: str, word: str, estimator: str) -> None:
    found = fit(data, name, word, estimator=estimator)
    gradient = np.zeros(found.x.size)
    for target, at in zip(found.ordinal.targets, found.ordinal.at, strict=True):
        gradient += target.share * at.jacobian.T @ target.weigh(target.observed - at.vector)
    basis = found.constraints.linear.basis
    errors = np.sqrt(np.maximum((basis.T @ found.vcov @ basis).diagonal(), 0.0))
    assert found.converged
    assert np.abs(basis.T @ gradient * errors).max() * found.sample.n < 1e-3
