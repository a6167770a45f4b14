"""Small pieces of WordprocessingML: runs, paragraphs, captions. Text is escaped here and nowhere else."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

from alliancekit.report.formatting import italic_runs, keep_together

# Characters that XML 1.0 forbids.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def text_of(text: str) -> str:
    """Return text ready for XML: escaped, forbidden characters replaced by U+FFFD."""
    return escape(_FORBIDDEN.sub("\ufffd", text))


def run(
    text: str, *, italic: bool = False, bold: bool = False, superscript: bool = False, keep_spaces: bool = False
) -> str:
    """Return one run; empty text gives nothing."""
    if not text:
        return ""
    marks = ("<w:b/>" if bold else "") + ("<w:i/>" if italic else "")
    marks += '<w:vertAlign w:val="superscript"/>' if superscript else ""
    properties = f"<w:rPr>{marks}</w:rPr>" if marks else ""
    shown = text.replace(" ", "\u00a0") if keep_spaces and text.startswith(" ") else text
    return f'<w:r>{properties}<w:t xml:space="preserve">{text_of(shown)}</w:t></w:r>'


def runs(text: str, *, bold: bool = False) -> str:
    """Return running text with the symbols of statistics in italics."""
    return "".join(run(keep_together(part), italic=italic, bold=bold) for part, italic in italic_runs(text))


def style_id(name: str) -> str:
    """Return the id that Word's template gives a style: its name without spaces."""
    return name.replace(" ", "")


def paragraph_xml(style: str, content: str, *, extra: str = "") -> str:
    """Return a paragraph as text; ``extra`` goes into its properties after the style."""
    chosen = f'<w:pStyle w:val="{style_id(style)}"/>' if style != "Normal" else ""
    properties = f"<w:pPr>{chosen}{extra}</w:pPr>" if chosen or extra else ""
    return f"<w:p>{properties}{content}</w:p>"


def element(xml: str) -> Any:
    """Return the element of a piece of WordprocessingML."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    head, rest = re.match(r"<([\w:]+)(.*)", xml, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    return parse_xml(f"<{head} {nsdecls('w')}{rest}")


def paragraph(style: str, content: str, *, extra: str = "") -> Any:
    """Return a paragraph as an element."""
    return element(paragraph_xml(style, content, extra=extra))


def caption(word: str, number: int, title: str) -> Any:
    """Return a caption with Word's own counter: "Table 1" in bold, the title below in italics."""
    shown = run(str(number), bold=True)
    field = f'<w:fldSimple w:instr=" SEQ {word} \\* ARABIC ">{shown}</w:fldSimple>'
    return paragraph("Caption", run(f"{word} ", bold=True) + field + "<w:r><w:br/></w:r>" + run(title, italic=True))
