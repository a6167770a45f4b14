"""Simple slopes and regions of significance by hand, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.multilevel.after.regions import span_text
from alliancekit.multilevel.api import MixedFit

from .test_means import FORMULA, trial


@pytest.fixture(scope="module")
def fit() -> MixedFit:
    return ak.mixed(FORMULA, trial())


def test_slopes_are_sums_of_coefficients(fit: MixedFit) -> None:
    b, severity = fit.fixed_effects, fit.data["severity"].mean()
    table = fit.slopes("session", by="arm").tidy()
    base = b["session"] + severity * b["session:severity"]
    expected = [base, base + b["armCBT:session"], base + b["armIPT:session"]]
    np.testing.assert_allclose(table["estimate"], expected, rtol=1e-10)
    test = fit.test(f"session + armCBT:session + {severity}*session:severity = 0").iloc[0]
    assert table["p_value"].iloc[1] == pytest.approx(test["p_value"], rel=1e-6)
    difference = fit.slopes("session", by="arm").contrasts("reference", adjust="none").tidy()
    np.testing.assert_allclose(difference["estimate"], b[["armCBT:session", "armIPT:session"]], rtol=1e-9)
    assert "Differences between slopes of y on session" in repr(fit.slopes("session", by="arm").contrasts())


def test_a_moderator_stands_at_its_mean_and_one_sd(fit: MixedFit) -> None:
    x = fit.data["severity"]
    by, at = fit.slopes("session", by="severity"), fit.slopes("session", at={"severity": "mean ± sd"})
    np.testing.assert_allclose(by.tidy()["severity"], [x.mean() - x.std(), x.mean(), x.mean() + x.std()])
    np.testing.assert_array_equal(by.tidy()["estimate"], at.tidy()["estimate"])
    np.testing.assert_allclose(np.diff(by.tidy()["estimate"]), x.std() * fit.fixed_effects["session:severity"])


@pytest.mark.parametrize(
    ("formula", "derivative"),
    [
        ("y ~ poly(session, 3) + (1 | patient)", None),
        ("y ~ session + I(session^2) + (1 | patient)", lambda b, x: b["session"] + 2 * x * b["I(session^2)"]),
        ("y ~ log(session + 1) + (1 | patient)", lambda b, x: b["log(session + 1)"] / (x + 1)),
        ("y ~ sqrt(session + 1) + (1 | patient)", lambda b, x: b["sqrt(session + 1)"] / (2 * np.sqrt(x + 1))),
        ("y ~ scale(session) + (1 | patient)", lambda b, x: b["scale(session)"] / SPREAD + 0 * x),
    ],
)
def test_curves_have_their_derivative(formula: str, derivative: object) -> None:
    fit = ak.mixed(formula, trial())
    x = np.array([0.0, 2.5, 5.0])
    ours = fit.slopes("session", at={"session": x}).tidy()
    if derivative is None:
        powers = ak.mixed("y ~ session + I(session^2) + I(session^3) + (1 | patient)", trial()).fixed_effects
        expected = powers["session"] + 2 * x * powers["I(session^2)"] + 3 * x**2 * powers["I(session^3)"]
    else:
        expected = derivative(fit.fixed_effects, x)  # type: ignore[operator]
    np.testing.assert_allclose(ours["estimate"], expected, rtol=1e-6)
    assert ours["term"].tolist() == ["session 0", "session 2.5", "session 5"]


SPREAD = trial()["session"].std()


def test_a_slope_next_to_the_end_of_a_transform() -> None:
    d = trial().assign(session=lambda f: f["session"] + 1e-4)
    fit = ak.mixed("y ~ log(session) + (1 | patient)", d)
    found = fit.slopes("session", at={"session": [1e-4]}).tidy()["estimate"].iloc[0]
    assert found == pytest.approx(fit.fixed_effects["log(session)"] / 1e-4, rel=1e-5)
    whole = ak.mixed("y ~ sqrt(session) + (1 | patient)", trial())
    with pytest.raises(ak.SpecError, match="the slope is not defined"):
        whole.slopes("session", at={"session": [0]})


@pytest.mark.option("MixedFit.slopes.level", "p values at the bounds")
def test_bounds_are_where_p_crosses_the_level(fit: MixedFit) -> None:
    for level in (0.95, 0.90):
        result = fit.slopes("session", regions="severity", level=level)
        region = result.regions[0]
        assert len(region.bounds) == 2 and region.linear
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.DesignWarning)  # one bound lies outside the data
            at_bounds = fit.slopes("session", at={"severity": list(region.bounds)})
        np.testing.assert_allclose(at_bounds.tidy()["p_value"], 1 - level, rtol=1e-8)
        assert region.table["share"].sum() == pytest.approx(1.0)
        assert region.table["significant"].tolist() in ([True, False, True], [False, True, False])
        assert region.low == fit.data["severity"].min() and region.high == fit.data["severity"].max()


def test_bounds_with_infinite_df_are_the_closed_form(fit: MixedFit) -> None:
    region = fit.slopes("session", regions="severity", ddf="normal", at={"arm": "CBT"}).regions[0]
    names = list(fit.design.names)
    b, V, z = fit.fixed_effects.to_numpy(), fit.vcov().to_numpy(), 1.959963984540054
    one = np.array([float(n in ("session", "armCBT:session")) for n in names])
    two = np.array([float(n == "session:severity") for n in names])
    quadratic = [
        (two @ b) ** 2 - z**2 * two @ V @ two,
        2 * (one @ b) * (two @ b) - 2 * z**2 * one @ V @ two,
        (one @ b) ** 2 - z**2 * one @ V @ one,
    ]
    np.testing.assert_allclose(region.bounds, np.sort(np.roots(quadratic).real), rtol=1e-9)


def test_regions_by_arm_and_over_a_curved_moderator() -> None:
    d = trial()
    fit = ak.mixed("y ~ session * poly(severity, 2) + session * arm + (1 + session | patient)", d)
    result = fit.slopes("session", by="arm", regions="severity")
    assert [r.where["arm"] for r in result.regions] == ["TAU", "CBT", "IPT"]
    assert not any(r.linear for r in result.regions)
    for region in result.regions:
        assert all(region.low < b < region.high for b in region.bounds)
        for bound in region.bounds:
            p = fit.slopes("session", at={"severity": bound, "arm": region.where["arm"]}).tidy()["p_value"].iloc[0]
            assert p == pytest.approx(0.05, rel=1e-6)
    assert "Region of significance of the slope of session over severity, arm = TAU" in repr(result)


def test_regions_in_words() -> None:
    assert span_text("x", -np.inf, np.inf) == "all observed values of x"
    assert span_text("x", -np.inf, 2.0) == "x below 2"
    assert span_text("x", 1.0, np.inf) == "x above 1"
    assert span_text("x", 1.0, 2.0) == "x 1 to 2"


def test_one_slope_over_everything(fit: MixedFit) -> None:
    table = fit.slopes("female").tidy()
    assert table["term"].tolist() == ["overall"]
    assert table["estimate"].iloc[0] == pytest.approx(fit.fixed_effects["female"])
    assert "Averaged" not in repr(fit.slopes("female")) and "session" not in repr(fit.slopes("female"))
    assert fit.slopes("session").glance().iloc[0]["variable"] == "session"


@pytest.mark.parametrize(
    ("variable", "options", "text"),
    [
        ("sesion", {}, "Did you mean 'session'"),
        ("arm", {}, "'arm' is a factor and has no slope"),
        (["session"], {}, "slopes are of one covariate"),
        ("session", {"by": "site"}, "the slope of 'session' does not depend on 'site' in this model"),
        ("severity", {"by": "arm"}, r"Add the interaction to the formula: severity \* arm"),
        ("session", {"regions": "arm"}, "regions need a moderator with many values"),
        ("session", {"regions": "session"}, "regions need a moderator with many values"),
        ("session", {"by": "arm", "weights": "cells"}, "weights='cells' is not an option"),
        ("session", {"by": "arm", "level": 2}, "not a confidence level"),
        ("session", {"at": {"nothing": [1, 2]}}, "'nothing' is not a variable of the fixed part"),
    ],
)
def test_bad_input_is_refused(fit: MixedFit, variable: object, options: dict[str, object], text: str) -> None:
    with pytest.raises(ak.SpecError, match=text):
        fit.slopes(variable, **options)  # type: ignore[arg-type]


def test_an_offset_has_no_slope_to_ask_for() -> None:
    fit = ak.mixed("y ~ arm + offset(session) + (1 | patient)", trial())
    with pytest.raises(ak.SpecError, match="stands in an offset only"):
        fit.slopes("session")
