"""Rows by person and time: group codes, means, partner rows, and adding columns without overwriting any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, message

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


def group_codes(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[Codes, int]:
    """Return a code 0..k-1 per row for the combination of keys (-1 where one is missing), and k."""
    codes, size = np.zeros(len(frame), dtype=np.intp), 1
    for i, key in enumerate(keys):
        part, levels = pd.factorize(frame[key])
        if i == 0:
            codes, size = part.astype(np.intp), len(levels)
            continue
        absent = (codes < 0) | (part < 0)
        joint = codes * max(len(levels), 1) + part
        joint[absent] = -1
        codes, uniques = pd.factorize(np.where(absent, -1, joint), use_na_sentinel=False)
        order = np.asarray(uniques) >= 0
        renumber = np.where(order, np.cumsum(order) - 1, -1)
        codes, size = renumber[codes].astype(np.intp), int(order.sum())
    return codes, size


def group_mean(values: Floats, codes: Codes, size: int) -> tuple[Floats, NDArray[np.intp]]:
    """Return the mean and the count of the observed values of each group; the mean of none is NaN."""
    used = (codes >= 0) & ~np.isnan(values)
    count = np.bincount(codes[used], minlength=size)
    total = np.bincount(codes[used], weights=values[used], minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    # A second pass on the deviations: exact for constant values, and no digits lost to a large mean.
    rest = np.bincount(codes[used], weights=values[used] - mean[codes[used]], minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = mean + rest / count
    return mean, count


def spread(levels: Floats, codes: Codes) -> Floats:
    """Return each row's group value; NaN for rows without group."""
    return np.asarray(np.append(levels, np.nan)[codes], dtype=np.float64)


def numeric(frame: pd.DataFrame, column: str) -> Floats:
    """Return a column as floats; SchemaError names the cells that are text."""
    values = frame[column]
    if isinstance(values, pd.DataFrame):
        raise SchemaError(message(f"several columns are called '{column}'", do="Rename all but one of them"))
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype="float64", na_value=np.nan)
    numbers = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    bad = np.isnan(numbers) & values.notna().to_numpy()
    if bad.any():
        cells = [f"row {frame.index[i]}: {values.iloc[i]!r}" for i in np.flatnonzero(bad)[:5]]
        more = f" and {int(bad.sum()) - 5} more" if bad.sum() > 5 else ""
        raise SchemaError(
            message(
                f"the column '{column}' is not numeric",
                where="; ".join(cells) + more,
                do="Correct the cells, or declare the code as missing in codebook.json",
            )
        )
    return numbers


def add_columns(frame: pd.DataFrame, new: Mapping[str, pd.Series | Floats]) -> pd.DataFrame:
    """Return the frame with new columns; SchemaError where a column of that name holds something else."""
    made = {name: pd.Series(np.asarray(v) if isinstance(v, np.ndarray) else v.array, index=frame.index, name=name)
            for name, v in new.items()}  # fmt: skip
    for name, values in made.items():
        if name in frame.columns and not _same(frame[name], values):
            raise SchemaError(
                message(
                    f"the data already have a column '{name}' with other values",
                    do="Rename or drop it first; nothing is overwritten",
                )
            )
    fresh = {name: v for name, v in made.items() if name not in frame.columns}
    return pd.concat([frame, pd.DataFrame(fresh, index=frame.index)], axis=1) if fresh else frame


def _same(old: pd.Series, new: pd.Series) -> bool:
    gone_old, gone_new = old.isna().to_numpy(), new.isna().to_numpy()
    if (gone_old != gone_new).any():
        return False
    if pd.api.types.is_numeric_dtype(old) and pd.api.types.is_numeric_dtype(new):
        left, right = old.to_numpy(dtype=float, na_value=np.nan), new.to_numpy(dtype=float, na_value=np.nan)
        return bool(np.allclose(left, right, rtol=1e-12, atol=0, equal_nan=True))
    return bool((old[~gone_old].astype(object).to_numpy() == new[~gone_new].astype(object).to_numpy()).all())


def time_values(frame: pd.DataFrame, time: str) -> Floats:
    """Return times as floats; dates become days."""
    column = frame[time]
    if pd.api.types.is_datetime64_any_dtype(column):
        days = (column - pd.Timestamp("1970-01-01", tz=getattr(column.dtype, "tz", None))) / pd.Timedelta(days=1)
        return np.asarray(days.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)
    if isinstance(column.dtype, pd.CategoricalDtype):
        raise SchemaError(
            message(f"the time column '{time}' holds categories", do="Use a numeric column, such as the session number")
        )
    return numeric(frame, time)


def partner_rows(
    frame: pd.DataFrame, keys: Sequence[str], time: str, person: Codes, clock: Floats, step: float
) -> NDArray[np.intp]:
    """Return for each row the position of the same person's row at time + step, -1 where there is none.

    Raises SchemaError naming the persons and times that occur twice.
    """
    known = (person >= 0) & ~np.isnan(clock)
    source = np.full(len(frame), -1, dtype=np.intp)
    if not known.any():
        return source
    moments, moment = np.unique(clock[known], return_inverse=True)
    key = person[known].astype(np.int64) * len(moments) + moment
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    rows = np.flatnonzero(known)
    if len(again):
        _raise_duplicates(frame, [*keys, time], rows[order[again]])
    wanted = moments + step
    near = np.clip(np.searchsorted(moments, wanted), 1, max(len(moments) - 1, 1))
    near = np.minimum(near, len(moments) - 1)
    below = np.maximum(near - 1, 0)
    near = np.where(np.abs(moments[below] - wanted) <= np.abs(moments[near] - wanted), below, near)
    scale = np.maximum(np.maximum(np.abs(wanted), abs(step)), np.abs(moments))
    exists = np.abs(moments[near] - wanted) <= 1e-9 * scale
    target = np.where(exists[moment], key - moment + near[moment], -1)
    place = np.minimum(np.searchsorted(ordered, target), len(ordered) - 1)
    hit = (ordered[place] == target) & (target >= 0)
    source[rows[hit]] = rows[order[place[hit]]]
    return source


def _raise_duplicates(frame: pd.DataFrame, columns: list[str], rows: NDArray[np.intp]) -> None:
    named = frame.iloc[rows][columns].drop_duplicates()
    shown = "; ".join(
        ", ".join(f"{c} {v:g}" if isinstance(v, float) else f"{c} {v}" for c, v in zip(columns, values, strict=True))
        for values in named.head(5).itertuples(index=False)
    )
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    raise SchemaError(
        message(
            "one person has several rows at one time",
            where=shown + more,
            do="Keep one row per person and time; ak.validate lists every duplicate",
        )
    )
