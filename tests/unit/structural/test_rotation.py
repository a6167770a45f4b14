"""Rotation: derivatives of the criteria, invariances, weights, order and signs, words and messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.rotation.criteria import CRITERIA, make_criterion
from alliancekit.structural.rotation.rotate import rotate_loadings, row_weights
from alliancekit.structural.rotation.search import turn
from alliancekit.structural.rotation.words import ORTHOGONAL, make_words

ITEMS = [f"a{k}" for k in range(1, 9)]
MODEL = f'efa("e")*f1 + efa("e")*f2 =~ {" + ".join(ITEMS)}'
SEARCHED = [name for name in CRITERIA if name not in ("none", "promax")]


def loadings() -> np.ndarray:
    rng = np.random.default_rng(7)
    L = rng.normal(0, 0.08, (10, 3))
    L[:4, 0] += 0.8
    L[4:7, 1] += 0.7
    L[7:, 2] += 0.6
    return L @ np.linalg.qr(rng.normal(size=(3, 3)))[0]


def words(name: str, **given: Any) -> Any:
    if name in ("target", "pst"):
        simple = np.full((10, 3), np.nan)
        simple[:4, 1:] = simple[4:7, [0, 2]] = simple[7:, :2] = 0.0
        given["target"] = simple
    return make_words(name, given, "bordered", 1)


def people(n: int = 400, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    f = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n)
    L = np.array([[0.8, 0], [0.7, 0.1], [0.6, 0], [0.7, 0.2], [0.1, 0.7], [0, 0.8], [0.3, 0.6], [0, 0.5]])
    d = pd.DataFrame(f @ L.T + 0.6 * rng.normal(size=(n, 8)), columns=ITEMS)
    return d.assign(x=rng.normal(size=n) + 0.3 * f[:, 0], y=0.5 * f[:, 0] - 0.2 * f[:, 1] + rng.normal(size=n))


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return people()


@pytest.mark.parametrize("name", SEARCHED)
def test_derivatives_of_the_criteria(name: str) -> None:
    criterion = make_criterion(words(name), 10, 3, "")
    L = loadings() + 0.05
    value, slope = criterion(L)
    h = 1e-6
    for i in range(10):
        for j in range(3):
            step = np.zeros_like(L)
            step[i, j] = h
            assert slope[i, j] == pytest.approx((criterion(L + step)[0] - criterion(L - step)[0]) / (2 * h), abs=2e-7)
    several = criterion(np.stack([L, 2 * L, L[::-1]]))
    assert several[0][0] == pytest.approx(float(value)) and several[1][0] == pytest.approx(slope)


UNBOUNDED = (*ORTHOGONAL, "quartimax", "orthomax", "oblimax", "simplimax")
"""Without a minimum in oblique rotation, or with many corners."""
BOTH = [(name, o) for name in SEARCHED for o in (True, False) if o or name not in UNBOUNDED]


@pytest.mark.parametrize(("name", "orthogonal"), BOTH)
def test_the_search_ends_at_a_minimum(name: str, orthogonal: bool) -> None:
    chosen, A = words(name, orthogonal=orthogonal), loadings()
    found = rotate_loadings(A, chosen)
    assert found.converged
    criterion = make_criterion(chosen, 10, 3, "")
    assert found.loadings == pytest.approx(turn(A, found.H, orthogonal), abs=1e-12)
    here = float(criterion(found.loadings)[0])
    if chosen.row_weights == "none" and name not in ("target", "pst", "biquartimin", "bigeomin"):
        assert here == pytest.approx(found.value, abs=1e-10)
        rng = np.random.default_rng(2)
        for _ in range(50):
            X = found.H + 0.05 * rng.normal(size=(3, 3))
            U, _, V = np.linalg.svd(X)
            H = U @ V if orthogonal else X / np.sqrt((X**2).sum(axis=0))
            assert float(criterion(turn(A, H, orthogonal))[0]) >= here - 1e-10


def test_common_variances_do_not_change() -> None:
    A = loadings()
    for name in ("geomin", "promax", "varimax", "cf-equamax"):
        found = rotate_loadings(A, words(name))
        assert found.loadings @ (found.H.T @ found.H) @ found.loadings.T == pytest.approx(A @ A.T, abs=1e-10)
        assert np.diag(found.H.T @ found.H) == pytest.approx(np.ones(3))


def test_crawford_and_fergusons_family_holds_the_orthomax_criteria() -> None:
    A = loadings()
    same = {"cf-varimax": ("varimax", {"row_weights": "none"}), "cf-quartimax": ("quartimax", {})}
    for name, (other, more) in same.items():
        one = rotate_loadings(A, words(name, orthogonal=True))
        two = rotate_loadings(A, words(other, orthogonal=True, **more))
        assert one.loadings == pytest.approx(two.loadings, abs=1e-7)
    gamma = rotate_loadings(A, words("cf", cf_gamma=0.1)).loadings
    assert gamma == pytest.approx(rotate_loadings(A, words("cf-varimax")).loadings, abs=1e-8)
    assert rotate_loadings(A, words("orthomax", orthogonal=True, orthomax_gamma=1.0)).loadings == pytest.approx(
        rotate_loadings(A, words("varimax", row_weights="none")).loadings, abs=1e-8
    )


def test_signs_and_order() -> None:
    A = loadings()
    plain = rotate_loadings(A, words("quartimin")).loadings
    assert (plain.sum(axis=0) > 0).all()
    assert [int(np.abs(plain[:, k]).argmax()) for k in range(3)] == sorted(np.abs(plain).argmax(axis=0))
    size = rotate_loadings(A, words("quartimin", order_lv_by="sumofsquares")).loadings
    assert (np.diff((size**2).sum(axis=0)) <= 0).all()
    free = rotate_loadings(A, words("quartimin", order_lv_by="none", reflect=False)).loadings
    assert sorted((free**2).sum(axis=0)) == pytest.approx(sorted((plain**2).sum(axis=0)))


def test_row_weights() -> None:
    A = loadings()
    common = A @ A.T
    kaiser = row_weights(common, 3, "kaiser")
    assert ((A * kaiser[:, None]) ** 2).sum(axis=1) == pytest.approx(np.ones(10))
    cureton = row_weights(common, 3, "cureton-mulaik") / kaiser
    assert (cureton > 0).all() and (cureton <= 1.0011).all()
    weighted = rotate_loadings(A, words("varimax"))
    byhand = rotate_loadings(A * kaiser[:, None], words("varimax", row_weights="none"))
    assert weighted.loadings == pytest.approx(byhand.loadings / kaiser[:, None], abs=1e-8)


def test_the_same_from_other_seeds_and_more_starts() -> None:
    A = loadings()
    first = rotate_loadings(A, words("geomin")).loadings
    assert rotate_loadings(A, words("geomin", seed=99, rstarts=60)).loadings == pytest.approx(first, abs=1e-8)


def test_a_target_is_reached_from_either_orientation() -> None:
    simple = np.zeros((10, 3))
    simple[:4, 0], simple[4:7, 1], simple[7:, 2] = 0.8, 0.7, 0.6
    for signs in ([1, 1, 1], [1, 1, -1], [-1, 1, 1], [-1, -1, -1]):
        found = rotate_loadings(loadings() * signs, make_words("target", {"target": simple}, "bordered", 1))
        assert found.value < 0.5
        assert found.loadings == pytest.approx(simple, abs=0.35)


def test_rotation_leaves_the_moments_and_the_fit(data: pd.DataFrame) -> None:
    model = f"{MODEL}\ny ~ f1 + f2 + x"
    plain = ak.sem(model, data, rotation="none", missing="listwise", meanstructure=True)
    for name in ("geomin", "varimax", "promax", "infomax"):
        turned = ak.sem(model, data, rotation=name, missing="listwise", meanstructure=True)
        assert turned._fit.model.moments(turned._fit.x)[0].sigma == pytest.approx(plain._fit.implied[0].sigma, abs=1e-9)
        assert turned.fit_measures()["chisq"] == plain.fit_measures()["chisq"]
        assert turned.n_parameters == plain.n_parameters
        assert turned.factor_scores().std().gt(0).all()


def test_regressions_means_and_covariates_turn_with_the_factors(data: pd.DataFrame) -> None:
    model = f"{MODEL}\ny ~ f1 + f2\nf1 + f2 ~ x"
    turned = ak.sem(model, data, missing="listwise", rotation="oblimin")
    plain = ak.sem(model, data, missing="listwise", rotation="none")
    r = turned.tidy().set_index("term")["estimate"]
    assert "f1 ~~ f2" in r.index, "the factors that predict and are predicted correlate after the rotation"
    assert turned._fit.model.moments(turned._fit.x)[0].sigma == pytest.approx(plain._fit.implied[0].sigma, abs=1e-9)
    total = r["y ~ f1"] * r["f1 ~ x"] + r["y ~ f2"] * r["f2 ~ x"]
    p = plain.tidy().set_index("term")["estimate"]
    assert total == pytest.approx(p["y ~ f1"] * p["f1 ~ x"] + p["y ~ f2"] * p["f2 ~ x"], abs=1e-9)


def test_the_order_of_items_does_not_matter(data: pd.DataFrame) -> None:
    there = ak.cfa(MODEL, data, missing="listwise").standardized().set_index(["lhs", "op", "rhs"])
    model = f'efa("e")*f1 + efa("e")*f2 =~ {" + ".join(ITEMS[4:] + ITEMS[:4])}'
    back = ak.cfa(model, data, missing="listwise").standardized()
    back[["lhs", "rhs"]] = back[["lhs", "rhs"]].replace({"f1": "f2", "f2": "f1"})
    back = back[back["op"] == "=~"].set_index(["lhs", "op", "rhs"])
    for column in ("estimate", "std_error"):
        assert back[column].to_numpy() == pytest.approx(there.loc[back.index, column].to_numpy(), abs=2e-5)


@pytest.mark.parametrize("name", ["geomin", "oblimin", "infomax", "varimax", "target", "cf-parsimax"])
def test_delta_errors_are_those_of_the_numerical_derivative(data: pd.DataFrame, name: str) -> None:
    given: dict[str, Any] = {"target": [[0, 1]] * 4 + [[1, 0]] * 4} if name == "target" else {}
    options: dict[str, Any] = {"missing": "listwise", "rotation": name, "rotation_args": given, "rotation_se": "delta"}
    fit = ak.cfa(MODEL, data, **options)
    plain = ak.cfa(MODEL, data, missing="listwise", rotation="none")._fit
    place = {(plain.table.lhs[i], plain.table.rhs[i]): i for i in range(len(plain.table))}

    def rotated(x: np.ndarray) -> np.ndarray:
        value = {key: x[plain.table.free[i] - 1] if plain.table.free[i] else 0.0 for key, i in place.items()}
        A = np.array([[value[f, item] for f in ("f1", "f2")] for item in ITEMS])
        own = np.array([value[item, item] for item in ITEMS])
        found = rotate_loadings(A, fit._fit.options.rotation, "e", (A**2).sum(axis=1) + own)
        return np.asarray(found.loadings.T.ravel())

    h = 1e-4
    J = np.array([(rotated(plain.x + e) - rotated(plain.x - e)) / (2 * h) for e in h * np.eye(plain.x.size)]).T
    errors = np.sqrt(np.diag(J @ plain.vcov @ J.T))
    assert fit.tidy().query("op == '=~'")["std_error"].to_numpy() == pytest.approx(errors, rel=2e-4)


def test_bordered_and_delta_agree_where_lavaans_conditions_hold(data: pd.DataFrame) -> None:
    for name, given in (("geomin", {"std_ov": False}), ("varimax", {}), ("oblimin", {"std_ov": False})):
        both = [
            ak.cfa(MODEL, data, missing="listwise", rotation=name, rotation_args=given, rotation_se=errors)
            for errors in ("bordered", "delta")
        ]
        assert both[0].vcov().to_numpy() == pytest.approx(both[1].vcov().to_numpy(), abs=1e-10)
    oblique = [
        ak.cfa(MODEL, data, missing="listwise", rotation_se=e).tidy()["std_error"] for e in ("bordered", "delta")
    ]
    assert np.abs(oblique[0] - oblique[1]).max() > 1e-6


def test_groups_with_equal_loadings_share_one_rotation(data: pd.DataFrame) -> None:
    grouped = data.assign(site=np.where(np.arange(len(data)) % 2 == 0, "a", "b"))
    fit = ak.cfa(MODEL, grouped, group="site", group_equal="loadings", missing="listwise")
    found = fit.tidy().query("op == '=~'")
    one, two = (found[found["group"] == g] for g in ("a", "b"))
    assert one["estimate"].to_numpy() == pytest.approx(two["estimate"].to_numpy(), abs=1e-10)
    assert one["std_error"].to_numpy() == pytest.approx(two["std_error"].to_numpy(), abs=1e-8)
    apart = ak.cfa(MODEL, grouped, group="site", missing="listwise")
    alone = ak.cfa(MODEL, grouped[grouped["site"] == "b"], missing="listwise", meanstructure=True)
    ours = apart.tidy().query("group == 'b'")
    assert ours["estimate"].to_numpy() == pytest.approx(alone.tidy()["estimate"].to_numpy(), abs=1e-5)


def test_two_levels_are_rotated_each_on_its_own() -> None:
    upper, lower = people(60, 5)[ITEMS].to_numpy(), people(600, 6)[ITEMS].to_numpy()
    d = pd.DataFrame(lower + np.repeat(upper, 10, axis=0), columns=ITEMS).assign(ward=np.repeat(np.arange(60), 10))
    items = " + ".join(ITEMS)
    model = f'level: 1\nefa("w")*f1 + efa("w")*f2 =~ {items}\nlevel: 2\nefa("b")*g1 + efa("b")*g2 =~ {items}'
    options: dict[str, Any] = {"cluster": "ward", "missing": "listwise"}
    fit, plain = ak.sem(model, d, **options), ak.sem(model, d, rotation="none", **options)
    for one, other in zip(fit._fit.model.moments(fit._fit.x), plain._fit.implied, strict=True):
        assert one.sigma == pytest.approx(other.sigma, abs=1e-9)
    assert len(fit._fit.rotation.values) == 2 and fit.tidy()["std_error"].notna().all()
    scores = fit.factor_scores(), plain.factor_scores()
    assert np.linalg.matrix_rank(np.hstack([part.to_numpy() for part in scores]), tol=1e-6) == 2


def test_a_rotated_table_can_be_fitted_again(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, missing="listwise")
    again = ak.cfa(fit.table, data, missing="listwise")
    assert again.tidy()["estimate"].to_numpy() == pytest.approx(fit.tidy()["estimate"].to_numpy(), abs=1e-6)
    assert again.fit_measures()["df"] == fit.fit_measures()["df"]


def test_the_call_for_r(data: pd.DataFrame) -> None:
    fit = ak.cfa(
        MODEL,
        data,
        rotation="target",
        rotation_se="delta",
        rotation_args={"target": [[0, np.nan]] * 8, "std_ov": False},
    )
    call = fit.as_r()
    assert 'rotation = "target"' in call and 'rotation.se = "delta"' in call
    assert "std.ov = FALSE" in call and "target = matrix(c(0.0, 0.0" in call and "NA), 8)" in call
    assert "rotation" not in ak.cfa(MODEL, data).as_r()


def test_what_is_refused(data: pd.DataFrame) -> None:
    with pytest.raises(ak.SpecError, match="same relations"):
        ak.sem(f"{MODEL}\ny ~ f1", data)
    with pytest.raises(ak.SpecError, match="geomin"):
        ak.cfa(MODEL, data, rotation="geomine")
    with pytest.raises(ak.SpecError, match="geomin_epsilon"):
        ak.cfa(MODEL, data, rotation_args={"geomin.epsilon": -1})
    with pytest.raises(ak.SpecError, match="rotation_args"):
        ak.cfa(MODEL, data, rotation_args={"epsilon": 0.01})
    with pytest.raises(ak.SpecError, match="needs the target"):
        ak.cfa(MODEL, data, rotation="target")
    with pytest.raises(ak.SpecError, match="not a table"):
        ak.cfa(MODEL, data, rotation="target", rotation_args={"target": "simple"})
    with pytest.raises(ak.SpecError, match="loadings are"):
        ak.cfa(MODEL, data, rotation="target", rotation_args={"target": [[0, 1]] * 7})
    with pytest.raises(ak.SpecError, match="block 'e'"):
        ak.cfa(MODEL, data, rotation="target", rotation_args={"target": {"other": [[0, 1]] * 8}})
    with pytest.raises(ak.SpecError, match="target_mask"):
        ak.cfa(MODEL, data, rotation="pst", rotation_args={"target": [[0, 1]] * 8})
    with pytest.raises(ak.SpecError, match="True or False"):
        ak.cfa(MODEL, data, rotation_args={"orthogonal": "yes"})


def test_a_collapsed_rotation_is_named(data: pd.DataFrame) -> None:
    with pytest.warns(ak.ConvergenceWarning, match="rotation stopped"):
        fit = ak.cfa(MODEL, data, rotation="quartimax", rotation_args={"orthogonal": False})
    assert fit.tidy().query("op == '=~'")["std_error"].isna().all()


def test_a_target_mask_is_a_target_with_gaps(data: pd.DataFrame) -> None:
    target, mask = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4), np.array([[0, 1]] * 4 + [[1, 0]] * 4)
    one = ak.cfa(MODEL, data, rotation="pst", rotation_args={"target": target, "target_mask": mask})
    two = ak.cfa(MODEL, data, rotation="target", rotation_args={"target": {"e": np.where(mask, target, np.nan)}})
    assert one.tidy()["estimate"].to_numpy() == pytest.approx(two.tidy()["estimate"].to_numpy(), abs=1e-7)


def test_difference_tests_of_rotated_models(data: pd.DataFrame) -> None:
    larger = ak.cfa(MODEL, data, estimator="MLM", missing="listwise")
    smaller = ak.cfa("f1 =~ a1 + a2 + a3 + a4; f2 =~ a5 + a6 + a7 + a8", data, estimator="MLM", missing="listwise")
    plain = ak.cfa(MODEL, data, estimator="MLM", missing="listwise", rotation="none")
    found = [ak.compare(smaller, fit, method="satorra.2000").tidy()["p_value"].iloc[-1] for fit in (larger, plain)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    turned = ak.cfa(MODEL, data, estimator="MLM", missing="listwise", rotation="varimax")
    found = [
        ak.compare(smaller, fit, method="satorra.bentler.2010").tidy()["p_value"].iloc[-1] for fit in (larger, turned)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
