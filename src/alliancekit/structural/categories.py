"""Ordinal variables: which they are, and how many categories each has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message, nearest
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
    used = [name for name in roles.observed if name in frame.columns]
    rows = np.ones(len(frame), dtype=bool)
    for column in (*(used if options.missing == "listwise" else ()), options.group, options.cluster):
        if column is not None and column in frame.columns:
            rows &= frame[column].notna().to_numpy().reshape(len(frame), -1).all(axis=1)
    return {name: len(levels(frame[name], rows)) for name in ordinal if name in frame.columns}


def levels(column: pd.Series, rows: NDArray[np.bool_]) -> list[Any]:
    """Return the categories that occur in ``rows``, in their order.

    Raises
    ------
    DesignError : the column is text without an order, has one category, or too many.
    """
    name = column.name
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
    if len(found) < 2:
        shown = f"the category {found[0]}" if found else "no category"
        raise DesignError(message(f"'{name}' has only {shown} in the rows used", do="Leave it out of the model"))
    if len(found) > MOST:
        do = "Treat it as continuous: leave it out of ordered="
        raise DesignError(message(f"'{name}' has {len(found)} categories", do=do))
    return found


def codes(column: pd.Series, found: Sequence[Any]) -> NDArray[np.float64]:
    """Return the number of each row's category from 0; NaN where missing or not among them."""
    values = column.astype(object).where(column.notna(), None)
    place = {value: float(k) for k, value in enumerate(found)}
    return np.array([place.get(value, np.nan) for value in values], dtype=np.float64)


def check_categories(name: str, own: NDArray[np.float64], found: Sequence[Any], where: str) -> None:
    """Raise DesignError where a group has no row of a category."""
    present = set(own[np.isfinite(own)].astype(int).tolist())
    empty = [str(value) for k, value in enumerate(found) if k not in present]
    if empty:
        what = f"nobody is in category {empty[0]} of '{name}'"
        raise DesignError(message(what, where=where, do="Join it with a neighbouring category in all groups"))
