"""Excel workbooks (.xlsx): one table per sheet; cells keep their types."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from alliancekit.core.errors import ReadError, message, nearest
from alliancekit.study.raw import RawTable
from alliancekit.study.read_text import clean_header


def read_excel(path: Path, sheet: str | None = None) -> dict[str, RawTable]:
    """Return the sheets that hold data, by name; with ``sheet`` that one alone.

    The first row with any cell is the header. Formulas count with the value last saved; a formula never calculated is
    an empty cell.

    Raises
    ------
    ReadError : not a workbook, no such sheet, no data, or several columns of one name.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(path, data_only=True)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ReadError(_not_a_workbook(path)) from error
    except Exception as error:
        if type(error).__name__ not in ("InvalidFileException", "BadZipFile"):
            raise
        raise ReadError(_not_a_workbook(path)) from error
    names = [s.title for s in book.worksheets]
    if sheet is not None and sheet not in names:
        close = nearest(sheet, names)
        hint = f"Did you mean '{close}'? " if close else ""
        raise ReadError(
            message(f"there is no sheet '{sheet}'", where=path.name, do=f"{hint}Sheets are: {', '.join(names)}")
        )
    found: dict[str, RawTable] = {}
    for worksheet in book.worksheets:
        if sheet in (None, worksheet.title):
            raw = _sheet(
                [list(row) for row in worksheet.iter_rows(values_only=True)], f"{path.name}, {worksheet.title}"
            )
            if raw is not None:
                found[worksheet.title] = raw
    book.close()
    if not found:
        raise ReadError(
            message("the workbook has no rows under a header", where=path.name, do="Check the file in Excel")
        )
    return found


def _not_a_workbook(path: Path) -> str:
    return message(
        "this is not an Excel workbook, or it has a password",
        where=path.name,
        do="Open it in Excel and save it as .xlsx without a password, or as CSV",
    )


def _sheet(rows: list[list[Any]], where: str) -> RawTable | None:
    filled = [[_clean(v) for v in row] for row in rows]
    start = next((i for i, row in enumerate(filled) if any(v is not None for v in row)), None)
    if start is None or start + 1 == len(filled):
        return None
    header = clean_header(["" if v is None else str(v) for v in filled[start]], where)
    width = len(header)
    body = [row[:width] for row in filled[start + 1 :]]
    beyond = [i for i, row in enumerate(filled[start + 1 :]) if any(v is not None for v in row[width:])]
    if beyond:
        raise ReadError(
            message(
                f"there are cells right of the last named column, first in row {start + 2 + beyond[0]}",
                where=where,
                do="Name that column in the header, or clear the cells",
            )
        )
    kept = [row for row in body if any(v is not None for v in row)]
    if not kept:
        return None
    cells = pd.DataFrame(kept, columns=pd.Index(header, dtype="str"), dtype=object)
    return RawTable(cells, typed=True, how="Excel sheet", blank_rows=len(body) - len(kept))


def _clean(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip() == "" else value
