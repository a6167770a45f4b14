"""Dominance analysis: identities and refusals (the numbers are compared with R in tests/reference)."""

from __future__ import annotations

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.prediction.dominance import all_subsets_r2, dominance_analysis, general_weights

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5))
    return X, X @ np.array([0.3, 0.0, -0.2, 0.1, 0.4]) + rng.normal(size=80) * 2


def test_every_subset_equals_its_own_regression(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    r2 = dominance_analysis(X, y, NAMES).r2
    assert r2[0] == 0.0
    for mask in range(1, 32):
        columns = [j for j in range(5) if mask >> j & 1]
        A = np.column_stack([np.ones(80), X[:, columns]])
        residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
        assert r2[mask] == pytest.approx(1 - residual @ residual / (80 * y.var()), abs=1e-11)


def test_weights_and_commonality_add_up_to_r2(data: tuple[np.ndarray, np.ndarray]) -> None:
    found = dominance_analysis(*data, NAMES)
    table = found.tidy()
    for column in ("general", "relative_weight", "car_squared", "pratt"):
        assert table[column].sum() == pytest.approx(found.r2[-1], abs=1e-12)
    assert table["share"].sum() == pytest.approx(1.0, abs=1e-12)
    common = found.commonality()
    assert common["common"].sum() == pytest.approx(found.r2[-1], abs=1e-12)
    np.testing.assert_allclose(common["common"][:5], table["last"], atol=1e-12)
    assert len(common) == 31


def test_uncorrelated_predictors_share_r2_without_overlap() -> None:
    X = np.linalg.qr(np.column_stack([np.ones(40), np.random.default_rng(1).normal(size=(40, 3))]))[0][:, 1:]
    y = X @ np.array([3.0, 2.0, 1.0])
    table = dominance_analysis(X, y + 1e-3 * np.random.default_rng(2).normal(size=40), ("a", "b", "c")).tidy()
    for column in ("first", "last", "relative_weight", "pratt", "beta_squared"):
        np.testing.assert_allclose(table[column], table["general"], atol=1e-6)


def test_complete_implies_conditional_implies_general(data: tuple[np.ndarray, np.ndarray]) -> None:
    found = dominance_analysis(*data, NAMES)
    complete, conditional, general = (m.to_numpy() for m in (found.complete(), found.conditional(), found.general()))
    assert (conditional[complete == 1.0] == 1.0).all()
    assert (general[conditional == 1.0] == 1.0).all()
    for matrix in (complete, conditional, general):
        np.testing.assert_array_equal(matrix + matrix.T, np.ones((5, 5)))


def test_twins_are_undecided() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=50)
    b = rng.permutation(a)
    X = np.column_stack([np.concatenate([a, b]), np.concatenate([b, a])])
    y = X.sum(axis=1) + np.tile(rng.normal(size=50), 2)
    assert dominance_analysis(X, y, ("a", "b")).complete().loc["a", "b"] == 0.5


def test_a_batch_gives_the_same_as_one_by_one(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    batch = np.array([np.corrcoef(np.column_stack([X[s], y[s]]), rowvar=False) for s in (slice(0, 40), slice(40, 80))])
    np.testing.assert_allclose(all_subsets_r2(batch)[1], all_subsets_r2(batch[1]), atol=1e-14)
    np.testing.assert_allclose(general_weights(batch).sum(axis=1), all_subsets_r2(batch)[:, -1], atol=1e-12)


def test_refusals(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    with pytest.raises(ak.SpecError, match="dominance analysis of 1 predictor is not possible"):
        dominance_analysis(X[:, :1], y, ("a",))
    with pytest.raises(ak.SpecError, match="13 predictors"):
        dominance_analysis(np.random.default_rng(0).normal(size=(80, 13)), y, tuple("abcdefghijklm"))
    with pytest.raises(ak.DesignError, match="linear combination of the others"):
        dominance_analysis(np.column_stack([X[:, :2], X[:, 0] + X[:, 1]]), y, ("a", "b", "c"))
