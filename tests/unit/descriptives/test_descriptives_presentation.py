"""How flow, description and correlations are shown: matrices, hidden counts, sentences, figures that do not change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.figures_io import draw
from alliancekit.report.grid import exported, lay_out
from alliancekit.report.parts import Table
from alliancekit.report.study_words import hide_small, plural


@pytest.fixture
def trial() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    patient = np.repeat(np.arange(40), 4)
    frame = pd.DataFrame({"patient": patient, "session": np.tile(np.arange(1, 5), 40)})
    frame["arm"] = np.where(patient % 2, "TAU", "CBT")
    frame["sex"] = np.where(patient < 3, "diverse", np.where(patient % 3, "f", "m"))
    frame["alliance"] = rng.normal(size=160) + rng.normal(size=40)[patient]
    frame["pcl"] = 40 - 2 * frame["session"] - frame["alliance"] + rng.normal(0, 3, 160)
    frame.loc[(patient % 7 == 0) & (frame["session"] > 2), "pcl"] = np.nan
    frame.loc[patient == 11, "pcl"] = np.nan
    return frame


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in lay_out(table).rows]


def test_the_matrix_holds_within_above_and_between_below(trial: pd.DataFrame) -> None:
    result = ak.correlations(trial, ["alliance", "pcl", "session"])
    table = ak.table(result)
    within, between = result.matrix("within"), result.matrix("between")
    assert table.data.loc[0, "2"] == within.loc["alliance", "pcl"]
    assert table.data.loc[1, "1"] == between.loc["alliance", "pcl"]
    assert np.isnan(table.data.loc[0, "1"])
    assert "Above the diagonal: within patients" in table.notes[0]
    assert "Below the diagonal: between patients" in table.notes[0]
    assert table.data["icc"].tolist()[:2] == result.variables["icc"].tolist()[:2]
    # Every patient has the same sessions: the share of variance between patients says nothing there.
    assert np.isnan(table.data["icc"].iloc[2])
    assert table.notes[-1] == "All patients have the same mean: session."


def test_the_sentence_of_correlations_follows_the_data(trial: pd.DataFrame) -> None:
    negative = ak.sentence(ak.correlations(trial, ["alliance", "pcl"])).text
    positive = ak.sentence(ak.correlations(trial.assign(pcl=-trial["pcl"]), ["alliance", "pcl"])).text
    assert "Within patients, the strongest correlation was that of alliance and pcl, r(" in negative
    assert ") = −." in negative.split("Between")[0]
    assert ") = ." in positive.split("Between")[0]


def test_ordinary_correlations_say_what_they_are(trial: pd.DataFrame) -> None:
    table = ak.table(ak.correlations(trial.query("session == 1"), ["alliance", "pcl"]))
    assert "Each patient has one row: ordinary correlations" in table.notes[0]
    assert texts(table)[0][1:3] == ["", ""]


def test_small_counts_are_hidden_with_what_would_reveal_them(trial: pd.DataFrame) -> None:
    table = ak.table(ak.describe(trial, ["sex"], by="arm"))
    shown = {row[0].strip(): row[1:] for row in texts(table)}
    assert shown["diverse"][0] == "<5"
    for column in range(3):
        hidden = [shown[c][column] in ("<5", "…") for c in ("diverse", "f", "m")]
        assert sum(hidden) != 1
    assert table.notes[-1].startswith("Counts below 5")
    assert not any("(n = 3)" in note for note in table.notes)


def test_hiding_leaves_no_cell_that_can_be_worked_out() -> None:
    counts = np.array([[20.0, 12, 8], [30, 3, 27], [50, 25, 25]])
    state = hide_small(counts, np.ones(counts.shape, dtype=bool))
    assert state[1, 1] == "small"
    hidden = state != ""
    assert all(hidden[i].sum() != 1 for i in range(3))
    assert all(hidden[:, j].sum() != 1 for j in range(3))
    assert not hide_small(counts + 10, np.ones(counts.shape, dtype=bool)).any()


def test_flow_table_gives_reasons_by_arm_only_where_they_are_not_few(trial: pd.DataFrame) -> None:
    flow = ak.sample_flow(trial, outcome="pcl")
    table = ak.table(flow)
    data = exported(table)
    lost = data[data["label"].str.contains("Left out")].iloc[0]
    assert lost["patient"] == 1
    assert lost[["arm: CBT", "arm: TAU"]].isna().all()
    assert any("given by arm where each arm has none or at least 5" in note for note in table.notes)
    many = trial.assign(pcl=trial["pcl"].where(trial["patient"] > 13))
    lost = exported(ak.table(ak.sample_flow(many, outcome="pcl"))).query("label.str.contains('Left out')").iloc[0]
    assert lost[["arm: CBT", "arm: TAU"]].tolist() == [7, 7]


def test_flow_sentence_follows_the_data(trial: pd.DataFrame) -> None:
    text = ak.sentence(ak.sample_flow(trial, outcome="pcl")).text
    assert text.startswith("The data hold 40 patients (160 rows). Of them, 39 (97.5%) had the outcome; left out were:")
    assert "pcl missing (n = 1)" in text
    whole = ak.sentence(ak.sample_flow(trial.assign(pcl=1.0), outcome="pcl")).text
    assert "40 (100.0%) had the outcome." in whole


def test_numbers_alone_are_columns(trial: pd.DataFrame) -> None:
    table = ak.table(ak.describe(trial, ["alliance", "pcl"]))
    assert table.data["mean"].tolist() == pytest.approx([trial["alliance"].mean(), trial["pcl"].mean()])
    assert table.data["label"].tolist() == ["allianceᵃ", "pclᵃ"]
    assert table.notes == ("ᵃ Changes within patients: described over all 160 rows.",)


@pytest.mark.parametrize("kind", ["flow", "retention"])
def test_figures_are_drawn_and_do_not_change(trial: pd.DataFrame, kind: str) -> None:
    flow = ak.sample_flow(trial, outcome="pcl", time="session", steps={"Took part": trial["patient"] != 5})
    first, second = (draw(ak.figure(flow, kind)) for _ in range(2))
    assert first.svg == second.svg
    assert first.png == second.png
    changed = ak.sample_flow(trial.query("patient > 9"), outcome="pcl", time="session")
    assert draw(ak.figure(changed, kind)).svg != first.svg


def test_one_arm_with_losses_beside_one_without(trial: pd.DataFrame) -> None:
    flow = ak.sample_flow(trial, steps={"Took part": trial["arm"] == "CBT"})
    figure = ak.figure(flow)
    assert draw(figure).width == pytest.approx(6.3)
    assert figure.alt.startswith("Flow diagram. In the data: 40 patients; Took part: 20 patients")


def test_few_people_at_an_occasion_are_not_drawn(trial: pd.DataFrame) -> None:
    few = trial.assign(pcl=trial["pcl"].where((trial["session"] < 4) | (trial["patient"] < 6)))
    figure = ak.figure(ak.sample_flow(few, outcome="pcl", time="session"), "retention")
    assert figure.data is not None
    last = figure.data[figure.data["time"] == 4]
    assert last["n_observed"].isna().all()
    assert "fewer than 5 patients in an arm are left out" in figure.caption


def test_wrong_kinds_are_refused(trial: pd.DataFrame) -> None:
    flow = ak.sample_flow(trial)
    with pytest.raises(ak.SpecError, match="kind='flw' is not an option"):
        ak.figure(flow, "flw")
    with pytest.raises(ak.SpecError, match="no retention was counted"):
        ak.figure(flow, "retention")
    with pytest.raises(ak.ReportError, match="a Correlations has no figure"):
        ak.figure(ak.correlations(trial, ["alliance", "pcl"]))
    with pytest.raises(ak.ReportError, match="descriptive results do not share a table"):
        ak.table(flow, flow)


def test_plurals() -> None:
    assert [plural("patient"), plural("family"), plural("row", 1), plural("day")] == [
        "patients",
        "families",
        "row",
        "days",
    ]
