"""The demonstration report, kept as it was last looked at: a change of a page must be meant.

After a change that is meant: ``UPDATE_SNAPSHOTS=1 python -m pytest tests/snapshots``, and look at the difference.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path

import pytest

from alliancekit.report.docx import write_docx
from tests.unit.report import demo

KEPT = Path(__file__).parent / "report"


def without_versions(text: str) -> str:
    """Leave out what an update of a package changes: versions, and the strokes of drawings."""
    text = re.sub(r"Computed with Python [^<]*", "Computed with VERSIONS.", text)
    return re.sub(r"(<svg [^>]*>).*?</svg>", r"\1DRAWING</svg>", text, flags=re.DOTALL)


def compare(name: str, made: str) -> None:
    path = KEPT / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, "utf-8")
    assert path.read_text("utf-8") == made


@pytest.mark.parametrize(("name", "refuse"), [("demo.html", False), ("demo-refused.html", True)])
def test_page(name: str, refuse: bool) -> None:
    page = without_versions(demo.report(refuse=refuse).html())
    compare(name, page[page.index("<body>") : page.rindex("<script>")])


def test_word_file() -> None:
    data = write_docx(demo.report().assemble())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        xml = archive.read("word/document.xml").decode("utf-8")
    xml = re.sub(r"Computed with Python [^<]*", "Computed with VERSIONS.", xml)
    body = xml[xml.index("<w:body>") :]
    # One paragraph, row or table to a line, so that a difference can be read.
    compare("demo-document.xml", re.sub(r"(</w:(?:p|tr|tbl|tblPr|tblGrid)>)", r"\1\n", body))
