"""ARCHITECTURE.md, the folders, the contract in pyproject.toml and the imports as they are say the same."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import alliancekit as ak
from tests.architecture.support import PACKAGE, ROOT, SOURCES, folders, tree

PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def layer_table() -> list[str]:
    """Return the folders of the page's layer table, from the top."""
    section = PAGE.split("## Layers")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)/` \|", section, flags=re.MULTILINE)


def contract() -> list[str]:
    """Return import-linter's layers, the deepest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [name.removeprefix("alliancekit.") for name in reversed(layers)]


def imported_layers(path: Path) -> set[str]:
    """Return the layers that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(tree(path)):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}"
            names = [node.module or ""]
            if node.module == "alliancekit":
                names = [f"alliancekit.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("alliancekit.")}
    return found


def test_the_table_lists_every_folder_and_no_other() -> None:
    table = layer_table()
    assert len(table) == len(set(table))
    assert sorted(table) == folders()


def test_the_table_has_the_order_of_the_contract() -> None:
    assert layer_table() == contract()


@pytest.mark.parametrize("layer", folders())
def test_a_layer_imports_only_what_stands_above_it(layer: str) -> None:
    order = contract()
    allowed = set(order[: order.index(layer) + 1])
    for path in SOURCES:
        if path.relative_to(PACKAGE).parts[0] == layer:
            extra = imported_layers(path) - allowed
            assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}, which stand below {layer}/"


def test_every_path_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:src|tests|docs|analyses|data|benchmarks|reports)/[\w./-]*)`", PAGE)
    assert len(named) > 5
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_no_module_or_folder_carries_a_public_name() -> None:
    taken = {p.stem for p in PACKAGE.iterdir() if p.name != "__pycache__" and not p.name.startswith("__init__")}
    clash = taken & set(ak._EXPORTS)
    assert not clash, f"importing alliancekit.{sorted(clash)} would replace the function of that name"
