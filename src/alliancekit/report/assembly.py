"""From items to a document: numbers tables and figures, and withholds what the audit refuses.

The ``Document`` made here is complete and holds no layout: ``html.py`` and ``docx.py`` set the same content.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alliancekit.core.errors import ReportError, message
from alliancekit.report import present
from alliancekit.report.evidence import (
    Evidence,
    Placement,
    Refusal,
    audit_state,
    layer_of,
    r_calls,
    sample_lines,
    second_opinion_state,
    sources_of,
)
from alliancekit.report.figures_io import DrawnFigure, draw
from alliancekit.report.grid import Grid, lay_out
from alliancekit.report.parts import Banner, Equation, Figure, Sentence, Table
from alliancekit.report.tables_io import slug


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Short lines, one below the other."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Program text, with a line that says what it is."""

    caption: str
    text: str


@dataclass(frozen=True, slots=True)
class Quotable:
    """Sentences to copy into a manuscript, under the heading of the section they come from."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacedTable:
    """A table with its number, its cells as text and its file."""

    number: int
    table: Table
    grid: Grid
    file: str


@dataclass(frozen=True, slots=True)
class PlacedFigure:
    """A figure with its number, its drawing and its file, without ending."""

    number: int
    figure: Figure
    drawn: DrawnFigure
    file: str


Block = Paragraph | Listing | Code | Quotable | PlacedTable | PlacedFigure | Sentence | Equation | Banner


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A numbered section."""

    number: int
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of the box at the top; ``tone`` is "", "good", "warn" or "bad"."""

    label: str
    lines: tuple[str, ...]
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report, ready to be set."""

    title: str
    running_title: str
    summary: tuple[SummaryLine, ...]
    banners: tuple[Banner, ...]
    sections: tuple[PlacedSection, ...]
    evidence: Evidence

    @property
    def tables(self) -> list[PlacedTable]:
        """All tables, in order."""
        return [b for s in self.sections for b in s.blocks if isinstance(b, PlacedTable)]

    @property
    def figures(self) -> list[PlacedFigure]:
        """All figures, in order."""
        return [b for s in self.sections for b in s.blocks if isinstance(b, PlacedFigure)]


@dataclass
class Builder:
    """Places items one after another and counts tables and figures."""

    evidence: Evidence = field(default_factory=Evidence)
    sections: list[PlacedSection] = field(default_factory=list)
    answers: list[Sentence] = field(default_factory=list)
    held_back: list[Refusal] = field(default_factory=list)
    quotable: list[Quotable] = field(default_factory=list)
    _tables: int = 0
    _figures: int = 0

    def add_section(self, heading: str, items: Iterable[Any]) -> None:
        """Place a section; sentences that may be copied are kept for the manuscript block."""
        number = len(self.sections) + 1
        blocks: list[Block] = []
        copyable: list[str] = []
        for item in items:
            block = self._place(item, f"{number} {heading}")
            blocks.append(block)
            if isinstance(block, Sentence) and self.evidence.refused(block) is None:
                copyable.append(block.text)
        if copyable:
            self.quotable.append(Quotable(heading, " ".join(dict.fromkeys(copyable))))
        self.sections.append(PlacedSection(number, heading, tuple(blocks)))

    def reserve_table(self, heading: str) -> tuple[int, int]:
        """Keep a place for a section of one table that can be made only when all others stand.

        Returns
        -------
        (position of the section, number of its table), for ``fill_table``.
        """
        self._tables += 1
        self.sections.append(PlacedSection(len(self.sections) + 1, heading, ()))
        return len(self.sections) - 1, self._tables

    def fill_table(self, place: tuple[int, int], text: str, table: Table) -> None:
        """Put text and table into a reserved place."""
        position, number = place
        section = self.sections[position]
        placed = PlacedTable(number, table, lay_out(table), _table_file(number, table))
        self.sections[position] = replace(section, blocks=(Paragraph(text), placed))

    def _place(self, item: Any, section: str) -> Block:
        sources = sources_of(item)
        if isinstance(item, Table):
            self._tables += 1
            placed: Block = PlacedTable(self._tables, item, lay_out(item), _table_file(self._tables, item))
            self._note("table", item, sources, section, f"Table {self._tables}")
        elif isinstance(item, Figure):
            self._figures += 1
            name = f"figures/figure-{self._figures:02d}-{slug(item.title)}"
            placed = PlacedFigure(self._figures, item, draw(item), name)
            self._note("figure", item, sources, section, f"Figure {self._figures}")
        elif isinstance(item, Sentence):
            return self._place_sentence(item, sources, section)
        else:
            placed = Paragraph(item) if isinstance(item, str) else item
            kind = type(placed).__name__.lower()
            self._note(kind, item, sources, section, f"Section {section.split(' ')[0]}")
        return placed

    def _place_sentence(self, item: Sentence, sources: tuple[Any, ...], section: str) -> Block:
        refusal = self.evidence.withheld(item)
        where = f"Section {section.split(' ')[0]}"
        if refusal is not None:
            self.held_back.append(refusal)
            self._note("withheld", item, sources, section, where)
            return Banner(f"The answer is withheld here: the check “{refusal.check}” refuses it.", tone="bad")
        if item.headline:
            self.answers.append(item)
        self._note("sentence", item, sources, section, where)
        return item

    def _note(self, kind: str, item: Any, sources: tuple[Any, ...], section: str, where: str) -> None:
        self.evidence.placements.append(Placement(kind, item, sources, section, where))


