"""Data with known truth: an outcome on severity and three alliance scales, patients in therapists."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

CORRELATIONS = np.array(
    [[1.0, -0.15, -0.12, -0.15], [-0.15, 1.0, 0.65, 0.70], [-0.12, 0.65, 1.0, 0.85], [-0.15, 0.70, 0.85, 1.0]]
)
TRUE = {"severity": 0.5, "bond": -0.02, "goal": -0.03, "task": -0.24}
TRAP = {"severity": 0.5, "bond": -0.10, "goal": -0.10, "task": 0.0}
NULL = {"severity": 0.5, "bond": 0.0, "goal": 0.0, "task": 0.0}

MakeData = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    """Return a function that draws ``n`` patients of ``therapists`` therapists with given slopes."""

    def make(n: int, therapists: int, slopes: str = "true", seed: int = 20, variance: float = 0.05) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        beta = np.array(list({"true": TRUE, "trap": TRAP, "null": NULL}[slopes].values()))
        X = rng.multivariate_normal(np.zeros(4), CORRELATIONS, size=n)
        codes = rng.permutation(np.arange(n) % therapists)
        noise = np.sqrt(max(1.0 - variance - beta @ CORRELATIONS @ beta, 0.1))
        y = X @ beta + np.sqrt(variance) * rng.normal(size=therapists)[codes] + noise * rng.normal(size=n)
        frame = pd.DataFrame(X, columns=["severity", "bond", "goal", "task"])
        return frame.assign(pcl=50.0 + 12.0 * y, therapist=[f"T{code:03d}" for code in codes])

    return make


@pytest.fixture(scope="session")
def steps() -> dict[str, list[str]]:
    return {"severity": ["severity"], "task": ["task"], "bond and goal": ["bond", "goal"]}
