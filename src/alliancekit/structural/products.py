"""Interactions of observed variables, written ``x:z`` in a model: the product of their columns, as lavaan makes it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from alliancekit.core.errors import check_columns
from alliancekit.structural.sample import numbers


def add_products(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return the frame with a column for each product among ``names`` that it has not; the frame itself if none.

    Raises
    ------
    DesignError : a part is no column, or is text.
    """
    new = {name: name.split(":") for name in names if ":" in name and name not in frame.columns}
    if not new:
        return frame
    for name, parts in new.items():
        check_columns(frame.columns, parts, where=f"the product {name}")
    products = {name: np.prod([numbers(frame, part) for part in parts], axis=0) for name, parts in new.items()}
    return frame.assign(**products)
