"""``alliancekit instruments``."""

from __future__ import annotations

from alliancekit.core.frames import rows


def show_instruments(name: str | None) -> None:
    """Print the registry, or everything known about one instrument."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from alliancekit.study.registry import find_instrument, instruments

    console = Console(highlight=False)
    frame = instruments()
    if name is not None:
        found = find_instrument(name).id
        for row in rows(frame[frame["id"] == found]):
            for column, value in row._asdict().items():
                console.print(f"{column.replace('_', ' ')}: {value}", markup=False, soft_wrap=True)
        return
    shown = Table(show_edge=False, pad_edge=False)
    columns = [c for c in ("id", "title", "n_items", "min", "max", "subscales", "key_status") if c in frame.columns]
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for row in rows(frame[columns]):
        style = "" if row.key_status == "verified" else "yellow"
        shown.add_row(
            *(
                Text("" if v != v or v is None else f"{v:g}" if isinstance(v, float) else str(v), style=style)
                for v in row
            )
        )
    console.print(shown)
    console.print(
        "A key that is not verified prints a notice in every report. Details: alliancekit instruments WAI-SR",
        markup=False,
    )
