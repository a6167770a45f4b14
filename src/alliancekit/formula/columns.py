"""The columns of a frame as a formula sees them: numbers or factors, read once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, check_columns, message
from alliancekit.formula.factors import Codes, Factor, factorise

Kind = Literal["number", "logical", "factor"]

NUMBERS_IN_TEXT = 0.8
"""A text column of which more than this share reads as numbers is taken for spoilt numbers, not for a factor."""

_READS_AS_NUMBER = re.compile(r"\s*[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?\s*%?\s*")
_SHOWN_ROWS = 5


class Columns:
    """A frame whose columns are read once each.

    Attributes
    ----------
    frame : the data.
    where : what asks for the columns, for messages.
    """

    def __init__(self, frame: pd.DataFrame, wanted: Iterable[str], *, where: str) -> None:
        check_columns(frame.columns, wanted, where=where)
        self.frame = frame
        self.where = where
        self._series: dict[str, pd.Series[Any]] = {}
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._factors: dict[str, Factor] = {}
        self._kinds: dict[str, Kind] = {}

    def series(self, name: str) -> pd.Series[Any]:
        """Return one column, with an object column of one kind of value given that kind."""
        if name not in self._series:
            column = self.frame[name]
            if isinstance(column, pd.DataFrame):
                raise DesignError(message(f"the data have {column.shape[1]} columns named '{name}'", do="Rename them"))
            if column.dtype == object:
                column = _settle(column)
            self._series[name] = column
        return self._series[name]

    def kind(self, name: str) -> Kind:
        """Return what a column is: numbers, truth values, or a factor (categories or text)."""
        if name not in self._kinds:
            self._kinds[name] = _kind_of(self.series(name), name)
        return self._kinds[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers or truth values as float64, NaN where missing.

        Raises
        ------
        DesignError : the column is a factor.
        """
        if name not in self._numbers:
            if self.kind(name) == "factor":
                self.refuse_numbers_in_text(name)
                do = "Use a column of numbers"
                raise DesignError(message(f"column '{name}' is not numeric", where=self.where, do=do))
            column = self.series(name)
            if isinstance(column.dtype, np.dtype):
                self._numbers[name] = column.to_numpy(dtype=np.float64)
            else:
                self._numbers[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return self._numbers[name]

    def factor(self, name: str) -> Factor:
        """Return a column of any kind as codes and levels."""
        if name not in self._factors:
            self._factors[name] = factorise(self.series(name))
        return self._factors[name]

    def missing(self, name: str, *, as_factor: bool) -> NDArray[np.bool_] | None:
        """Return the mask of missing rows of a column; None when there are none."""
        if as_factor or self.kind(name) == "factor":
            return self.factor(name).missing()
        values = self.numbers(name)
        if not len(values) or not np.isnan(values.min()):  # the minimum is NaN exactly when some value is
            return None
        return np.isnan(values)

    def refuse_numbers_in_text(self, name: str) -> None:
        """Raise DesignError when a text column is mostly numbers: a few stray cells have made it text."""
        if isinstance(self.series(name).dtype, pd.CategoricalDtype):
            return
        factor = self.factor(name)
        levels = factor.labels.all()
        reads = np.array([_READS_AS_NUMBER.fullmatch(level) is not None for level in levels], dtype=bool)
        counts = np.bincount(factor.codes[factor.codes >= 0], minlength=len(levels))
        total, numbers = int(counts.sum()), int(counts[reads].sum())
        if total == 0 or numbers <= NUMBERS_IN_TEXT * total:
            return
        if numbers == total:
            what = f"column '{name}' is text, but all {total} values read as numbers"
            do = f"Convert it with pandas.to_numeric, or write factor({name}) if its numbers are labels"
            raise DesignError(message(what, where=self.where, do=do))
        stray = (factor.codes >= 0) & ~np.append(reads, True)[factor.codes]
        example = levels[int(np.flatnonzero(~reads)[0])]
        what = f"text in numbers: {numbers} of {total} values of column '{name}' read as numbers, but not '{example}'"
        do = f"Correct these cells and convert the column with pandas.to_numeric, or write factor({name})"
        raise DesignError(message(what, where=f"{name_rows(self.frame.index, stray)}; {self.where}", do=do))

    def check_finite(self, values: NDArray[np.float64], name: str, rows: Codes | None, advice: str) -> None:
        """Raise DesignError naming the rows where ``values`` (of the ``rows`` used) are not finite."""
        if np.isfinite(values).all():
            return
        bad = np.zeros(len(self.frame), dtype=bool)
        hit = np.flatnonzero(~np.isfinite(values))
        bad[hit if rows is None else rows[hit]] = True
        what = f"{name} is {'infinite' if np.isinf(values[hit]).all() else 'not defined'}"
        raise DesignError(message(what, where=name_rows(self.frame.index, bad), do=advice))


def name_rows(index: pd.Index[Any], mask: NDArray[np.bool_]) -> str:
    """Return the rows of a mask by the labels of the frame's index, such as ``rows 3, 7 and 12 more``."""
    labels = [str(v) for v in index[np.flatnonzero(mask)[:_SHOWN_ROWS]].tolist()]
    more = int(mask.sum()) - len(labels)
    rows = "row" if len(labels) == 1 else "rows"
    return f"{rows} {', '.join(labels)}" + (f" and {more} more" if more > 0 else "")


def _settle(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return an object column as numbers or truth values where it holds nothing else."""
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found in ("integer", "floating", "mixed-integer-float", "decimal", "empty"):
        values = np.full(len(column), np.nan)
        known = column.notna().to_numpy()
        values[known] = column.to_numpy()[known].astype(np.float64)
        return pd.Series(values, index=column.index)
    if found == "boolean":
        return column.astype("boolean")
    return column


def _kind_of(column: pd.Series[Any], name: str) -> Kind:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "factor"
    if pd.api.types.is_bool_dtype(dtype):
        return "logical"
    if pd.api.types.is_complex_dtype(dtype):
        raise DesignError(message(f"column '{name}' holds complex numbers", do="Use its real part"))
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        do = "Make a column of numbers from it, such as weeks since the first session"
        raise DesignError(message(f"column '{name}' holds dates or durations ({dtype})", do=do))
    return "factor"
