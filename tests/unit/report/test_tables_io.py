from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliancekit.report.tables_io import frame_to_csv, neutralise, slug


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_formulas_are_neutralised(text: str) -> None:
    assert neutralise(text) == "'" + text


@given(st.text(max_size=30))
def test_no_cell_starts_like_a_formula(text: str) -> None:
    assert not neutralise(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_numbers_stay_numbers_and_keep_every_digit() -> None:
    frame = pd.DataFrame({"x": [-0.1, 1 / 3, np.nan, 1e-300], "n": [-3, 4, 5, 6], "t": ["=a", None, 'q"u,o', "ä"]})
    data = frame_to_csv(frame)
    assert data.decode("utf-8").splitlines()[1] == "-0.1,-3,'=a"
    back = pd.read_csv(io.BytesIO(data))
    assert back["x"].tolist()[:2] == pytest.approx([-0.1, 1 / 3], rel=1e-15)
    assert back["x"].isna().tolist() == [False, False, True, False]
    assert back["n"].tolist() == [-3, 4, 5, 6]
    assert back["t"].tolist()[2:] == ['q"u,o', "ä"]
    assert b"\r\n" not in data


def test_headings_are_neutralised_and_truth_values_written_as_words() -> None:
    frame = pd.DataFrame({"=x": [True, False], "b": pd.array([1, None], dtype="Int64")})
    assert frame_to_csv(frame).decode() == "'=x,b\ntrue,1\nfalse,\n"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=10))
def test_full_precision(values: list[float]) -> None:
    back = frame_to_csv(pd.DataFrame({"x": values})).decode().splitlines()[1:]
    assert [float(v) for v in back] == values


@given(st.text(max_size=80))
def test_slugs_are_safe_file_names(text: str) -> None:
    made = slug(text)
    assert 0 < len(made) <= 48
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
