"""What depends on roles, scaling and df in lavaan 0.6-14, and its modification indices of improper solutions.

Before lavaan computes indices it passes the estimates through its check of starting values, which makes covariances
smaller whose correlation is beyond one. The scores are then those of another point than the solution.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import alliancekit as ak
from alliancekit.structural.after.candidates import candidates, extra_jacobian
from alliancekit.structural.after.group_views import group_views
from alliancekit.structural.after.whole import whole
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE

CASES: dict[str, Any] = json.loads((HERE / "sem_models" / "found.json").read_text())
DATA = pd.read_csv(HERE / "sem_models" / "data.csv")
IMPROPER = CASES["improper"]


@pytest.mark.option("cfa.fixed_x", "lavaan 0.6-14: std_nox with random covariates")
@pytest.mark.parametrize("estimator", ["ML", "GLS"])
def test_random_covariates_keep_their_units(estimator: str) -> None:
    case = CASES["roles"][estimator]
    fit = ak.sem("f =~ x1 + x2 + x3\ny1 ~ f + z1\nf ~ z2", DATA, estimator=estimator, fixed_x=False)
    ours = fit.standardized("std_nox").set_index(["lhs", "op", "rhs"])
    rows = [ours.loc[(r["lhs"], r["op"], r.get("rhs", ""))] for r in case["nox"]]
    assert_close([r["estimate"] for r in rows], [r["est.std"] for r in case["nox"]], "estimate", "std_nox")
    assert_close([r["std_error"] for r in rows], [r["se"] for r in case["nox"]], "std_error", "std_nox")
    own = fit.modification_indices().set_index(["lhs", "op", "rhs"])
    known = [r for r in case["indices"] if r.get("mi", 0.0) > 1e-3]
    places = [(r["lhs"], r["op"], r.get("rhs", "")) for r in known]
    assert len(places) == 10
    for name in ("mi", "sepc_nox"):
        theirs = [r[name.replace("_", ".")] for r in known]
        assert_close(own.loc[places, name], theirs, "modification", name)


@pytest.mark.option("cfa.estimator", "lavaan 0.6-14: WLSM, whose baseline is not scaled")
def test_robust_measures_beside_a_baseline_that_is_not_scaled() -> None:
    fit = ak.cfa("f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6", DATA, estimator="WLSM", meanstructure=True)
    measures = fit.fit_measures()
    for name, value in CASES["unscaled"].items():
        assert_close(measures[name.replace(".", "_")], value, "fit_measure", name)


def test_there_is_no_critical_n_without_degrees_of_freedom() -> None:
    """lavaan has 0 / chi-square + 1: one where chi-square is off zero by rounding, else missing."""
    assert CASES["saturated"]["df"] == 0
    assert CASES["saturated"]["cn_05"] in (None, 1)
    assert "cn_05" not in ak.cfa("f =~ x1 + x2 + x3", DATA).fit_measures()


def improper() -> Any:
    """Return the fit of covariances to which a model with a negative residual variance belongs."""
    names = [f"v{i}" for i in range(1, 8)]
    cov = pd.DataFrame(IMPROPER["cov"], names, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return ak.cfa(IMPROPER["model"], sample_cov=cov, sample_nobs=IMPROPER["n"])


def refit(row: dict[str, Any]) -> float:
    """Return chi-square with one parameter more."""
    names = [f"v{i}" for i in range(1, 8)]
    cov = pd.DataFrame(IMPROPER["cov"], names, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        text = f"{IMPROPER['model']}\n{row['lhs']} {row['op']} {row['rhs']}"
        return float(ak.cfa(text, sample_cov=cov, sample_nobs=IMPROPER["n"]).fit_measures()["chisq"])


def test_modification_indices_of_an_improper_solution_are_what_refits_gain() -> None:
    fit = improper()
    chisq = fit.fit_measures()["chisq"]
    assert_close(chisq, IMPROPER["chisq"], "fit_measure", "chi-square")
    theirs = {(r["lhs"], r["op"], r["rhs"]): r["mi"] for r in IMPROPER["indices"]}
    far = 0
    for row in fit.modification_indices(minimum=0.02).head(8).to_dict("records"):
        gained = chisq - refit(row)
        assert row["mi"] == pytest.approx(gained, rel=0.1), row
        far += abs(theirs[row["lhs"], row["op"], row["rhs"]] - gained) > 0.1 * gained
    assert far > 4, "lavaan's indices are of another point"


def test_lavaans_indices_of_an_improper_solution_are_of_its_checked_starting_values() -> None:
    fit = improper()._fit
    table, model = fit.table, fit.model
    x = fit.x.copy()
    places = {(r["lhs"], r["op"], r["rhs"]): at for r, at in zip(IMPROPER["estimates"], IMPROPER["moved"], strict=True)}
    for i, number in enumerate(table.free):
        if number:
            x[number - 1] = places[table.lhs[i], table.op[i], table.rhs[i]]
    assert np.abs(x - fit.x).max() > 0.1
    moved = replace(fit, x=x, implied=tuple(model.moments(x)))
    here, there = group_views(fit)[0], group_views(moved)[0]
    found = candidates(table, model)
    extra = extra_jacobian(model, x, found)[0]
    inner = here.n * here.jacobian.T @ here.weight @ here.jacobian
    cross = there.n * there.jacobian.T @ there.weight @ extra
    own = there.n * np.einsum("ij,ik,kj->j", extra, there.weight, extra)
    rest = own - np.einsum("ij,ij->j", cross, np.linalg.solve(inner, cross))
    indices = (there.slope @ extra) ** 2 / rest
    ours = {(c.lhs, c.op, c.rhs): value for c, value in zip(found, indices, strict=True)}
    known = [r for r in IMPROPER["indices"] if r.get("mi") is not None]
    assert len(known) > 15
    mine = [ours[r["lhs"], r["op"], r["rhs"]] for r in known]
    assert_close(mine, [r["mi"] for r in known], "modification", "lavaan's indices")


def scored(kind: str, how: str) -> tuple[Any, pd.DataFrame]:
    """Return a fit and its rows: complete, or with holes in an item and an outcome."""
    data = DATA.copy()
    if how == "holes":
        data.loc[data.index[::7], "x1"] = np.nan
        data.loc[data.index[1::5], "y1"] = np.nan
    word = "fiml" if how == "holes" else "listwise"
    return ak.sem(CASES["scores"][kind][how]["model"], data, missing=word, meanstructure=True), data


@pytest.mark.parametrize("how", ["complete", "holes"])
@pytest.mark.parametrize("kind", ["direct", "covary"])
def test_bartlett_scores_with_outcomes_and_direct_effects(kind: str, how: str) -> None:
    """An outcome is one more indicator, given its covariates; direct effects of covariates on items are taken out."""
    case = CASES["scores"][kind][how]
    ours = scored(kind, how)[0].factor_scores(method="bartlett")[case["factors"]].iloc[:30]
    assert_close(ours, case["bartlett"], "factor_score", "Bartlett scores")


@pytest.mark.parametrize("how", ["complete", "holes"])
def test_regression_scores_with_direct_effects(how: str) -> None:
    case = CASES["scores"]["direct"][how]
    ours = scored("direct", how)[0].factor_scores()[case["factors"]].iloc[:30]
    assert_close(ours, case["regression"], "factor_score", "regression scores")


@pytest.mark.parametrize("how", ["complete", "holes"])
def test_regression_scores_use_residual_covariances_with_outcomes(how: str) -> None:
    """They are expected factors; lavaan takes an outcome for an indicator without them, from loadings alone."""
    case = CASES["scores"]["covary"][how]
    fit, data = scored("covary", how)
    at, p = whole(fit._fit.model.blocks[0], fit._fit.x), len(fit._fit.model.blocks[0].observed)
    rows = data[list(fit._fit.model.blocks[0].observed)].to_numpy()[:30]
    expected, theirs = [], []
    for row in rows:
        seen = np.flatnonzero(~np.isnan(row))
        weighted = np.linalg.solve(at.cov[np.ix_(seen, seen)], row[seen] - at.mean[seen])
        expected.append(at.mean[p:] + at.cov[p:, seen] @ weighted)
        theirs.append(at.mean[p:] + at.cov[p:, p:] @ at.A[seen, p:].T @ weighted)
    assert_close(fit.factor_scores().iloc[:30], expected, "closed_form", "expected factors")
    assert_close(theirs, case["regression"], "factor_score", "lavaan's regression scores")
    assert np.abs(np.array(expected) - theirs).max() > 0.01


def test_random_covariates_give_factors_their_means_where_there_are_none() -> None:
    fit = ak.sem("f =~ x1 + x2 + x3\nf ~ z1", DATA, fixed_x=False)
    assert_close(fit.latent()["mean"].loc["f", "mean"], CASES["centre"]["mean"], "estimate", "mean of the factor")
    assert_close(fit.factor_scores()["f"].iloc[:30], CASES["centre"]["scores"], "factor_score", "scores")


def mode(codes: np.ndarray, loadings: np.ndarray, cuts: list[np.ndarray], spread: float) -> float:
    """Return the likeliest factor given the answers, responses having a variance of one."""
    sd = np.sqrt(1 - CASES["modes"]["own"] ** 2 * spread)

    def loss(value: float) -> float:
        """Minus log posterior."""
        upper = [cut[k + 1] for cut, k in zip(cuts, codes, strict=True)]
        lower = [cut[k] for cut, k in zip(cuts, codes, strict=True)]
        p = norm.cdf((upper - loadings * value) / sd) - norm.cdf((lower - loadings * value) / sd)
        return float(value**2 / (2 * spread) - np.log(p).sum())

    return float(minimize_scalar(loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-9}).x)


def test_modes_in_groups_are_of_the_loadings_of_the_group() -> None:
    """lavaan takes those of the first group in all of them."""
    case = CASES["modes"]
    data = pd.read_csv(HERE / "sem" / "hs_cfa3_robust" / "data.csv")
    for name, cuts in case["cuts"].items():
        data[name] = np.searchsorted(cuts, data[name], side="right")
    fit = ak.cfa("f =~ x4 + x5 + x6", data, group="school", ordered=list(case["cuts"]), missing="listwise")
    scores, table = fit.factor_scores(), fit.tidy()
    ours = {group: scores.loc[scores["group"] == group, "f"] for group in case["groups"]}
    first, second = case["groups"]
    assert_close(ours[first].iloc[:25], case["first"], "factor_score", "modes of the first group")
    part = {group: table[table["group"] == group] for group in case["groups"]}
    loadings = {group: own.loc[own["op"] == "=~", "estimate"].to_numpy() for group, own in part.items()}
    case["own"] = loadings[second]
    own = part[second]
    cuts = [np.r_[-9.0, own.loc[(own["op"] == "|") & (own["lhs"] == v), "estimate"], 9.0] for v in case["cuts"]]
    spread = float(own.loc[(own["lhs"] == "f") & (own["rhs"] == "f"), "estimate"].iloc[0])
    rows = data.loc[ours[second].index[:25], list(case["cuts"])].to_numpy(dtype=int)
    codes = rows - data.loc[:, list(case["cuts"])].to_numpy(dtype=int).min(axis=0)
    found = {group: [mode(row, loadings[group], cuts, spread) for row in codes] for group in case["groups"]}
    assert_close(ours[second].iloc[:25], found[second], "estimate", "modes of the second group")
    assert_close(case["second"], found[first], "factor_score", "lavaan's modes of the second group")
    assert np.abs(np.array(found[first]) - found[second]).max() > 0.01
