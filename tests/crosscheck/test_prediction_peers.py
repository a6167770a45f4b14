"""Prediction and measurement beside statsmodels, pingouin, semopy and scipy."""

from __future__ import annotations

import warnings
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pingouin
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.outliers_influence import variance_inflation_factor

import alliancekit as ak
from alliancekit.measurement.one_factor import fit_one_factor
from alliancekit.prediction.increments import Plan, least_squares, random_intercept
from alliancekit.prediction.moments import cluster_moments
from alliancekit.prediction.resampling import interval, resample_clusters

STEPS = {"severity": ["severity"], "task": ["task"], "rest": ["bond", "goal"]}


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    rng = np.random.default_rng(77)
    alliance = rng.normal(size=(180, 1))
    scales = alliance + 0.7 * rng.normal(size=(180, 3))
    severity = rng.normal(size=180)
    codes = rng.permutation(np.arange(180) % 30)
    y = 0.5 * severity - scales @ [0.1, 0.05, 0.3] + 0.4 * rng.normal(size=30)[codes] + rng.normal(size=180)
    frame = pd.DataFrame(scales, columns=["bond", "goal", "task"])
    return frame.assign(severity=severity, y=y, therapist=codes)


@pytest.mark.option("incremental_validity(approach=ols)", "crosscheck")
def test_f_change_of_statsmodels(df: pd.DataFrame) -> None:
    found = ak.incremental_validity(df, "y", STEPS, bootstrap=0).tidy()
    fits = [smf.ols(f"y ~ {f}", df).fit() for f in ("severity", "severity + task", "severity + task + bond + goal")]
    for step, (low, high) in enumerate(pairwise(fits), start=1):
        table = anova_lm(low, high)
        assert found.loc[step, "statistic"] == pytest.approx(table["F"].iloc[1], rel=1e-9)
        assert found.loc[step, "p_value"] == pytest.approx(table["Pr(>F)"].iloc[1], rel=1e-8)


@pytest.mark.option("incremental_validity(approach=robust)", "crosscheck")
def test_wald_f_of_statsmodels(df: pd.DataFrame) -> None:
    found = ak.incremental_validity(df, "y", STEPS, therapist="therapist", approach="robust", bootstrap=0)
    fit = smf.ols("y ~ severity + task + bond + goal", df).fit(
        cov_type="cluster", cov_kwds={"groups": df["therapist"]}, use_t=True
    )
    wald = fit.wald_test("bond = 0, goal = 0", use_f=True, scalar=True)
    row = found.tidy().iloc[-1]
    assert row["statistic"] == pytest.approx(float(wald.statistic), rel=1e-9)
    assert row["p_value"] == pytest.approx(float(wald.pvalue), rel=1e-8)
    assert row["df_error"] == wald.df_denom == 29
    table = found.coefficients.tidy()
    np.testing.assert_allclose(table["p_value"], fit.pvalues, rtol=1e-7)
    np.testing.assert_allclose(table[["conf_low", "conf_high"]], fit.conf_int(), rtol=1e-8)


def test_variance_inflation_of_statsmodels(df: pd.DataFrame) -> None:
    found = ak.incremental_validity(df, "y", STEPS, bootstrap=0).coefficients.tidy()
    X = np.column_stack([np.ones(len(df)), df[["severity", "task", "bond", "goal"]]])
    expected = [variance_inflation_factor(X, j) for j in range(1, 5)]
    np.testing.assert_allclose(found["vif"][1:], expected, rtol=1e-9)


def test_partial_correlations_and_lmg_of_pingouin(df: pd.DataFrame) -> None:
    found = ak.incremental_validity(df, "y", STEPS, bootstrap=0)
    names = ["severity", "task", "bond", "goal"]
    table = found.coefficients.tidy().set_index("term")
    for name in names:
        others = [n for n in names if n != name]
        partial_r = pingouin.partial_corr(df, x=name, y="y", covar=others)["r"].item()
        assert table.loc[name, "partial_r"] == pytest.approx(partial_r, rel=1e-10)
    lmg = pingouin.linear_regression(df[names], df["y"], relimp=True).set_index("names")["relimp"]
    np.testing.assert_allclose(found.weights.tidy()["general"], lmg[names], rtol=1e-8)


def test_random_intercept_kernel_of_statsmodels(df: pd.DataFrame) -> None:
    X = df[["severity", "task", "bond", "goal"]].to_numpy()
    moments = cluster_moments(X, df["y"].to_numpy(), df["therapist"].to_numpy().astype(np.intp))
    found = random_intercept(moments, Plan(((1,), (2,), (3, 4))), np.ones((1, 30)))[0]
    for step, formula in enumerate(("severity", "severity + task", "severity + task + bond + goal")):
        fit = smf.mixedlm(f"y ~ {formula}", df, groups=df["therapist"]).fit(reml=False)
        fixed = np.var(fit.model.exog @ fit.fe_params, ddof=1)
        expected = fixed / (fixed + fit.scale + fit.cov_re.to_numpy().item())
        assert found[step] == pytest.approx(expected, rel=1e-4)


