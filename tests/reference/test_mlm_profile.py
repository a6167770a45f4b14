"""Profile intervals of lme4 1.1-31: one test per case, parameter and limit, made by walking expected_profile.json."""

from __future__ import annotations

import json
import tomllib
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

import alliancekit as ak
from tests.reference.comparison import assert_close, load_case

FAMILY = Path(__file__).parent / "mlm"
REASONS: dict[str, str] = tomllib.loads((FAMILY / "not_compared_profile.toml").read_text())
RISE = chi2.ppf(0.95, 1)
FEW = "sim_group_therapy_few_clusters"


def _fit(case: str, formula: str | None = None, data: pd.DataFrame | None = None, method: str = "ML") -> Any:
    model, _ = load_case(FAMILY / case)
    frame = pd.read_csv(FAMILY / case / "data.csv") if data is None else data
    for column, levels in model.get("factors", {}).items():
        frame[column] = pd.Categorical(frame[column].astype(str), categories=levels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(formula or model["formula"], frame, method=method)


@cache
def intervals(case: str, method: str = "ML") -> pd.DataFrame:
    return _fit(case, method=method).confint(method="profile").set_index("term")


def _quantities() -> list[Any]:
    out = []
    for path in sorted(FAMILY.glob("*/expected_profile.json")):
        for name, limits in json.loads(path.read_text())["profile_ci"].items():
            for side, value in limits.items():
                case = path.parent.name
                out.append(pytest.param(case, name, side, value, id=f"{case}-{name}-{side}"))
    return out


@pytest.mark.option("MixedFit.confint.method=profile", "lme4 1.1-31, 10 cases")
@pytest.mark.parametrize(("case", "name", "side", "value"), _quantities())
def test_quantity(case: str, name: str, side: str, value: float, record_property: Any) -> None:
    if f"{case}-{name}-{side}" in REASONS:
        record_property("excused", True)
        return
    column = "conf_low" if side == "lower" else "conf_high"
    assert_close(intervals(case).loc[name, column], value, "profile_ci", f"{side} limit of {name}")


def test_every_parameter_is_in_the_reference() -> None:
    for path in FAMILY.glob("*/expected_profile.json"):
        names = set(json.loads(path.read_text())["profile_ci"])
        assert names == set(intervals(path.parent.name).index), path.parent.name


def test_a_fit_by_reml_has_the_limits_of_ml() -> None:
    by_reml, by_ml = intervals("sleepstudy_rs", "REML"), intervals("sleepstudy_rs")
    np.testing.assert_allclose(by_reml["conf_low"], by_ml["conf_low"], rtol=1e-6)
    assert (by_reml["estimate"] != by_ml["estimate"]).any()
    assert "fitted by REML; profiles are of the ML likelihood" in by_reml.attrs["notes"][0]


def _rise_with_slope_held(term: str, value: float) -> float:
    """Rise of the ML deviance with one fixed effect held: an ordinary fit with an offset."""
    data = pd.read_csv(FAMILY / FEW / "data.csv")
    data["held"] = value * (1.0 if term == "(Intercept)" else data[term])
    kept = {"(Intercept)": "0 + pre + trt", "trt": "pre"}[term]
    held = _fit(FEW, f"post ~ {kept} + offset(held) + (1 | grp)", data)
    return -2 * held.log_likelihood + 2 * _fit(FEW).log_likelihood


@pytest.mark.parametrize(("term", "side"), [("(Intercept)", "lower"), ("trt", "lower"), ("trt", "upper")])
def test_limits_that_differ_are_right_where_a_slope_is_held(term: str, side: str) -> None:
    theirs = json.loads((FAMILY / FEW / "expected_profile.json").read_text())["profile_ci"][term][side]
    ours = intervals(FEW).loc[term, "conf_low" if side == "lower" else "conf_high"]
    assert _rise_with_slope_held(term, ours) == pytest.approx(RISE, abs=1e-5)
    assert _rise_with_slope_held(term, theirs) < RISE - 0.02


def _rise_with_sd_held(sd: float) -> float:
    """Rise of the ML deviance with the SD of the groups held, from the dense covariance matrix of the outcome."""
    fit = _fit(FEW)
    X, y = fit.design.X, np.asarray(fit.design.y)
    codes = fit.design.random[0].codes
    same = (codes[:, None] == codes[None, :]).astype(float)

    def deviance(log_sigma: float) -> float:
        V = sd**2 * same + np.exp(2 * log_sigma) * np.eye(y.size)
        inverse = np.linalg.inv(V)
        residual = y - X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y)
        return y.size * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + residual @ inverse @ residual

    found = minimize_scalar(deviance, bounds=(np.log(fit.sigma) - 1, np.log(fit.sigma) + 1), options={"xatol": 1e-9})
    return float(found.fun) + 2 * fit.log_likelihood


def test_limit_that_differs_is_right_where_an_sd_is_held() -> None:
    name = "sd_(Intercept)|grp"
    theirs = json.loads((FAMILY / FEW / "expected_profile.json").read_text())["profile_ci"][name]["upper"]
    assert _rise_with_sd_held(intervals(FEW).loc[name, "conf_high"]) == pytest.approx(RISE, abs=1e-5)
    assert _rise_with_sd_held(theirs) > RISE + 0.005
