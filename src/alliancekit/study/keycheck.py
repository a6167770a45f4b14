"""Is this key for these data? Forms of one questionnaire are mistaken for each other; the wrong key is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, message
from alliancekit.study.registry import Instrument, registry
from alliancekit.study.types import Study

ENOUGH_RATINGS = 36
ENOUGH_ROWS = 20


def refuse_other_form(data: Any, made: Instrument, columns: Mapping[int, str], values: NDArray[np.float64]) -> None:
    """Raise SchemaError where codebook, range or direction of the items say that the data are of another form.

    Three signs are looked at: the instrument and the range that the codebook gives the columns (any instrument); for
    forms that the registry says are mistaken for each other also the observed range, and the correlation of the items
    that one of the keys reverses with the mean of the other items.
    """
    declared = _check_codebook(data, made, columns)
    if made.not_with:
        if not declared:
            _check_observed_range(made, values)
        _check_direction(made, columns, values)


def _check_codebook(data: Any, made: Instrument, columns: Mapping[int, str]) -> bool:
    """Check the codebook's word on the columns; return whether it names this instrument's range."""
    if not isinstance(data, Study):
        return False
    infos = {c: data.column_info(c) for c in columns.values()}
    others = {c: i.instrument for c, i in infos.items() if i.instrument and i.instrument.lower() != made.id.lower()}
    if others:
        column, other = next(iter(others.items()))
        raise SchemaError(
            message(
                f"the codebook says that '{column}' belongs to {other}, so the key of {made.id} is refused",
                do=f"Score with '{other}', or correct \"instrument\" in codebook.json",
            )
        )
    for item, column in columns.items():
        limits, given = made.range_of(item), infos[column].range
        if limits is not None and given is not None and tuple(map(float, given)) != tuple(map(float, limits)):
            raise SchemaError(
                message(
                    f"the codebook gives '{column}' the range {given[0]:g} to {given[1]:g}, but {made.id} has "
                    f"{limits[0]:g} to {limits[1]:g}, so its key is refused{_by_range(made, given)}",
                    do='Score with the right instrument, or correct "range" in codebook.json',
                )
            )
    return any(i.range is not None for i in infos.values())


def _by_range(made: Instrument, given: tuple[float, float]) -> str:
    for other in (registry()[name] for name in made.not_with if name in registry()):
        if (other.min, other.max) == tuple(given):
            return f"; that is the range of {other.id}"
    return ""


def _check_observed_range(made: Instrument, values: NDArray[np.float64]) -> None:
    known = values[~np.isnan(values)]
    if len(known) < ENOUGH_RATINGS or made.max is None:
        return
    for other in (registry()[name] for name in made.not_with if name in registry()):
        if other.max is not None and other.max < made.max and known.max() <= other.max:
            raise SchemaError(
                message(
                    f"none of the {len(known)} ratings is above {other.max:g}, but {made.id} runs to {made.max:g}: "
                    f"these look like {other.id} data, so the key of {made.id} is refused",
                    do=f"Score with '{other.id}'; if they are {made.id} data, say so with \"range\": "
                    f"[{made.min:g}, {made.max:g}] in the codebook, or reverse={list(made.reverse)}",
                )
            )


def _check_direction(made: Instrument, columns: Mapping[int, str], values: NDArray[np.float64]) -> None:
    numbers = list(columns)
    for other in (registry()[name] for name in made.not_with if name in registry()):
        for item in sorted(set(made.reverse) ^ set(other.reverse)):
            if item not in numbers:
                continue
            r, n = item_rest(values, numbers, item, set(made.reverse) | set(other.reverse))
            expected = -1 if item in made.reverse else 1
            strong = n >= ENOUGH_ROWS and abs(r) > max(0.2, 3 / np.sqrt(n))
            if strong and np.sign(r) != expected:
                raise SchemaError(_wrong_direction(made, other, columns[item], item, r, expected))


def item_rest(values: NDArray[np.float64], numbers: list[int], item: int, left_out: set[int]) -> tuple[float, int]:
    """Return the correlation of a raw item with the mean of the plain items, and the rows it rests on."""
    plain = values[:, [j for j, i in enumerate(numbers) if i != item and i not in left_out]]
    rows = ~np.isnan(values[:, numbers.index(item)]) & ~np.isnan(plain).any(axis=1)
    n = int(rows.sum())
    if n < 3:
        return 0.0, n
    x, y = values[rows, numbers.index(item)], plain[rows].mean(axis=1)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0, n
    return float(np.corrcoef(x, y)[0, 1]), n


def _wrong_direction(made: Instrument, other: Instrument, column: str, item: int, r: float, expected: int) -> str:
    shown = f"r = {r:.2f} with the mean of the others"
    if expected < 0:
        return message(
            f"{made.id} reverses item {item}, but '{column}' runs with the other items ({shown}): the data are "
            f"{other.id}, or reversed already, so the key of {made.id} is refused",
            do=f"Score with '{other.id}', or say reverse=[] if the items are reversed already",
        )
    return message(
        f"{made.id} reverses no item, but '{column}' (item {item}) runs against the others ({shown}), as in "
        f"{other.id}: the key of {made.id} is refused",
        do=f"Score with '{other.id}', or say which items to reverse with reverse=[...]",
    )
