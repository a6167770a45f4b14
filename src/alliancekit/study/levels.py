"""Units and levels: which column names the unit, one value per unit, arms, labels; shared by the descriptives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, SpecError, message
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.types import Study


def list_of(columns: str | Sequence[str], *, where: str, least: int = 1) -> list[str]:
    """Return column names as a list without repetition; raise SpecError where there are fewer than ``least``."""
    names = [columns] if isinstance(columns, str) else [str(c) for c in columns]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise SpecError(message(f"columns are named twice: {', '.join(repeated)}", where=where, do="Name each once"))
    if len(names) < least:
        need = "a column" if least == 1 else f"at least {least} columns"
        raise SpecError(message(f"{where} needs {need}", do=f"Name {need} of the data"))
    return names


def require_ids(frame: pd.DataFrame, unit: str, *, where: str) -> None:
    """Raise SchemaError naming the rows in which the unit's column is empty."""
    empty = np.flatnonzero(frame[unit].isna().to_numpy())
    if empty.size:
        shown = ", ".join(str(i + 1) for i in empty[:5]) + (", ..." if empty.size > 5 else "")
        raise SchemaError(
            message(
                f"{empty.size} rows have no value in '{unit}'",
                where=f"{where}; rows {shown}",
                do="Give each row its identifier, or leave these rows out",
            )
        )


def value_per_unit(frame: pd.DataFrame, unit: str, column: str, *, do: str) -> pd.Series:
    """Return the one value a column has in each unit (missing where a unit has none), units in order of appearance.

    Raises
    ------
    SchemaError : the column changes inside a unit; the message names the first such unit.
    """
    grouped = frame.groupby(unit, sort=False, observed=True)[column]
    counts = grouped.nunique()
    changing = counts.index[counts.to_numpy() > 1]
    if len(changing):
        raise SchemaError(
            message(
                f"'{column}' changes inside {len(changing)} of {len(counts)} units",
                where=f"{unit} {changing[0]}",
                do=do,
            )
        )
    first: pd.Series = grouped.first()
    return first


def arms_of(values: pd.Series) -> list[Any]:
    """Return the arms that occur: category order, else numbers ascending or text by code point."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values.dropna().unique())
        return [c for c in values.cat.categories if c in present]
    present_values = values.dropna().unique().tolist()
    try:
        return sorted(present_values)
    except TypeError:
        return sorted(present_values, key=str)


def floats(column: pd.Series) -> NDArray[np.float64]:
    """Return a numeric or truth-valued column as floats, missing as NaN."""
    return np.asarray(column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def column_info(data: Study | pd.DataFrame, column: str) -> ColumnInfo:
    """Return the codebook's entry of a column; an empty one where there is none."""
    return data.column_info(column) if isinstance(data, Study) else ColumnInfo()


def label_of(data: Study | pd.DataFrame, column: str) -> str:
    """Return the codebook's label of a column, or the column's name."""
    return column_info(data, column).label or column
