"""Profile intervals against independent dense computations, at boundaries, and under changes that must not matter."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import chi2

import alliancekit as ak
from alliancekit.formula.design import build_design
from alliancekit.multilevel.after.natural import parameter_names
from alliancekit.multilevel.after.profile import profile_intervals
from alliancekit.multilevel.gaussian.fit import fit as fit_engine
from alliancekit.multilevel.gaussian.profile import parameters
from tests.unit.multilevel.test_mixed import FORMULA, growth
from tests.unit.multilevel.test_objective import FORMULAS

RISE = chi2.ppf(0.95, 1)
SLOPE = "y ~ time + (1 + time | patient)"


def limits(fit: Any, **options: Any) -> pd.DataFrame:
    return fit.confint(method="profile", **options).set_index("term")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 200
    a = rng.integers(0, 24, n)
    out = pd.DataFrame({"a": a, "b": a // 3, "c": a // 9, "r": rng.integers(0, 7, n), "s": rng.integers(0, 5, n)})
    out["x"], out["z"], out["w"] = 2005 + 4 * rng.random(n), rng.normal(size=n), rng.gamma(4, 0.25, n) + 0.1
    slope = 0.5 * rng.normal(size=24)[a] * (out["x"] - 2007)
    out["y"] = 3 + 0.4 * out["x"] + rng.normal(size=24)[a] + slope + rng.normal(size=n)
    return out


# --- the held deviance ---


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_held_deviances_and_their_derivatives(frame: pd.DataFrame, formula: str) -> None:
    """At the estimate every held deviance is the fit's; its derivatives are those of differences."""
    fit = fit_engine(build_design(formula, frame, weights="w"), False)
    rng = np.random.default_rng(2)
    for held in parameters(fit, [term for _, term in parameter_names(fit)]):
        at, start, evaluate = held.profiled.estimate, held.profiled.start, held.profiled.evaluate
        value = evaluate(at, start)[0]
        assert value == pytest.approx(fit.deviance, rel=1e-9), held.name
        c, x = at + 0.05 * rng.normal(), start + 0.2 * rng.normal(size=start.size)
        if held.kind == "cor":
            c = at + 0.2 * rng.normal() * np.sin(at)
        _, slope, by_c = evaluate(c, x)
        h = 1e-5
        for i in range(x.size):
            step = h * np.eye(x.size)[i]
            numeric = (evaluate(c, x + step)[0] - evaluate(c, x - step)[0]) / (2 * h)
            assert slope[i] == pytest.approx(numeric, rel=1e-4, abs=2e-3), (held.name, i)
        numeric = (evaluate(c + h, x)[0] - evaluate(c - h, x)[0]) / (2 * h)
        assert by_c == pytest.approx(numeric, rel=1e-4, abs=2e-3), held.name


# --- independent computations ---


def test_fixed_effect_in_a_balanced_random_intercept_model() -> None:
    """Held slope, sums of squares within and between in closed form: -2 log L of a balanced one-way layout."""
    rng = np.random.default_rng(8)
    L, m = 15, 6
    g = np.repeat(np.arange(L), m)
    x = np.tile(np.arange(float(m)), L)
    d = pd.DataFrame({"g": g, "x": x, "y": 2 + 0.3 * x + 1.2 * rng.normal(size=L)[g] + rng.normal(size=L * m)})
    fit = ak.mixed("y ~ x + (1 | g)", d, method="ML")

    def least(slope: float) -> float:
        residual = d["y"] - slope * x
        means = residual.groupby(g).mean()
        within = float(((residual - means.to_numpy()[g]) ** 2).sum())
        between = float(m * ((means - means.mean()) ** 2).sum())
        # sigma^2 from `within` with L(m - 1), sigma^2 + m tau^2 from `between` with L degrees of freedom
        s2, b2 = within / (L * (m - 1)), between / L
        assert b2 > s2
        return L * (m - 1) * np.log(s2) + L * np.log(b2) + L * m * (1 + np.log(2 * np.pi))

    best = fit.fixed_effects["x"]
    assert least(best) == pytest.approx(-2 * fit.log_likelihood, abs=1e-7)
    ours = limits(fit).loc["x"]
    for side, column in ((-1, "conf_low"), (1, "conf_high")):
        root = brentq(lambda s: least(s) - least(best) - RISE, best, best + side * 1.0, xtol=1e-12)
        assert ours[column] == pytest.approx(root, rel=1e-7)


