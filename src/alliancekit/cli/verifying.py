"""``alliancekit verify``: make reports again and compare every file."""

from __future__ import annotations

import os
from pathlib import Path

from alliancekit.cli.running import SETTINGS
from alliancekit.core.errors import ReadError, message


def find_reports(folders: list[Path]) -> list[Path]:
    """Return the report folders: those named that hold a manifest.json, and those inside the others."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise ReadError(message(f"there is no folder {folder}", do="Name the folder of a report, or reports"))
        inside = (
            [folder]
            if (folder / "manifest.json").is_file()
            else sorted(p.parent for p in folder.glob("*/manifest.json"))
        )
        if not inside:
            raise ReadError(message(f"{folder} holds no report", do="Make one with: alliancekit run --all"))
        found += inside
    return found


def verify_reports(folders: list[Path]) -> int:
    """Verify each report; return 1 when any file differs."""
    from rich.console import Console

    from alliancekit.report.verify import verify

    os.environ.update(SETTINGS)
    console = Console(stderr=True, highlight=False)
    different = 0
    for folder in find_reports(folders):
        with console.status(f"{folder.name}: running its script again ..."):
            result = verify(folder)
        if result.ok:
            console.print(f"{folder.name}: all {len(result.files)} files are the same", style="green", markup=False)
            continue
        different += 1
        console.print(
            f"{folder.name}: {len(result.differing)} of {len(result.files)} files differ", style="red", markup=False
        )
        states = {f.file: f.state for f in result.files}
        for name in result.differing:
            console.print(f"  {name}: {states.get(name, 'differs')}", markup=False)
        for reason in result.changed:
            console.print(f"  {reason}", markup=False)
    return int(different > 0)
