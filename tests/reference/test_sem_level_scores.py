"""Factor scores of two levels with covariates at both: conditional means given the cluster, and what lavaan takes.

lavaan 0.6-14 holds the moments between clusters of a covariate of both levels off the maximum (``fixed.x = TRUE``), and
puts zero for the value of a covariate between clusters where it scores the upper level. Done likewise, ours are the
same.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.after.raw_scores import level_scores
from alliancekit.structural.after.whole import whole
from tests.reference.comparison import TOLERANCES, assert_close
from tests.reference.sem_cases import HERE

CASES: list[dict[str, Any]] = json.loads((HERE / "sem_twolevel" / "scores.json").read_text())
IDS = ["fixed" if case["fixed"] else "random" for case in CASES]


@cache
def frame() -> pd.DataFrame:
    """The data: x1 varies within and between clusters, w1 between, far from zero."""
    data = pd.read_csv(HERE / "sem_twolevel" / "demo" / "data.csv")
    data["x1"] = data["x1"] + 2 + data.groupby("cluster")["y4"].transform("mean")
    data["w1"] = data["w1"] + 3
    return data


@cache
def fit(fixed: bool) -> Any:
    return ak.sem(CASES[0]["model"], frame(), cluster="cluster", fixed_x=fixed)


def at_lavaans_estimates(case: dict[str, Any]) -> Any:
    """Return the fit with random covariates, all of whose moments are parameters, moved to lavaan's estimates."""
    source, table = fit(False)._fit.source, fit(False).table
    levels = {(r["lhs"], r["op"], r.get("rhs", ""), r["level"]): r["est"] for r in case["estimates"]}
    x = source.x.copy()
    for i, number in enumerate(table.free):
        if number:
            key = (table.lhs[i], table.op[i], table.rhs[i], table.block[i])
            # a covariate of both levels has one mean; lavaan may hold parts of it at both
            x[number - 1] = levels[key] if key in levels else x[number - 1]
    shift = levels.get(("x1", "~1", "", 1), 0.0)
    implied = list(source.model.moments(x))
    at = source.model.blocks[0].observed.index("x1")
    if shift and implied[0].mu[at] == 0.0:
        implied[0].mu[at] += shift
    return replace(source, x=x, solution=replace(source.solution, implied=tuple(implied)))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_lavaans_scores_from_its_own_moments_and_zero_for_covariates_between(case: dict[str, Any]) -> None:
    source = at_lavaans_estimates(case)
    within, between = (level_scores(source, level)[0][:20] for level in ("within", "between"))
    lower, upper = source.model.blocks
    assert_close(within[:, lower.latent.index("fw")], case["within"], "estimate", "within")
    own, implied = whole(upper, source.x), source.solution.implied[1]
    p, at = len(upper.observed), upper.observed.index("w1")
    weight = np.linalg.solve(implied.sigma, own.cov[:p, p:])[at]
    values = source.parts()[0].between[:20, [at]] + implied.mu[at]
    zero = between - values * weight
    assert np.abs(values * weight).max() > 1e-3
    assert_close(zero[:, upper.latent.index("fb")], case["between"], "estimate", "between")


@pytest.mark.parametrize("fixed", [True, False])
def test_scores_are_expected_factors_given_the_cluster(fixed: bool) -> None:
    """Against the joint normal distribution of all values of a cluster and its factors, written out in full."""
    f = fit(fixed)
    source = f._fit.source
    lower, upper = source.model.blocks
    (w, b), data = source.solution.implied, frame()
    own = [whole(block, source.x) for block in (lower, upper)]
    between, names = level_scores(source, "between")[0], list(upper.observed)
    rows = level_scores(source, "within")[0][:, lower.latent.index("fw")]
    common = [names.index(v) for v in lower.observed]
    k, p, q = len(lower.observed), len(names), upper.latent.index("fb")
    ys, lift = names.index("w1"), lower.latent.index("fw")
    for j, cluster in enumerate(data["cluster"].unique()[:15]):
        mine = data["cluster"] == cluster
        values, n = data.loc[mine, list(lower.observed)].to_numpy(), int(mine.sum())
        mean = np.append(np.tile(w.mu + b.mu[common], n), b.mu[ys])
        top = np.tile(b.sigma[np.ix_(common, common)], (n, n)) + np.kron(np.eye(n), w.sigma)
        side = np.tile(b.sigma[np.ix_(common, [ys])], (n, 1))
        whole_cov = np.block([[top, side], [side.T, b.sigma[[ys], [ys]][None]]])
        seen = np.append(values.ravel(), data.loc[mine, "w1"].iloc[0]) - mean
        weighted = np.linalg.solve(whole_cov, seen)
        link = np.append(np.tile(own[1].cov[common, p + q], n), own[1].cov[ys, p + q])
        expected = own[1].mean[p + q] + link @ weighted
        assert_close(between[j, q], expected, "closed_form", "between")
        each = weighted[:-1].reshape(n, k) @ own[0].cov[:k, k + lift] + own[0].mean[k + lift]
        assert_close(rows[mine], each, "closed_form", "within")


def test_log_likelihood_is_not_below_lavaans() -> None:
    fixed, random = (fit(case["fixed"]).log_likelihood - case["logl"] for case in CASES)
    assert fixed > 1.0, "lavaan holds moments of x1 between clusters off the maximum"
    assert abs(random) < TOLERANCES["log_likelihood"]["rel"] * abs(CASES[1]["logl"])
    assert_close(fit(True)._fit.x[:3], fit(False)._fit.x[:3], "estimate", "loadings and slope within")
