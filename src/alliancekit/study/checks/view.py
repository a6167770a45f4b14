"""What a check sees of one table, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliancekit.study.codebook import ColumnInfo, code_text

MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in the data.

    Attributes
    ----------
    table : table it was found in.
    row : label of the row in the frame's index; None for a finding about a whole column or table.
    column : column; None for a finding about a whole table.
    code : word for the kind of finding, such as "duplicate_row".
    severity : "error" (an analysis would be wrong), "warning" (probably not meant), "info" (good to know).
    message : a sentence: what, where, what to do.
    """

    table: str
    row: object
    column: str | None
    code: str
    severity: str
    message: str


@dataclass(frozen=True)
class TableView:
    """One table with what is known of it. Column names are unique text.

    Attributes
    ----------
    name : name of the table.
    frame : the rows.
    infos : column -> ColumnInfo, for every column.
    roles : role -> column of this table.
    described : whether a codebook says anything about the table's columns.
    """

    name: str
    frame: pd.DataFrame
    infos: Mapping[str, ColumnInfo]
    roles: Mapping[str, str]
    described: bool = False

    def place(self, position: int | np.intp, *, but: str | None = None) -> str:
        """Return where a row is, in words: "row 12, patient 007, session 3"."""
        parts = [f"row {self.frame.index[int(position)]}"]
        for role in ("patient", "rater", "session"):
            column = self.roles.get(role)
            if column is not None and column != but:
                value = self.frame[column].iloc[position]
                if pd.notna(value):
                    parts.append(f"{role} {code_text(value)}")
        return ", ".join(parts)

    def finding(self, position: int | None, column: str | None, code: str, severity: str, message: str) -> Finding:
        """Make a finding about the row at a position, or about a whole column or table."""
        row = None if position is None else self.frame.index[position]
        return Finding(self.name, row, column, code, severity, message)


def named(values: Sequence[object]) -> str:
    """Return the first values as a list for people, and how many more there are."""
    shown = ", ".join(code_text(v) for v in values[:MAX_NAMED])
    return shown + (f" and {len(values) - MAX_NAMED} more" if len(values) > MAX_NAMED else "")


def is_text(column: pd.Series) -> bool:
    """Return whether a column holds text or mixed objects (categories do not count)."""
    return column.dtype == object or pd.api.types.is_string_dtype(column)


def is_number(column: pd.Series) -> bool:
    """Return whether a column is numeric and not boolean."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def floats(column: pd.Series) -> np.ndarray:
    """Return a numeric column as floats."""
    return column.to_numpy(dtype="float64", na_value=np.nan)
