"""Where numbers come from: hashes of data, versions of software."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

REPORTED = ("alliancekit", "numpy", "scipy", "pandas", "statsmodels", "pingouin", "semopy", "matplotlib", "mixedlm")


def hash_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes, as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hash_bytes(Path(path).read_bytes())


def hash_frame(frame: pd.DataFrame) -> str:
    """Return a SHA-256 of a frame's column names and values, in row order; the index does not count."""
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        digest.update(f"{name}\x1f".encode())
        digest.update("\x1e".join(map(repr, column.tolist())).encode())
    return digest.hexdigest()


def versions(packages: Iterable[str] = REPORTED) -> dict[str, str]:
    """Return the installed version of each package ("not installed" where absent) and of Python."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
