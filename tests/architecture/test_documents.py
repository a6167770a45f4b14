"""The documents are current: docs/api.md, docs/coverage.md, and every example in a page runs."""

from __future__ import annotations

import difflib
import re
import runpy
import warnings
from pathlib import Path

import pytest

import alliancekit as ak
from tests.architecture.support import ROOT, docs_script
from tests.reference import results

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_CODE = [p for p in PAGES if p.name != "api.md" and "```python" in p.read_text(encoding="utf-8")]


def compare(name: str, wanted: str, script: str) -> None:
    there = (ROOT / "docs" / name).read_text(encoding="utf-8")
    changes = "\n".join(list(difflib.unified_diff(there.splitlines(), wanted.splitlines(), lineterm="", n=0))[:60])
    assert there == wanted, f"docs/{name} is not current. Run: .venv/bin/python docs/{script}\n{changes}"


def test_every_public_signature_is_recorded() -> None:
    script = docs_script("make_api")
    compare("api.md", script.render(script.collect()), "make_api.py")


def test_every_public_thing_has_a_purpose() -> None:
    interface = docs_script("make_api").collect()
    entries = [entry for layer in interface.functions.values() for entry in layer]
    without = [entry.name for entry in entries if not entry.purpose]
    for cls in interface.classes.values():
        without += [cls.name] if not cls.purpose else []
        without += [f"{cls.name}.{m.name}" for m in cls.members if m.signature.startswith("(") and not m.purpose]
    assert not without


def test_every_public_function_names_its_types() -> None:
    interface = docs_script("make_api").collect()
    for entry in (entry for layer in interface.functions.values() for entry in layer):
        assert " -> " in entry.signature, f"ak.{entry.name} does not say what it returns"
    for name in ak._EXPORTS:
        value = getattr(ak, name)
        if not isinstance(value, type):
            untyped = set(value.__code__.co_varnames[: value.__code__.co_argcount]) - set(value.__annotations__)
            assert not untyped, f"ak.{name}: {sorted(untyped)} have no type"


def test_the_list_of_options_is_current() -> None:
    script = docs_script("make_coverage")
    compare("coverage.md", script.render(script.marks(), script.public_options()), "make_coverage.py")


def test_the_page_of_reference_results_has_every_family() -> None:
    text = results.PAGE.read_text(encoding="utf-8")
    assert set(results.counts_on_page(text)) == {p.stem.removeprefix("test_") for p in results.HERE.glob("test_*.py")}
    kinds = re.findall(r"^\| \w+ \| ([a-z]\w*) \| [\d,]+ \| (.*?) \| (\S+) \|", text, flags=re.MULTILINE)
    assert len(kinds) > 40
    for kind, tolerance, worst in kinds:
        assert tolerance == results.tolerance_text(kind)
        assert float(worst) <= 1.0


def known_options() -> set[str]:
    """Return every spelling of an option that a marker may use."""
    interface = docs_script("make_api").collect()
    found = set()
    for entry in (entry for layer in interface.functions.values() for entry in layer):
        found |= {entry.name} | {f"{entry.name}.{option}" for option in parameters(entry.signature)}
    for cls in interface.classes.values():
        for member in cls.members:
            found.add(f"{cls.name}.{member.name}")
            if member.signature.startswith("("):
                found |= {f"{cls.name}.{member.name}.{option}" for option in parameters(member.signature)}
    return found


def parameters(signature: str) -> list[str]:
    return re.findall(r"(?:^\(|, |\*)(\w+)(?=: )", signature)


def test_every_marker_names_an_option_that_exists() -> None:
    known = known_options()
    assert "mixed.method" in known and "MixedFit.tidy.ddf" in known
    wrong = [
        f"{m.option} in {m.test}" for m in docs_script("make_coverage").marks() if m.option.split("=")[0] not in known
    ]
    assert not wrong


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    script = tmp_path / f"{page.stem}_examples.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        space = runpy.run_path(str(script))
    assert "ak" in space, "the first example of a page imports alliancekit as ak"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"
