"""Random effects that the data cannot tell are named, and those they can tell are left alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(60), 6)
    frame = pd.DataFrame({"patient": patient, "visit": np.tile(np.arange(6.0), 60), "therapist": patient // 6})
    frame["arm"] = np.where(patient % 2 == 0, "a", "b")
    frame["in_a"], frame["in_b"] = (frame["arm"] == "a") * 1.0, (frame["arm"] == "b") * 1.0
    slope = rng.normal(0, 0.5, 60)[patient] * frame["visit"]
    frame["y"] = rng.normal(size=60)[patient] + rng.normal(size=10)[patient // 6] + slope + rng.normal(size=360)
    return frame


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y ~ visit*arm + (arm | patient)", r"variances of \(Intercept\), armb by patient cannot be told apart"),
        ("y ~ visit*arm + (visit*arm | patient)", "variances of .*armb.*visit:armb by patient cannot be told apart"),
        ("y ~ visit + (0 + arm | patient)", "no unit of 'patient' shows arma, armb together"),
        ("y ~ visit + factor(patient) + (1 | patient)", "fixed part explains every unit of 'patient'"),
        ("y ~ visit + factor(patient) + (1 | therapist)", "fixed part explains every unit of 'therapist'"),
    ],
)
def test_what_cannot_be_told_is_named(rows: pd.DataFrame, formula: str, said: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ak.mixed(formula, rows)
    assert any(
        isinstance(w.message, ak.DesignWarning) and pd.Series([str(w.message)]).str.contains(said)[0] for w in caught
    )
    assert pd.Series(fit.warnings).str.contains(said).any()


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ visit + (visit | patient) + (1 | therapist)",
        "y ~ visit*arm + (arm | therapist)",
        "y ~ visit + in_a + (0 + in_a | patient) + (0 + in_b | patient)",
        "y ~ factor(visit) + (visit || patient)",
        "y ~ visit + (1 + visit + I(visit^2) | patient)",
    ],
)
def test_what_can_be_told_is_left_alone(rows: pd.DataFrame, formula: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        fit = ak.mixed(formula, rows)
    assert not [text for text in fit.warnings if "told" in text or "explains every" in text or "together" in text]


def test_units_of_measurement_do_not_matter(rows: pd.DataFrame) -> None:
    with pytest.warns(ak.DesignWarning, match="cannot be told apart"):
        ak.mixed("y ~ visit + (1 + z | patient)", rows.assign(z=1e6 + 1e3 * (rows["patient"] % 2)))
    fit = ak.mixed("y ~ day + (1 + day | patient)", rows.assign(day=2000 + rows["visit"] / 365))
    assert not [text for text in fit.warnings if "told apart" in text]


@pytest.mark.parametrize("structure", [None, ak.ar1(time="visit", by="patient")])
def test_a_response_made_from_the_predictors_is_refused(rows: pd.DataFrame, structure: Any) -> None:
    data = rows.assign(y=2.0 * rows["visit"] + 1.0)
    with pytest.raises(ak.DesignError, match=r"fixed part gives every value of 'y' exactly.*computed from"):
        ak.mixed("y ~ visit + (1 | patient)", data, residual_structure=structure)


@pytest.mark.parametrize("formula", ["y ~ visit + (1 | patient)", "y ~ 1 + (1 | therapist) + (1 | patient)"])
def test_a_response_that_is_constant_in_units_is_refused(rows: pd.DataFrame, formula: str) -> None:
    values = np.random.default_rng(3).normal(size=60)
    with pytest.raises(ak.FitError, match=r"leave no residual.*same in all rows of a unit"):
        ak.mixed(formula, rows.assign(y=values[rows["patient"]]))
