"""Lines of a name and one or two values, set below each other."""

from __future__ import annotations

from collections.abc import Sequence

Pairs = list[tuple[str, ...]]
"""Each a name and one or two values, as text."""


def aligned(rows: Sequence[tuple[str, ...]], name: int = 43, value: int = 8, second: int = 11) -> list[str]:
    """Return the lines; ``name``, ``value`` and ``second`` are the least widths of the three columns."""
    least = (name, value, second)
    widths = [max([least[k], *(len(row[k]) for row in rows if len(row) > k)]) for k in range(3)]
    lines = []
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=False)]
        lines.append(" ".join([" ", first.ljust(widths[0]), *cells]).rstrip())
    return lines
