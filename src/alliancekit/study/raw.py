"""What a file holds before the codebook is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from alliancekit.study.codebook import ColumnInfo


@dataclass(frozen=True)
class RawTable:
    """One table as found in a file.

    Attributes
    ----------
    cells : frame of texts ("" for empty) where ``typed`` is False, of values otherwise.
    typed : whether the file knows types (Excel, parquet, SPSS, Stata).
    decimal : decimal mark of a text file.
    how : how it was read, in words.
    infos : what the file itself says of its columns (labels, value labels, missing codes).
    blank_rows : rows without any cell, left out.
    """

    cells: pd.DataFrame
    typed: bool
    decimal: str = "."
    how: str = ""
    infos: Mapping[str, ColumnInfo] = field(default_factory=dict)
    blank_rows: int = 0
