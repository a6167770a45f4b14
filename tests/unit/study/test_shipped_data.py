"""The data sets that come with the project: they read, their facts hold, and their READMEs say so."""

from __future__ import annotations

from pathlib import Path

import pytest

import alliancekit as ak

DATA = Path(__file__).parents[3] / "data"


def test_btheb() -> None:
    study = ak.read_study(DATA / "btheb")
    frame = study.data
    assert frame.shape == (100, 9)
    assert study.role("patient") == "subject"
    assert frame["treatment"].cat.categories.tolist() == ["TAU", "BtheB"]
    assert frame.filter(like="bdi.").notna().sum().tolist() == [100, 97, 73, 58, 52]
    assert frame["bdi.pre"].tolist()[:3] == [29, 32, 25]
    long = ak.wide_to_long(study, "bdi.{month}", times={"pre": 0, "2m": 2, "3m": 3, "5m": 5, "8m": 8}).data
    assert long["bdi"].notna().sum() == 380
    assert ak.validate(study).findings.empty


def test_enrichd() -> None:
    study = ak.read_study(DATA / "enrichd_cbt_bdi")
    frame = study.data
    assert frame.shape == (7117, 5)
    assert frame["patient"].nunique() == 557
    counts = frame.groupby("patient").size()
    assert (counts.min(), counts.max()) == (5, 36)
    assert frame.notna().all().all()
    assert ((frame["time"] >= frame["med_time"]) == (frame["med"] == 1)).all(), "what the README says of the codes"
    assert study.column_info("med_time").values == {"-100": "Begun before randomisation", "10000": "Never begun"}
    assert (study.role("patient"), study.role("time")) == ("patient", "time")
    found = ak.validate(study).findings
    assert found["code"].unique().tolist() == ["duplicate_row"]
    assert (len(found), found["severity"].unique().tolist()) == (153, ["warning"])


@pytest.mark.parametrize("name", ["btheb", "enrichd_cbt_bdi"])
def test_readme_and_codebook(name: str) -> None:
    text = (DATA / name / "README.md").read_text(encoding="utf-8")
    assert "Licence of the data: GPL-2" in text
    assert "Source:" in text
    study = ak.read_study(DATA / name)
    assert {"title", "source", "licence"} <= set(study.codebook.about)
    for column in study.data.columns:
        assert column in text
        assert study.column_info(column).label
