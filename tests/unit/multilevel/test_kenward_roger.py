"""Kenward and Roger's method against n x n matrices written out, and what must hold of it whatever the data."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.multilevel.after.ddf import kenward_roger_of
from alliancekit.multilevel.estimates import random_columns
from tests.unit.multilevel.test_mixed import FORMULA, growth


def crossed_and_nested() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    n = 260
    d = pd.DataFrame({"p": rng.integers(0, 30, n), "x": rng.normal(size=n), "z": rng.normal(size=n)})
    d["t"] = d["p"] % 6
    d["c"] = d["t"] % 3
    d["r"], d["s"] = rng.integers(0, 7, n), rng.integers(0, 5, n)
    d["w"] = rng.gamma(4, 0.25, n) + 0.1
    d["y"] = d["x"] + rng.normal(size=30)[d["p"]] + rng.normal(size=30)[d["p"]] * d["x"] + rng.normal(size=6)[d["t"]]
    d["y"] += rng.normal(size=7)[d["r"]] * (1 + 0.5 * d["z"]) + rng.normal(size=5)[d["s"]] + rng.normal(size=n)
    return d


def fit_quietly(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(formula, data, **options)


def dense(fit: Any) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
    """Return Phi, Phi_A, P and W from the definitions, with an n x n matrix G for each parameter of V."""
    f, X, n = fit._fit, fit.design.X, fit.nobs
    G, gamma = [], []
    for factor, matrix in zip(f.factors, f.covariances, strict=True):
        Z = random_columns(f.design, factor.group)
        same = factor.codes[:, None] == factor.codes[None, :]
        for a, b in factor.free:
            outer = np.outer(Z[:, a], Z[:, b])
            G.append((outer + outer.T if a != b else outer) * same)
            gamma.append(matrix[a, b])
    weights = np.ones(n) if f.design.weights is None else f.design.weights
    G.append(np.diag(1 / weights))
    gamma.append(f.sigma**2)
    inverse = np.linalg.inv(sum(g * M for g, M in zip(gamma, G, strict=True)))
    phi = np.linalg.inv(X.T @ inverse @ X)
    H, half = [inverse @ M for M in G], [M @ inverse @ X for M in G]
    P = [-(inverse @ X).T @ h for h in half]
    Q = [[a.T @ inverse @ b for b in half] for a in half]
    k = range(len(G))
    double = [
        [(H[r] * H[s].T).sum() - 2 * np.trace(phi @ Q[r][s]) + np.trace(phi @ P[r] @ phi @ P[s]) for s in k] for r in k
    ]
    W = 2 * np.linalg.inv(np.array(double))
    total = sum(W[r, s] * (Q[r][s] - P[r] @ phi @ P[s]) for r in k for s in k)
    return phi, phi + 2 * phi @ total @ phi, P, W


MODELS = [
    ("y ~ x + (1 | p)", None),
    ("y ~ x * z + (x | p)", "w"),
    ("y ~ x + z + (x | p) + (1 | t)", None),
    ("y ~ x + z + (x + z | p) + (x | t) + (1 | c)", "w"),
    ("y ~ x + z + (x || p) + (1 | t)", None),
    ("y ~ x + (1 | p) + (1 | r)", None),
    ("y ~ x + z + (x | p) + (1 | t) + (z | r) + (1 | s)", "w"),
    ("y ~ x + z + (x | p) + (x | t) + (1 | c) + (z || r)", None),
]


@pytest.mark.option("MixedFit.vcov.method", "n x n matrices written out")
@pytest.mark.parametrize(("formula", "weights"), MODELS)
def test_the_adjusted_covariance_is_that_of_the_definition(formula: str, weights: str | None) -> None:
    fit = fit_quietly(formula, crossed_and_nested(), weights=weights)
    phi, adjusted, _, _ = dense(fit)
    np.testing.assert_allclose(fit.vcov(), phi, rtol=1e-8)
    scale = np.sqrt(np.outer(np.diag(adjusted), np.diag(adjusted)))
    np.testing.assert_allclose(fit.vcov(method="kenward-roger") / scale, adjusted / scale, atol=1e-9)


@pytest.mark.option("MixedFit.test.ddf", "n x n matrices written out")
@pytest.mark.parametrize(("formula", "weights"), MODELS[1:4])
def test_a_joint_test_is_that_of_the_definition(formula: str, weights: str | None) -> None:
    fit = fit_quietly(formula, crossed_and_nested(), weights=weights)
    phi, adjusted, P, W = dense(fit)
    p = len(phi)
    L = np.zeros((2, p))
    L[0, 1], L[1, 2], L[1, 1] = 1, 1, -0.5
    found = fit.test("x = 0.3, z - 0.5*x = 0", ddf="kenward-roger").iloc[0]
    theta = L.T @ np.linalg.solve(L @ phi @ L.T, L)
    U = [theta @ phi @ Pr @ phi for Pr in P]
    k = range(len(P))
    a1 = sum(W[r, s] * np.trace(U[r]) * np.trace(U[s]) for r in k for s in k)
    a2 = sum(W[r, s] * np.trace(U[r] @ U[s]) for r in k for s in k)
    q = 2
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    bottom = 3 * q + 2 * (1 - g)
    e = 1 / (1 - a2 / q)
    v = 2 / q * (1 + g / bottom * b) / ((1 - (q - g) / bottom * b) ** 2 * (1 - (q + 2 - g) / bottom * b))
    rho = v / (2 * e**2)
    m = 4 + (q + 2) / (q * rho - 1)
    gap = L @ fit.fixed_effects.to_numpy() - [0.3, 0]
    wald = gap @ np.linalg.solve(L @ adjusted @ L.T, gap) / q
    assert found["df"] == pytest.approx(m, rel=1e-8)
    assert found["statistic"] == pytest.approx(m / (e * (m - 2)) * wald, rel=1e-8)
    assert found["df_numerator"] == 2


def test_a_balanced_design_gives_the_analysis_of_variance() -> None:
    """Patients measured alike: df between patients are patients minus groups, those of time patients minus one."""
    d = growth().assign(arm=lambda f: np.where(f["patient"] % 2, "b", "a"))
    table = ak.mixed("y ~ time + arm + (time | patient)", d).tidy(ddf="kenward-roger").set_index("term")
    assert table.loc["time", "df"] == pytest.approx(39, rel=1e-6)
    table = ak.mixed("y ~ arm + (1 | patient)", d).tidy(ddf="kenward-roger").set_index("term")
    means = d.groupby("patient")["y"].mean()
    assert table.loc["armb", "df"] == pytest.approx(38, rel=1e-8)
    a, b = means[0::2], means[1::2]
    pooled = (a.var() * 19 + b.var() * 19) / 38 * (1 / 20 + 1 / 20)
    assert table.loc["armb", "statistic"] == pytest.approx((b.mean() - a.mean()) / np.sqrt(pooled), rel=1e-4)


def test_origin_and_unit_of_time_do_not_matter() -> None:
    here = ak.mixed(FORMULA, growth()).tidy(ddf="kenward-roger").set_index("term").loc["time"]
    there = ak.mixed(FORMULA, growth(start=2000.0)).tidy(ddf="kenward-roger").set_index("term").loc["time"]
    assert there["df"] == pytest.approx(here["df"], rel=1e-4)
    assert there["std_error"] == pytest.approx(here["std_error"], rel=1e-5)
    scaled = growth().assign(time=lambda f: f["time"] / 1e4)
    unit = ak.mixed(FORMULA, scaled).tidy(ddf="kenward-roger").set_index("term").loc["time"]
    assert unit["df"] == pytest.approx(here["df"], rel=1e-5)
    assert unit["std_error"] / 1e4 == pytest.approx(here["std_error"], rel=1e-5)


def test_dependent_rows_of_a_hypothesis_count_once() -> None:
    fit = ak.mixed("y ~ time + (1 + time | patient)", growth())
    twice = fit.test("time = 0, 2*time = 0", ddf="kenward-roger").iloc[0]
    once = fit.test("time = 0", ddf="kenward-roger").iloc[0]
    assert twice["df_numerator"] == 1
    assert twice["statistic"] == pytest.approx(once["statistic"]) and twice["df"] == pytest.approx(once["df"])
    row = fit.tidy(ddf="kenward-roger").set_index("term").loc["time"]
    assert once["statistic"] == pytest.approx(row["statistic"] ** 2)


def test_a_variance_without_information_is_left_out() -> None:
    """Fixed effects of every therapist leave nothing to learn about the variance between therapists."""
    d = growth().assign(who=lambda f: "t" + f["therapist"].astype(str))
    with pytest.warns(ak.DesignWarning, match="fixed part explains every unit of 'therapist'"):
        with_level = fit_quietly("y ~ time + who + (1 | patient) + (1 | therapist)", d)
    without = ak.mixed("y ~ time + who + (1 | patient)", d)
    a, b = (f.tidy(ddf="kenward-roger").set_index("term").loc["time"] for f in (with_level, without))
    assert a["df"] == pytest.approx(b["df"], rel=1e-4) and a["std_error"] == pytest.approx(b["std_error"], rel=1e-4)


def test_refusals_say_what_to_do() -> None:
    by_ml = ak.mixed("y ~ time + (1 | patient)", growth(), method="ML")
    for call in (by_ml.tidy, by_ml.anova, lambda ddf: by_ml.test("time = 0", ddf=ddf)):
        with pytest.raises(ak.SpecError, match=r"by ML.*with_method"):
            call(ddf="kenward-roger")
    with pytest.raises(ak.SpecError, match=r"by ML.*with_method"):
        by_ml.vcov(method="kenward-roger")
    assert by_ml.with_method("REML").vcov(method="kenward-roger").shape == (2, 2)
    with pytest.raises(ak.SpecError, match="Did you mean method='kenward-roger'"):
        by_ml.vcov(method="kenward-rogers")
    structured = ak.mixed("y ~ time + (1 | patient)", growth(), residual_structure=ak.ar1(time="time", by="patient"))
    assert structured.anova().tidy()["df"].iloc[0] == pytest.approx(structured.tidy()["df"].iloc[1])
    with pytest.raises(ak.SpecError, match="for Gaussian outcomes"):
        kenward_roger_of(SimpleNamespace(reml=False))
