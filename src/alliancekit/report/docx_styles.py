"""Styles, page and running head of the Word file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from alliancekit.report.docx_xml import element, run

FONT: Final = "Times New Roman"
CODE_FONT: Final = "Courier New"
EQUATION_FONT: Final = "Cambria Math"
_TWIPS_PER_MM: Final = 56.6929


@dataclass(frozen=True, slots=True)
class Page:
    """A page: width, height and margin in twentieths of a point."""

    width: int
    height: int
    margin: int

    @property
    def text_width(self) -> int:
        """Width of the text in twentieths of a point."""
        return self.width - 2 * self.margin


PORTRAIT: Final = Page(round(210 * _TWIPS_PER_MM), round(297 * _TWIPS_PER_MM), round(25 * _TWIPS_PER_MM))
LANDSCAPE: Final = Page(PORTRAIT.height, PORTRAIT.width, PORTRAIT.margin)


@dataclass(frozen=True, slots=True)
class _Look:
    """How a paragraph style looks: sizes and spaces in points."""

    size: float = 11.0
    before: float = 0.0
    after: float = 6.0
    lines: float = 1.15
    bold: bool = False
    italic: bool = False
    indent: float = 0.0
    font: str = FONT
    side: str = ""
    keep: bool = False
    bar: str = ""


_LOOKS: Final = {
    "Normal": _Look(),
    "Title": _Look(size=16, after=12, lines=1.05, bold=True, keep=True),
    "Heading 1": _Look(size=13, before=20, after=6, lines=1.05, bold=True, keep=True),
    "Caption": _Look(before=14, after=4, lines=1.1, keep=True),
    "List Bullet": _Look(after=2),
    "Table Text": _Look(size=9.5, after=0, lines=1.0),
    "Table Number": _Look(size=9.5, after=0, lines=1.0, side="right"),
    "Table Centre": _Look(size=9.5, after=0, lines=1.0, side="center"),
    "Table Note": _Look(size=9.5, before=3, after=8, lines=1.0),
    "Figure": _Look(after=2, keep=True),
    "Label": _Look(size=9.5, before=6, after=2, italic=True, keep=True),
    "Quotable": _Look(indent=14, after=8),
    "Code": _Look(size=8.5, after=0, lines=1.0, indent=14, font=CODE_FONT, keep=True),
    "Code Last": _Look(size=8.5, after=8, lines=1.0, indent=14, font=CODE_FONT),
    "Equation": _Look(after=1, indent=14, font=EQUATION_FONT, keep=True),
    "Where": _Look(size=10, after=6, indent=14),
    "Running Head": _Look(size=9.5, after=0, lines=1.0),
    "Table End": _Look(size=4, after=4, lines=1.0),
    "Table Small": _Look(size=8.5, after=0, lines=1.0),
    "Table Number Small": _Look(size=8.5, after=0, lines=1.0, side="right"),
    "Table Tiny": _Look(size=7.5, after=0, lines=1.0),
    "Table Number Tiny": _Look(size=7.5, after=0, lines=1.0, side="right"),
    "Notice": _Look(size=10.5, after=8, indent=8, bar="4F6F9F"),
    "Notice Warn": _Look(size=10.5, after=8, indent=8, bar="B07A10"),
    "Notice Bad": _Look(size=10.5, after=8, indent=8, bar="A3262A"),
}


def prepare(word: Any, title: str, running_title: str) -> None:
    """Set styles, page, running head and properties of a new document."""
    for name, look in _LOOKS.items():
        _set_style(word, name, look)
    set_page(word.sections[0], PORTRAIT)
    _running_head(word.sections[0], running_title)
    properties = word.core_properties
    properties.title = title
    properties.author = ""
    properties.comments = ""
    properties.keywords = ""
    properties.last_modified_by = ""
    properties.language = "en"


def set_page(section: Any, page: Page) -> None:
    """Give a section of the document the form of a page."""
    from docx.enum.section import WD_ORIENT
    from docx.shared import Twips

    section.orientation = WD_ORIENT.LANDSCAPE if page.width > page.height else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Twips(page.width), Twips(page.height)
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(section, side, Twips(page.margin))
    section.header_distance = Twips(page.margin // 2)


def strip(word: Any) -> None:
    """Take out what knows a time (dates of the properties), and what the template brings but no report uses."""
    from docx.enum.style import WD_STYLE_TYPE

    root = word.core_properties._element
    for child in list(root):
        if child.tag.rsplit("}", 1)[-1] in ("created", "modified", "lastPrinted", "revision"):
            root.remove(child)
    unused = ("/thumbnail", "/stylesWithEffects", "/customXml")
    for relations in (word.part.package.rels, word.part.rels):
        for key in [k for k, relation in relations.items() if relation.reltype.endswith(unused)]:
            del relations[key]
    styles = word.styles.element
    for style in [s for s in styles.style_lst if s.type is not None and s.type == WD_STYLE_TYPE.TABLE]:
        if style.styleId != "TableNormal":
            styles.remove(style)


def _set_style(word: Any, name: str, look: _Look) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.shared import Pt, RGBColor

    styles = word.styles
    style = styles[name] if name in [s.name for s in styles] else styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    if name not in ("Normal",):
        style.base_style = styles["Normal"]
    style.hidden = False
    style.quick_style = True
    _set_font(style, look.font)
    _plain_letters(style)
    style.font.size = Pt(look.size)
    style.font.bold, style.font.italic = look.bold, look.italic
    style.font.color.rgb = RGBColor(0, 0, 0)
    form = style.paragraph_format
    form.space_before, form.space_after = Pt(look.before), Pt(look.after)
    form.line_spacing = look.lines
    form.keep_with_next = look.keep
    form.widow_control = True
    if look.indent:
        form.left_indent = Pt(look.indent)
    if look.side:
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        form.alignment = {"right": WD_ALIGN_PARAGRAPH.RIGHT, "center": WD_ALIGN_PARAGRAPH.CENTER}[look.side]
    _set_borders(style, look.bar)


def _set_font(style: Any, font: str) -> None:
    """Name the font for every script, and take out the theme's fonts, which would win."""
    from docx.oxml.ns import qn

    style.font.name = font
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for attribute in list(fonts.attrib):
        del fonts.attrib[attribute]
    for script in ("ascii", "hAnsi", "eastAsia", "cs"):
        fonts.set(qn(f"w:{script}"), font)


