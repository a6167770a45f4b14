"""Tests of models beside the likelihood-ratio test: what must not matter, and what they are for."""

from __future__ import annotations

import numpy as np
import pytest

import alliancekit as ak
from tests.unit.structural.test_moment_models import THREE, answers, quietly


def test_neither_units_nor_order_matter() -> None:
    frame = answers(200)
    moved = frame[[f"w{i}" for i in range(9, 0, -1)]] * [10.0**k for k in range(-4, 5)]
    one, other = (ak.cfa(THREE, d, std_lv=True).model_tests(300, seed=2) for d in (frame, moved))
    np.testing.assert_allclose(one["statistic"], other["statistic"], rtol=1e-6)
    assert abs(one["p_value"] - other["p_value"]).max() < 0.01


def test_tests_for_any_distribution_hold_their_level_under_heavy_tails() -> None:
    """The plain test rejects far too often, and so does the residual test for normal rows; the others do not."""
    rng = np.random.default_rng(3)
    rejected = []
    for _ in range(60):
        frame = answers(600, int(rng.integers(1 << 30)))
        heavy = (frame.drop(columns="site") - 3).mul(np.sqrt(4 / rng.chisquare(5, len(frame))), axis=0)
        fit = quietly(ak.cfa, THREE, heavy)
        tests = fit.model_tests(100, seed=1).set_index("test")["p_value"]
        rejected.append(tests < 0.05)
    share = np.mean(rejected, axis=0)
    plain, normal, free, drawn = share
    assert min(plain, normal) > 0.3
    assert max(free, drawn) < 0.15


def test_what_a_fit_does_not_allow() -> None:
    frame = answers()
    holes = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.05).assign(site=frame["site"])
    incomplete = ak.cfa(THREE, holes, missing="fiml")
    assert incomplete.model_tests()["test"].tolist() == ["standard"]
    robust = ak.cfa(THREE, frame, estimator="MLR").model_tests()
    assert robust["test"].tolist()[:2] == ["standard", "yuan.bentler.mplus"]
    few = ak.cfa(THREE, frame.head(45)).model_tests()
    assert few["test"].tolist() == ["standard", "browne.residual.nt"]
    moments = ak.cfa(THREE, sample_cov=frame.drop(columns="site").cov(), sample_nobs=300)
    assert moments.model_tests()["test"].tolist() == ["standard", "browne.residual.nt"]
    with pytest.raises(ak.SpecError, match="draws rows, and the model was fitted to covariances"):
        moments.model_tests(100)
    with pytest.raises(ak.SpecError, match="complete, independent rows of continuous"):
        incomplete.model_tests(100)
    with pytest.raises(ak.SpecError, match="is not a number of samples"):
        moments.model_tests(-1)
