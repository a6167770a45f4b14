"""Every table that a structural result gives prints all its columns."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.frames import WideFrame

MODEL = "f =~ x1 + x2 + x3 + x4"
METHODS = (
    "tidy",
    "glance",
    "vcov",
    "standardized",
    "model_tests",
    "group_tests",
    "modification_indices",
    "score_tests",
)
METHODS += ("expected_changes", "residual_size", "r2", "factor_scores", "reliability", "missing_patterns", "coverage")


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20240906)
    frame = pd.DataFrame(rng.normal(size=(400, 1)) + rng.normal(size=(400, 4)), columns=["x1", "x2", "x3", "x4"])
    frame.loc[::9, "x2"] = np.nan
    return frame.assign(site=np.arange(400) % 40, half=np.where(np.arange(400) < 200, "first", "second"))


@pytest.fixture(scope="module")
def fit() -> ak.StructuralFit:
    return ak.cfa(MODEL, data(), missing="fiml", group="half", group_equal="loadings")


@pytest.mark.parametrize("name", METHODS)
def test_tables_of_a_fit(fit: ak.StructuralFit, name: str) -> None:
    found = getattr(fit, name)()
    assert isinstance(found, WideFrame)
    assert repr(found).splitlines()[0].split() == list(map(str, found.columns))


def test_tables_by_group(fit: ak.StructuralFit) -> None:
    for tables in (fit.implied(), fit.latent(), fit.residual_matrix()):
        assert all(isinstance(table, WideFrame) for table in tables.values())


def test_tables_of_other_results(fit: ak.StructuralFit) -> None:
    loose = ak.cfa(MODEL, data(), missing="fiml", group="half")
    found = ak.efa(data(), [1], items=["x1", "x2", "x3", "x4"], missing="fiml")
    compared = ak.compare(loose, fit)
    drawn = ak.cfa(MODEL, data()[["x1", "x2", "x3", "x4"]].dropna()).bootstrap(20)
    tables = [found.tidy(), found.glance(), found.loadings(), found.factor_correlations(), found.sums_of_squares()]
    tables += [compared.tidy(), compared.glance(), drawn.tidy(), drawn.glance()]
    assert all(isinstance(table, WideFrame) for table in tables)


def test_tables_of_clusters_factors_and_definitions() -> None:
    frame = data().fillna(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        two = ak.sem("level: 1\nf =~ x1 + x2 + x3\nlevel: 2\nx1 ~~ x2 + x3\nx2 ~~ x3", frame, cluster="site")
        several = ak.cfa("f =~ x1 + x2\ng =~ x3 + a*x4\nb := a^2", frame)
    assert isinstance(two.icc(), WideFrame)
    assert isinstance(several.htmt(), WideFrame)
    assert isinstance(several.monte_carlo(1000), WideFrame)