def dense_least(d: pd.DataFrame, held: str, value: float, start: np.ndarray) -> float:
    """Least -2 log-likelihood of y ~ time + (1 + time | patient) with one natural parameter held; n x n matrices."""
    X = np.column_stack([np.ones(len(d)), d["time"]])
    same = (d["patient"].to_numpy()[:, None] == d["patient"].to_numpy()[None, :]).astype(float)
    weights = d["w"].to_numpy() if "w" in d else np.ones(len(d))
    names = ["sd_(Intercept)|patient", "sd_time|patient", "cor_time.(Intercept)|patient", "sigma"]
    free = [i for i, name in enumerate(names) if name != held]

    def deviance(x: np.ndarray) -> float:
        natural = np.empty(4)
        natural[free] = x
        if held in names:
            natural[names.index(held)] = value
        natural[2] = np.clip(natural[2], -1, 1)
        s0, s1, r, sigma = natural
        G = np.array([[s0**2, r * s0 * s1], [r * s0 * s1, s1**2]])
        V = (X @ G @ X.T) * same + np.diag(sigma**2 / weights)
        inverse = np.linalg.inv(V)
        residual = d["y"].to_numpy() - X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ d["y"].to_numpy())
        return float(len(d) * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + residual @ inverse @ residual)

    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
    found = minimize(deviance, start[free], method="Nelder-Mead", options=options)
    return float(minimize(deviance, found.x, method="Nelder-Mead", options=options).fun)


@pytest.mark.parametrize("weights", [None, "w"])
def test_random_slope_model_against_dense_search(weights: str | None) -> None:
    d = growth(seed=5, patients=14, sessions=5)
    if weights:
        d["w"] = np.random.default_rng(1).gamma(4, 0.25, len(d)) + 0.2
    fit = ak.mixed(SLOPE, d, method="ML", weights=weights)
    table = limits(fit)
    random = table[table["component"] == "random"]
    start = random.loc[
        ["sd_(Intercept)|patient", "sd_time|patient", "cor_time.(Intercept)|patient", "sigma"], "estimate"
    ].to_numpy()
    for name, row in random.iterrows():
        for value in (row["conf_low"], row["conf_high"]):
            rise = dense_least(d, str(name), value, start) + 2 * fit.log_likelihood
            if value in (0.0, -1.0, 1.0):
                assert rise <= RISE + 1e-4, (name, value)
            else:
                assert rise == pytest.approx(RISE, abs=1e-4), (name, value)


def test_crossed_and_nested_slopes_are_held_by_offset() -> None:
    """A held fixed effect is an offset: an ordinary fit without the column has the profile's deviance."""
    d = growth().assign(rater=lambda f: np.arange(len(f)) % 5)
    formula = "y ~ {} + (1 + time | patient) + (1 | therapist) + (1 | rater)"
    fit = ak.mixed(formula.format("time"), d, method="ML")
    for value in limits(fit, parameters=["time"]).loc["time", ["conf_low", "conf_high"]]:
        held = ak.mixed(formula.format("1 + offset(o)"), d.assign(o=value * d["time"]), method="ML")
        assert 2 * (fit.log_likelihood - held.log_likelihood) == pytest.approx(RISE, abs=1e-6)


# --- what must not matter ---


def test_origin_and_unit_of_time() -> None:
    names = ["time", "sd_time|patient", "sd_(Intercept)|therapist", "sigma"]
    here = limits(ak.mixed(FORMULA, growth()), parameters=names)[["conf_low", "conf_high"]]
    there = limits(ak.mixed(FORMULA, growth(start=2000.0)), parameters=names)[["conf_low", "conf_high"]]
    np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-6)
    fast = limits(ak.mixed(FORMULA, growth().assign(time=lambda f: f["time"] * 1e4)), parameters=names)
    np.testing.assert_allclose(
        fast.loc["sd_time|patient", "conf_high"] * 1e4, here.loc["sd_time|patient"].iloc[1], rtol=1e-5
    )


