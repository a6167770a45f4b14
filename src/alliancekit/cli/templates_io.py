"""``alliancekit new``: write an analysis script to edit."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.core.files import write_text

TEMPLATES = ("growth", "incremental", "cfa", "sem")


def write_template(template: str, target: Path | None) -> str:
    """Write the template and return what to do next; an existing file is never replaced.

    Raises
    ------
    SpecError : no template of that name. ReportError : the file exists.
    """
    check_option("template", template, TEMPLATES)
    path = target or Path("analyses") / f"{template}.py"
    if path.suffix != ".py":
        path = path.with_name(path.name + ".py")
    if path.exists():
        raise ReportError(
            message(f"{path} exists", do=f"Give another name: alliancekit new {template} analyses/other.py")
        )
    text = resources.files("alliancekit.cli").joinpath("templates", f"{template}.py.txt").read_text(encoding="utf-8")
    write_text(path, text.replace("{{name}}", path.stem))
    return f"Wrote {path}. Edit the lines marked EDIT, then run: alliancekit run {path}"
