"""Rows and units of fits with residual structures: predictions, leverages and deletion, against work done by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.numerics.distributions import normal_quantile
from tests.unit.multilevel.test_residual_structures import sessions

FORMULA = "y ~ session * arm + (1 | patient)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    return sessions(patients=12).assign(w=lambda d: rng.uniform(0.5, 2, len(d)), size=lambda d: 1 + d["session"])


def reach(table: pd.DataFrame) -> Any:
    return ((table["conf_high"] - table["estimate"]) / normal_quantile(0.975)).to_numpy()


def parameter(fit: Any, name: str) -> float:
    return float(fit.variance_components().set_index("term_1").loc[name, "sd_or_correlation"])


@pytest.mark.option("MixedFit.predict.interval", "prediction: variances of a structure by hand")
def test_prediction_intervals_heed_unequal_variances(data: pd.DataFrame) -> None:
    structure = ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm")
    fit = ak.mixed(FORMULA, data, residual_structure=structure, weights="w")
    new = pd.DataFrame(
        {"session": [2.0, 2.0, 9.0], "arm": ["b", "a", "b"], "patient": [1, 0, 99], "w": [1.0, 1.0, 4.0]}
    )
    wide, narrow = fit.predict(new, interval="prediction"), fit.predict(new)
    ratio = np.array([parameter(fit, "SD of b / SD of a"), 1.0, parameter(fit, "SD of b / SD of a")])
    own = np.array([0.0, 0.0, float(fit.covariances()["patient"].iloc[0, 0])])
    expected = narrow["std_error"] ** 2 + own + (fit.sigma * ratio) ** 2 / new["w"]
    np.testing.assert_allclose(reach(wide) ** 2, expected, rtol=1e-10)
    with pytest.raises(ak.DesignError, match="no residual variance was estimated"):
        ak.mixed("y ~ session + (1 | patient)", data, residual_structure=ak.heteroscedastic(by="arm")).predict(
            new.assign(arm="c"), interval="prediction"
        )


def test_prediction_intervals_of_a_power(data: pd.DataFrame) -> None:
    by_size = ak.mixed(FORMULA, data, residual_structure=ak.power_of("size"))
    new = data.head(3).assign(size=[1.0, 2.0, np.nan])
    wide, narrow = by_size.predict(new, interval="prediction"), by_size.predict(new)
    ratio = np.array([1.0, 2.0, np.nan]) ** parameter(by_size, "power of size")
    np.testing.assert_allclose(reach(wide) ** 2, narrow["std_error"] ** 2 + (by_size.sigma * ratio) ** 2)
    with pytest.raises(ak.DesignError, match="zero"):
        by_size.predict(new.assign(size=0.0), interval="prediction")
    by_mean = ak.mixed(FORMULA, data, residual_structure=ak.power_of("fitted"))
    wide, narrow = by_mean.predict(interval="prediction"), by_mean.predict()
    ratio = np.abs(by_mean.fitted()) ** parameter(by_mean, "power of fitted")
    np.testing.assert_allclose(reach(wide) ** 2, narrow["std_error"] ** 2 + (by_mean.sigma * ratio) ** 2, rtol=1e-8)


STRUCTURES: dict[str, Callable[[], Any]] = {
    "ar1 + heteroscedastic": lambda: ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm"),
    "power": lambda: ak.power_of("size"),
}


@pytest.mark.option("MixedFit.residuals.kind", "standardised: whole matrices, residual structures")
@pytest.mark.parametrize("name", list(STRUCTURES))
def test_leverages_and_standardised_residuals(name: str, data: pd.DataFrame) -> None:
    shuffled = data.sample(frac=1.0, random_state=3)
    fit = ak.mixed(FORMULA, shuffled, residual_structure=STRUCTURES[name](), weights="w")
    n, patient = len(shuffled), shuffled["patient"].to_numpy()
    V = np.zeros((n, n))
    Z = patient[:, None] == patient
    G = float(fit.covariances()["patient"].iloc[0, 0])
    if name == "power":
        variance = (fit.sigma * shuffled["size"] ** parameter(fit, "power of size")) ** 2 / shuffled["w"]
        V = G * Z + np.diag(variance)
    else:
        for unit in np.unique(patient):
            rows = np.flatnonzero(patient == unit)
            V[np.ix_(rows, rows)] = fit.marginal_covariance(unit).to_numpy()
    R, X = V - G * Z, fit.design.X
    inverse = np.linalg.inv(V)
    P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    np.testing.assert_allclose(fit.hat_values(), np.diag(np.eye(n) - R @ P), rtol=1e-6)
    raw = fit.residuals()
    np.testing.assert_allclose(raw, R @ P @ fit.design.y, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit.residuals("standardised"), raw / np.sqrt(np.diag(R @ P @ R)), rtol=1e-6, atol=1e-8)


@pytest.mark.option("MixedFit.influence.method", "exact: refits by hand, residual structures")
@pytest.mark.parametrize("name", list(STRUCTURES))
def test_influence_is_that_of_refits_by_hand(name: str, data: pd.DataFrame) -> None:
    holes = data.assign(y=data["y"].where(data.index != 5)).sample(frac=1.0, random_state=3)
    fit = ak.mixed(FORMULA, holes, residual_structure=STRUCTURES[name]())
    found = fit.influence(by="patient")
    fixed, spread = found.fixed_effects(), found.variance_components()
    for unit in (0, 7):
        left = ak.mixed(FORMULA, holes[holes["patient"] != unit], residual_structure=STRUCTURES[name]())
        mine = fixed[fixed["unit"] == str(unit)].set_index("term")
        theirs = left.tidy().set_index("term")
        np.testing.assert_allclose(mine["estimate"], theirs["estimate"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mine["std_error"], theirs["std_error"], rtol=1e-4)
        table = left.variance_components()
        own = spread[spread["unit"] == str(unit)]
        by_hand = np.where(table["variance_or_covariance"].isna(), table["sd_or_correlation"], table.iloc[:, 3])
        np.testing.assert_allclose(own["variance"], by_hand.astype(float), rtol=1e-3, atol=1e-4)
    assert found.converged.all()


def test_units_that_the_model_needs_are_not_estimable(data: pd.DataFrame) -> None:
    few = data[(data["arm"] == "a") | (data["patient"] == 1)]
    fit = ak.mixed("y ~ session", few, residual_structure=ak.heteroscedastic(by="arm"))
    table = fit.influence(by="patient").tidy().set_index("unit")
    assert np.isnan(table.loc["1", "cooks_distance"]) and not table.loc["1", "converged"]
    assert table.drop(index="1")["converged"].all()
    with pytest.raises(ak.SpecError, match="one-step deletion is there for independent residuals only"):
        fit.influence(by="patient", method="one-step")
