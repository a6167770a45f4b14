from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.errors import ReportError, SpecError
from alliancekit.report import document as document_module
from alliancekit.report.assembly import PlacedTable, Quotable
from alliancekit.report.parts import Banner, Figure, Sentence, Table
from tests.unit.report import demo

HEADLINE = "After sessions with a stronger alliance"


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def small_report() -> ak.Report:
    return ak.Report("Small").section("Results", "Text.", Table("Numbers", pd.DataFrame({"x": [1.5]})))


def test_two_runs_write_identical_bytes(tmp_path: Path) -> None:
    first = all_bytes(demo.report().write(tmp_path / "a" / "report"))
    second = all_bytes(demo.report().write(tmp_path / "b" / "report"))
    assert first == second
    assert {Path(n).suffix for n in first} == {".html", ".docx", ".csv", ".svg", ".png", ".json"}


def test_no_file_knows_a_date_or_a_folder(tmp_path: Path) -> None:
    files = all_bytes(demo.report().write(tmp_path / "report"))
    home = str(Path(__file__).resolve().parents[3]).encode()
    for name, data in files.items():
        assert str(tmp_path).encode() not in data, name
        assert home not in data, name
        if not name.endswith((".png", ".docx")):
            assert not re.search(rb"\b20[0-4]\d-[01]\d-[0-3]\d\b", data), name


