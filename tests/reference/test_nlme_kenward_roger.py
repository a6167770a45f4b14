"""Kenward and Roger's method for compound symmetry: pbkrtest 0.5.2 on the same model with a random intercept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reference.comparison import assert_close
from tests.reference.nlme_cases import FAMILY, fit

CASES = sorted(path.parent.name for path in FAMILY.glob("*/expected_kr.json"))


def expected(case: str) -> dict[str, Any]:
    return dict(json.loads((FAMILY / case / "expected_kr.json").read_text())["fits"]["REML"])


@pytest.mark.option("MixedFit.tidy.ddf", "pbkrtest 0.5.2, kenward-roger of compound symmetry")
@pytest.mark.parametrize("case", CASES)
def test_coefficients(case: str) -> None:
    theirs = expected(case)["coefficients"]
    ours = fit(case, "REML").tidy(ddf="kenward-roger").set_index("term").loc[[row["term"] for row in theirs]]
    for column, name, kind in (
        ("estimate", "estimate", "estimate"),
        ("std_error", "se", "kenward_roger"),
        ("df", "df", "kenward_roger"),
        ("statistic", "t", "estimate"),
        ("p_value", "p", "p_value"),
    ):
        assert_close(ours[column], [row[name] for row in theirs], kind, name)


@pytest.mark.parametrize("case", CASES)
def test_adjusted_covariance(case: str) -> None:
    e = expected(case)["vcov_adjusted"]
    ours = fit(case, "REML").vcov(method="kenward-roger").loc[e["rows"], e["cols"]].to_numpy()
    scale = np.sqrt(np.outer(np.diag(ours), np.diag(ours)))
    assert_close(ours / scale, np.array(e["values"]) / scale, "kenward_roger", "adjusted covariance over SE products")


@pytest.mark.option("MixedFit.anova.ddf", "pbkrtest 0.5.2, kenward-roger of compound symmetry")
@pytest.mark.parametrize("case", CASES)
def test_joint_hypotheses(case: str) -> None:
    f, e = fit(case, "REML"), expected(case)
    table = f.anova(ddf="kenward-roger").tidy().set_index("term").loc[[row["term"] for row in e["anova_III"]]]
    names = " , ".join(f"{name} = 0" for name in f.design.names[1:])
    joint = f.test(names, ddf="kenward-roger")
    for ours, theirs in ((table, e["anova_III"]), (joint, [e["all_but_intercept"]])):
        assert_close(ours["df_numerator"], [row["num_df"] for row in theirs], "count", "numerator df")
        assert_close(ours["df"], [row["den_df"] for row in theirs], "kenward_roger", "df")
        assert_close(ours["statistic"], [row["F"] for row in theirs], "f_statistic", "F")
        assert_close(ours["p_value"], [row["p"] for row in theirs], "p_value", "p")
