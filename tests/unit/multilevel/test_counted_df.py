"""Degrees of freedom by counting, and the covariance of one unit, against counts and matrices made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

pytestmark = [
    pytest.mark.filterwarnings("ignore::alliancekit.core.errors.DesignWarning"),
    pytest.mark.filterwarnings("ignore::alliancekit.core.errors.BoundaryWarning"),
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """6 therapists with 4 patients each and 5 sessions; arm varies between therapists, sex between patients."""
    rng = np.random.default_rng(11)
    patient = np.repeat(np.arange(24), 5)
    therapist = patient // 4
    d = pd.DataFrame({"patient": patient, "therapist": therapist, "session": np.tile(np.arange(5.0), 24)})
    d["arm"], d["sex"] = (therapist % 2).astype(float), (patient % 2).astype(float)
    d["y"] = rng.normal(size=24)[patient] + rng.normal(size=6)[therapist] + rng.normal(size=120)
    return d


def test_inner_and_outer_terms_are_tested_at_their_level(data: pd.DataFrame) -> None:
    fit = ak.mixed("y ~ arm + sex + session + (1 | therapist) + (1 | patient)", data)
    df = fit.tidy(ddf="inner-outer").set_index("term")["df"]
    # therapists - intercept - arm; patients - therapists - sex; rows - patients - session; the intercept: the largest
    assert df.to_dict() == {"(Intercept)": 95.0, "arm": 4.0, "sex": 17.0, "session": 95.0}
    assert fit.test("arm = 0, session = 0", ddf="inner-outer")["df"].tolist() == [4.0]
    assert fit.anova(ddf="inner-outer").tidy()["df"].tolist() == [4.0, 17.0, 95.0]


def test_rows_minus_fixed_effects(data: pd.DataFrame) -> None:
    fit = ak.mixed("y ~ arm * session", data, residual_structure=ak.ar1(time="session", by="patient"))
    assert set(fit.tidy(ddf="residual")["df"]) == {116.0}
    with pytest.raises(ak.SpecError, match="no random term"):
        fit.tidy(ddf="inner-outer")


def test_a_level_without_degrees_of_freedom_has_none(data: pd.DataFrame) -> None:
    few = data[data["therapist"] < 2]
    fit = ak.mixed("y ~ arm + session + (1 | therapist) + (1 | patient)", few)
    table = fit.tidy(ddf="inner-outer").set_index("term")
    assert np.isnan(table.loc["arm", "df"]) and np.isnan(table.loc["arm", "p_value"])
    assert table.loc["session", "df"] == 40 - 8 - 1


def test_crossed_factors_have_no_levels(data: pd.DataFrame) -> None:
    fit = ak.mixed("y ~ arm + (1 | patient) + (1 | session)", data)
    with pytest.raises(ak.SpecError, match="crossed"):
        fit.tidy(ddf="inner-outer")


def test_counts_are_for_gaussian_outcomes(data: pd.DataFrame) -> None:
    counts = data.assign(y=(data["y"] > 0).astype(float))
    fit = ak.mixed("y ~ arm + (1 | therapist)", counts, family="binomial")
    with pytest.raises(ak.SpecError):
        fit.tidy(ddf="residual")


def test_covariance_of_a_unit_is_that_of_its_rows(data: pd.DataFrame) -> None:
    shuffled = data.sample(frac=1.0, random_state=5)
    structure = ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm")
    fit = ak.mixed("y ~ session + (1 + session | therapist)", shuffled, residual_structure=structure)
    found = fit.marginal_covariance(9)
    rows = shuffled[shuffled["patient"] == 9]
    assert list(found.index) == list(rows.index)
    table = fit.variance_components().set_index("term_1")["sd_or_correlation"]
    phi, ratio = table["Phi"], table.filter(like="SD of").iloc[0] ** rows["arm"].iloc[0]
    Z = np.column_stack([np.ones(5), rows["session"]])
    gap = np.abs(np.subtract.outer(rows["session"].to_numpy(), rows["session"].to_numpy()))
    by_hand = Z @ fit.covariances()["therapist"].to_numpy() @ Z.T + (fit.sigma * ratio) ** 2 * phi**gap
    np.testing.assert_allclose(found.to_numpy(), by_hand, rtol=1e-10)


def test_covariance_of_a_unit_without_structure_and_bad_input(data: pd.DataFrame) -> None:
    fit = ak.mixed("y ~ session + (1 | patient)", data.assign(w=1.0 + data["session"]), weights="w")
    covariance = fit.marginal_covariance("3").to_numpy()
    own = float(fit.covariances()["patient"].iloc[0, 0])
    np.testing.assert_allclose(covariance, own + np.diag(fit.sigma**2 / (1.0 + np.arange(5))))
    with pytest.raises(ak.DesignError, match="Units are"):
        fit.marginal_covariance("nobody")
    lone = ak.mixed("y ~ session", data, residual_structure=ak.heteroscedastic(by="arm"))
    with pytest.raises(ak.SpecError, match="independent"):
        lone.marginal_covariance(1)
