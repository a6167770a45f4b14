"""Properties of ``ak.mixed`` that hold whatever the data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliancekit as ak


def growth(seed: int = 3, patients: int = 40, sessions: int = 6, start: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), sessions)
    time = np.tile(np.arange(float(sessions)), patients)
    effects = rng.multivariate_normal([0, 0], [[4, -0.3], [-0.3, 0.25]], patients)
    y = 20 + effects[patient, 0] + (effects[patient, 1] - 0.8) * time + rng.normal(0, 1, patient.size)
    return pd.DataFrame({"patient": patient, "therapist": patient % 8, "time": time + start, "y": y})


FORMULA = "y ~ time + (1 + time | patient) + (1 | therapist)"


def test_origin_of_time_does_not_matter() -> None:
    here, there = ak.mixed(FORMULA, growth()), ak.mixed(FORMULA, growth(start=2000.0))
    assert there.log_likelihood == pytest.approx(here.log_likelihood, abs=1e-6)
    assert there.fixed_effects["time"] == pytest.approx(here.fixed_effects["time"], rel=1e-6)
    assert there.tidy().set_index("term").loc["time", "df"] == pytest.approx(
        here.tidy().set_index("term").loc["time", "df"], rel=1e-4
    )
    assert there.converged and not there.singular


def test_rescaled_time_rescales_the_slope_only() -> None:
    d = growth()
    one, two = ak.mixed(FORMULA, d), ak.mixed(FORMULA, d.assign(time=d["time"] * 1e5))
    assert two.fixed_effects["time"] * 1e5 == pytest.approx(one.fixed_effects["time"], rel=1e-6)
    assert two.log_likelihood + np.log(1e5) == pytest.approx(one.log_likelihood, abs=1e-5)  # REML: |X'X| rescales


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_row_order_and_labels_do_not_matter(seed: int) -> None:
    d = growth()
    rng = np.random.default_rng(seed)
    names = {p: f"id {q}" for p, q in zip(range(40), rng.permutation(40), strict=True)}
    shuffled = d.sample(frac=1.0, random_state=seed).assign(patient=lambda f: f["patient"].map(names))
    a, b = ak.mixed(FORMULA, d), ak.mixed(FORMULA, shuffled)
    assert b.log_likelihood == pytest.approx(a.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(b.tidy()["df"], a.tidy()["df"], rtol=1e-4)


def test_copied_clusters_double_the_ml_likelihood() -> None:
    d = growth()
    twice = pd.concat([d, d.assign(patient=d["patient"] + 1000, therapist=d["therapist"] + 1000)])
    one, two = (ak.mixed(FORMULA, f, method="ML") for f in (d, twice))
    assert two.log_likelihood == pytest.approx(2 * one.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(two.fixed_effects, one.fixed_effects, rtol=1e-6)
    np.testing.assert_allclose(two.theta, one.theta, rtol=1e-3, atol=1e-4)


def test_weights_times_a_constant() -> None:
    d = growth()
    d["w"] = np.random.default_rng(1).gamma(3, 0.4, len(d)) + 0.05
    one, two = ak.mixed(FORMULA, d, weights="w"), ak.mixed(FORMULA, d.assign(w=d["w"] * 7), weights="w")
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    assert two.sigma**2 == pytest.approx(7 * one.sigma**2, rel=1e-6)
    np.testing.assert_allclose(
        two.variance_components()["sd_or_correlation"][:-1],
        one.variance_components()["sd_or_correlation"][:-1],
        rtol=1e-4,
    )


def test_empty_category_changes_nothing() -> None:
    d = growth()
    d["arm"] = pd.Categorical(np.where(d["patient"] % 2, "b", "a"), categories=["a", "b", "never"])
    with_empty = ak.mixed("y ~ time * arm + (1 | patient)", d)
    without = ak.mixed("y ~ time * arm + (1 | patient)", d.assign(arm=d["arm"].cat.remove_unused_categories()))
    pd.testing.assert_frame_equal(with_empty.tidy(), without.tidy())


def test_zero_variance_keeps_the_fixed_effects_right() -> None:
    """A variance at zero must give the least-squares answer, not fixed effects of zero (a known fault elsewhere)."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(12), 10)
    x = rng.normal(size=120)
    e = rng.normal(size=120)
    e -= pd.Series(e).groupby(g).transform("mean").to_numpy()
    d = pd.DataFrame({"g": g, "x": x, "y": 5 + 2 * x + e})
    d["y"] -= (d["y"] - 2 * d["x"]).groupby(g).transform("mean") - 5
    with pytest.warns(ak.BoundaryWarning, match="variance of .* by g is estimated as zero"):
        fit = ak.mixed("y ~ x + (1 | g)", d)
    beta = np.linalg.lstsq(np.column_stack([np.ones(120), x]), d["y"], rcond=None)[0]
    np.testing.assert_allclose(fit.fixed_effects, beta, rtol=1e-8)
    assert fit.singular
    assert fit.variance_components().loc[0, "sd_or_correlation"] == 0
    assert np.isnan(fit.variance_components().loc[0, "conf_low"])


