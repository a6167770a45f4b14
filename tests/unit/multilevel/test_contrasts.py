"""Contrasts: weights, adjustments and interaction contrasts by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import alliancekit as ak
from alliancekit.multilevel.after.contrast_methods import contrast_weights
from alliancekit.multilevel.after.contrast_rows import linear_estimates
from alliancekit.multilevel.after.multiplicity import Family
from alliancekit.multilevel.api import MixedFit

from .test_means import FORMULA, trial


@pytest.fixture(scope="module")
def fit() -> MixedFit:
    return ak.mixed(FORMULA, trial())


def test_a_contrast_is_a_hypothesis(fit: MixedFit) -> None:
    row = fit.contrasts("arm", "reference", at={"session": 5}, adjust="none").tidy().iloc[0]
    test = fit.test("armCBT + 5*armCBT:session = 0").iloc[0]
    assert row["term"] == "CBT - TAU"
    assert row["statistic"] ** 2 == pytest.approx(test["statistic"], rel=1e-8)
    assert row["df"] == pytest.approx(test["df"], rel=1e-8)
    assert row["p_value"] == pytest.approx(test["p_value"], rel=1e-6)


def test_rows_of_weights_are_the_table_of_coefficients(fit: MixedFit) -> None:
    table = fit.tidy()
    ours = linear_estimates(fit._fit, np.eye(len(table)), fit._precision(None), 0.95)
    np.testing.assert_allclose(ours[list(table.columns[1:])], table.iloc[:, 1:], rtol=1e-12)
    moved = linear_estimates(
        fit._fit, np.eye(len(table)), fit._precision(None), 0.95, constant=np.full(len(table), 2.0)
    )
    np.testing.assert_allclose(moved["estimate"] - ours["estimate"], 2.0)


def test_difference_in_change_between_arms(fit: MixedFit) -> None:
    made = fit.contrasts(["arm", "session"], "reference", at={"session": [0, 5]}, interaction=True).tidy()
    slopes = fit.fixed_effects
    np.testing.assert_allclose(made["estimate"], [5 * slopes["armCBT:session"], 5 * slopes["armIPT:session"]])
    assert made["term"].tolist() == ["CBT - TAU : session 5 - session 0", "IPT - TAU : session 5 - session 0"]
    assert made["arm_reference"].tolist() == ["CBT - TAU", "IPT - TAU"]
    mixed = fit.contrasts(["arm", "session"], at={"session": [0, 5]}, interaction=["pairwise", "consecutive"])
    assert mixed.adjust == "none" and mixed.method == "interaction" and len(mixed.tidy()) == 3


def test_weights_of_a_dictionary(fit: MixedFit) -> None:
    means = fit.means("arm").tidy()["estimate"].to_numpy()
    made = fit.contrasts("arm", {"active - TAU": [-1, 0.5, 0.5], "IPT - CBT": {"IPT": 1, "CBT": -1}}).tidy()
    np.testing.assert_allclose(made["estimate"], [means[1:].mean() - means[0], means[2] - means[1]])
    late = fit.contrasts("session", {"late": {"5": 1, "0": -1}}, at={"session": [0, 5]}).tidy()
    assert late["estimate"].iloc[0] == pytest.approx(
        np.diff(fit.means("session", at={"session": [0, 5]}).tidy()["estimate"])[0]
    )


def test_polynomial_weights_heed_spacing() -> None:
    even = contrast_weights("polynomial", ["a", "b", "c", "d"], None).values
    np.testing.assert_array_equal(even, [[-3, -1, 1, 3], [1, -1, -1, 1], [-1, 3, -3, 1]])
    spaced = contrast_weights("polynomial", ["0", "1", "4"], [0.0, 1.0, 4.0])
    assert spaced.names == ("linear", "quadratic")
    np.testing.assert_array_equal(spaced.values, [[-5, -2, 7], [3, -4, 1]])
    odd = contrast_weights("polynomial", ["a", "b", "c"], [0.0, np.pi, 7.123456]).values
    np.testing.assert_allclose(odd @ odd.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(odd.sum(axis=1), 0, atol=1e-12)


@pytest.mark.option("MixedFit.contrasts.weights", "means by hand")
@pytest.mark.option("MixedFit.contrasts.level", "means by hand")
def test_options_of_means_reach_their_contrasts(fit: MixedFit) -> None:
    d = trial()
    crossed = ak.mixed("y ~ arm * site + (1 | patient)", d)
    for weights in ("equal", "proportional"):
        means = crossed.means("arm", weights=weights).tidy()["estimate"].to_numpy()
        made = crossed.contrasts("arm", "reference", weights=weights, adjust="none", level=0.9)
        np.testing.assert_allclose(made.tidy()["estimate"], means[1:] - means[0], rtol=1e-9)
        reach = stats.t.ppf(0.95, made.tidy()["df"]) * made.tidy()["std_error"]
        np.testing.assert_allclose(made.tidy()["conf_high"], made.tidy()["estimate"] + reach, rtol=1e-9)


def test_groups_are_families_of_their_own(fit: MixedFit) -> None:
    apart = fit.contrasts("arm", by="session", at={"session": [0, 5]}).tidy()
    alone = fit.contrasts("arm", at={"session": 5}).tidy()
    part = apart[apart["session"] == 5.0]
    np.testing.assert_allclose(part["p_value"], alone["p_value"], rtol=1e-10)
    np.testing.assert_allclose(part["conf_low"], alone["conf_low"], rtol=1e-10)
    assert apart.columns[:2].tolist() == ["session", "term"]


def family(statistic: list[float], df: float = 20.0) -> Family:
    rows = np.array([[1.0, -1, 0], [1, 0, -1], [0, 1, -1]])
    return Family(np.array(statistic), np.full(3, df), rows @ np.diag([1.0, 2.0, 1.5]) @ rows.T, 3)


def test_adjustments_by_hand() -> None:
    found = family([1.0, 2.5, 3.0])
    p = 2 * stats.t.sf([1.0, 2.5, 3.0], 20)
    np.testing.assert_allclose(found.p_values("none"), p)
    np.testing.assert_allclose(found.p_values("bonferroni"), np.minimum(1, 3 * p))
    np.testing.assert_allclose(found.p_values("sidak"), 1 - (1 - p) ** 3)
    np.testing.assert_allclose(found.p_values("holm"), [p[0], 2 * p[1], 3 * p[2]])
    np.testing.assert_allclose(found.p_values("fdr"), [p[0], 1.5 * p[1], 3 * p[2]])
    np.testing.assert_allclose(found.p_values("scheffe"), stats.f.sf(np.array([1.0, 2.5, 3.0]) ** 2 / 2, 2, 20))
    tukey = stats.studentized_range.sf(np.sqrt(2) * np.array([1.0, 2.5, 3.0]), 3, 20)
    np.testing.assert_allclose(found.p_values("tukey"), tukey, rtol=1e-7)
    assert (found.p_values("mvt") <= found.p_values("sidak") + 1e-9).all()
    assert (found.p_values("mvt") >= p).all()


@pytest.mark.parametrize("adjust", ["none", "tukey", "dunnettx", "mvt", "scheffe", "sidak", "bonferroni"])
def test_limits_and_p_values_agree(adjust: str) -> None:
    """Where the statistic equals the critical value the adjusted p value is one minus the level."""
    critical = family([1.0, 1.0, 1.0]).critical_values(adjust, 0.95)
    np.testing.assert_allclose(family(critical.tolist()).p_values(adjust), 0.05, rtol=1e-6)
    infinite = family([1.0, 1.0, 1.0], np.inf).critical_values(adjust, 0.95)
    np.testing.assert_allclose(family(infinite.tolist(), np.inf).p_values(adjust), 0.05, rtol=1e-6)


def test_one_contrast_needs_no_adjustment(fit: MixedFit) -> None:
    plain = fit.contrasts("site", adjust="none").tidy()
    for adjust in ("tukey", "sidak", "holm", "mvt"):
        np.testing.assert_array_equal(fit.contrasts("site", adjust=adjust).tidy()["p_value"], plain["p_value"])
    assert "adjusted" not in repr(fit.contrasts("site"))


def test_printing_names_the_adjustment(fit: MixedFit) -> None:
    text = repr(fit.contrasts("arm"))
    assert text.startswith("Differences between means of y")
    assert "p values and intervals adjusted: Tukey's method for a family of 3 estimates." in text
    assert "t.ratio" in text and "z.ratio" in repr(fit.contrasts("arm", ddf="normal"))
    assert "Dunnett's method (approximate) for 2 tests" in repr(fit.contrasts("arm", "reference"))
    assert "in each group" in repr(fit.contrasts("arm", by="site"))
    about = fit.contrasts("arm", "consecutive").glance().iloc[0]
    assert (about["n_contrasts"], about["method"], about["adjust"]) == (2, "consecutive", "mvt")


@pytest.mark.parametrize(
    ("factors", "options", "text"),
    [
        ("arm", {"method": "pairwse"}, "Did you mean method='pairwise'"),
        ("arm", {"adjust": "tuky"}, "Did you mean adjust='tukey'"),
        ("arm", {"method": "consecutive", "adjust": "tukey"}, "Tukey's method is for all pairs"),
        ("arm", {"adjust": "dunnettx"}, "Dunnett's method is for comparisons with one reference"),
        ("severity", {}, "a contrast needs two or more means"),
        ("arm", {"method": {}}, "the dictionary of contrasts is empty"),
        ("arm", {"method": {"x": [1, -1]}}, "2 weights for 3 means"),
        ("arm", {"method": {"x": {"CTB": 1}}}, "Did you mean 'CBT'"),
        ("arm", {"method": {"x": [1, "b", 0]}}, "no number: 'b'"),
        ("arm", {"method": {"x": 3}}, "contrast 'x' is a int"),
        ("arm", {"method": {"x": [0, 0, 0]}}, "no weight other than zero"),
        ("arm", {"interaction": True}, "needs two or more factors"),
        (["arm", "site"], {"interaction": True}, "the model holds these contrasts at zero: it has no interaction"),
        (["arm", "session"], {"interaction": ["pairwise"], "at": {"session": [0, 1]}}, "1 methods for 2 factors"),
        (["arm", "site"], {"interaction": True, "method": {"x": [1]}}, "dictionary of weights cannot stand"),
    ],
)
def test_bad_input_is_refused(fit: MixedFit, factors: object, options: dict[str, object], text: str) -> None:
    with pytest.raises(ak.SpecError, match=text):
        fit.contrasts(factors, **options)  # type: ignore[arg-type]
