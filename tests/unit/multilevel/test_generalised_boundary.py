"""Tests of overdispersion and extra zeros, whose null values end their range; what is nested in what."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import alliancekit as ak
from tests.reference import glmm_values
from tests.unit.multilevel.test_mixed import growth

# glmmTMB 1.1.5, R 4.2: 2 * (logLik(larger) - logLik(smaller)), and half of pchisq(., 1, lower.tail = FALSE) of it
FROM_R = {"negative-binomial": (90.76184, 8.102427e-22), "extra zeros": (18.52498, 8.3846e-06)}


@cache
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(40), 8), rng.normal(size=320)
    mu = np.exp(1 + 0.3 * x + 0.5 * rng.normal(size=40)[g])
    return pd.DataFrame({"g": g, "x": x, "y": rng.negative_binomial(3, 3 / (3 + mu))})


@cache
def fit(family: str = "poisson", formula: str = "y ~ x + (1 | g)", **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ak.BoundaryWarning, ak.DesignWarning))
        return ak.mixed(formula, counts(), family=family, **options)


@pytest.mark.option("compare", "glmmTMB 1.1.5 with the mixture by hand: overdispersion, extra zeros")
def test_half_of_the_p_value_of_r() -> None:
    for name, larger in (
        ("negative-binomial", fit("negative-binomial")),
        ("extra zeros", fit("poisson", zero_inflation="~1")),
    ):
        row = ak.compare(fit(), larger).tidy().iloc[1]
        assert row["chisq"] == pytest.approx(FROM_R[name][0], rel=1e-5)
        assert row["p_mixture"] == pytest.approx(FROM_R[name][1], rel=2e-3)
        assert row["p_mixture"] == row["p_value"] / 2


def test_beta_binomial_against_binomial_on_a_stored_case() -> None:
    labels = ("glmmTMB_binomial", "glmmTMB_betabinomial")
    models = glmm_values.load("sim_adherence_days_of_90")[1]["models"]
    reference = 2 * (models[labels[1]]["logLik"] - models[labels[0]]["logLik"])
    found = ak.compare(*(glmm_values.fit("sim_adherence_days_of_90", label) for label in labels))
    assert found.tidy()["p_mixture"].iloc[1] == pytest.approx(chi2.sf(reference, 1) / 2, rel=2e-3)
    assert "adds overdispersion, whose value of zero lies on the boundary: read p_mixture" in found.notes[0]
    assert "the p value of the mixture" in ak.sentence(found).text


def test_no_overdispersion_is_no_evidence() -> None:
    """With too little variance for Poisson the estimate is at the limit, where half of the distribution lies."""
    d = counts().assign(y=lambda f: 3 + f.index % 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ak.BoundaryWarning, ak.DesignWarning))
        small, large = (ak.mixed("y ~ x + (1 | g)", d, family=f) for f in ("poisson", "negative-binomial"))
    row = ak.compare(small, large).tidy().iloc[1]
    assert row["chisq"] == pytest.approx(0.0, abs=1e-4) and row["p_mixture"] > 0.49


def test_with_other_parameters_the_df_are_one_more() -> None:
    row = ak.compare(fit(formula="y ~ 1 + (1 | g)"), fit("negative-binomial")).tidy().iloc[1]
    assert row["df"] == 2
    assert row["p_mixture"] == pytest.approx((chi2.sf(row["chisq"], 1) + chi2.sf(row["chisq"], 2)) / 2)


@pytest.mark.parametrize(
    ("smaller", "larger", "words"),
    [
        (fit(), fit("negative-binomial", zero_inflation="~1"), "overdispersion and extra zeros at once"),
        (fit(), fit("poisson", zero_inflation="~x"), "extra zeros of 2 coefficients at once"),
        (fit(formula="y ~ x + (0 + x | g)"), fit("negative-binomial", "y ~ x + (x | g)"), "a random effect and over"),
    ],
)
def test_several_limits_have_no_mixture(smaller: Any, larger: Any, words: str) -> None:
    found = ak.compare(smaller, larger)
    assert np.isnan(found.tidy()["p_mixture"].iloc[1]) and found.tidy()["p_value"].iloc[1] < 1
    assert words in " ".join(found.notes)


def test_what_both_have_is_at_no_limit() -> None:
    found = ak.compare(fit("negative-binomial"), fit("negative-binomial", dispersion="~x"))
    assert np.isnan(found.tidy()["p_mixture"].iloc[1]) and not any("boundary" in note for note in found.notes)


def test_distributions_that_hold_neither_the_other_are_not_tested() -> None:
    pairs = [
        (fit("negative-binomial"), fit("negative-binomial", variance="linear", zero_inflation="~1")),
        (fit("poisson", zero_inflation="~1"), fit("negative-binomial")),
        (ak.mixed("y ~ x + (1 | g)", counts()), fit()),
    ]
    for pair in pairs:
        found = ak.compare(*pair)
        assert found.tidy()[["chisq", "df", "p_value", "p_mixture"]].iloc[1].isna().all()
        assert "there is no test" in " ".join(found.notes)
        assert ak.sentence(found).text.startswith("The last two models cannot be tested.")
    assert not ak.compare(*pairs[0], method="bootstrap", n=20).tidy()["p_value"].notna().any()


def test_the_same_formula_twice_is_told_apart() -> None:
    nb, linear = fit("negative-binomial"), fit("negative-binomial", variance="linear")
    names = ak.compare(fit(), nb, linear).tidy()["model"].tolist()
    assert names[0] == "y ~ x + (1 | g), poisson"
    assert sorted(names[1:]) == [f"y ~ x + (1 | g), negative-binomial, {v} variance" for v in ("linear", "quadratic")]
    plain = ak.mixed("y ~ time + (1 | patient)", growth())
    structured = ak.mixed("y ~ time + (1 | patient)", growth(), residual_structure=ak.ar1(time="time", by="patient"))
    assert ak.compare(plain, structured).tidy()["model"].iloc[1].endswith("with a residual structure")
    assert ak.compare(plain, plain).tidy()["model"].tolist()[1].endswith("[2]")


def test_different_approximations_are_refused() -> None:
    with pytest.raises(ak.SpecError, match=r"with 1 and 5 nodes.*same quadrature"):
        ak.compare(fit(formula="y ~ 1 + (1 | g)"), fit(quadrature=5))


@pytest.mark.option("compare.method", "a true and a false null hypothesis of counts")
def test_the_bootstrap_of_counts() -> None:
    """With 39 outcomes the smallest p value is 1/40, which a strong effect has; noise has no small one."""
    d = counts().assign(noise=np.random.default_rng(8).normal(size=320))
    smaller, larger = fit(formula="y ~ 1 + (1 | g)"), fit()
    assert ak.compare(smaller, larger, method="bootstrap", n=39).tidy()["p_value"].iloc[1] == 1 / 40
    noisy = ak.mixed("y ~ x + noise + (1 | g)", d, family="negative-binomial")
    found = ak.compare(fit("negative-binomial"), noisy, method="bootstrap", n=39, seed=2)
    row = found.tidy().iloc[1]
    assert row["p_value"] == pytest.approx(chi2.sf(row["chisq"], 1), abs=0.25)
    assert "parametric bootstrap of 39 outcomes" in found.notes[0]


def test_counts_without_overdispersion_end_at_the_poisson_likelihood() -> None:
    """Counts of a Poisson distribution: half of them lie at the limit, where cancellation must not end the search."""
    base = fit()
    chisq = []
    for outcome in base.simulate(16, seed=3):
        data = counts().assign(y=outcome)
        plain = ak.mixed("y ~ x + (1 | g)", data, family="poisson")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.DesignWarning)
            larger = ak.mixed("y ~ x + (1 | g)", data, family="negative-binomial")
        chisq.append(2 * (larger.log_likelihood - plain.log_likelihood))
        if larger.warnings:
            np.testing.assert_allclose(larger.tidy()["std_error"], plain.tidy()["std_error"], rtol=1e-5)
            assert larger.variance_components().iloc[-1][["conf_low", "conf_high"]].isna().all()
    assert min(chisq) > -1e-7
    assert 3 <= sum(value < 1e-6 for value in chisq) <= 13


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_an_infinite_coefficient_is_not_significant(family: str) -> None:
    data = counts().assign(arm=np.where(counts()["g"] % 4 == 0, "b", "a"))
    data["y"] = np.where(data["arm"] == "b", 0, data["y"] if family == "poisson" else data["y"] > 3).astype(int)
    with pytest.warns(ak.DesignWarning, match="coefficient of armb is infinite"):
        separated = ak.mixed("y ~ x + arm + (1 | g)", data, family=family)
    rows = separated.tidy().set_index("term")
    assert rows.loc["armb", "std_error"] > 50
    assert rows.loc["armb", "p_value"] > 0.5
    alone = ak.mixed("y ~ x + (1 | g)", data[data["arm"] == "a"], family=family).tidy().set_index("term")
    np.testing.assert_allclose(rows.loc[["(Intercept)", "x"], "std_error"], alone["std_error"], rtol=1e-4)


def test_refits_of_a_fit_at_the_limit_do_not_stay_there() -> None:
    rng = np.random.default_rng(2)
    even = counts().assign(y=rng.binomial(6, 0.5, 320))  # less variance than Poisson
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ak.DesignWarning, ak.BoundaryWarning))
        limit = ak.mixed("y ~ x + (1 | g)", even, family="negative-binomial")
        assert any("went to its limit" in note for note in limit.warnings)
        again = limit.refit(counts()["y"])
    assert again.log_likelihood == pytest.approx(fit("negative-binomial").log_likelihood, rel=1e-8)
