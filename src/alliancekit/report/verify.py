"""Verification: run the script again into a temporary folder and compare every file of the report, byte by byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.core.provenance import hash_bytes, hash_file
from alliancekit.report.manifest import ROOT_VARIABLE, project_root

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Compared:
    """One file and what became of it.

    ``state`` is "same" (bytes are equal), "same hash" (the file was not kept, its new bytes match the manifest's hash),
    "differs", "missing" (the script no longer makes it) or "unexpected" (in the folder, made by no script).
    """

    file: str
    state: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a second run of a report's script gave.

    Attributes
    ----------
    folder : name of the report's folder.
    script : the script, relative to the project's root.
    files : every file of either run.
    changed : what explains differences: versions, data or the script itself that are not what the manifest says.
    """

    folder: str
    script: str
    files: tuple[Compared, ...]
    changed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True where every file is the same."""
        return not self.differing

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the files that are not the same, in order."""
        return tuple(f.file for f in self.files if f.state not in ("same", "same hash"))

    def tidy(self) -> pd.DataFrame:
        """Return one row per file: file, state."""
        return pd.DataFrame([(f.file, f.state) for f in self.files], columns=["file", "state"])


def verify(folder: str | Path, script: str | Path | None = None, *, timeout: float = 3600.0) -> Verification:
    """Make a report again and compare it with the one in ``folder``; the folder itself is not touched.

    The script runs in a process of its own, in the project's root, with ``ALLIANCEKIT_REPORT_ROOT`` set to a temporary
    folder: ``Report.write`` then writes there. Files that are not in the folder (a Word file or pictures that were left
    out of version control) are compared with their hash in the manifest.

    Parameters
    ----------
    folder : folder of the report, with its manifest.json.
    script : the script; None takes the one that the manifest names.
    timeout : seconds that the script may run.

    Returns
    -------
    Verification; ``.ok`` is True where nothing differs.

    Raises
    ------
    ReportError : no manifest, no script, a script that fails or runs too long, or one that does not write this report.
    """
    place = Path(folder).resolve()
    kept = _read_manifest(place / MANIFEST)
    path, root = _find_script(place, kept, script)
    with tempfile.TemporaryDirectory(prefix="alliancekit-verify-") as temporary:
        _run(path, root, Path(temporary), timeout)
        fresh = _find_report(Path(temporary), place, path.name)
        files = _compare(place, fresh, kept)
        changed = _explain(kept, _read_manifest(fresh / MANIFEST))
    return Verification(place.name, path.relative_to(root).as_posix(), files, changed)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ReportError(
            message(f"there is no {MANIFEST}", where=path.parent.name, do="Name a folder that Report.write has made")
        ) from error
    except ValueError as error:
        raise ReportError(
            message(f"{MANIFEST} cannot be read", where=path.parent.name, do="Make the report again")
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise ReportError(message(f"{MANIFEST} is not the manifest of a report", where=path.parent.name))
    return content


def _find_script(place: Path, manifest: Mapping[str, Any], named: str | Path | None) -> tuple[Path, Path]:
    """Return the script and the folder to run it in."""
    if named is not None:
        path = Path(named).resolve()
        if not path.is_file():
            raise ReportError(message(f"there is no script {Path(named).name!r}"))
        return path, project_root(path.parent) or path.parent
    recorded = (manifest.get("script") or {}).get("path")
    if not recorded:
        raise ReportError(
            message(
                "the manifest names no script", where=place.name, do="Give the script: alliancekit verify REPORT SCRIPT"
            )
        )
    for root in (project_root(place), Path.cwd(), place.parent):
        if root is not None and (root / recorded).is_file():
            return (root / recorded).resolve(), root.resolve()
    raise ReportError(
        message(f"the script {recorded!r} is not in this project", where=place.name, do="Give the script by its path")
    )


def _run(script: Path, root: Path, target: Path, timeout: float) -> None:
    environment = {**os.environ, ROOT_VARIABLE: str(target)}
    try:
        done = subprocess.run(
            [sys.executable, str(script)],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ReportError(message(f"the script {script.name!r} ran longer than {timeout:g} seconds")) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ReportError(message(f"the script {script.name!r} failed: {last}", do="Run it by itself to see where"))


def _find_report(root: Path, place: Path, script: str) -> Path:
    """Return the folder below ``root`` whose path ends most like the report's own."""
    made = sorted(p.parent for p in root.rglob(MANIFEST))
    same_name = [p for p in made if p.name == place.name]
    if not same_name:
        names = ", ".join(p.name for p in made) or "nothing"
        raise ReportError(message(f"{script} does not write the report '{place.name}'", where=f"it writes {names}"))
    return max(same_name, key=lambda p: _shared_tail(p.parts, place.parts))


def _shared_tail(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a != b:
            break
        count += 1
    return count


def _compare(place: Path, fresh: Path, kept: Mapping[str, Any]) -> tuple[Compared, ...]:
    made = {p.relative_to(fresh).as_posix(): p for p in sorted(fresh.rglob("*")) if p.is_file()}
    there = {p.relative_to(place).as_posix(): p for p in sorted(place.rglob("*")) if p.is_file()}
    listed: dict[str, Any] = kept["files"]
    compared = []
    for name in sorted({*made, *there, *listed}):
        compared.append(Compared(name, _state(made.get(name), there.get(name), listed.get(name))))
    return tuple(compared)


def _state(made: Path | None, there: Path | None, listed: Mapping[str, Any] | None) -> str:
    if made is None:
        return "missing" if listed is not None else "unexpected"
    if there is not None:
        return "same" if made.read_bytes() == there.read_bytes() else "differs"
    return "same hash" if listed is not None and listed.get("sha256") == hash_file(made) else "differs"


def _explain(kept: Mapping[str, Any], fresh: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is not as it was when the report was made."""
    words = []
    for name, before in (kept.get("versions") or {}).items():
        now = (fresh.get("versions") or {}).get(name)
        if now != before:
            words.append(f"{name}: {before} then, {now} now")
    before_data, now_data = kept.get("data") or {}, fresh.get("data") or {}
    words += [
        f"data changed: {name}"
        for name in sorted({*before_data, *now_data})
        if before_data.get(name) != now_data.get(name)
    ]
    if (kept.get("script") or {}).get("sha256") != (fresh.get("script") or {}).get("sha256"):
        words.append("the script changed")
    return tuple(words)


def check_files(folder: str | Path) -> tuple[Compared, ...]:
    """Compare the files of a report with the hashes of its manifest, without running anything.

    Raises
    ------
    ReportError : no manifest, or one that cannot be read.
    """
    place = Path(folder)
    listed = _read_manifest(place / MANIFEST)["files"]
    found = []
    for name, entry in sorted(listed.items()):
        path = place / name
        state = "missing" if not path.is_file() else "same hash"
        if path.is_file() and hash_bytes(path.read_bytes()) != entry["sha256"]:
            state = "differs"
        found.append(Compared(name, state))
    return tuple(found)
