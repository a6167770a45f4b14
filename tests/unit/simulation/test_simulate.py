"""``ak.simulate``: words, reproducibility, the study it returns, and the folder it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.simulation.comparison import compare_truth, read_truth
from alliancekit.simulation.observed import load

SHIPPED = Path(__file__).resolve().parents[3] / "data" / "tfcbt"


@pytest.fixture(scope="module")
def twin() -> object:
    return ak.simulate("tfcbt", n=120, seed=19)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"name": "tfcb"}, "'tfcbt'"),
        ({"name": "tfcbt", "variant": "nul"}, "'null'"),
        ({"name": "tfcbt", "effect": "modes"}, "'modest'"),
        ({"name": "tfcbt", "variant": "null", "effect": "modest"}, "Use one of: main"),
        ({"name": "tfcbt", "n": 3}, "at least n=12"),
        ({"name": "tfcbt", "n": 60.0}, "whole number"),
        ({"name": "tfcbt", "seed": "a"}, "whole number"),
        ({"name": "tfcbt", "seed": -1}, "negative"),
    ],
)
def test_wrong_words_are_answered(options: dict, hint: str) -> None:
    with pytest.raises(ak.SpecError, match=hint):
        ak.simulate(**options)


def test_same_seed_same_study_other_seed_other_study() -> None:
    one, two, three = (ak.simulate("tfcbt", n=24, seed=s).study.tables["session"] for s in (5, 5, 6))
    pd.testing.assert_frame_equal(one, two)
    assert not one["wai_1"].equals(three["wai_1"])


def test_tables_and_levels(twin) -> None:
    tables = twin.study.tables
    assert {n: t.shape for n, t in tables.items()} == {
        "therapist": (20, 2),
        "patient": (120, 5),
        "session": (1440, 16),
        "outcome": (120, 2),
    }
    assert tables["patient"].groupby("therapist").size().between(5, 7).all()
    data = twin.study.data
    assert len(data) == 1440
    assert {"therapist", "pcl_0", "wai_12", "experience_years"} <= set(data.columns)
    assert twin.study.role("patient") == "patient" and twin.study.role("time") == "time"


def test_reasons_of_missing_values(twin) -> None:
    reasons = twin.study.missing_reasons("outcome")["pcl_followup"]
    assert set(reasons.dropna()) == {"dropped_out"}
    forms = twin.study.missing_reasons("session")
    assert set(forms["wai_3"].dropna()) == {"skipped"}
    assert forms["wai_3"].notna().equals(forms["wai_9"].notna())


def test_codebook_says_when_things_are_measured(twin) -> None:
    columns = twin.study.codebook.tables["session"].columns
    assert columns["pcl"].when == "before" and columns["wai_1"].when == "after"
    assert columns["wai_1"].instrument == "WAI-SR" and columns["wai_1"].item == 1
    for table in twin.study.tables:
        assert set(twin.study.codebook.tables[table].columns) == set(twin.study.tables[table].columns)
        assert all(info.label for info in twin.study.codebook.tables[table].columns.values())


def test_the_shipped_study_is_what_the_call_writes(twin, tmp_path: Path) -> None:
    twin.write(tmp_path)
    names = sorted(p.name for p in SHIPPED.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (SHIPPED / name).read_bytes(), name


def test_the_written_study_is_read_back(twin, tmp_path: Path) -> None:
    twin.write(tmp_path)
    study = ak.read_study(tmp_path)
    for name, table in twin.study.tables.items():
        back = study.tables[name]
        assert list(back.columns) == list(table.columns)
        for column in table.columns:
            if pd.api.types.is_numeric_dtype(table[column]):
                np.testing.assert_array_equal(
                    back[column].to_numpy(dtype=float, na_value=np.nan), table[column].to_numpy(dtype=float)
                )
            else:
                assert back[column].astype(str).tolist() == table[column].astype(str).tolist()
    expected = twin.study.missing_reasons("outcome")["pcl_followup"].value_counts()
    assert study.missing_reasons("outcome")["pcl_followup"].value_counts().to_dict() == expected.to_dict()


def test_truth_travels_with_the_study(twin) -> None:
    assert twin.truth["latent"]["delta_r2(task | sev)"] == pytest.approx(0.0763, abs=5e-5)
    assert twin.truth["observed"]["delta_r2(task | sev)"] == pytest.approx(0.059, abs=0.002)
    assert twin.truth["observed"]["r(task, goal)"] == pytest.approx(0.68, abs=0.015)
    table = twin.tidy()
    assert list(table.columns) == ["quantity", "latent", "observed", "monte_carlo_se"]
    assert table.set_index("quantity").loc["r(task, goal)", "latent"] == pytest.approx(0.85)
    assert twin.glance()["n_session_rows"].item() == 1440
    content = json.loads((SHIPPED / "truth.json").read_text(encoding="utf-8"))
    assert content["observed"] == twin.truth["observed"]
    assert content["observed_made_by"]["cases"] == 1_000_000


def test_latent_frame_has_the_rows_of_the_patients(twin) -> None:
    patient = twin.study.tables["patient"]
    assert twin.latent["patient"].tolist() == patient["patient"].tolist()
    assert np.clip(np.round(50 + 12 * twin.latent["sev"]), 0, 80).astype(int).tolist() == patient["pcl_0"].tolist()


def test_unknown_truth_file_is_a_read_error() -> None:
    with pytest.raises(ak.ReadError, match="no truth was frozen"):
        load("tfcbt_wrong")


# --- estimates beside the truth ---

ROWS = [
    {"quantity": "delta_r2(task | sev)", "estimate": 0.06, "conf_low": 0.01, "conf_high": 0.12, "label": "Task"},
    {"quantity": "r2(sev)", "estimate": 0.50, "conf_low": 0.40, "conf_high": 0.60},
    {"quantity": "r(task, goal)", "estimate": 0.70},
]


def test_comparison_holds_estimate_truth_and_wrong_model(twin) -> None:
    wrong = [{"quantity": "delta_r2(task | sev, bond, goal)", "estimate": 0.06, "model": "Severity only"}]
    found = compare_truth(ROWS, twin, wrong=wrong)
    table = found.tidy()
    assert table["covered"].tolist() == [True, False, None, None]
    assert table["wrong"].tolist() == [False, False, False, True]
    assert table["error"].iloc[0] == pytest.approx(0.06 - twin.truth["observed"]["delta_r2(task | sev)"])
    assert found.glance()[["estimates", "with_limits", "covered", "wrong_model_rows"]].iloc[0].tolist() == [3, 2, 1, 1]


def test_comparison_takes_folder_dict_or_simulated(twin) -> None:
    by_folder = compare_truth(ROWS, SHIPPED)
    by_dict = compare_truth(pd.DataFrame(ROWS), read_truth(SHIPPED))
    by_twin = compare_truth(ROWS, twin)
    for other in (by_dict, by_twin):
        assert other.tidy()["observed"].tolist() == pytest.approx(by_folder.tidy()["observed"].tolist(), rel=1e-6)
    assert by_folder.glance()["seed"].item() == 19


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        ([], "no rows"),
        ([{"estimate": 1.0}], "no column 'quantity'"),
        ([{"quantity": "r2(sevv)", "estimate": 1.0}], r"Did you mean 'r2\(sev\)'"),
    ],
)
def test_comparison_refuses_bad_rows(twin, rows: list, hint: str) -> None:
    with pytest.raises(ak.SpecError, match=hint):
        compare_truth(rows, twin)


def test_comparison_refuses_folders_without_truth(tmp_path: Path) -> None:
    with pytest.raises(ak.ReadError, match=r"no truth\.json"):
        compare_truth(ROWS, tmp_path)
    (tmp_path / "truth.json").write_text("{", encoding="utf-8")
    with pytest.raises(ak.ReadError, match="not valid JSON"):
        compare_truth(ROWS, tmp_path)
    with pytest.raises(ak.SpecError, match="latent"):
        compare_truth(ROWS, {"observed": {}})


def test_table_figure_and_sentence_follow_the_rows(twin) -> None:
    wrong = [{"quantity": "delta_r2(task | sev, bond, goal)", "estimate": 0.06, "model": "Severity only"}]
    found = compare_truth(ROWS, twin, wrong=wrong)
    text = ak.sentence(found).text
    assert "Task: estimate 0.060" in text and "(inside the interval)" in text and "(outside the interval)" in text
    assert "Severity only" in text
    table = ak.table(found)
    assert table.marks == {(0, "covered"): "good", (1, "covered"): "warn"}
    assert table.data["observed"].tolist() == found.tidy()["observed"].tolist()
    figure = ak.figure(found)
    assert len(figure.draw().axes) == 1
    changed = compare_truth([{**ROWS[0], "estimate": 0.2, "conf_low": 0.15, "conf_high": 0.25}], twin)
    assert "(outside the interval)" in ak.sentence(changed).text
    assert "model" not in ak.table(changed).data.columns
    assert len(ak.table(twin).data) == len(twin.tidy())
    with pytest.raises(ak.ReportError):
        ak.figure(twin)
    with pytest.raises(ak.SpecError):
        ak.figure(found, "wheel")
