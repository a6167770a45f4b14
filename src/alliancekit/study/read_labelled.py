"""SPSS (.sav, .zsav) and Stata (.dta) files: labels and user-missing codes go to the codebook with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from alliancekit.core.errors import ReadError, message
from alliancekit.study.codebook import ColumnInfo, code_text
from alliancekit.study.convert import whole_numbers
from alliancekit.study.raw import RawTable
from alliancekit.study.read_text import clean_header


def read_labelled(path: Path, *, encoding: str | None = None) -> RawTable:
    """Read an SPSS or Stata file.

    Values stay as the codes they are; value labels, variable labels and missing codes are described by ``infos``. A
    user-missing range of SPSS is described by the codes of the range that occur or have a label.

    Raises
    ------
    ReadError : the file cannot be read, or has no rows.
    """
    import pyreadstat

    spss = path.suffix.lower() in (".sav", ".zsav")
    reader = pyreadstat.read_sav if spss else pyreadstat.read_dta
    try:
        frame, meta = reader(str(path), user_missing=True, encoding=encoding)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError, ValueError) as error:
        kind = "SPSS" if spss else "Stata"
        raise ReadError(
            message(
                f"this is not a readable {kind} file: {str(error).rstrip('.')}",
                where=path.name,
                do=f"Save it again in {kind}, or give encoding= for an old file",
            )
        ) from error
    if not len(frame):
        raise ReadError(message("the file has variables and no rows", where=path.name))
    frame.columns = pd.Index(clean_header([str(c) for c in frame.columns], path.name), dtype="str")
    labels = {str(k).strip(): v for k, v in meta.variable_value_labels.items()}
    named = dict(zip(frame.columns, meta.column_labels, strict=True))
    infos = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_string_dtype(column):
            frame[name] = column.where(column.notna(), "").str.rstrip()
        else:
            frame[name] = whole_numbers(column)
        values = {code_text(k): str(v) for k, v in labels.get(name, {}).items()}
        codes = _spss_codes(column, meta.missing_ranges.get(name, []), labels.get(name, {})) if spss else None
        codes = _stata_codes(column, values) if codes is None else codes
        missing = {c: values.pop(c, f"user-missing {c}") for c in codes}
        infos[name] = ColumnInfo(label=named[name] or "", missing=missing, values=values)
    how = f"{'SPSS' if spss else 'Stata'} file, {meta.file_encoding or 'utf-8'}"
    return RawTable(frame, typed=True, how=how, infos=infos)


def _spss_codes(column: pd.Series, ranges: Sequence[Any], labels: Mapping[Any, str]) -> list[str]:
    """Return the missing codes that are single values, labelled, or occur in the data."""
    found: dict[str, None] = {}
    for limits in ranges:
        low, high = limits["lo"], limits["hi"]
        if low == high:
            found[code_text(low).rstrip()] = None
            continue
        seen = pd.unique(column.dropna())
        found |= {code_text(v): None for v in sorted([*labels, *seen]) if low <= v <= high}
    return list(found)


def _stata_codes(column: pd.Series, values: Mapping[str, str]) -> list[str]:
    """Return Stata's extended missing values (.a to .z) of a numeric column: those seen and those labelled."""
    if column.dtype != object and pd.api.types.is_string_dtype(column):
        return []
    letters = {chr(i) for i in range(ord("a"), ord("z") + 1)}
    seen = {v for v in column if isinstance(v, str)} if column.dtype == object else set()
    numbers = column.dtype != object or any(isinstance(v, float | int) for v in column) or seen <= letters
    return sorted((seen | (set(values) & letters)) & letters) if numbers else []
