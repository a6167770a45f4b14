"""Walking a frozen ``expected.json``: every number in it is one quantity, compared, excused with a reason, or failed.

Shapes of the files: matrix ``{"rows", "cols", "values"}``; table = list of rows, each named by its first text or by
its position; named vector; ``null`` = not defined in R.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

METADATA = {"family", "case", "versions", "r_call", "fn", "warnings", "note", "meaning", "options", "source"}
Quantity = tuple[str, ...]


def quantities(node: Any, path: Quantity = ()) -> Iterator[tuple[Quantity, float]]:
    """Yield (path, number) for every number below a node; text, nulls and metadata are not quantities."""
    if isinstance(node, dict) and {"rows", "cols", "values"} <= set(node):
        for row, values in zip(node["rows"], node["values"], strict=True):
            for column, value in zip(node["cols"], values, strict=True):
                yield from quantities(value, (*path, row, column))
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in METADATA:
                yield from quantities(value, (*path, key))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from quantities(value, (*path, row_name(value, position)))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, float(node)


def row_name(row: Any, position: int) -> str:
    """Return the name of a row of a table: its texts, joined; without any, its position."""
    texts = [value for value in row.values() if isinstance(value, str)] if isinstance(row, dict) else []
    return " ".join(texts) if texts else str(position)


def cases(family: Path) -> list[Path]:
    """Return the folders of a family, in order of name."""
    return sorted(path.parent for path in family.glob("*/expected.json"))


def load(case: Path) -> dict[str, Any]:
    """Return what R gave for a case."""
    return json.loads((case / "expected.json").read_text(encoding="utf-8"))


def all_quantities(family: Path) -> list[tuple[str, Quantity, float]]:
    """Return (case, path, value) of every quantity of a family."""
    return [(case.name, path, value) for case in cases(family) for path, value in quantities(load(case))]


def excuses(family: Path) -> dict[str, str]:
    """Return pattern -> reason of the quantities that are not compared."""
    found = tomllib.loads((family / "not_compared.toml").read_text(encoding="utf-8"))
    return {pattern: entry["reason"] for entry in found["group"] for pattern in entry["patterns"]}


def excuse(case: str, path: Quantity, known: dict[str, str]) -> str | None:
    """Return why a quantity is not compared, or None. Patterns are of file-name style on ``case/part/part``."""
    name = "/".join((case, *path))
    return next((reason for pattern, reason in known.items() if fnmatch.fnmatchcase(name, pattern)), None)
