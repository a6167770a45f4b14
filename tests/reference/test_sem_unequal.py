"""Groups of very unequal size beside lavaan: how each estimator weighs them in the search, in errors and in tests."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE

CASES: list[dict[str, Any]] = json.loads((HERE / "sem_unequal" / "expected.json").read_text(encoding="utf-8"))
MODEL = "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
KINDS = {"logl": "log_likelihood", "unrestricted.logl": "log_likelihood", "df": "count", "df.scaled": "df"}


def data() -> pd.DataFrame:
    """Return 45 rows of the first group, and all of the others."""
    whole = pd.read_csv(HERE / "sem_models" / "data.csv")
    first = whole["g2"] == whole["g2"].iloc[0]
    return pd.concat([whole[first].iloc[:45], whole[~first]])


def name(case: dict[str, Any]) -> str:
    return "-".join([*(str(v) for k, v in case["given"].items() if k != "group.equal"), case["equal"]])


@pytest.fixture(scope="module", params=CASES, ids=name)
def pair(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Any]:
    case = request.param
    given = {word.replace(".", "_"): value for word, value in case["given"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case, ak.cfa(MODEL, data(), group="g2", meanstructure=True, **given)


@pytest.mark.option("cfa.group", "lavaan 0.6-14, groups of 45 and more than 100 rows")
@pytest.mark.option("cfa.likelihood", "lavaan 0.6-14, groups of 45 and more than 100 rows")
def test_estimates_and_errors(pair: tuple[dict[str, Any], Any]) -> None:
    case, fit = pair
    table = fit.tidy()
    table = table[table["op"].isin(["=~", "~~", "~1"])]
    assert_close(table["estimate"], case["est"], "estimate", f"{name(case)}: estimates")
    assert_close(table["std_error"], case["se"], "std_error", f"{name(case)}: standard errors")


def test_measures(pair: tuple[dict[str, Any], Any]) -> None:
    case, fit = pair
    found = fit.fit_measures()
    for word, value in case["measures"].items():
        if value is not None:
            assert_close(found[word.replace(".", "_")], value, KINDS.get(word, "fit_measure"), f"{name(case)}: {word}")


def test_parts_of_groups(pair: tuple[dict[str, Any], Any]) -> None:
    case, fit = pair
    parts = fit.group_tests()
    assert_close(parts["statistic"], case["groups"], "fit_measure", f"{name(case)}: chi-square of groups")
    if case["scaled_groups"]:
        assert_close(parts["statistic_scaled"], case["scaled_groups"], "fit_measure", f"{name(case)}: scaled by group")


def test_indices(pair: tuple[dict[str, Any], Any]) -> None:
    case, fit = pair
    given = pd.DataFrame(case["mi"])
    found = fit.modification_indices(op="=~")
    labels = list(pd.unique(data()["g2"]))
    found["group"] = found["group"].map(lambda label: labels.index(label) + 1)
    both = given.merge(found, on=["lhs", "rhs", "group"], suffixes=("", "_ours"))
    assert len(both) == len(given)
    assert_close(both["mi_ours"], both["mi"], "fit_measure", f"{name(case)}: modification indices")
    assert_close(both["epc_ours"], both["epc"], "estimate", f"{name(case)}: expected changes")
    if case["score"]:
        tests = fit.score_tests()["statistic"].iloc[: len(case["score"])]
        assert_close(tests, np.array(case["score"]), "fit_measure", f"{name(case)}: score tests")
