"""Passes at many thetas and responses at once against one pass at a time, and refits at once against single ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alliancekit.core.errors import DesignError
from alliancekit.formula.design import Design, build_design
from alliancekit.multilevel.after.natural import covariance_stacks
from alliancekit.multilevel.gaussian import batch, many, optimise, products
from alliancekit.multilevel.gaussian.design import build, respond
from alliancekit.multilevel.gaussian.fit import GaussianFit, fit, refit
from alliancekit.multilevel.gaussian.inference import variance_uncertainty
from alliancekit.multilevel.gaussian.many import refit_many
from alliancekit.multilevel.gaussian.objective import deviance, eliminate, gradient
from alliancekit.multilevel.gaussian.responses import own_response, take_responses

FORMULAS = {
    "intercepts": "y ~ x + (1 | a)",
    "slope": "y ~ x + time + (1 + time | a)",
    "two slopes": "y ~ x + (1 + time + late | a)",
    "three levels": "y ~ x + time + (1 + time | a) + (1 | b)",
    "slope above": "y ~ x + time + (1 | a) + (1 + time | b)",
    "four levels": "y ~ x + (1 + time | a) + (1 + time | b) + (1 | c)",
    "uncorrelated": "y ~ x + (1 + time || a) + (1 | b)",
    "no fixed effects": "y ~ 0 + (1 + time | a) + (1 | b)",
}


def make_frame(seed: int = 8, patients: int = 60) -> pd.DataFrame:
    """Persons of 4 or 6 sessions, in therapists and clinics that are numbered out of order."""
    rng = np.random.default_rng(seed)
    a = np.repeat(np.arange(patients), np.where(np.arange(patients) % 3 == 0, 4, 6))
    n = a.size
    b = a * 5 % 12
    out = pd.DataFrame({"a": a, "b": b, "c": b * 2 % 3, "r": rng.integers(0, 12, n)})
    out["time"] = out.groupby("a").cumcount().astype(float)
    out["late"] = (out["time"] > 1).astype(float)
    out["x"] = rng.normal(size=n)
    out["w"] = rng.gamma(4, 0.25, n) + 0.1
    slope = rng.normal(0, 0.4, patients)[a]
    out["y"] = rng.normal(size=patients)[a] + rng.normal(size=12)[b] + slope * out["time"] + rng.normal(size=n)
    return out


@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_thetas_at_once(formula: str, collapse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not collapse:
        monkeypatch.setattr(products, "find_patterns", lambda *_: None)
    engine = build(build_design(formula, make_frame()))
    assert (engine.products.patterns is not None) == collapse
    thetas = np.random.default_rng(1).normal(0.4, 0.4, (4, engine.n_theta))
    responses = own_response(engine)
    states = batch.eliminate_batch(engine, batch.prepare(engine, responses), responses, thetas)
    for reml in (True, False):
        values = batch.deviances(states, engine, reml)
        slopes = batch.gradients(states, engine, reml=reml)
        weighted = batch.gradients(states, engine, reml=reml, r2_weight=0.3, det_weight=0.7)
        for i, theta in enumerate(thetas):
            state = eliminate(engine, theta)
            assert values[i] == pytest.approx(deviance(state, engine, reml), rel=1e-10)
            np.testing.assert_allclose(slopes[i], gradient(state, engine, reml=reml), rtol=1e-8, atol=1e-8)
            single = gradient(state, engine, reml=reml, r2_weight=0.3, det_weight=0.7)
            np.testing.assert_allclose(weighted[i], single, rtol=1e-8, atol=1e-8)
            np.testing.assert_allclose(states.fixed_inverse[i], state.fixed_inverse, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_responses_at_once(formula: str, weights: str | None) -> None:
    frame = make_frame()
    design = build_design(formula, frame, weights=weights)
    engine = build(design)
    rng = np.random.default_rng(2)
    Y = rng.normal(3.0, 1.0, (3, len(frame)))
    thetas = rng.normal(0.4, 0.4, (3, engine.n_theta))
    responses = take_responses(engine, design, Y)
    states = batch.eliminate_batch(engine, batch.prepare(engine, responses), responses, thetas)
    slopes = batch.gradients(states, engine, reml=True)
    for r in range(3):
        other = build(build_design(formula, frame.assign(y=Y[r]), weights=weights))
        for again in (respond(engine, responses, r), other):
            state = eliminate(again, thetas[r])
            assert states.r2[r] == pytest.approx(state.r2, rel=1e-9)
            np.testing.assert_allclose(states.beta[r], state.beta, atol=1e-9)
            np.testing.assert_allclose(slopes[r], gradient(state, again, reml=True), rtol=1e-7, atol=1e-7)


def test_uncertainty_is_the_same_at_once_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fit(build_design(FORMULAS["three levels"], make_frame()), True)
    quick = variance_uncertainty(one.engine, one.optimum.state, one.sigma, True)
    monkeypatch.setattr("alliancekit.multilevel.gaussian.inference.at_once", lambda design: None)
    slow = variance_uncertainty(one.engine, one.optimum.state, one.sigma, True)
    np.testing.assert_allclose(quick.covariance, slow.covariance, rtol=1e-5, atol=1e-10)
    np.testing.assert_allclose(quick.derivatives, slow.derivatives, rtol=1e-5, atol=1e-10)
    monkeypatch.setattr(optimise, "at_once", lambda design: None)
    again = fit(one.design, True)
    np.testing.assert_allclose(again.optimum.theta, one.optimum.theta, atol=1e-8)


def simulate(fitted: GaussianFit, R: int, seed: int) -> np.ndarray:
    """Responses from the fitted model."""
    rng = np.random.default_rng(seed)
    design: Design = fitted.design
    Y = np.tile(design.X @ fitted.beta, (R, 1))
    if design.offset is not None:
        Y = Y + design.offset
    for factor, covariance in zip(fitted.factors, fitted.covariances, strict=True):
        Z = np.concatenate([b.Z for b in design.random if b.group == factor.group], axis=1)
        effects = rng.multivariate_normal(np.zeros(factor.q), covariance, (R, factor.n_levels), method="eigh")
        Y = Y + np.einsum("nq,rnq->rn", Z, effects[:, factor.codes])
    root = 1.0 if design.weights is None else np.sqrt(design.weights)
    return Y + rng.normal(0, fitted.sigma, Y.shape) / root


def check_refits(fitted: GaussianFit, Y: np.ndarray) -> many.Many:
    found = refit_many(fitted, Y)
    stacks = covariance_stacks(fitted, found.theta, found.sigma)
    for r, y in enumerate(Y):
        single = refit(fitted, y)
        np.testing.assert_allclose(found.beta[r], single.beta, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(found.theta[r], single.optimum.theta, rtol=1e-8, atol=1e-8)
        assert found.sigma[r] == pytest.approx(single.sigma, rel=1e-8)
        assert found.log_likelihood[r] == pytest.approx(single.log_likelihood, rel=1e-10)
        assert bool(found.singular[r]) == any(single.singular) and bool(found.converged[r]) == single.converged
        for i, covariance in enumerate(single.covariances):
            np.testing.assert_allclose(stacks[i][r], covariance, rtol=1e-7, atol=1e-8)
    return found


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_refits_equal_single_ones(formula: str, reml: bool) -> None:
    fitted = fit(build_design(formula, make_frame()), reml)
    check_refits(fitted, simulate(fitted, 6, 3))


@pytest.mark.parametrize("order", ["shuffled", "weights", "offset", "crossed", "small batches"])
def test_refits_of_other_designs(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, formula, weights = make_frame(), FORMULAS["three levels"], None
    if order == "shuffled":
        frame = frame.sample(frac=0.9, random_state=4)
    elif order == "weights":
        weights = "w"
    elif order == "offset":
        formula += " + offset(late)"
    elif order == "crossed":
        formula += " + (1 | r)"
    else:
        monkeypatch.setattr(many, "_CACHED", 1)
        monkeypatch.setattr(many, "_ROWS", 10 * len(frame))
    fitted = fit(build_design(formula, frame, weights=weights), True)
    found = check_refits(fitted, simulate(fitted, 25 if order == "small batches" else 6, 5))
    assert found.theta.shape == (25 if order == "small batches" else 6, fitted.engine.n_theta)


def test_refits_on_the_boundary() -> None:
    """Half the responses of a model without therapist differences have a variance of zero."""
    frame = make_frame().assign(y=lambda d: d["y"] - d.groupby("b")["y"].transform("mean"))
    fitted = fit(build_design("y ~ x + time + (1 | a) + (1 | b)", frame), True)
    assert fitted.singular == (False, True)
    found = check_refits(fitted, simulate(fitted, 40, 6))
    assert 8 < found.singular.sum() < 36


def test_a_search_that_fails_is_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit(build_design(FORMULAS["three levels"], make_frame()), True)
    original = many.minimise_many
    monkeypatch.setattr(many, "minimise_many", lambda *a: original(*a, max_iterations=1))
    assert check_refits(fitted, simulate(fitted, 4, 7)).converged.all()


@pytest.mark.parametrize("bad", ["one row", "too short", "none", "missing"])
def test_responses_that_do_not_fit(bad: str) -> None:
    frame = make_frame()
    fitted = fit(build_design(FORMULAS["intercepts"], frame), True)
    Y = np.zeros((2, len(frame)))
    Y[0, 0] = np.nan
    wrong = {"one row": Y[0], "too short": Y[:, 1:], "none": Y[:0], "missing": Y}[bad]
    with pytest.raises(DesignError, match=r"responses have shape|not finite"):
        refit_many(fitted, wrong)
