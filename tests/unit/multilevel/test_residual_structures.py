"""What a fit with a residual structure answers, what it refuses, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

NLME = Path(__file__).parents[2] / "reference" / "nlme"


def sessions(seed: int = 3, patients: int = 30) -> pd.DataFrame:
    """Return patients with eight sessions and autocorrelated residuals; arm b varies more."""
    rng = np.random.default_rng(seed)
    patient, session = np.repeat(np.arange(patients), 8), np.tile(np.arange(8), patients)
    e = np.empty((patients, 8))
    e[:, 0] = rng.normal(size=patients)
    for t in range(1, 8):
        e[:, t] = 0.5 * e[:, t - 1] + np.sqrt(0.75) * rng.normal(size=patients)
    arm = np.where(patient % 2, "b", "a")
    y = 20 - 0.5 * session + rng.normal(0, 2, patients)[patient] + e.ravel() * np.where(arm == "b", 2.0, 1.0)
    return pd.DataFrame({"y": y, "session": session, "patient": patient, "arm": arm, "day": session * 7.0})


def test_parameters_are_in_every_table() -> None:
    fit = ak.mixed(
        "y ~ session + (1 | patient)",
        sessions(),
        residual_structure=ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm"),
    )
    table = fit.variance_components().set_index("term_1")
    for name, truth in (("Phi", 0.5), ("SD of b / SD of a", 2.0)):
        assert table.loc[name, "conf_low"] < truth < table.loc[name, "conf_high"]
        assert name in set(fit.confint()["term"])
        assert name in str(fit)
        assert any(name in str(term) for term in ak.table(fit).data["term"])
    assert "corAR1(form = ~ session | patient)" in fit.as_r()
    assert "varIdent(form = ~ 1 | arm)" in fit.as_r()
    assert "ak.ar1(" in fit.as_python()


def test_normalised_residuals_are_nlmes() -> None:
    case = NLME / "sim_sessions_lme_rs_ar1"
    data = pd.read_csv(case / "data.csv")
    fit = ak.mixed("y ~ session * trt + (session | id)", data, residual_structure=ak.ar1(time="session", by="id"))
    normalised = fit.residuals("normalized")
    # independent with variance near one, where raw ones are correlated from session to session
    frame = data.assign(raw=fit.residuals("scaled"), clean=normalised).sort_values(["id", "session"])

    def lagged(column: str) -> float:
        return float(frame[column].corr(frame.groupby("id")[column].shift(1)))

    assert lagged("raw") > lagged("clean") + 0.1
    assert json.loads((case / "model.json").read_text())["correlation"] == "corAR1(form = ~ session | id)"


def test_car1_with_equal_steps_is_ar1() -> None:
    d = sessions()
    one = ak.mixed("y ~ session + (1 | patient)", d, residual_structure=ak.ar1(time="session", by="patient"))
    two = ak.mixed("y ~ session + (1 | patient)", d, residual_structure=ak.car1(time="day", by="patient"))
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-7)
    phi = [f.variance_components().set_index("term_1").loc["Phi", "sd_or_correlation"] for f in (one, two)]
    assert phi[1] ** 7 == pytest.approx(phi[0], rel=1e-4)


def test_compound_symmetry_is_the_random_intercept() -> None:
    d = sessions()
    one = ak.mixed("y ~ session", d, residual_structure=ak.compound_symmetry(by="patient"))
    two = ak.mixed("y ~ session + (1 | patient)", d)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(one.tidy()["df"], two.tidy()["df"], rtol=1e-3)


def test_unstructured_on_complete_data_has_the_exact_df() -> None:
    """With complete balanced data the mean at one occasion is a mean of patients: n - 1 df (Hotelling)."""
    d = sessions(patients=24)
    d = d[d["session"] < 4]
    fit = ak.mixed("y ~ 0 + factor(session)", d, residual_structure=ak.unstructured(time="session", by="patient"))
    np.testing.assert_allclose(fit.tidy()["df"], 23, rtol=1e-3)
    wide = d.pivot(index="patient", columns="session", values="y")
    np.testing.assert_allclose(fit.tidy()["std_error"], wide.std(ddof=1) / np.sqrt(24), rtol=1e-4)


@pytest.mark.parametrize(
    ("structure", "error", "text"),
    [
        (lambda: ak.ar1(time="sesion", by="patient"), ak.DesignError, "sesion"),
        (lambda: ak.ar1(time="y", by="patient"), ak.DesignError, "y"),
        (lambda: ak.ar1(time="session", by="arm"), ak.DesignError, "session"),
        (lambda: ak.ar1(time=3, by="patient"), ak.SpecError, "ar1"),  # type: ignore[arg-type]
        (lambda: ak.ar1(time="session", by="patient") + ak.car1(time="day", by="patient"), ak.SpecError, "correlation"),
        (lambda: "ar1", ak.SpecError, "residual_structure"),
    ],
)
def test_bad_input(structure: Any, error: type[Exception], text: str) -> None:
    with pytest.raises((error, ak.AllianceError), match=text):
        ak.mixed("y ~ session + (1 | patient)", sessions(), residual_structure=structure())


def test_what_is_not_there_says_so() -> None:
    fit = ak.mixed("y ~ session + (1 | patient)", sessions(), residual_structure=ak.heteroscedastic(by="arm"))
    for call in (
        lambda: fit.influence(by="patient", method="one-step"),
        lambda: fit.ranova(),
    ):
        with pytest.raises(ak.SpecError, match=r"structure|independent residuals"):
            call()
