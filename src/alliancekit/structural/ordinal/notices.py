"""What is odd about ordinal data, in words: rare categories, empty cells, responses that are nearly the same."""

from __future__ import annotations

import numpy as np

from alliancekit.core.errors import message
from alliancekit.structural.ordinal.statistics import Statistics, pairs_of

MANY = 0.02
"""Share of unexpectedly empty cells that is worth a word."""
NEARLY_ONE = 0.99


def notices(found: Statistics, label: str) -> list[str]:
    """Return what is odd about the variables of one group."""
    where = f"group '{label}'" if label else ""
    parts = (_rare(found), _empty(found), _same(found))
    return [message(what, where=where, do=do) for what, do in parts if what]


def _rare(found: Statistics) -> tuple[str, str]:
    """Name categories with a single row."""
    margins = found.margins
    rare = []
    for i in np.flatnonzero(margins.ordinal):
        codes = margins.codes[:, i]
        counts = np.bincount(codes[codes >= 0], minlength=margins.sizes[i])
        if (counts == 1).any():
            rare.append(margins.names[i])
    if not rare:
        return "", ""
    what = f"a category with a single row, whose threshold is hardly known: {', '.join(rare)}"
    return what, "Join it with a neighbouring category"


def _empty(found: Statistics) -> tuple[str, str]:
    """Say how many cells of the tables are empty where rows are expected."""
    count = sum(cells for _, _, cells in found.unexpected)
    if not found.cells or count <= MANY * found.cells:
        return "", ""
    one, other, most = max(found.unexpected, key=lambda pair: pair[2])
    share = f"{100 * count / found.cells:.0f}%"
    what = f"{share} of the cells of tables of two items are empty where rows are expected"
    what += f" ({most} of '{one}' with '{other}')"
    return what, "Normal responses may be wrong here; look at the table, and join rare categories"


def _same(found: Statistics) -> tuple[str, str]:
    """Name pairs whose correlation is nearly one."""
    names = found.margins.names
    one, other = pairs_of(len(names))
    close = np.flatnonzero(np.abs(found.correlation[one, other]) > NEARLY_ONE)
    if not close.size:
        return "", ""
    pairs = ", ".join(f"'{names[one[t]]}' with '{names[other[t]]}'" for t in close[:4])
    return f"a correlation of the responses is nearly one: {pairs}", "These may be one item asked twice; leave one out"
