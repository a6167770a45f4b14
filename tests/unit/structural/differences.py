"""Derivatives by differences of fourth order, beside which analytic ones are held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def differences(function: Callable[[np.ndarray], Any], x: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Return d function / d x: (size,) of a number, (m, size) of a vector."""
    columns = []
    for k in range(x.size):
        move = step * max(1.0, abs(x[k])) * np.eye(x.size)[k]
        near, far = (np.asarray(function(x + s * move)) - np.asarray(function(x - s * move)) for s in (1, 2))
        columns.append((8 * near - far) / (12 * move[k]))
    return np.array(columns).T


def assert_slopes(found: np.ndarray, function: Callable[[np.ndarray], Any], x: np.ndarray, **how: float) -> None:
    """Fail where analytic derivatives differ from those by differences, beyond 1e-6 of the largest of their column."""
    numeric = differences(function, x, **how)
    size = np.maximum(np.abs(numeric).max(axis=0, initial=0.0) if numeric.ndim > 1 else np.abs(numeric).max(), 1e-3)
    assert found.shape == numeric.shape
    assert (np.abs(found - numeric) / size).max(initial=0.0) < 1e-6
