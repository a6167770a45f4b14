"""The Word file: headings, captions and tables that Word itself knows, in APA style, with fixed bytes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from alliancekit.report.assembly import (
    Block,
    Code,
    Document,
    Listing,
    Paragraph,
    PlacedFigure,
    PlacedSection,
    PlacedTable,
    Quotable,
)
from alliancekit.report.docx_styles import LANDSCAPE, PORTRAIT, Page, prepare, set_page, strip
from alliancekit.report.docx_tables import apa_table, summary_table
from alliancekit.report.docx_widths import choose
from alliancekit.report.docx_xml import caption, paragraph, run, runs
from alliancekit.report.parts import Banner, Equation, Sentence

# The first moment that a zip archive can hold; the bytes must not know when they were written.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_docx(document: Document) -> bytes:
    """Return a report as the bytes of a Word file; the same report gives the same bytes.

    Tables and figures carry Word's own caption fields, sections its headings, so that its navigation, its list of
    tables and its cross-references work. Tables too wide for the page stand at the end of their section, on a page
    turned on its side.
    """
    from docx import Document as new_document

    word = new_document()
    prepare(word, document.title, document.running_title)
    writer = _Writer(word)
    writer.put(paragraph("Title", run(document.title)))
    for banner in document.banners:
        writer.block(banner)
    writer.put(summary_table(document.summary))
    for section in document.sections:
        writer.section(section)
    strip(word)
    stream = io.BytesIO()
    word.save(stream)
    return _fixed_zip(stream.getvalue())


class _Writer:
    """Sets one block after another, and turns the page for wide tables."""

    def __init__(self, word: Any) -> None:
        self._word = word
        self._body = word.element.body

    def put(self, element: Any) -> None:
        """Append an element to the running text (before the settings of the last page)."""
        self._body.insert(len(self._body) - 1, element)

    def section(self, section: PlacedSection) -> None:
        """Set a numbered section; its wide tables come last, so that they part no text."""
        wide = [b for b in section.blocks if isinstance(b, PlacedTable) and _is_wide(b)]
        heading = paragraph("Heading 1", run(f"{section.number}  {section.heading}"))
        if len(wide) < len(section.blocks) or not wide:
            self.put(heading)
            for block in section.blocks:
                if not (isinstance(block, PlacedTable) and _is_wide(block)):
                    self.block(block)
            heading = None
        if wide:
            self._turn(PORTRAIT)
            if heading is not None:
                self.put(heading)
            for block in wide:
                self._table(block, LANDSCAPE)
            self._turn(LANDSCAPE)

    def block(self, block: Block) -> None:
        """Set one block."""
        if isinstance(block, PlacedTable):
            self._table(block, PORTRAIT)
        elif isinstance(block, PlacedFigure):
            self._figure(block)
        elif isinstance(block, Equation):
            self._equation(block)
        elif isinstance(block, Code):
            self._code(block.caption, block.text)
        elif isinstance(block, Listing):
            for line in block.lines:
                self.put(paragraph("List Bullet", run(line)))
        elif isinstance(block, Quotable):
            self.put(paragraph("Label", run(block.heading)))
            self.put(paragraph("Quotable", runs(block.text)))
        elif isinstance(block, Banner):
            style = {"bad": "Notice Bad", "warn": "Notice Warn"}.get(block.tone, "Notice")
            self.put(paragraph(style, runs(block.text)))
        elif isinstance(block, Paragraph | Sentence):
            self.put(paragraph("Normal", runs(block.text)))

    def _table(self, placed: PlacedTable, page: Page) -> None:
        grid = placed.grid
        self.put(caption("Table", placed.number, placed.table.title))
        self.put(apa_table(grid, page.text_width, noted=bool(grid.notes or grid.letters)))
        notes = []
        if grid.notes:
            notes.append(paragraph("Table Note", run("Note. ", italic=True) + runs(" ".join(grid.notes))))
        if grid.letters:
            marks = "".join(run(letter, superscript=True) + run(f" {words} ") for letter, words in grid.letters)
            notes.append(paragraph("Table Note", marks))
        # Word joins tables that follow each other without a paragraph between them.
        for note in notes or [paragraph("Table End", "")]:
            self.put(note)

    def _turn(self, page: Page) -> None:
        """End a page of this form; what follows stands on a new one."""
        from docx.enum.section import WD_SECTION

        self._word.add_section(WD_SECTION.NEW_PAGE)
        set_page(self._word.sections[-2], page)
        set_page(self._word.sections[-1], PORTRAIT)

    def _figure(self, placed: PlacedFigure) -> None:
        from docx.shared import Emu, Inches

        self.put(caption("Figure", placed.number, placed.figure.title))
        holder = self._word.add_paragraph(style="Figure")
        width = min(Inches(placed.drawn.width), Emu(PORTRAIT.text_width * 635))
        shape = holder.add_run().add_picture(io.BytesIO(placed.drawn.png), width=width)
        properties = shape._inline.docPr
        properties.set("descr", placed.figure.alt or placed.figure.title)
        properties.set("name", f"Figure {placed.number}")
        text = run("Note. ", italic=True) + runs(placed.figure.caption) if placed.figure.caption else ""
        self.put(paragraph("Table Note", text))

    def _equation(self, equation: Equation) -> None:
        for line in equation.lines:
            self.put(paragraph("Equation", run(line, keep_spaces=True)))
        if equation.where:
            self.put(paragraph("Where", run(f"where {'; '.join(equation.where)}")))
        if equation.python_call:
            self._code("Python code for this model", equation.python_call)
        if equation.r_call:
            self._code("R code for the same model", equation.r_call)

    def _code(self, heading: str, text: str) -> None:
        self.put(paragraph("Label", run(heading)))
        lines = text.split("\n")
        for i, line in enumerate(lines):
            last = i == len(lines) - 1
            self.put(paragraph("Code Last" if last else "Code", run(line, keep_spaces=True)))


def _is_wide(placed: PlacedTable) -> bool:
    return choose(placed.grid, PORTRAIT.text_width) is None


def _fixed_zip(data: bytes) -> bytes:
    """Return the same archive without times, stored plainly, so that no version of zlib changes its bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as target:
        # Word wants the list of content types first.
        for name in sorted(source.namelist(), key=lambda n: (n != "[Content_Types].xml", n)):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 0
            target.writestr(entry, source.read(name))
    return stream.getvalue()
