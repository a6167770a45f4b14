"""The manifest of a report: hashes of data, script and files, versions, seeds, what the checks said. No dates."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.core.provenance import hash_bytes, hash_file, hash_frame, versions
from alliancekit.report.assembly import Document
from alliancekit.report.evidence import Evidence

ROOT_VARIABLE = "ALLIANCEKIT_REPORT_ROOT"
"""Environment variable: where it is set, every report is written below that folder instead of its own place."""

FORMAT = 1
_ROOT_MARKS = ("pyproject.toml", ".git", "analyses")


@dataclass(frozen=True, slots=True)
class Script:
    """The script that makes a report: ``path`` relative to the project's root, hash of its bytes."""

    path: str
    sha256: str


def project_root(start: Path) -> Path | None:
    """Return the nearest folder at or above ``start`` that has a pyproject.toml, a .git or an analyses folder."""
    for folder in (start, *start.parents):
        if any((folder / mark).exists() for mark in _ROOT_MARKS):
            return folder
    return None


def find_script(named: str | Path | None = None) -> Script | None:
    """Return the script that is writing the report: the one that was named, else the running one, else None.

    Raises
    ------
    ReportError : a script was named and is not there.
    """
    if named is not None:
        path = Path(named).resolve()
        if not path.is_file():
            raise ReportError(message(f"there is no script {Path(named).name!r}", do="Give script= an existing file"))
        return _script(path)
    path_of_main = _main_file() or _calling_file()
    return _script(path_of_main) if path_of_main is not None else None


def _script(path: Path) -> Script:
    root = project_root(path.parent)
    shown = path.relative_to(root).as_posix() if root is not None else path.name
    return Script(shown, hash_file(path))


def _main_file() -> Path | None:
    """Return the file that was started, unless it belongs to an installed program (pytest, the command line)."""
    name = getattr(sys.modules.get("__main__"), "__file__", None)
    if not name:
        return None
    path = Path(name).resolve()
    package = Path(__file__).resolve().parents[1]
    installed = {"site-packages", "dist-packages"} & set(path.parts) or package in path.parents
    installed = installed or path.parent == Path(sys.executable).parent
    return path if path.suffix == ".py" and path.is_file() and not installed else None


def _calling_file() -> Path | None:
    """Return the innermost file on the stack that does not belong to alliancekit."""
    package = Path(__file__).resolve().parents[1]
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.suffix == ".py" and path.is_file() and package not in path.resolve().parents:
            return path.resolve()
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def target_folder(folder: str | Path) -> Path:
    """Return where a report goes: ``folder``, or its place below ``ALLIANCEKIT_REPORT_ROOT`` where that is set."""
    root = os.environ.get(ROOT_VARIABLE, "")
    path = Path(folder)
    if not root:
        return path
    parts = [p for p in path.parts if p not in (path.anchor, "..", ".")]
    return Path(root).joinpath(*parts)


def shown_folder(folder: str | Path) -> str:
    """Return a report's folder as the report may print it: below the project's root, or the bare name."""
    path = Path(folder)
    if not path.is_absolute() and ".." not in path.parts:
        return path.as_posix()
    root = project_root(path.resolve().parent)
    return path.resolve().relative_to(root).as_posix() if root is not None else path.name


def data_hashes(study: Any, evidence: Evidence) -> dict[str, str]:
    """Return hashes of the data: of the study's files, else of its analysis frame, else of the frames of the fits."""
    files = getattr(getattr(study, "provenance", None), "files", ()) if study is not None else ()
    found = {str(name): str(digest) for name, digest in (files.items() if isinstance(files, Mapping) else files)}
    if found:
        return dict(sorted(found.items()))
    if study is not None:
        return {"analysis frame": hash_frame(study.data)}
    frames = [f for f in (getattr(fit, "data", None) for fit in evidence.fits) if isinstance(f, pd.DataFrame)]
    return {f"frame of fit {i}": hash_frame(frame) for i, frame in enumerate(frames, start=1)}


def make_manifest(
    document: Document,
    files: Mapping[str, bytes],
    *,
    data: Mapping[str, str],
    script: Script | None,
    seeds: list[int],
    keys: Mapping[str, str],
) -> bytes:
    """Return the manifest as JSON bytes.

    Parameters
    ----------
    document : the report.
    files : every other file of the report, name -> bytes.
    data : file or frame -> SHA-256.
    script : who writes the report; None where it is not a script.
    seeds : random seeds.
    keys : instrument -> status of its scoring key.
    """
    evidence = document.evidence
    content = {
        "format": FORMAT,
        "title": document.title,
        "script": {"path": script.path, "sha256": script.sha256} if script else None,
        "data": dict(data),
        "seeds": seeds,
        "versions": versions(),
        "scoring_keys": dict(keys),
        "assumption_checks": [_audit(a) for a in evidence.audits],
        "second_opinions": [_colours(c) for c in evidence.crosschecks],
        "withheld": [p.where for p in evidence.placements if p.kind == "withheld"],
        "warnings": evidence.warnings,
        "files": {
            name: {"sha256": hash_bytes(content), "bytes": len(content)} for name, content in sorted(files.items())
        },
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _audit(audit: Any) -> dict[str, Any]:
    checks = {str(c.name): str(c.status) for c in audit.checks}
    return {"subject": type(audit.subject).__name__, "refused": bool(audit.refused), "checks": checks}


def _colours(check: Any) -> dict[str, int]:
    colours = [str(c) for c in check.tidy()["colour"]]
    return {name: colours.count(name) for name in sorted(set(colours))}
