"""``Report``: sections of text and results in, one folder with page, Word file, tables, figures and manifest out."""

from __future__ import annotations

import contextlib
import html
import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.core.files import write_many
from alliancekit.report import closing
from alliancekit.report.assembly import (
    Builder,
    Document,
    Paragraph,
    expand,
    r_code,
    refusal_banners,
    summarise,
)
from alliancekit.report.checklist import CHECKLIST_TEXT, checklist_table
from alliancekit.report.docx import write_docx
from alliancekit.report.evidence import PARTS, sources_of, unstated_by
from alliancekit.report.grid import exported
from alliancekit.report.html import write_html
from alliancekit.report.manifest import (
    Script,
    data_hashes,
    find_script,
    make_manifest,
    shown_folder,
    target_folder,
)
from alliancekit.report.parts import Banner
from alliancekit.report.tables_io import frame_to_csv

DATA_TAGS = {
    "simulated": "Simulated; the truth is known.",
    "real": "Real data; the truth is not known.",
    "": "Origin not stated.",
}


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    items: tuple[Any, ...]
    parts: tuple[Any, ...] = ()
    """The items as what is printed: tables, figures, sentences, text."""


class Report:
    """A report: sections of text, tables, figures and results, written as one folder.

    Parameters
    ----------
    title : title of the report, in title case.
    study : the ``Study`` (or ``Simulated``) that the results come from: its log, files and scoring keys are printed.
        None prints "derivation not recorded".
    question : the question the report answers, for the box at the top.
    data : "simulated" or "real"; None takes "simulated" where a simulated study is handed over or placed, and else
        states no origin.
    seed : random seed of the script; seeds that results carry are found by themselves.
    script : path of the script that makes the report; None finds the running one.
    running_title : short title on each page of the Word file; None takes the title, cut to 60 characters.

    Raises
    ------
    ReportError : an empty title. SpecError : an unknown word for ``data``.

    Notes
    -----
    A headline sentence whose model the assumption checks refuse is withheld, and a notice says which check; so is a
    headline that names no source while any check refuses. Every report ends with the derivation of the data, text to
    copy, software, and the reporting standards it covers. The environment variable ``ALLIANCEKIT_REPORT_ROOT``
    redirects ``write`` to the same place below another folder; ``alliancekit verify`` uses it.

    Checked against
    ---------------
    Publication Manual of the American Psychological Association (7th ed., 2020), chapters 6 and 7, for numbers, tables
    and figures.

    When not to use
    ---------------
    For one table in a notebook: ``ak.table(fit)`` is enough. For text with pictures around few numbers: a word
    processor does that better.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from alliancekit.report.parts import Table
    >>> report = Report("Alliance and Outcome", question="Does the alliance predict outcome?")
    >>> made = Table("Means of the Alliance", pd.DataFrame({"session": [1, 2], "mean": [3.91, 4.02]}))
    >>> folder = report.section("Results", "The alliance rose.", made).write(tempfile.mkdtemp() + "/demo")
    >>> sorted(p.name for p in folder.iterdir())
    ['manifest.json', 'report.docx', 'report.html', 'tables']
    """

    def __init__(
        self,
        title: str,
        study: Any = None,
        *,
        question: str = "",
        data: str | None = None,
        seed: int | None = None,
        script: str | Path | None = None,
        running_title: str | None = None,
    ) -> None:
        if not title.strip():
            raise ReportError(message("a report needs a title"))
        if data is not None:
            check_option("data", data, ["simulated", "real"])
        self.title = " ".join(title.split())
        self.question = " ".join(question.split())
        self.study = getattr(study, "study", study)
        self.running_title = (
            running_title if running_title is not None else textwrap.shorten(self.title, 60, placeholder=" …")
        )
        self._simulated = study if self.study is not study else None
        self._data = data
        self._seed = seed
        self._script = script
        self._sections: list[_Section] = []

    def __repr__(self) -> str:
        """Show the title and the headings."""
        headings = ", ".join(s.heading for s in self._sections) or "no sections yet"
        return f"Report({self.title!r}: {headings})"

    def section(self, heading: str, *items: Any) -> Report:
        """Add a section and return the report.

        Parameters
        ----------
        heading : heading, in title case.
        *items : text (a paragraph; an empty line starts another), Table, Figure, Sentence, Equation, Banner, any result
            of alliancekit (its table, and its sentence where it has one), or lists of these.

        Raises
        ------
        ReportError : an empty heading, an item that cannot stand in a report, or a structural model whose call did not
            say what to do with missing values.
        """
        if not heading.strip():
            raise ReportError(message("a section needs a heading"))
        for item in _flatten(items):
            option = unstated_by(item)
            if option:
                what = f"the model does not say {option}=, and a report must state it"
                raise ReportError(message(what, where=heading, do=f'Give {option}="fiml" or {option}="listwise"'))
        # What cannot be printed is refused here, where the line of the script shows, not when the report is written.
        self._sections.append(_Section(" ".join(heading.split()), items, tuple(expand(items))))
        return self

    def limits(self, *texts: str) -> Report:
        """Add the section "Limits": what the data and the methods cannot say."""
        return self.section(closing.LIMITS, *texts)

    def checklist(self) -> Report:
        """Place the checklist of reporting standards here; without this call it is the last section."""
        self._sections.append(_Section(closing.CHECKLIST, ()))
        return self

    def assemble(self, folder: str = "") -> Document:
        """Return the document: numbered, with what the audit withholds left out.

        Parameters
        ----------
        folder : where the report is written, as it may be printed.
        """
        builder = Builder()
        evidence = builder.evidence
        parts = [(s, list(s.parts)) for s in self._sections]
        evidence.note_results(i for s in self._sections for i in _flatten(s.items) if not _is_part(i))
        evidence.note_results(source for _, items in parts for item in items for source in sources_of(item))
        if self._simulated is not None:
            evidence.note_results([self._simulated])
        checklist_place: tuple[int, int] | None = None
        for section, items in parts:
            if section.heading == closing.CHECKLIST and not section.items:
                checklist_place = checklist_place or builder.reserve_table(closing.CHECKLIST)
            else:
                builder.add_section(section.heading, items)
        builder.add_section(closing.DERIVATION, closing.derivation_items(self.study, evidence))
        if builder.quotable:
            words = Paragraph("These sentences are made from the tables above; copy them as they are.")
            builder.add_section(closing.MANUSCRIPT, [words, *builder.quotable])
        builder.add_section(
            closing.SOFTWARE,
            closing.software_items(
                evidence=evidence,
                seeds=self._seeds(builder),
                script=self._find_script(),
                folder=folder,
                code=r_code(builder),
            ),
        )
        place = checklist_place or builder.reserve_table(closing.CHECKLIST)
        builder.fill_table(place, CHECKLIST_TEXT, checklist_table(evidence, self.question))
        return Document(
            title=self.title,
            running_title=self.running_title,
            summary=summarise(builder, self.question, self._data_tag(builder)),
            banners=tuple(self._banners(builder)),
            sections=tuple(builder.sections),
            evidence=evidence,
        )

    def html(self) -> str:
        """Return the page as text."""
        return write_html(self.assemble())

    def _repr_html_(self) -> str:
        """Show the page in a notebook, apart from the notebook's own styles."""
        page = html.escape(self.html(), quote=True)
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width:100%;height:48rem;border:0"></iframe>'

    def write(self, folder: str | Path) -> Path:
        """Write the report: all of its files, or none.

        Parameters
        ----------
        folder : folder to write to, such as "reports/s02"; made when absent. Files of an earlier run of this report
            that it no longer makes are removed; others are left alone.

        Returns
        -------
        the folder that was written, with report.html, report.docx, tables/*.csv, figures/*.svg and .png, manifest.json.

        Raises
        ------
        ReportError : a part of the report cannot be made; nothing is written then.
        """
        document = self.assemble(shown_folder(folder))
        files: dict[str, bytes] = {
            "report.html": write_html(document).encode("utf-8"),
            "report.docx": write_docx(document),
        }
        for placed in document.tables:
            files[placed.file] = frame_to_csv(exported(placed.table))
        for drawn in document.figures:
            files[f"{drawn.file}.svg"] = drawn.drawn.svg
            files[f"{drawn.file}.png"] = drawn.drawn.png
            if drawn.figure.data is not None:
                files[f"{drawn.file}.csv"] = frame_to_csv(drawn.figure.data)
        files["manifest.json"] = make_manifest(
            document,
            files,
            data=data_hashes(self.study, document.evidence),
            script=self._find_script(),
            seeds=self._all_seeds(document.evidence.seeds),
            keys=closing.key_states(self.study),
        )
        target = target_folder(folder)
        before = _files_of_earlier_run(target)
        write_many(target, files)
        _remove(target, [name for name in before if name not in files])
        return target

    def _find_script(self) -> Script | None:
        return find_script(self._script)

    def _seeds(self, builder: Builder) -> list[int]:
        return self._all_seeds(builder.evidence.seeds)

    def _all_seeds(self, found: Sequence[int]) -> list[int]:
        return list(dict.fromkeys([*([self._seed] if self._seed is not None else []), *found]))

    def _data_tag(self, builder: Builder) -> str:
        placed = [r for r in builder.evidence.results if hasattr(r, "truth") and hasattr(r, "study")]
        return DATA_TAGS[self._data or ("simulated" if placed else "")]

    def _banners(self, builder: Builder) -> list[Banner]:
        return [*refusal_banners(builder), *closing.key_banners(closing.key_states(self.study))]


def _flatten(items: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        flat += _flatten(item) if isinstance(item, list | tuple) else [item]
    return flat


def _is_part(item: Any) -> bool:
    return isinstance(item, PARTS) or type(item).__module__.startswith("alliancekit.report.")


def _files_of_earlier_run(folder: Path) -> list[str]:
    """Return the files that the manifest in a folder names; none where there is no readable manifest."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        named = json.loads((folder / "manifest.json").read_text("utf-8")).get("files", {})
        return [str(name) for name in named if ".." not in Path(name).parts and not Path(name).is_absolute()]
    return []


def _remove(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()
