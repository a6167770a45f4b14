"""Scoring questionnaires: items to subscales and total, by the key in the registry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.grouping import add_columns
from alliancekit.study.items import check_range, item_columns, item_values, user_key
from alliancekit.study.keycheck import refuse_other_form
from alliancekit.study.registry import SCORINGS, Instrument, find_instrument, prorate_text
from alliancekit.study.types import Data, LogEntry, Study, frame_of, return_like

Floats = NDArray[np.float64]


def score(
    df: Data,
    instrument: str,
    *,
    items: Mapping[int, str] | Mapping[str, Sequence[str]] | None = None,
    prefix: str | None = None,
    name: str | None = None,
    scoring: str | None = None,
    reverse: Sequence[int] | Sequence[str] | None = None,
) -> Data:
    """Add the scores of a questionnaire: one column per subscale, and the total where the instrument has one.

    Parameters
    ----------
    df : Study or frame with one column per item.
    instrument : id in the registry (``ak.instruments()``), or the path of a TOML file of your own.
    items : item number -> column for every item of the key; or subscale -> list of columns, which is a key of your own
        (then ``scoring`` must be given where the registry has no key).
    prefix : instead of ``items``: item i is the column ``<prefix>i`` or ``<prefix>0i``. With neither, the items that
        the codebook assigns to the instrument are taken.
    name : beginning of the new columns' names; None makes it of the id ("WAI-SR" -> "wai_sr").
    scoring : "mean" or "sum"; None takes the registry's.
    reverse : items to reverse instead of the key's own list (numbers; columns with a key of your own). ``[]`` says that
        the data are reversed already.

    Returns
    -------
    The same type with ``<name>_<subscale>`` and ``<name>_total`` added, in scale points. Missing items: a score is
    formed where the registry's rule allows (by default 75 % of the scale's items), as the mean of the items present, or
    that mean times the number of items for a sum.

    Raises
    ------
    SpecError : unknown instrument, or no key known and none given.
    SchemaError : item columns missing, cells that are not numbers or outside the range (rows and columns are named),
        data that belong to another form of the questionnaire, existing columns of these names with other values.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame([[4, 5, 3, 4, 5, 4, 3, 2, 5, 4, 4, 3]], columns=[f"wai_{i}" for i in range(1, 13)])
    >>> scored = score(df, "WAI-SR", prefix="wai_")
    >>> scored[["wai_sr_task", "wai_sr_bond", "wai_sr_goal", "wai_sr_total"]].round(3).values.tolist()
    [[4.0, 4.0, 3.5, 3.833]]

    Checked against
    ---------------
    Scores worked out by hand for every instrument with a key, in tests/unit/study/scoring_cases.toml.

    When not to use
    ---------------
    Where many items are missing: a model on the items (full-information maximum likelihood) does not assume that the
    items left out are like the others. Log entries with key_status "unverified" ask for a check against the manual.
    """
    if scoring is not None:
        check_option("scoring", scoring, SCORINGS)
    made = find_instrument(instrument)
    frame = frame_of(df)
    own_key = items is not None and any(isinstance(v, list | tuple) for v in items.values())
    if own_key:
        made, columns = user_key(made, items, scoring, reverse)
    else:
        if not made.scorable:
            raise SpecError(_no_key(made))
        columns = item_columns(df, frame, made, items, prefix)
        if reverse is not None:
            made = replace(made, reverse=_own_reverse(made, reverse))
    values = item_values(frame, columns)
    check_range(df, frame, made, columns, values)
    if not own_key and reverse is None:
        refuse_other_form(df, made, columns, values)
    used = scoring or made.scoring
    numbers = list(columns)
    oriented = _reversed(made, numbers, values)
    start = name if name is not None else _slug(made.id)
    new: dict[str, Floats] = {}
    for part, members in made.scores.items():
        at = [numbers.index(i) for i in members]
        new[f"{start}_{part}"] = scale_score(oriented[:, at], used, _needed(made, len(at)), _enough(made, oriented))
    status = "user" if own_key or reverse is not None else made.key_status
    entry, infos = _account(made, start, used, status, new, oriented, df, columns)
    return return_like(df, add_columns(frame, new), entry, columns=infos)


def scale_score(values: Floats, scoring: str, needed: int, valid: NDArray[np.bool_]) -> Floats:
    """Return a scale's score per row.

    Parameters
    ----------
    values : (rows, items) item values, reversed where the key says so; NaN for missing.
    scoring : "mean" or "sum"; a sum with missing items is the mean of those present times the number of items.
    needed : items that must be present, at least one.
    valid : rows whose form as a whole may be scored.
    """
    present = np.sum(~np.isnan(values), axis=1)
    enough = valid & (present >= max(needed, 1))
    total = np.nansum(values, axis=1)
    mean = np.full(len(values), np.nan)
    mean[enough] = total[enough] / present[enough]
    if scoring == "mean":
        return mean
    k = values.shape[1]
    return np.asarray(np.where(enough & (present == k), total, mean * k), dtype=np.float64)


def _needed(made: Instrument, k: int) -> int:
    if made.prorate.rule == "share":
        return math.ceil(made.prorate.share * k - 1e-9)
    return k if made.prorate.rule == "complete" else 1


def _enough(made: Instrument, values: Floats) -> NDArray[np.bool_]:
    if made.prorate.rule != "max_missing":
        return np.ones(len(values), dtype=bool)
    return np.asarray(np.isnan(values).sum(axis=1) <= made.prorate.max_missing, dtype=np.bool_)


def _reversed(made: Instrument, numbers: list[int], values: Floats) -> Floats:
    turned = values.copy()
    for item in made.reverse:
        limits = made.range_of(item)
        if limits is None:
            raise SpecError(message(f"item {item} of {made.id} cannot be reversed: its range is not known"))
        at = numbers.index(item)
        turned[:, at] = limits[0] + limits[1] - turned[:, at]
    return turned


def _own_reverse(made: Instrument, reverse: Sequence[int] | Sequence[str]) -> tuple[int, ...]:
    wrong = [r for r in reverse if not isinstance(r, int) or not 1 <= r <= made.n_items]
    if wrong:
        raise SpecError(message(f"reverse= names {wrong}", do=f"Name item numbers from 1 to {made.n_items}"))
    return tuple(int(r) for r in reverse)


def _no_key(made: Instrument) -> str:
    scales = f" and the subscales {', '.join(made.unkeyed)}" if made.unkeyed else ""
    return message(
        f"which items of {made.id} belong to which scale is not known to the registry; it knows {made.n_items} "
        f"items{scales}",
        do="Take the key from the manual: items={'subscale': ['column', ...]}, scoring='mean' or 'sum', and "
        "reverse=[columns] where items are reversed",
    )


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text.lower()).strip("_")


def _account(
    made: Instrument,
    start: str,
    used: str,
    status: str,
    new: Mapping[str, Floats],
    oriented: Floats,
    df: Data,
    columns: Mapping[int, str],
) -> tuple[LogEntry, dict[str, ColumnInfo]]:
    """Return the log entry of a scoring and the codebook entries of its columns."""
    gaps = np.isnan(oriented).any(axis=1)
    scored = np.column_stack([np.isfinite(v) for v in new.values()])
    prorated = int((gaps & scored.any(axis=1)).sum())
    without = int((~scored.any(axis=1)).sum())
    parts = [f"{', '.join(new)} by the {used} of the items", f"{prorated} rows with missing items scored"]
    parts.append(f"{without} rows without any score ({prorate_text(made.prorate)})")
    if made.range_of(1) is None:
        parts.append("response range not known, so not checked")
    if status == "unverified":
        parts.append("the key has not been checked against the manual")
    entry = LogEntry("score", "; ".join(parts), made.id, status, int(scored.any(axis=1).sum()))
    first = df.column_info(next(iter(columns.values()))) if isinstance(df, Study) else ColumnInfo()
    infos = {}
    for column in new:
        part = column.removeprefix(f"{start}_")
        infos[column] = ColumnInfo(
            label=f"{made.id} {part}",
            instrument=made.id,
            level=first.level,
            unit="scale points",
            range=score_range(made, part, used),
            when=first.when,
            rated_at=first.rated_at,
        )
    return entry, infos


def score_range(made: Instrument, part: str, scoring: str) -> tuple[float, float] | None:
    """Return the possible range of a score, None where an item's range is not known."""
    limits = [made.range_of(i) for i in made.scores[part]]
    if any(limit is None for limit in limits):
        return None
    low, high = sum(x[0] for x in limits if x), sum(x[1] for x in limits if x)
    return (low, high) if scoring == "sum" else (low / len(limits), high / len(limits))
