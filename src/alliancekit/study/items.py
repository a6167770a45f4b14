"""The item columns of a questionnaire: finding them, reading their numbers, checking their range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, SpecError, message, nearest
from alliancekit.study.grouping import numeric
from alliancekit.study.registry import Instrument, Prorate
from alliancekit.study.types import Study

Floats = NDArray[np.float64]


def item_columns(
    data: Any, frame: pd.DataFrame, made: Instrument, items: Mapping[Any, Any] | None, prefix: str | None
) -> dict[int, str]:
    """Return item number -> column for every item of the key, from ``items``, ``prefix`` or the codebook."""
    if items is not None and prefix is not None:
        raise SpecError(message("items= and prefix= were both given", do="Give one of them"))
    if items is not None:
        found = _from_mapping(made, items)
    elif prefix is not None:
        found = _from_prefix(made, frame, prefix)
    else:
        found = _from_codebook(data, made)
    _check_given(made, found, frame)
    return {i: found[i] for i in range(1, made.n_items + 1) if i in found}


def _from_mapping(made: Instrument, items: Mapping[Any, Any]) -> dict[int, str]:
    wrong = [
        k for k in items if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= made.n_items
    ]
    if wrong:
        raise SpecError(
            message(
                f"items= names {wrong}", do=f"Use the item numbers 1 to {made.n_items} of {made.id}, each -> column"
            )
        )
    return {int(k): str(v) for k, v in items.items()}


def _from_prefix(made: Instrument, frame: pd.DataFrame, prefix: str) -> dict[int, str]:
    found = {}
    for i in range(1, made.n_items + 1):
        for candidate in (f"{prefix}{i}", f"{prefix}{i:02d}"):
            if candidate in frame.columns:
                found[i] = candidate
                break
    if not found:
        close = nearest(f"{prefix}1", [str(c) for c in frame.columns])
        hint = f". The nearest column is '{close}'" if close else ""
        raise SchemaError(
            message(f"no column is called '{prefix}1', '{prefix}2' ...", do=f"Check prefix={prefix!r}{hint}")
        )
    extra = f"{prefix}{made.n_items + 1}"
    if extra in frame.columns:
        raise SchemaError(
            message(
                f"{made.id} has {made.n_items} items, but there is a column '{extra}'",
                do="Check the instrument, or name the columns with items=",
            )
        )
    return found


def _from_codebook(data: Any, made: Instrument) -> dict[int, str]:
    found: dict[int, str] = {}
    if isinstance(data, Study):
        for column in data.data.columns:
            info = data.column_info(column)
            if info.instrument and info.instrument.lower() == made.id.lower() and info.item is not None:
                if info.item in found:
                    raise SchemaError(
                        message(
                            f"the codebook gives item {info.item} of {made.id} to two columns",
                            where=f"'{found[info.item]}' and '{column}'",
                            do="Name the columns with items= or prefix=",
                        )
                    )
                found[info.item] = column
    if not found:
        raise SpecError(
            message(
                f"which columns hold the items of {made.id} is not said",
                do="Give prefix='wai_' or items={1: 'column', ...}, or describe the items in the codebook",
            )
        )
    return found


def _check_given(made: Instrument, found: Mapping[int, str], frame: pd.DataFrame) -> None:
    have = [str(c) for c in frame.columns]
    absent = {i: c for i, c in found.items() if c not in have}
    if absent:
        named = [
            f"item {i}: '{c}'" + (f" (nearest: '{n}')" if (n := nearest(c, have)) else "") for i, c in absent.items()
        ]
        raise SchemaError(message(f"columns are not in the data: {', '.join(named)}", where=made.id))
    lost = sorted({i for members in made.scores.values() for i in members} - set(found))
    if lost:
        raise SchemaError(
            message(
                f"no column for item{'s' if len(lost) > 1 else ''} {', '.join(map(str, lost))} of {made.id}",
                do="Name every item's column; an item that was never asked needs a column of missing values",
            )
        )
    columns = list(found.values())
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise SpecError(message(f"one column stands for several items: {', '.join(twice)}", where=made.id))


def user_key(
    made: Instrument, items: Mapping[Any, Any] | None, scoring: str | None, reverse: Sequence[Any] | None
) -> tuple[Instrument, dict[int, str]]:
    """Return the instrument with the caller's key, and a number for each of its columns."""
    scales = {str(k): [v] if isinstance(v, str) else list(v) for k, v in (items or {}).items()}
    if scoring is None and not made.scorable:
        raise SpecError(
            message(f"how the items of {made.id} are combined is not known", do="Give scoring='mean' or scoring='sum'")
        )
    columns = list(dict.fromkeys(c for members in scales.values() for c in members))
    if len(columns) > made.n_items:
        raise SpecError(message(f"{made.id} has {made.n_items} items, but items= names {len(columns)} columns"))
    number = {c: i for i, c in enumerate(columns, start=1)}
    unknown = [r for r in (reverse or ()) if r not in number]
    if unknown:
        raise SpecError(message(f"reverse= names {unknown}, which items= does not", do="Name columns of items="))
    total = tuple(number.values()) if "total" not in scales and len(scales) > 1 else ()
    own = replace(
        made,
        subscales={k: tuple(number[c] for c in v) for k, v in scales.items()},
        total=total,
        reverse=tuple(number[r] for r in (reverse or ())),
        item_ranges={},
        prorate=made.prorate if made.prorate.rule != "max_missing" else Prorate(),
    )
    return own, {i: c for c, i in number.items()}


