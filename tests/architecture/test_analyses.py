"""Analyses are short and use only what docs/api.md lists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.support import ROOT, docs_script, tree

SCRIPTS = sorted((ROOT / "analyses").glob("*.py"))


class Names(ast.NodeVisitor):
    """Follows which variable holds which class, and collects the names that the interface does not have."""

    def __init__(self) -> None:
        interface = docs_script("make_api").collect()
        self.functions = {entry.name: entry for layer in interface.functions.values() for entry in layer}
        self.classes = interface.classes
        self.known = {*self.functions, *self.classes, *(e.name for e in interface.errors), "__version__"}
        self.held: dict[str, str | None] = {}
        self.used: set[str] = set()
        self.wrong: list[str] = []

    def kind(self, node: ast.AST) -> str | None:
        """Return the name of the class that an expression gives, where that can be known."""
        if isinstance(node, ast.Name):
            return self.held.get(node.id)
        if isinstance(node, ast.Attribute):
            member = self.member(self.kind(node.value), node.attr)
            return member.gives if member is not None and member.signature.startswith(":") else None
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        owner, name = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and owner.id == "ak":
            if name in self.classes:
                return name
            gives = self.functions[name].gives if name in self.functions else None
            return self.kind(node.args[0]) if gives == "same" and node.args else gives
        member = self.member(self.kind(owner), name)
        return member.gives if member is not None else None

    def member(self, cls: str | None, name: str):  # type: ignore[no-untyped-def]
        entry = self.classes.get(cls) if cls else None
        return next((m for m in entry.members if m.name == name), None) if entry else None

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.held[target.id] = self.kind(node.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "ak":
            self.used.add(node.attr)
            if node.attr not in self.known:
                self.wrong.append(f"line {node.lineno}: ak.{node.attr}")
            return
        cls = self.kind(node.value)
        if cls in self.classes and self.member(cls, node.attr) is None:
            self.wrong.append(f"line {node.lineno}: .{node.attr} of a {cls}")


def names_of(text: str) -> Names:
    found = Names()
    found.visit(ast.parse(text))
    return found


def test_there_are_analyses() -> None:
    assert SCRIPTS


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_an_analysis_is_short_and_explained(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert 40 <= len(lines) <= 90, f"{len(lines)} lines"
    assert ast.get_docstring(tree(path)), "no docstring that says the question"
    assert not [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.ClassDef)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_an_analysis_uses_public_names_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = names_of(text)
    assert "Report" in found.used
    assert not found.wrong
    modules = [ast.unparse(n) for n in ast.walk(tree(path)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert not [m for m in modules if "alliancekit" in m and m != "import alliancekit as ak"]


def test_a_name_that_does_not_exist_is_found() -> None:
    bad = 'study = ak.read_study("x")\nstudy = ak.lag(study, "y", by="p", time="t")\nstudy.jion("t", on="p")\nak.mixd'
    assert names_of(bad).wrong == ["line 3: .jion of a Study", "line 4: ak.mixd"]
    assert names_of('fit = ak.mixed("y ~ x + (1 | g)", d)\nfit.tidy()\nfit.sample.n_used').wrong == []
