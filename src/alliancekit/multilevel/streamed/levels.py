"""Levels of text and grouping columns, collected chunk by chunk; codes in R's order of the levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.factors import Labels, level_label

Ints = NDArray[np.intp]


class ColumnLevels:
    """Distinct values of one column; numbers ascending, text by code point, categories as given.

    Attributes
    ----------
    values : arrow array of the levels, in order, once ``finish`` has been called. ordered : whether they have an order.
    """

    def __init__(self, kind: Any) -> None:
        import pyarrow as pa

        self.values: Any = None
        self.categorical = pa.types.is_dictionary(kind)
        self.ordered = bool(self.categorical and kind.ordered)
        self._known: Any = None
        self._waiting: list[Any] = []
        self._categories: dict[Any, None] = {}

    def see(self, column: Any) -> None:
        """Take note of the values of a chunk's column (no value missing)."""
        import pyarrow.compute as pc

        if self.categorical:
            for part in column.unify_dictionaries().chunks[:1]:
                self._categories.update(dict.fromkeys(part.dictionary.to_pylist()))
        self._waiting.append(pc.unique(_plain(column)))
        if sum(len(w) for w in self._waiting) > 2 * (0 if self._known is None else len(self._known)):
            self._merge()

    def finish(self) -> None:
        """Put the levels into order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self._merge()
        if self.categorical:
            present = set(self._known.to_pylist())
            self.values = pa.array([c for c in self._categories if c in present], type=self._known.type)
            return
        self.values = self._known.take(pc.sort_indices(self._known))

    def codes(self, column: Any) -> Ints:
        """Return the level of each value of a chunk's column."""
        import pyarrow.compute as pc

        found = pc.index_in(_plain(column), value_set=self.values)
        return np.asarray(found.to_numpy(), dtype=np.intp)

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.values)

    def labels(self) -> Labels:
        """Return the names of the levels, made when asked for."""
        values = self.values
        return Labels(len(values), lambda: [level_label(v) for v in values.to_pylist()])

    def _merge(self) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts = self._waiting if self._known is None else [self._known, *self._waiting]
        if parts:
            self._known = pc.unique(pa.chunked_array(parts))
        self._waiting = []


def _plain(column: Any) -> Any:
    """Return the column without dictionary encoding."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column


class GroupLevels:
    """Levels of one grouping factor: those of a column, or the combinations of several that occur.

    Attributes
    ----------
    columns : per column of the factor, its levels. keys : combinations that occur, ascending; None for one column.
    """

    def __init__(self, names: tuple[str, ...], columns: dict[str, ColumnLevels]) -> None:
        self.names = names
        self.columns = [columns[name] for name in names]
        self.keys: NDArray[np.int64] | None = None if len(names) == 1 else np.zeros(0, dtype=np.int64)

    def see(self, chunk: Any) -> None:
        """Take note of the combinations in a chunk."""
        if self.keys is not None:
            self.keys = np.union1d(self.keys, self._key(chunk))

    def codes(self, chunk: Any) -> Ints:
        """Return the level of each row of a chunk."""
        if self.keys is None:
            return self.columns[0].codes(chunk.column(self.names[0]))
        return np.searchsorted(self.keys, self._key(chunk)).astype(np.intp, copy=False)

    @property
    def size(self) -> int:
        """Number of levels."""
        return self.columns[0].size if self.keys is None else len(self.keys)

    def labels(self) -> Labels:
        """Return the names of the levels, those of several columns joined as ``a:b``."""
        if self.keys is None:
            return self.columns[0].labels()
        keys, columns = self.keys, self.columns

        def make() -> list[str]:
            places: list[Any] = []
            rest = keys
            for column in reversed(columns):
                rest, place = np.divmod(rest, column.size)
                places.append([column.labels().all()[i] for i in place.tolist()])
            return [":".join(parts) for parts in zip(*reversed(places), strict=True)]

        return Labels(len(keys), make)

    def _key(self, chunk: Any) -> NDArray[np.int64]:
        key = np.zeros(chunk.num_rows, dtype=np.int64)
        for name, column in zip(self.names, self.columns, strict=True):
            key = key * column.size + column.codes(chunk.column(name))
        return key
