"""The between-arm effect size by hand, its defaults, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import alliancekit as ak
from alliancekit.multilevel.after.effect_size import small_sample_factor
from alliancekit.multilevel.api import MixedFit

from .test_means import FORMULA, trial

PLAIN = "y ~ arm * session + (1 + session | patient)"


@pytest.fixture(scope="module")
def fit() -> MixedFit:
    return ak.mixed(PLAIN, trial())


@pytest.mark.option("MixedFit.effect_size.arm", "by hand")
def test_one_row_per_arm_against_the_reference(fit: MixedFit) -> None:
    result = fit.effect_size()
    table, b = result.tidy(), fit.fixed_effects
    assert table["term"].tolist() == ["CBT - TAU", "IPT - TAU"]
    G = fit.covariances()["patient"].to_numpy()
    sd = np.sqrt(G[0, 0] + fit.sigma**2)  # at session 0 only the intercept varies
    np.testing.assert_allclose(table["sd"], sd)
    np.testing.assert_allclose(table["difference"], 5 * b[["armCBT:session", "armIPT:session"]])
    np.testing.assert_allclose(table["estimate"], table["difference"] / sd)
    assert result.parts["component"].tolist() == ["patient", "Residual"]
    assert (result.arm, result.time, result.kind, result.start, result.end) == ("arm", "session", "change", 0.0, 5.0)
    assert (table["hedges_g"].abs() < table["estimate"].abs()).all()


def test_the_sd_is_that_of_the_start(fit: MixedFit) -> None:
    G, z = fit.covariances()["patient"].to_numpy(), np.array([1.0, 2.0])
    table = fit.effect_size(at={"session": [2, 5]}).tidy()
    np.testing.assert_allclose(table["sd"], np.sqrt(z @ G @ z + fit.sigma**2))
    np.testing.assert_allclose(table["difference"], 3 * fit.fixed_effects[["armCBT:session", "armIPT:session"]])
    again = fit.effect_size(duration=3, at={"session": 2}).tidy()
    np.testing.assert_array_equal(again["estimate"], table["estimate"])
    whole = fit.effect_size(duration=3).tidy()
    np.testing.assert_array_equal(whole["difference"], table["difference"])


def test_pooled_and_given_sd(fit: MixedFit) -> None:
    d = fit.data[fit.data["session"] == 0]
    within = d["y"] - d.groupby("arm", observed=True)["y"].transform("mean")
    df = len(d) - 3
    sd = np.sqrt((within**2).sum() / df)
    pooled = fit.effect_size(sd="pooled").tidy()
    np.testing.assert_allclose(pooled["sd"], sd)
    expected = np.sqrt(pooled["difference_error"] ** 2 + pooled["estimate"] ** 2 * sd**2 / (2 * df)) / sd
    np.testing.assert_allclose(pooled["std_error"], expected)
    np.testing.assert_allclose(pooled["hedges_g"] / pooled["estimate"], small_sample_factor(df))
    given = fit.effect_size(sd=4.0)
    np.testing.assert_allclose(given.tidy()["estimate"], pooled["difference"] / 4)
    np.testing.assert_array_equal(given.tidy()["hedges_g"], given.tidy()["estimate"])
    np.testing.assert_allclose(given.tidy()["std_error"], pooled["difference_error"] / 4)
    assert given.sd_kind == "given" and not given.sd_error


def test_the_interval_can_take_the_sd_as_known(fit: MixedFit) -> None:
    whole, known = fit.effect_size().tidy(), fit.effect_size(sd_error=False).tidy()
    np.testing.assert_allclose(known["std_error"], known["difference_error"] / known["sd"])
    assert (whole["std_error"] > known["std_error"]).all()
    np.testing.assert_array_equal(whole["estimate"], known["estimate"])
    np.testing.assert_array_equal(whole["p_value"], known["p_value"])


def test_hedges_factor() -> None:
    for df in (2.0, 10.0, 57.5):
        exact = special.gamma(df / 2) / (np.sqrt(df / 2) * special.gamma((df - 1) / 2))
        assert small_sample_factor(df) == pytest.approx(exact, rel=1e-12)
    assert small_sample_factor(200.0) == pytest.approx(1 - 3 / (4 * 200 - 1), rel=1e-5)
    assert small_sample_factor(float("inf")) == 1.0 and np.isnan(small_sample_factor(1.0))


@pytest.mark.option("MixedFit.effect_size.time", "by hand")
def test_time_as_a_factor_and_as_a_curve() -> None:
    d = trial()
    curve = ak.mixed("y ~ arm * poly(session, 2) + (1 | patient)", d)
    steps = ak.mixed("y ~ arm * factor(session) + (1 | patient)", d)
    one = curve.effect_size(time="session", at={"session": [0, 5]}).tidy()
    two = steps.effect_size(time="session", at={"session": ["0", "5"]}).tidy()
    three = steps.effect_size(time="session").tidy()
    np.testing.assert_allclose(
        two["difference"], steps.fixed_effects[["armCBT:factor(session)5", "armIPT:factor(session)5"]]
    )
    np.testing.assert_array_equal(two["estimate"], three["estimate"])
    assert np.sign(one["estimate"]).tolist() == np.sign(two["estimate"]).tolist()
    change = curve.contrasts(["arm", "session"], "reference", at={"session": [0, 5]}, interaction=True).tidy()
    np.testing.assert_allclose(one["difference"], change["estimate"], rtol=1e-8)


@pytest.mark.option("MixedFit.effect_size.kind", "by hand")
def test_adjusted_means_of_a_trial_measured_once() -> None:
    d = trial().query("session == 5").assign(therapist=lambda f: f["patient"] % 9)
    fit = ak.mixed("y ~ severity + arm + (1 | therapist)", d)
    result = fit.effect_size()
    assert result.kind == "means" and result.time is None
    np.testing.assert_allclose(result.tidy()["difference"], fit.fixed_effects[["armCBT", "armIPT"]])
    assert "adjusted means of y" in repr(result) and "SD at equal severity" in repr(result)
    pooled = fit.effect_size(sd="pooled").tidy()["sd"].iloc[0]
    assert pooled > result.tidy()["sd"].iloc[0]
    course = ak.mixed(PLAIN, trial())
    at_end = course.effect_size(kind="means", ddf="kenward-roger").tidy()
    difference = course.contrasts("arm", "reference", at={"session": 5}, ddf="kenward-roger", adjust="none").tidy()
    np.testing.assert_allclose(at_end["difference"], difference["estimate"])
    np.testing.assert_allclose(at_end["df"], difference["df"])
    np.testing.assert_allclose(at_end["sd"], course.effect_size().tidy()["sd"])


def test_a_random_effect_in_one_arm_only_enters_as_its_mean() -> None:
    d = trial().assign(treated=lambda f: (f["arm"] != "TAU").astype(float), therapist=lambda f: f["patient"] % 7)
    fit = ak.mixed("y ~ treated * session + (1 | patient) + (0 + treated | therapist)", d)
    parts = fit.effect_size(arm="treated", time="session").parts.set_index("component")["variance"]
    assert parts["therapist"] == pytest.approx(fit.covariances()["therapist"].iloc[0, 0] / 2)


def test_a_residual_correlation_leaves_the_sd_alone() -> None:
    d = trial()
    fit = ak.mixed("y ~ arm * session + (1 | patient)", d, residual_structure=ak.ar1(time="session", by="patient"))
    table = fit.effect_size(time="session").tidy()
    total = fit.covariances()["patient"].iloc[0, 0] + fit.sigma**2
    np.testing.assert_allclose(table["sd"], np.sqrt(total))
    assert (table["std_error"] > 0).all()
    uneven = ak.mixed("y ~ arm * session + (1 | patient)", d, residual_structure=ak.heteroscedastic(by="site"))
    with pytest.raises(ak.SpecError, match="one residual variance"):
        uneven.effect_size(time="session")
    assert uneven.effect_size(time="session", sd="pooled").sd_kind == "pooled"


def test_printing_says_what_the_sd_is_made_of(fit: MixedFit) -> None:
    text = repr(fit.effect_size())
    assert "difference in change in y from session 0 to 5" in text
    assert "random effects of patient, and residual" in text and "counts the error of the SD" in text
    assert "takes the SD as known" in repr(fit.effect_size(sd=3.0)) and "an SD that was given" in repr(
        fit.effect_size(sd=3.0)
    )
    adjusted = repr(ak.mixed(FORMULA, trial()).effect_size(arm="arm"))
    assert "SD at equal severity, site and female" in adjusted
    assert fit.effect_size().glance().iloc[0]["sd"] == "model"


def test_times_outside_the_data_warn(fit: MixedFit) -> None:
    with pytest.warns(ak.DesignWarning, match="session = 12 lies outside") as caught:
        fit.effect_size(duration=12)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("formula", "options", "text"),
    [
        (PLAIN, {"arm": "amr"}, "Did you mean 'arm'"),
        (PLAIN, {"time": "sesion"}, "Did you mean 'session'"),
        (PLAIN, {"arm": "session"}, "'session' has no levels to compare"),
        (PLAIN, {"kind": "changes"}, "Did you mean kind='change'"),
        (PLAIN, {"sd": "poled"}, "Did you mean sd='pooled'"),
        (PLAIN, {"sd": -1.0}, "no standard deviation"),
        (PLAIN, {"sd": True}, "no standard deviation"),
        (PLAIN, {"duration": 0}, "no length of time"),
        (PLAIN, {"duration": 3, "at": {"session": [0, 5]}}, "both duration and two times"),
        (PLAIN, {"at": {"session": 3}}, "at gives 1 values of 'session'"),
        (PLAIN, {"at": {"arm": "CBT"}}, "needs two arms"),
        (PLAIN, {"level": 1.0}, "not a confidence level"),
        ("y ~ arm + session + (1 + session | patient)", {}, r"Fit arm \* session for a difference in change"),
        ("y ~ arm + session + (1 + session | patient)", {"time": "session"}, "the arms change alike"),
        ("y ~ arm * session + site * session + (1 + session | patient)", {}, "It could be: arm, site"),
        ("y ~ session + (1 + session | patient)", {}, "no variable with levels"),
        (
            "y ~ arm * factor(session) + (1 | patient)",
            {"time": "session", "duration": 3},
            "a factor and has no duration",
        ),
    ],
)
def test_bad_input_is_refused(formula: str, options: dict[str, object], text: str) -> None:
    with pytest.raises(ak.SpecError, match=text):
        ak.mixed(formula, trial()).effect_size(**options)  # type: ignore[arg-type]


def test_too_few_at_the_start_for_a_pooled_sd() -> None:
    d = trial()
    d = d[~((d["session"] == 0) & (d["arm"] == "IPT") & (d["patient"] != d.loc[d["arm"] == "IPT", "patient"].min()))]
    with pytest.raises(ak.DesignError, match="fewer than two observations at session = 0 in IPT"):
        ak.mixed(PLAIN, d).effect_size(sd="pooled")
