"""What changed between two analysis frames, in words for the log: nothing that touches the data goes unrecorded."""

from __future__ import annotations

import pandas as pd


def describe_changes(old: pd.DataFrame, new: pd.DataFrame) -> tuple[str, int]:
    """Return what differs between two frames, and the number of rows it concerns; ("", 0) where nothing does.

    Rows are followed by their index: rows of the old frame that are gone, rows that are new, columns that came or went,
    and cells that changed.

    Examples
    --------
    >>> describe_changes(pd.DataFrame({"x": [1, 2, 3]}), pd.DataFrame({"x": [1, 5]}))
    ('1 of 3 rows dropped; x changed in 1 row', 2)
    """
    told: list[str] = []
    concerned = 0
    unique = old.index.is_unique and new.index.is_unique
    shared = old.index.intersection(new.index) if unique else old.index[:0]
    gone = len(old) - (len(shared) if unique else min(len(old), len(new)))
    come = len(new) - (len(shared) if unique else min(len(old), len(new)))
    if gone:
        told.append(f"{gone} of {len(old)} rows dropped")
    if come:
        told.append(f"{come} rows added")
    concerned += gone + come
    added = [str(c) for c in new.columns if c not in old.columns]
    removed = [str(c) for c in old.columns if c not in new.columns]
    if added:
        told.append(f"columns added: {', '.join(added)}")
        concerned = max(concerned, len(new))
    if removed:
        told.append(f"columns removed: {', '.join(removed)}")
    for name in old.columns:
        if name not in new.columns or not len(shared):
            continue
        before, after = old.loc[shared, name].astype(object), new.loc[shared, name].astype(object)
        different = int(((before != after) & ~(before.isna() & after.isna())).sum())
        if different:
            told.append(f"{name} changed in {different} {'row' if different == 1 else 'rows'}")
            concerned += different
    return "; ".join(told), concerned
