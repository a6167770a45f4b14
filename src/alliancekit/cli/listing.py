"""``alliancekit instruments``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alliancekit.core.frames import rows

if TYPE_CHECKING:
    from rich.console import Console


def show_instruments(name: str | None) -> None:
    """Print the registry, or everything known about one instrument."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from alliancekit.study.registry import instruments

    console = Console(highlight=False)
    if name is not None:
        _show_one(console, name)
        return
    shown = Table(show_edge=False, pad_edge=False)
    frame = instruments()
    columns = [c for c in ("id", "title", "n_items", "min", "max", "subscales", "key_status") if c in frame.columns]
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for row in rows(frame[columns]):
        style = "" if row.key_status == "verified" else "yellow"
        shown.add_row(*(Text("" if v != v or v is None else _plain(v), style=style) for v in row))
    console.print(shown)
    console.print(
        "A key that is not verified prints a notice in every report. Details: alliancekit instruments WAI-SR",
        markup=False,
    )


def _show_one(console: Console, name: str) -> None:
    """Print one instrument: what the registry says of it, and the items of each scale."""
    from alliancekit.study.registry import find_instrument, instruments

    found = find_instrument(name)
    frame = instruments()
    keys = {f"items of {scale}": ", ".join(map(str, items)) for scale, items in found.subscales.items()}
    for row in rows(frame[frame["id"] == found.id]):
        told = row._asdict()
        for column, value in {**told, **keys}.items():
            if column == "subscales" or value is None or value != value or str(value) == "":
                continue
            console.print(f"{column.replace('_', ' ')}: {_plain(value)}", markup=False, soft_wrap=True)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
