from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alliancekit.core.errors import ReportError
from alliancekit.report.verify import check_files, verify

SCRIPT = """
import pandas as pd
import alliancekit as ak
from alliancekit.report.parts import Figure, Table

def draw():
    from alliancekit.report.style import new_figure
    figure, axes = new_figure()
    axes.plot([1, 2], [3, 4])
    return figure

frame = pd.read_csv("data.csv")
report = ak.Report("Verified", seed=1).section("Results", Table("Numbers", frame), Figure("Line", draw))
report.write("reports/one")
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "pyproject.toml").write_text("")
    (root / "analyses").mkdir()
    (root / "analyses" / "one.py").write_text(SCRIPT)
    (root / "data.csv").write_text("x\n1.5\n2.5\n")
    environment = {k: v for k, v in os.environ.items() if k != "ALLIANCEKIT_REPORT_ROOT"}
    subprocess.run([sys.executable, "analyses/one.py"], cwd=root, check=True, env=environment)
    return root


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    import shutil

    return shutil.copytree(original, tmp_path / "project")


def test_the_same_report_is_found_the_same(project: Path) -> None:
    before = sorted(p.stat().st_mtime_ns for p in (project / "reports").rglob("*"))
    result = verify(project / "reports" / "one")
    assert result.ok
    assert result.script == "analyses/one.py"
    assert set(result.tidy()["state"]) == {"same"}
    assert sorted(p.stat().st_mtime_ns for p in (project / "reports").rglob("*")) == before


def test_files_that_were_not_kept_are_compared_by_hash(project: Path) -> None:
    folder = project / "reports" / "one"
    for path in [folder / "report.docx", *folder.rglob("*.png")]:
        path.unlink()
    result = verify(folder)
    assert result.ok
    states = dict(zip(result.tidy()["file"], result.tidy()["state"], strict=True))
    assert states["report.docx"] == "same hash"
    assert sum(s == "same hash" for s in states.values()) == 2


def test_a_changed_number_is_found(project: Path) -> None:
    folder = project / "reports" / "one"
    page = folder / "report.html"
    page.write_text(page.read_text("utf-8").replace("2.50", "9.50"), "utf-8")
    result = verify(folder)
    assert result.differing == ("report.html",)
    assert [c.file for c in check_files(folder) if c.state == "differs"] == ["report.html"]


def test_changed_data_and_a_hash_that_no_longer_fits_are_found(project: Path) -> None:
    folder = project / "reports" / "one"
    (folder / "report.docx").unlink()
    (project / "data.csv").write_text("x\n1.5\n9.5\n")
    result = verify(folder)
    assert {"report.html", "report.docx", "manifest.json"} <= set(result.differing)


def test_stray_and_lost_files_are_named(project: Path) -> None:
    folder = project / "reports" / "one"
    (folder / "stray.csv").write_text("1")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"]["gone.csv"] = {"sha256": "0", "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    states = {f.file: f.state for f in verify(folder).files}
    assert states["stray.csv"] == "unexpected"
    assert states["gone.csv"] == "missing"
    assert states["manifest.json"] == "differs"


def test_versions_that_changed_explain_a_difference(project: Path) -> None:
    folder = project / "reports" / "one"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["versions"]["numpy"] = "0.9"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = verify(folder)
    assert not result.ok
    assert any(w.startswith("numpy: 0.9 then, ") for w in result.changed)


def test_a_script_given_by_hand(project: Path) -> None:
    assert verify(project / "reports" / "one", project / "analyses" / "one.py").ok


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("raise ValueError('no data today')", "no data today"),
        ("print(1)", "does not write the report 'one'"),
        ("import time; time.sleep(30)", "longer than"),
    ],
)
def test_scripts_that_do_not_do_it(project: Path, script: str, says: str) -> None:
    (project / "analyses" / "one.py").write_text(script)
    with pytest.raises(ReportError, match=says):
        verify(project / "reports" / "one", timeout=2 if "sleep" in script else 60)


def test_folders_that_are_no_report(project: Path) -> None:
    with pytest.raises(ReportError, match=r"no manifest\.json"):
        verify(project)
    (project / "manifest.json").write_text("{")
    with pytest.raises(ReportError, match="cannot be read"):
        verify(project)
    (project / "manifest.json").write_text("[]")
    with pytest.raises(ReportError, match="not the manifest"):
        verify(project)
    (project / "manifest.json").write_text('{"files": {}, "script": null}')
    with pytest.raises(ReportError, match="names no script"):
        verify(project)
    (project / "manifest.json").write_text('{"files": {}, "script": {"path": "analyses/two.py"}}')
    with pytest.raises(ReportError, match="not in this project"):
        verify(project)
    with pytest.raises(ReportError, match="no script"):
        verify(project, "three.py")