def test_unit_of_the_outcome_and_of_the_weights() -> None:
    d = growth().assign(w=1.0)
    one = limits(ak.mixed(SLOPE, d, method="ML"))[["conf_low", "conf_high"]]
    big = limits(ak.mixed(SLOPE, d.assign(y=d["y"] * 1e5), method="ML"))[["conf_low", "conf_high"]]
    scale = np.where(one.index.str.startswith("cor_"), 1.0, 1e5)[:, None]
    np.testing.assert_allclose(big / scale, one, rtol=1e-6)
    heavy = limits(ak.mixed(SLOPE, d.assign(w=9.0), method="ML", weights="w"))[["conf_low", "conf_high"]]
    scale = np.where(heavy.index == "sigma", 3.0, 1.0)[:, None]
    np.testing.assert_allclose(heavy / scale, one, rtol=1e-6)


@pytest.mark.option("MixedFit.confint.parameters", "unit")
def test_some_parameters_have_the_limits_they_have_among_all() -> None:
    fit = ak.mixed(FORMULA, growth())
    names = ["sigma", "cor_time.(Intercept)|patient", "time"]
    some, every = limits(fit, parameters=names), limits(fit)
    assert some.index.tolist() == ["time", "cor_time.(Intercept)|patient", "sigma"], "in the order of the model"
    pd.testing.assert_frame_equal(some, every.loc[some.index])
    for method in ("wald", "bootstrap"):
        table = fit.confint(method=method, parameters="sd_time|patient", n=20)
        assert table["term"].tolist() == ["sd_time|patient"] and table.attrs["method"] == method


@pytest.mark.option("MixedFit.confint.level", "chi-square quantile")
def test_level() -> None:
    fit = ak.mixed(SLOPE, growth(), method="ML")
    for level in (0.5, 0.99):
        low, high = limits(fit, level=level, parameters=["time"]).loc["time", ["conf_low", "conf_high"]]
        for value in (low, high):
            d = growth()
            held = ak.mixed("y ~ offset(o) + (1 + time | patient)", d.assign(o=value * d["time"]), method="ML")
            assert 2 * (fit.log_likelihood - held.log_likelihood) == pytest.approx(chi2.ppf(level, 1), abs=1e-6)


# --- boundaries ---


def singular_fit() -> Any:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(12), 8)
    time = np.tile(np.arange(8.0), 12)
    e = rng.normal(size=96)
    d = pd.DataFrame({"g": g, "time": time, "y": 5 + time + e - pd.Series(e).groupby(g).transform("mean")})
    with pytest.warns(ak.BoundaryWarning):
        return ak.mixed("y ~ time + (1 + time | g)", d, method="ML")


def test_singular_fit_has_one_sided_limits() -> None:
    fit = singular_fit()
    wald, profile = fit.confint().set_index("term"), limits(fit)
    assert wald.loc["sd_(Intercept)|g", ["conf_low", "conf_high"]].isna().all()
    for name in ("sd_(Intercept)|g", "sd_time|g"):
        low, high = profile.loc[name, ["conf_low", "conf_high"]]
        assert low == 0.0 and 0.0 < high < 2.0
    assert profile.loc["cor_time.(Intercept)|g", ["conf_low", "conf_high"]].tolist() == [-1.0, 1.0]
    assert np.isfinite(profile.loc[["(Intercept)", "time", "sigma"], ["conf_low", "conf_high"]]).all().all()


