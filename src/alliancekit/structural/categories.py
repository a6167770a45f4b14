"""Ordinal variables: which they are, and how many categories each has."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, DesignWarning, SpecError, message, nearest
from alliancekit.structural.options import Options
from alliancekit.structural.variables import Variables

MOST = 30
"""More categories than these are taken for a mistake."""


def find_ordered(frame: pd.DataFrame, roles: Variables, ordered: bool | str | Sequence[str]) -> tuple[str, ...]:
    """Return the ordinal variables of a model: those named, and columns of ordered categories; no covariates.

    Parameters
    ----------
    ordered : True: all observed variables but covariates; or names. Columns that the model does not have are ignored.

    Raises
    ------
    SpecError : a name that is no variable of the model and no column, or is a covariate.
    """
    dependent = roles.endogenous
    if ordered is True:
        return dependent
    asked = [ordered] if isinstance(ordered, str) else list(ordered or ())
    for name in asked:
        if name in frame.columns and name not in roles.observed:
            continue
        if name in roles.exogenous:
            what = f"'{name}' is in ordered= and a covariate, whose distribution is not modelled"
            raise SpecError(message(what, do="Leave it out of ordered=; it is used as a number"))
        if name not in roles.observed:
            close = nearest(name, roles.observed)
            do = f"Did you mean {close}?" if close else f"They are {', '.join(dependent)}"
            raise SpecError(message(f"ordered= names '{name}', which is no observed variable of the model", do=do))
    kinds = zip(frame.columns, frame.dtypes, strict=True)
    found = {name for name, kind in kinds if isinstance(kind, pd.CategoricalDtype) and kind.ordered}
    return tuple(name for name in dependent if name in asked or name in found)


def count_categories(frame: pd.DataFrame, ordinal: Sequence[str], roles: Variables, options: Options) -> dict[str, int]:
    """Return the number of categories of each ordinal variable among the rows used."""
    present = set(frame.columns)
    named = (*roles.observed, options.group, options.cluster)
    columns = {name: single(frame, name) for name in named if name is not None and name in present}
    rows = np.ones(len(frame), dtype=bool)
    for name, column in columns.items():
        if options.missing == "listwise" or name in (options.group, options.cluster):
            rows &= known_rows(column)
    found = {name: levels(columns[name], rows) for name in ordinal if name in columns}
    if not rows.all():
        _warn_of_lost({name: columns[name] for name in found}, found)
    return {name: len(own) for name, own in found.items()}


def _warn_of_lost(columns: Mapping[str, pd.Series], found: Mapping[str, list[Any]]) -> None:
    """Warn of categories that only rows have which are left out."""
    lost = []
    for name, column in columns.items():
        used = set(found[name])
        lost += [f"{value} of '{name}'" for value in column.dropna().unique().tolist() if value not in used]
    if lost:
        what = f"a category that no row used has, and that is left out: {', '.join(lost)}"
        do = 'Give missing="pairwise" to use all rows, or join it with a neighbouring category'
        warnings.warn(message(what, do=do), DesignWarning, stacklevel=2)


def single(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column; raise DesignError where several have the name."""
    column = frame[name]
    if isinstance(column, pd.DataFrame):
        raise DesignError(message(f"the data have {column.shape[1]} columns named '{name}'", do="Rename them"))
    return column


def known_rows(column: pd.Series) -> NDArray[np.bool_]:
    """Return in which rows a column has a value."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iubf":
        values = column.to_numpy()
        return np.ones(len(values), dtype=np.bool_) if column.dtype.kind != "f" else ~np.isnan(values)
    return np.asarray(column.notna().to_numpy())


def levels(column: pd.Series, rows: NDArray[np.bool_]) -> list[Any]:
    """Return the categories that occur in ``rows``, in their order.

    Raises
    ------
    DesignError : the column is text without an order, has one category, or too many.
    """
    name = column.name
    if _plain(column):
        return _checked(name, _distinct(column.to_numpy()[rows]))
    inside = column[rows].dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        if not column.dtype.ordered:
            what = f"'{name}' is ordinal and its categories have no order"
            raise DesignError(message(what, do="Make it an ordered pandas Categorical"))
        present = set(inside.unique())
        found = [value for value in column.dtype.categories if value in present]
    elif pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        found = sorted(inside.unique().tolist())
    else:
        what = f"'{name}' is ordinal and text, whose order is not known"
        raise DesignError(message(what, do="Make it an ordered pandas Categorical, or numbers"))
    return _checked(name, found)


def _plain(column: pd.Series) -> bool:
    """Return whether a column is of integers or floats without a mask."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"


def _distinct(values: NDArray[Any]) -> list[Any]:
    """Return the distinct values that are there, in order."""
    if values.dtype.kind == "f":
        return list(np.unique(values[~np.isnan(values)]).tolist())
    low = int(values.min()) if values.size else 0
    if values.size and int(values.max()) - low < 1000:
        return list((np.flatnonzero(np.bincount(values.astype(np.int64) - low)) + low).tolist())
    return list(np.unique(values).tolist())


def _checked(name: Hashable, found: list[Any]) -> list[Any]:
    """Return the categories of a column, of which there are at least two, and not too many."""
    if len(found) < 2:
        shown = f"only the category {found[0]}" if found else "no value"
        raise DesignError(message(f"'{name}' has {shown} in the rows used", do="Leave it out of the model"))
    if any(isinstance(value, float) and np.isinf(value) for value in (found[0], found[-1])):
        raise DesignError(message(f"'{name}' has infinite values", do="Correct these rows"))
    if len(found) > MOST:
        do = "Treat it as continuous: leave it out of ordered="
        raise DesignError(message(f"'{name}' has {len(found)} categories", do=do))
    return found


def codes(column: pd.Series, found: Sequence[Any]) -> NDArray[np.float64]:
    """Return the number of each row's category from 0; NaN where missing or not among them."""
    if _plain(column):
        known, values = np.asarray(found), column.to_numpy()
        at = np.minimum(np.searchsorted(known, values), len(known) - 1)
        return np.where(known[at] == values, at.astype(np.float64), np.nan)
    place = {value: float(k) for k, value in enumerate(found)}
    entries = column.astype(object).where(column.notna(), None)
    return np.array([place.get(value, np.nan) for value in entries], dtype=np.float64)


def check_categories(name: str, own: NDArray[np.float64], found: Sequence[Any], where: str) -> None:
    """Raise DesignError where a group has no row of a category."""
    present = np.bincount(own[np.isfinite(own)].astype(np.intp), minlength=len(found)) > 0
    empty = [str(value) for value, there in zip(found, present, strict=True) if not there]
    if empty:
        what = f"nobody is in category {empty[0]} of '{name}'"
        raise DesignError(message(what, where=where, do="Join it with a neighbouring category in all groups"))
