"""Frames that print all their columns."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd

from alliancekit.core.frames import WideFrame, wide


def columns(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame({f"a_name_of_some_length_{i}": np.arange(float(rows)) for i in range(25)})


def test_every_column_is_printed_in_one_line() -> None:
    lines = repr(wide(columns())).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == list(columns().columns)
    with pd.option_context("display.width", 40, "display.max_columns", 4):
        assert repr(wide(columns())).splitlines() == lines
        assert wide(columns())._repr_html_().count("<th>a_name_of_some_length_") == 25


def test_long_text_is_not_cut() -> None:
    text = "a text of more than fifty characters that pandas would cut with dots"
    assert text in repr(wide(pd.DataFrame({"x": [text]})))


def test_long_frames_leave_out_rows() -> None:
    assert len(repr(wide(columns(500))).splitlines()) < 20
    assert wide(columns(500))._repr_html_().count("<tr>") < 20


def test_values_and_notes_are_kept() -> None:
    plain = columns()
    plain.attrs["layer"] = "structural"
    found = wide(plain)
    assert found.attrs == {"layer": "structural"}
    assert found.equals(plain)
    found.iloc[0, 0] = 9.0
    assert plain.iloc[0, 0] == 0.0
    for part in (found.query("a_name_of_some_length_1 > 0"), found.head(1), pickle.loads(pickle.dumps(found))):
        assert isinstance(part, WideFrame)
