"""Simulation, refits and the bootstrap with residual structures: moments, refits one by one, and the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.multilevel.test_residual_structures import sessions

STRUCTURES: dict[str, Callable[[], Any]] = {
    "ar1": lambda: ak.ar1(time="session", by="patient"),
    "car1": lambda: ak.car1(time="day", by="patient"),
    "ar1 + heteroscedastic": lambda: ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm"),
    "heteroscedastic": lambda: ak.heteroscedastic(by="arm"),
}


def fit_of(structure: Any, **more: Any) -> Any:
    data = sessions().sample(frac=1.0, random_state=2).assign(w=lambda d: 1.0 + d["session"] / 4)
    return ak.mixed("y ~ session + (1 | patient)", data, residual_structure=structure, **more)


@pytest.mark.option("MixedFit.simulate.random_effects", "moments of the fit with residual structures")
@pytest.mark.parametrize("name", list(STRUCTURES))
def test_simulated_outcomes_have_the_moments_of_the_fit(name: str) -> None:
    fit = fit_of(STRUCTURES[name](), weights="w")
    draws, rows = 4000, (fit.data["patient"] == 3).to_numpy()
    covariance = fit.marginal_covariance(3).to_numpy()
    sd = np.sqrt(np.diag(covariance))
    Y = fit.simulate(draws, seed=1)[:, rows]
    assert np.abs(Y.mean(axis=0) - fit.augment()["fixed_part"][rows]).max() < 4.5 * sd.max() / np.sqrt(draws)
    gap = (np.cov(Y.T) - covariance) / np.outer(sd, sd)
    assert np.abs(gap).max() < 4.5 * np.sqrt(2 / draws)
    kept = fit.simulate(draws, seed=1, random_effects="fitted")[:, rows]
    own = covariance - float(fit.covariances()["patient"].iloc[0, 0])
    assert np.abs((np.cov(kept.T) - own) / np.outer(sd, sd)).max() < 4.5 * np.sqrt(2 / draws)
    assert np.abs(kept.mean(axis=0) - fit.fitted()[rows]).max() < 4.5 * sd.max() / np.sqrt(draws)


def test_variances_follow_the_simulated_mean_of_a_power_of_fitted_values() -> None:
    data = sessions().assign(y=lambda d: np.exp(d["y"] / 10))
    fit = ak.mixed("y ~ session + (1 | patient)", data, residual_structure=ak.power_of("fitted"))
    power = fit.variance_components().set_index("term_1").loc["power of fitted", "sd_or_correlation"]
    kept = fit.simulate(4000, seed=3, random_effects="fitted")
    ratio = kept.std(axis=0) / (fit.sigma * np.abs(fit.fitted()) ** power)
    assert np.abs(ratio - 1).max() < 4.5 / np.sqrt(2 * 4000)


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_refits_are_those_made_one_by_one(name: str) -> None:
    fit = fit_of(STRUCTURES[name]())
    Y = fit.simulate(3, seed=5)
    many = fit.refit_many(Y)
    for i, y in enumerate(Y):
        one = fit.refit(y)
        assert many.log_likelihood[i] >= one.log_likelihood - 1e-6
        table = one.confint().set_index("term")["estimate"]
        ours = many.augment().iloc[i][list(table.index)]
        np.testing.assert_allclose(ours.astype(float), table, rtol=2e-3, atol=2e-3)


@pytest.mark.option("MixedFit.confint.method", "bootstrap: residual structures")
def test_bootstrap_limits_hold_every_parameter_and_agree_over_executors() -> None:
    fit = fit_of(STRUCTURES["ar1 + heteroscedastic"]())
    table = fit.confint(method="bootstrap", n=120, seed=4)
    wald = fit.confint().set_index("term")
    assert table["term"].tolist() == wald.index.tolist()
    table = table.set_index("term")
    for name in ("Phi", "SD of b / SD of a", "session", "sigma"):
        width = wald.loc[name, "conf_high"] - wald.loc[name, "conf_low"]
        assert abs(table.loc[name, "conf_low"] - wald.loc[name, "conf_low"]) < 0.35 * width
        assert abs(table.loc[name, "conf_high"] - wald.loc[name, "conf_high"]) < 0.35 * width
    one = fit.bootstrap(20, seed=9)
    two = fit.bootstrap(20, seed=9, executor="joblib")
    pd.testing.assert_frame_equal(one.tidy(), two.tidy())


def test_limits_stay_in_the_space_of_a_parameter() -> None:
    fit = fit_of(STRUCTURES["ar1 + heteroscedastic"]())
    basic = fit.bootstrap(40, seed=1).tidy(level=0.999, interval="basic").set_index("term")
    assert basic.loc["Phi", "conf_low"] >= -1 and basic.loc["Phi", "conf_high"] <= 1
    assert basic.loc["SD of b / SD of a", "conf_low"] >= 0


@pytest.mark.filterwarnings("ignore::alliancekit.core.errors.BoundaryWarning")
def test_shares_and_the_simulated_likelihood_ratio() -> None:
    fit = fit_of(STRUCTURES["ar1 + heteroscedastic"]())
    shares = fit.variance_shares(interval="bootstrap", n=60, seed=2)
    assert ((shares["conf_low"] < shares["estimate"]) & (shares["estimate"] < shares["conf_high"])).all()
    smaller = ak.mixed("y ~ 1 + (1 | patient)", fit.data, residual_structure=STRUCTURES["ar1 + heteroscedastic"]())
    p = ak.compare(smaller, fit, method="bootstrap", n=60, seed=1).tidy()["p_value"].iloc[1]
    assert p == pytest.approx(1 / 61)


def test_bad_input() -> None:
    fit = fit_of(STRUCTURES["ar1"]())
    with pytest.raises(ak.DesignError, match="one column per row"):
        fit.refit_many(np.zeros((2, 3)))
    with pytest.raises(ak.SpecError, match="number of replicates"):
        fit.bootstrap(3)
