"""The rows of a fit as a residual structure sees them: columns of the rows used, units, and their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.columns import Columns
from alliancekit.formula.factors import Factor, Labels
from alliancekit.formula.recipe import group_factor

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class RowReader:
    """Columns of the rows used, as factors or numbers."""

    def __init__(self, frame: pd.DataFrame, used: NDArray[np.bool_], wanted: Sequence[str]) -> None:
        self.columns = Columns(frame, wanted, where="residual_structure")
        self.used = used

    def factor(self, names: Sequence[str]) -> Factor:
        """Return the codes of the combinations of some columns, levels that occur only."""
        return group_factor(self.columns, names).used(self.used)

    def numbers(self, name: str) -> Floats:
        """Return a column of numbers."""
        return self.columns.numbers(name)[self.used]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Rows put in order: block by block, and in a block by time.

    Attributes
    ----------
    name : of the unit. labels : of each block. order : (n,) data rows in the new order. codes : (n,) block of each row
    in the new order. starts : (L + 1,) where each block begins. sizes : (L,).
    """

    name: str
    labels: Labels
    order: Ints
    codes: Ints
    starts: Ints
    sizes: Ints

    @property
    def size(self) -> int:
        """Number of blocks."""
        return len(self.sizes)

    def rows(self, block: int) -> Ints:
        """Return the data rows of a block, in the order of the structure."""
        return self.order[self.starts[block] : self.starts[block + 1]]


def make_blocks(unit: Factor, name: str, time: NDArray[np.float64] | Ints | None) -> Blocks:
    """Return the blocks of a unit, ordered by time where there is one.

    Raises
    ------
    DesignError : no unit has two rows.
    """
    keys = (unit.codes,) if time is None else (time, unit.codes)
    order = np.lexsort(keys)
    sizes = np.bincount(unit.codes, minlength=unit.labels.size)
    if sizes.max() < 2:
        raise DesignError(
            message(
                f"no '{name}' has a second row, so residuals have nothing to be correlated with",
                where="residual_structure",
                do="Name in by= the column of the person or group whose rows are correlated",
            )
        )
    starts = np.concatenate(([0], np.cumsum(sizes)))
    return Blocks(name, unit.labels, order, unit.codes[order], starts, sizes)


def refuse_duplicates(blocks: Blocks, time: Floats | Ints, column: str, shown: Sequence[str] | None) -> None:
    """Raise DesignError naming units and times that occur twice; ``time`` in the order of the blocks."""
    twice = np.flatnonzero((blocks.codes[1:] == blocks.codes[:-1]) & (time[1:] == time[:-1]))
    if not len(twice):
        return
    labels = blocks.labels.all()
    pairs = list(dict.fromkeys((int(blocks.codes[i]), float(time[i])) for i in twice.tolist()))
    texts = [
        f"{blocks.name} {labels[unit]}, {column} {shown[int(at)] if shown is not None else format(at, 'g')}"
        for unit, at in pairs[:3]
    ]
    more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    raise DesignError(
        message(
            f"a time occurs more than once in a '{blocks.name}'",
            where="; ".join(texts) + more,
            do="Keep one row for each time, or name a finer time or unit",
        )
    )
