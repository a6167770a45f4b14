"""Influence against models that are fitted again by hand, one unit left out at a time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.multilevel.gaussian.deletion import Deletion, engine_rows
from alliancekit.multilevel.gaussian.deletion_batch import Units, _first_block, _gone, _without
from alliancekit.multilevel.gaussian.objective import deviance, eliminate

DESIGNS = {
    "two levels": ("y ~ x + arm + (1 + x | a)", ["a", None]),
    "three levels": ("y ~ x + arm + (1 + x | a) + (1 | b)", ["a", "b", "c"]),
    "crossed": ("y ~ x + arm + (1 | a) + (1 | r)", ["a", "r"]),
    "uncorrelated": ("y ~ x + arm + (1 + x || a) + (1 | b)", ["b"]),
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(31)
    a = np.repeat(np.arange(48), 6)
    n = a.size
    out = pd.DataFrame({"a": a, "b": a // 3, "c": rng.integers(0, 8, n), "r": rng.integers(0, 10, n)})
    out["arm"] = np.where(a % 2 == 0, "one", "two")
    out["x"] = np.tile(np.arange(6.0), 48)
    out["w"] = rng.gamma(4, 0.25, n) + 0.2
    out["y"] = (
        10
        + rng.normal(1, 0.6, 48)[a] * out["x"]
        + rng.normal(0, 1.5, 48)[a]
        + rng.normal(0, 2, 16)[out["b"]]
        + rng.normal(0, 1, 10)[out["r"]]
        + rng.normal(size=n)
    )
    return out


def fitted(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(formula, data, **options)


CASES = [(name, by) for name, (_, units) in DESIGNS.items() for by in units]


@pytest.mark.option("MixedFit.influence.by", "refits by hand")
@pytest.mark.option("MixedFit.influence.method", "refits by hand")
@pytest.mark.parametrize("options", [{}, {"method": "ML", "weights": "w"}], ids=["REML", "ML with weights"])
@pytest.mark.parametrize(("name", "by"), CASES)
def test_exact_deletion_is_the_fit_without_the_unit(
    frame: pd.DataFrame, name: str, by: str | None, options: dict[str, Any]
) -> None:
    fit = fitted(DESIGNS[name][0], frame, **options)
    found = fit.influence(by=by)
    units = range(0, len(frame), 17) if by is None else range(len(found.units))
    p = len(found.terms)
    V, small = fit.vcov().to_numpy(), 1e-5 * float(np.nanmax(found.cooks_distance))
    for d in units:
        label = found.units[d]
        left = frame.drop(index=int(label)) if by is None else frame[frame[by].astype(str) != label]
        again = fitted(DESIGNS[name][0], left, **options)
        assert found.rows[d] == len(frame) - len(left)
        Vi = again.vcov().to_numpy()
        se = np.sqrt(np.diag(Vi))
        np.testing.assert_allclose(found.estimates_without[d] / se, again.fixed_effects / se, atol=2e-5)
        np.testing.assert_allclose(found.std_errors_without[d], se, rtol=2e-5)
        theirs = again.variance_components()
        theirs = theirs[theirs["term_2"].isna()]["variance_or_covariance"]
        np.testing.assert_allclose(found.variances_without[d], theirs, rtol=1e-4, atol=1e-5)
        gap = (again.fixed_effects - fit.fixed_effects).to_numpy()
        assert found.cooks_distance[d] == pytest.approx(gap @ np.linalg.solve(V, gap) / p, rel=1e-4, abs=small)
        assert found.mdffits[d] == pytest.approx(gap @ np.linalg.solve(Vi, gap) / p, rel=1e-4, abs=small)
        assert found.covratio[d] == pytest.approx(np.linalg.det(Vi) / np.linalg.det(V), rel=1e-4)
        assert found.covtrace[d] == pytest.approx(abs(np.trace(np.linalg.solve(V, Vi)) - p), abs=1e-4)


@pytest.mark.parametrize(("name", "by"), CASES)
def test_one_step_comes_close(frame: pd.DataFrame, name: str, by: str | None) -> None:
    fit = fitted(DESIGNS[name][0], frame)
    exact, quick = fit.influence(by=by), fit.influence(by=by, method="one-step")
    assert quick.units == exact.units
    scale = np.abs(exact.estimates_without - exact.estimates).max(axis=0)
    np.testing.assert_allclose(quick.estimates_without / scale, exact.estimates_without / scale, atol=0.1)
    top = exact.cooks_distance.max()
    np.testing.assert_allclose(quick.cooks_distance / top, exact.cooks_distance / top, atol=0.1)


@pytest.mark.parametrize("by", ["a", "b", None])
@pytest.mark.parametrize("options", [{}, {"method": "ML", "weights": "w"}], ids=["REML", "ML with weights"])
def test_all_units_at_once_are_the_units_one_by_one(
    frame: pd.DataFrame, by: str | None, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = fitted(DESIGNS["three levels"][0], frame, **options)
    together = fit.influence(by=by, method="one-step")
    monkeypatch.setattr("alliancekit.multilevel.after.influence._batch", lambda fit, by: None)
    apart = fit.influence(by=by, method="one-step")
    scale = together.std_errors
    moved = np.abs(apart.estimates_without - apart.estimates).max(axis=0)
    np.testing.assert_allclose(together.estimates_without / moved, apart.estimates_without / moved, atol=0.1)
    np.testing.assert_allclose(together.std_errors_without / scale, apart.std_errors_without / scale, atol=0.03)
    np.testing.assert_allclose(together.variances_without, apart.variances_without, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("unit", ["row", "a", "b"])
@pytest.mark.parametrize("reml", [True, False])
def test_a_path_up_the_chain_is_the_whole_elimination(frame: pd.DataFrame, unit: str, reml: bool) -> None:
    """At one theta, eliminating only the blocks on a unit's path gives the deviance of the rows left, exactly."""
    fit = fitted(DESIGNS["three levels"][0], frame, weights="w")._fit
    engine, theta = fit.engine, fit.optimum.theta * 0.9
    rows = engine_rows(fit.design, engine)
    codes = np.arange(len(frame)) if unit == "row" else frame[unit].to_numpy()
    count = codes.max() + 1
    if unit == "row":
        units = Units(0, engine.factors[engine.chain[0].factor].codes, np.arange(count))
    else:
        units = Units("ab".index(unit), np.arange(count), None)
    found = _without(engine, theta, reml, units, rows, _first_block(engine, rows), _gone(engine, units, rows))
    deletion = Deletion(fit.design, engine)
    for d in range(0, count, 1 + count // 40):
        with deletion.without(np.flatnonzero(codes == d)) as reduced:
            state = eliminate(reduced, theta)
            assert deviance(state, reduced, reml) == pytest.approx(
                found.deviance[d] - 2 * np.linalg.slogdet(engine.fixed_basis)[1] * reml, rel=1e-10
            )
            np.testing.assert_allclose(found.beta[d], state.beta, rtol=1e-8)
            dof = reduced.products.n - (reduced.products.p if reml else 0)
            np.testing.assert_allclose(found.vcov[d], state.r2 / dof * state.fixed_inverse, rtol=1e-7)
    for put_back, before in zip(deletion._products.links, engine.products.links, strict=True):
        for name in ("square", "free", "cells"):
            np.testing.assert_array_equal(getattr(put_back, name), getattr(before, name))


def test_an_outlying_therapist_stands_first(frame: pd.DataFrame) -> None:
    d = frame.copy()
    d.loc[d["b"] == 5, "y"] += 6 * d["x"]
    found = fitted(DESIGNS["three levels"][0], d).influence(by="b")
    assert found.tidy()["unit"].iloc[0] == "5" and found.glance()["n_above"].iloc[0] >= 1
    effects = found.fixed_effects().set_index(["unit", "term"])
    assert effects.loc[("5", "x"), "change"] < 0


def test_what_cannot_be_estimated_is_missing(frame: pd.DataFrame) -> None:
    d = frame.assign(rare=np.where(frame["a"] == 3, "yes", "no"))
    fit = fitted("y ~ x + rare + (1 | a)", d)
    for method in ("exact", "one-step"):
        found = fit.influence(by="a", method=method)
        assert np.flatnonzero(~found.converged).tolist() == [3]
        assert np.isnan(found.cooks_distance[3]) and found.glance()["not_estimable"].iloc[0] == 1
        assert found.tidy()["unit"].iloc[0] == "3"


def test_a_variance_at_zero_may_grow(frame: pd.DataFrame) -> None:
    """A search that starts at a variance of zero would stay there by symmetry; leaving a unit out may lift it."""
    rng = np.random.default_rng(53)
    g = np.repeat(np.arange(10), 8)
    d = pd.DataFrame({"g": g, "y": rng.normal(size=80) + 0.25 * rng.normal(size=10)[g]})
    with pytest.warns(ak.BoundaryWarning):
        fit = ak.mixed("y ~ 1 + (1 | g)", d)
    found = fit.influence(by="g")
    by_hand = [
        fitted("y ~ 1 + (1 | g)", d[d["g"] != u]).variance_components()["variance_or_covariance"].iloc[0]
        for u in range(10)
    ]
    assert max(by_hand) > 0
    np.testing.assert_allclose(found.variances_without[:, 0], by_hand, atol=1e-5)
    assert np.isnan(found.variance_components()["relative_change"].iloc[0])


def test_units_may_be_any_column(frame: pd.DataFrame) -> None:
    d = frame.assign(clinic=np.where(frame["b"] < 4, "north", "south").astype(object))
    d.loc[d.index[:6], "clinic"] = None
    found = fitted("y ~ x + (1 | a)", d).influence(by="clinic")
    assert set(found.units) == {"north", "south"} and found.rows.sum() == len(d) - 6


def test_bad_input(frame: pd.DataFrame) -> None:
    fit = fitted("y ~ x + (1 | a)", frame.assign(same=1))
    with pytest.raises(ak.SpecError, match=r"method='exakt'.*'exact'"):
        fit.influence(by="a", method="exakt")
    with pytest.raises(ak.DesignError, match=r"not in the data: 'aa'.*nearest: 'a'"):
        fit.influence(by="aa")
    with pytest.raises(ak.DesignError, match="one unit"):
        fit.influence(by="same")
