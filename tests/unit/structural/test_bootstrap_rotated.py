"""Bootstrap of rotated factors: samples are rotated, and their factors matched to those of the fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.structural.rotation.rotate import match_columns, rotate_alike, rotate_loadings
from alliancekit.structural.rotation.search import turn
from tests.unit.structural.test_rotation import ITEMS, MODEL, loadings, people, words

ESEM = f"{MODEL}\ny ~ f1 + f2\nf1 + f2 ~ x"


def test_columns_are_matched_by_order_and_sign() -> None:
    L = rotate_loadings(loadings(), words("geomin")).loadings
    place, sign = match_columns(L[:, [2, 0, 1]] * [1.0, -1.0, -1.0], L)
    assert place.tolist() == [1, 2, 0] and sign.tolist() == [-1.0, -1.0, 1.0]


@pytest.mark.parametrize("name", ["geomin", "oblimin", "varimax", "promax", "target", "cf-equamax", "infomax"])
def test_other_loadings_get_the_factors_of_the_first(name: str) -> None:
    A, chosen = loadings(), words(name)
    variances = (A**2).sum(axis=1) + 0.4
    first = rotate_loadings(A, chosen, variances=variances)
    rng = np.random.default_rng(2)
    other = (A + rng.normal(0, 0.03, A.shape)) @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    found = rotate_alike(other, chosen, "", variances, first)
    assert found.converged
    orthogonal = chosen.orthogonal and name != "promax"
    np.testing.assert_allclose(turn(other, found.H, orthogonal), found.loadings, atol=1e-10)
    alone = rotate_loadings(other, chosen, variances=variances)
    place, sign = match_columns(alone.loadings, first.loadings)
    np.testing.assert_allclose(found.loadings, alone.loadings[:, place] * sign, atol=2e-5)
    assert np.abs(found.loadings - first.loadings).max() < 0.15


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"missing": "fiml"},
        {"estimator": "DWLS"},
        {"ordered": True},
        {"ordered": True, "parameterization": "theta"},
        {"group": "half"},
        {"group": "half", "group_equal": "loadings"},
        {"rotation": "varimax"},
    ],
    ids=str,
)
def test_samples_are_fitted_and_rotated_as_alone(options: dict[str, Any]) -> None:
    frame = people(600).assign(half=np.repeat(["a", "b"], 300))
    if "missing" in options:
        frame.loc[frame["a1"] > 1, "a5"] = np.nan
    if "ordered" in options:
        frame[ITEMS] = frame[ITEMS].apply(lambda c: pd.cut(c, [-np.inf, -1, 0, 1, np.inf], labels=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ak.cfa(MODEL, frame, **options)
        many = fit.bootstrap(3, seed=4)
        assert len(many.replicates) == 3
        for values, source in zip(many.replicates, spawn(4, 3), strict=True):
            rng = np.random.default_rng(source)
            if "group" in options:
                parts = [part.iloc[rng.integers(0, 300, 300)] for _, part in frame.groupby("half", sort=False)]
                rows = pd.concat(parts)
            else:
                rows = frame.iloc[rng.integers(0, 600, 600)]
            np.testing.assert_allclose(values, ak.cfa(MODEL, rows, **options)._fit.x, rtol=2e-3, atol=1e-3)


@pytest.mark.option("efa.bootstrap", "delta-method errors of 4,000 rows")
def test_errors_are_those_of_the_delta_method_in_a_large_sample() -> None:
    frame, how = people(4000), {"rotation": "oblimin", "fixed_x": False}
    fit = ak.sem(ESEM, frame, rotation_se="delta", **how)
    delta = np.sqrt(np.diag(fit._fit.vcov))
    drawn = ak.sem(ESEM, frame, se="bootstrap", bootstrap=600, seed=2, **how)
    found = np.sqrt(np.diag(drawn._fit.vcov))
    assert len(drawn._fit.replicates.replicates) == 600
    np.testing.assert_allclose(found, delta, rtol=0.15)
    assert abs(np.log(found / delta).mean()) < 0.02
    np.testing.assert_allclose(drawn.tidy().query("std_error > 0")["std_error"], found, rtol=1e-12)
    exact = fit.standardized()["std_error"].to_numpy()
    np.testing.assert_allclose(drawn.standardized()["std_error"], exact, rtol=0.2, atol=1e-4)
    explored = ak.efa(frame, 2, items=ITEMS, rotation="promax", se="bootstrap", bootstrap=100, seed=2)
    loads = explored.tidy().query("op == '=~'")
    assert loads["std_error"].between(0.003, 0.05).all()
    assert explored[2]._fit.replicates.asked == 100


def test_factors_of_equal_size_keep_their_places() -> None:
    frame = people(300, seed=5)
    frame[["a1", "a2"]] *= -1.0  # sums of loadings, and of squares, change their order between samples
    how = {"rotation": "oblimin", "rotation_args": {"order_lv_by": "sumofsquares"}}
    fit = ak.cfa(MODEL, frame, rotation_se="delta", **how)
    many = fit.bootstrap(300, seed=6)
    found = many.tidy().set_index("term")
    delta = fit.vcov().to_numpy().diagonal() ** 0.5
    loads = found.index.str.contains("=~")
    np.testing.assert_allclose(found["std_error"][loads], delta[loads], rtol=0.35)
    size = (many.replicates[:, loads].reshape(-1, 2, 8) ** 2).sum(axis=2)
    assert 0 < (size[:, 0] < size[:, 1]).sum() < 150


def test_errors_of_loadings_that_geomin_holds_near_zero_are_those_of_samples() -> None:
    found, exact = [], []
    for seed in range(60):
        fit = ak.cfa(MODEL, people(300, seed=100 + seed), rotation_se="delta")
        found.append(fit._fit.x[fit.table.names().index("f1=~a6")])
        exact.append(fit.vcov().loc["f1=~a6", "f1=~a6"] ** 0.5)
    drawn = ak.cfa(MODEL, people(300, seed=100)).bootstrap(200, seed=1).tidy().set_index("term")["std_error"]["f1=~a6"]
    spread = float(np.std(found))
    assert min(exact) < 0.5 * spread and max(exact) > 1.5 * spread  # the delta method takes a kink for a smooth curve
    assert drawn == pytest.approx(spread, rel=0.35)


def test_two_levels_are_rotated_in_every_sample() -> None:
    rng = np.random.default_rng(8)
    ward = np.repeat(np.arange(80), 6)
    frame = people(480)[ITEMS[:6]].assign(ward=ward)
    frame[ITEMS[:6]] += 0.7 * rng.normal(size=(80, 1))[ward] + 0.3 * rng.normal(size=(80, 6))[ward]
    one = f'efa("e")*f1 + efa("e")*f2 =~ {" + ".join(ITEMS[:6])}'
    model = f"level: 1\n{one}\nlevel: 2\nb =~ {' + '.join(ITEMS[:6])}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        fit = ak.cfa(model, frame, cluster="ward")
        found = fit.bootstrap(20, seed=1)
    assert len(found.replicates) >= 18
    loads = np.array(["f1=~" in name or "f2=~" in name for name in found.names])
    assert np.abs(found.replicates[:, loads] - found.estimates[loads]).max() < 0.6


def test_the_bootstrap_of_bollen_and_stine_does_not_depend_on_the_rotation() -> None:
    frame = people(300)
    tests = [ak.cfa(MODEL, frame, rotation=kind).model_tests(bollen_stine=60) for kind in ("geomin", "none")]
    assert tests[0]["p_value"].to_numpy() == pytest.approx(tests[1]["p_value"].to_numpy(), nan_ok=True)
