"""Standardised solutions: exact derivatives, invariance to units, covariates, negative variances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliancekit as ak
from alliancekit.structural.after.answers import row_slopes
from alliancekit.structural.after.coefficients import values
from alliancekit.structural.after.scaling import KINDS, standardise
from alliancekit.structural.after.whole import whole, wholes

MODEL = """
f =~ a + l*b + c
g =~ d + e
y ~ r*f + x
g ~ s*f
a ~~ d
both := r*l + s
"""


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    f = rng.normal(size=300)
    g = 0.5 * f + rng.normal(size=300)
    x = rng.normal(size=300)
    items = {name: f + rng.normal(size=300) for name in "abc"} | {name: g + rng.normal(size=300) for name in "de"}
    return pd.DataFrame(items | {"x": x, "y": 0.3 * f + 0.4 * x + rng.normal(size=300)})


@pytest.mark.option("StructuralFit.standardized.kind", "derivatives by differences")
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_those_by_differences(data: pd.DataFrame, kind: str) -> None:
    fit = ak.sem(MODEL, data)._fit
    slopes = row_slopes(fit)
    estimate = values(fit)[0]
    found = standardise(fit.table, fit.model, wholes(fit), estimate, kind, fit.constraints, by_x=slopes)

    def at(x: np.ndarray) -> np.ndarray:
        moved = estimate + slopes @ (x - fit.x)
        blocks = [whole(block, x) for block in fit.model.blocks]
        return standardise(fit.table, fit.model, blocks, moved, kind, fit.constraints).values

    assert found.slopes is not None
    for j in range(fit.x.size):
        step = np.zeros(fit.x.size)
        step[j] = 1e-6
        slope = (at(fit.x + step) - at(fit.x - step)) / 2e-6
        np.testing.assert_allclose(found.slopes[:, j], slope, atol=1e-7, rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3))
def test_units_of_the_variables_change_nothing(units: list[float]) -> None:
    rng = np.random.default_rng(6)
    d = pd.DataFrame(rng.normal(size=(200, 1)) + rng.normal(size=(200, 3)), columns=list("abc"))
    one, other = ak.cfa("f =~ a + b + c", d).standardized(), ak.cfa("f =~ a + b + c", d * units).standardized()
    np.testing.assert_allclose(one["estimate"], other["estimate"], atol=1e-6)
    np.testing.assert_allclose(one["std_error"], other["std_error"], atol=1e-5)


def test_all_but_covariates_leaves_the_units_of_covariates(data: pd.DataFrame) -> None:
    fit = ak.sem("y ~ x", data)
    slope, sd = fit.tidy()["estimate"].iloc[0], data["y"].std(ddof=0)
    assert fit.standardized("std_nox")["estimate"].iloc[0] == pytest.approx(slope / sd)
    assert fit.standardized("std_all")["estimate"].iloc[0] == pytest.approx(slope * data["x"].std(ddof=0) / sd)


def test_a_negative_variance_has_no_standardised_value() -> None:
    cov = pd.DataFrame([[1, 0.9, 0.5], [0.9, 1, 0.2], [0.5, 0.2, 1]], list("abc"), list("abc"), dtype=float)
    with pytest.warns(ak.ConvergenceWarning, match="negative variance"):
        fit = ak.cfa("f =~ a + b + c", sample_cov=cov, sample_nobs=100)
    r2 = fit.r2().set_index("variable")["r2"]
    assert np.isnan(r2["a"]) and 0 < r2["b"] < 1


def test_wrong_words_are_answered(data: pd.DataFrame) -> None:
    fit = ak.sem("y ~ x", data)
    with pytest.raises(ak.SpecError, match="std_all"):
        fit.standardized("std_al")
    with pytest.raises(ak.SpecError, match="confidence level"):
        fit.standardized(level=95)
