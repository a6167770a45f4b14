"""Marginal means: what they are by hand, what must not matter, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.multilevel.api import MixedFit


def trial(seed: int = 5, patients: int = 60) -> pd.DataFrame:
    """Three arms of unequal size, two sites, six sessions; severity and an indicator of the patient."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(["TAU", "CBT", "IPT"], patients, p=[0.5, 0.3, 0.2])
    site = rng.choice(["Bern", "Zug"], patients, p=[0.7, 0.3])
    severity = rng.normal(20, 5, patients)
    female = rng.integers(0, 2, patients)
    patient = np.repeat(np.arange(patients), 6)
    session = np.tile(np.arange(6.0), patients)
    slope = np.where(arm == "TAU", -0.2, np.where(arm == "CBT", -1.0, -0.7)) - 0.03 * (severity - 20)
    y = 25 + rng.normal(0, 2, patients)[patient] + slope[patient] * session + 0.4 * severity[patient]
    return pd.DataFrame(
        {
            "patient": patient,
            "arm": pd.Categorical(arm[patient], ["TAU", "CBT", "IPT"]),
            "site": site[patient],
            "session": session,
            "severity": severity[patient],
            "female": female[patient],
            "y": y + rng.normal(0, 1.5, patient.size),
        }
    )


FORMULA = "y ~ arm * session + severity * session + site + female + (1 + session | patient)"


@pytest.fixture(scope="module")
def fit() -> MixedFit:
    return ak.mixed(FORMULA, trial())


def by_hand(fit: MixedFit, weights: str = "equal", **values: object) -> pd.Series:
    """Predict at every combination of levels and average, by arm."""
    d = fit.data
    held = {"session": d["session"].mean(), "severity": d["severity"].mean(), **values}
    grid = pd.MultiIndex.from_product([["TAU", "CBT", "IPT"], ["Bern", "Zug"], [0, 1]], names=["arm", "site", "female"])
    frame = grid.to_frame(index=False).assign(**held)
    share = d.groupby(["site", "female"]).size().rename("share").reset_index()
    frame = frame.merge(share) if weights == "proportional" else frame.assign(share=1.0)
    frame["estimate"] = fit.predict(frame, include_random=False)["estimate"].to_numpy()
    means = frame.groupby("arm", sort=False)[["estimate", "share"]].apply(
        lambda g: np.average(g["estimate"], weights=g["share"])
    )
    return means.loc[["TAU", "CBT", "IPT"]]


def test_means_are_averages_of_predictions(fit: MixedFit) -> None:
    means = fit.means("arm")
    np.testing.assert_allclose(means.tidy()["estimate"], by_hand(fit), rtol=1e-10)
    later = fit.means("arm", at={"session": 5, "severity": 28.0}).tidy()["estimate"]
    np.testing.assert_allclose(later, by_hand(fit, session=5.0, severity=28.0), rtol=1e-10)
    assert means.setting.averaged == {"site": ("Bern", "Zug"), "female": (0.0, 1.0)}
    assert means.setting.at_mean == ("session", "severity")
    with pytest.raises(dataclasses.FrozenInstanceError):
        means.level = 0.5  # type: ignore[misc]


def test_proportional_weights_count_rows(fit: MixedFit) -> None:
    ours = fit.means("arm", weights="proportional").tidy()["estimate"]
    np.testing.assert_allclose(ours, by_hand(fit, "proportional"), rtol=1e-10)
    assert not np.allclose(ours, by_hand(fit))


def test_coding_of_factors_does_not_matter(fit: MixedFit) -> None:
    other = (
        FORMULA.replace("arm", "C(arm, sum)")
        .replace("+ site", "+ C(site, helmert)")
        .replace("female", "factor(female)")
    )
    recoded = ak.mixed(other, trial())
    for factors in ("arm", ["site", "female"], []):
        one, two = fit.means(factors).tidy(), recoded.means(factors).tidy()
        np.testing.assert_allclose(one["estimate"], two["estimate"], rtol=1e-6)
        np.testing.assert_allclose(one["std_error"], two["std_error"], rtol=1e-4)


def test_kinds_of_columns_that_stand_for_levels() -> None:
    d = trial()
    numbers = ak.mixed("y ~ factor(female) + session + (1 | patient)", d).means("female").tidy()
    truth = ak.mixed("y ~ female + session + (1 | patient)", d.assign(female=d["female"] == 1)).means("female").tidy()
    pair = ak.mixed("y ~ female + session + (1 | patient)", d).means("female").tidy()
    np.testing.assert_allclose(numbers["estimate"], truth["estimate"], rtol=1e-9)
    np.testing.assert_allclose(numbers["estimate"], pair["estimate"], rtol=1e-9)
    assert numbers["female"].tolist() == ["0", "1"] and truth["female"].tolist() == ["FALSE", "TRUE"]
    assert pair["term"].tolist() == ["female 0", "female 1"]
    chosen = ak.mixed("y ~ female + (1 | patient)", d.assign(female=d["female"] == 1)).means(
        "female", at={"female": True}
    )
    assert chosen.tidy()["female"].tolist() == ["TRUE"]


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("mean", lambda x: [x.mean()]),
        ("mean ± sd", lambda x: [x.mean() - x.std(), x.mean(), x.mean() + x.std()]),
        ("Mean +/- SD", lambda x: [x.mean() - x.std(), x.mean(), x.mean() + x.std()]),
        ("quartiles", lambda x: x.quantile([0.25, 0.5, 0.75])),
        ("range", lambda x: [x.min(), x.max()]),
    ],
)
def test_words_for_values_of_a_covariate(fit: MixedFit, word: str, values: object) -> None:
    found = fit.means("severity", at={"severity": word}).tidy()["severity"]
    np.testing.assert_allclose(found, np.asarray(values(fit.data["severity"])), rtol=1e-12)  # type: ignore[operator]


