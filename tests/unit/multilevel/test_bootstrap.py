"""Simulation from a fit, many refits, bootstrap intervals, the simulated likelihood-ratio test, and variance shares."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution

import alliancekit as ak
from alliancekit.multilevel.after.bootstrap import interval_of
from tests.unit.multilevel.test_mixed import FORMULA, growth

MLM = Path(__file__).parents[2] / "reference/mlm"
SLOPE = "y ~ time + (1 + time | patient)"


def quiet(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(formula, data, **options)


# --- simulate ---


@pytest.mark.option("MixedFit.simulate.random_effects", "unit")
def test_simulated_outcomes_have_the_moments_of_the_model() -> None:
    d = growth(patients=4, sessions=4)
    d["therapist"], d["w"], d["o"] = d["patient"] // 2, np.linspace(0.5, 2, len(d)), np.linspace(0, 3, len(d))
    formula = "y ~ time + offset(o) + (1 + time | patient) + (1 | therapist)"
    fit = quiet(formula, d, weights="w", method="ML")
    Y = fit.simulate(20_000, seed=3)
    assert Y.shape == (20_000, 16)
    X = fit.design.X
    Z = np.column_stack([np.ones(16), d["time"]])
    G, T = (fit.covariances()[name].to_numpy() for name in ("patient", "therapist"))
    same = [d[g].to_numpy()[:, None] == d[g].to_numpy()[None, :] for g in ("patient", "therapist")]
    V = (Z @ G @ Z.T) * same[0] + T[0, 0] * same[1] + np.diag(fit.sigma**2 / d["w"])
    error = np.sqrt(np.diag(V) / 20_000)
    np.testing.assert_array_less(np.abs(Y.mean(axis=0) - X @ fit.fixed_effects - d["o"]), 4 * error)
    scale = np.sqrt(np.outer(np.diag(V), np.diag(V)))
    assert np.abs((np.cov(Y.T) - V) / scale).max() < 5 / np.sqrt(20_000)
    held = fit.simulate(20_000, seed=3, random_effects="fitted")
    np.testing.assert_array_less(np.abs(held.mean(axis=0) - fit.fitted()), 4 * error)
    np.testing.assert_allclose(held.var(axis=0), fit.sigma**2 / d["w"], rtol=0.06)
    assert np.abs(np.corrcoef(held.T) - np.eye(16)).max() < 5 / np.sqrt(20_000)


@pytest.mark.option("MixedFit.simulate.seed", "unit")
@pytest.mark.option("MixedFit.simulate.n", "unit")
def test_each_outcome_has_a_stream_of_its_own() -> None:
    fit = ak.mixed(FORMULA, growth())
    few, more = fit.simulate(2, seed=5), fit.simulate(5, seed=5)
    np.testing.assert_array_equal(few, more[:2])
    assert not np.array_equal(few, fit.simulate(2, seed=6))
    with pytest.raises(ak.SpecError, match="n=0 is not a number of replicates"):
        fit.simulate(0, seed=1)
    with pytest.raises(ak.SpecError, match="Did you mean random_effects='fitted'"):
        fit.simulate(1, seed=1, random_effects="fited")


# --- refit_many ---


@pytest.mark.option("MixedFit.refit_many.Y", "one refit after the other")
@pytest.mark.option("MixedFit.refit_many.executor", "unit")
def test_many_refits_are_refits() -> None:
    fit = ak.mixed(FORMULA, growth(), method="ML")
    Y = fit.simulate(4, seed=2)
    found = fit.refit_many(Y)
    for i, y in enumerate(Y):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.BoundaryWarning)
            one = fit.refit(y)
        row = found.augment().iloc[i]
        assert row["log_likelihood"] == pytest.approx(one.log_likelihood, abs=1e-6)
        table = one.confint(ddf="normal").set_index("term")["estimate"]
        np.testing.assert_allclose(row[table.index].astype(float), table, rtol=1e-4, atol=1e-4)
        assert row["singular"] == one.singular and row["converged"]
    assert found.tidy()["replicate"].tolist() == np.repeat(np.arange(4), 7).tolist()
    assert found.glance().iloc[0][["replicates", "failed", "not_converged"]].tolist() == [4, 0, 0]
    assert "4 refits of 7 parameters" in repr(found)
    by_joblib = fit.refit_many(Y, executor="joblib")
    np.testing.assert_array_equal(by_joblib.values, found.values)


def test_outcomes_that_do_not_fit_the_rows() -> None:
    fit = ak.mixed(FORMULA, growth())
    for bad in (np.zeros((3, 10)), np.full((1, 240), np.nan), np.zeros((2, 2, 240))):
        with pytest.raises(ak.DesignError, match=r"finite numbers of shape \(replicates, 240\)"):
            fit.refit_many(bad)


# --- bootstrap ---


@pytest.mark.option("MixedFit.bootstrap.n", "unit")
@pytest.mark.option("MixedFit.bootstrap.seed", "unit")
@pytest.mark.option("MixedFit.bootstrap.executor", "unit")
def test_bootstrap_errors_are_near_those_of_the_information() -> None:
    fit = ak.mixed(SLOPE, growth(patients=60), method="ML")
    boot = fit.bootstrap(300, seed=4)
    table = boot.tidy().set_index("term")
    wald = fit.tidy(ddf="normal").set_index("term")["std_error"]
    # the SE of 300 draws has a relative Monte Carlo error of 1 / sqrt(600) = .041
    np.testing.assert_allclose(table.loc[wald.index, "std_error"], wald, rtol=0.15)
    random = fit.confint().set_index("term").loc[["sd_(Intercept)|patient", "sigma"]]
    reach = np.log(random["conf_high"] / random["conf_low"]) / (2 * 1.96) * random["estimate"]
    np.testing.assert_allclose(table.loc[random.index, "std_error"], reach, rtol=0.2)
    assert (table["replicates"] == 300).all()
    np.testing.assert_array_equal(fit.bootstrap(300, seed=4, executor="joblib").refits.values, boot.refits.values)
    assert not np.array_equal(fit.bootstrap(20, seed=5).refits.values, boot.refits.values[:20])
    with pytest.raises(ak.SpecError, match="n=10 is not a number of replicates"):
        fit.bootstrap(10)


@pytest.mark.option("MixedFit.confint.interval", "order statistics by hand")
def test_percentile_and_basic_limits_by_hand() -> None:
    draws = np.random.default_rng(0).permutation(np.arange(1.0, 200.0))  # 199 draws: order statistic k is k
    assert interval_of(draws, 90.0, 0.95, "percentile") == pytest.approx((5.0, 195.0))
    assert interval_of(draws, 90.0, 0.95, "basic") == pytest.approx((-15.0, 175.0))
    assert interval_of(draws, 90.0, 0.95, "basic", 0.0) == pytest.approx((0.0, 175.0))
    assert interval_of(draws, 90.0, 0.9, "percentile") == pytest.approx((10.0, 190.0))
    assert np.isnan(interval_of(draws, np.nan, 0.95, "percentile")).all()


@pytest.mark.option("MixedFit.confint.method=bootstrap", "unit")
@pytest.mark.option("MixedFit.confint.n", "unit")
@pytest.mark.option("MixedFit.confint.seed", "unit")
@pytest.mark.option("MixedFit.confint.executor", "unit")
def test_confint_takes_the_bootstrap() -> None:
    fit = ak.mixed(SLOPE, growth(), method="ML")
    boot = fit.bootstrap(40, seed=9)
    for interval in ("percentile", "basic"):
        ours = fit.confint(method="bootstrap", interval=interval, level=0.8, n=40, seed=9, executor="joblib")
        wanted = boot.tidy(level=0.8, interval=interval)[["component", "term", "estimate", "conf_low", "conf_high"]]
        pd.testing.assert_frame_equal(ours, wanted)
        assert ours.attrs["interval"] == interval and ours.attrs["seed"] == 9
    low, high = np.quantile(boot.augment()["time"], [0.1, 0.9], method="weibull")
    assert boot.tidy(level=0.8).set_index("term").loc["time", ["conf_low", "conf_high"]].tolist() == [low, high]
    with pytest.raises(ak.SpecError, match="Did you mean interval='basic'"):
        fit.confint(method="bootstrap", interval="basics")
    table = fit.variance_components(interval="bootstrap", n=40, seed=9)
    assert table["conf_low"].tolist() == boot.tidy().query("component == 'random'")["conf_low"].tolist()


def test_bootstrap_at_a_boundary() -> None:
    """Correlations of singular replicates are not defined; they are left out and counted."""
    rng = np.random.default_rng(1)
    d = growth().assign(y=lambda f: f["time"] + rng.normal(size=len(f)))
    fit = quiet(SLOPE, d)
    boot = fit.bootstrap(30, seed=2)
    table = boot.tidy().set_index("term")
    assert table.loc["sd_time|patient", "conf_low"] == 0.0
    assert table.loc["cor_time.(Intercept)|patient", "replicates"] < 30
    assert boot.glance()["singular"].iloc[0] > 5
    basic = boot.tidy(interval="basic").set_index("term")
    assert (basic.loc[["sd_time|patient", "sd_(Intercept)|patient"], "conf_low"] >= 0).all()


def test_presentation() -> None:
    boot = ak.mixed(SLOPE, growth(), method="ML").bootstrap(40, seed=9)
    table = ak.table(boot)
    np.testing.assert_array_equal(table.data["conf_high"], boot.tidy()["conf_high"])
    assert any("40 outcomes simulated from the model" in note and "seed 9" in note for note in table.notes)
    assert "parametric bootstrap (percentile method)" in ak.sentence(boot).text
    figure = ak.figure(boot)
    assert figure.data is not None and figure.data.groupby("term")["replicates"].sum().eq(40).all()
    assert len(figure.draw().axes) == 6
    assert "40 refits" in repr(boot)


# --- the simulated likelihood-ratio test ---


@pytest.mark.option("compare.method=bootstrap", "exact F test; pbkrtest 0.5.2")
@pytest.mark.option("compare.n", "unit")
@pytest.mark.option("compare.seed", "unit")
@pytest.mark.option("compare.executor", "unit")
def test_bootstrap_test_of_a_group_effect_is_the_exact_f_test() -> None:
    """Balanced groups in two arms: the likelihood ratio grows with F of the group means, so both p values are one."""
    rng = np.random.default_rng(6)
    g = np.repeat(np.arange(8), 5)
    arm = g % 2
    d = pd.DataFrame({"g": g, "arm": arm, "y": 1.6 * arm + 1.5 * rng.normal(size=8)[g] + rng.normal(size=40)})
    means = d.groupby("g")[["arm", "y"]].mean()
    between = means.groupby("arm")["y"].agg(["mean", "var"])
    F = float((between["mean"].diff().iloc[1] ** 2 / (2 / 4)) / between["var"].mean())
    exact = float(f_distribution.sf(F, 1, 6))
    fits = quiet("y ~ 1 + (1 | g)", d), quiet("y ~ arm + (1 | g)", d)
    found = ak.compare(*fits, method="bootstrap", n=1000, seed=3)
    p = found.tidy()["p_value"].iloc[1]
    assert abs(p - exact) < 4 * np.sqrt(exact * (1 - exact) / 1000)
    standard = ak.compare(*fits).tidy()["p_value"].iloc[1]
    assert standard < exact, "the chi-square is liberal with eight groups"
    assert any("parametric bootstrap of 1000 outcomes" in note for note in found.notes)
    few = [ak.compare(*fits, method="bootstrap", n=40, seed=3, executor=e).tidy() for e in ("serial", "joblib")]
    pd.testing.assert_frame_equal(*few)
    assert few[0]["p_value"].iloc[1] * 41 == pytest.approx(round(few[0]["p_value"].iloc[1] * 41))


def test_bootstrap_test_against_pbkrtest() -> None:
    """pbkrtest 0.5.2, PBmodcomp(nsim = 10000, set.seed(1)) on tests/reference/mlm/sim_group_therapy_few_clusters."""
    theirs, draws = 63 / 10_000, 600
    d = pd.read_csv(MLM / "sim_group_therapy_few_clusters/data.csv")
    fits = quiet("post ~ pre + (1 | grp)", d), quiet("post ~ pre + trt + (1 | grp)", d)
    p = ak.compare(*fits, method="bootstrap", n=draws, seed=1).tidy()["p_value"].iloc[1]
    assert abs(p - theirs) < 4 * np.sqrt(theirs * (1 - theirs) / draws)


# --- shares ---


@pytest.mark.option("MixedFit.variance_shares.level", "large-sample variance of the ICC, Donner 1986")
def test_interval_of_the_icc_in_a_balanced_layout() -> None:
    """var(ICC) = 2 (1 - r)^2 (1 + (m - 1) r)^2 / (m (m - 1) (L - 1)) (Donner, 1986, Int Stat Rev 54, 67-82)."""
    rng = np.random.default_rng(3)
    L, m = 200, 6
    g = np.repeat(np.arange(L), m)
    d = pd.DataFrame({"g": g, "y": rng.normal(size=L)[g] + 1.3 * rng.normal(size=L * m)})
    fit = ak.mixed("y ~ 1 + (1 | g)", d)
    for level, z in ((0.95, 1.959963984540054), (0.5, 0.674489750196082)):
        table = fit.variance_shares(level=level).set_index("group")
        r = table.loc["g", "estimate"]
        assert r == pytest.approx(fit.icc()["g"], rel=1e-12)
        error = np.sqrt(2 * (1 - r) ** 2 * (1 + (m - 1) * r) ** 2 / (m * (m - 1) * (L - 1)))
        logit = np.log(r / (1 - r)) + np.array([-1, 1]) * z * error / (r * (1 - r))
        np.testing.assert_allclose(
            table.loc["g", ["conf_low", "conf_high"]].astype(float), 1 / (1 + np.exp(-logit)), rtol=2e-3
        )
        assert table.loc["total"].tolist() == table.loc["g"].tolist()


@pytest.mark.option("MixedFit.variance_shares.interval", "unit")
@pytest.mark.option("MixedFit.variance_shares.n", "unit")
@pytest.mark.option("MixedFit.variance_shares.seed", "unit")
def test_shares_of_three_levels() -> None:
    rng = np.random.default_rng(12)
    d = growth(patients=120, sessions=5).assign(therapist=lambda f: f["patient"] % 24)
    d["y"] += 1.5 * rng.normal(size=24)[d["therapist"]]
    fit = ak.mixed(FORMULA, d)
    table = fit.variance_shares()
    assert table["group"].tolist() == ["patient", "therapist", "total"]
    np.testing.assert_allclose(table["estimate"], fit.icc())
    assert (table["conf_low"] < table["estimate"]).all() and (table["estimate"] < table["conf_high"]).all()
    boot = fit.variance_shares(interval="bootstrap", n=150, seed=1)
    assert boot.attrs["interval"] == "bootstrap"
    logit = lambda frame: np.log(frame / (1 - frame))  # noqa: E731
    ratio = np.diff(logit(boot[["conf_low", "conf_high"]].to_numpy())) / np.diff(
        logit(table[["conf_low", "conf_high"]].to_numpy())
    )
    assert (ratio > 0.7).all() and (ratio < 1.4).all()
    with pytest.raises(ak.SpecError, match="interval='profile' is not an option"):
        fit.variance_shares(interval="profile")


def test_a_share_of_zero_has_no_wald_limits() -> None:
    rng = np.random.default_rng(4)
    g, e = np.repeat(np.arange(12), 8), rng.normal(size=96)
    fit = quiet("y ~ 1 + (1 | g)", pd.DataFrame({"g": g, "y": e - pd.Series(e).groupby(g).transform("mean")}))
    assert fit.variance_shares()[["conf_low", "conf_high"]].isna().all().all()
    boot = fit.variance_shares(interval="bootstrap", n=40).iloc[0]
    assert boot["conf_low"] == 0.0 and 0.0 < boot["conf_high"] < 0.5


def test_shares_beside_residuals_of_unequal_variance() -> None:
    fit = ak.mixed("y ~ time + (1 | patient)", growth(), residual_structure=ak.heteroscedastic(by="therapist"))
    table = fit.variance_shares()
    np.testing.assert_allclose(table["estimate"], fit.icc())
    alike = ak.mixed("y ~ time + (1 | patient)", growth()).variance_shares()
    np.testing.assert_allclose(table["conf_high"] - table["conf_low"], alike["conf_high"] - alike["conf_low"], rtol=0.2)
