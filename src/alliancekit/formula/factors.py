"""Columns made into codes and levels, without sorting rows.

Codes count from 0 in the order of the levels; a missing value has code -1. Levels are in R's order: categories as
given, numbers ascending, text by code point, False before True.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.formula.expressions import number_label

Codes = NDArray[np.intp]

_RUNS_PAY = 0.5  # repeats of the same value in successive rows are collapsed when at most this share of rows start one


class Labels:
    """Names of levels, made into text only when they are asked for.

    Attributes
    ----------
    size : number of levels.
    """

    __slots__ = ("_made", "_make", "size")

    def __init__(self, size: int, make: Callable[[], Sequence[str]]) -> None:
        self.size = size
        self._make = make
        self._made: tuple[str, ...] | None = None

    def all(self) -> tuple[str, ...]:
        """Return the labels in the order of the codes."""
        if self._made is None:
            self._made = tuple(self._make())
        return self._made

    def subset(self, index: Codes) -> Labels:
        """Return the labels at these places."""
        return Labels(len(index), lambda: [self.all()[i] for i in index.tolist()])

    def __reduce__(self) -> tuple[Any, ...]:
        return _labels_of, (self.all(),)


def _labels_of(names: tuple[str, ...]) -> Labels:
    return Labels(len(names), lambda: names)


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A column as codes and levels.

    Attributes
    ----------
    codes : (n,) level of each row, -1 where missing.
    labels : names of the levels, in the order of the codes.
    ordered : whether the levels have an order.
    """

    codes: Codes
    labels: Labels
    ordered: bool = False

    def used(self, rows: NDArray[np.bool_] | None = None) -> Factor:
        """Return the factor of the chosen rows without the levels that do not occur there."""
        codes = self.codes if rows is None else self.codes[rows]
        counts = np.bincount(codes[codes >= 0] if self._has_missing(codes) else codes, minlength=self.labels.size)
        if np.all(counts):
            return self if rows is None else Factor(codes, self.labels, self.ordered)
        present = np.flatnonzero(counts)
        lookup = np.full(self.labels.size + 1, -1, dtype=np.intp)
        lookup[present] = np.arange(len(present))
        return Factor(lookup[codes], self.labels.subset(present), self.ordered)

    @staticmethod
    def _has_missing(codes: Codes) -> bool:
        return bool(len(codes)) and int(codes.min()) < 0

    def missing(self) -> NDArray[np.bool_] | None:
        """Return the mask of missing rows; None when there are none."""
        return self.codes < 0 if self._has_missing(self.codes) else None


