"""Prediction, its error variance and residuals, against the dense inverse of Henderson's mixed-model equations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

FORMULAS = {
    "one factor": "y ~ x + (1 | a)",
    "slope": "y ~ x + (1 + x | a)",
    "uncorrelated": "y ~ x + (1 + x || a)",
    "nested": "y ~ x + (1 + x | a) + (1 | b)",
    "three levels and a slope each": "y ~ z + (1 + x | a) + (1 + x | b) + (1 | c)",
    "crossed": "y ~ x + (1 + x | a) + (1 | r)",
    "nested and crossed": "y ~ x + (1 + x | a) + (1 | b) + (1 + z | r) + (1 | s)",
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(21)
    n = 240
    a = rng.integers(0, 30, n)
    out = pd.DataFrame({"a": a, "b": a // 3, "c": a // 9, "r": rng.integers(0, 7, n), "s": rng.integers(0, 5, n)})
    out["x"], out["z"] = 4 * rng.random(n), rng.normal(size=n)
    out["w"] = rng.gamma(4, 0.25, n) + 0.1
    out["y"] = (
        3
        + rng.normal(0.4, 0.7, 30)[a] * out["x"]
        + rng.normal(size=30)[a]
        + rng.normal(0, 0.8, 10)[out["b"]]
        + rng.normal(0, 0.7, 7)[out["r"]]
        + rng.normal(0, 0.5, 5)[out["s"]]
        + rng.normal(size=n)
    )
    return out


def fitted(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(formula, data, **options)


def dense_z(fit: Any, new: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return X, Z and one selector per factor of rows that name a level which was not fitted."""
    built = fit.design.apply(new)
    blocks, strange = [], []
    for factor in fit._fit.factors:
        own = [b for b in built.random if b.group == factor.group]
        columns = np.concatenate([b.Z for b in own], axis=1)
        codes = own[0].codes
        Z = np.zeros((len(new), factor.n_levels, factor.q))
        known = codes >= 0
        Z[np.flatnonzero(known), codes[known]] = columns[known]
        blocks.append(Z.reshape(len(new), -1))
        strange.append(np.where(known[:, None], 0.0, columns))
    return built.X, np.hstack(blocks), strange


def henderson(fit: Any) -> np.ndarray:
    """Return the joint covariance of (beta_hat - beta, b_hat - b) by one dense inverse; G may be singular."""
    X, Z, _ = dense_z(fit, fit.data)
    root = np.zeros((Z.shape[1],) * 2)
    at = 0
    for factor, matrix in zip(fit._fit.factors, fit._fit.covariances, strict=True):
        values, vectors = np.linalg.eigh(matrix)
        small = vectors * np.sqrt(np.maximum(values, 0))
        for _ in range(factor.n_levels):
            root[at : at + factor.q, at : at + factor.q] = small
            at += factor.q
    w = np.ones(len(X)) if fit.design.weights is None else fit.design.weights
    T = np.hstack([X, Z @ root])
    C = T.T @ (T * w[:, None]) / fit.sigma**2
    p = X.shape[1]
    C[p:, p:] += np.eye(Z.shape[1])
    inverse = np.linalg.inv(C)
    back = np.eye(len(C))
    back[p:, p:] = root
    return back @ inverse @ back.T


@pytest.mark.option("MixedFit.predict.interval", "dense Henderson")
@pytest.mark.option("MixedFit.predict.include_random", "dense Henderson")
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_errors_of_prediction_are_hendersons(frame: pd.DataFrame, formula: str, weights: str | None) -> None:
    fit = fitted(formula, frame, weights=weights)
    new = frame.iloc[::5].copy()
    new["x"], new["z"] = new["x"] + 1.5, -new["z"]
    new.loc[new.index[::4], "a"] = 7000  # a unit that was not fitted, of a therapist who was
    new.loc[new.index[1::4], "b"] = frame["b"].iloc[0]  # another therapist than in the data
    new.loc[new.index[2::8], ["a", "b", "c", "r", "s"]] = 7000
    X, Z, strange = dense_z(fit, new)
    joint = henderson(fit)
    rows = np.hstack([X, Z])
    variance = np.einsum("ni,ij,nj->n", rows, joint, rows)
    confidence = fit.predict(new)
    np.testing.assert_allclose(confidence["std_error"], np.sqrt(variance), rtol=1e-7)
    beyond = sum(
        np.einsum("ni,ij,nj->n", z, g, z) for z, g in zip(strange, fit._fit.covariances, strict=True)
    ) + fit.sigma**2 / (1.0 if weights is None else new[weights].to_numpy())
    wide = fit.predict(new, interval="prediction", level=0.9)
    half = 1.6448536269514722 * np.sqrt(variance + beyond)
    np.testing.assert_allclose(wide["conf_high"] - wide["estimate"], half, rtol=1e-7)
    np.testing.assert_array_equal(wide["std_error"], confidence["std_error"])
    modes = fit.random_effects()
    assert len(modes) == Z.shape[1]
    np.testing.assert_array_equal(wide["new_group"].to_numpy()[::4], True)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_residuals_and_leverages(frame: pd.DataFrame, formula: str, weights: str | None) -> None:
    fit = fitted(formula, frame, weights=weights)
    X, Z, _ = dense_z(fit, frame)
    rows, w = np.hstack([X, Z]), np.ones(len(X)) if weights is None else frame[weights].to_numpy()
    hat = np.einsum("ni,ij,nj->n", rows, henderson(fit), rows) * w / fit.sigma**2
    np.testing.assert_allclose(fit.hat_values(), hat, rtol=1e-7)
    raw = frame["y"].to_numpy() - fit.fitted()
    np.testing.assert_allclose(fit.residuals(), raw)
    np.testing.assert_allclose(fit.residuals("pearson"), raw * np.sqrt(w))
    np.testing.assert_allclose(fit.residuals("scaled"), raw * np.sqrt(w) / fit.sigma)
    np.testing.assert_allclose(fit.residuals("standardised"), raw * np.sqrt(w / (1 - hat)) / fit.sigma)
    np.testing.assert_allclose(fit.residuals("marginal"), frame["y"] - X @ fit.fixed_effects.to_numpy())


