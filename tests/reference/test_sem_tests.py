"""Browne's tests of residuals and the bootstrap of Bollen and Stine, by lavaan 0.6-14.

With covariates held fixed and a mean structure lavaan's statistic is another one: it changes when saturated means are
added to the model, which say nothing about its covariances. That ours stays is asserted.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import TOLERANCES, assert_close, assert_within

HERE = Path(__file__).parent
CASES = json.loads((HERE / "sem_tests" / "expected.json").read_text(encoding="utf-8"))
DATA = pd.read_csv(HERE / "sem_models" / "data.csv")
BROWNE = ["browne.residual.nt", "browne.residual.adf"]


def fit(case: dict[str, Any], **more: Any) -> Any:
    given = {name.replace(".", "_"): value for name, value in dict(case["args"] or {}).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return ak.sem(case["syntax"], DATA, **{**given, **more})


@pytest.mark.option("StructuralFit.model_tests", "lavaan 0.6-14, 36 fits")
@pytest.mark.parametrize("case", CASES["browne"], ids=[case["name"] for case in CASES["browne"]])
def test_residual_tests_as_lavaan(case: dict[str, Any]) -> None:
    found = fit(case).model_tests().set_index("test").loc[BROWNE]
    assert_close(found["df"], [case["df"]] * 2, "count", "df")
    if case["name"] == "fixed_x_means":
        without = fit(case, meanstructure=False).model_tests().set_index("test").loc[BROWNE]
        np.testing.assert_allclose(found["statistic"], without["statistic"], rtol=1e-6)
        assert (np.abs(found["statistic"] / case["statistic"] - 1) > 0.1).all()
        return
    assert_close(found["statistic"], case["statistic"], "fit_measure", "statistics")
    slope = np.abs(TOLERANCES["fit_measure"]["rel"] * np.array(case["statistic"]))
    assert_within(np.abs(found["p_value"] - case["p_value"]), slope, "fit_measure", "p", "p values differ")


@pytest.mark.option("StructuralFit.model_tests.bollen_stine", "lavaan 0.6-14, 2,000 samples")
@pytest.mark.option("StructuralFit.model_tests.seed", "the same samples")
@pytest.mark.parametrize("case", CASES["bollen_stine"], ids=[case["name"] for case in CASES["bollen_stine"]])
def test_bootstrap_test_as_lavaan(case: dict[str, Any]) -> None:
    fitted = fit(case)
    tests = [fitted.model_tests(2000, seed=s).set_index("test").loc["bollen.stine", "p_value"] for s in (1, 1, 2)]
    assert tests[0] == tests[1] != tests[2]
    spread = np.sqrt(2 * case["p_value"] * (1 - case["p_value"]) / case["samples"])
    assert abs(tests[0] - case["p_value"]) < 3.5 * spread