def test_the_manifest_holds_the_hash_of_every_file(tmp_path: Path) -> None:
    files = all_bytes(demo.report().write(tmp_path / "report"))
    manifest = json.loads(files.pop("manifest.json"))
    assert {n: hashlib.sha256(d).hexdigest() for n, d in files.items()} == {
        n: e["sha256"] for n, e in manifest["files"].items()
    }
    assert manifest["data"] == dict(sorted(demo.Provenance().files))
    assert manifest["seeds"] == [20240117]
    assert manifest["scoring_keys"] == {"WAI-SR": "verified", "BDI-II": "unverified"}
    assert manifest["assumption_checks"][0]["checks"]["residual spread"] == "warn"
    assert manifest["second_opinions"] == [{"amber": 1, "green": 3}]
    assert manifest["script"]["path"] == "tests/unit/report/test_document.py"
    assert manifest["script"]["sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert manifest["versions"]["pandas"] == pd.__version__
    assert manifest["warnings"] == list(demo.Fit().warnings)


def test_csv_holds_full_precision(tmp_path: Path) -> None:
    folder = demo.report().write(tmp_path / "report")
    written = next((folder / "tables").glob("table-03-*.csv")).read_text("utf-8")
    assert "28.412344" in written
    assert "1e-58" in written
    counts = next((folder / "tables").glob("table-01-*.csv")).read_text("utf-8")
    assert "'=cmd" in counts
    assert "'@Other" in counts
    assert "<5" in counts


def test_a_refused_headline_is_withheld_everywhere(tmp_path: Path) -> None:
    folder = demo.report(refuse=True).write(tmp_path / "report")
    page = (folder / "report.html").read_text("utf-8")
    assert HEADLINE not in page
    assert "refuses it (the outcome of 31 patients was rated before session 4)" in page
    assert "Patients with a stronger alliance on average" in page  # the rest is shown
    assert "b</i>\u00a0=\u00a0−0.83" not in page
    assert json.loads((folder / "manifest.json").read_text("utf-8"))["withheld"] == ["Section 2"]
    from docx import Document

    word = "\n".join(
        [p.text for p in Document(folder / "report.docx").paragraphs]
        + [c.text for t in Document(folder / "report.docx").tables for r in t.rows for c in r.cells]
    )
    assert HEADLINE not in word
    assert "order of time" in word


def test_an_accepted_headline_answers_the_question() -> None:
    document = demo.report().assemble()
    lines = {line.label: line for line in document.summary}
    assert lines["Answer"].lines[0].startswith(HEADLINE)
    assert lines["Sample"].lines == ("1,203 rows (47 left out); patient: 120; therapist: 12",)
    assert lines["Data"].lines == ("Simulated; the truth is known.",)
    assert lines["Second opinion"].lines == ("3 of 4 estimates agree within .01 standard errors; 1 within .1",)
    assert lines["Assumption checks"].tone == "warn"
    quotable = [b for s in document.sections for b in s.blocks if isinstance(b, Quotable)]
    assert HEADLINE in quotable[0].text


def test_sentences_of_a_refused_model_are_not_offered_for_copying() -> None:
    document = demo.report(refuse=True).assemble()
    assert "Text for the Manuscript" not in [s.heading for s in document.sections]


def test_only_the_refused_model_is_withheld() -> None:
    good, bad = demo.Fit(), demo.Fit()
    report = ak.Report("Two Models").section(
        "Answers",
        Sentence("Good.", headline=True, source=good),
        Sentence("Bad.", headline=True, source=bad),
        Sentence("Both.", headline=True, source=(good, bad)),
        Sentence("Nobody's.", headline=True),
        demo.audit(bad, refuse=True),
    )
    page = report.html()
    assert "Good." in page
    for withheld in ("Bad.", "Both.", "Nobody"):
        assert withheld not in page


def test_the_audit_counts_wherever_it_stands() -> None:
    fit = demo.Fit()
    report = ak.Report("Late Audit").section("Answer", Sentence("Yes.", headline=True, source=fit))
    report.section("Later", Table("Checks", demo.audit(fit, refuse=True).tidy(), source=demo.audit(fit, refuse=True)))
    assert "Yes." not in report.html()


def test_a_bare_frame_is_said_to_be_one() -> None:
    assert "Derivation not recorded" in demo.report(with_study=False).html()
    assert "Derivation not recorded" not in demo.report().html()


def test_a_variable_made_outside_the_study_is_named() -> None:
    class Design:
        variables = ("wai", "wai_sr_total", "homemade")

    class WithDesign(demo.Fit):
        design = Design()

    WithDesign.__module__ = demo.Fit.__module__
    page = ak.Report("T", study=demo.study()).section("S", Sentence("x", source=WithDesign())).html()
    assert "Derivation not recorded for: homemade." in page


def test_unverified_keys_stand_at_the_top() -> None:
    document = demo.report().assemble()
    assert [b.text for b in document.banners] == [
        "The scoring key of BDI-II is unverified: compare it with the published key before use."
    ]


def test_results_become_table_and_sentence() -> None:
    fit = demo.Fit()
    blocks = ak.Report("T").section("S", fit, [demo.CrossCheck(fit)]).assemble().sections[0].blocks
    assert [type(b) for b in blocks] == [PlacedTable, PlacedTable]
    assert blocks[1].table.title == "Cross Check"


def test_paragraphs_are_parted_at_empty_lines() -> None:
    blocks = ak.Report("T").section("S", "one\n two\n\nthree").assemble().sections[0].blocks
    assert [b.text for b in blocks] == ["one two", "three"]


@pytest.mark.parametrize("item", [pd.DataFrame({"x": [1]}), 3, None, object(), {"a": 1}])
def test_strangers_are_refused_at_once(item: object) -> None:
    with pytest.raises(ReportError, match="cannot stand in a report"):
        ak.Report("T").section("S", item)


def test_bad_input() -> None:
    with pytest.raises(ReportError, match="title"):
        ak.Report("  ")
    with pytest.raises(ReportError, match="heading"):
        ak.Report("T").section(" ")
    with pytest.raises(SpecError, match="simulated"):
        ak.Report("T", data="simulation")
    with pytest.raises(ReportError, match="script"):
        ak.Report("T", script="nowhere.py").html()


def test_a_failing_figure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> object:
        raise ZeroDivisionError

    report = small_report().section("Figure", Figure("Fails", fail))
    with pytest.raises(ZeroDivisionError):
        report.write(tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_failing_disk_leaves_the_earlier_report_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    folder = small_report().write(tmp_path / "report")
    before = all_bytes(folder)
    real, calls = os.fdopen, []

    def break_at_third(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            os.close(args[0])
            raise OSError("disk full")
        return real(*args, **kwargs)

    monkeypatch.setattr("alliancekit.core.files.os.fdopen", break_at_third)
    with pytest.raises(OSError, match="disk full"):
        small_report().section("More", "Text.").write(folder)
    monkeypatch.undo()
    assert all_bytes(folder) == before


def test_files_of_an_earlier_run_are_removed_and_others_are_left(tmp_path: Path) -> None:
    folder = demo.report().write(tmp_path / "report")
    (folder / "my notes.txt").write_text("mine")
    small_report().write(folder)
    left = all_bytes(folder)
    assert set(left) == {
        "my notes.txt",
        "report.html",
        "report.docx",
        "manifest.json",
        "tables/table-01-numbers.csv",
        *[n for n in left if n.startswith("tables/table-02-points")],
    }


def test_a_manifest_cannot_name_files_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"files": {"../victim.txt": {}, str(victim): {}}}))
    small_report().write(folder)
    assert victim.read_text() == "mine"


