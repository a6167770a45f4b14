"""Bounds of parameters in lavaan 0.6-14, and estimates within them."""

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
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent
CASES = json.loads((HERE / "sem_bounds" / "expected.json").read_text(encoding="utf-8"))
IDS = [f"{k}-{c['bounds']}-{'std_lv' if c['std_lv'] else 'unit'}" for k, c in enumerate(CASES["fits"])]
HEYWOOD = "f =~ x2 + x1 + x3 + x4"


@cache
def schools() -> pd.DataFrame:
    return pd.read_csv(HERE / "sem" / "hs_cfa3_ml" / "data.csv")


def fit_of(case: dict[str, Any]) -> Any:
    heywood = case["model"] == "heywood"
    data = pd.DataFrame(CASES["rows"]) if heywood else schools()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return ak.sem(HEYWOOD if heywood else case["model"], data, bounds=case["bounds"], std_lv=case["std_lv"])


@pytest.mark.option("cfa.bounds", "lavaan 0.6-14, 23 fits")
@pytest.mark.option("sem.bounds", "lavaan 0.6-14, 23 fits")
@pytest.mark.parametrize("case", CASES["fits"], ids=IDS)
def test_bounds_as_lavaan(case: dict[str, Any]) -> None:
    fit = fit_of(case)
    free = [i for i, number in enumerate(fit.table.free) if number]
    for side, infinite in (("lower", -np.inf), ("upper", np.inf)):
        ours = np.array(getattr(fit.table, side))[free]
        given = case[side] or [None] * len(free)
        theirs = np.array([infinite if value is None else value for value in given])
        assert (np.isinf(ours) == np.isinf(theirs)).all()
        assert_close(ours[np.isfinite(ours)], theirs[np.isfinite(theirs)], "estimate", side)
    assert fit.converged == case["converged"]
    assert_close(fit.fit_measures()["chisq"], case["chisq"], "fit_measure", "chisq")
    assert_close(fit._fit.x, case["est"], "estimate", "estimates")
    if "se" in case:
        assert_close(np.sqrt(np.diag(fit._fit.vcov)), case["se"], "std_error", "standard errors")


def test_bounds_that_are_not_there() -> None:
    data = schools().assign(ward=np.arange(len(schools())) % 20)
    with pytest.raises(ak.SpecError, match="two levels"):
        ak.sem("level: 1\nf =~ x1 + x2 + x3\nlevel: 2\nf =~ x1 + x2 + x3", data, bounds="standard", cluster="ward")
