"""Changes by hand are told in the log."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.changes import describe_changes


def test_changes_by_hand_reach_the_log() -> None:
    study = ak.simulate("tfcbt", n=24, seed=2).study
    halved = study.with_data(study.data.assign(pcl=study.data["pcl"] * 0.5))
    assert "pcl changed in" in halved.log[-1].detail
    early = study.with_data(study.data[study.data["session"] < 6])
    assert f"of {len(study.data)} rows dropped" in early.log[-1].detail
    assert early.log[-1].rows_changed == (study.data["session"] >= 6).sum()
    assert study.with_data(study.data).log == study.log


def test_added_rows_and_removed_columns() -> None:
    old = pd.DataFrame({"x": [1.0, None], "y": ["a", "b"]})
    new = pd.concat([old, old.rename(index={0: 2, 1: 3})]).drop(columns="y")
    assert describe_changes(old, new) == ("2 rows added; columns removed: y", 2)
    assert describe_changes(old, old.copy()) == ("", 0)


def test_a_frame_is_no_study_to_write(tmp_path: Path) -> None:
    with pytest.raises(ak.SpecError, match=r"a DataFrame is not a Study.*ak\.read_study"):
        ak.write_study(pd.DataFrame({"x": [1]}), tmp_path)