def _table_file(number: int, table: Table) -> str:
    return f"tables/table-{number:02d}-{slug(table.title)}.csv"


def expand(items: Sequence[Any]) -> list[Any]:
    """Return the parts of a section: results become their table and, where they have one, their sentence.

    Raises
    ------
    ReportError : something that can stand in no report.
    """
    parts: list[Any] = []
    for item in items:
        if isinstance(item, list | tuple):
            parts += expand(item)
        elif isinstance(item, Paragraph | Listing | Code | Quotable | Table | Figure | Sentence | Equation | Banner):
            parts.append(item)
        elif isinstance(item, str):
            parts += [" ".join(p.split()) for p in item.split("\n\n") if p.strip()]
        elif layer_of(item):
            parts += _result_parts(item)
        else:
            raise ReportError(
                message(
                    f"a {type(item).__name__} cannot stand in a report",
                    do='Hand over text, a result of alliancekit, or wrap a frame: Table("Title", frame)',
                )
            )
    return parts


def _result_parts(result: Any) -> list[Any]:
    if not present.can_present(result, "table") and hasattr(result, "tidy"):
        return [Table(_title_of(result), result.tidy(), source=result)]
    parts: list[Any] = [present.table(result), *present.more_tables(result)]
    if present.can_present(result, "sentence"):
        # A layer has one function for all its types; a type without a sentence says so with this error.
        with contextlib.suppress(ReportError):
            parts.append(present.sentence(result))
    return parts


def _title_of(result: Any) -> str:
    name = type(result).__name__
    return "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name))


def summarise(
    builder: Builder, question: str, data_tag: str, *, withheld_words: str = "Withheld. See the notice above."
) -> tuple[SummaryLine, ...]:
    """Return the box at the top: question, answer, sample, origin of the data, second opinion, audit."""
    evidence = builder.evidence
    lines = []
    if question:
        lines.append(SummaryLine("Question", (question,)))
    answers = tuple(dict.fromkeys(a.text for a in builder.answers))
    if builder.held_back:
        lines.append(SummaryLine("Answer", (*answers, withheld_words), "bad"))
    elif answers:
        lines.append(SummaryLine("Answer", answers))
    else:
        lines.append(SummaryLine("Answer", ("No answer sentence was placed in this report.",), "warn"))
    samples = sample_lines(evidence)
    if samples:
        lines.append(SummaryLine("Sample", tuple(samples)))
    lines.append(SummaryLine("Data", (data_tag,)))
    tone, words = second_opinion_state(evidence)
    lines.append(SummaryLine("Second opinion", (_sentence_case(words),), tone))
    tone, words = audit_state(evidence)
    lines.append(SummaryLine("Assumption checks", (_sentence_case(words),), tone))
    return tuple(lines)


def refusal_banners(builder: Builder) -> list[Banner]:
    """Return one notice per check that refuses, saying why the headline is missing."""
    banners = []
    for refusal in builder.evidence.refusals:
        effect = "The answer to the question is withheld" if builder.held_back else "A result was refused"
        evidence = refusal.evidence.rstrip(". ")
        advice = f" {_sentence_case(refusal.advice).rstrip('. ')}." if refusal.advice else ""
        banners.append(Banner(f"{effect}: the check “{refusal.check}” refuses it ({evidence}).{advice}", tone="bad"))
    return list(dict.fromkeys(banners))


def r_code(builder: Builder) -> list[Code]:
    """Return the fits as R code, leaving out those that stand beside an equation already."""
    shown = {p.item.r_call for p in builder.evidence.placements if isinstance(p.item, Equation)}
    return [
        Code("R code for another model of this report", call) for call in r_calls(builder.evidence) if call not in shown
    ]


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
