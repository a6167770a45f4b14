"""Run analysis scripts, each in a process of its own, with progress and a clear word when one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from alliancekit.core.errors import AllianceError, ReadError, message, nearest

FOLDER = "analyses"
SETTINGS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "MPLBACKEND": "Agg",
    "PYTHONHASHSEED": "0",
}
"""Environment of every analysis: one BLAS thread, no screen, so that two runs give the same bytes."""


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from ``start`` upwards, that holds analyses/."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return folder
    raise ReadError(
        message(f"there is no {FOLDER}/ here or above", where=str(here.name), do="Go to the project's folder")
    )


def find_scripts(scripts: list[Path], every: bool) -> tuple[Path, list[Path]]:
    """Return the project's root and the scripts to run, in order of name for ``every``."""
    if every == bool(scripts):
        raise AllianceError(message("name one or more scripts, or use --all", do="alliancekit run --all"))
    if every:
        root = find_root()
        found = sorted((root / FOLDER).glob("*.py"))
        if not found:
            raise ReadError(message(f"{FOLDER}/ holds no script", do="alliancekit new growth writes one"))
        return root, found
    for script in scripts:
        if not script.is_file():
            raise ReadError(message(f"there is no script {script}", do=_hint(script)))
    first = scripts[0].resolve().parent
    root = first.parent if first.name == FOLDER else first
    return root, [s.resolve() for s in scripts]


def _hint(script: Path) -> str:
    folder = script.parent if script.parent.is_dir() else Path(FOLDER)
    have = [p.name for p in sorted(folder.glob("*.py"))] if folder.is_dir() else []
    close = nearest(script.name, have)
    return f"Did you mean {folder / close}?" if close else "Check the name"


def run_scripts(scripts: list[Path], *, every: bool, debug: bool = False) -> int:
    """Run the scripts; return 0 when all went through, else 1. What a single script prints is printed."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    root, found = find_scripts(scripts, every)
    failed = []
    for number, script in enumerate(found, start=1):
        label = f"[{number}/{len(found)}] {script.stem}"
        start = time.perf_counter()
        with console.status(f"{label} ..."):
            done = run_one(script, root)
        seconds = time.perf_counter() - start
        if len(found) == 1 and done.stdout:
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
        if done.returncode == 0:
            console.print(f"{label}: done in {seconds:.0f} s", markup=False)
            continue
        failed.append(script.stem)
        console.print(f"{label}: FAILED", style="bold red", markup=False)
        console.print(_explain(done.stderr, script, debug), markup=False, soft_wrap=True)
    if failed:
        console.print(f"{len(failed)} of {len(found)} failed: {', '.join(failed)}", style="red", markup=False)
        return 1
    console.print(f"Reports are in {root / 'reports'}" if every else "All done.", markup=False, soft_wrap=True)
    return 0


def run_one(script: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """Run one script in the project's root, on one BLAS thread, without a screen."""
    environment = {**os.environ, **SETTINGS}
    call = [sys.executable, str(script)]
    return subprocess.run(call, cwd=root, env=environment, capture_output=True, text=True, check=False)


def _explain(stderr: str, script: Path, debug: bool) -> str:
    """Return the error of a script: its line in the script and the message; everything with ``debug``."""
    lines = stderr.rstrip().splitlines()
    frames = [i for i, line in enumerate(lines) if line.startswith("  File ")]
    if debug or not frames:
        return stderr.rstrip()
    own = [i for i in frames if f'{script.name}"' in lines[i]]
    place = lines[own[-1] : own[-1] + 2] if own else []
    first = next((i for i in range(frames[-1], len(lines)) if not lines[i].startswith(" ")), len(lines) - 1)
    return "\n".join([*place, *lines[first:], "(--debug shows the whole traceback)"])
