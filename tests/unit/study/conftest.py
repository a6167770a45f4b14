from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Files = Mapping[str, str | bytes | Mapping[str, Any]]


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[Files], Path]:
    """Return a function that writes files into a new folder: text as UTF-8, bytes as they are, mappings as JSON."""

    def write(files: Files) -> Path:
        folder = tmp_path / "study"
        folder.mkdir()
        for name, content in files.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                text = content if isinstance(content, str) else json.dumps(content)
                (folder / name).write_bytes(text.encode("utf-8"))
        return folder

    return write
