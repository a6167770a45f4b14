"""``alliancekit``: the commands. Each imports what it needs when it runs, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="alliancekit",
    help="Verified statistics and manuscript-ready reports for psychotherapy research.\n\n"
    "Start with: alliancekit new growth (or incremental, cfa, sem), edit the script, and run it: alliancekit run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        import alliancekit

        typer.echo(f"alliancekit {alliancekit.__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error (any place).")] = False,
) -> None:
    """Verified statistics and manuscript-ready reports for psychotherapy research."""
    context.obj = {"debug": debug}


@app.command()
def run(
    context: typer.Context,
    scripts: Annotated[
        list[Path] | None, typer.Argument(help="Analysis scripts, such as analyses/r01_enrichd_growth.py.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Run every script in analyses/.")] = False,
) -> None:
    """Run analyses and write their reports.

    \b
    Examples:
      alliancekit run analyses/r01_enrichd_growth.py
      alliancekit run --all
    """
    from alliancekit.cli.running import run_scripts

    raise typer.Exit(run_scripts(scripts or [], every=every, debug=context.obj["debug"]))


@app.command()
def new(
    template: Annotated[str, typer.Argument(help="growth, incremental, cfa or sem.")],
    target: Annotated[Path | None, typer.Argument(help="File to write; default analyses/TEMPLATE.py.")] = None,
) -> None:
    """Write an analysis script to edit: data path, columns, model, report (cfa: factors; sem: paths).

    An existing file is never replaced.

    \b
    Example:
      alliancekit new growth analyses/my_study.py
    """
    from alliancekit.cli.templates_io import write_template

    typer.echo(write_template(template, target))


@app.command()
def check(
    data: Annotated[
        Path, typer.Argument(help="Folder with codebook.json, or a .csv .tsv .xlsx .sav .dta .parquet file.")
    ],
    init: Annotated[bool, typer.Option("--init", help="Draft codebook.json, to be edited by you.")] = False,
) -> None:
    """Check data for problems: every finding at once. Exit code 1 when there are errors.

    \b
    Examples:
      alliancekit check data/mystudy
      alliancekit check ratings.sav --init
    """
    from alliancekit.cli.checking import check_data, draft

    raise typer.Exit(draft(data) if init else check_data(data))


@app.command()
def instruments(
    name: Annotated[str | None, typer.Argument(help="One instrument, such as WAI-SR; none lists all.")] = None,
) -> None:
    """List the instruments that can be scored, or show the key of one.

    \b
    Examples:
      alliancekit instruments
      alliancekit instruments WAI-SR
    """
    from alliancekit.cli.listing import show_instruments

    show_instruments(name)


@app.command()
def verify(
    reports: Annotated[list[Path], typer.Argument(help="Report folders, or a folder that holds them.")],
) -> None:
    """Make reports again from their scripts and compare every file. Exit code 1 when anything differs.

    \b
    Example:
      alliancekit verify reports
    """
    from alliancekit.cli.verifying import verify_reports

    raise typer.Exit(verify_reports(reports))


@app.command()
def doctor() -> None:
    """Say whether this installation is in order: Python, packages, threads, write permission, R."""
    from alliancekit.cli.diagnosis import diagnose

    raise typer.Exit(diagnose())


def run_app(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; errors that alliancekit raises are told in one message.

    Parameters
    ----------
    arguments : words after ``alliancekit``; None takes those of the process. ``--debug`` may stand anywhere.
    """
    from alliancekit.core.errors import AllianceError

    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [*(["--debug"] if debug else []), *(w for w in words if w != "--debug")]
    try:
        app(words, standalone_mode=True)
    except (AllianceError, OSError) as error:
        if debug:
            raise
        typer.secho(f"{type(error).__name__}: {error}", fg=typer.colors.RED, err=True)
        return 1
    except KeyboardInterrupt:
        typer.secho("Interrupted; nothing half-written is left behind.", err=True)
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    return 0


def entry() -> None:
    """Entry point of the command ``alliancekit``."""
    raise SystemExit(run_app())
