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
    tables = re.findall(r"<w:tbl>.*?</w:tbl>", xml, flags=re.DOTALL)
    # The outline of the text, and two tables in full, one row to a line.
    outline = re.sub(r"<w:tbl>.*?</w:tbl>", "<w:p><w:r><w:t>TABLE</w:t></w:r></w:p>", xml, flags=re.DOTALL)
    lines = []
    for paragraph in re.findall(r"<w:p>.*?</w:p>", outline, flags=re.DOTALL):
        style = re.search(r'<w:pStyle w:val="(\w+)"', paragraph)
        text = "".join(re.findall(r"<w:t[ >][^<]*|<w:br/>|<w:drawing>", paragraph))
        text = re.sub(r"<w:t[^>]*>", "", text).replace("<w:br/>", " / ").replace("<w:drawing>", "DRAWING")
        lines.append(f"{style.group(1) if style else 'Normal'}: {text}")
    lines += [re.sub(r"(</w:(?:tr|tblPr|tblGrid)>)", r"\1\n", tables[i]) for i in (0, 3)]
    made = re.sub(r"Computed with Python .*", "Computed with VERSIONS.", "\n".join(lines))
    compare("demo-document.txt", made)
