"""F tables: what must hold of the types whatever the data, and how the table presents itself."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.multilevel.test_mixed import growth


def trial() -> pd.DataFrame:
    d = growth()
    rng = np.random.default_rng(11)
    d["arm"] = np.array(["a", "b", "c"])[rng.choice(3, 40, p=[0.5, 0.3, 0.2])][d["patient"]]
    d["sex"] = np.array(["f", "m"])[rng.choice(2, 40, p=[0.7, 0.3])][d["patient"]]
    d["x"] = rng.normal(size=len(d))
    return d


def frame_of(formula: str, **options: str) -> pd.DataFrame:
    return ak.mixed(formula, trial()).anova(**options).tidy().set_index("term")


@pytest.mark.option("MixedFit.anova.type", "relations between the types")
def test_without_interactions_types_two_and_three_agree_and_order_matters_for_type_one() -> None:
    formula = "y ~ arm + sex + x + (1 | patient)"
    pd.testing.assert_frame_equal(frame_of(formula, type="II"), frame_of(formula, type="III"), rtol=1e-6)
    one, turned = frame_of(formula, type="I"), frame_of("y ~ sex + x + arm + (1 | patient)", type="I")
    assert one.loc["x", "statistic"] == pytest.approx(frame_of(formula).loc["x", "statistic"], rel=1e-6)
    assert turned.loc["arm", "statistic"] == pytest.approx(frame_of(formula).loc["arm", "statistic"], rel=1e-6)
    assert one.loc["arm", "statistic"] != pytest.approx(turned.loc["arm", "statistic"], rel=1e-3)


@pytest.mark.option("MixedFit.anova.ddf", "agreement with the tests of the coefficients")
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "normal"])
def test_a_term_with_one_column_is_its_t_test_squared(ddf: str) -> None:
    fit = ak.mixed("y ~ arm + x + (1 | patient)", trial())
    row, t = fit.anova(ddf=ddf).tidy().set_index("term").loc["x"], fit.tidy(ddf=ddf).set_index("term").loc["x"]
    assert row["statistic"] == pytest.approx(t["statistic"] ** 2)
    assert row["p_value"] == pytest.approx(t["p_value"], rel=1e-6)
    assert row["df"] == pytest.approx(t["df"]) or np.isinf(row["df"])
    arm = fit.anova(ddf=ddf).tidy().set_index("term").loc["arm"]
    joint = fit.test("armb = 0, armc = 0", ddf=ddf).iloc[0]
    assert arm["statistic"] == pytest.approx(joint["statistic"]) and arm["df"] == pytest.approx(joint["df"])
    assert arm["sum_sq"] == pytest.approx(2 * arm["mean_sq"])


def test_type_three_is_the_average_over_the_other_factor() -> None:
    """With arm * sex the main effect of sex is the mean over arms of the differences, all arms with equal weight."""
    fit = ak.mixed("y ~ arm * sex + (1 | patient)", trial())
    expected = fit.test("3*sexm + armb:sexm + armc:sexm = 0").iloc[0]
    found = fit.anova().tidy().set_index("term").loc["sex"]
    assert found["statistic"] == pytest.approx(expected["statistic"], rel=1e-6)
    assert found["df"] == pytest.approx(expected["df"], rel=1e-6)


def test_origin_of_a_covariate_matters_only_where_it_should() -> None:
    """Moving time by 2000 years leaves the interaction and the slopes alone; the arms are then compared at year 0."""
    d = trial()
    here = ak.mixed("y ~ arm * time + (1 | patient)", d).anova().tidy().set_index("term")
    there = ak.mixed("y ~ arm * time + (1 | patient)", d.assign(time=d["time"] + 2000)).anova().tidy().set_index("term")
    for term in ("time", "arm:time"):
        assert there.loc[term, "statistic"] == pytest.approx(here.loc[term, "statistic"], rel=1e-4)
    assert there.loc["arm", "statistic"] != pytest.approx(here.loc["arm", "statistic"], rel=1e-2)


def test_a_term_without_columns_of_its_own_is_named() -> None:
    d = trial().assign(again=lambda f: 2 * f["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        fit = ak.mixed("y ~ arm + x + again + (1 | patient)", d)
    for kind in ("I", "II", "III"):
        result = fit.anova(type=kind)
        assert result.tidy().set_index("term").loc["again"].isna().all()
        assert result.tidy().set_index("term").loc["x"].notna().all()
        assert "Not tested" in result.notes[0] and "again" in result.notes[0]
        assert "NA" in repr(result)


def test_printing_and_glance() -> None:
    result = ak.mixed("y ~ arm * time + (1 | patient)", trial()).anova(ddf="kenward-roger")
    for piece in ("Type III Analysis of Variance Table with Kenward and Roger's method", "NumDF", "arm:time", "Pr(>F)"):
        assert piece in repr(result)
    assert result.glance().iloc[0].to_dict() == {"terms": 3, "nobs": 240, "type": "III", "df_method": "kenward-roger"}
    assert ak.mixed("y ~ 1 + (1 | patient)", trial()).anova().tidy().empty


def test_wrong_words_are_told() -> None:
    fit = ak.mixed("y ~ arm + (1 | patient)", trial())
    with pytest.raises(ak.SpecError, match="type='3' is not an option"):
        fit.anova(type="3")
    with pytest.raises(ak.SpecError, match="Did you mean ddf='kenward-roger'"):
        fit.anova(ddf="kenward")
