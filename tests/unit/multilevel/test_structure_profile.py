"""Profile intervals with residual structures: at a limit the deviance, minimised with whole matrices, has risen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import alliancekit as ak
from tests.unit.multilevel.test_residual_structures import sessions

RISE = 3.841458820694124  # .95 quantile of chi-square with 1 df
Matrix = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return sessions(patients=20).query("session < 5").reset_index(drop=True)


def same_patient(d: pd.DataFrame) -> Matrix:
    return np.equal.outer(d["patient"].to_numpy(), d["patient"].to_numpy())


def gap(d: pd.DataFrame) -> Matrix:
    return np.abs(np.subtract.outer(d["session"].to_numpy(), d["session"].to_numpy()))


def autoregressive(d: pd.DataFrame, v: dict[str, float]) -> Matrix:
    sd = v["sigma"] * np.where(d["arm"] == "b", v["SD of b / SD of a"], 1.0)
    return same_patient(d) * (v["sd_(Intercept)|patient"] ** 2 + np.outer(sd, sd) * v["Phi"] ** gap(d))


def growth(d: pd.DataFrame, v: dict[str, float]) -> Matrix:
    a, b = v["sd_(Intercept)|patient"], v["sd_session|patient"]
    covariance = a * b * v["cor_session.(Intercept)|patient"]
    G = np.array([[a**2, covariance], [covariance, b**2]])
    Z = np.column_stack([np.ones(len(d)), d["session"]])
    sd = v["sigma"] * np.where(d["arm"] == "b", v["SD of b / SD of a"], 1.0)
    return same_patient(d) * (Z @ G @ Z.T) + np.diag(sd**2)


def unstructured(d: pd.DataFrame, v: dict[str, float]) -> Matrix:
    C = np.eye(3)
    for i in range(3):
        for j in range(i + 1, 3):
            C[i, j] = C[j, i] = v[f"cor({i},{j})"]
    sd = v["sigma"] * np.array([1.0, v["SD of 1 / SD of 0"], v["SD of 2 / SD of 0"]])
    place = d["session"].to_numpy()
    return same_patient(d) * np.outer(sd[place], sd[place]) * C[np.ix_(place, place)]


Covariance = Callable[[pd.DataFrame, dict[str, float]], Matrix]
CASES: dict[str, tuple[str, Callable[[], Any], Covariance, str]] = {
    "ar1 + heteroscedastic": (
        "y ~ session + (1 | patient)",
        lambda: ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm"),
        autoregressive,
        "session >= 0",
    ),
    "slopes, heteroscedastic": (
        "y ~ session + (session | patient)",
        lambda: ak.heteroscedastic(by="arm"),
        growth,
        "session >= 0",
    ),
    "unstructured": (
        "y ~ session",
        lambda: ak.unstructured(time="session", by="patient"),
        unstructured,
        "session < 3",
    ),
}


def deviance(d: pd.DataFrame, V: Matrix, held: dict[str, float]) -> float:
    """Return the ML deviance with beta profiled, but for a held coefficient."""
    X = {"(Intercept)": np.ones(len(d)), "session": d["session"].to_numpy(dtype=float)}
    y = d["y"].to_numpy() - sum(value * X[name] for name, value in held.items())
    free = np.column_stack([column for name, column in X.items() if name not in held])
    sign, size = np.linalg.slogdet(V)
    if sign <= 0:
        return np.inf
    inverse = np.linalg.inv(V)
    left = y - free @ np.linalg.solve(free.T @ inverse @ free, free.T @ inverse @ y)
    return float(size + left @ inverse @ left + len(d) * np.log(2 * np.pi))


def least(d: pd.DataFrame, make: Covariance, start: dict[str, float], name: str, value: float) -> float:
    """Return the least deviance with one parameter held, over logs of SDs and Fisher's z of correlations."""
    held = {name: value} if name in ("(Intercept)", "session") else {}
    names = [n for n in start if n != name and n not in ("(Intercept)", "session")]
    bounded = [n.startswith("cor") or n == "Phi" for n in names]

    def value_at(x: Matrix) -> float:
        own = {n: np.tanh(u) if b else np.exp(u) for n, u, b in zip(names, x, bounded, strict=True)}
        inside = value * (1 - 1e-9) if name.startswith("cor_") else value
        return deviance(d, make(d, own if held else own | {name: inside}), held)

    x = np.array([np.arctanh(start[n]) if b else np.log(start[n]) for n, b in zip(names, bounded, strict=True)])
    for _ in range(3):
        x = minimize(value_at, x, method="BFGS", options={"gtol": 1e-5}).x
    return value_at(x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.option("MixedFit.confint.method", "profile: whole matrices, residual structures")
@pytest.mark.parametrize("name", list(CASES))
def test_the_deviance_has_risen_at_every_limit(name: str, data: pd.DataFrame) -> None:
    formula, structure, make, rows = CASES[name]
    d = data.query(rows).reset_index(drop=True)
    fit = ak.mixed(formula, d, residual_structure=structure(), method="ML")
    table = fit.confint(method="profile")
    assert table["term"].tolist() == fit.confint()["term"].tolist()
    start = dict(zip(table["term"], table["estimate"], strict=True))
    assert deviance(d, make(d, start), {}) == pytest.approx(-2 * fit.log_likelihood, rel=1e-9)
    wanted = table.iloc[::2] if name == "unstructured" else table
    for row in wanted.itertuples():
        for end in (row.conf_low, row.conf_high):
            rise = least(d, make, start, str(row.term), float(end)) + 2 * fit.log_likelihood
            if (str(row.term).startswith("sd_") and end == 0) or abs(end) == 1:  # the end of its space comes first
                assert rise <= RISE
                continue
            assert rise == pytest.approx(RISE, abs=5e-3), (row.term, end)


def test_compound_symmetry_has_the_limits_of_the_random_intercept(data: pd.DataFrame) -> None:
    one = ak.mixed("y ~ session", data, residual_structure=ak.compound_symmetry(by="patient")).confint(method="profile")
    two = ak.mixed("y ~ session + (1 | patient)", data).confint(method="profile")
    for term in ("(Intercept)", "session"):
        ours, theirs = (t.set_index("term").loc[term, ["conf_low", "conf_high"]] for t in (one, two))
        np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=1e-5)


