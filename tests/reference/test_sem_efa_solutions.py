"""efa() of lavaan 0.6-14: fit, loadings, factor correlations and sums of squares of one to four factors."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.rotation.criteria import bentler
from alliancekit.structural.rotation.search import search_rotation, turn
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent / "sem_efa"
CASES = json.loads((HERE / "solutions.json").read_text(encoding="utf-8"))


@cache
def solutions(rotation: str) -> Any:
    data = pd.read_csv(HERE / "criteria" / "data.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return ak.efa(data, nfactors=range(1, 5), rotation=rotation, missing="listwise")


@pytest.mark.option("efa.nfactors", "lavaan 0.6-14, one to four factors")
@pytest.mark.option("efa.rotation", "lavaan 0.6-14, three criteria")
@pytest.mark.parametrize("case", CASES, ids=[f"{c['rotation']}-{c['nfactors']}" for c in CASES])
def test_as_lavaan(case: dict[str, Any]) -> None:
    found, k = solutions(case["rotation"]), case["nfactors"]
    row = found.glance().set_index("nfactors").loc[k]
    for name, value in case["fit"].items():
        kind = "log_likelihood" if name in ("logl", "aic", "bic", "bic2") else "fit_measure"
        assert_close(found[k].fit_measures()[name], value, kind, name)
        if name in row and name not in ("npar", "logl"):
            assert_close(row[name], value, kind, name)
    assert_close(found.eigenvalues(), case["eigenvalues"], "estimate", "eigenvalues")
    loadings = found.loadings(k)
    factors = [f"f{j + 1}" for j in range(k)]
    ours, theirs = loadings[factors].to_numpy(), np.array(case["loadings"]).reshape(-1, k)
    assert_close(ours, theirs, "estimate", "loadings")
    assert_close(loadings["uniqueness"], case["uniqueness"], "estimate", "uniqueness")
    assert_close(found.factor_correlations(k), np.array(case["correlations"]).reshape(k, k), "estimate", "correlations")
    squares = found.sums_of_squares(k)
    assert squares["factor"].tolist() == case["factors"]
    columns = ["sum_of_squares", "share_of_common", "share", "cumulative"]
    assert_close(squares[columns].to_numpy().T, np.array(case["sums"]).reshape(4, k), "estimate", "sums of squares")


STOPS = json.loads((HERE / "stops.json").read_text(encoding="utf-8"))


@pytest.mark.option("cfa.rotation", "lavaan 0.6-14: bentler at three tolerances of its search")
@pytest.mark.parametrize("stop", STOPS, ids=[f"{s['gpa_tol']:g}-{s['seed']}" for s in STOPS])
def test_lavaans_search_of_bentlers_criterion_stops_above_the_minimum(stop: dict[str, Any]) -> None:
    """From each of its ends a search leads to the one minimum."""
    model = json.loads((HERE / "criteria" / "model.json").read_text(encoding="utf-8"))["models"]
    syntax = next(one["syntax"] for one in model if one["label"] == "bentler_3")
    fit = ak.cfa(syntax, pd.read_csv(HERE / "criteria" / "data.csv"), rotation="bentler", missing="listwise")
    ours = fit.latent()["cov"].to_numpy()
    loadings, correlations = np.array(stop["loadings"]), np.array(stop["correlations"])
    theirs, slope = bentler(loadings)
    assert_close(theirs, stop["criterion"], "closed_form", "criterion")
    pull = loadings.T @ slope @ np.linalg.inv(correlations)
    assert np.abs(pull - np.diag(pull.diagonal())).max() < 2 * stop["gpa_tol"]
    assert fit._fit.rotation.values[0] < theirs
    root = np.linalg.cholesky(correlations)
    found = search_rotation(loadings @ root, bentler, orthogonal=False, starts=0, seed=1, tol=1e-9, max_iter=10_000)
    turned = np.abs(turn(loadings @ root, found.T, False))
    order = [int(np.argmax([np.abs(column @ other) for other in turned.T])) for column in np.abs(loadings).T]
    reached = np.abs(found.T.T @ found.T)[np.ix_(order, order)]
    assert found.converged
    assert_close(reached, np.abs(ours), "estimate", "factor correlations of the minimum")
    gap = np.abs(correlations - ours).max()
    assert gap < 400 * stop["gpa_tol"], "the criterion is flat: correlations differ by hundreds of times its gradient"
