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
