"""Variables that are covariates at one level and not at the other: what counts as a moment, and which likelihood it is.

lavaan holds moments of covariates between clusters at other values than the maximum, which moves its log-likelihood by
a few thousandths; counts are exact. Left out: the df of independence where y2 is predicted within and a covariate
between; lavaan then holds its variance within as well, and its df do not add up (4; 5 moments are covariances).
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE

CASES: list[dict[str, Any]] = json.loads((HERE / "sem_twolevel" / "roles.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["model"].replace("\n", "; ") for case in CASES])
def test_roles_are_those_of_each_level(case: dict[str, Any]) -> None:
    data = pd.read_csv(HERE / "sem_twolevel" / "demo" / "data.csv")
    measures = ak.sem(case["model"], data, cluster="cluster").fit_measures()
    for name, value in case["fit"].items():
        kind = "count" if name in ("npar", "df", "baseline.df") else "log_likelihood"
        assert_close(measures[name.replace(".", "_")], value, kind, name)
