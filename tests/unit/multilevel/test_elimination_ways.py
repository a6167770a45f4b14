"""The same numbers whichever way the elimination takes: collapsed patterns, chunks of levels, sparse or dense cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.errors import DesignError
from alliancekit.formula.design import build_design
from alliancekit.multilevel.gaussian import border, chain, layout, patterns, products
from alliancekit.multilevel.gaussian.design import GaussianDesign, build, with_response
from alliancekit.multilevel.gaussian.objective import (
    conditional_modes,
    covariances,
    deviance,
    eliminate,
    factor_slopes,
    gradient,
)

NESTED = {
    "intercepts": "y ~ x + (1 | a)",
    "slope": "y ~ x + time + (1 + time | a)",
    "two slopes": "y ~ x + (1 + time + late | a)",
    "three levels": "y ~ x + time + (1 + time | a) + (1 | b)",
    "slope above": "y ~ x + time + (1 | a) + (1 + time | b)",
    "four levels": "y ~ x + (1 + time | a) + (1 + time | b) + (1 | c)",
    "uncorrelated": "y ~ x + (1 + time || a) + (1 | b)",
}
CROSSED = {
    "crossed": "y ~ x + (1 + time | a) + (1 | r)",
    "crossed slopes": "y ~ x + (1 | a) + (1 + time | r)",
    "two crossed": "y ~ x + (1 | a) + (1 | r) + (1 + x | s)",
    "nested and crossed": "y ~ x + (1 + time | a) + (1 + x | b) + (1 | r) + (1 | s)",
    "four levels and crossed": "y ~ x + (1 | a) + (1 + time | b) + (1 | c) + (1 + time | r)",
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """60 persons of 4 or 6 sessions, in 12 therapists, in 3 clinics; raters met at random."""
    rng = np.random.default_rng(8)
    sizes = np.where(np.arange(60) % 3 == 0, 4, 6)
    a = np.repeat(np.arange(60), sizes)
    n = a.size
    out = pd.DataFrame({"a": a, "b": a // 5, "c": a // 20, "r": rng.integers(0, 40, n), "s": rng.integers(0, 9, n)})
    out["time"] = np.concatenate([np.arange(float(k)) for k in sizes])
    out["late"] = (out["time"] > 1).astype(float)
    out["x"] = rng.normal(size=n)
    out["w"] = rng.gamma(4, 0.25, n) + 0.1
    out["y"] = 0.4 * out["x"] + rng.normal(size=60)[a] + rng.normal(size=12)[a // 5] + rng.normal(size=n)
    return out


def answers(engine: GaussianDesign, seed: int = 4) -> list[np.ndarray]:
    theta = np.random.default_rng(seed).normal(0.4, 0.4, engine.n_theta)
    state = eliminate(engine, theta)
    out = [np.array([deviance(state, engine, reml) for reml in (True, False)]), state.beta]
    out += [gradient(state, engine, reml=reml) for reml in (True, False)]
    out += [slope.determinant for slope in factor_slopes(state, engine, reml=True)]
    return [*out, *conditional_modes(state, engine), *covariances(state, engine)]


def check_same(one: list[np.ndarray], two: list[np.ndarray]) -> None:
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * max(float(np.abs(b).max()), 1.0))


@pytest.mark.parametrize("share", [0.0, 2.0])
@pytest.mark.parametrize(
    "formula", [CROSSED["crossed"], CROSSED["two crossed"], "y ~ x + (1 + time | a) + (1 + x | s)"]
)
def test_collapsed_levels_with_a_border(
    frame: pd.DataFrame, formula: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_FULL", share)
    design = build_design(formula, frame)
    collapsed = build(design)
    assert collapsed.products.patterns is not None
    monkeypatch.setattr(products, "find_patterns", lambda *_: None)
    check_same(answers(collapsed), answers(build(design)))


@pytest.mark.parametrize("formula", NESTED.values(), ids=NESTED.keys())
def test_collapsed_levels(frame: pd.DataFrame, formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    design = build_design(formula, frame)
    collapsed = build(design)
    found = collapsed.products.patterns
    assert found is not None and found.count.tolist() == [20.0, 40.0]
    monkeypatch.setattr(products, "find_patterns", lambda *_: None)
    single = build(design)
    assert single.products.patterns is None
    check_same(answers(collapsed), answers(single))


@pytest.mark.parametrize("formula", NESTED.values(), ids=NESTED.keys())
def test_collapsed_levels_of_shuffled_rows(frame: pd.DataFrame, formula: str) -> None:
    """The order of summation must not make alike levels different, not even where their sum is zero."""
    centred = frame.assign(time=frame["time"] - frame.groupby("a")["time"].transform("mean"))
    found = build(build_design(formula, centred.sample(frac=1.0, random_state=5))).products.patterns
    assert found is not None and sorted(found.count.tolist()) == [20.0, 40.0]


def test_unlike_levels_are_not_collapsed(frame: pd.DataFrame) -> None:
    assert build(build_design("y ~ x + (1 + x | a)", frame)).products.patterns is None
    assert build(build_design("y ~ x + (1 | a)", frame, weights="w")).products.patterns is None


def test_two_levels_alike_by_chance_are_found_out(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal keys of unequal products must not be trusted."""
    monkeypatch.setattr(patterns, "_keys", lambda rows, scales: (np.arange(rows[0].size) % 2).astype(np.int64))
    assert build(build_design("y ~ x + (1 + time | a)", frame)).products.patterns is None


