"""Word tables in APA style: three horizontal rules, headings that repeat on each page, no vertical lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from alliancekit.report.assembly import SummaryLine
from alliancekit.report.docx_styles import PORTRAIT
from alliancekit.report.docx_widths import SETTINGS, Setting, choose, column_widths
from alliancekit.report.docx_xml import element, paragraph_xml, run, runs
from alliancekit.report.formatting import is_symbol
from alliancekit.report.grid import Grid, Row

_TOGETHER: Final = 24
"""Tables up to this many rows are kept on one page."""


def apa_table(grid: Grid, text_width: int, *, noted: bool = False) -> Any:
    """Return a table as a Word element, at most ``text_width`` twentieths of a point wide.

    Parameters
    ----------
    grid : the table.
    text_width : widest the table may be.
    noted : a note follows, which stays on the page of the last row.
    """
    setting = choose(grid, text_width) or SETTINGS[-1]
    widths = column_widths(grid, text_width, setting)
    together = len(grid.rows) <= _TOGETHER
    rows = [_spans_row(grid, widths)] if grid.spans else []
    rows.append(_heading_row(grid, widths, setting))
    for i, row in enumerate(grid.rows):
        last = i == len(grid.rows) - 1
        keep = noted if last else together or i < 2 or row.heading
        rows.append(_row(row, grid, widths, setting, keep=keep))
    return _table(widths, rows, setting.padding)


def _table(widths: Sequence[int], rows: Sequence[str], padding: int) -> Any:
    columns = "".join(f'<w:gridCol w:w="{w}"/>' for w in widths)
    properties = _properties(sum(widths), padding)
    return element(f"<w:tbl>{properties}<w:tblGrid>{columns}</w:tblGrid>{''.join(rows)}</w:tbl>")


def summary_table(lines: Sequence[SummaryLine]) -> Any:
    """Return the box at the top of a report: what is asked, what is answered, on what data, checked how."""
    left = 1900
    widths = (left, PORTRAIT.text_width - left)
    rows = []
    for line in lines:
        bold = line.label == "Answer"
        cells = _cell(paragraph_xml("Table Text", run(line.label, italic=True, bold=bold), extra=_AIR), widths[0])
        texts = "".join(paragraph_xml("Table Text", runs(t), extra=_AIR) for t in line.lines)
        rows.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}{_cell(texts, widths[1])}</w:tr>")
    return _table(widths, rows, SETTINGS[0].padding)


_AIR: Final = '<w:spacing w:before="30" w:after="30"/>'


def _properties(width: int, padding: int) -> str:
    rule = 'w:val="single" w:sz="8" w:space="0" w:color="000000"'
    return (
        f'<w:tblPr><w:tblW w:w="{width}" w:type="dxa"/><w:tblInd w:w="{padding}" w:type="dxa"/>'
        f"<w:tblBorders><w:top {rule}/><w:bottom {rule}/></w:tblBorders>"
        f'<w:tblLayout w:type="fixed"/><w:tblCellMar><w:left w:w="{padding}" w:type="dxa"/>'
        f'<w:right w:w="{padding}" w:type="dxa"/></w:tblCellMar></w:tblPr>'
    )


def _cell(content: str, width: int, *, span: int = 1, rule: bool = False, bottom: bool = False) -> str:
    merged = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    line = '<w:tcBorders><w:bottom w:val="single" w:sz="6" w:space="0" w:color="000000"/></w:tcBorders>' if rule else ""
    low = '<w:vAlign w:val="bottom"/>' if bottom else ""
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{merged}{line}{low}</w:tcPr>{content}</w:tc>'


_HEAD: Final = "<w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>"
_HEAD_AIR: Final = '<w:keepNext/><w:spacing w:before="40" w:after="40"/>'


def _spans_row(grid: Grid, widths: list[int]) -> str:
    cells, start = [], 0
    for span in grid.spans:
        width = sum(widths[start : start + span.width])
        start += span.width
        text = paragraph_xml("Table Centre", run(span.label), extra=_HEAD_AIR)
        cells.append(_cell(text, width, span=span.width, rule=bool(span.label)))
    return f"<w:tr>{_HEAD}{''.join(cells)}</w:tr>"


def _heading_row(grid: Grid, widths: list[int], setting: Setting) -> str:
    cells = []
    for column, width in zip(grid.columns, widths, strict=True):
        style = setting.number if column.side == "right" else setting.text
        text = paragraph_xml(style, run(column.heading, italic=is_symbol(column.heading)), extra=_HEAD_AIR)
        cells.append(_cell(text, width, rule=True, bottom=True))
    return f"<w:tr>{_HEAD}{''.join(cells)}</w:tr>"


def _row(row: Row, grid: Grid, widths: list[int], setting: Setting, *, keep: bool) -> str:
    stay = "<w:keepNext/>" if keep else ""
    if row.heading:
        air = f'{stay}<w:spacing w:before="80" w:after="20"/>'
        text = paragraph_xml(setting.text, run(row.cells[0].text, italic=True), extra=air)
        return f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{_cell(text, sum(widths), span=len(widths))}</w:tr>"
    cells = []
    for i, (cell, column, width) in enumerate(zip(row.cells, grid.columns, widths, strict=True)):
        style = setting.number if column.side == "right" else setting.text
        indent = '<w:ind w:left="180"/>' if i == 0 and grid.indented else ""
        content = run(cell.text) + run(cell.letter, superscript=True)
        text = paragraph_xml(style, content, extra=f'{stay}<w:spacing w:before="20" w:after="20"/>{indent}')
        cells.append(_cell(text, width))
    return f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{''.join(cells)}</w:tr>"
