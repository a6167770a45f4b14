"""Write docs/coverage.md: which test guards which public option, read from the markers in the tests.

A test says ``@pytest.mark.option("mixed.method", "lme4, 18 data sets")``; the markers are collected from the text of
the tests, without running them. An option is ``function``, ``function.option``, ``Class.method`` or
``Class.method.option``; ``option=value`` narrows it to one value. ``function(option=value)`` says the same.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import alliancekit as ak

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
TARGET = HERE / "coverage.md"
HEAD = """# Options and their evidence

Made from the markers of the tests by `python docs/make_coverage.py`; a test keeps it current. Each line names a public
option, what it was held against, and the test that fails when its formula is changed.

| option | evidence | test |
|---|---|---|
"""
PLAIN = ("data", "columns", "labels", "names", "path")  # say what is meant, change no formula


@dataclass(frozen=True, order=True)
class Mark:
    """One marker: the option, its evidence, and the test that carries it."""

    option: str
    evidence: str
    test: str


def _named_option(node: ast.AST) -> ast.Call | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "option":
        return None
    owner = node.func.value
    return node if isinstance(owner, ast.Attribute) and owner.attr == "mark" else None


def _marks_in(nodes: list[ast.expr], test: str) -> Iterator[Mark]:
    for root in nodes:
        for node in ast.walk(root):
            call = _named_option(node)
            if call is None:
                continue
            texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if len(texts) != 2 or len(call.args) != 2:
                raise ValueError(f"{test}, line {call.lineno}: pytest.mark.option takes two texts, option and evidence")
            yield Mark(normal_form(texts[0]), texts[1], test)


def normal_form(option: str) -> str:
    """Return ``function.option=value`` for ``function(option=value)``; anything else as it is."""
    return re.sub(r"^([\w.]+)\((.*)\)$", r"\1.\2", option).rstrip(".")


def marks_of_file(path: Path) -> Iterator[Mark]:
    """Yield the markers of one test file: on functions, on classes, and of the whole file (``pytestmark``)."""
    name = path.relative_to(TESTS.parent).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from _marks_in(node.decorator_list, f"{name}::{node.name}")
        elif isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets
        ):
            yield from _marks_in([node.value], name)


def marks() -> list[Mark]:
    """Return every marker of the tests, sorted, each once."""
    return sorted({mark for path in TESTS.rglob("test_*.py") for mark in marks_of_file(path)})


def public_options() -> list[str]:
    """Return ``function.option`` for every argument with a default of every public function."""
    found = []
    for name in ak._EXPORTS:
        value = getattr(ak, name)
        if inspect.isfunction(value):
            parameters = inspect.signature(value).parameters.values()
            optional = (p.name for p in parameters if p.default is not inspect.Parameter.empty)
            found += [f"{name}.{option}" for option in optional if option not in PLAIN]
    return found


def render(found: list[Mark], options: list[str]) -> str:
    """Return the text of docs/coverage.md."""
    rows = [f"| `{m.option}` | {m.evidence.replace('|', chr(92) + '|')} | `{m.test}` |" for m in found]
    guarded = {m.option.split("=")[0] for m in found}
    guarded |= {".".join(option.split(".")[:2]) for option in guarded}
    bare = [option for option in options if option not in guarded]
    text = HEAD + "\n".join(rows) + "\n"
    if bare:
        listed = ", ".join(f"`{option}`" for option in bare)
        text += f"\n## Without a marked test\n\nNo test names these options in a marker: {listed}.\n"
    return text


if __name__ == "__main__":
    TARGET.write_text(render(marks(), public_options()), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} written\n")