@pytest.mark.option("MixedFit.log_likelihood_at.sigma2", "unit")
def test_likelihood_at_own_estimates_is_the_likelihood() -> None:
    for method in ("REML", "ML"):
        fit = ak.mixed(FORMULA, growth(), method=method)
        at = fit.log_likelihood_at(fit.fixed_effects, fit.covariances(), fit.sigma**2)
        assert at == pytest.approx(fit.log_likelihood, abs=1e-6)
        worse = fit.log_likelihood_at(fit.fixed_effects * 1.1, fit.covariances(), fit.sigma**2)
        assert worse < at - 1
    with pytest.raises(ak.SpecError, match="no value is given for therapist"):
        fit.log_likelihood_at(fit.fixed_effects, {"patient": np.eye(2)}, 1.0)


def test_refit_equals_a_fresh_fit() -> None:
    d = growth()
    fit = ak.mixed(FORMULA, d)
    y = d["y"].to_numpy() + np.random.default_rng(9).normal(size=len(d))
    fresh = ak.mixed(FORMULA, d.assign(y=y))
    again = fit.refit(y)
    assert again.log_likelihood == pytest.approx(fresh.log_likelihood, abs=1e-8)
    np.testing.assert_allclose(again.fixed_effects, fresh.fixed_effects, rtol=1e-8)
    with pytest.raises(ak.DesignError, match="Give 240 finite numbers"):
        fit.refit(y[:10])


def test_refit_with_crossed_effects() -> None:
    d = growth().assign(rater=lambda f: np.arange(len(f)) % 5)
    fit = ak.mixed("y ~ time + (1 + time | patient) + (1 | rater)", d)
    y = d["y"].to_numpy() * 2 + d["rater"].to_numpy()
    fresh = ak.mixed("y ~ time + (1 + time | patient) + (1 | rater)", d.assign(y=y))
    assert fit.refit(y).log_likelihood == pytest.approx(fresh.log_likelihood, abs=1e-7)


def test_missing_rows_are_counted_by_reason() -> None:
    d = growth()
    d.loc[[0, 5, 9], "y"] = np.nan
    d.loc[[5, 20], "time"] = np.nan
    fit = ak.mixed(FORMULA, d)
    assert fit.nobs == 236
    assert dict(fit.sample.dropped) == {"missing in 'y'": 3, "missing in 'time'": 1}
    assert "4 of 240 rows not used" in repr(fit)
    pd.testing.assert_frame_equal(ak.mixed(FORMULA, d.dropna()).tidy(), fit.tidy())


@pytest.mark.option("MixedFit.predict.include_random", "unit")
def test_prediction_for_old_and_new_units() -> None:
    d = growth()
    fit = ak.mixed(FORMULA, d)
    own = fit.predict()
    np.testing.assert_allclose(own["estimate"], fit.fitted(), rtol=1e-10)
    new = pd.DataFrame({"time": [0.0, 1.0], "patient": [3, 999], "therapist": [3, 3]})
    table = fit.predict(new)
    assert table["new_group"].tolist() == [False, True]
    fixed = fit.predict(new, include_random=False)
    assert fixed["estimate"].tolist() == pytest.approx(
        [fit.fixed_effects["(Intercept)"], fit.fixed_effects.sum()], rel=1e-9
    )


