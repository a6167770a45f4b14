"""Small helpers for data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


class WideFrame(pd.DataFrame):
    """A data frame that prints all its columns, each row in one line, however narrow the terminal is.

    Selections and copies of it are wide frames, too. Long frames leave out rows as pandas does.
    """

    @property
    def _constructor(self) -> Callable[..., WideFrame]:
        return WideFrame

    def __repr__(self) -> str:
        options = {name: pd.get_option(f"display.{name}") for name in ("max_rows", "min_rows", "show_dimensions")}
        return str(self.to_string(**options, max_colwidth=None))

    def _repr_html_(self) -> str:
        most, few = pd.get_option("display.max_rows"), pd.get_option("display.min_rows")
        shown = few if most and len(self) > most else None
        return str(
            self.to_html(max_rows=shown, show_dimensions=pd.get_option("display.show_dimensions"), notebook=True)
        )


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that prints all its columns, with the same values and ``attrs``.

    Examples
    --------
    >>> print(wide(pd.DataFrame({f"a_rather_long_name_{i}": [i] for i in range(5)})))
       a_rather_long_name_0  a_rather_long_name_1  a_rather_long_name_2  a_rather_long_name_3  a_rather_long_name_4
    0                     0                     1                     2                     3                     4
    """
    found = WideFrame(frame)
    found.attrs = dict(frame.attrs)
    return found
