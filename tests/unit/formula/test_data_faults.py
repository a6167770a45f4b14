"""What is wrong with data is said with the column, the rows and what to do."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from alliancekit.core.errors import DesignError, DesignWarning, SpecError
from alliancekit.formula.design import build_design
from tests.unit.formula.support import small


def refused(formula: str, frame: pd.DataFrame, *words: str, **options: object) -> None:
    with pytest.raises(DesignError) as caught:
        build_design(formula, frame, **options)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


def test_rows_with_missing_values_count_once_under_the_first_reason() -> None:
    frame = small()
    frame.loc[[0, 1, 2], "y"] = np.nan
    frame.loc[[2, 3], "x"] = np.nan
    frame.loc[[3, 4], "arm"] = None
    frame.loc[[5], "g"] = None
    sample = build_design("y ~ x + arm + (1 | g)", frame).sample
    assert sample.dropped == (
        ("missing in 'y'", 3),
        ("missing in 'x'", 1),
        ("missing in 'arm'", 1),
        ("missing in 'g'", 1),
    )
    assert (sample.n_rows, sample.n_used) == (40, 34)
    assert np.flatnonzero(~sample.rows_used).tolist() == [0, 1, 2, 3, 4, 5]
    assert sample.groups == {"g": 9}  # p0 had only rows that were dropped


def test_missing_in_unused_columns_drops_nothing() -> None:
    frame = small()
    frame["x"] = np.nan
    assert build_design("y ~ time", frame).sample.dropped == ()


def test_missing_can_be_refused() -> None:
    frame = small()
    frame.loc[7, "x"] = np.nan
    refused("y ~ x", frame, "1 missing in 'x'", "row 7", missing="error")
    with pytest.raises(SpecError, match="Use one of: drop, error"):
        build_design("y ~ x", frame, missing="keep")


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "float32", "boolean", "int8", "double[pyarrow]"])
def test_kinds_of_numbers(dtype: str) -> None:
    frame = small()
    frame["v"] = (pd.Series(range(40)) % 2).astype(dtype)
    name = "vTRUE" if dtype == "boolean" else "v"
    design = build_design("y ~ v", frame)
    assert design.names == ("(Intercept)", name)
    assert design.X[:, 1].tolist() == [float(i % 2) for i in range(40)]
    if dtype not in ("float32", "int8"):
        frame.loc[3, "v"] = pd.NA
        assert build_design("y ~ v", frame).sample.dropped == (("missing in 'v'", 1),)


def test_object_columns_take_the_kind_of_their_values() -> None:
    frame = small()
    frame["d"] = pd.Series([Decimal(i) for i in range(39)] + [None], dtype=object)
    frame["b"] = pd.Series([i % 2 == 0 for i in range(40)], dtype=object)
    design = build_design("y ~ d + b", frame)
    assert design.names == ("(Intercept)", "d", "bTRUE")
    assert design.sample.n_used == 39


@pytest.mark.parametrize("dtype", ["str", "object", "string[python]", "string[pyarrow]", "category"])
def test_kinds_of_text(dtype: str) -> None:
    frame = small()
    frame["arm"] = frame["arm"].astype(dtype)
    frame["g"] = frame["g"].astype(dtype)
    design = build_design("y ~ arm + (1 | g)", frame)
    assert design.names == ("(Intercept)", "armcbt", "armtau")
    assert design.random[0].levels == tuple(f"p{i}" for i in range(10))
    assert design.random[0].codes.tolist() == np.repeat(np.arange(10), 4).tolist()


def test_text_in_numbers() -> None:
    frame = small()
    frame["bdi"] = [str(i) for i in range(38)] + ["n/a", "13,5"]
    refused("y ~ bdi", frame, "39 of 40 values of column 'bdi' read as numbers, but not 'n/a'", "row 38", "to_numeric")
    refused("bdi ~ x", frame, "'bdi' read as numbers")
    refused("y ~ log(bdi)", frame, "'bdi' read as numbers")
    frame["code"] = [str(i % 3) for i in range(40)]
    refused("y ~ code", frame, "all 40 values read as numbers", "factor(code)")
    assert build_design("y ~ factor(code)", frame).names == ("(Intercept)", "factor(code)1", "factor(code)2")
    assert build_design("y ~ x + (1 | code)", frame).random[0].levels == ("0", "1", "2")
    frame["mixed"] = ["a", "b", "1", "2"] * 10
    assert len(build_design("y ~ mixed", frame).names) == 4


def test_factors_where_numbers_are_needed() -> None:
    refused("arm ~ x", small(), "the response 'arm' is not numeric")
    refused("y ~ log(arm)", small(), "column 'arm' is not numeric")
    refused("y ~ x + offset(arm)", small(), "column 'arm' is not numeric")


def test_infinite_and_undefined_values_name_their_rows() -> None:
    frame = small()
    frame.loc[[3, 9], "x"] = [np.inf, -np.inf]
    refused("y ~ x", frame, "column 'x' is infinite", "rows 3, 9")
    refused("y ~ I(x^2)", frame, "column 'x' is infinite")
    refused("x ~ time", frame, "column 'x' is infinite")
    refused("y ~ log(time)", small(), "log(time) is infinite", "rows 0, 4, 8, 12, 16 and 5 more")
    refused("y ~ sqrt(time - 1)", small(), "is not defined")
    frame = small().set_index(pd.Index([f"row-{i}" for i in range(40)]))
    frame.loc["row-8", "x"] = np.inf
    frame.loc["row-2", "y"] = np.nan
    refused("y ~ x", frame, "row row-8")


def test_no_rows_left() -> None:
    frame = small()
    frame["x"] = np.nan
    refused("y ~ x", frame, "no row is complete: of 40 rows, 40 missing in 'x'")
    refused("y ~ x", small().iloc[:0], "the data have no rows")


def test_constant_things() -> None:
    frame = small().assign(one="a", c=1.0)
    refused("y ~ one", frame, "one has one level ('a')")
    refused("c ~ x", frame, "the same value in every row")
    refused("y ~ x + (1 | one)", frame, "grouping factor 'one' has one level")
    refused("y ~ scale(c)", frame, "divides by a standard deviation of 0")
    refused("y ~ poly(time, 4)", frame, "needs more than 4 distinct values")


def test_groups_need_repeated_rows() -> None:
    frame = small().assign(row=range(40), pair=np.repeat(range(20), 2))
    refused("y ~ x + (1 | row)", frame, "40 levels for 40 rows", "residual")
    refused("y ~ x + (1 + x | pair)", frame, "2 random effects for each of 20 levels of 'pair'")
    assert build_design("y ~ x + (1 | row)", frame, has_residual=False).random[0].n_groups == 40
    assert len(build_design("y ~ x + (x || pair)", frame).random) == 2


def test_dates_complex_numbers_and_double_names() -> None:
    frame = small().assign(day=[datetime.datetime(2020, 1, 1 + i % 28) for i in range(40)], k=1j * np.arange(40))
    refused("y ~ day", frame, "column 'day' holds dates", "weeks")
    refused("y ~ k", frame, "complex numbers")
    refused("y ~ x", pd.concat([frame, frame[["x"]]], axis=1), "2 columns named 'x'")
    with pytest.raises(SpecError, match="data is a pandas frame, not list"):
        build_design("y ~ x", [1, 2])  # type: ignore[arg-type]


def test_weights() -> None:
    frame = small().assign(w=2.0)
    weights = build_design("y ~ x", frame, weights="w").weights
    assert weights is not None and weights.tolist() == [2.0] * 40
    frame.loc[5, "w"] = 0.0
    refused("y ~ x", frame, "weights in 'w' are not positive", "row 5", weights="w")
    frame.loc[5, "w"] = np.nan
    assert build_design("y ~ x", frame, weights="w").sample.dropped == (("missing in 'w'", 1),)
    refused("y ~ x", frame, "'v'", weights="v")


def test_offsets_add_up() -> None:
    frame = small()
    offset = build_design("y ~ time + offset(x) + offset(log(x))", frame).offset
    assert offset is not None
    np.testing.assert_array_equal(offset, frame["x"] + np.log(frame["x"]))


def test_redundant_columns_are_named_with_what_makes_them() -> None:
    frame = small()
    frame["total"] = 2 * frame["x"] - frame["time"]
    with pytest.warns(DesignWarning, match=r"1 column of the fixed part dropped as redundant: 'total' = 2\*x - time"):
        design = build_design("y ~ x + time + total + arm", frame)
    assert design.dropped == ("total",)
    assert design.names == ("(Intercept)", "x", "time", "armcbt", "armtau")
    assert design.assign == (0, 1, 2, 4, 4)
    assert design.recipe.build(frame).X.shape == (40, 5)
    with pytest.warns(DesignWarning, match="'I\\(x \\* 0\\)' is 0 in every row"):
        build_design("y ~ I(x * 0)", frame)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6])
def test_far_origins_are_no_redundancy(shift: float) -> None:
    assert build_design("y ~ t", small().assign(t=lambda f: f["time"] + shift)).dropped == ()
