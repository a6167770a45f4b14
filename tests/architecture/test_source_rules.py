"""House rules on source text: size, no leftovers, no printing, no addresses in lists of versions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.support import PACKAGE, ROOT, SOURCES, tree

LONGEST_FILE = 450
LONGEST_FUNCTION = 70
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
LOCK_FILES = (
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "package-lock.json",
    "conda-lock.yml",
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_there_is_source_to_look_at() -> None:
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_source_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    found = LEFTOVERS.search(text)
    assert found is None, f"{name_of(path)} holds {found.group()}" if found else ""
    if path.name != "__init__.py":
        assert "from __future__ import annotations" in text
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = code_lines(node)
            assert lines <= LONGEST_FUNCTION, f"{name_of(path)}: {node.name} has {lines} lines"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            where = f"{name_of(path)}, line {node.lineno}"
            if node.func.id == "print":
                assert path.relative_to(PACKAGE).parts[0] == "cli", f"{where}: print outside the command line"
            assert node.func.id not in ("eval", "exec"), f"{where}: user text is never evaluated"


def test_no_lock_file_with_addresses() -> None:
    assert not [name for name in LOCK_FILES if (ROOT / name).exists()]
    for path in sorted(ROOT.glob("*constraints*.txt")) + sorted(ROOT.glob("*requirements*.txt")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, f"{path.name} names a download address"
        versions = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in versions), path.name


def test_no_packages_or_compiled_files_at_the_top() -> None:
    kinds = (".whl", ".zip", ".gz", ".so", ".pyc", ".egg")
    assert not [path.name for path in ROOT.iterdir() if path.is_file() and path.suffix in kinds]
