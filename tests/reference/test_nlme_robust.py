"""Cluster-robust covariances of fits with residual structures: clubSandwich 0.5.8 on fits of nlme 3.1-162."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reference.comparison import assert_close
from tests.reference.nlme_cases import FAMILY, fit

CASES = sorted(path.parent.name for path in FAMILY.glob("*/expected_robust.json"))


def expected(case: str) -> dict[str, Any]:
    return dict(json.loads((FAMILY / case / "expected_robust.json").read_text())["fits"]["REML"])


@pytest.mark.option("MixedFit.robust.type", "clubSandwich 0.5.8, 16 fits of nlme")
@pytest.mark.parametrize("kind", ["CR2", "CR1", "CR0"])
@pytest.mark.parametrize("case", CASES)
def test_robust_covariance(case: str, kind: str) -> None:
    theirs = expected(case)
    ours = fit(case, "REML").robust(cluster=theirs["cluster"], type=kind)
    e = theirs[kind]
    covariance = ours.vcov().loc[e["vcov"]["rows"], e["vcov"]["cols"]].to_numpy()
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert_close(covariance / scale, np.array(e["vcov"]["values"]) / scale, "std_error", "vcov over SE products")
    table = ours.tidy().set_index("term").loc[[row["term"] for row in e["coef_test"]]]
    for column, name, tolerance in (
        ("estimate", "estimate", "estimate"),
        ("std_error", "se", "std_error"),
        ("statistic", "t", "estimate"),
        ("df", "df", "df"),
        ("p_value", "p", "p_value"),
    ):
        assert_close(table[column], [row[name] for row in e["coef_test"]], tolerance, name)
