"""Rotation: derivatives against differences, known answers, and the same minimum from any orientation."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.core.errors import SpecError
from alliancekit.numerics.rotation import _Change, align, refine, rotate
from alliancekit.numerics.rotation_criteria import CRITERIA, ORTHOGONAL, make_criterion

RNG = np.random.default_rng(20)
SIMPLE = np.kron(np.eye(3), np.ones((4, 1))) * RNG.uniform(0.5, 0.9, (12, 1))
NOISY = SIMPLE + RNG.normal(0, 0.15, SIMPLE.shape)
OPTIONS = {
    "orthomax": {"gamma": 0.3},
    "oblimin": {"gamma": -0.5},
    "crawford-ferguson": {"kappa": 0.1},
    "target": {"target": np.where(SIMPLE > 0, np.nan, 0.0)},
}


@pytest.mark.parametrize("name", CRITERIA)
def test_derivative_by_loadings(name: str) -> None:
    criterion = make_criterion(name, **OPTIONS.get(name, {}))
    L = np.stack([NOISY, NOISY[::-1] * 0.7])
    _, slope = criterion(L)
    for i, j in ((0, 0), (5, 1), (11, 2)):
        up, down = L.copy(), L.copy()
        up[:, i, j] += 1e-6
        down[:, i, j] -= 1e-6
        np.testing.assert_allclose(slope[:, i, j], (criterion(up)[0] - criterion(down)[0]) / 2e-6, atol=1e-7)


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("name", ["geomin", "varimax", "bentler"])
def test_derivative_by_change_of_orientation(name: str, orthogonal: bool) -> None:
    turned = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    change = _Change(NOISY, make_criterion(name), turned, orthogonal)
    s = RNG.normal(0, 0.2, change.size)
    numeric = [(change(s + 1e-6 * e)[0] - change(s - 1e-6 * e)[0]) / 2e-6 for e in np.eye(change.size)]
    np.testing.assert_allclose(change(s)[1], numeric, atol=1e-7)


@pytest.mark.parametrize("name", CRITERIA)
def test_simple_structure_is_found_from_any_orientation(name: str) -> None:
    criterion = make_criterion(name, **OPTIONS.get(name, {}))
    orthogonal = name in ORTHOGONAL
    turned = SIMPLE @ np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    found = rotate(turned, criterion, orthogonal=orthogonal)
    assert found.converged
    loadings, correlations, _ = align(found.loadings, found.correlations, found.T)
    np.testing.assert_allclose(loadings @ correlations @ loadings.T, SIMPLE @ SIMPLE.T, atol=1e-9)
    np.testing.assert_allclose(np.diag(correlations), 1.0, atol=1e-12)
    order = [0, 1, 2] if name == "target" else np.argsort(np.abs(loadings).argmax(axis=0))
    far = 0.08 if name in ("geomin", "oblimin", "crawford-ferguson") else 1e-4
    np.testing.assert_allclose(loadings[:, order], SIMPLE, atol=far)


def test_refining_a_minimum_moves_nothing() -> None:
    criterion = make_criterion("geomin")
    found = rotate(NOISY, criterion)
    T, value, converged = refine(NOISY, criterion, found.T)
    assert converged
    assert value == pytest.approx(found.value, rel=1e-12)
    np.testing.assert_allclose(T, found.T, atol=1e-6)


def test_one_factor_is_left_alone() -> None:
    found = rotate(NOISY[:, :1], make_criterion("geomin"))
    np.testing.assert_array_equal(found.loadings, NOISY[:, :1])


def test_bad_words_are_answered() -> None:
    with pytest.raises(SpecError, match="varimax"):
        make_criterion("varimaxx")
    with pytest.raises(SpecError, match="needs a target"):
        make_criterion("target")
