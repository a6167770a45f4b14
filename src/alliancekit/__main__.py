"""``python -m alliancekit``: the command line."""

from __future__ import annotations

from alliancekit.cli.main import entry

if __name__ == "__main__":
    entry()
