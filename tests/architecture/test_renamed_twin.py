"""An analysis is a recipe, not a script for one file: on data with other column names a copy gives the same numbers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
NEW_NAMES = {
    "patient": "klient",
    "therapist": "behandler",
    "pcl_followup": "ptbs_nach",
    "pcl_0": "ptbs_vor",
    "pcl": "ptbs",
    "wai_": "hb_",
    "age": "jahre",
    "gender": "geschlecht",
}


def rename(name: str) -> str:
    """Return a column's new name; numbered items keep their number."""
    if name in NEW_NAMES:
        return NEW_NAMES[name]
    item = re.fullmatch(r"wai_(\d+)", name)
    return f"hb_{item.group(1)}" if item else name


def write_renamed_study(folder: Path) -> None:
    """Write data/tfcbt under other column names, with the codebook renamed alike."""
    source = ROOT / "data" / "tfcbt"
    book = json.loads((source / "codebook.json").read_text(encoding="utf-8"))
    for table in book["tables"].values():
        frame = pd.read_csv(source / table["file"], dtype=str, keep_default_na=False)
        frame.rename(columns=rename).to_csv(folder / table["file"], index=False)
        table["columns"] = {rename(name): about for name, about in table["columns"].items()}
    (folder / "codebook.json").write_text(json.dumps(book), encoding="utf-8")
    (folder / "truth.json").write_bytes((source / "truth.json").read_bytes())


def renamed_script(data: Path) -> str:
    """Return the analysis with the new names, as a researcher would edit it."""
    text = (ROOT / "analyses" / "s02_tfcbt_task_agreement.py").read_text(encoding="utf-8")
    text = text.replace("data/tfcbt", data.as_posix())
    for old in sorted(NEW_NAMES, key=len, reverse=True):
        new = NEW_NAMES[old]
        if old == "wai_":
            text = text.replace('prefix="wai_"', 'prefix="hb_"').replace('f"wai_{number}"', 'f"hb_{number}"')
            continue
        text = re.sub(rf'"{old}(_early)?"', lambda m, new=new: f'"{new}{m.group(1) or ""}"', text)
    return text


def test_a_copy_on_renamed_data_gives_the_same_numbers(tmp_path: Path) -> None:
    data = tmp_path / "studie"
    data.mkdir()
    write_renamed_study(data)
    script = tmp_path / "kopie.py"
    script.write_text(renamed_script(data), encoding="utf-8")
    assert '"patient"' not in script.read_text(encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "ALLIANCEKIT_REPORT_ROOT": str(tmp_path)}
    runs = {}
    for name, path in (("copy", script), ("original", ROOT / "analyses" / "s02_tfcbt_task_agreement.py")):
        target = tmp_path / name
        environment["ALLIANCEKIT_REPORT_ROOT"] = str(target)
        done = subprocess.run(
            [sys.executable, str(path)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stderr[-3000:]
        steps = next(target.rglob("*hierarchical-prediction*.csv"))
        runs[name] = pd.read_csv(steps).select_dtypes("number")
    assert runs["copy"].shape[0] == 4
    pd.testing.assert_frame_equal(runs["copy"], runs["original"])
