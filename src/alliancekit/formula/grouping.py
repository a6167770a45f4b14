"""The level of each row for a grouping factor, also for combinations such as cask:batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.values import factorise


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Codes (n,), -1 for missing, and labels of the levels that occur, sorted."""

    codes: NDArray[np.intp]
    levels: tuple[str, ...]


def group_rows(frame: pd.DataFrame, names: tuple[str, ...]) -> Grouping:
    """Return the level of each row; several names give the combinations that occur, first name varying slowest."""
    codes, levels = _one(frame, names[0])
    if len(names) == 1:
        return Grouping(codes, levels)
    labels = [levels]
    joint = codes
    for name in names[1:]:
        more, these = _one(frame, name)
        labels.append(these)
        joint = np.where((joint < 0) | (more < 0), -1, joint * len(these) + more)
    present = np.zeros(int(joint.max()) + 2 if joint.size else 1, dtype=bool)
    present[joint[joint >= 0]] = True
    place = np.append(np.cumsum(present[:-1]) - 1, -1)
    combined = []
    for cell in np.flatnonzero(present[:-1]):
        parts = []
        for these in reversed(labels):
            cell, i = divmod(int(cell), len(these))
            parts.append(these[i])
        combined.append(":".join(reversed(parts)))
    return Grouping(place[joint].astype(np.intp), tuple(combined))


def _one(frame: pd.DataFrame, name: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    series = frame[name]
    if pd.api.types.is_float_dtype(series.dtype) and series.notna().any():
        values = series.dropna()
        if not bool((values == np.floor(values)).all()):
            raise DesignError(
                message(
                    f"'{name}' groups the rows but holds fractions",
                    where=f"such as {values.iloc[0]:g}",
                    do="A grouping factor is an id or a category; was a predictor meant?",
                )
            )
    return factorise(series)
