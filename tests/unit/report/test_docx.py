from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.docx import write_docx
from alliancekit.report.docx_styles import LANDSCAPE, PORTRAIT
from alliancekit.report.docx_widths import measure
from alliancekit.report.parts import Sentence, Table
from tests.unit.report import demo

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def data() -> bytes:
    return write_docx(demo.report().assemble())


@pytest.fixture(scope="module")
def word(data: bytes):
    from docx import Document

    return Document(io.BytesIO(data))


def test_two_files_have_the_same_bytes(data: bytes) -> None:
    assert write_docx(demo.report().assemble()) == data


def test_the_archive_knows_no_time(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "[Content_Types].xml"
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
        assert not re.search(r"\d{4}-\d\d-\d\d|dcterms:created|dcterms:modified", core)
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                assert b"/work/" not in archive.read(name)


def test_headings_and_styles(word) -> None:
    headings = [p.text for p in word.paragraphs if p.style.name == "Heading 1"]
    assert headings[0] == "1  Sample"
    assert headings[-1].endswith("Reporting Standards Covered")
    assert word.paragraphs[0].style.name == "Title"
    fonts = {s.font.name for s in word.styles if s.name in ("Normal", "Heading 1", "Caption", "Table Text", "Title")}
    assert fonts == {"Times New Roman"}


def test_captions_are_words_own_fields(word) -> None:
    captions = [p for p in word.paragraphs if p.style.name == "Caption"]
    fields = [f.get(f"{W}instr") for p in captions for f in p._p.iter(f"{W}fldSimple")]
    tables = [f for f in fields if "SEQ Table" in f]
    assert len(tables) == len(word.tables) - 1  # the box at the top has no number
    assert sum("SEQ Figure" in f for f in fields) == 1
    first = captions[0]
    assert first._p.xpath("string(.)").startswith("Table 1")
    runs = {r.text: r for r in first.runs}
    assert runs["Table "].bold
    assert runs["Diagnoses of the Sample"].italic


def test_tables_have_three_horizontal_rules_and_no_vertical_line(word) -> None:
    for table in word.tables[1:]:
        borders = table._tbl.tblPr.find(f"{W}tblBorders")
        assert [b.tag.removeprefix(W) for b in borders] == ["top", "bottom"]
        rows = list(table._tbl.iter(f"{W}tr"))
        heads = [r for r in rows if r.find(f"{W}trPr/{W}tblHeader") is not None]
        assert 1 <= len(heads) <= 2
        assert rows[: len(heads)] == heads
        assert all(tc.find(f"{W}tcPr/{W}tcBorders/{W}bottom") is not None for tc in heads[-1].iter(f"{W}tc"))
        for row in rows[len(heads) :]:
            assert row.find(f".//{W}tcBorders") is None
        assert not list(table._tbl.iter(f"{W}left", f"{W}right")) or table._tbl.find(f".//{W}tcBorders/{W}left") is None


def test_cells_hold_what_the_grid_says(word) -> None:
    from alliancekit.report.grid import lay_out

    grid = lay_out(demo.counts_table())
    table = word.tables[1]
    rows = [[c.text for c in row.cells] for row in table.rows]
    assert rows[0] == [c.heading for c in grid.columns]
    assert rows[1:] == [[c.text for c in row.cells] for row in grid.rows]


def test_every_table_fits_on_its_page(word) -> None:
    width = PORTRAIT.text_width
    for table in word.tables:
        columns = [int(c.get(f"{W}w")) for c in table._tbl.tblGrid.iter(f"{W}gridCol")]
        assert sum(columns) <= width
        for row in table._tbl.iter(f"{W}tr"):
            spans = [int(s.get(f"{W}val")) for s in row.iter(f"{W}gridSpan")]
            cells = len(list(row.iter(f"{W}tc")))
            assert cells - len(spans) + sum(spans) == len(columns)


def test_a_table_too_wide_for_the_page_turns_it() -> None:
    from docx import Document

    frame = pd.DataFrame({f"estimate of variable {i}": [1234.5] for i in range(16)})
    report = ak.Report("Wide").section("One", "Before.", Table("Wide", frame), "After.")
    word = Document(io.BytesIO(write_docx(report.assemble())))
    assert [s.page_width > s.page_height for s in word.sections] == [False, True, False]
    assert abs(word.sections[1].page_width.twips - LANDSCAPE.width) <= 1
    texts = [p.text for p in word.paragraphs]
    # The wide table stands after the text of its section, which it would part otherwise.
    body = list(word.element.body)
    assert texts.index("Before.") < texts.index("After.")
    last_text = next(p for p in word.paragraphs if p.text == "After.")._p
    assert body.index(last_text) < body.index(word.tables[1]._tbl)


def test_words_are_measured_and_numbers_never_break() -> None:
    from alliancekit.report.docx_widths import SETTINGS, choose, column_widths, measure
    from alliancekit.report.grid import lay_out

    assert measure("0123456789", 10) == 1000
    assert measure("W", 10) > measure("i", 10)
    frame = pd.DataFrame({"term": ["a word " * 30], **{f"x{i}": [-1234.56] for i in range(6)}})
    grid = lay_out(Table("T", frame))
    setting = choose(grid, PORTRAIT.text_width)
    assert setting == SETTINGS[0]
    widths = column_widths(grid, PORTRAIT.text_width, setting)
    assert sum(widths) <= PORTRAIT.text_width
    assert all(w >= measure("−1,234.6", 9.5) + 2 * setting.padding for w in widths[1:])


def test_the_running_head_has_title_and_page(word) -> None:
    header = word.sections[0].header.paragraphs[0]
    assert header.text.startswith("Does the Working Alliance")
    assert [f.get(f"{W}instr").strip() for f in header._p.iter(f"{W}fldSimple")] == ["PAGE"]
    assert len(demo.report().running_title) <= 60


def test_figures_carry_a_description(word) -> None:
    shapes = word.inline_shapes
    assert len(shapes) == 1
    assert shapes[0]._inline.docPr.get("descr") == f'Three falling lines "{demo.HOSTILE}"'
    assert shapes[0].width.twips <= PORTRAIT.text_width + 1


def test_forbidden_characters_and_tags_do_not_break_the_file() -> None:
    from docx import Document

    evil = "a\x00b\x0b<w:p>&amp;\ufffe"
    report = ak.Report("T").section("S " + evil, evil, Sentence(evil), Table(evil, pd.DataFrame({"x": [evil]})))
    word = Document(io.BytesIO(write_docx(report.assemble())))
    assert word.tables[1].rows[1].cells[0].text == "a\ufffdb\ufffd<w:p>&amp;\ufffd"


def test_long_words_share_the_page() -> None:
    from docx import Document

    frame = pd.DataFrame({"check": ["x " * 80], "n": [3], "advice": ["y " * 200], "x": [np.pi]})
    word = Document(io.BytesIO(write_docx(ak.Report("T").section("S", Table("T", frame)).assemble())))
    widths = [int(c.get(f"{W}w")) for c in word.tables[1]._tbl.tblGrid.iter(f"{W}gridCol")]
    assert sum(widths) <= PORTRAIT.text_width
    assert min(widths) > 200


def test_an_arrow_is_as_wide_as_it_is_in_times() -> None:
    assert measure("→", 10.0) == measure("←", 10.0) == 200.0
