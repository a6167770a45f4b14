"""A table as plain text and as a piece of HTML, for the console and for notebooks."""

from __future__ import annotations

import textwrap
from html import escape

from alliancekit.report.grid import Grid, lay_out
from alliancekit.report.parts import Table

WIDEST_STUB = 44
NOTE_WIDTH = 100
_CELL = "padding:.15em .6em;text-align:{side};border:0"
_RULE = ";border-bottom:1px solid currentColor"


def table_text(table: Table) -> str:
    """Return a table as lines of text: title, headings, rows, notes."""
    grid = lay_out(table)
    widths = _widths(grid)
    total = sum(widths) + 2 * (len(widths) - 1)
    out = [table.title, "-" * total]
    if grid.spans:
        out.append(_spans(grid, widths))
    out += [_line([c.heading for c in grid.columns], grid, widths), "-" * total]
    for row in grid.rows:
        if row.heading:
            out.append(row.cells[0].text)
            continue
        out.append(_line([c.text + (f" ({c.letter})" if c.letter else "") for c in row.cells], grid, widths))
    out.append("-" * total)
    if grid.notes:
        out += textwrap.wrap(f"Note. {' '.join(grid.notes)}", max(total, NOTE_WIDTH))
    out += [f"({letter}) {words}" for letter, words in grid.letters]
    return "\n".join(line.rstrip() for line in out)


def _indent(grid: Grid) -> str:
    return "  " if grid.indented else ""


def _widths(grid: Grid) -> list[int]:
    widths = []
    for i, column in enumerate(grid.columns):
        cells = [len(r.cells[i].text) + (4 if r.cells[i].letter else 0) for r in grid.rows if not r.heading]
        widest = max([len(column.heading), *cells, 1]) + (len(_indent(grid)) if i == 0 else 0)
        widths.append(min(widest, WIDEST_STUB) if column.side == "left" else widest)
    at = 0
    for span in grid.spans:  # a heading above several columns may need more than they do
        short = len(span.label) - sum(widths[at : at + span.width]) - 2 * (span.width - 1)
        widths[at + span.width - 1] += max(short, 0)
        at += span.width
    return widths


def _spans(grid: Grid, widths: list[int]) -> str:
    out, at = [], 0
    for span in grid.spans:
        room = sum(widths[at : at + span.width]) + 2 * (span.width - 1)
        out.append(span.label.center(room))
        at += span.width
    return "  ".join(out)


def _line(texts: list[str], grid: Grid, widths: list[int]) -> str:
    """Return one row; a text too long for its column goes on in lines below."""
    parts = []
    for i, (text, column, width) in enumerate(zip(texts, grid.columns, widths, strict=True)):
        lead = _indent(grid) if i == 0 else ""
        if column.side == "right":
            parts.append([text.rjust(width)])
            continue
        pieces = textwrap.wrap(text, width - len(lead)) or [""]
        parts.append([(lead + piece).ljust(width) for piece in pieces])
    deepest = max(len(part) for part in parts)
    blank = [" " * width for width in widths]
    lines = [
        "  ".join(part[k] if k < len(part) else empty for part, empty in zip(parts, blank, strict=True))
        for k in range(deepest)
    ]
    return "\n".join(lines)


def table_html(table: Table) -> str:
    """Return a table as a piece of HTML with its own plain style; every text is escaped."""
    grid = lay_out(table)
    out = [f"<p><i>{escape(table.title)}</i></p>", '<table style="border-collapse:collapse">']
    if grid.spans:
        style = _CELL.format(side="center")
        cells = "".join(
            f'<th colspan="{s.width}" style="{style}{_RULE if s.label else ""}">{escape(s.label)}</th>'
            for s in grid.spans
        )
        out.append(f"<tr>{cells}</tr>")
    heads = "".join(f'<th style="{_CELL.format(side=c.side)}{_RULE}">{escape(c.heading)}</th>' for c in grid.columns)
    out.append(f"<tr>{heads}</tr>")
    for row in grid.rows:
        if row.heading:
            style = _CELL.format(side="left")
            out.append(
                f'<tr><td colspan="{len(grid.columns)}" style="{style}"><i>{escape(row.cells[0].text)}</i></td></tr>'
            )
            continue
        cells = "".join(
            f'<td style="{_CELL.format(side=column.side)}">{escape(cell.text)}'
            f"{f'<sup>{escape(cell.letter)}</sup>' if cell.letter else ''}</td>"
            for cell, column in zip(row.cells, grid.columns, strict=True)
        )
        out.append(f"<tr>{cells}</tr>")
    out.append("</table>")
    if grid.notes:
        out.append(f"<p><i>Note.</i> {escape(' '.join(grid.notes))}</p>")
    out += [f"<p><sup>{escape(letter)}</sup> {escape(words)}</p>" for letter, words in grid.letters]
    return "\n".join(out)
