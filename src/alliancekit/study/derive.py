"""Derived columns that need the person and the time: within and between parts, lags, early windows, change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliancekit.core.errors import SchemaError, SpecError, check_option, message
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.collapse import one_row_per
from alliancekit.study.grouping import (
    Floats,
    add_columns,
    group_codes,
    group_mean,
    numeric,
    partner_rows,
    spread,
    time_values,
)
from alliancekit.study.types import Data, LogEntry, Study, frame_of, resolve_column, return_like

__all__ = ["change_from_baseline", "early_window", "lag", "lead", "one_row_per", "within_between"]


def _keys(df: Data, by: str | Sequence[str], frame: pd.DataFrame) -> list[str]:
    names = [by] if isinstance(by, str) else list(by)
    if not names:
        raise SpecError(message("by= is empty", do="Name the column of the person, such as by='patient'"))
    return [resolve_column(df, name, frame) for name in names]


def _info(df: Data, column: str, label: str, **changes: object) -> ColumnInfo:
    unit = df.column_info(column).unit if isinstance(df, Study) else ""
    known = df.column_info(column).label if isinstance(df, Study) else ""
    if known and label.startswith(column):
        label = known + label[len(column) :]
    return ColumnInfo(label=label, unit=unit, **changes)  # type: ignore[arg-type]


def within_between(df: Data, column: str, *, by: str | Sequence[str]) -> Data:
    """Split a column into its within-person and between-person parts, or within, between and therapist parts.

    Parameters
    ----------
    df : Study or frame, one row per occasion.
    column : numeric column.
    by : the person's column, or two columns: the person's and that of the unit above, such as
        ``["patient", "therapist"]``.

    Returns
    -------
    The same type. With one column in ``by``: ``<column>_within`` = value - person mean, and ``<column>_between`` =
    person mean (not centred). With two: ``_within`` as before, ``_therapist`` = mean of the means of the patients seen
    by that therapist (each patient counts once), ``_between`` = person mean - therapist mean. The third name is always
    ``_therapist``, whatever the upper column is called. Means are over the observed values; a row whose value is
    missing keeps the person's mean and has no within part; a row without person (or therapist) has missing parts.

    Raises
    ------
    SchemaError : unknown or non-numeric column, or existing columns of these names with other values.
    SpecError : none, or more than two columns in ``by``.

    Notes
    -----
    Person-mean centring with the mean added back (Enders and Tofighi, 2007, Psychological Methods 12, 121-138). The
    contextual effect is the coefficient of the between part minus that of the within part.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a", "a", "b"], "task": [2.0, 4.0, 5.0]})
    >>> within_between(df, "task", by="patient")["task_within"].tolist()
    [-1.0, 1.0, 0.0]

    Checked against
    ---------------
    Means formed by hand and by a plain loop over persons, in tests/unit/study/test_derive.py.

    When not to use
    ---------------
    With few occasions per person the mean is an unreliable measure of the person's level, and with a lagged outcome
    in the model the centred predictor is biased; a latent decomposition is then the better choice.
    """
    frame = frame_of(df)
    column = resolve_column(df, column, frame)
    keys = _keys(df, by, frame)
    if len(keys) > 2:
        raise SpecError(
            message(f"by= names {len(keys)} columns", do="Name the person, or the person and the therapist")
        )
    values = numeric(frame, column)
    person, n_person = group_codes(frame, keys[:1])
    mean, count = group_mean(values, person, n_person)
    row_mean = spread(mean, person)
    new: dict[str, Floats] = {f"{column}_within": values - row_mean, f"{column}_between": row_mean}
    if len(keys) == 2:
        upper, n_upper = group_codes(frame, keys[1:])
        pair = pd.DataFrame({"person": person, "upper": upper, "mean": row_mean})
        pair = pair[(person >= 0) & (upper >= 0)].drop_duplicates(["person", "upper"])
        above, _ = group_mean(pair["mean"].to_numpy(), pair["upper"].to_numpy(), n_upper)
        row_above = spread(above, upper)
        new[f"{column}_between"] = row_mean - row_above
        new[f"{column}_therapist"] = row_above
    words = {"within": f"deviation from the {keys[0]}'s mean", "between": f"{keys[0]} mean"}
    if len(keys) == 2:
        words |= {
            "between": f"{keys[0]} mean - {keys[1]} mean",
            "therapist": f"mean of the {keys[1]}'s {keys[0]} means",
        }
    infos = {f"{column}_{part}": _info(df, column, f"{column}: {text}") for part, text in words.items()}
    detail = f"{', '.join(new)} from '{column}' by {', '.join(keys)}; {int((count > 0).sum())} means"
    entry = LogEntry("within_between", detail, rows_changed=int(np.isfinite(row_mean).sum()))
    return return_like(df, add_columns(frame, new), entry, columns=infos)


def lag(df: Data, column: str, *, by: str | Sequence[str], time: str, n: float = 1) -> Data:
    """Add the person's value of ``n`` time units earlier, as ``<column>_lag<n>``.

    Parameters
    ----------
    df : Study or frame, one row per person and time.
    column : column to look up; of any type.
    by : column or columns that name the person.
    time : numeric time (sessions, days) or dates; for dates ``n`` counts days.
    n : how far back, in units of ``time``; above zero.

    Returns
    -------
    The same type, rows in the order given. The new value is the one of the row at ``time - n`` of the same person, and
    missing where there is no such row: a skipped session is never bridged. Rows without person or time get none.

    Raises
    ------
    SchemaError : two rows of one person at one time (they are named), time that is not numeric, unknown columns.
    SpecError : ``n`` not above zero.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a"] * 3, "session": [1, 2, 4], "bdi": [30.0, 24.0, 20.0]})
    >>> lag(df, "bdi", by="patient", time="session")["bdi_lag1"].tolist()
    [nan, 30.0, nan]

    Checked against
    ---------------
    A dictionary look-up row by row on random data with gaps, in tests/unit/study/test_derive.py.

    When not to use
    ---------------
    On times that are never equally far apart (days between visits): almost no row then has a partner; number the
    sessions first (``dates_to_days(..., number="session")``).
    """
    return _shifted(df, column, by, time, n, "lag")


def lead(df: Data, column: str, *, by: str | Sequence[str], time: str, n: float = 1) -> Data:
    """Add the person's value of ``n`` time units later, as ``<column>_lead<n>``; see ``lag`` for everything else.

    Parameters
    ----------
    df, column, by, time, n : as in ``lag``.

    Returns
    -------
    The same type; missing where the person has no row at ``time + n``.

    Raises
    ------
    SchemaError, SpecError : as in ``lag``.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a"] * 3, "session": [1, 2, 4], "bdi": [30.0, 24.0, 20.0]})
    >>> lead(df, "bdi", by="patient", time="session")["bdi_lead1"].tolist()
    [24.0, nan, nan]

    Checked against
    ---------------
    ``lag`` mirrored in time, in tests/unit/study/test_derive.py.

    When not to use
    ---------------
    As for ``lag``.
    """
    return _shifted(df, column, by, time, n, "lead")


def _shifted(df: Data, column: str, by: str | Sequence[str], time: str, n: float, word: str) -> Data:
    if isinstance(n, bool) or not isinstance(n, int | float) or not np.isfinite(n) or n <= 0:
        raise SpecError(message(f"n={n!r} is not above zero", do="Use ak.lag to look back and ak.lead to look ahead"))
    frame = frame_of(df)
    column, time = resolve_column(df, column, frame), resolve_column(df, time, frame)
    keys = _keys(df, by, frame)
    person, _ = group_codes(frame, keys)
    clock = time_values(frame, time)
    source = partner_rows(frame, keys, time, person, clock, -n if word == "lag" else n)
    name = f"{column}_{word}{n:g}"
    values = frame[column]
    if pd.api.types.is_integer_dtype(values) or pd.api.types.is_bool_dtype(values):
        values = values.astype("float64")
    shifted = pd.Series(values.array.take(source, allow_fill=True), index=frame.index, name=name)
    found = int((source >= 0).sum())
    text = f"{column}, {n:g} {'earlier' if word == 'lag' else 'later'} in '{time}'"
    entry = LogEntry(word, f"{name} by {', '.join(keys)} and '{time}'; {found} rows have a partner", rows_changed=found)
    return return_like(df, add_columns(frame, {name: shifted}), entry, columns={name: _info(df, column, text)})


def early_window(
    df: Data,
    columns: str | Sequence[str],
    *,
    by: str = "patient",
    session: str = "session",
    window: tuple[float, float] = (2, 4),
    min_sessions: int = 1,
) -> Data:
    """Add the person's mean over the early sessions, as ``<column>_early``, the same in every row of the person.

    Parameters
    ----------
    df : Study or frame, one row per person and session.
    columns : numeric column or columns.
    by : the person's column.
    session : numeric session column.
    window : first and last session that count, both included.
    min_sessions : sessions with a value that a person needs inside the window; below that the mean is missing.

    Returns
    -------
    The same type, with one column per name in ``columns``.

    Raises
    ------
    SchemaError : two rows of one person at one session inside the window, or columns unknown or not numeric.
    SpecError : a window that ends before it begins, or ``min_sessions`` below 1.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a"] * 4, "session": [1, 2, 3, 9], "wai": [1.0, 3.0, 4.0, 5.0]})
    >>> early_window(df, "wai")["wai_early"].tolist()
    [3.5, 3.5, 3.5, 3.5]

    Checked against
    ---------------
    Means of the selected rows by hand, in tests/unit/study/test_derive.py.

    When not to use
    ---------------
    Where the outcome also covers the window's sessions: predictor and outcome then share time.
    """
    low, high = window
    if low > high:
        raise SpecError(message(f"window={window} ends before it begins", do="Write window=(2, 4)"))
    if min_sessions < 1:
        raise SpecError(message(f"min_sessions={min_sessions} is below 1"))
    frame = frame_of(df)
    names = [resolve_column(df, c, frame) for c in ([columns] if isinstance(columns, str) else columns)]
    keys, session = _keys(df, by, frame), resolve_column(df, session, frame)
    person, size = group_codes(frame, keys)
    clock = time_values(frame, session)
    inside = (clock >= low) & (clock <= high)
    partner_rows(frame[inside], keys, session, person[inside], clock[inside], 1.0)
    new: dict[str, Floats] = {}
    infos: dict[str, ColumnInfo] = {}
    for name in names:
        mean, count = group_mean(np.where(inside, numeric(frame, name), np.nan), person, size)
        mean = np.where(count >= min_sessions, mean, np.nan)
        new[f"{name}_early"] = spread(mean, person)
        infos[f"{name}_early"] = _info(df, name, f"{name}, mean of {session} {low:g} to {high:g}", level="patient")
    have = sum(int(np.isfinite(v).sum()) for v in new.values())
    detail = f"{', '.join(new)}: mean over {session} {low:g} to {high:g} by {keys[0]}, at least {min_sessions}"
    return return_like(df, add_columns(frame, new), LogEntry("early_window", detail, rows_changed=have), columns=infos)


def change_from_baseline(
    df: Data, column: str, *, by: str | Sequence[str], time: str, baseline: float | str = 0
) -> Data:
    """Add value minus the person's value at baseline, as ``<column>_change``.

    Parameters
    ----------
    df : Study or frame, one row per person and time.
    column : numeric column.
    by : column or columns that name the person.
    time : numeric time or dates.
    baseline : the time that is baseline, or "first": the earliest time at which the person has a value.

    Returns
    -------
    The same type. Negative values are decreases; at baseline the change is 0. Persons without a baseline value get
    missing values (their number is in the log).

    Raises
    ------
    SchemaError : two rows of one person at one time, or nobody has a row at ``baseline``.
    SpecError : a word other than "first".

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"patient": ["a", "a"], "week": [0, 6], "bdi": [30.0, 18.0]})
    >>> change_from_baseline(df, "bdi", by="patient", time="week")["bdi_change"].tolist()
    [0.0, -12.0]

    Checked against
    ---------------
    Differences by hand, in tests/unit/study/test_derive.py.

    When not to use
    ---------------
    As the outcome of a model that also holds the baseline: use the score itself with baseline as covariate; the tests
    of the other terms are the same and the size of the fit is not inflated.
    """
    if isinstance(baseline, str):
        check_option("baseline", baseline, ["first"])
    frame = frame_of(df)
    column, time = resolve_column(df, column, frame), resolve_column(df, time, frame)
    keys = _keys(df, by, frame)
    person, size = group_codes(frame, keys)
    clock, values = time_values(frame, time), numeric(frame, column)
    partner_rows(frame, keys, time, person, clock, 1.0)
    known = (person >= 0) & ~np.isnan(clock) & ~np.isnan(values)
    if isinstance(baseline, str):
        order = np.lexsort((clock, person))
        order = order[known[order]]
        at = order[np.unique(person[order], return_index=True)[1]]
    else:
        at = np.flatnonzero(known & np.isclose(clock, baseline, rtol=1e-9, atol=0))
        if not len(at) and known.any():
            times = ", ".join(f"{t:g}" for t in np.unique(clock[known])[:10])
            raise SchemaError(
                message(
                    f"no row has '{time}' {baseline:g} and a '{column}'", do=f"Set baseline= to one of: {times} ..."
                )
            )
    start = np.full(size, np.nan)
    start[person[at]] = values[at]
    name = f"{column}_change"
    change = values - spread(start, person)
    entry = LogEntry(
        "change_from_baseline",
        f"{name}: '{column}' minus its value at '{time}' {baseline} by {', '.join(keys)}; "
        f"{int(np.isnan(start).sum())} without baseline",
        rows_changed=int(np.isfinite(change).sum()),
    )
    info = _info(df, column, f"{column}, change from '{time}' {baseline}")
    return return_like(df, add_columns(frame, {name: change}), entry, columns={name: info})
