"""The page: one HTML file that loads nothing, readable without scripts, on a phone, in the dark, on paper."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from alliancekit.report.assembly import Document, PlacedFigure, PlacedSection, PlacedTable
from alliancekit.report.figures_io import inline_svg
from alliancekit.report.formatting import is_symbol, italic_runs, keep_together
from alliancekit.report.grid import Grid

_WIDE_CHARACTERS = 92
_TIGHT_CHARACTERS = 126
_TIGHTEST_CHARACTERS = 170
_SHORT_ROWS = 24
_WORDY = 20


def write_html(document: Document) -> str:
    """Return a report as one HTML page.

    Every text is escaped; the page's content policy lets no script run but its own (by hash) and loads nothing.
    """
    script = _read("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    page: str = (
        _environment()
        .get_template("report.html")
        .render(document=document, css=_read("report.css"), script=script, script_hash=f"sha256-{digest}")
    )
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


@cache
def _read(name: str) -> str:
    return resources.files("alliancekit.report").joinpath("templates", name).read_text("utf-8")


@cache
def _environment() -> Any:
    from jinja2 import BaseLoader, Environment, FunctionLoader, StrictUndefined

    loader: BaseLoader = FunctionLoader(_read)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(statistics=_statistics, symbol=_symbol)
    environment.globals.update(block_kind=_kind, picture=_picture)
    environment.globals.update(
        width_class=width_class, is_turned=is_turned, is_short=is_short, columns_of_words=columns_of_words
    )
    return environment


def _kind(block: Any) -> str:
    return type(block).__name__


def _statistics(text: str) -> Any:
    """Escape a text and set the symbols of its statistics in italics."""
    from markupsafe import Markup, escape

    return Markup("").join(
        Markup("<i>{}</i>").format(run) if italic else escape(keep_together(run)) for run, italic in italic_runs(text)
    )


def _symbol(label: str) -> Any:
    from markupsafe import Markup, escape

    return Markup("<i>{}</i>").format(label) if is_symbol(label) else escape(label)


def _picture(placed: PlacedFigure) -> Any:
    """Return the drawing as part of the page, with its description for readers who cannot see it."""
    from markupsafe import Markup, escape

    label = escape(placed.figure.alt or placed.figure.title)
    return Markup(inline_svg(placed.drawn.svg, f"f{placed.number}-", str(label)))


def width_in_characters(grid: Grid) -> int:
    """Return how many characters the widest line of a table needs, long texts being wrapped at 40."""
    total = 0
    for i, column in enumerate(grid.columns):
        cells = [len(row.cells[i].text) for row in grid.rows if not row.heading]
        longest = max([*cells, *(len(w) for w in column.heading.split()), 1])
        total += min(longest, 40 if column.side == "left" else 99) + 3
    return total


def columns_of_words(grid: Grid) -> set[int]:
    """Return the columns with text long enough to wrap; they must not be squeezed to one word a line."""
    columns = [i for i, c in enumerate(grid.columns) if c.side == "left"]
    return {i for i in columns if any(not r.heading and len(r.cells[i].text) > _WORDY for r in grid.rows)}


def width_class(placed: PlacedTable) -> str:
    """Return the style classes of a table that needs more than the width of the text, with a space before; else "".

    ``wide`` may leave the column of the text, ``tight`` is set in smaller type, ``tightest`` in smaller type still and
    printed on a page turned round.
    """
    width = width_in_characters(placed.grid)
    steps = (("wide", _WIDE_CHARACTERS), ("tight", _TIGHT_CHARACTERS), ("tightest", _TIGHTEST_CHARACTERS))
    return "".join(f" {name}" for name, limit in steps if width > limit)


def is_turned(section: PlacedSection) -> bool:
    """Return True where a section holds nothing but tables that are printed on pages turned round."""
    return bool(section.blocks) and all(
        isinstance(block, PlacedTable) and "tightest" in width_class(block) for block in section.blocks
    )


def is_short(placed: PlacedTable) -> bool:
    """Return True where a table should not be parted by the end of a printed page."""
    return len(placed.grid.rows) <= _SHORT_ROWS