def test_zero_variance_leaves_the_interval_of_least_squares() -> None:
    """Groups with equal means: the profile of a slope is that of ordinary least squares, n log RSS."""
    fit = singular_fit()
    y, X = np.asarray(fit.design.y), fit.design.X
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        plain = ak.mixed("y ~ time + (1 | g)", fit.data, method="ML")
    rest = float(((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum())
    spread = np.sqrt(np.linalg.inv(X.T @ X)[1, 1] * rest * (np.exp(RISE / len(y)) - 1))
    low, high = limits(plain).loc["time", ["conf_low", "conf_high"]]
    assert (high - low) / 2 == pytest.approx(spread, rel=1e-6)


def test_saturated_units_leave_sigma_without_lower_limit() -> None:
    """Two rows per person with a variance of its own for each: nothing tells sigma from these variances."""
    d = growth(patients=30, sessions=2).assign(late=lambda f: f["time"], early=lambda f: 1 - f["time"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        formula = "y ~ time + (1 | patient) + (0 + early | patient) + (0 + late | patient)"
        fit = ak.mixed(formula, d, method="ML")
    assert limits(fit, parameters=["sigma"]).loc["sigma", "conf_low"] == 0.0


def test_a_profile_below_the_fit_tells_of_a_local_optimum() -> None:
    fit = ak.mixed(SLOPE, growth(), method="ML")._fit
    stopped = replace(fit, optimum=replace(fit.optimum, deviance=fit.deviance + 20.0))
    with pytest.warns(ak.ConvergenceWarning, match=r"deviance is lower by .* \(profile of time\)"):
        profile_intervals(stopped, 0.95, ["time"])


# --- the result, and bad input ---


@pytest.mark.option("MixedFit.profile.parameters", "unit")
@pytest.mark.option("MixedFit.profile.level", "unit")
def test_curves_pass_through_the_limits() -> None:
    fit = ak.mixed(FORMULA, growth())
    profile = fit.profile(level=0.9)
    pd.testing.assert_frame_equal(profile.tidy(), fit.confint(method="profile", level=0.9))
    z = np.sqrt(chi2.ppf(0.9, 1))
    points = profile.augment()
    for row in profile.tidy().itertuples():
        own = points[points["term"] == row.term]
        assert own["value"].is_monotonic_increasing and own["zeta"].is_monotonic_increasing, row.term
        np.testing.assert_allclose(own["zeta"] ** 2, own["deviance"] - profile.deviance, atol=1e-8)
        at = np.interp([row.conf_low, row.conf_high], own["value"], own["zeta"])
        assert at[1] == pytest.approx(z, abs=0.03), row.term
        assert at[0] == pytest.approx(-z, abs=0.03) or row.conf_low == 0.0, row.term
    assert "fitted by REML; profiles are of the ML likelihood" in repr(profile)
    some = fit.profile(parameters="sigma")
    assert some.tidy()["term"].tolist() == ["sigma"] and some.glance()["parameters"].tolist() == [1]


def test_table_sentence_and_figure_hold_the_same_numbers() -> None:
    profile = ak.mixed(SLOPE, growth(), method="ML").profile(parameters=["time", "sigma"])
    table = ak.table(profile)
    np.testing.assert_array_equal(table.data["conf_low"], profile.tidy()["conf_low"])
    low, high = profile.tidy().loc[0, ["conf_low", "conf_high"]]
    assert f"{low:.3f}".replace("-", "\u2212") in ak.sentence(profile).text
    figure = ak.figure(profile, "profile")
    assert f"time from {low:.3g} to {high:.3g}" in figure.alt
    assert figure.data.equals(profile.augment()) and len(figure.draw().axes) == 2
    with pytest.raises(ak.SpecError, match="kind='bootstrap' is not an option"):
        ak.figure(profile, "bootstrap")


def test_variance_components_take_the_limits() -> None:
    fit = ak.mixed(FORMULA, growth())
    table, profile = fit.variance_components(interval="profile"), limits(fit)
    assert table["conf_low"].tolist() == profile.loc[profile["component"] == "random", "conf_low"].tolist()
    assert table["sd_or_correlation"].tolist() == fit.variance_components()["sd_or_correlation"].tolist()
    assert table.attrs["interval"] == "profile"
    with pytest.raises(ak.SpecError, match="Did you mean interval='profile'"):
        fit.variance_components(interval="profil")


def test_words_and_names_that_are_none() -> None:
    fit = ak.mixed(FORMULA, growth())
    with pytest.raises(ak.SpecError, match="Did you mean method='profile'"):
        fit.confint(method="profil")
    with pytest.raises(ak.SpecError, match="not a confidence level"):
        fit.confint(method="profile", level=95)
    with pytest.raises(ak.SpecError, match=r"Did you mean 'sd_time\|patient'"):
        fit.profile(parameters=["sd_tim|patient"])
    with pytest.raises(ak.SpecError, match="'nonsense' is not a parameter of the model"):
        fit.confint(parameters=["nonsense"])
    with pytest.raises(ak.SpecError, match="ddf has no meaning for method='profile'"):
        fit.confint(method="profile", ddf="normal")