def _plain_letters(style: Any) -> None:
    """Take out the template's spaced-out letters."""
    properties = style.element.get_or_add_rPr()
    for child in list(properties):
        if child.tag.rsplit("}", 1)[-1] in ("spacing", "kern"):
            properties.remove(child)


def _set_borders(style: Any, bar: str) -> None:
    """Take out the template's borders; draw a bar at the left of a notice."""
    from docx.oxml.ns import qn

    properties = style.element.get_or_add_pPr()
    for old in properties.findall(qn("w:pBdr")):
        properties.remove(old)
    if bar:
        line = f'<w:pBdr><w:left w:val="single" w:sz="18" w:space="6" w:color="{bar}"/></w:pBdr>'
        # The schema wants borders after what keeps lines together and before the spaces.
        before = ("pStyle", "keepNext", "keepLines", "pageBreakBefore", "framePr", "widowControl", "numPr")
        position = sum(child.tag.rsplit("}", 1)[-1] in before for child in properties)
        properties.insert(position, element(line))


def _running_head(section: Any, text: str) -> None:
    """Set the short title at the left of each page and its number at the right."""
    header = section.header
    header.is_linked_to_previous = False
    holder = header.paragraphs[0]._p
    for child in list(holder):
        holder.remove(child)
    holder.append(
        element(
            '<w:pPr><w:pStyle w:val="RunningHead"/><w:tabs>'
            f'<w:tab w:val="right" w:pos="{PORTRAIT.text_width - 10}"/></w:tabs></w:pPr>'
        )
    )
    page = '<w:fldSimple w:instr=" PAGE "><w:r><w:t>1</w:t></w:r></w:fldSimple>'
    for piece in (run(text), "<w:r><w:tab/></w:r>", page):
        if piece:
            holder.append(element(piece))
