"""From one row per session to one row per unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, message
from alliancekit.study.grouping import group_codes
from alliancekit.study.types import Data, LogEntry, frame_of, resolve_column, return_like


def one_row_per(df: Data, by: str = "patient", columns: Sequence[str] | None = None) -> Data:
    """Keep one row per unit with the columns that are constant inside units.

    Parameters
    ----------
    df : Study or frame.
    by : the unit's column.
    columns : columns to keep beside ``by``; None keeps all, and then each must be constant inside units.

    Returns
    -------
    The same type, one row per unit in the order of first appearance, with a new index. A column that is missing in some
    rows of a unit and has one value in the others counts as constant. Rows without unit are left out (and logged).

    Raises
    ------
    SchemaError : columns that vary inside a unit (all are named, each with an example), or unknown columns.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a", "a", "b"], "sex": ["F", "F", "M"], "bdi": [30, 20, 10]})
    >>> one_row_per(df, "patient", ["sex"]).values.tolist()
    [['a', 'F'], ['b', 'M']]

    Checked against
    ---------------
    Hand-made frames in tests/unit/study/test_derive.py.

    When not to use
    ---------------
    To average over sessions: make the mean first (``within_between``, ``early_window``), then collapse.
    """
    frame = frame_of(df)
    by = resolve_column(df, by, frame)
    given = [columns] if isinstance(columns, str) else columns
    chosen = [c for c in frame.columns if c != by] if given is None else [resolve_column(df, c, frame) for c in given]
    codes, size = group_codes(frame, [by])
    kept = codes >= 0
    first = np.full(size, -1, dtype=np.intp)
    rows = np.flatnonzero(kept)[::-1]
    first[codes[rows]] = rows
    made: dict[str, pd.Series] = {by: frame[by].iloc[first].reset_index(drop=True)}
    varying: list[str] = []
    for name in dict.fromkeys(chosen):
        if name == by:
            continue
        source, clash = _constant_rows(frame[name], codes, size)
        if clash is not None:
            unit = frame[by].iloc[clash[0]]
            pair = " and ".join(str(frame[name].iloc[i]) for i in clash)
            varying.append(f"'{name}' ({by} {unit}: {pair})")
        else:
            picked = pd.Series(frame[name].array.take(np.where(source >= 0, source, first)), name=name)
            made[name] = picked
    if varying:
        raise SchemaError(
            message(
                f"{len(varying)} column{'s vary' if len(varying) > 1 else ' varies'} inside one {by}: "
                f"{'; '.join(varying)}",
                do="Leave them out with columns=[...], or make one value of them first",
            )
        )
    left_out = len(frame) - int(kept.sum())
    detail = f"one row per '{by}': {size} of {len(frame)} rows" + (
        f"; {left_out} rows without '{by}'" if left_out else ""
    )
    return return_like(df, pd.DataFrame(made), LogEntry("one_row_per", detail, rows_changed=len(frame) - size))


def _constant_rows(column: pd.Series, codes: NDArray[np.intp], size: int) -> tuple[NDArray[np.intp], list[int] | None]:
    """Return the first row with a value per unit (-1: none), and two rows that clash where the column varies."""
    level, _ = pd.factorize(column)
    rows = np.flatnonzero((codes >= 0) & (level >= 0))
    source = np.full(size, -1, dtype=np.intp)
    source[codes[rows[::-1]]] = rows[::-1]
    differs = level[rows] != level[source[codes[rows]]]
    if not differs.any():
        return source, None
    second = rows[np.flatnonzero(differs)[0]]
    return source, [int(source[codes[second]]), int(second)]
