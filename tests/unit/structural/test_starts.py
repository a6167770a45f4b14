"""Where the search begins: values that the data suggest, and what becomes of values that cannot be."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.starts import starting_values

LINEAR = "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4"


def items() -> pd.DataFrame:
    rng = np.random.default_rng(31)
    f = rng.normal(size=(300, 1))
    return pd.DataFrame(0.8 * f + rng.normal(size=(300, 4)), columns=["x1", "x2", "x3", "x4"])


@pytest.mark.parametrize("missing", ["listwise", "fiml"])
def test_impossible_starting_values_are_replaced(missing: str) -> None:
    d = items()
    asked = ak.cfa("f =~ x1 + x2 + x3 + x4\nx1 ~~ start(9)*x2", d, missing=missing).tidy()["estimate"]
    plain = ak.cfa("f =~ x1 + x2 + x3 + x4\nx1 ~~ x2", d, missing=missing).tidy()["estimate"]
    np.testing.assert_allclose(asked, plain, rtol=1e-4, atol=1e-5)


def test_means_of_latent_variables_start_where_the_items_put_them() -> None:
    table = ak.parameter_table(LINEAR, "growth")
    mean = np.array([10.0, 12.0, 14.0, 16.0])
    x = starting_values(table, [("t1", "t2", "t3", "t4")], [(mean, np.eye(4) + 1.0)])
    assert [x[table.free[table.find(name, "~1")] - 1] for name in ("i", "s")] == pytest.approx([10.0, 2.0])


def test_asked_for_values_are_kept() -> None:
    table = ak.parameter_table(LINEAR + "\ni ~ start(3)*1\nt1 ~~ lower(2)*t1", "growth")
    x = starting_values(table, [("t1", "t2", "t3", "t4")], [(np.zeros(4), np.eye(4) + 1.0)])
    assert x[table.free[table.find("i", "~1")] - 1] == 3.0
    assert x[table.free[table.find("t1", "~~", "t1")] - 1] == 2.0


@pytest.mark.parametrize("estimator", ["GLS", "WLS"])
def test_of_several_minima_the_lower_one_is_found(estimator: str) -> None:
    """A factor whose first item is nearly the sum of two others: limits can only raise the minimum."""
    d = items()
    d["x4"] = d["x1"] + d["x2"] + 0.2 * d["x4"]
    model = "f =~ x4 + x1 + x2 + x3"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        free, limited = (ak.cfa(model, d, estimator=estimator, bounds=bounds) for bounds in ("none", "pos.var"))
    assert free.converged and limited.converged
    assert free.fit_measures()["fmin"] < limited.fit_measures()["fmin"]


@pytest.mark.parametrize("missing", ["listwise", "fiml"])
def test_a_loading_equal_to_a_covariance_begins_where_both_can_be(missing: str) -> None:
    rng = np.random.default_rng(7)
    one = rng.normal(size=(400, 1))
    other = 0.3 * one + 0.6 * rng.normal(size=(400, 1))
    values = np.hstack([one + rng.normal(size=(400, 3)), other + rng.normal(size=(400, 3))])
    d = pd.DataFrame(values, columns=["a1", "a2", "a3", "b1", "b2", "b3"])
    model = 'A =~ a1 + a2 + equal("A =~ a2")*a3\nB =~ b1 + b2 + b3\nA ~~ equal("A =~ a2")*B'
    fit = ak.cfa(model, d, missing=missing)
    assert fit.converged and fit.fit_measures()["df"] == 10
    estimate = fit.tidy().set_index("term")["estimate"]
    assert estimate["A =~ a2"] == pytest.approx(estimate["A =~ a3"]) == pytest.approx(estimate["A ~~ B"])


def test_a_search_that_runs_out_of_steps_has_not_converged() -> None:
    rng = np.random.default_rng(4)
    y = rng.multivariate_normal([0, 0], [[1.5, 0.2], [0.2, 1.5]], 420)
    d = pd.DataFrame(y, columns=["a", "b"]).assign(z=rng.normal(size=420), w=rng.normal(size=420))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ak.sem("a ~ b + z\nb ~ a + w\na ~~ b", d)  # instruments that tell next to nothing
    fmin = fit.fit_measures()["fmin"]
    assert fit.converged == (fmin < 1e-8)
    assert any("stopped before" in text for text in fit.warnings) == (not fit.converged)
