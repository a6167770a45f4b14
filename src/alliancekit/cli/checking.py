"""``alliancekit check``: the findings of the validation as a table, or a drafted codebook."""

from __future__ import annotations

from pathlib import Path

from alliancekit.core.errors import check_option
from alliancekit.core.frames import rows

COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
MOST = 60


def check_data(data: Path) -> int:
    """Print every finding; return 1 when there are errors."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from alliancekit.study.read import read_study
    from alliancekit.study.validate import validate

    console = Console(highlight=False)
    study = read_study(data)
    findings = validate(study).tidy()
    counts = findings["severity"].value_counts()
    for name, table in study.tables.items():
        console.print(f"{name}: {len(table):,} rows, {table.shape[1]} columns", markup=False)
    if findings.empty:
        console.print("No findings.", style="green")
        return 0
    shown = Table(show_edge=False, pad_edge=False)
    for heading in ("Severity", "Where", "Finding"):
        shown.add_column(heading, overflow="fold")
    order = sorted(
        rows(findings), key=lambda r: list(COLOURS).index(check_option("severity", r.severity, list(COLOURS)))
    )
    for row in order[:MOST]:
        place = ", ".join(str(v) for v in (getattr(row, "table", None), row.column, _row(row.row)) if _known(v))
        shown.add_row(Text(row.severity, style=COLOURS[row.severity]), Text(place), Text(str(row.message)))
    console.print(shown)
    if len(order) > MOST:
        console.print(f"... and {len(order) - MOST} more findings", markup=False)
    summary = ", ".join(
        f"{int(counts[s])} {s}{'s' if counts[s] > 1 and s != 'info' else ''}" for s in COLOURS if s in counts
    )
    console.print(summary, markup=False)
    return int("error" in counts)


def _known(value: object) -> bool:
    return value is not None and value == value and value != ""


def _row(value: object) -> str:
    return f"row {value}" if _known(value) else ""


def draft(data: Path) -> int:
    """Draft a codebook beside the data and say what to do next."""
    from rich.console import Console

    from alliancekit.study.read import draft_codebook

    path = draft_codebook(data)
    console = Console(highlight=False)
    console.print(f"Wrote {path}.", markup=False, soft_wrap=True)
    console.print(
        f"Open it, correct roles, instruments and ranges, then run: alliancekit check {path.parent}",
        markup=False,
        soft_wrap=True,
    )
    return 0
