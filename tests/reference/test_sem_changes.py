"""Expected changes of parameters where equality constraints are released, beside lavaan's lavTestScore(epc = TRUE)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE

CASES: list[dict[str, Any]] = json.loads((HERE / "sem_limits" / "changes.json").read_text())
COLUMNS = ("epc", "epv", "sepc_lv", "sepc_all", "sepc_nox")


@pytest.mark.option("StructuralFit.expected_changes", "lavaan 0.6-14")
@pytest.mark.parametrize("case", CASES, ids=["one group", "means", "loadings", "loadings and residuals"])
def test_expected_changes(case: dict[str, Any]) -> None:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    options = {name.replace(".", "_"): value for name, value in dict(case["options"]).items()}
    found = ak.sem(case["model"], data, **options).expected_changes()
    assert [found[name].tolist() for name in ("lhs", "op", "rhs")] == [case[name] for name in ("lhs", "op", "rhs")]
    for name in COLUMNS:
        given = np.array(case[name], dtype=float)
        known = np.isfinite(given)
        assert (np.isfinite(found[name]) == known).all(), name
        assert_close(found[name][known], given[known], "estimate", name)


def test_the_change_of_one_equality_is_what_its_release_brings() -> None:
    """By one step, so that it comes near the estimates of the freed model."""
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    model = "f =~ x1 + {}x2 + {}x3\nh =~ x4 + x5 + x6"
    tied, free = (ak.sem(model.format(*labels), data) for labels in (("a*", "a*"), ("a*", "b*")))
    loadings = free.tidy().query("op == '=~'").set_index("rhs")["estimate"]
    change = float(tied.score_tests()["epc"].iloc[0])
    assert change == pytest.approx(loadings["x2"] - loadings["x3"], rel=0.1)


def test_a_model_without_equalities_has_none() -> None:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    with pytest.raises(ak.SpecError, match="no equality"):
        ak.cfa("f =~ x1 + x2 + x3 + x4", data).expected_changes()
