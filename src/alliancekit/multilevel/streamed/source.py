"""A parquet file (or a folder of them) as chunks of complete rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import ReadError, SpecError, check_columns, message

CHUNK = 400_000
"""Rows worked on at a time."""


class Source:
    """The columns of a parquet file that a model needs.

    Attributes
    ----------
    path : the file or folder. columns : names of the columns read, in the order in which missing values are counted.
    schema : arrow's types of all columns.
    """

    def __init__(self, path: str | Path, columns: tuple[str, ...]) -> None:
        import pyarrow as pa
        import pyarrow.dataset as dataset

        self.path = Path(path)
        if not self.path.exists():
            raise ReadError(message("there is no such file", where=str(path), do="Check the path"))
        if self.path.is_file() and self.path.suffix.lower() not in (".parquet", ".pq"):
            do = "Read it with ak.read_study or pandas and hand over the frame, or write it as .parquet"
            raise SpecError(message("only parquet files are read in chunks", where=self.path.name, do=do))
        try:
            self._data = dataset.dataset(self.path, format="parquet")
        except (pa.ArrowInvalid, OSError) as error:
            do = "Write it again from the program it came from"
            raise ReadError(message("this is not a readable parquet file", where=self.path.name, do=do)) from error
        self.schema = self._data.schema
        check_columns(self.schema.names, columns, where="the formula")
        self.columns = columns

    def chunks(self, rows: int | None = None) -> Iterator[Any]:
        """Yield tables of about ``rows`` rows with the columns needed, in the order of the file."""
        import pyarrow as pa

        limit = CHUNK if rows is None else rows
        waiting: list[Any] = []
        count = 0
        batches = self._data.to_batches(
            columns=list(self.columns), batch_size=limit, batch_readahead=1, fragment_readahead=1, use_threads=False
        )
        for batch in batches:
            if batch.num_rows:
                waiting.append(batch)
                count += batch.num_rows
            if count >= limit:
                yield pa.Table.from_batches(waiting)
                waiting, count = [], 0
        if waiting:
            yield pa.Table.from_batches(waiting)

    def complete(self) -> Iterator[Any]:
        """Yield the chunks without rows in which a value is missing."""
        for chunk in self.chunks():
            lost, _ = missing_rows(chunk)
            if lost is not None:
                chunk = chunk.filter(~lost)
            if chunk.num_rows:
                yield chunk


def missing_rows(chunk: Any) -> tuple[NDArray[np.bool_] | None, list[int]]:
    """Return which rows lack a value (None: no row) and, per column, how many lack it and none before it."""
    import pyarrow.compute as pc

    lost: NDArray[np.bool_] | None = None
    counts = []
    for name in chunk.column_names:
        column = chunk.column(name)
        mask = pc.is_null(column, nan_is_null=True) if str(column.type) in ("float", "double") else None
        if mask is None and column.null_count:
            mask = pc.is_null(column)
        if mask is None:
            counts.append(0)
            continue
        gone = mask.to_numpy()
        new = gone if lost is None else gone & ~lost
        counts.append(int(new.sum()))
        if counts[-1]:
            lost = gone if lost is None else lost | gone
    return lost, counts


def frame_of_chunk(chunk: Any, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return columns of a chunk as a frame, text kept in arrow's memory."""
    import pyarrow as pa

    def kept(kind: Any) -> Any:
        return pd.ArrowDtype(kind) if pa.types.is_string(kind) or pa.types.is_large_string(kind) else None

    frame: pd.DataFrame = chunk.select(list(columns)).to_pandas(types_mapper=kept)
    return frame
