"""The model-building table: every number is one of the fits', tests are those of ak.compare."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.multilevel.test_mixed import FORMULA
from tests.unit.multilevel.test_mixed import growth as plain

NULL, GROWTH = "y ~ 1 + (1 | patient) + (1 | therapist)", "y ~ time + (1 | patient) + (1 | therapist)"


def growth() -> pd.DataFrame:
    """40 patients of 8 therapists, who differ."""
    d = plain()
    return d.assign(y=d["y"] + np.random.default_rng(4).normal(0, 2, 8)[d["therapist"]])


@pytest.fixture(scope="module")
def fits() -> tuple[object, ...]:
    d = growth()
    return tuple(ak.mixed(f, d) for f in (NULL, GROWTH, FORMULA))


@pytest.mark.option("table.names", "unit")
def test_numbers_are_those_of_the_fits(fits: tuple) -> None:  # type: ignore[type-arg]
    table = ak.table(*fits, names=["Null", "Growth", "Full"])
    lines = table.data.set_index("term")
    assert list(table.spans) == ["Null", "Growth", "Full"] and any(
        n.startswith("Growth: y ~ time") for n in table.notes
    )
    for number, fit in enumerate(fits, start=1):
        column, error = f"estimate_{number}", f"std_error_{number}"
        effects = fit.tidy().set_index("term")
        np.testing.assert_array_equal(lines.loc[effects.index, column], effects["estimate"])
        np.testing.assert_array_equal(lines.loc[effects.index, error], effects["std_error"])
        assert lines.loc["Residual variance", column] == pytest.approx(fit.sigma**2)
        assert lines.loc["Intercept variance, patient", column] == fit.covariances()["patient"].iloc[0, 0]
        assert lines.loc["Observations", column] == fit.nobs and lines.loc["Patients", column] == 40
        glance = fit.with_method("ML").glance().iloc[0]
        assert lines.loc["AIC", column] == glance["aic"] and lines.loc["Deviance", column] == glance["deviance"]
        assert lines.loc["Parameters", column] == fit.n_parameters
        assert lines.loc["Conditional R²", column] == fit.r2()["conditional"]
    full = fits[2].variance_components()
    pair = full[full["term_2"].notna()].iloc[0]
    assert lines.loc["Covariance, patient", "estimate_3"] == pair["variance_or_covariance"]
    assert lines.loc["Correlation, patient", "estimate_3"] == pair["sd_or_correlation"]
    assert np.isnan(lines.loc["Covariance, patient", "estimate_1"])
    assert lines.loc["ICC (VPC) of therapist", "estimate_1"] == fits[0].icc()["therapist"]
    assert np.isnan(lines.loc["ICC (VPC) of therapist", "estimate_2"])


def test_tests_are_those_of_compare(fits: tuple) -> None:  # type: ignore[type-arg]
    table = ak.table(*fits)
    lines = table.data.set_index("term")
    first = ak.compare(fits[0], fits[1]).tidy().iloc[-1]
    second = ak.compare(fits[1], fits[2]).tidy().iloc[-1]
    assert (
        lines.loc["χ² (fall in deviance)", "estimate_2"] == first["chisq"]
        and lines.loc["p", "estimate_2"] == first["p_value"]
    )
    assert lines.loc["χ² (fall in deviance)", "estimate_3"] == second["chisq"]
    assert lines.loc["p", "estimate_3"] == second["p_mixture"] and second["p_mixture"] < second["p_value"]
    assert np.isnan(lines.loc["p", "estimate_1"])
    assert any("boundary" in note and "mixture" in note for note in table.notes)


def test_what_cannot_be_tested_is_left_open_and_said(fits: tuple) -> None:  # type: ignore[type-arg]
    d = growth()
    fewer = ak.mixed(FORMULA, d.iloc[:-6])
    table = ak.table(fits[1], fewer)
    assert "p" not in set(table.data["term"])
    assert any("different rows" in note for note in table.notes)
    backwards = ak.table(fits[1], fits[0])
    assert "p" not in set(backwards.data["term"]) and any("no more parameters" in n for n in backwards.notes)
    other = ak.mixed("y ~ treated + (1 | patient) + (1 | therapist)", d.assign(treated=d["patient"] % 2))
    bigger = ak.mixed(FORMULA, d)
    assert any("not nested" in note for note in ak.table(other, bigger).notes)
    another = ak.table(fits[0], ak.mixed(FORMULA.replace("y ~", "z ~"), d.assign(z=d["y"] ** 2)))
    assert another.title == "Mixed Models of y and z Side by Side"
    assert any("different outcomes" in note for note in another.notes)


def test_rows_stand_in_order(fits: tuple) -> None:  # type: ignore[type-arg]
    parts = list(dict.fromkeys(ak.table(*fits).data["part"]))
    assert parts == [
        "Fixed effects",
        "Variance components",
        "Sample",
        "Shares of variance",
        "Fit, by maximum likelihood",
        "Change from the model before",
    ]
    variances = ak.table(*fits).data.query("part == 'Variance components'")["term"].tolist()
    groups = [name.rsplit(", ", 1)[1] for name in variances[:-1]]
    assert groups == sorted(groups) and variances[-1] == "Residual variance"


def test_singular_fits_are_marked() -> None:
    d = growth()
    d["y"] -= d.groupby("therapist")["y"].transform("mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        one, two = ak.mixed(NULL, d), ak.mixed(GROWTH, d)
    assert any("boundary" in note for note in ak.table(one, two).notes)


def test_bad_input(fits: tuple) -> None:  # type: ignore[type-arg]
    with pytest.raises(ak.SpecError, match="2 names for 3 models"):
        ak.table(*fits, names=["a", "b"])
    with pytest.raises(ak.SpecError, match="twice"):
        ak.table(*fits, names=["a", "b", "a"])
    with pytest.raises(ak.SpecError, match="several models"):
        ak.table(ak.compare(*fits), names=["a"])


def test_covariances_of_different_slopes_have_rows_of_their_own() -> None:
    d = growth()
    linear = ak.mixed("y ~ time + (1 + time | patient)", d)
    root = ak.mixed("y ~ sqrt(time) + (1 + sqrt(time) | patient)", d)
    lines = ak.table(linear, root).data.set_index("term")
    first = lines.loc["Covariance of intercept and time slope, patient"]
    second = lines.loc["Covariance of intercept and sqrt(time) slope, patient"]
    assert np.isfinite(first["estimate_1"]) and np.isnan(first["estimate_2"])
    assert np.isnan(second["estimate_1"]) and np.isfinite(second["estimate_2"])
    names = lines[lines["part"] == "Variance components"].index.tolist()
    assert names[3].startswith("Covariance") and names[4].startswith("Correlation")
