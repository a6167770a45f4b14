"""The templates end in a report: written, run, verified, and found different once something has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliancekit.cli.main import run_app


def growth_data(folder: Path) -> None:
    rng = np.random.default_rng(6)
    patient, time = np.repeat(np.arange(40), 6), np.tile(np.arange(6.0), 40)
    level, slope = rng.normal(0, 3, 40)[patient], rng.normal(-1.5, 0.6, 40)[patient]
    alliance = 4 + rng.normal(0, 0.5, 40)[patient] + rng.normal(0, 0.5, 240)
    symptoms = 25 + level + slope * time - alliance + rng.normal(0, 1.5, 240)
    frame = pd.DataFrame({"patient": patient + 1, "time": time, "alliance": alliance, "symptoms": symptoms})
    frame.round(4).to_csv(folder / "session.csv", index=False)


def incremental_data(folder: Path) -> None:
    rng = np.random.default_rng(7)
    n, sessions = 60, 4
    trait = rng.normal(0, 0.6, (n, 1))
    severity = rng.normal(50, 10, n)
    outcome = 0.5 * severity - 5 * trait[:, 0] + rng.normal(0, 6, n)
    rows = []
    for i in range(n):
        items = np.clip(np.rint(3.5 + trait[i] + rng.normal(0, 0.8, (sessions, 12))), 1, 5).astype(int)
        for s in range(sessions):
            rows.append([i + 1, i % 12 + 1, s + 1, severity[i], outcome[i], *items[s]])
    names = ["patient", "therapist", "session", "severity", "outcome", *(f"wai_{k}" for k in range(1, 13))]
    pd.DataFrame(rows, columns=names).round(4).to_csv(folder / "session.csv", index=False)


@pytest.mark.parametrize(("template", "make"), [("growth", growth_data), ("incremental", incremental_data)])
def test_a_template_runs_and_its_report_can_be_verified(
    template: str, make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data" / "mystudy"
    data.mkdir(parents=True)
    make(data)  # type: ignore[operator]
    monkeypatch.chdir(tmp_path)
    assert run_app(["check", "data/mystudy", "--init"]) == 0
    assert run_app(["new", template]) == 0
    assert run_app(["run", f"analyses/{template}.py"]) == 0, capsys.readouterr().err
    folder = tmp_path / "reports" / template
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "manifest.json").exists()
    if template == "incremental":
        return
    assert run_app(["verify", "reports"]) == 0
    assert "files are the same" in capsys.readouterr().err
    page = folder / "report.html"
    page.write_text(page.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert run_app(["verify", str(folder)]) == 1
    assert "report.html: differs" in capsys.readouterr().err


@pytest.mark.parametrize(("template", "samples"), [("cfa", ""), ("sem", "bootstrap=1000")])
def test_a_structural_template_runs_as_it_is_on_the_data_of_the_project(
    template: str, samples: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    shutil.copytree(Path(__file__).parents[3] / "data" / "tfcbt", tmp_path / "data" / "tfcbt")
    sessions = tmp_path / "data" / "tfcbt" / "session.csv"
    rows = pd.read_csv(sessions, dtype=str)
    late = rows["patient"].isin(["p004", "p017"]) & (rows["session"].astype(int) < 4)
    rows[~late].to_csv(sessions, index=False)
    monkeypatch.chdir(tmp_path)
    assert run_app(["new", template]) == 0
    script = tmp_path / "analyses" / f"{template}.py"
    text = script.read_text(encoding="utf-8")
    assert text.count("EDIT") > 3 and samples in text
    script.write_text(text.replace("bootstrap=1000", "bootstrap=50"), encoding="utf-8")
    assert run_app(["run", f"analyses/{template}.py"]) == 0, capsys.readouterr().err
    page = (tmp_path / "reports" / template / "report.html").read_text(encoding="utf-8")
    title = "Confirmatory Factor Analysis" if template == "cfa" else "Structural Equation Model"
    for words in (f"Estimates of the {title}", "Reliability of ", "Path Diagram", "Residual Correlat"):
        assert words in page
    assert ("Difference Tests" in page) is (template == "cfa") and "withheld" not in page
    assert ("50 bootstrap samples" in page) is (template == "sem")
    assert f"The data hold {118 if template == 'cfa' else 120} patients" in page
    assert run_app(["verify", "reports"]) == 0, capsys.readouterr().err
    assert run_app(["new", template]) == 1
    assert f"alliancekit new {template}" in capsys.readouterr().err
