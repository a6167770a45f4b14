"""Numbers of lavaan 0.6-14 for words of estimator, se, test, information and likelihood, in a grid of all that go together.

Where lavaan takes words and we do not, or the other way round, ``difference`` says why; nothing else may differ.
"""

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
from alliancekit.structural.after.model_tests import requested
from tests.reference.comparison import TOLERANCES, assert_close, assert_within

HERE = Path(__file__).parent
STORED = json.loads((HERE / "sem_words" / "expected.json").read_text(encoding="utf-8"))
ROWS = STORED["rows"]
SAME = {"ml": "fiml"}


@cache
def grid_data() -> pd.DataFrame:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    for k in range(1, 7):
        x = data[f"x{k}"] - (k > 3)
        data[f"o{k}"] = (x > -0.5).astype(int) + (x > 0.8)
    return data


def title(row: dict[str, Any]) -> str:
    words = [",".join(v) if isinstance(v, list) else str(v) for v in row["given"].values()]
    return " ".join([row["kind"], *words])


def fit(row: dict[str, Any]) -> Any:
    model = STORED["models"][row["kind"]]
    given = {**dict(model["options"] or {}), **row["given"]}
    given = {name.replace(".", "_"): value for name, value in given.items()}
    given["missing"] = SAME.get(given.get("missing"), given.get("missing"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.sem(model["model"], grid_data(), **given)


def compare(row: dict[str, Any]) -> None:
    found = fit(row)
    if row["se"] is not None:
        errors = np.sqrt(np.diag(found.vcov().to_numpy()))
        assert_close(errors, row["se"], "std_error", "standard errors")
    ours = {one[0]: one for one in requested(found._fit)}
    for test in row["tests"]:
        if test["test"] == "none":
            assert found._fit.options.test == "none"
            continue
        one = ours[test["test"]]
        assert_close(one[1], test["statistic"], "fit_measure", test["test"])
        assert_close(one[2], test["df"], "df", f"{test['test']}: df")
        slope = TOLERANCES["fit_measure"]["rel"] * abs(test["statistic"] or 0.0)
        if test["p_value"] is not None:
            assert_within(abs(one[3] - test["p_value"]), slope, "fit_measure", "p", "p values differ")
        if test["factor"] is not None:
            assert_close(one[4], test["factor"], "fit_measure", f"{test['test']}: factor")
    measures = found.fit_measures()
    for name, value in (row["measures"] or {}).items():
        assert_close(measures[name.replace(".", "_")], np.nan if value is None else value, "fit_measure", name)
