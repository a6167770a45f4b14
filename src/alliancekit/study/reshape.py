"""Wide to long: from one column per session to one row per patient and session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alliancekit.core.errors import SchemaError, SpecError, check_option, message
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.types import Data, LogEntry, Study, frame_of, return_like

_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = r"\d+(?:\.\d+)?"


@dataclass(frozen=True)
class _Pattern:
    text: str
    time: str
    variable: str | None
    expression: re.Pattern[str]
    loose: re.Pattern[str]


def wide_to_long(
    df: Data,
    pattern: str | Sequence[str] | Mapping[str, str],
    *,
    times: Mapping[str, float] | None = None,
    name: str | None = None,
    empty: str = "keep",
) -> Data:
    """Turn columns that repeat per session into rows.

    Parameters
    ----------
    df : Study or frame, one row per person.
    pattern : a column name in which braces stand for the session number: ``"bdi_s{session}"`` takes bdi_s0 to bdi_s12
        and makes the columns ``session`` and ``bdi``. The word in braces names the time column. ``{variable}`` stands
        for the name of the measure: ``"{variable}_s{session}"`` takes bdi_s0 and rq_s0 alike. Several patterns, as a
        list or as new name -> pattern, must share the time column.
    times : what the time place may hold besides numbers -> its number, such as ``{"pre": 0, "2m": 2}``.
    name : name of the value column of a single pattern; None: the text before the braces without a final abbreviation
        of the time column ("bdi_s" -> "bdi").
    empty : "keep" all person-sessions, or "drop" those without any value.

    Returns
    -------
    The same type, one row per person and session, persons in the order given and sessions ascending; the other columns
    are repeated. Sessions that only one measure has are missing in the others.

    Raises
    ------
    SpecError : a pattern without a time place, or with places that stand side by side.
    SchemaError : no column fits the pattern, two columns for one session, a new column's name that is taken.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"id": ["a", "b"], "bdi_s0": [30, 25], "bdi_s1": [28, 20]})
    >>> wide_to_long(df, "bdi_s{session}").values.tolist()
    [['a', 0, 30], ['a', 1, 28], ['b', 0, 25], ['b', 1, 20]]

    Checked against
    ---------------
    ``pandas.wide_to_long`` on the same data, in tests/unit/study/test_reshape.py.

    When not to use
    ---------------
    On questionnaire items of one occasion (wai_1 ... wai_12): these are columns to be scored, not sessions.
    """
    check_option("empty", empty, ["keep", "drop"])
    patterns = _patterns(pattern, times, name)
    frame = frame_of(df)
    columns = [str(c) for c in frame.columns]
    found: dict[str, dict[float, str]] = {}
    for part, given in patterns:
        _collect(found, part, given, columns, times)
    time = patterns[0][0].time
    rest = [c for c in columns if c not in {c for taken in found.values() for c in taken.values()}]
    clash = [n for n in (time, *found) if n in rest]
    if clash:
        raise SchemaError(
            message(f"the data already have a column {', '.join(map(repr, clash))}", do="Rename it, or use other names")
        )
    moments = sorted({t for taken in found.values() for t in taken})
    long = _stack(frame, rest, found, moments, time)
    if empty == "drop":
        long = long[long[list(found)].notna().any(axis=1)].reset_index(drop=True)
    infos = _infos(df, found, time)
    detail = f"{len(frame)} rows of {', '.join(found)} at {len(moments)} values of '{time}' became {len(long)} rows"
    return return_like(df, long, LogEntry("wide_to_long", detail, rows_changed=len(long)), columns=infos)


def _patterns(
    pattern: str | Sequence[str] | Mapping[str, str], times: Mapping[str, float] | None, name: str | None
) -> list[tuple[_Pattern, str | None]]:
    if isinstance(pattern, str):
        given: list[tuple[str, str | None]] = [(pattern, name)]
    elif isinstance(pattern, Mapping):
        given = [(text, key) for key, text in pattern.items()]
    else:
        given = [(text, None) for text in pattern]
    if name is not None and not isinstance(pattern, str):
        raise SpecError(message("name= goes with a single pattern", do="Give new name -> pattern instead"))
    made = [(_compile(text, times), key) for text, key in given]
    words = {p.time for p, _ in made}
    if len(words) != 1:
        raise SpecError(
            message(f"the patterns use several time columns: {', '.join(sorted(words))}", do="Use one word")
        )
    return made


def _compile(text: str, times: Mapping[str, float] | None) -> _Pattern:
    places = _PLACE.findall(text)
    others = [p for p in places if p != "variable"]
    if len(others) != 1 or len(places) > 2 or "}{" in text:
        raise SpecError(
            message(
                f"the pattern {text!r} must have one place for the time, and may have one {{variable}}",
                do="Write it as 'bdi_s{session}' or '{variable}_s{session}'",
            )
        )
    words = sorted(times or {}, key=len, reverse=True)
    moment = "|".join([*(re.escape(w) for w in words), _NUMBER])
    parts = re.split(r"\{\w+\}", text)
    expression = loose = re.escape(parts[0])
    for place, after in zip(places, parts[1:], strict=True):
        expression += "(?P<variable>.+?)" if place == "variable" else f"(?P<time>{moment})"
        expression += re.escape(after)
        loose += "(.+)" + re.escape(after)
    variable = "variable" if "variable" in places else None
    return _Pattern(text, others[0], variable, re.compile(expression), re.compile(loose))


def _collect(
    found: dict[str, dict[float, str]],
    part: _Pattern,
    name: str | None,
    columns: Sequence[str],
    times: Mapping[str, float] | None,
) -> None:
    hits = 0
    for column in columns:
        match = part.expression.fullmatch(column)
        if match is None:
            continue
        hits += 1
        word = match.group("time")
        moment = float(times[word]) if times is not None and word in times else float(word)
        measure = match.group("variable") if part.variable else name or _measure(part)
        taken = found.setdefault(measure, {})
        if moment in taken and taken[moment] != column:
            raise SchemaError(
                message(
                    f"two columns stand for '{measure}' at {part.time} {moment:g}",
                    where=f"{taken[moment]}, {column}",
                    do="Make the pattern or times= more exact",
                )
            )
        taken[moment] = column
    if not hits:
        near = [c for c in columns if part.loose.fullmatch(c)]
        do = (
            f"These would fit with words in the place of the number: {', '.join(near[:6])}; give "
            f"times={{'word': number}}"
            if near
            else f"Columns are: {', '.join(columns[:30])}"
        )
        raise SchemaError(message(f"no column fits the pattern {part.text!r}", do=do))


def _measure(part: _Pattern) -> str:
    before = part.text.split("{")[0] or part.text.split("}")[-1]
    stem = re.sub(r"[_.\-\s]+$", "", before)
    head, mark, tail = re.match(r"(.*?)([_.\-\s]*)([A-Za-z]*)$", stem).groups()  # type: ignore[union-attr]
    if head and mark and tail and part.time.lower().startswith(tail.lower()):
        return str(head)
    return stem.strip("_.- ") or "value"


def _stack(
    frame: pd.DataFrame, rest: list[str], found: Mapping[str, Mapping[float, str]], moments: list[float], time: str
) -> pd.DataFrame:
    n, k = len(frame), len(moments)
    made: dict[str, pd.Series] = {}
    for column in rest:
        made[column] = pd.Series(frame[column].array.take(np.repeat(np.arange(n), k)))
    whole = all(m.is_integer() for m in moments)
    made[time] = pd.Series(np.tile(np.array(moments), n)).astype("int64" if whole else "float64")
    order = np.arange(n * k).reshape(k, n).T.ravel()
    for measure, taken in found.items():
        absent = frame[next(iter(taken.values()))].mask(np.ones(n, dtype=bool))
        parts = [frame[taken[m]] if m in taken else absent for m in moments]
        if len({p.dtype for p in parts}) > 1:
            numbers = all(pd.api.types.is_numeric_dtype(p) for p in parts)
            parts = [p.astype("float64") if numbers else p.astype("object") for p in parts]
        stacked = pd.concat(parts, ignore_index=True)
        made[measure] = stacked.take(order).reset_index(drop=True)
    return pd.DataFrame(made)


def _infos(df: Data, found: Mapping[str, Mapping[float, str]], time: str) -> dict[str, ColumnInfo]:
    role = time if time in ("session", "time") else "time"
    infos = {time: ColumnInfo(label=time, role=role, level="session", unit="" if role == "session" else time)}
    for measure, taken in found.items():
        old = df.column_info(next(iter(taken.values()))) if isinstance(df, Study) else ColumnInfo()
        labels: list[str] = [df.column_info(c).label for c in taken.values()] if isinstance(df, Study) else []
        infos[measure] = replace(old, level="session", when=None, label=_shared_label(labels) or measure)
    return infos


def _shared_label(labels: Sequence[str]) -> str:
    """Return the words with which all labels begin, without a preposition at the end: "BDI total at two months" ..."""
    words: list[str] = []
    for column in zip(*(label.split() for label in labels), strict=False):
        if len(set(column)) > 1:
            break
        words.append(column[0])
    while words and words[-1].strip(",").lower() in (
        "at",
        "in",
        "on",
        "of",
        "after",
        "before",
        "session",
        "week",
        "month",
    ):
        words.pop()
    return " ".join(words).rstrip(",")
