from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.parts import Banner, Equation, Figure, Sentence, Table
from tests.unit.report import demo

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Tree(HTMLParser):
    """Reads a page strictly: tags must nest; attributes and text are kept."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))


@pytest.fixture(scope="module")
def page() -> str:
    return demo.report().html()


@pytest.fixture(scope="module")
def tree(page: str) -> Tree:
    return Tree(page)


def test_nothing_is_asked_from_outside(page: str, tree: Tree) -> None:
    for tag, attributes in tree.tags:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base", "form")
        for name in ("src", "href", "xlink:href", "action", "poster", "data", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith("#"), (tag, name, value)
        assert not [a for a in attributes if a.startswith("on")]
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    assert "://" not in page


def test_the_content_policy_lets_only_the_pages_own_script_run(page: str, tree: Tree) -> None:
    import base64
    import hashlib

    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = next(a["content"] for t, a in tree.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_labels_cannot_become_tags(page: str, tree: Tree) -> None:
    assert demo.HOSTILE not in page
    assert sum(tag == "script" for tag, _ in tree.tags) == 1
    assert any(demo.HOSTILE in text for _, text in tree.text)


@pytest.mark.parametrize(
    "evil", ["<img src=x onerror=alert(1)>", '"><script>1</script>', "{{ 7 * 7 }}", "</style><b>", "a & b"]
)
def test_every_text_of_every_part_is_escaped(evil: str) -> None:
    def draw() -> object:
        from alliancekit.report.style import new_figure

        figure, axes = new_figure()
        axes.set_title(evil.replace("$", ""))
        return figure

    frame = pd.DataFrame({"group": [evil], "x": [evil], evil: [1.0]})
    table = Table(evil, frame, group="group", labels={"x": evil}, spans={evil: ("x",)}, notes=(evil,))
    report = ak.Report(evil, question=evil, running_title=evil)
    report.section(evil, evil, table, Figure(evil, draw, caption=evil, alt=evil), Sentence(evil, headline=True))
    report.section(
        evil, Equation((evil,), r_call=evil, python_call=evil, where=(evil,)), Banner(evil), Banner(evil, tone="bad")
    )
    page = report.html()
    body = page[page.index("<body>") :]
    plain = Tree(page)
    assert evil == "a & b" or evil == "{{ 7 * 7 }}" or evil not in body
    assert (
        "49" not in re.sub(r"<(svg|style).*?</\1>", "", page.split("</head>")[1], flags=re.DOTALL) or "{{" not in evil
    )
    assert not [t for t, _ in plain.tags if t == "img"]
    shown = [text for _, text in plain.text if evil.strip() in text.replace("\u00a0", " ")]
    assert len(shown) >= 12


def test_structure(tree: Tree) -> None:
    names = [t for t, _ in tree.tags]
    assert names.count("h1") == 1
    ids = [a["id"] for _, a in tree.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] for t, a in tree.tags if t == "a"]
    assert all(link is not None and link[1:] in ids for link in links)
    assert {"viewport"} <= {a.get("name") for t, a in tree.tags if t == "meta"}
    assert all("scope" in a for t, a in tree.tags if t == "th")


def test_sections_and_tables_are_numbered(tree: Tree) -> None:
    headings = [text for tag, text in tree.text if tag == "h2"]
    assert headings[:3] == ["Sample", "The Alliance and Symptoms", "Assumptions"]
    assert headings[-3:] == ["Text for the Manuscript", "Software and Reproduction", "Reporting Standards Covered"]
    captions = [text for tag, text in tree.text if tag == "b" and text.startswith("Table")]
    assert captions == [f"Table {i}" for i in range(1, len(captions) + 1)]


def test_symbols_stand_in_italics_and_signs_do_not_break(page: str) -> None:
    assert "<i>p</i>\u00a0&lt;\u00a0.001" in page
    assert "<i>b</i>\u00a0=\u00a0−0.83" in page


def test_the_page_works_without_scripts(page: str) -> None:
    body = page[page.index("<body>") :]
    assert re.search(r'<button id="theme"[^>]* hidden>', body)
    assert all("hidden" in b for b in re.findall(r"<button[^>]*>", body))


def test_themes_and_paper(page: str) -> None:
    css = page[page.index("<style>") : page.index("</style>")]
    for needed in (
        "prefers-color-scheme: dark",
        '[data-theme="dark"]',
        "@media print",
        "break-inside: avoid",
        "position: sticky",
    ):
        assert needed in css


def test_both_dark_themes_have_the_same_colours() -> None:
    from importlib import resources

    css = resources.files("alliancekit.report").joinpath("templates/report.css").read_text("utf-8")
    blocks = [re.sub(r"\s+", " ", b) for b in re.findall(r"(--paper: #15171a;.*?)\}", css, flags=re.DOTALL)]
    assert len(blocks) == 2
    assert blocks[0] == blocks[1]


def test_a_notebook_shows_the_page_apart(page: str) -> None:
    shown = demo.report()._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown


def _models(count: int) -> Table:
    """Return a model-building table of as many models."""
    columns: dict[str, list[object]] = {"term": ["(Intercept)", "session:wai_sr_task_between"]}
    spans = {}
    for number in range(1, count + 1):
        spans[f"Model {number}"] = (f"estimate_{number}", f"std_error_{number}")
        columns |= {f"estimate_{number}": [8643.25, -3.631], f"std_error_{number}": [13.731, 0.842]}
    kinds = {name: "estimate" for pair in spans.values() for name in pair}
    labels = {name: "SE" if name.startswith("std") else "Estimate" for name in kinds}
    return Table("Models", pd.DataFrame(columns), stub=("term",), kinds=kinds, labels=labels, spans=spans)


@pytest.mark.parametrize(
    ("models", "classes"),
    [(2, "table"), (4, "table wide"), (6, "table wide tight"), (8, "table wide tight tightest")],
)
def test_the_more_models_stand_side_by_side_the_smaller_the_type(models: int, classes: str) -> None:
    report = ak.Report("Models")
    report.section("Side by side", _models(models))
    page = report.html()
    found = [a["class"] for t, a in Tree(page).tags if t == "figure" and a.get("id") == "table-1"]
    assert found == [f"{classes} short"]
    assert ('id="section-1" class=turned' in page) == ("tightest" in classes)
