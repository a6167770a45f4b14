"""Variance by source and level: the paper's formulas written out, and simulations whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak


def two_levels(groups: int, size: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), size)
    x = rng.normal(size=g.size)
    between = rng.normal(0, 0.8, groups)[g]
    d = pd.DataFrame({"g": g, "raw": x + between})
    d["xb"] = d.groupby("g")["raw"].transform("mean")
    d["xw"] = d["raw"] - d["xb"]
    u = rng.multivariate_normal([0, 0], [[1.5, 0.3], [0.3, 0.6]], groups)[g]
    d["y"] = 2 + 0.7 * d["xw"] + 1.1 * d["xb"] + u[:, 0] + u[:, 1] * d["xw"] + rng.normal(0, 1.2, g.size)
    return d


def of(result: object, source: str, level: str) -> float:
    table = result.tidy()  # type: ignore[attr-defined]
    return float(table[(table["source"] == source) & (table["level"] == level)]["variance"].sum())


def test_centred_predictors_give_the_formulas_of_the_paper() -> None:
    d = two_levels(60, 7, 1)
    fit = ak.mixed("y ~ xw + xb + (1 + xw | g)", d)
    found = fit.r2_partition()
    b, T = fit.fixed_effects, fit.covariances()["g"].to_numpy()
    expected = {
        ("f1", "within"): b["xw"] ** 2 * d["xw"].var(),
        ("f2", "between"): b["xb"] ** 2 * d["xb"].var(),
        ("v", "within"): T[1, 1] * d["xw"].var(),
        ("m", "between"): T[0, 0],
        ("sigma2", "within"): fit.sigma**2,
    }
    for (source, level), value in expected.items():
        assert of(found, source, level) == pytest.approx(value, rel=1e-9)
    total = sum(expected.values())
    measures = found.measures().set_index(["scope", "measure"])["r2"]
    assert measures["total", "f"] == pytest.approx((expected["f1", "within"] + expected["f2", "between"]) / total)
    within = sum(v for (_, level), v in expected.items() if level == "within")
    assert measures["within", "fv"] == pytest.approx(1 - fit.sigma**2 / within)
    assert measures["between", "f"] == pytest.approx(expected["f2", "between"] / (total - within))
    assert measures["total", "fvm"] == pytest.approx(fit.r2()["conditional"], rel=1e-3)
    assert found.centred and found.levels == ("within", "between")
    assert found.tidy()["r2_total"].sum() == pytest.approx(1.0)


def test_raw_predictors_give_the_formulas_for_predictors_that_are_not_centred() -> None:
    """The paper: f = gamma' Phi gamma, v = tr(T Sigma), m = m'Tm with total covariances and grand means."""
    d = two_levels(60, 7, 2).assign(raw=lambda t: t["raw"] + 3)
    with pytest.warns(ak.DesignWarning, match="raw_within"):
        fit = ak.mixed("y ~ raw + (1 + raw | g)", d)
    found = fit.r2_partition()
    T = fit.covariances()["g"].to_numpy()
    table = found.tidy().groupby("source")["variance"].sum()
    assert table["f1"] + table["f2"] == pytest.approx(fit.fixed_effects["raw"] ** 2 * d["raw"].var())
    assert table["v"] == pytest.approx(T[1, 1] * d["raw"].var())
    mean = np.array([1, d["raw"].mean()])
    assert table["m"] == pytest.approx(mean @ T @ mean)
    assert of(found, "v", "between") == pytest.approx(T[1, 1] * d["xb"].var())
    assert not found.centred


def test_two_levels_recover_the_truth() -> None:
    """Within variance of x 1, slopes .7 and 1.1, T = [1.5, .3; .3, .6], residual 1.44; 4,000 units of 10."""
    d = two_levels(4000, 10, 3)
    fit = ak.mixed("y ~ xw + xb + (1 + xw | g)", d)
    found = fit.r2_partition()
    within, between = d["xw"].var(), d["xb"].var()
    truth = {"f1": 0.49 * within, "f2": 1.21 * between, "v": 0.6 * within, "m": 1.5, "sigma2": 1.44}
    table = found.tidy().set_index("source")
    for source, value in truth.items():
        assert table.loc[source, "variance"] == pytest.approx(value, rel=0.06), source
    total = sum(truth.values())
    glance = found.glance().iloc[0]
    assert glance["r2_f"] == pytest.approx((truth["f1"] + truth["f2"]) / total, abs=0.01)
    # what the variances of the outcome itself say, without any model
    means = d.groupby("g")["y"].transform("mean")
    observed = float(means.var()) - 1.44 / 10  # the deviations of x from its means add up to zero, the residuals do not
    assert glance["share_between"] == pytest.approx(observed / d["y"].var(), abs=0.01)


def test_three_levels_recover_the_truth() -> None:
    rng = np.random.default_rng(4)
    K, P, R = 500, 10, 8
    k = np.repeat(np.arange(K), P * R)
    p = np.repeat(np.arange(K * P), R)
    d = pd.DataFrame({"therapist": k, "patient": p})
    w = rng.normal(size=p.size)
    d["w"] = w - pd.Series(w).groupby(p).transform("mean")
    b = rng.normal(size=K * P)
    b = b - pd.Series(b).groupby(np.repeat(np.arange(K), P)).transform("mean").to_numpy()
    d["b"] = b[p]
    d["t"] = rng.normal(size=K)[k]
    patient = rng.normal(0, [1.2, 0.7], (K * P, 2))[p]
    therapist = rng.normal(0, [0.9, 0.5, 0.6], (K, 3))[k]
    d["y"] = (
        0.8 * d["w"]
        + 1.0 * d["b"]
        + 0.7 * d["t"]
        + patient[:, 0]
        + patient[:, 1] * d["w"]
        + therapist[:, 0]
        + therapist[:, 1] * d["w"]
        + therapist[:, 2] * d["b"]
        + rng.normal(size=p.size)
    )
    found = ak.mixed("y ~ w + b + t + (1 + w | patient) + (1 + w + b | therapist)", d).r2_partition()
    vw, vb = d["w"].var(), d["b"].var()
    truth = {
        ("f1", "within"): 0.64 * vw,
        ("f2", "between"): vb,
        ("f3", "therapist"): 0.49 * d["t"].var(),
        ("v12", "within"): 0.49 * vw,
        ("v13", "within"): 0.25 * vw,
        ("v23", "between"): 0.36 * vb,
        ("m2", "between"): 1.44,
        ("m3", "therapist"): 0.81,
        ("sigma2", "within"): 1.0,
    }
    for (source, level), value in truth.items():
        # a variance of 500 slopes of which each has a sampling variance of .17 has a relative standard error of
        # (2 / 500) ** .5 * (1 + .17 / .36) = .093
        assert of(found, source, level) == pytest.approx(value, rel=3 * 0.093), source
    assert found.frame["variance"].sum() == pytest.approx(sum(truth.values()), rel=0.04)
    assert found.levels == ("within", "between", "therapist") and found.centred
    assert set(found.frame[found.frame["variance"] > 1e-6]["source"]) == {s for s, _ in truth}


def test_slopes_of_time_with_one_schedule_lie_within() -> None:
    rng = np.random.default_rng(6)
    g, t = np.repeat(np.arange(80), 6), np.tile(np.arange(6.0), 80)
    d = pd.DataFrame(
        {"g": g, "t": t, "y": t + rng.normal(0, 0.5, 80)[g] * t + rng.normal(size=80)[g] + rng.normal(size=480)}
    )
    fit = ak.mixed("y ~ t + (1 + t | g)", d)
    table = fit.r2_partition().tidy().set_index("source")
    T = fit.covariances()["g"].to_numpy()
    assert table.loc["v", "variance"] == pytest.approx(T[1, 1] * t.var(ddof=1)) and table.loc["v", "level"] == "within"
    assert table.loc["m", "variance"] == pytest.approx(np.array([1, 2.5]) @ T @ np.array([1, 2.5]))


def test_crossed_factors_are_refused() -> None:
    rng = np.random.default_rng(7)
    d = pd.DataFrame({"a": np.repeat(np.arange(12), 10), "r": np.tile(np.arange(10), 12)})
    d["y"] = rng.normal(size=12)[d["a"]] + rng.normal(size=10)[d["r"]] + rng.normal(size=120)
    with pytest.raises(ak.DesignError, match="'a' is crossed with 'r'"):
        ak.mixed("y ~ 1 + (1 | a) + (1 | r)", d).r2_partition()
