"""Kenward and Roger's method with residual structures, against whole matrices differentiated by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

Matrix = np.ndarray[Any, np.dtype[np.float64]]
pytestmark = pytest.mark.filterwarnings("ignore::alliancekit.core.errors.DesignWarning")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """14 patients in 7 therapists with up to five visits, some missed; arm b varies more."""
    rng = np.random.default_rng(8)
    patient, visit = np.repeat(np.arange(14), 5), np.tile(np.arange(5.0), 14)
    e = np.empty((14, 5))
    e[:, 0] = rng.normal(size=14)
    for t in range(1, 5):
        e[:, t] = 0.5 * e[:, t - 1] + np.sqrt(0.75) * rng.normal(size=14)
    arm = (patient // 2) % 2
    y = 10 - visit + 2 * rng.normal(size=14)[patient] + 1.5 * rng.normal(size=7)[patient // 2] + e.ravel() * (1 + arm)
    d = pd.DataFrame({"y": y, "visit": visit, "patient": patient, "therapist": patient // 2})
    d["arm"], d["w"], d["size"] = np.where(arm, "b", "a"), rng.uniform(0.5, 2.0, 70), 1.0 + visit
    return d.drop(index=[3, 17, 29, 44, 69]).sample(frac=1.0, random_state=1).reset_index(drop=True)


def by_hand(X: Matrix, V: Callable[[Matrix], Matrix], at: Matrix) -> tuple[Matrix, Callable[[Matrix], float]]:
    """Return the adjusted covariance, and the df of a contrast, of Kenward & Roger (1997) by differences of V."""
    k, h = len(at), 1e-3 * np.abs(at)
    steps = np.diag(h)
    here = np.linalg.inv(V(at))
    phi = np.linalg.inv(X.T @ here @ X)
    first = [(V(at + s) - V(at - s)) / (2 * s.sum()) for s in steps]
    second = [
        [(V(at + r + s) - V(at + r - s) - V(at - r + s) + V(at - r - s)) / (4 * r.sum() * s.sum()) for s in steps]
        for r in steps
    ]
    P = [-X.T @ here @ G @ here @ X for G in first]
    Q = [[X.T @ here @ G @ here @ H @ here @ X for H in first] for G in first]
    information = np.array(
        [
            [
                np.trace(here @ first[r] @ here @ first[s])
                - 2 * np.trace(phi @ Q[r][s])
                + np.trace(phi @ P[r] @ phi @ P[s])
                for s in range(k)
            ]
            for r in range(k)
        ]
    )
    W = 2 * np.linalg.inv(information)
    total = sum(
        W[r, s] * (Q[r][s] - P[r] @ phi @ P[s] - X.T @ here @ second[r][s] @ here @ X / 4)
        for r in range(k)
        for s in range(k)
    )

    def df(row: Matrix) -> float:
        slope = np.array([-row @ phi @ p @ phi @ row for p in P]) / (row @ phi @ row)
        return float(2 / (slope @ W @ slope))  # Kenward & Roger's df of one contrast is Satterthwaite's

    return phi + 2 * phi @ np.asarray(total) @ phi, df


def patients(d: pd.DataFrame) -> Matrix:
    return np.equal.outer(d["patient"].to_numpy(), d["patient"].to_numpy()).astype(float)


def gaps(d: pd.DataFrame) -> Matrix:
    return np.abs(np.subtract.outer(d["visit"].to_numpy(), d["visit"].to_numpy()))


def autoregressive(d: pd.DataFrame, fit: Any) -> tuple[Callable[[Matrix], Matrix], Matrix]:
    """Random intercept of the therapist, two residual variances, Phi, prior weights."""
    therapist = np.equal.outer(d["therapist"].to_numpy(), d["therapist"].to_numpy())
    arm = (d["arm"] == "b").to_numpy()
    names = fit.variance_components().set_index("term_1")["sd_or_correlation"]

    def V(g: Matrix) -> Matrix:
        sd = np.sqrt(np.where(arm, g[2], g[1]) / d["w"].to_numpy())
        return g[0] * therapist + np.outer(sd, sd) * patients(d) * g[3] ** gaps(d)

    own = float(fit.covariances()["therapist"].iloc[0, 0])
    return V, np.array([own, fit.sigma**2, (fit.sigma * names["SD of b / SD of a"]) ** 2, names["Phi"]])


def power(d: pd.DataFrame, fit: Any) -> tuple[Callable[[Matrix], Matrix], Matrix]:
    """Variance at the geometric mean of the covariate, the power, and Rho."""
    size = np.log(d["size"].to_numpy())
    names = fit.variance_components().set_index("term_1")["sd_or_correlation"]
    exponent = names["power of size"]

    def V(g: Matrix) -> Matrix:
        sd = np.sqrt(g[0]) * np.exp(g[1] * (size - size.mean()))
        return np.outer(sd, sd) * np.where(patients(d) > 0, np.where(np.eye(len(d)) > 0, 1.0, g[2]), 0.0)

    return V, np.array([fit.sigma**2 * np.exp(2 * exponent * size.mean()), exponent, names["Rho"]])


def unstructured(d: pd.DataFrame, fit: Any) -> tuple[Callable[[Matrix], Matrix], Matrix]:
    """The covariance matrix of the visits, entry by entry."""
    place = d["visit"].to_numpy().astype(int)
    lower = np.tril_indices(5)
    full = d.groupby("patient").size()
    unit = int(full[full == 5].index[0])
    rows = d[d["patient"] == unit].sort_values("visit").index
    sigma = fit.marginal_covariance(unit).loc[rows, rows].to_numpy()

    def V(g: Matrix) -> Matrix:
        S = np.zeros((5, 5))
        S[lower] = g
        S = S + np.tril(S, -1).T
        return patients(d) * S[np.ix_(place, place)]

    return V, sigma[lower]


CASES: dict[str, tuple[str, Callable[[], Any], str | None, Any]] = {
    "ar1 + heteroscedastic, weights": (
        "y ~ visit * arm + (1 | therapist)",
        lambda: ak.ar1(time="visit", by="patient") + ak.heteroscedastic(by="arm"),
        "w",
        autoregressive,
    ),
    "compound symmetry + power": (
        "y ~ visit * arm",
        lambda: ak.compound_symmetry(by="patient") + ak.power_of("size"),
        None,
        power,
    ),
    "unstructured": (
        "y ~ factor(visit) + arm",
        lambda: ak.unstructured(time="visit", by="patient"),
        None,
        unstructured,
    ),
}


@pytest.mark.option("MixedFit.tidy.ddf", "kenward-roger: dense matrices and differences, residual structures")
@pytest.mark.parametrize("name", list(CASES))
def test_against_whole_matrices(name: str, data: pd.DataFrame) -> None:
    formula, structure, weights, make = CASES[name]
    fit = ak.mixed(formula, data, residual_structure=structure(), weights=weights)
    V, at = make(data, fit)
    X = fit.design.X
    np.testing.assert_allclose(
        np.linalg.inv(X.T @ np.linalg.inv(V(at)) @ X), fit.vcov().to_numpy(), rtol=1e-6, atol=1e-9
    )
    adjusted, df = by_hand(X, V, at)
    np.testing.assert_allclose(fit.vcov(method="kenward-roger").to_numpy(), adjusted, rtol=2e-5, atol=1e-7)
    table = fit.tidy(ddf="kenward-roger")
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(adjusted)), rtol=1e-5)
    np.testing.assert_allclose(table["df"], [df(row) for row in np.eye(X.shape[1])], rtol=1e-4)


def test_compound_symmetry_is_the_random_intercept(data: pd.DataFrame) -> None:
    """pbkrtest is the reference of the model with the random intercept (tests/reference/mlm)."""
    one = ak.mixed("y ~ visit * arm", data, residual_structure=ak.compound_symmetry(by="patient"))
    two = ak.mixed("y ~ visit * arm + (1 | patient)", data)
    for column in ("std_error", "df", "p_value"):
        ours, theirs = (f.tidy(ddf="kenward-roger")[column] for f in (one, two))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    ours, theirs = (f.test("visit = 0, visit:armb = 0", ddf="kenward-roger").iloc[0] for f in (one, two))
    for column in ("statistic", "df", "p_value"):
        assert ours[column] == pytest.approx(theirs[column], rel=1e-5)


def test_complete_unstructured_data_have_the_exact_test() -> None:
    """Kenward and Roger's F of the occasions is then Hotelling's T2 with its exact df."""
    rng = np.random.default_rng(2)
    n, t = 12, 4
    Y = rng.normal(size=(n, t)) @ (np.eye(t) + np.tril(np.full((t, t), 0.5)))
    d = pd.DataFrame({"y": Y.ravel(), "id": np.repeat(np.arange(n), t), "v": np.tile(["a", "b", "c", "d"], n)})
    fit = ak.mixed("y ~ v", d, residual_structure=ak.unstructured(time="v", by="id"))
    found = fit.test("vb = 0, vc = 0, vd = 0", ddf="kenward-roger").iloc[0]
    gap = Y[:, 1:] - Y[:, :1]
    t2 = n * gap.mean(axis=0) @ np.linalg.solve(np.cov(gap.T), gap.mean(axis=0))
    assert found["df"] == pytest.approx(n - t + 1, rel=1e-4)
    assert found["statistic"] == pytest.approx(t2 * (n - t + 1) / ((n - 1) * (t - 1)), rel=1e-4)


def test_fits_by_ml_and_huge_units_are_refused(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    structure = ak.ar1(time="visit", by="patient")
    fit = ak.mixed("y ~ visit", data, residual_structure=structure, method="ML")
    with pytest.raises(ak.SpecError, match="REML"):
        fit.tidy(ddf="kenward-roger")
    monkeypatch.setattr("alliancekit.multilevel.residual.kenward_roger.MOST", 10)
    with pytest.raises(ak.SpecError, match="hang together"):
        ak.mixed("y ~ visit", data, residual_structure=structure).tidy(ddf="kenward-roger")
