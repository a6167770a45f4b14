"""Hierarchical regression and cluster-robust covariances against R (lm, anova, sandwich)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_within
from tests.reference.leaves import all_quantities, excuse, excuses

FAMILY = Path(__file__).parent / "regression"
QUANTITIES = all_quantities(FAMILY)
EXCUSES = excuses(FAMILY)
TOLERANCE = 1e-8
Values = dict[tuple[str, ...], float]


@functools.cache
def ours(case: str) -> Values:
    """Return every quantity of a case under the path it has in expected.json."""
    model = json.loads((FAMILY / case / "model.json").read_text(encoding="utf-8"))
    data = pd.read_csv(FAMILY / case / "data.csv")
    steps: dict[str, list[str]] = {}
    entered: set[str] = set()
    for item in model["models"]:
        terms = _terms(item["formula"])
        steps[item["label"]] = [term for term in terms if term not in entered]
        entered.update(terms)
        for term in terms:
            if ":" in term:
                data[term] = data[term.split(":")].prod(axis=1)
    outcome = model["models"][0]["formula"].split(" ~ ")[0]
    cluster = model["models"][0].get("cluster")
    plain = ak.incremental_validity(data, outcome, steps, therapist=cluster, approach="ols", bootstrap=0)
    values = {("n_complete",): float(plain.nobs)} | _models(plain) | _hierarchical(plain)
    if cluster is None:
        return values | _variance_inflation(data.dropna(), outcome, steps)
    robust = ak.incremental_validity(data, outcome, steps, therapist=cluster, approach="robust", bootstrap=0)
    return values | _cluster(data, outcome, steps, cluster) | _last_coefficients(plain, robust)


def _terms(formula: str) -> list[str]:
    right = formula.split(" ~ ")[1]
    if " * " not in right:
        return right.split(" + ")
    product, *others = right.split(" + ")
    a, b = product.split(" * ")
    return [a, b, *others, f"{a}:{b}"]


def _models(found: ak.IncrementalValidity) -> Values:
    values: Values = {}
    table = found.steps.tidy().set_index("step")
    terms = ["(Intercept)"]
    for step, predictors in found.entered.items():
        terms += predictors
        fit = found.fits[step]
        values |= {
            ("models", step, "n"): table.loc[step, "n"],
            ("models", step, "r2"): table.loc[step, "r2"],
            ("models", step, "adj_r2"): fit.rsquared_adj,
            ("models", step, "logLik"): table.loc[step, "log_likelihood"],
            ("models", step, "AIC"): table.loc[step, "aic"],
            ("models", step, "rss"): fit.ssr,
            ("models", step, "df_residual"): fit.df_resid,
        }
        for j, term in enumerate(terms):
            columns = {"estimate": fit.params, "se": fit.bse, "t": fit.tvalues, "p": fit.pvalues}
            values |= {("models", step, "coef", term, name): column[j] for name, column in columns.items()}
    return values


def _variance_inflation(data: pd.DataFrame, outcome: str, steps: dict[str, list[str]]) -> Values:
    values: Values = {}
    for count, step in enumerate(steps, start=1):
        upto = dict(list(steps.items())[:count])
        found = ak.incremental_validity(data, outcome, upto, approach="ols", bootstrap=0)
        table = found.coefficients.tidy().set_index("term")["vif"].drop("(Intercept)")
        values |= {("models", step, "vif", name): value for name, value in table.items()}
    return values


def _last_coefficients(plain: ak.IncrementalValidity, robust: ak.IncrementalValidity) -> Values:
    """Return the estimates of the final model, which the robust covariance must leave as they are."""
    step = list(plain.entered)[-1]
    table = robust.coefficients.tidy().set_index("term")["estimate"]
    return {("models", step, "cluster", "CR2", term, "estimate"): value for term, value in table.items()}


def _hierarchical(found: ak.IncrementalValidity) -> Values:
    table = found.steps.tidy()
    values: Values = {("hierarchical", "r2", str(i)): v for i, v in enumerate(table["r2"])}
    values |= {("hierarchical", "delta_r2", str(i)): v for i, v in enumerate(table["delta_r2"])}
    names = {"statistic": "F", "df": "df1", "df_error": "df2", "p_value": "p", "delta_r2": "delta_r2", "f2": "f2"}
    for before, row in zip(table["step"], table.iloc[1:].to_dict("records"), strict=False):
        pair = f"{before} {row['step']}"
        values |= {("hierarchical", "stepwise_F_change", pair, name): row[c] for c, name in names.items()}
    return values


def _cluster(data: pd.DataFrame, outcome: str, steps: dict[str, list[str]], cluster: str) -> Values:
    values: Values = {}
    for count, step in enumerate(steps, start=1):
        upto = dict(list(steps.items())[:count])
        found = ak.incremental_validity(data, outcome, upto, therapist=cluster, approach="robust", bootstrap=0)
        terms = found.coefficients.tidy()["term"].tolist()
        groups = found.frame[cluster]
        CR1 = np.asarray(found.fits[step].get_robustcov_results("cluster", groups=pd.factorize(groups)[0]).cov_params())
        # What the result itself reports must be this covariance.
        np.testing.assert_allclose(found.coefficients.tidy()["std_error"], np.sqrt(np.diag(CR1)), rtol=1e-10)
        G, n, k = groups.nunique(), found.nobs, len(terms)
        CR0 = CR1 / (G / (G - 1) * (n - 1) / (n - k))
        for i, row in enumerate(terms):
            for j, column in enumerate(terms):
                values["models", step, "cluster", "CR1_stata_HC1", row, column] = CR1[i, j]
                values["models", step, "cluster", "CR0", row, column] = CR0[i, j]
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
    limit = max(TOLERANCE * abs(expected), 1e-12)
    assert_within(abs(found - expected), limit, "closed_form", "/".join(path), f"{found} where R has {expected}")


def test_every_excuse_is_used() -> None:
    used = {excuse(case, path, EXCUSES) for case, path, _ in QUANTITIES if path not in ours(case)}
    assert used - {None} == set(EXCUSES.values())
