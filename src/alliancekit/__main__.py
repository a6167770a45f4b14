"""``python -m alliancekit``: the command line."""

from alliancekit.cli.main import entry

if __name__ == "__main__":
    entry()
