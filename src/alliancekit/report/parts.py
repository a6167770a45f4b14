"""The presentation types: what a report is made of. They hold numbers at full precision; writers round.

A layer's presenter (``report/<layer>.py``) turns a result into these; ``html.py`` and ``docx.py`` write them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

from alliancekit.core.columns import Kind


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes
    ----------
    title : APA title, in title case, without number (the document numbers tables).
    data : one row per line, full precision; the CSV holds exactly this frame.
    kinds : column -> how it is formatted; a column not named is formatted by the glossary, else by its dtype.
    labels : column -> heading; a column not named takes the glossary's label. Empty string for no heading.
    decimals : column -> digits after the point, where the kind's default does not fit.
    stub : columns that name the row (left aligned, text).
    group : optional column whose value is printed as a sub-heading row when it changes (then not as a column).
    spans : heading above several columns: label -> columns.
    marks : (row index, column) -> one of "good", "warn", "bad": coloured in HTML, spelt out in DOCX. The row index
        is the position of the row, counted from 0.
    notes : sentences under the table: APA "Note.", abbreviations, methods.
    source : the result the table was made from, for the manifest and the audit.
    row_kinds : row position -> kind, for tables that are read along the row (AIC in one row, ICC in the next): it
        replaces the kind of every numeric column in that row, and the digits are chosen along the row.
    suppress : counts of people that must not be shown when they are 1 to 4: count column -> columns of the same row
        that would give the count away (a percentage, a mean). Both are hidden in HTML, DOCX and CSV.
    missing : what stands in a numeric cell without a number: an en dash, or "" for an empty cell.
    """

    title: str
    data: pd.DataFrame
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    decimals: Mapping[str, int] = field(default_factory=dict)
    stub: tuple[str, ...] = ()
    group: str | None = None
    spans: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marks: Mapping[tuple[int, str], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source: Any = None
    row_kinds: Mapping[int, Kind] = field(default_factory=dict)
    suppress: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: str = "\u2013"

    def __repr__(self) -> str:
        """Return the table as text, as a console shows it."""
        from alliancekit.report.text import table_text

        return table_text(self)

    def _repr_html_(self) -> str:
        """Return the table as a notebook shows it."""
        from alliancekit.report.text import table_html

        return table_html(self)


@dataclass(frozen=True)
class Figure:
    """A figure for people; ``draw`` makes a new matplotlib figure each time (under the report's style).

    Attributes
    ----------
    title : caption's first part, in title case.
    draw : function without arguments that returns a matplotlib Figure.
    caption : sentences that explain what is drawn.
    alt : what the figure shows, for readers who cannot see it.
    data : the numbers drawn, written as CSV; no identifiable rows.
    """

    title: str
    draw: Callable[[], MplFigure]
    caption: str = ""
    alt: str = ""
    data: pd.DataFrame | None = None
    source: Any = None

    def __repr__(self) -> str:
        """Return what the figure is; a report or a notebook draws it, ``save`` writes it."""
        return "\n".join(part for part in (f"Figure: {self.title}", self.caption, self.alt) if part)

    def save(self, path: str | Path, *, dpi: int = 220) -> Path:
        """Write the drawing to a file, cut to what is drawn, and return its path.

        Parameters
        ----------
        path : where to; the ending says what: ".png", ".pdf" or ".svg". dpi : dots per inch of a PNG.

        Raises
        ------
        SpecError : another ending, a folder that is not there, or ``dpi`` below one.

        Examples
        --------
        >>> import tempfile, numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame(rng.normal(size=(500, 1)) + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ak.figure(ak.cfa("g =~ a + b + c + d", d)).save(f"{folder}/model.pdf").name
        'model.pdf'
        """
        from alliancekit.report.figures_io import save

        return save(self, path, dpi)

    def _repr_png_(self) -> bytes:
        """Return the drawing for a notebook."""
        from alliancekit.report.figures_io import draw

        return draw(self).png


@dataclass(frozen=True)
class Sentence:
    """One or more sentences ready for a manuscript, made from the same table as the numbers.

    Attributes
    ----------
    text : plain text; statistics are written in APA style (b = 0.24, 95% CI [0.10, 0.38], t(34.2) = 2.41, p = .021).
    headline : True where the sentence answers the report's question; withheld when the audit refuses.
    source : the result it was made from.
    """

    text: str
    headline: bool = False
    source: Any = None

    def __repr__(self) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True)
class Equation:
    """A model's equation (plain text with Unicode letters, one line each) and the same model as R code."""

    lines: tuple[str, ...]
    r_call: str = ""
    python_call: str = ""
    where: tuple[str, ...] = ()


@dataclass(frozen=True)
class Banner:
    """A notice that the reader must see: unverified key, refusal, derivation not recorded."""

    text: str
    tone: str = "warn"  # "warn" | "bad" | "info"