def item_values(frame: pd.DataFrame, columns: Mapping[int, str]) -> Floats:
    """Return the (rows, items) array of item values; SchemaError names every cell that is not a number."""
    have = [str(c) for c in frame.columns]
    absent = [c for c in columns.values() if c not in have]
    if absent:
        raise SchemaError(message(f"columns are not in the data: {', '.join(map(repr, absent))}"))
    return np.column_stack([numeric(frame, c) for c in columns.values()])


def check_range(data: Any, frame: pd.DataFrame, made: Instrument, columns: Mapping[int, str], values: Floats) -> None:
    """Raise SchemaError listing the cells outside the instrument's response range."""
    bad: list[tuple[int, int]] = []
    for j, item in enumerate(columns):
        limits = made.range_of(item)
        if limits is not None:
            with np.errstate(invalid="ignore"):
                rows = np.flatnonzero((values[:, j] < limits[0]) | (values[:, j] > limits[1]))
            bad += [(int(r), j) for r in rows]
    if not bad:
        return
    bad.sort()
    names = list(columns.values())
    person = data.role("patient") if isinstance(data, Study) else None
    cells = []
    for row, j in bad[:8]:
        who = f" ({person} {frame[person].iloc[row]})" if person else ""
        cells.append(f"row {frame.index[row]}{who}, {names[j]}: {values[row, j]:g}")
    more = f" and {len(bad) - 8} more" if len(bad) > 8 else ""
    limits = made.range_of(next(iter(columns))) or (0.0, 0.0)
    raise SchemaError(
        message(
            f"{len(bad)} cell{'s are' if len(bad) > 1 else ' is'} outside the range {limits[0]:g} to {limits[1]:g} of "
            f"{made.id}{_looks_like_another(made, values)}",
            where="; ".join(cells) + more,
            do="Correct them, or declare the code as missing in codebook.json",
        )
    )


def _looks_like_another(made: Instrument, values: Floats) -> str:
    from alliancekit.study.registry import registry

    for other in (registry()[name] for name in made.not_with if name in registry()):
        known = values[~np.isnan(values)]
        if other.min is not None and other.max is not None and known.min() >= other.min and known.max() <= other.max:
            return f"; every value fits {other.id} ({other.min:g} to {other.max:g}), so this may be that form"
    return ""
