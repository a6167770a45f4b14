"""Figures as files: SVG and PNG with fixed bytes, and the SVG made ready to stand inside the page."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alliancekit.core.errors import ReportError, SpecError, message
from alliancekit.report.parts import Figure
from alliancekit.report.style import FAINT, INK, MUTED, PAPER, SERIES, figure_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

PNG_DPI: Final = 220
_DIGITS: Final = re.compile(r"(\d\.\d\d\d)\d+")
_SVG_METADATA: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}
_PNG_METADATA: Final = {"Software": None}
_FILES: Final[dict[str, dict[str, Any]]] = {
    "png": {**_PNG_METADATA},
    "svg": {**_SVG_METADATA},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_PAGE_COLOURS: Final = {
    INK: "currentColor",
    "#000000": "currentColor",
    MUTED: "var(--fig-muted)",
    "#595959": "var(--fig-muted)",
    FAINT: "var(--fig-faint)",
    PAPER: "var(--paper)",
    "#ffffff": "var(--paper)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, start=1)},
}


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A figure as bytes: ``svg`` and ``png`` for files, ``width`` and ``height`` in inches."""

    svg: bytes
    png: bytes
    width: float
    height: float


def draw(figure: Figure) -> DrawnFigure:
    """Draw a figure in the report's style and return its bytes, the same at every run.

    Raises
    ------
    ReportError : ``figure.draw`` did not return a matplotlib figure.
    """
    with figure_style():
        drawn = _drawn(figure)
        svg, png = _svg_bytes(drawn), _png_bytes(drawn)
        width, height = (float(v) for v in drawn.get_size_inches())
    _close(drawn)
    return DrawnFigure(svg, png, width, height)


def save(figure: Figure, path: str | Path, dpi: int = PNG_DPI) -> Path:
    """Write a figure to a file, cut to what is drawn; see ``Figure.save``."""
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _FILES:
        what = f"a figure cannot be written as '{path.name}'"
        raise SpecError(message(what, do="End the name with .png, .pdf or .svg"))
    if not path.parent.is_dir():
        what = f"there is no folder '{path.parent}' to write the figure to"
        raise SpecError(message(what, do="Make the folder first, or give another path"))
    if isinstance(dpi, bool) or not dpi >= 1:
        raise SpecError(message(f"dpi={dpi!r} is not a number of dots per inch", do="Give a number such as 220"))
    with figure_style():
        drawn = _drawn(figure)
        metadata = _FILES[kind]
        drawn.savefig(
            path, format=kind, dpi=dpi, metadata=metadata, facecolor="white", bbox_inches="tight", pad_inches=0.08
        )
    _close(drawn)
    return path


def _drawn(figure: Figure) -> MplFigure:
    """Return the matplotlib figure of a figure."""
    from matplotlib.figure import Figure as MplFigure

    drawn = figure.draw()
    if not isinstance(drawn, MplFigure):
        what = f"the figure '{figure.title}' did not draw a matplotlib figure but a {type(drawn).__name__}"
        raise ReportError(message(what, do="Let draw return the Figure, not its axes"))
    return drawn


def _svg_bytes(drawn: MplFigure) -> bytes:
    stream = io.BytesIO()
    drawn.savefig(stream, format="svg", metadata=_SVG_METADATA, facecolor="none")
    text = stream.getvalue().decode("utf-8")
    # Without its entries the block of metadata would name vocabularies by address and say nothing.
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!DOCTYPE[^>]*>\s*", "", text)
    # A thousandth of a point is finer than any printer; scales of letters keep their digits.
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda found: _DIGITS.sub(r"\1", found.group(0)), text)
    return text.encode("utf-8")


def _png_bytes(drawn: MplFigure) -> bytes:
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=PNG_DPI, metadata=_PNG_METADATA, facecolor="white")
    return stream.getvalue()


def _close(drawn: MplFigure) -> None:
    """Let pyplot forget a figure that it made; a figure made without pyplot is simply collected."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(drawn)


def inline_svg(svg: bytes, prefix: str, label: str) -> str:
    """Return an SVG as an HTML fragment: no declaration, ids of its own, in the colours of the page.

    Parameters
    ----------
    svg : bytes of a file made by ``draw``.
    prefix : put before each id, so that several figures can stand on one page.
    label : what the figure shows, for readers who cannot see it; it must be escaped by the caller already.
    """
    text = svg.decode("utf-8")
    text = text[text.index("<svg") :].rstrip()
    for drawn, page in _PAGE_COLOURS.items():
        text = text.replace(drawn, page)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', text)
    text = re.sub(r'\b(?:xlink:)?href="#([^"]+)"', rf'href="#{prefix}\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="([^"]+)"', head)
    if box is None:
        raise ReportError(message("a figure has no viewBox"))
    # The page's own style sheet joins lines as matplotlib's does, for all figures at once.
    body = re.sub(r'\s*<style type="text/css">.*?</style>', "", body, flags=re.DOTALL)
    body = re.sub(r"\s*<!--.*?-->", "", body, flags=re.DOTALL)
    used = set(re.findall(rf'href="#({re.escape(prefix)}[^"]+)"|url\(#({re.escape(prefix)}[^)]+)\)', body))
    named = {name for pair in used for name in pair if name}
    body = re.sub(r' id="([^"]+)"', lambda found: found.group(0) if found.group(1) in named else "", body)
    body = re.sub(r"\n\s+(?=<)", "\n", re.sub(r"<defs>\s*</defs>", "", body)).lstrip()
    return f'<svg viewBox="{box.group(1)}" role="img" aria-label="{label}">{body}'
