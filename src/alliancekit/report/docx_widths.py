"""How wide the columns of a Word table must be: text measured in Times, columns of words allowed to wrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alliancekit.report.grid import Grid

_GROUPS: Final = {
    180: "'",
    200: "|",
    250: " ,.\u00a0\u202f",
    278: "/:;\\ijlt",
    300: "⁰¹²³⁴⁵⁶⁷⁸⁹⁻₀₁₂₃₄₅₆₇₈₉",
    333: "!()-I[]`fr",
    389: "Js",
    408: '"',
    444: "?acez“”",
    469: "^",
    480: "{}",
    500: "#$*0123456789_bdghknopquvxy–",
    541: "~",
    556: "FPS",
    564: "+<=>\u2212×≤≥≈",
    611: "ELTZ",
    667: "BCR",
    722: "ADGHKNOQUVXYw",
    778: "&m",
    833: "%",
    889: "M",
    921: "@",
    944: "W",
    1000: "…—→←",
}
_ADVANCE: Final = {letter: width for width, letters in _GROUPS.items() for letter in letters}
"""Advance widths of Times Roman in thousandths of the type size."""
_OTHER: Final = 600
_SAFETY: Final = 1.04
_INDENT: Final = 180
_COMFORTABLE: Final = 1700
"""Columns of words are not squeezed below this (twentieths of a point), unless they are shorter."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How tightly a table is set: type size in points, padding in twentieths of a point, styles of its cells."""

    size: float
    padding: int
    text: str
    number: str


SETTINGS: Final = (
    Setting(9.5, 80, "Table Text", "Table Number"),
    Setting(8.5, 50, "Table Small", "Table Number Small"),
    Setting(7.5, 40, "Table Tiny", "Table Number Tiny"),
)
"""From comfortable to tight; the first that fits is taken."""


def measure(text: str, size: float) -> float:
    """Return the width of a line of Times in twentieths of a point.

    Examples
    --------
    >>> measure("10", 10.0)
    200.0
    """
    return sum(_ADVANCE.get(letter, _OTHER) for letter in text) / 1000 * size * 20


def choose(grid: Grid, text_width: int) -> Setting | None:
    """Return the first setting in which a table fits into a width; None where it fits in none."""
    for setting in SETTINGS:
        if sum(_least(grid, setting)) <= text_width:
            return setting
    return None


def column_widths(grid: Grid, text_width: int, setting: Setting) -> list[int]:
    """Return the width of each column in twentieths of a point; together at most ``text_width``.

    Every column gets what it needs not to break a word or a number; what is left goes to the columns that would wrap.
    """
    least, full = _least(grid, setting), _full(grid, setting)
    spare = text_width - sum(least)
    if spare < 0:
        return [int(w * text_width / sum(least)) for w in least]
    wanting = sum(f - n for f, n in zip(full, least, strict=True))
    share = min(1.0, spare / wanting) if wanting else 0.0
    return [n + int((f - n) * share) for f, n in zip(full, least, strict=True)]


def _padded(width: float, column: int, grid: Grid, setting: Setting) -> int:
    indent = _INDENT if column == 0 and grid.indented else 0
    return round(width * _SAFETY) + 2 * setting.padding + indent


def _cells(grid: Grid, column: int) -> list[str]:
    return [row.cells[column].text + row.cells[column].letter for row in grid.rows if not row.heading]


def _full(grid: Grid, setting: Setting) -> list[int]:
    """Return widths at which no cell wraps; headings of numbers may."""
    widths = []
    for i, column in enumerate(grid.columns):
        cells = max(measure(t, setting.size) for t in [*_cells(grid, i), "0"])
        heading = _heading(column.heading, setting.size, lines=2 if column.side == "right" else 1)
        widths.append(_padded(max(cells, heading), i, grid, setting))
    return widths


def _heading(text: str, size: float, lines: int) -> float:
    """Return the width a heading needs on one line or, broken where it is best, on two."""
    words = text.split()
    if lines == 1 or len(words) < 2:
        return measure(text, size)
    halves = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return min(max(measure(first, size), measure(second, size)) for first, second in halves)


def _least(grid: Grid, setting: Setting) -> list[int]:
    """Return widths at which no number and no word is broken, and words still read well."""
    widths = []
    for i, (column, full) in enumerate(zip(grid.columns, _full(grid, setting), strict=True)):
        if column.side == "right":
            widths.append(full)
            continue
        words = [w for t in [*_cells(grid, i), column.heading] for w in t.split()] or [""]
        longest = _padded(max(measure(w, setting.size) for w in words), i, grid, setting)
        widths.append(min(full, max(min(longest, 2 * _COMFORTABLE), _COMFORTABLE)))
    return widths
