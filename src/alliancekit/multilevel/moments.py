"""Mean products of a design's columns: from its rows, or as kept where the rows are absent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.streamed.absent import AbsentRows

Floats = NDArray[np.float64]


def mean_products(columns: Floats | AbsentRows) -> Floats:
    """Return C'C / n of columns C (n, q)."""
    if isinstance(columns, AbsentRows):
        return columns.products / columns.shape[0]
    return np.asarray(columns.T @ columns / max(columns.shape[0], 1))


def random_products(design: Design, group: str) -> Floats:
    """Return Z'Z / n of all random terms of a grouping factor; zero between terms, which do not covary."""
    blocks = [mean_products(block.Z) for block in design.random if block.group == group]
    q = sum(len(block) for block in blocks)
    out, at = np.zeros((q, q)), 0
    for block in blocks:
        out[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return out


def linear_variance(X: Floats | AbsentRows, beta: Floats) -> float:
    """Return the sample variance (n - 1) of X beta."""
    if isinstance(X, AbsentRows):
        n = X.shape[0]
        covariance = X.products / n - np.outer(X.means, X.means)
        return max(float(beta @ covariance @ beta), 0.0) * n / max(n - 1, 1)
    linear = X @ beta
    return float(np.asarray(linear).var(ddof=1)) if linear.size > 1 else 0.0


def same_columns(one: Floats | AbsentRows | None, other: Floats | AbsentRows | None) -> bool:
    """Return whether two columns or matrices are the same; absent ones by their file and their products."""
    if isinstance(one, AbsentRows) or isinstance(other, AbsentRows):
        if not (isinstance(one, AbsentRows) and isinstance(other, AbsentRows)):
            return False
        return one.source == other.source and np.allclose(one.products, other.products, rtol=1e-12, atol=0)
    return one is not None and other is not None and bool(np.array_equal(one, other))