def test_the_environment_redirects_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLIANCEKIT_REPORT_ROOT", str(tmp_path))
    assert small_report().write("reports/s99") == tmp_path / "reports" / "s99"
    assert (tmp_path / "reports" / "s99" / "report.html").is_file()
    assert small_report().write("../elsewhere/s98") == tmp_path / "elsewhere" / "s98"


def test_numbers_in_the_page_come_from_the_table(tmp_path: Path) -> None:
    def page(value: float) -> str:
        return ak.Report("T").section("S", Table("N", pd.DataFrame({"estimate": [value], "std_error": [0.1]}))).html()

    assert "0.24" in page(0.2412)
    assert "0.24" not in page(0.3112)
    assert "0.31" in page(0.3112)


def test_limits_and_checklist_can_be_placed() -> None:
    report = ak.Report("T").checklist().limits("One.").section("After", "Text.")
    headings = [s.heading for s in report.assemble().sections]
    assert headings[:3] == ["Reporting Standards Covered", "Limits", "After"]
    assert headings.count("Reporting Standards Covered") == 1


def test_seeds_come_from_report_and_results() -> None:
    fit = demo.Fit()
    page = ak.Report("T", seed=7).section("S", fit).html()
    assert "Random seeds: 7, 20240117." in page
    assert "No random numbers were used." in ak.Report("T").html()


def test_r_code_is_given_once() -> None:
    fit = demo.Fit()
    page = ak.Report("T").section("S", fit, Sentence("x", source=fit)).html()
    assert page.count("library(lme4)") == 1
    assert demo.report().html().count("library(lme4)") == 1


def test_banners_in_sections_are_shown() -> None:
    page = ak.Report("T").section("S", Banner("Look.", tone="info")).html()
    assert 'class="banner info"' in page


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("simulated", "Simulated; the truth is known."),
        ("real", "Real data; the truth is not known."),
        (None, "Origin not stated."),
    ],
)
def test_the_origin_of_the_data_is_what_was_said(data: str | None, says: str) -> None:
    lines = {line.label: line for line in ak.Report("T", data=data).assemble().summary}
    assert lines["Data"].lines == (says,)


def test_a_simulated_study_says_so_itself() -> None:
    twin = ak.simulate("tfcbt", n=40, seed=5)
    document = ak.Report("T", study=twin).assemble()
    lines = {line.label: line for line in document.summary}
    assert lines["Data"].lines == ("Simulated; the truth is known.",)
    assert document.evidence.seeds == [5]


def test_a_script_can_be_named(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    folder = ak.Report("T", script=script).write(tmp_path / "reports" / "one")
    assert json.loads((folder / "manifest.json").read_text("utf-8"))["script"]["path"] == "mine.py"


def test_the_running_title_is_short_or_as_given() -> None:
    assert ak.Report("T" * 10 + " word" * 30).assemble().running_title.endswith("…")
    assert ak.Report("Long", running_title="Own").assemble().running_title == "Own"


def test_repr_names_the_sections() -> None:
    assert repr(small_report()) == "Report('Small': Results)"
    assert document_module.Report("X").title == "X"