@pytest.mark.option("MixedFit.test.hypothesis", "unit")
def test_joint_test_and_contrasts() -> None:
    d = growth()
    d["arm"] = np.where(d["patient"] % 3 == 0, "a", np.where(d["patient"] % 3 == 1, "b", "c"))
    fit = ak.mixed("y ~ time + arm + (1 | patient)", d)
    single = fit.test("time = 0")
    row = fit.tidy().set_index("term").loc["time"]
    assert single.loc[0, "statistic"] == pytest.approx(row["statistic"] ** 2)
    assert single.loc[0, "p_value"] == pytest.approx(row["p_value"])
    joint = fit.test("armb = 0, armc = 0")
    assert joint.loc[0, "df_numerator"] == 2
    turned = fit.test("armb - armc = 0, armb + armc = 0")
    assert turned.loc[0, "statistic"] == pytest.approx(joint.loc[0, "statistic"])
    assert turned.loc[0, "df"] == pytest.approx(joint.loc[0, "df"], rel=1e-6)
    with pytest.raises(ak.SpecError, match="Did you mean 'armb'"):
        fit.test("arm_b = 0")
    with pytest.raises(ak.SpecError, match="contradict"):
        fit.test("time = 0, time = 1")


@pytest.mark.option("compare.method", "unit")
def test_compare_refits_by_ml_and_says_so() -> None:
    d = growth()
    small, big = ak.mixed("y ~ 1 + (1 | patient)", d), ak.mixed("y ~ time + (1 | patient)", d)
    result = ak.compare(big, small)
    assert result.tidy()["npar"].tolist() == [3, 4]
    assert "fitted again by ML" in result.notes[0]
    with pytest.raises(ak.SpecError, match="different rows"):
        ak.compare(small, ak.mixed("y ~ time + (1 | patient)", d.iloc[:-5]))
    slopes = ak.compare(big, ak.mixed("y ~ time + (1 + time | patient)", d))
    assert any("boundary" in note for note in slopes.notes)


def test_normal_df_and_words() -> None:
    fit = ak.mixed(FORMULA, growth())
    assert np.isinf(fit.tidy(ddf="normal")["df"]).all()
    with pytest.raises(ak.SpecError, match="Did you mean ddf='satterthwaite'"):
        fit.tidy(ddf="satterwaite")
    with pytest.raises(ak.SpecError, match="not a confidence level"):
        fit.tidy(level=95)
    with pytest.raises(ak.SpecError, match="Did you mean method='REML'"):
        ak.mixed(FORMULA, growth(), method="REMLL")
    with pytest.raises(ak.DesignError, match="not between 0 and 1"):
        ak.mixed(FORMULA, growth(), family="binomial")
    with pytest.raises(ak.SpecError, match="no random term"):
        ak.mixed("y ~ time", growth())


def test_glance_and_printing() -> None:
    fit = ak.mixed(FORMULA, growth())
    glance = fit.glance().iloc[0]
    assert glance["n_patient"] == 40 and glance["n_therapist"] == 8
    assert glance["aic"] == pytest.approx(-2 * fit.log_likelihood + 2 * 7)
    shown = repr(fit)
    for piece in ("REML criterion at convergence", "Number of obs: 240, groups: patient, 40; therapist, 8", "Corr"):
        assert piece in shown
    assert "lmer(y ~ time" in fit.as_r()
    assert fit._repr_html_().startswith("<pre>")


@pytest.mark.option("MixedFit.variance_components.level", "recovery")
def test_wald_intervals_cover_the_truth_of_the_sds() -> None:
    parts = ak.mixed("y ~ time + (1 + time | patient)", growth(patients=200)).variance_components()
    for row, truth in zip(parts.itertuples(index=False), (2.0, 0.5, -0.3, 1.0), strict=True):
        assert row.conf_low < truth < row.conf_high


def test_perfect_collinearity_names_the_column() -> None:
    d = growth()
    d["twice"] = 2 * d["time"]
    with pytest.warns(ak.DesignWarning, match="twice"):
        fit = ak.mixed("y ~ time + twice + (1 | patient)", d)
    assert fit.design.dropped == ("twice",)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.testing.assert_frame_equal(fit.tidy(), ak.mixed("y ~ time + (1 | patient)", d).tidy())