@pytest.mark.option("MixedFit.residuals.kind", "unit")
def test_leverage_is_the_derivative_of_the_fitted_value(frame: pd.DataFrame) -> None:
    """With the variances held, fitted values are linear in y: H is read off by moving one outcome."""
    fit = fitted(FORMULAS["nested"], frame)
    V = np.eye(len(frame)) * fit.sigma**2
    for factor, matrix in zip(fit._fit.factors, fit._fit.covariances, strict=True):
        Z = np.concatenate([b.Z for b in fit.design.random if b.group == factor.group], axis=1)
        V += (Z @ matrix @ Z.T) * (factor.codes[:, None] == factor.codes)
    X, inverse = fit.design.X, np.linalg.inv(V)
    P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    np.testing.assert_allclose(fit.hat_values(), 1 - fit.sigma**2 * np.diag(P), rtol=1e-7)
    np.testing.assert_allclose(fit.residuals(), fit.sigma**2 * P @ frame["y"], rtol=1e-6, atol=1e-9)


def test_the_average_unit(frame: pd.DataFrame) -> None:
    fit = fitted(FORMULAS["nested"], frame)
    new = frame[["x"]].iloc[:6]
    plain = fit.predict(new, include_random=False)
    X = fit.design.apply(new, random=False).X
    np.testing.assert_allclose(plain["estimate"], X @ fit.fixed_effects.to_numpy())
    np.testing.assert_allclose(plain["std_error"], np.sqrt(np.einsum("ni,ij,nj->n", X, fit.vcov().to_numpy(), X)))
    assert not plain["new_group"].any()
    wide = fit.predict(new, include_random=False, interval="prediction")
    G = fit.covariances()
    z = np.column_stack([np.ones(6), new["x"]])
    total = plain["std_error"] ** 2 + fit.sigma**2 + G["b"].iloc[0, 0] + np.einsum("ni,ij,nj->n", z, G["a"], z)
    np.testing.assert_allclose((wide["conf_high"] - wide["estimate"]) / 1.959963984540054, np.sqrt(total))


def test_prediction_of_the_rows_used_are_the_fitted_values(frame: pd.DataFrame) -> None:
    holes = frame.copy()
    holes.loc[[3, 50], "x"] = np.nan
    fit = fitted("y ~ x + offset(z) + (1 + x | a) + (1 | r)", holes)
    np.testing.assert_allclose(fit.predict()["estimate"], fit.fitted())
    all_rows = fit.predict(holes)
    assert all_rows["estimate"].isna().sum() == 2 and all_rows["conf_low"].isna().sum() == 2
    assert all_rows.index.equals(holes.index)


def test_time_far_from_zero_changes_no_error(frame: pd.DataFrame) -> None:
    near = fitted("y ~ x + (1 + x | a)", frame)
    far = fitted("y ~ x + (1 + x | a)", frame.assign(x=frame["x"] + 20_000))
    np.testing.assert_allclose(far.predict()["std_error"], near.predict()["std_error"], rtol=1e-6)


def test_prediction_intervals_cover(frame: pd.DataFrame) -> None:
    """90% of new observations of new and of old units lie in their intervals (5,000 of each, known truth)."""
    rng = np.random.default_rng(77)
    groups, sd = 400, 1.5
    b = rng.normal(0, sd, groups)
    g = np.repeat(np.arange(groups), 4)
    d = pd.DataFrame({"g": g, "y": 2 + b[g] + rng.normal(size=g.size)})
    fit = ak.mixed("y ~ 1 + (1 | g)", d)
    n = 5000
    old = rng.integers(0, groups, n)
    seen = fit.predict(pd.DataFrame({"g": old}), interval="prediction", level=0.9)
    y = 2 + b[old] + rng.normal(size=n)
    fresh = fit.predict(pd.DataFrame({"g": np.arange(n) + groups}), interval="prediction", level=0.9)
    new = 2 + rng.normal(0, sd, n) + rng.normal(size=n)
    for frame_, value in ((seen, y), (fresh, new)):
        covered = ((frame_["conf_low"] < value) & (value < frame_["conf_high"])).mean()
        assert abs(covered - 0.9) < 0.02


@pytest.mark.option("MixedFit.predict.scale", "unit")
@pytest.mark.option("MixedFit.predict.level", "unit")
def test_bad_input(frame: pd.DataFrame) -> None:
    fit = fitted("y ~ x + (1 | a)", frame, weights="w")
    with pytest.raises(ak.SpecError, match=r"interval='predict'.*'prediction'"):
        fit.predict(interval="predict")
    with pytest.raises(ak.SpecError, match="level"):
        fit.predict(level=95)
    with pytest.raises(ak.SpecError, match="scale"):
        fit.predict(scale="respnse")
    with pytest.raises(ak.DesignError, match="'a'"):
        fit.predict(frame[["x"]])
    with pytest.raises(ak.DesignError, match="not positive"):
        fit.predict(frame.assign(w=0.0), interval="prediction")
    with pytest.raises(ak.SpecError, match=r"kind='standardized'.*standardised"):
        fit.residuals("standardized")
    assert fit.predict(scale="link").equals(fit.predict())
