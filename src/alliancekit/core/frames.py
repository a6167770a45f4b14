"""Small helpers for data frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a frame as named tuples, without the index.

    Examples
    --------
    >>> [row.term for row in rows(pd.DataFrame({"term": ["a", "b"]}))]
    ['a', 'b']
    """
    return iter(frame.itertuples(index=False))
