"""Tests of variances: the mixture of chi-squares, random terms one at a time, comparisons of models."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, chi2

import alliancekit as ak
from alliancekit.multilevel.after.boundary import lrt_statistic, mixture_p
from alliancekit.multilevel.notices import boundary_text
from tests.unit.multilevel.test_kenward_roger import crossed_and_nested, fit_quietly
from tests.unit.multilevel.test_mixed import FORMULA, growth


def test_the_mixture_is_half_and_half() -> None:
    assert mixture_p(2.7, 1, 1) == pytest.approx(chi2.sf(2.7, 1) / 2)
    assert mixture_p(0.0, 1, 1) == 1.0
    assert mixture_p(5.1, 2, 1) == pytest.approx((chi2.sf(5.1, 1) + chi2.sf(5.1, 2)) / 2)
    assert mixture_p(5.1, 4, 1) == pytest.approx((chi2.sf(5.1, 3) + chi2.sf(5.1, 4)) / 2)
    assert mixture_p(5.1, 2, 0) == pytest.approx(chi2.sf(5.1, 2))
    assert np.isnan(mixture_p(5.1, 3, 2)) and np.isnan(mixture_p(5.1, 0, 1)) and np.isnan(mixture_p(5.1, 1, -1))
    assert lrt_statistic(-500.0, -500.0 - 1e-8) == 0.0 and lrt_statistic(-500.0, -501.0) == 2.0


@pytest.mark.option("MixedFit.ranova", "size under a true null hypothesis, 600 samples")
def test_the_size_of_the_test_of_a_slope() -> None:
    """Intercepts vary, slopes do not: the mixture rejects in 5 of 100 samples, plain chi-square in fewer."""
    rng = np.random.default_rng(20250402)
    g, t = np.repeat(np.arange(60), 6), np.tile(np.arange(6.0), 60)
    d = pd.DataFrame({"g": g, "t": t, "y": rng.normal(size=360)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        large, small = ak.mixed("y ~ t + (t | g)", d), ak.mixed("y ~ t + (1 | g)", d)
        mixture, plain, count = 0, 0, 600
        for _ in range(count):
            y = rng.normal(size=60)[g] + rng.normal(size=360)
            chisq = lrt_statistic(large.refit(y).log_likelihood, small.refit(y).log_likelihood)
            mixture += mixture_p(chisq, 2, 1) < 0.05
            plain += chi2.sf(chisq, 2) < 0.05
    low, high = binom.interval(0.999, count, 0.05)
    assert low <= mixture <= high
    assert plain < mixture


@pytest.mark.filterwarnings("ignore:no unit of 't' shows arma, armb together")
def test_each_term_is_reduced_by_one_effect() -> None:
    d = crossed_and_nested().assign(arm=lambda f: np.where(f["p"] % 2, "b", "a"))
    cases = {
        "y ~ x + (x * z | p) + (1 | r)": ["x:z in (1 + x + z + x:z | p)", "(1 | r)"],
        "y ~ x + (x + z | p)": ["x in (1 + x + z | p)", "z in (1 + x + z | p)"],
        "y ~ x + (x || p)": ["(1 | p)", "(0 + x | p)"],
        "y ~ x + (1 | p) + (0 + x | p)": ["(1 | p)", "(0 + x | p)"],
        "y ~ x + (0 + x | p)": ["(0 + x | p)"],
        "y ~ x + (0 + arm | t)": ["arm in (0 + arm | t)"],
        "y ~ x + (1 | c/t)": ["(1 | t:c)", "(1 | c)"],
    }
    for formula, removed in cases.items():
        fit = fit_quietly(formula, d)
        table = fit.ranova().tidy()
        assert table["removed"].tolist() == ["<none>", *removed], formula
        assert (table["log_likelihood"].iloc[1:] <= fit.log_likelihood + 1e-6).all()
    reduced = fit_quietly("y ~ x + (0 + arm | t)", d).ranova().tidy().iloc[1]
    assert reduced["log_likelihood"] == pytest.approx(fit_quietly("y ~ x + (1 | t)", d).log_likelihood, abs=1e-6)
    assert reduced["df"] == 2


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_row_is_the_model_without_the_term(method: str) -> None:
    d = growth().assign(w=np.random.default_rng(5).gamma(4, 0.25, 240) + 0.1)
    fit = fit_quietly(FORMULA, d, method=method, weights="w")
    table = fit.ranova().tidy().set_index("removed")
    smaller = ak.mixed("y ~ time + (1 + time | patient)", d, method=method, weights="w")
    assert table.loc["(1 | therapist)", "log_likelihood"] == pytest.approx(smaller.log_likelihood, abs=1e-7)
    both = ak.compare(smaller, fit, criterion=method).tidy().iloc[1]
    for column in ("chisq", "df", "p_value", "p_mixture"):
        assert table.loc["(1 | therapist)", column] == pytest.approx(both[column], abs=1e-6)
    single = ak.mixed("y ~ time + (1 | patient)", d, method=method, weights="w").ranova().tidy()
    X, y, w = np.column_stack([np.ones(240), d["time"]]), d["y"].to_numpy(), d["w"].to_numpy()
    beta = np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * y))
    rss, n, p = float((w * (y - X @ beta) ** 2).sum()), 240, 2
    dof = n - p if method == "REML" else n
    expected = -0.5 * (dof * (np.log(2 * np.pi * rss / dof) + 1) - np.log(w).sum())
    if method == "REML":
        expected -= 0.5 * np.linalg.slogdet(X.T @ (w[:, None] * X))[1]
    assert single["log_likelihood"].iloc[1] == pytest.approx(expected, abs=1e-8)


def test_notes_and_printing() -> None:
    result = ak.mixed(FORMULA, growth()).ranova()
    for piece in ("single term deletions", "time in (1 + time | patient)", "Pr(mixture)", "cannot be negative"):
        assert piece in repr(result)
    assert result.glance().loc[0, "tests"] == 2 and result.glance().loc[0, "method"] == "REML"
    singular = fit_quietly("y ~ time + (time | patient) + (1 | coin)", growth().assign(coin=lambda f: f.index % 2))
    assert singular.singular and "singular" in " ".join(singular.ranova().notes)
    slopes = fit_quietly(
        "y ~ x + (0 + who + x | t)", crossed_and_nested().assign(who=lambda f: "w" + f["s"].astype(str))
    )
    assert slopes.ranova().tidy()["p_mixture"].isna().sum() == 2  # five levels at once: no mixture; and the whole model
    structured = ak.mixed("y ~ time + (1 | patient)", growth(), residual_structure=ak.ar1(time="time", by="patient"))
    with pytest.raises(ak.SpecError, match=r"residual structure.*ak\.compare"):
        structured.ranova()
    plain = ak.mixed("y ~ time + (1 | patient)", growth())
    tested = ak.compare(plain, structured)
    assert np.isnan(tested.tidy().loc[1, "p_mixture"]) and not any("boundary" in n for n in tested.notes)


@pytest.mark.option("compare.criterion", "the difference of the restricted likelihoods")
def test_comparisons_of_variances_by_reml() -> None:
    d = growth()
    small, big = ak.mixed("y ~ time + (1 | patient)", d), ak.mixed("y ~ time + (time | patient)", d)
    by_reml = ak.compare(small, big, criterion="REML")
    assert by_reml.tidy().loc[1, "chisq"] == pytest.approx(2 * (big.log_likelihood - small.log_likelihood), rel=1e-9)
    assert not any("again" in note for note in by_reml.notes)
    by_ml = ak.compare(small, big)
    assert by_ml.tidy().loc[1, "chisq"] != pytest.approx(by_reml.tidy().loc[1, "chisq"], rel=1e-3)
    assert "2 of 2 models had been fitted by REML and were fitted again by ML" in by_ml.notes[0]
    mixed_criteria = ak.compare(small.with_method("ML"), big, criterion="REML")
    assert mixed_criteria.tidy().loc[1, "chisq"] == pytest.approx(by_reml.tidy().loc[1, "chisq"], rel=1e-6)
    assert "1 of 2 models had been fitted by ML and were fitted again by REML" in mixed_criteria.notes[0]
    with pytest.raises(ak.SpecError, match="different fixed effects cannot be compared"):
        ak.compare(ak.mixed("y ~ 1 + (1 | patient)", d), big, criterion="REML")
    with pytest.raises(ak.SpecError, match="Did you mean criterion='REML'"):
        ak.compare(small, big, criterion="RELM")


def test_which_p_value_a_comparison_names() -> None:
    d = crossed_and_nested()
    formulas = ("y ~ x + (1 | p)", "y ~ x + (x || p)", "y ~ x + (x | p)")
    table = ak.compare(*[fit_quietly(f, d) for f in formulas]).tidy()
    assert np.isnan(table.loc[2, "p_mixture"])  # a covariance alone is no boundary: plain chi-square
    row = table.loc[1]
    assert row["p_mixture"] == pytest.approx(row["p_value"] / 2)
    with_fixed = ak.compare(fit_quietly("y ~ 1 + (1 | p)", d), fit_quietly("y ~ x + (x | p)", d)).tidy().loc[1]
    assert with_fixed["df"] == 3
    assert with_fixed["p_mixture"] == pytest.approx(mixture_p(with_fixed["chisq"], 3, 1))
    two = ak.compare(fit_quietly("y ~ x + (1 | p)", d), fit_quietly("y ~ x + (x + z | p)", d))
    assert np.isnan(two.tidy().loc[1, "p_mixture"]) and any("2 random effects at once" in n for n in two.notes)
    apart = ak.compare(fit_quietly("y ~ x + (1 | r)", d), fit_quietly("y ~ x + (x | p)", d))
    assert np.isnan(apart.tidy().loc[1, "p_mixture"]) and any("not nested" in n for n in apart.notes)
    fixed_only = ak.compare(fit_quietly("y ~ 1 + (1 | p)", d), fit_quietly("y ~ x + (1 | p)", d))
    assert np.isnan(fixed_only.tidy().loc[1, "p_mixture"])
    assert not any("boundary" in note for note in fixed_only.notes)


def test_the_order_of_names_in_a_grouping_factor_does_not_matter() -> None:
    rng = np.random.default_rng(8)
    batch, cask = np.repeat(np.arange(8), 6), np.tile(np.repeat(np.arange(3), 2), 8)
    y = rng.normal(size=8)[batch] + rng.normal(size=(8, 3))[batch, cask] + rng.normal(0, 0.5, 48)
    data = pd.DataFrame({"y": y, "batch": batch, "cask": cask})
    found = ak.compare(ak.mixed("y ~ 1 + (1 | batch:cask)", data), ak.mixed("y ~ 1 + (1 | batch/cask)", data))
    assert not any("not nested" in note for note in found.notes)
    assert found.tidy()["p_mixture"].iloc[1] == pytest.approx(found.tidy()["p_value"].iloc[1] / 2)


def test_the_message_names_the_variances_that_are_zero() -> None:
    names = ("(Intercept)", "time")
    zero = boundary_text("g", names, np.zeros(2))
    assert zero.startswith("the variances of (Intercept), time by g are estimated as zero")
    assert boundary_text("g", names, np.array([2.0, 0.0])).startswith("the variance of time by g is estimated as zero")
    assert "a correlation is one" in boundary_text("g", names, np.ones(2))


def test_patients_within_therapists_are_the_same_units_under_both_names() -> None:
    data = growth()
    data["team"] = data["patient"] % 5  # crossed with therapists: other units
    null = fit_quietly("y ~ 1 + (1 | therapist/patient)", data)
    nested = fit_quietly("y ~ time + (1 + time | patient) + (1 | therapist)", data)
    assert not any("not nested" in note for note in ak.compare(null, nested).notes)
    crossed = fit_quietly("y ~ time + (1 + time | patient) + (1 | team)", data)
    assert any("not nested" in note for note in ak.compare(null, crossed).notes)
