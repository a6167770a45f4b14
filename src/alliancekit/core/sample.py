"""The sample account of a fit: which rows were used, which were not, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class SampleAccount:
    """What became of the rows that were handed to a model.

    Attributes
    ----------
    n_rows : rows handed in.
    n_used : rows used.
    dropped : (reason, rows) pairs, such as ("missing in 'y'", 12); a row counts once, under its first reason.
    groups : number of units used at each grouping factor, in the order of the model.
    rows_used : boolean mask over the rows handed in.
    """

    n_rows: int
    n_used: int
    dropped: tuple[tuple[str, int], ...] = ()
    groups: dict[str, int] = field(default_factory=dict)
    rows_used: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