@pytest.mark.option("incremental_validity(approach=random)", "crosscheck")
def test_mixed_engine_and_resampling_kernel_agree(df: pd.DataFrame) -> None:
    found = ak.incremental_validity(df, "y", STEPS, focus="task", therapist="therapist", bootstrap=0)
    specificity = found.specificity
    assert specificity.delta_r2_base.estimate == pytest.approx(found.tidy().loc[1, "delta_r2"], abs=1e-6)
    ratio = df["task"].std() / df["y"].std()
    slope = ak.mixed("y ~ severity + task + bond + goal + (1 | therapist)", df, method="ML").fixed_effects["task"]
    assert specificity.slope_all.estimate == pytest.approx(slope * ratio, abs=1e-6)


@pytest.mark.option("incremental_validity(bootstrap)", "crosscheck")
def test_bca_of_scipy(df: pd.DataFrame) -> None:
    X, y = df[["severity"]].to_numpy(), df["y"].to_numpy()
    moments = cluster_moments(X, y, np.arange(180, dtype=np.intp))
    draws = resample_clusters(partial(least_squares, moments, Plan(((1,),))), 180, resamples=20_000, seed=1)
    low, high, method = interval(draws, 0, 0.95)

    def r2(a: Any, b: Any, axis: int = -1) -> Any:
        a, b = a - a.mean(axis=axis, keepdims=True), b - b.mean(axis=axis, keepdims=True)
        return (a * b).sum(axis=axis) ** 2 / ((a**2).sum(axis=axis) * (b**2).sum(axis=axis))

    peer = stats.bootstrap(
        (X[:, 0], y), r2, paired=True, n_resamples=20_000, vectorized=True, rng=np.random.default_rng(2), batch=2000
    ).confidence_interval
    assert method == "bca"
    # Monte Carlo error of a 2.5% quantile of 20,000 draws, both sides.
    assert (low, high) == pytest.approx((peer.low, peer.high), abs=0.006)


@pytest.mark.option("reliability(level)", "crosscheck")
def test_alpha_and_its_limits_of_pingouin() -> None:
    rng = np.random.default_rng(5)
    items = pd.DataFrame(rng.normal(size=(90, 1)) + rng.normal(size=(90, 6)), columns=[f"i{j}" for j in range(6)])
    alpha, limits = pingouin.cronbach_alpha(items)
    row = ak.reliability(items, list(items.columns)).tidy().iloc[0]
    assert row["alpha"] == pytest.approx(alpha, rel=1e-12)
    assert [round(row["conf_low"], 3), round(row["conf_high"], 3)] == pytest.approx(list(limits), abs=1e-12)


def test_one_factor_of_semopy() -> None:
    import semopy

    rng = np.random.default_rng(6)
    items = pd.DataFrame(rng.normal(size=(300, 1)) + rng.normal(size=(300, 4)), columns=["a", "b", "c", "d"])
    model = semopy.Model("g =~ a + b + c + d")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(items)
        estimates = model.inspect()
    fit = fit_one_factor(items.cov(ddof=0).to_numpy(), 300)
    table = estimates.set_index(["lval", "op", "rval"])["Estimate"]
    loadings = table.xs("~", level="op").xs("g", level="rval")[["a", "b", "c", "d"]].astype(float)
    np.testing.assert_allclose(fit.loadings / fit.loadings[0], loadings, rtol=2e-3)
    uniquenesses = [table[(name, "~~", name)] for name in items.columns]
    np.testing.assert_allclose(fit.uniquenesses, uniquenesses, rtol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("approach", ["ols", "random"])
def test_coverage_of_the_increment(approach: str) -> None:
    """The bootstrap limits of task's increment cover the true one (.0763) about as often as they say."""
    R = np.array(
        [[1.0, -0.15, -0.12, -0.15], [-0.15, 1.0, 0.65, 0.70], [-0.12, 0.65, 1.0, 0.85], [-0.15, 0.70, 0.85, 1.0]]
    )
    beta, runs, covered = np.array([0.5, -0.02, -0.03, -0.24]), 400, 0
    for seed in range(runs):
        rng = np.random.default_rng(50_000 + seed)
        X = rng.multivariate_normal(np.zeros(4), R, size=400)
        codes = np.arange(400) % 50
        y = X @ beta + np.sqrt(0.05) * rng.normal(size=50)[codes] + np.sqrt(0.579) * rng.normal(size=400)
        moments = cluster_moments(X[:, [0, 3]], y, codes.astype(np.intp))
        kernel = least_squares if approach == "ols" else random_intercept
        draws = resample_clusters(partial(kernel, moments, Plan(((1,), (2,)))), 50, resamples=500, seed=seed)
        low, high, _ = interval(draws, 3, 0.95)
        covered += low < 0.0763 < high
    # The exact binomial 99.9% interval of 400 runs at .95 is 364 to 393.
    assert 364 <= covered <= 393
