"""Parameter tables of lavaan 0.6-14 for many models, row by row: what its rules add, free, fix, tie and order.

What lavaan does with blocks named by groups is not followed: it takes the blocks in their order, whatever their names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.structural.table import ParameterTable
from tests.reference.comparison import assert_close

MODELS = json.loads((Path(__file__).parent / "sem_tables" / "expected.json").read_text(encoding="utf-8"))


def table_of(model: dict[str, Any]) -> ParameterTable:
    """Complete a model by the rules of its function and arguments."""
    given = {name.replace(".", "_"): value for name, value in dict(model["args"] or {}).items()}
    for name in ("ordered", "group", "cluster"):
        given.pop(name, None)
    groups = [str(g) for g in model["groups"] if g != ""]
    return ak.parameter_table(model["syntax"], model["fn"], groups=groups, categories=model.get("categories"), **given)


@pytest.mark.option("cfa.std_lv", "lavaan 0.6-14, 183 models")
@pytest.mark.option("cfa.orthogonal", "lavaan 0.6-14, 183 models")
@pytest.mark.option("cfa.effect_coding", "lavaan 0.6-14, 183 models")
@pytest.mark.option("cfa.meanstructure", "lavaan 0.6-14, 183 models")
@pytest.mark.option("cfa.fixed_x", "lavaan 0.6-14, 183 models")
@pytest.mark.option("cfa.group_equal", "lavaan 0.6-14, 183 models")
@pytest.mark.option("cfa.group_partial", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.groups", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.categories", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.parameterization", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.function", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.group_equal", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.group_partial", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.std_lv", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.orthogonal", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.meanstructure", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.fixed_x", "lavaan 0.6-14, 183 models")
@pytest.mark.option("parameter_table.effect_coding", "lavaan 0.6-14, 183 models")
@pytest.mark.filterwarnings("ignore:parameters with one label for all groups")
@pytest.mark.parametrize("model", MODELS, ids=[model["name"] for model in MODELS])
def test_table_as_lavaan(model: dict[str, Any]) -> None:
    ours, theirs = table_of(model), model["table"]
    for column in ("lhs", "op", "rhs", "label"):
        assert list(getattr(ours, column)) == theirs[column]
    for column in ("user", "block", "free", "exo"):
        assert_close(getattr(ours, column), theirs[column], "count", column)
    start = np.array([np.nan if value is None else value for value in theirs["ustart"]], dtype=float)
    assert_close(ours.start, start, "estimate", "start")
    assert list(ours.plabel) == [f".p{i + 1}." if block else "" for i, block in enumerate(theirs["block"])]
    for column in ("lower", "upper"):
        bounds = [value if np.isfinite(value) else None for value in getattr(ours, column)]
        for i, value in enumerate(theirs.get(column, [])):
            if ours.free[i]:
                assert bounds[i] == value
    assert list(ours.efa) == theirs.get("efa", [""] * len(ours))
