from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alliancekit.core.errors import ReportError, SpecError
from alliancekit.report.grid import Grid, exported, lay_out
from alliancekit.report.parts import Table
from tests.unit.report import demo


def texts(grid: Grid) -> list[list[str]]:
    return [[c.text for c in row.cells] for row in grid.rows]


def headings(grid: Grid) -> list[str]:
    return [c.heading for c in grid.columns]


def test_effects_table() -> None:
    frame = demo.fixed_effects()
    grid = lay_out(Table("Effects", frame, group="component", stub=("term",)))
    assert headings(grid) == ["Term", "Estimate", "SE", "95% CI", "t", "df", "p"]
    rows = texts(grid)
    assert rows[0] == ["Fixed effects"]
    assert rows[2] == ["wai_within", "−0.831", "0.211", "[−1.246, −0.416]", "−3.93", "1043.8", "< .001"]
    assert rows[6] == ["Random effects"]
    assert rows[-1] == ["Residual SD", "4.901", "–", "[4.701, 5.109]", "–", "–", "–"]
    assert [c.side for c in grid.columns] == ["left"] + ["right"] * 6


def test_level_of_the_interval_comes_from_the_frame() -> None:
    frame = pd.DataFrame({"conf_low": [0.1], "conf_high": [0.2]})
    frame.attrs["level"] = 0.9
    assert headings(lay_out(Table("T", frame))) == ["90% CI"]


def test_intervals_of_proportions_have_no_leading_zero() -> None:
    frame = pd.DataFrame({"alpha": [0.81], "conf_low": [0.7], "conf_high": [0.9]})
    table = Table("T", frame, kinds=dict.fromkeys(frame.columns, "proportion"))
    assert texts(lay_out(table)) == [[".81", "[.70, .90]"]]


def test_limits_apart_stay_two_columns() -> None:
    frame = pd.DataFrame({"conf_low": [0.1], "n": [3], "conf_high": [0.2]})
    assert headings(lay_out(Table("T", frame))) == ["CI low", "n", "CI high"]


def test_models_side_by_side_share_digits_and_have_rows_of_their_own_kind() -> None:
    grid = lay_out(demo.models_table())
    rows = texts(grid)
    assert rows[2] == ["time", "−0.940", "0.071", "−0.950", "0.072"]
    assert rows[3] == ["wai_within", "–", "–", "−0.830", "0.210"]
    assert rows[5:] == [
        ["Observations", "1,203", "", "1,203", ""],
        ["ICC", ".41", "", ".40", ""],
        ["AIC", "7,841.22", "", "7,829.90", ""],
    ]
    assert [(s.label, s.width) for s in grid.spans] == [("", 1), ("Model 1", 2), ("Model 2", 2)]


def test_missing_may_be_left_empty() -> None:
    frame = pd.DataFrame({"r": [0.5, np.nan]})
    assert texts(lay_out(Table("T", frame, kinds={"r": "proportion"}, missing=""))) == [[".50"], [""]]


def test_small_counts_and_what_betrays_them_are_hidden_everywhere() -> None:
    table = demo.counts_table()
    grid = lay_out(table)
    assert texts(grid)[1] == [demo.HOSTILE, "< 5", "…", "…"]
    assert texts(grid)[4][1] == "0"  # an empty cell of the design is nobody
    assert any("Counts below 5" in note for note in grid.notes)
    frame = exported(table)
    assert frame.loc[1, "n"] == "<5"
    assert frame.loc[1, "percent"] == "…"
    assert "2.5" not in frame.to_csv()
    assert "31.72" not in frame.to_csv()
    assert table.data.loc[1, "n"] == 3


def test_counts_of_five_are_shown_and_no_note_is_added() -> None:
    table = Table("T", pd.DataFrame({"n": [5, 0]}), suppress={"n": ()})
    grid = lay_out(table)
    assert texts(grid) == [["5"], ["0"]]
    assert grid.notes == ()


def test_marks_of_numbers_get_a_letter_and_words_speak_for_themselves() -> None:
    frame = pd.DataFrame({"status": ["pass", "warn"], "value": [1.0, 2.0]})
    table = Table("T", frame, marks={(0, "status"): "good", (1, "status"): "warn", (1, "value"): "bad"})
    grid = lay_out(table)
    assert [(c.mark, c.letter) for c in grid.rows[1].cells] == [("warn", ""), ("bad", "a")]
    assert grid.letters == (("a", "Not as it should be."),)


def test_one_word_with_two_marks_needs_letters() -> None:
    frame = pd.DataFrame({"term": ["x", "x"]})
    grid = lay_out(Table("T", frame, marks={(1, "term"): "warn"}))
    assert grid.rows[1].cells[0].letter == "a"


def test_text_cells_are_shown_as_they_are() -> None:
    frame = pd.DataFrame({"label": [None, demo.HOSTILE]})
    assert texts(lay_out(Table("T", frame))) == [[""], [demo.HOSTILE]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": {"nothing": "p"}},
        {"stub": ("nothing",)},
        {"group": "nothing"},
        {"spans": {"A": ("nothing",)}},
        {"marks": {(0, "nothing"): "good"}},
        {"suppress": {"nothing": ()}},
    ],
)
def test_a_column_that_is_not_there_is_named(wrong: dict) -> None:
    with pytest.raises(ReportError, match="nothing"):
        lay_out(Table("T", pd.DataFrame({"x": [1.0]}), **wrong))


@pytest.mark.parametrize(
    "wrong", [{"kinds": {"x": "percents"}}, {"marks": {(0, "x"): "red"}}, {"row_kinds": {0: "no"}}]
)
def test_a_wrong_word_is_refused(wrong: dict) -> None:
    with pytest.raises(SpecError):
        lay_out(Table("T", pd.DataFrame({"x": [1.0]}), **wrong))


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(ReportError, match="no columns"):
        lay_out(Table("T", pd.DataFrame()))


def test_a_table_without_rows_is_an_answer() -> None:
    assert lay_out(Table("T", pd.DataFrame({"x": np.zeros(0)}))).rows == ()
