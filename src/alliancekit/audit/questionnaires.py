"""Where the answers to items are: used by the checks of careless answers and of instrument keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.core.errors import SpecError, message, nearest

Array = NDArray[np.float64]


def answered_forms(context: Context) -> dict[str, Array]:
    """Return instrument -> answers of the completely answered forms, shape (forms, items), items in their order.

    The items are those of ``items=``, else those that the Study's codebook marks as items.
    """
    found: dict[str, Array] = {}
    for name, columns in _item_columns(context).items():
        answers = _answers(context, columns)
        if answers is not None:
            found[name] = answers[~np.isnan(answers).any(axis=1)]
    return found


def _item_columns(context: Context) -> dict[str, list[str]]:
    if context.asked.items:
        return {"items": list(context.asked.items)}
    if context.study is None:
        return {}
    numbered: dict[str, list[tuple[int, str]]] = {}
    for table in context.study.codebook.tables.values():
        for column, info in table.columns.items():
            if info.role == "item" and info.instrument:
                numbered.setdefault(info.instrument, []).append((info.item or 0, column))
    return {name: [column for _, column in sorted(set(columns))] for name, columns in numbered.items()}


def _answers(context: Context, columns: list[str]) -> Array | None:
    frames = [] if context.study is None else list(context.study.tables.values())
    frames += [f for f in (context.everything, context.frame) if f is not None]
    for frame in frames:
        if set(columns) <= set(frame.columns):
            return frame[columns].to_numpy(dtype=float, na_value=np.nan)
    if context.asked.items:
        have = [str(c) for frame in frames for c in frame.columns]
        missing = [c for c in columns if c not in have]
        close = nearest(missing[0], have) if missing else None
        hint = f"Did you mean '{close}'?" if close else ""
        raise SpecError(message(f"items= names columns that are not in one table: {', '.join(missing)}", do=hint))
    return None
