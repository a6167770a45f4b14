"""The engine's deviance against a dense textbook computation, its gradient against differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alliancekit.formula.design import build_design
from alliancekit.multilevel.gaussian.design import build
from alliancekit.multilevel.gaussian.inference import factor_covariances, theta_from_covariances
from alliancekit.multilevel.gaussian.objective import (
    conditional_modes,
    covariances,
    deviance,
    eliminate,
    gradient,
)
from alliancekit.multilevel.gaussian.optimise import criterion

FORMULAS = {
    "one factor": "y ~ x + (1 | a)",
    "slope": "y ~ x + (1 + x | a)",
    "two slopes": "y ~ x + z + (1 + x + z | a)",
    "uncorrelated": "y ~ x + (1 + x || a)",
    "nested": "y ~ x + (1 + x | a) + (1 | b)",
    "nested with slopes above": "y ~ x + (1 | a) + (1 + z | b)",
    "three levels and a slope each": "y ~ z + (1 + x | a) + (1 + x | b) + (1 | c)",
    "crossed": "y ~ x + (1 + x | a) + (1 | r)",
    "crossed with slopes": "y ~ x + (1 | a) + (1 + x | r)",
    "nested and crossed": "y ~ x + (1 + x | a) + (1 | b) + (1 + z | r)",
    "two crossed": "y ~ x + (1 | a) + (1 | r) + (1 | s)",
    "intercept only": "y ~ 1 + (1 | a)",
    "no fixed effects": "y ~ 0 + (1 | a)",
    "slope without intercept": "y ~ x + (0 + x | a)",
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 240
    a = rng.integers(0, 30, n)
    out = pd.DataFrame({"a": a, "b": a // 3, "c": a // 9, "r": rng.integers(0, 7, n), "s": rng.integers(0, 5, n)})
    out["x"], out["z"] = 2005 + 4 * rng.random(n), rng.normal(size=n)
    out["w"] = rng.gamma(4, 0.25, n) + 0.1
    out["y"] = 3 + 0.4 * out["x"] + rng.normal(size=30)[a] + rng.normal(size=n)
    return out


def dense(design, engine, theta: np.ndarray, reml: bool) -> float:
    """-2 log-likelihood with sigma profiled out, from the n x n covariance matrix of y in the user's columns."""
    n, p = design.X.shape
    V = np.eye(n) if design.weights is None else np.diag(1 / design.weights)
    for factor, matrix in zip(engine.factors, factor_covariances(engine, theta, 1.0), strict=True):
        Z = np.concatenate([b.Z for b in design.random if b.group == factor.group], axis=1)
        same = factor.codes[:, None] == factor.codes[None, :]
        V += (Z @ matrix @ Z.T) * same
    inverse = np.linalg.inv(V)
    X, y = design.X, design.y
    XVX = X.T @ inverse @ X
    beta = np.linalg.solve(XVX, X.T @ inverse @ y) if p else np.zeros(0)
    residual = y - X @ beta
    dof = n - p if reml else n
    value = np.linalg.slogdet(V)[1] + dof * (1 + np.log(2 * np.pi * (residual @ inverse @ residual) / dof))
    return value + (np.linalg.slogdet(XVX)[1] if reml and p else 0.0)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_deviance_and_gradient(frame: pd.DataFrame, formula: str, reml: bool, weights: str | None) -> None:
    design = build_design(formula, frame, weights=weights)
    engine = build(design)
    rng = np.random.default_rng(5)
    theta = rng.normal(0.3, 0.5, engine.n_theta)
    value, slope = criterion(engine, theta, reml)
    assert value == pytest.approx(dense(design, engine, theta, reml), rel=2e-8)
    numeric = np.empty_like(slope)
    for i in range(theta.size):
        up, down = theta.copy(), theta.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        numeric[i] = (criterion(engine, up, reml)[0] - criterion(engine, down, reml)[0]) / 2e-5
    np.testing.assert_allclose(slope, numeric, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("formula", [f for f in FORMULAS.values() if "y ~ 0" not in f])
def test_modes_and_their_covariances(frame: pd.DataFrame, formula: str) -> None:
    """Conditional modes and covariances against Henderson's equations solved at once."""
    design = build_design(formula, frame)
    engine = build(design)
    theta = np.full(engine.n_theta, 0.4)
    state = eliminate(engine, theta)
    blocks, G = [], []
    for factor, matrix in zip(engine.factors, factor_covariances(engine, theta, 1.0), strict=True):
        Z = np.concatenate([b.Z for b in design.random if b.group == factor.group], axis=1) @ factor.basis
        levels = factor.n_levels
        wide = np.zeros((len(Z), levels * factor.q))
        for i, code in enumerate(factor.codes):
            wide[i, code * factor.q : (code + 1) * factor.q] = Z[i]
        back = np.linalg.inv(factor.basis)
        blocks.append(wide)
        G.append(np.kron(np.eye(levels), back @ matrix @ back.T))
    Z = np.concatenate(blocks, axis=1)
    whole = np.zeros((Z.shape[1],) * 2)
    at = 0
    for g in G:
        whole[at : at + len(g), at : at + len(g)] = g
        at += len(g)
    X = design.X @ engine.fixed_basis
    y = design.y - design.X @ engine.y_shift
    spread = np.linalg.inv(Z.T @ Z + np.linalg.inv(whole))
    b = spread @ Z.T @ (y - X @ state.beta)
    at = 0
    for factor, mode, cov in zip(
        engine.factors, conditional_modes(state, engine), covariances(state, engine), strict=True
    ):
        width = factor.n_levels * factor.q
        np.testing.assert_allclose(mode.T.ravel(), b[at : at + width], atol=1e-7)
        for level in range(factor.n_levels):
            own = slice(at + level * factor.q, at + (level + 1) * factor.q)
            np.testing.assert_allclose(cov[:, :, level], spread[own, own], atol=1e-7)
        at += width


def test_theta_round_trip(frame: pd.DataFrame) -> None:
    engine = build(build_design("y ~ x + (1 + x | a) + (1 | b) + (1 + z | r)", frame))
    theta = np.array([0.7, -0.2, 0.5, 0.3, 0.9, 0.4, 0.6])
    back = theta_from_covariances(engine, factor_covariances(engine, theta, 1.7), 1.7)
    np.testing.assert_allclose(back, theta, atol=1e-6)


def test_gradient_parts_add_up(frame: pd.DataFrame) -> None:
    """The gradient is linear in its two weights."""
    engine = build(build_design("y ~ x + (1 + x | a) + (1 | r)", frame))
    state = eliminate(engine, np.array([0.5, 0.1, 0.4, 0.3]))
    both = gradient(state, engine, reml=True, r2_weight=2.0)
    parts = gradient(state, engine, reml=True, r2_weight=0.0) + gradient(
        state, engine, reml=False, r2_weight=2.0, det_weight=0.0
    )
    np.testing.assert_allclose(both, parts, rtol=1e-9)
    assert np.isfinite(deviance(state, engine, True))
