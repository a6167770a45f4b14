"""Items of one factor with known loadings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def make_items() -> Callable[..., pd.DataFrame]:
    """Return a function that draws persons' answers to items with given loadings (unique variance 1 - loading²)."""

    def make(
        n: int, loadings: Sequence[float] = (0.8, 0.7, 0.6, 0.5), seed: int = 1, prefix: str = "i"
    ) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        weights = np.asarray(loadings)
        factor = rng.normal(size=(n, 1))
        answers = factor * weights + rng.normal(size=(n, len(weights))) * np.sqrt(1.0 - weights**2)
        return pd.DataFrame(answers, columns=[f"{prefix}_{j}" for j in range(1, len(weights) + 1)])

    return make