def test_curves_and_a_fit_by_reml(data: pd.DataFrame) -> None:
    fit = ak.mixed("y ~ session + (1 | patient)", data, residual_structure=ak.ar1(time="session", by="patient"))
    found = fit.profile(parameters=["Phi"])
    own = found.augment()
    assert (np.diff(own["zeta"]) > 0).all() and (np.diff(own["value"]) > 0).all()
    assert own["zeta"].min() < -1.96 and own["zeta"].max() > 1.96
    by_ml = fit.with_method("ML").confint(method="profile", parameters=["Phi"])
    np.testing.assert_allclose(found.tidy()[["conf_low", "conf_high"]], by_ml[["conf_low", "conf_high"]], rtol=1e-5)
    table = fit.variance_components(interval="profile").set_index("term_1")
    assert table.loc["Phi", "conf_low"] == pytest.approx(found.tidy()["conf_low"].iloc[0])


def test_profiles_that_are_not_there(data: pd.DataFrame) -> None:
    positive = data.assign(y=np.exp(data["y"] / 20))
    moving = ak.mixed("y ~ session", positive, residual_structure=ak.power_of("fitted"))
    with pytest.raises(ak.SpecError, match="fitted values"):
        moving.confint(method="profile")
    fit = ak.mixed("y ~ session", data, residual_structure=ak.ar1(time="session", by="patient"))
    with pytest.raises(ak.SpecError, match="Did you mean 'Phi'"):
        fit.profile(parameters=["phi"])