def factorise(column: pd.Series[Any]) -> Factor:
    """Return the codes and levels of a column of any kind.

    Examples
    --------
    >>> factor = factorise(pd.Series(["b", "a", "b"]))
    >>> factor.codes.tolist(), factor.labels.all()
    ([1, 0, 1], ('a', 'b'))
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_categorical(column)
    if pd.api.types.is_bool_dtype(dtype):
        return _from_logical(column)
    if pd.api.types.is_numeric_dtype(dtype):
        return _from_numbers(column)
    if _in_arrow(dtype):
        return _from_arrow(column)
    return _from_objects(column)


def _in_arrow(dtype: Any) -> bool:
    if isinstance(dtype, pd.StringDtype):
        return dtype.storage == "pyarrow"
    return isinstance(dtype, pd.ArrowDtype) and dtype.kind in "OU"


def _from_categorical(column: pd.Series[Any]) -> Factor:
    values: Any = column.array
    names = values.categories
    labels = Labels(len(names), lambda: [level_label(c) for c in names.tolist()])
    return Factor(values.codes.astype(np.intp), labels, bool(values.ordered)).used()


def _from_logical(column: pd.Series[Any]) -> Factor:
    missing = column.isna().to_numpy()
    codes = (
        column.fillna(False).to_numpy(dtype=bool).astype(np.intp) if missing.any() else column.to_numpy(dtype=np.intp)
    )
    codes[missing] = -1
    return Factor(codes, _labels_of(("FALSE", "TRUE"))).used()


def _from_numbers(column: pd.Series[Any]) -> Factor:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        values = column.to_numpy()
    else:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    codes, levels = code_numbers(values)
    return Factor(codes, Labels(len(levels), lambda: [number_label(float(v)) for v in levels.tolist()]))


def code_numbers(values: NDArray[Any]) -> tuple[Codes, NDArray[Any]]:
    """Return the codes of an array of numbers and its distinct values, ascending; NaN has code -1.

    Examples
    --------
    >>> codes, levels = code_numbers(np.array([7, 7, 3]))
    >>> codes.tolist(), levels.tolist()
    ([1, 1, 0], [3, 7])
    """
    if not len(values):
        return np.zeros(0, dtype=np.intp), values
    starts = np.flatnonzero(values[1:] != values[:-1]) + 1
    collapsed = len(starts) + 1 <= _RUNS_PAY * len(values)
    heads = values[np.concatenate(([0], starts))] if collapsed else values
    codes, levels = _code_heads(heads)
    return (_spread(codes, starts, len(values)) if collapsed else codes), levels


def _code_heads(heads: NDArray[Any]) -> tuple[Codes, NDArray[Any]]:
    if heads[0] < heads[-1] and bool((heads[1:] > heads[:-1]).all()):  # in order, each once: a sorted column
        return np.arange(len(heads)), heads
    if heads.dtype.kind in "iu":
        low, high = int(heads.min()), int(heads.max())
        if high - low < 4 * len(heads) + 1000:
            shifted = (heads - heads.dtype.type(low)).astype(np.intp)
            present = np.flatnonzero(np.bincount(shifted, minlength=high - low + 1))
            lookup = np.zeros(high - low + 1, dtype=np.intp)
            lookup[present] = np.arange(len(present))
            return lookup[shifted], present.astype(heads.dtype) + heads.dtype.type(low)
    found, levels = pd.factorize(heads)
    return _in_order(found, np.argsort(levels, kind="stable"), levels)


def _in_order(codes: NDArray[Any], order: NDArray[Any], levels: NDArray[Any]) -> tuple[Codes, NDArray[Any]]:
    rank = np.empty(len(order) + 1, dtype=np.intp)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    return rank[codes], levels[order]


def _spread(codes: Codes, starts: NDArray[Any], size: int) -> Codes:
    lengths = np.diff(np.concatenate(([0], starts, [size])))
    return np.repeat(codes, lengths)


def _from_arrow(column: pd.Series[Any]) -> Factor:
    import pyarrow as pa
    import pyarrow.compute as pc

    values: Any = column.array
    array: Any = values.__arrow_array__()
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if isinstance(array, pa.ChunkedArray):  # an empty column
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    starts: NDArray[Any] | None = None
    heads = array
    if array.null_count == 0 and len(array) > 1:
        starts = pc.indices_nonzero(pc.not_equal(array[1:], array[:-1])).to_numpy().astype(np.intp) + 1
        if len(starts) + 1 <= _RUNS_PAY * len(array):
            heads = array.take(pa.array(np.concatenate(([0], starts))))
        else:
            starts = None
    coded = heads.dictionary_encode()
    indices = coded.indices
    found = (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)
    names = coded.dictionary
    order = pc.sort_indices(names)  # by UTF-8 bytes, which is by code point
    rank = np.empty(len(names) + 1, dtype=np.intp)
    rank[order.to_numpy()] = np.arange(len(names))
    rank[-1] = -1
    codes = rank[found]
    if starts is not None:
        codes = _spread(codes, starts, len(array))
    return Factor(codes, Labels(len(names), lambda: names.take(order).to_pylist()))


def _from_objects(column: pd.Series[Any]) -> Factor:
    found, levels = pd.factorize(column.to_numpy(dtype=object))
    names = [level_label(v) for v in levels]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.intp)
    codes, _ = _in_order(found, order, order)
    merged: dict[str, int] = {}
    for i in order.tolist():
        merged.setdefault(names[i], len(merged))
    if len(merged) < len(names):  # values of different kinds that read the same, such as 1 and "1"
        lookup = np.array([merged[names[i]] for i in order.tolist()] + [-1], dtype=np.intp)
        codes = lookup[codes]
    return Factor(codes, _labels_of(tuple(merged)))


def level_label(value: object) -> str:
    """Return the name of a level: text as it is, numbers and truth values as R prints them."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float, np.number)):
        return number_label(float(value))
    return str(value)


def cross(factors: Sequence[Factor]) -> Factor:
    """Return the factor of the combinations that occur, named ``a:b``; the first factor's levels vary slowest.

    Examples
    --------
    >>> both = cross([factorise(pd.Series(["a", "b"])), factorise(pd.Series([2, 1]))])
    >>> both.labels.all()
    ('a:2', 'b:1')
    """
    whole = factors[0]
    for other in factors[1:]:
        whole = _cross_two(whole, other)
    return whole


def _cross_two(slow: Factor, fast: Factor) -> Factor:
    key = slow.codes * fast.labels.size + fast.codes
    missing = (slow.codes < 0) | (fast.codes < 0)
    if missing.any():
        key = np.where(missing, -1, key)
        codes, levels = code_numbers(key)
        shift = int(levels[0] == -1)
        codes, levels = codes - shift, levels[shift:]
    else:
        codes, levels = code_numbers(key)
    width = max(fast.labels.size, 1)

    def make() -> list[str]:
        first, second = slow.labels.all(), fast.labels.all()
        return [f"{first[k // width]}:{second[k % width]}" for k in levels.tolist()]

    return Factor(codes, Labels(len(levels), make))


def match_levels(factor: Factor, levels: Iterable[str]) -> Codes:
    """Return, for each level of ``factor``, its place among ``levels``, and -1 where it is not one of them.

    The array has one entry more, -1, so that it can be indexed with codes that hold -1 for missing.
    """
    place = {name: i for i, name in enumerate(levels)}
    return np.array([place.get(name, -1) for name in factor.labels.all()] + [-1], dtype=np.intp)
