"""Bounds, inequalities and equalities that are not linear, with every estimator of lavaan 0.6-14, and from moments."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent
CASES = json.loads((HERE / "sem_limits" / "expected.json").read_text(encoding="utf-8"))
REDUNDANT = json.loads((HERE / "sem_limits" / "redundant.json").read_text(encoding="utf-8"))
DATA = pd.read_csv(HERE / "sem_models" / "data.csv")


def compare(fit: Any, case: dict[str, Any]) -> None:
    assert fit.converged
    assert_close(fit._fit.x, case["est"], "estimate", "estimates")
    assert_close(np.sqrt(np.diag(fit._fit.vcov)), case["se"], "std_error", "standard errors")
    measures = fit.fit_measures()
    for name, value in case["fit"].items():
        kind = "log_likelihood" if name == "logl" else "fit_measure"
        assert_close(measures[name.replace(".", "_")], value, kind, name)


@pytest.mark.parametrize("case", CASES["fits"], ids=[case["name"] for case in CASES["fits"]])
def test_limits_as_lavaan(case: dict[str, Any]) -> None:
    options = {"group": case["group"], "group_equal": "loadings"} if case["group"] else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        fit = ak.cfa(case["syntax"], DATA, estimator=case["estimator"], **options)
    compare(fit, case)


@pytest.mark.option("cfa.information", "lavaan 0.6-14: observed, from covariances")
@pytest.mark.option("cfa.sample_cov", "lavaan 0.6-14: limits and observed information")
@pytest.mark.parametrize("case", CASES["moments"], ids=[case["name"] for case in CASES["moments"]])
def test_limits_from_covariances_as_lavaan(case: dict[str, Any]) -> None:
    cov = DATA[[f"x{i}" for i in range(1, 7)]].cov()
    compare(ak.cfa(case["syntax"], sample_cov=cov, sample_nobs=len(DATA), information=case["information"]), case)


@pytest.mark.parametrize("case", REDUNDANT, ids=[case["name"] for case in REDUNDANT])
def test_constraints_that_repeat_or_imply_each_other_count_by_their_rank(case: dict[str, Any]) -> None:
    """The variance of a parameter that constraints fix is zero; R's is rounding, whose root may be no number."""
    errors = [0.0 if error is None or error < 1e-8 else error for error in case["se"]]
    assert case["name"].endswith(("fixed", "implied")) == (0.0 in errors)
    compare(ak.cfa(case["syntax"], DATA, estimator=case["estimator"]), {**case, "se": errors})