def test_offset_is_included_and_said() -> None:
    d = trial().assign(weeks=lambda f: 1 + f["session"] % 3)
    fit = ak.mixed("y ~ arm + offset(weeks) + (1 | patient)", d)
    means = fit.means("arm")
    plain = fit.means("arm", at={"weeks": 0.0001 + 1}).tidy()["estimate"]
    np.testing.assert_allclose(means.tidy()["estimate"] - plain, d["weeks"].mean() - 1.0001, rtol=1e-9)
    assert "The offset weeks is included, with weeks = 2." in repr(means)
    assert "offset" in repr(fit.contrasts("arm"))
    np.testing.assert_allclose(fit.contrasts("arm").lines.constant, 0, atol=1e-12)


def test_a_cell_that_was_never_observed_is_missing() -> None:
    d = trial()
    d = d[~((d["arm"] == "IPT") & (d["site"] == "Zug"))]
    with pytest.warns(ak.DesignWarning, match="dropped as redundant"):
        fit = ak.mixed("y ~ arm * site + (1 | patient)", d)
    table = fit.means(["arm", "site"]).tidy().set_index("term")
    assert np.isnan(table.loc["IPT, Zug", ["estimate", "std_error", "df", "conf_low"]].astype(float)).all()
    assert table["estimate"].notna().sum() == 5
    assert "1 of 6 estimates are missing" in repr(fit.means(["arm", "site"]))
    assert fit.means("arm", at={"site": "Bern"}).tidy()["estimate"].notna().all()


def test_printing_says_what_was_averaged_and_where(fit: MixedFit) -> None:
    text = repr(fit.means("arm", by="site"))
    assert text.startswith("Estimated marginal means of y")
    for piece in (
        "site = Bern:",
        "site = Zug:",
        "emmean",
        "lower.CL",
        "female (0, 1), with equal weights",
        "severity = ",
    ):
        assert piece in text
    assert "arm interacts with session: this holds at session = 2.5 only." in text
    assert "Satterthwaite's method. Confidence level: 0.95." in text
    assert fit.means("arm")._repr_html_().startswith("<pre>")
    assert fit.means("arm").glance().iloc[0].to_dict() == {
        "nobs": 360,
        "n_means": 3,
        "weights": "equal",
        "scale": "response",
        "df_method": "satterthwaite",
        "confidence_level": 0.95,
    }


def test_values_outside_the_data_warn_the_caller(fit: MixedFit) -> None:
    with pytest.warns(ak.DesignWarning, match="session = 12 lies outside the data") as caught:
        fit.means("arm", at={"session": 12})
    assert caught[0].filename == __file__
    with pytest.warns(ak.DesignWarning, match="outside the data") as caught:
        fit.contrasts("arm", at={"session": 12})
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("factors", "options", "text"),
    [
        ("arms", {}, "'arms' is not a variable of the fixed part .* Did you mean 'arm'"),
        ("patient", {}, "'patient' is not a variable of the fixed part"),
        (["arm", "arm"], {}, "names a variable twice"),
        ("arm", {"by": "sight"}, "Did you mean 'site'"),
        ("arm", {"at": {"sesion": 3}}, "Did you mean 'session'"),
        ("arm", {"at": {"arm": "CTB"}}, "'CTB' is not a level of 'arm' .* Did you mean 'CBT'"),
        ("arm", {"at": {"severity": "high"}}, "'high' is not a value of 'severity'"),
        ("arm", {"at": {"severity": "mean ± ds"}}, "Did you mean 'mean ± sd'"),
        ("arm", {"at": {"severity": float("nan")}}, "nan is not a value of 'severity'"),
        ("arm", {"at": {"severity": []}}, "no value for 'severity'"),
        ("arm", {"at": ["session"]}, "Give a dictionary"),
        ("arm", {"level": 95}, "not a confidence level"),
        ("arm", {"scale": "respons"}, "Did you mean scale='response'"),
        ("arm", {"weights": "flat"}, "weights='flat' is not an option"),
        ("arm", {"ddf": "kr"}, "ddf='kr' is not an option"),
        ("arm", {"weights": "proportional", "at": {"female": 0.5}}, "female = 0.5 was not observed"),
        ("arm", {"by": "arm"}, "names nothing beside by"),
    ],
)
def test_bad_input_is_refused(fit: MixedFit, factors: object, options: dict[str, object], text: str) -> None:
    with pytest.raises(ak.SpecError, match=text):
        fit.means(factors, **options)  # type: ignore[arg-type]


def test_no_fixed_part_has_no_mean() -> None:
    with pytest.raises(ak.SpecError, match="no fixed effect"):
        ak.mixed("y ~ 0 + (1 | patient)", trial()).means([])
