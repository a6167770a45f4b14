"""Dominance analysis, relative weights, CAR scores, commonality and hierarchical blocks against three R packages."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.prediction.dominance import DominanceAnalysis
from tests.reference.comparison import assert_within
from tests.reference.leaves import all_quantities, excuse, excuses

FAMILY = Path(__file__).parent / "dominance"
QUANTITIES = all_quantities(FAMILY)
EXCUSES = excuses(FAMILY)
TOLERANCE = 1e-8


@functools.cache
def ours(case: str) -> dict[tuple[str, ...], float]:
    """Return every quantity of a case under the path it has in expected.json."""
    model = json.loads((FAMILY / case / "model.json").read_text(encoding="utf-8"))
    data = pd.read_csv(FAMILY / case / "data.csv")
    blocks = {"+".join(block): block for block in model["blocks"]}
    found = ak.incremental_validity(data, model["outcome"], blocks, approach="ols", bootstrap=0)
    assert found.weights is not None
    analysis = found.weights.analysis
    # The order of entry may differ from the order of the predictors in the R model; names decide.
    values = {**_headline(found), **_subsets(analysis, model["predictors"])}
    values |= _matrices(analysis) | _indices(found) | _coefficients(found) | _blocks(found)
    return values | _yhat(found, model["predictors"])


def _headline(found: ak.IncrementalValidity) -> dict[tuple[str, ...], float]:
    row = found.weights.glance().iloc[0]
    return {
        ("n",): row["n"],
        ("R2",): row["r2"],
        ("adj_R2",): row["adjusted_r2"],
        ("F",): list(found.fits.values())[-1].fvalue,
        ("relaimpo", "var_y"): found.frame[found.outcome].var(),
    }


def _subsets(analysis: DominanceAnalysis, order: list[str]) -> dict[tuple[str, ...], float]:
    values: dict[tuple[str, ...], float] = {}
    for row in analysis.subsets().itertuples():
        name = _key(row.predictors, order, "+")
        values[("subsets", name, "k")] = row.size
        values[("subsets", name, "R2")] = row.r2
        values[("subsets", name, "adj_R2")] = row.adjusted_r2
    for row in analysis.commonality().itertuples():
        values[("computed", "commonality", _key(row.predictors, order, "+"))] = row.common
    return values


def _key(joined: str, order: list[str], mark: str) -> str:
    return mark.join(sorted(joined.split(" + "), key=order.index))


def _matrices(analysis: DominanceAnalysis) -> dict[tuple[str, ...], float]:
    values: dict[tuple[str, ...], float] = {}
    for name in ("complete", "conditional", "general"):
        for (row, column), value in getattr(analysis, name)().stack().items():
            values[("dominanceanalysis", name, row, column)] = value
    levels = analysis.by_size()
    for level in levels.columns:
        values[("dominanceanalysis", "contribution_by_level", str(level), "level")] = level
        for predictor in levels.index:
            path = ("dominanceanalysis", "contribution_by_level", str(level), predictor)
            values[path] = levels.loc[predictor, level]
    return values


def _indices(found: ak.IncrementalValidity) -> dict[tuple[str, ...], float]:
    names = {
        "general": "lmg",
        "share": "lmg_share",
        "pratt": "pratt",
        "first": "first",
        "last": "last",
        "beta_squared": "betasq",
        "relative_weight": "genizi",
        "car_squared": "car_scores_sq",
    }
    table = found.weights.tidy().set_index("term")
    values = {("relaimpo", names[c], p): table.loc[p, c] for c in names for p in table.index}
    return values | {("dominanceanalysis", "contribution_average", p): table.loc[p, "general"] for p in table.index}


def _coefficients(found: ak.IncrementalValidity) -> dict[tuple[str, ...], float]:
    table = found.coefficients.tidy().set_index("term").drop(index="(Intercept)")
    r = found.correlations()[found.outcome]
    R = np.sqrt(found.glance()["r2"].iloc[0])
    columns: dict[str, Any] = {
        "b": table["estimate"],
        "se": table["std_error"],
        "t": table["statistic"],
        "p": table["p_value"],
        "beta": table["std_estimate"],
        "r": r,
        "semipartial": table["semipartial_r"],
        "semipartial_sq": table["semipartial_r"] ** 2,
        "partial": table["partial_r"],
        "structure_coef": r / R,
        "tolerance": 1.0 / table["vif"],
    }
    return {("computed", "semipartial", p, name): column[p] for name, column in columns.items() for p in table.index}


def _blocks(found: ak.IncrementalValidity) -> dict[tuple[str, ...], float]:
    names = {"r2": "R2", "delta_r2": "delta_R2", "df": "df1", "df_error": "df2", "statistic": "F", "p_value": "p"}
    names["f2"] = "f2"
    table = found.steps.tidy().set_index("step")
    return {("computed", "hierarchical_blocks", b, names[c]): table.loc[b, c] for c in names for b in table.index}


def _yhat(found: ak.IncrementalValidity, order: list[str]) -> dict[tuple[str, ...], float]:
    weights = found.weights.tidy().set_index("term")
    coefficients = _coefficients(found)
    levels = found.weights.analysis.by_size()
    metrics = pd.DataFrame(index=order)
    for name, ours_name in {"b": "b", "Beta": "beta", "r": "r", "rs": "structure_coef"}.items():
        metrics[name] = [coefficients[("computed", "semipartial", p, ours_name)] for p in order]
    metrics["rs2"] = metrics["rs"] ** 2
    metrics["Unique"] = weights["last"]
    metrics["Common"] = metrics["r"] ** 2 - weights["last"]
    for level in levels.columns:
        metrics[f"CD:{level}"] = levels[level]
    metrics["GenDom"], metrics["Pratt"] = weights["general"], weights["pratt"]
    metrics["RLW"] = weights["relative_weight"]
    metrics.loc["Total"] = metrics.sum()
    values = {("yhat", "predictor_metrics", p, m): metrics.loc[p, m] for p in metrics.index for m in metrics.columns}
    return values | _yhat_pairs(found.weights.analysis, order) | _yhat_subsets(found.weights.analysis, order)


def _yhat_pairs(analysis: DominanceAnalysis, order: list[str]) -> dict[tuple[str, ...], float]:
    kinds = {"Comp": analysis.complete(), "Cond": analysis.conditional(), "Gen": analysis.general()}
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    return {
        ("yhat", "paired_dominance", f"{a}>{b}", name): table.loc[a, b]
        for name, table in kinds.items()
        for a, b in pairs
    }


def _yhat_subsets(analysis: DominanceAnalysis, order: list[str]) -> dict[tuple[str, ...], float]:
    r2 = {frozenset(row.predictors.split(" + ")): row.r2 for row in analysis.subsets().itertuples()}
    full = r2[frozenset(order)]
    values: dict[tuple[str, ...], float] = {
        ("yhat", "all_subsets", "Total", "Commonality"): analysis.commonality()["common"].sum(),
        ("yhat", "all_subsets", "Total", " % Total"): analysis.commonality()["common"].sum() / full,
    }
    for row in analysis.commonality().itertuples():
        name, members = _key(row.predictors, order, ","), frozenset(row.predictors.split(" + "))
        values[("yhat", "all_subsets", name, "Commonality")] = row.common
        values[("yhat", "all_subsets", name, " % Total")] = row.common / full
        values[("yhat", "all_subsets", name, "R2")] = r2[members]
        for other in set(order) - members:
            values[("yhat", "all_subsets", name, f"{other}.Inc")] = r2[members | {other}] - r2[members]
    return values


@pytest.mark.parametrize(("case", "path", "expected"), QUANTITIES, ids=["/".join((c, *p)) for c, p, _ in QUANTITIES])
def test_quantity(
    case: str, path: tuple[str, ...], expected: float, record_property: Callable[[str, object], None]
) -> None:
    if path not in ours(case):
        reason = excuse(case, path, EXCUSES)
        assert reason, "not compared, and not_compared.toml gives no reason"
        record_property("excused", True)
        return
    found = float(ours(case)[path])
    limit = max(TOLERANCE * abs(expected), TOLERANCE * 1e-2)
    assert_within(abs(found - expected), limit, "closed_form", "/".join(path), f"{found} where R has {expected}")


def test_every_excuse_is_used() -> None:
    used = {excuse(case, path, EXCUSES) for case, path, _ in QUANTITIES if path not in ours(case)}
    assert used - {None} == set(EXCUSES.values())
