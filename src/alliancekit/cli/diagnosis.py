"""``alliancekit doctor``: is the installation in order?"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from alliancekit.core.provenance import versions

NEEDED = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pyreadstat",
    "openpyxl",
    "statsmodels",
    "pingouin",
    "semopy",
    "matplotlib",
    "jinja2",
    "python-docx",
    "typer",
    "rich",
    "joblib",
)
OPTIONAL = ("mixedlm", "numba", "dask")


def diagnose() -> int:
    """Print one line per point; return 1 when something needed is missing."""
    from rich.console import Console

    console = Console(highlight=False)
    points = [*_python(), *_packages(), *_machine()]
    for state, text in points:
        style = {"ok": "green", "note": "yellow", "bad": "bold red"}[state]
        console.print(f"{state:>4}  {text}", style=style, markup=False, soft_wrap=True)
    bad = sum(state == "bad" for state, _ in points)
    console.print("Everything needed is in order." if not bad else f"{bad} problem(s) to mend.", markup=False)
    return int(bad > 0)


def _python() -> list[tuple[str, str]]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return [("ok" if good else "bad", f"Python {version}" + ("" if good else ": 3.11 or newer is needed"))]


def _packages() -> list[tuple[str, str]]:
    out = []
    for name, version in versions(["alliancekit", *NEEDED]).items():
        if name == "python":
            continue
        missing = version == "not installed"
        out.append(("bad" if missing else "ok", f"{name} {version}" + (f": pip install {name}" if missing else "")))
    for name, version in versions(OPTIONAL).items():
        if name != "python":
            out.append(("note" if version == "not installed" else "ok", f"{name} {version} (optional)"))
    return out


def _machine() -> list[tuple[str, str]]:
    out = []
    threads = os.environ.get("OMP_NUM_THREADS", "")
    told = f"BLAS {_blas()}, threads: {threads or 'not set'}"
    out.append(
        ("ok" if threads == "1" else "note", told + ("" if threads == "1" else "; OMP_NUM_THREADS=1 is fastest here"))
    )
    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd()):
            out.append(("ok", "this folder can be written to"))
    except OSError as error:
        out.append(("bad", f"this folder cannot be written to: {error.strerror}"))
    out.append(_fonts())
    r = shutil.which("Rscript")
    out.append(
        (
            "ok" if r else "note",
            "R is installed (only for benchmarks)" if r else "R is not installed (only benchmarks use it)",
        )
    )
    return out


def _blas() -> str:
    import numpy as np

    built: Any = np.show_config(mode="dicts")
    return str(built.get("Build Dependencies", {}).get("blas", {}).get("name", "of unknown make"))


def _fonts() -> tuple[str, str]:
    """Say whether the font of the figures is there (it comes with matplotlib)."""
    try:
        from matplotlib.font_manager import findfont
    except ImportError:
        return "bad", "fonts: matplotlib is missing"
    try:
        findfont("DejaVu Sans", fallback_to_default=False)
    except ValueError:
        return "bad", "the font DejaVu Sans is missing: pip install --force-reinstall matplotlib"
    return "ok", "the font of the figures, DejaVu Sans, is there"
