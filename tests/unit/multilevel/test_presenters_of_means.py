"""Tables, figures and sentences of means, contrasts, slopes and effect sizes hold the numbers of the result."""

from __future__ import annotations

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.multilevel.after.contrast_rows import RowInference
from alliancekit.multilevel.after.means import marginal_means
from alliancekit.multilevel.after.response_scale import make_scale
from alliancekit.multilevel.after.slopes import simple_slopes
from alliancekit.multilevel.api import MixedFit
from alliancekit.report.figures_io import draw
from alliancekit.report.multilevel_means import typeset

from .test_means import FORMULA, trial


@pytest.fixture(scope="module")
def fit() -> MixedFit:
    return ak.mixed(FORMULA, trial())


class Logit:
    name = "logit"

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-eta))

    def derivative(self, eta: np.ndarray) -> np.ndarray:
        return self.inverse(eta) * (1 - self.inverse(eta))


class Cloglog(Logit):
    name = "cloglog"


def on_link(fit: MixedFit, factors: object, link: object, family: str, scale: str = "response") -> object:
    """Return means with the estimates of a Gaussian fit as if they were on the scale of a link."""
    spread = 1e-2
    inference = RowInference(
        fit._fit.beta * spread, fit._fit.vcov * spread**2, lambda L: np.full(len(L), np.inf), "normal"
    )
    made = make_scale(scale, link, family)  # type: ignore[arg-type]
    return marginal_means(fit.design, fit.data, inference, made, factors, at=None, by=None, level=0.95, weights="equal")  # type: ignore[arg-type]


def test_tables_hold_the_numbers_of_the_result(fit: MixedFit) -> None:
    for result in (
        fit.means(["arm", "session"], at={"session": [0, 5]}),
        fit.means("arm", by="site"),
        fit.means([]),
        fit.contrasts("arm", by="site"),
        fit.slopes("session", by="arm"),
        fit.slopes("female"),
        fit.effect_size(arm="arm"),
    ):
        table, tidy = ak.table(result), result.tidy()
        for column in ("estimate", "std_error", "conf_low", "conf_high", "df"):
            np.testing.assert_array_equal(table.data[column], tidy[column])
        assert table.notes and table.source is result
        assert set(table.stub) <= set(table.data.columns)
    by = ak.table(fit.contrasts("arm", by="site"))
    assert by.group == "group" and by.data["group"].unique().tolist() == ["site = Bern", "site = Zug"]
    assert by.data["term"].iloc[0] == "TAU − CBT"


def test_labels_of_a_codebook_reach_tables_figures_and_sentences(fit: MixedFit) -> None:
    named = MixedFit(fit._spec, fit._fit, fit._frame, (), {"y": "Depression", "arm": "Arm", "session": "Session"})
    means = named.means("arm", at={"session": 5})
    assert ak.table(means).title == "Estimated Marginal Means of Depression"
    assert ak.table(means).labels["arm"] == "Arm"
    assert "means of Depression" in ak.sentence(means).text and "Session = 5" in ak.sentence(means).text
    assert ak.table(named.slopes("session", by="arm")).title == "Slopes of Depression on Session"
    assert "change of Depression from Session 0 to 5" in ak.sentence(named.effect_size(arm="arm")).text


def test_sentences_come_from_the_table(fit: MixedFit) -> None:
    text = ak.sentence(fit.means("arm")).text
    assert text.startswith("The estimated means of y were ") and "Estimates are averaged over site and female" in text
    table = fit.means("arm").tidy()
    for value in table["estimate"]:
        assert f"{value:.2f}" in text
    many = ak.sentence(fit.means(["arm", "session"], at={"session": [0, 1, 2, 3]})).text
    assert "ranged from" in many
    assert ak.sentence(fit.means([])).text.startswith("The estimated mean of y was ")
    size = ak.sentence(fit.effect_size(arm="arm")).text
    assert "d = −" in size and "CBT − TAU" in size and "sd=" not in size


def test_sentences_say_the_opposite_without_an_effect() -> None:
    d = trial()
    rng = np.random.default_rng(8)
    flat = d.assign(y=rng.normal(size=len(d)) + rng.normal(size=60)[d["patient"]])
    with_effect, without = (ak.mixed("y ~ arm * session + (1 | patient)", x) for x in (d, flat))
    assert "none was reliable" in ak.sentence(without.contrasts("arm")).text
    one = {"CBT - TAU": [-1, 1, 0]}
    assert "was not reliable: CBT − TAU" in ak.sentence(without.contrasts("arm", one)).text
    assert "was reliable: CBT − TAU" in ak.sentence(with_effect.contrasts("arm", one, at={"session": 5})).text
    assert "not reliably different from zero" in ak.sentence(without.effect_size(time="session")).text
    assert "not reliably different" not in ak.sentence(with_effect.effect_size(time="session")).text
    assert "not reliably different from zero" in ak.sentence(without.slopes("session", by="arm")).text


