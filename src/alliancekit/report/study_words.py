"""Words and hiding rules that the tables of the descriptive results share."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alliancekit.report.grid import SMALLEST_COUNT

INDENT: Final = "\u2003"
HIDDEN: Final = "…"
SMALL: Final = f"<{SMALLEST_COUNT}"
HIDING_NOTE: Final = f"Counts below {SMALLEST_COUNT}, and the numbers that would reveal them ({HIDDEN}), are not shown."


def plural(word: str, n: float = 2) -> str:
    """Return a unit's name in the plural: patient, patients; family, families."""
    text = word.replace("_", " ")
    if n == 1:
        return text
    return f"{text[:-1]}ies" if text.endswith("y") and text[-2:-1] not in "aeiou" else f"{text}s"


def reason_text(reason: str) -> str:
    """Return a recorded reason as words: "dropped_out" is shown as "dropped out"."""
    return reason.replace("_", " ")


def hide_small(counts: NDArray[np.float64], sensitive: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return, for each cell of categories x (whole, groups ...), "" shown, "small" 1 to 4, or "also" hidden with it.

    A hidden cell could be worked out where it is the only one in its row (groups add up to the whole) or in its column
    (categories add up to the group's size); then the smallest other cell of that line is hidden too.

    Parameters
    ----------
    counts : categories x columns; the first column is the whole sample, which the others add up to.
    sensitive : cells that are hidden for being small.
    """
    state = np.where(sensitive & (counts > 0) & (counts < SMALLEST_COUNT), "small", "")
    changed = True
    while changed:
        changed = False
        lines = [(state[:, j], counts[:, j]) for j in range(counts.shape[1])]
        if counts.shape[1] > 1:
            lines += [(state[i, :], counts[i, :]) for i in range(counts.shape[0])]
        for shown, n in lines:
            open_ = np.flatnonzero(shown == "")
            if (shown != "").sum() == 1 and open_.size:
                ranked = sorted(open_.tolist(), key=lambda k, n=n: (n[k] == 0, n[k]))  # type: ignore[misc]
                shown[ranked[0]] = "also"
                changed = True
    return state
