"""The answers of a scale: which columns, as numbers, within the possible range, reversed items turned round."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import DesignError, SpecError, check_columns, message
from alliancekit.measurement.consistency import Floats
from alliancekit.study.types import Study

WHERE = "reliability"
Items = Sequence[str] | str | Mapping[str, Sequence[str] | str]


def read_scales(items: Items, frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return scale -> item columns; a list without a name is called "scale", a prefix names its own scale."""
    if isinstance(items, Mapping):
        given = {str(scale): columns for scale, columns in items.items()}
    else:
        given = {items.rstrip("_. ") if isinstance(items, str) else "scale": items}
    if not given:
        raise SpecError(message("no scale was given", where=WHERE, do='Give {"task": ["wai_1", "wai_2"]}'))
    scales = {}
    for scale, columns in given.items():
        names = _with_prefix(columns, frame) if isinstance(columns, str) else tuple(columns)
        repeated = [name for i, name in enumerate(names) if name in names[:i]]
        if repeated:
            raise SpecError(message(f"item '{repeated[0]}' is given twice", where=f"scale '{scale}'"))
        if len(names) < 2:
            raise SpecError(
                message(
                    f"a scale needs two items or more, not {len(names)}",
                    where=f"scale '{scale}'",
                    do="The reliability of a single item cannot be seen in one rating",
                )
            )
        check_columns(frame.columns, names, where=f"{WHERE}, scale '{scale}'")
        scales[scale] = names
    return scales


def _with_prefix(prefix: str, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns that are the prefix and a number, in order of the number."""
    pattern = re.compile(re.escape(prefix) + r"[_.]?(\d+)\Z")
    found = [(int(hit.group(1)), str(name)) for name in frame.columns if (hit := pattern.match(str(name)))]
    if not found:
        alike = [str(name) for name in frame.columns if str(name).startswith(prefix)]
        todo = f"Name the items; columns with this beginning: {', '.join(alike[:20])}" if alike else "Name the items"
        raise DesignError(message(f"no column is called '{prefix}' and a number", where=WHERE, do=todo))
    return tuple(name for _, name in sorted(found))


def check_reversed(reverse: Sequence[str], scales: Mapping[str, Sequence[str]]) -> None:
    """Refuse reversed items that are in no scale."""
    everything = {name for columns in scales.values() for name in columns}
    unknown = [name for name in reverse if name not in everything]
    if unknown:
        listed = ", ".join(f"'{name}'" for name in unknown)
        raise SpecError(
            message(f"reversed items that are in no scale: {listed}", do=f"Items are: {', '.join(sorted(everything))}")
        )


def repeated_rows(data: Any, frame: pd.DataFrame) -> list[str]:
    """Return a note where patients have several rows."""
    patient = data.role("patient") if isinstance(data, Study) else "patient"
    if patient is None or patient not in frame.columns:
        return []
    several = int((frame[patient].value_counts() > 1).sum())
    if not several:
        return []
    return [
        f"{several} patients have several rows: levels of persons and fluctuations within persons are mixed here, "
        "and the limits, which take rows as independent, are too narrow."
    ]


def read_answers(
    data: Any,
    frame: pd.DataFrame,
    scale: str,
    columns: Sequence[str],
    reverse: Sequence[str],
    answers: tuple[float, float] | None,
) -> tuple[Floats, tuple[float, float]]:
    """Return the answers with reversed items turned round, shape (rows, p), and the possible range."""
    values = np.column_stack([_numbers(frame[name], name) for name in columns])
    limits = answers or _codebook_range(data, columns)
    if limits is None:
        seen = values[np.isfinite(values)]
        limits = (float(seen.min()), float(seen.max())) if seen.size else (np.nan, np.nan)
    low, high = limits
    for j, name in enumerate(columns):
        outside = (values[:, j] < low) | (values[:, j] > high)
        if outside.any():
            wrong = ", ".join(f"{v:g}" for v in np.unique(values[outside, j])[:5])
            raise DesignError(
                message(
                    f"{int(outside.sum())} answers to '{name}' lie outside {low:g} to {high:g}: {wrong}",
                    where=f"scale '{scale}'",
                    do="Recode missing codes as missing, or correct answers=",
                )
            )
        if name in reverse:
            values[:, j] = low + high - values[:, j]
    return values, limits


def _numbers(column: pd.Series, name: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        raise DesignError(message(f"item '{name}' is not numeric", do="Give the answers as numbers"))
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise DesignError(message(f"item '{name}' holds infinite values", do="Recode them as missing"))
    return values


def _codebook_range(data: Any, columns: Sequence[str]) -> tuple[float, float] | None:
    if not isinstance(data, Study):
        return None
    ranges = {data.column_info(name).range for name in columns}
    return ranges.pop() if len(ranges) == 1 else None