@pytest.mark.parametrize("formula", [*NESTED.values(), *CROSSED.values()], ids=[*NESTED, *CROSSED])
def test_chunks_of_levels(frame: pd.DataFrame, formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    design = build_design(formula, frame)
    monkeypatch.setattr(products, "find_patterns", lambda *_: None)
    engine = build(design)
    whole = answers(engine)
    monkeypatch.setattr(chain, "_CHUNK", 7)
    check_same(whole, answers(engine))


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", CROSSED.values(), ids=CROSSED.keys())
def test_sparse_and_dense_cells(
    frame: pd.DataFrame, formula: str, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = build_design(formula, frame, weights=weights)
    kinds = {}
    for share in (0.0, 2.0):
        monkeypatch.setattr(layout, "_FULL", share)
        engine = build(design)
        assert {cells.dense for cells in engine.products.layout.cells} == {share == 0.0}
        kinds[share] = answers(engine)
        monkeypatch.setattr(layout, "_PAIRS", 50)
        check_same(kinds[share], answers(engine))
    check_same(kinds[0.0], kinds[2.0])


@pytest.mark.parametrize("formula", ["crossed", "crossed slopes", "two crossed"])
def test_large_borders_use_lapack(frame: pd.DataFrame, formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build(build_design(CROSSED[formula], frame))
    small = answers(engine)
    monkeypatch.setattr(border, "_BLAS_PAYS", 0)
    check_same(small, answers(engine))


@pytest.mark.parametrize("formula", [*NESTED.values(), *CROSSED.values()], ids=[*NESTED, *CROSSED])
@pytest.mark.parametrize("order", ["sorted", "shuffled", "patients shuffled"])
def test_order_of_rows(frame: pd.DataFrame, formula: str, order: str) -> None:
    """Rows in runs are summed by run, others by counting."""
    rng = np.random.default_rng(2)
    moved = frame
    if order == "shuffled":
        moved = frame.sample(frac=1.0, random_state=3)
    elif order == "patients shuffled":
        moved = frame.iloc[np.argsort(rng.permutation(60)[frame["a"]], kind="stable")]
    check_same(answers(build(build_design(formula, frame))), answers(build(build_design(formula, moved))))


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", [*NESTED.values(), *CROSSED.values()], ids=[*NESTED, *CROSSED])
def test_another_response(frame: pd.DataFrame, formula: str, weights: str | None) -> None:
    other = frame.assign(y=frame["y"] ** 2 + frame["time"])
    design = build_design(formula, other, weights=weights)
    again = with_response(build(build_design(formula, frame, weights=weights)), design, other["y"].to_numpy())
    check_same(answers(again), answers(build(design)))


def test_equal_runs_in_any_order() -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat([2, 0, 3, 1], 5)
    values = rng.normal(size=20)
    found = layout.find_runs(codes, 4)
    assert found is not None and found.length == 5 and found.level is not None
    summed = products.LevelSums(codes, 4, found)
    np.testing.assert_allclose(summed(values), np.bincount(codes, values))
    assert layout.find_runs(np.tile(codes, 2), 4) is None


def test_a_border_beyond_memory_is_refused() -> None:
    n = 30_000
    rng = np.random.default_rng(6)
    d = pd.DataFrame({"a": rng.integers(0, 9_000, n), "r": rng.integers(0, 8_500, n), "y": rng.normal(size=n)})
    with pytest.raises(DesignError, match="crossed with the other groups"):
        ak.mixed("y ~ 1 + (1 | a) + (1 | r)", d)