def test_regions_in_sentences() -> None:
    d = trial()
    steep = d.assign(y=d["y"] - d["session"])
    split = d.assign(y=d["y"] + 0.2 * (d["severity"] - 20) * d["session"] + d["session"])
    fits = {
        name: ak.mixed("y ~ session * severity + (1 + session | patient)", x)
        for name, x in (("all", steep), ("part", split))
    }
    everywhere = ak.sentence(fits["all"].slopes("session", regions="severity")).text
    assert "was negative (p < .05) at all observed values of severity" in everywhere
    part = fits["part"].slopes("session", regions="severity")
    text = ak.sentence(part).text
    assert "among the observed values of severity" in text and "positive where severity was above" in text
    assert text.split(". ")[-1].rstrip(".") in " ".join(ak.table(part).notes)
    noise = d.assign(y=np.random.default_rng(3).normal(size=len(d)))
    with pytest.warns(ak.BoundaryWarning):
        nothing = ak.mixed("y ~ session * severity + (1 | patient)", noise)
    assert "did not differ from zero" in ak.sentence(nothing.slopes("session", regions="severity", level=0.999)).text


@pytest.mark.parametrize("wanted", ["curve", "groups", "two", "one", "contrasts", "slopes", "two moderators", "size"])
def test_figures_draw_the_numbers_of_the_result(fit: MixedFit, wanted: str) -> None:
    result = {
        "curve": lambda: fit.means(["session", "arm"], at={"session": [0, 2, 5]}),
        "groups": lambda: fit.means("arm", by="site"),
        "two": lambda: fit.means(["arm", "site"]),
        "one": lambda: fit.means([]),
        "contrasts": lambda: fit.contrasts("arm", by="site"),
        "slopes": lambda: fit.slopes("session", by="arm"),
        "two moderators": lambda: fit.slopes("session", by=["arm", "severity"]),
        "size": lambda: fit.effect_size(arm="arm"),
    }[wanted]()
    figure = ak.figure(result)
    assert figure.title and figure.caption and figure.alt and figure.data is not None
    drawn = draw(figure)
    assert drawn.png.startswith(b"\x89PNG") and draw(figure).svg == drawn.svg


def test_the_regions_figure_shows_the_bounds(fit: MixedFit) -> None:
    slopes = fit.slopes("session", by="arm", regions="severity")
    figure = ak.figure(slopes, "regions")
    assert len(figure.data) == 3 * 101 and set(figure.data["arm"]) == {"TAU", "CBT", "IPT"}
    assert draw(figure).png
    with pytest.raises(ak.SpecError, match="no regions of significance"):
        ak.figure(fit.slopes("session", by="arm"), "regions")
    with pytest.raises(ak.SpecError, match="kind='region'"):
        ak.figure(slopes, "region")
    with pytest.raises(ak.SpecError, match="kind='slopes'"):
        ak.figure(fit.means("arm"), "slopes")


def test_more_groups_than_fit_in_a_figure(fit: MixedFit) -> None:
    with pytest.raises(ak.SpecError, match="7 groups do not fit"):
        ak.figure(fit.means("arm", by="session", at={"session": [0, 1, 2, 3, 4, 4.5, 5]}))


def test_probabilities_and_odds_ratios(fit: MixedFit) -> None:
    means = on_link(fit, "arm", Logit(), "binomial")
    link = on_link(fit, "arm", Logit(), "binomial", "link").tidy()
    table = means.tidy()
    np.testing.assert_allclose(table["estimate"], Logit().inverse(link["estimate"].to_numpy()))
    np.testing.assert_allclose(table["conf_low"], Logit().inverse(link["conf_low"].to_numpy()))
    slope = table["estimate"] * (1 - table["estimate"])
    np.testing.assert_allclose(table["std_error"], slope * link["std_error"])
    assert "prob" in repr(means) and "the logit scale and taken back" in repr(means)
    assert ak.table(means).labels["estimate"] == "Probability" and "probabilities of y" in ak.sentence(means).text
    odds = means.contrasts("reference")
    assert odds.tidy()["term"].tolist() == ["CBT / TAU", "IPT / TAU"]
    difference = on_link(fit, "arm", Logit(), "binomial", "link").contrasts("reference").tidy()
    np.testing.assert_allclose(odds.tidy()["estimate"], np.exp(difference["estimate"]))
    np.testing.assert_array_equal(odds.tidy()["p_value"], difference["p_value"])
    assert "odds.ratio" in repr(odds) and "log odds scale" in repr(odds)
    assert "odds ratios" in ak.sentence(odds).text and draw(ak.figure(odds)).png and draw(ak.figure(means)).png


def test_links_without_ratios_keep_their_scale(fit: MixedFit) -> None:
    contrasts = on_link(fit, "arm", Cloglog(), "binomial").contrasts()
    assert "Differences are on the cloglog scale." in repr(contrasts)
    sums = on_link(fit, "arm", Logit(), "poisson").contrasts({"sum": [1, 1, 1]})
    assert sums.scale.word == "link" and sums.tidy()["term"].tolist() == ["sum"]
    assert on_link(fit, "arm", Logit(), "poisson").scale.mean_name == "rate"
    slopes = simple_slopes(
        fit.design,
        fit.data,
        fit._row_inference(None),
        make_scale("link", Logit(), "binomial"),
        "session",
        by="arm",
        at=None,
        level=0.95,
        weights="equal",
        regions=None,
    )
    assert "Results are on the logit scale." in repr(slopes)


def test_typesetting_of_signs() -> None:
    assert typeset("A - B at x = -0.4, y -3") == "A − B at x = −0.4, y −3"
    assert typeset("6-8 weeks, re-test, a-1") == "6-8 weeks, re-test, a-1"
