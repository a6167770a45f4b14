"""What is learnt from all rows before products can be taken: centre and size of columns, and how groups nest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(slots=True, eq=False)
class ColumnSurvey:
    """Sums over all rows of the columns of one matrix, about the first row; (p,) each, and what follows from them.

    Attributes
    ----------
    first : the first row. low, high : least and largest value. sums, squares : of the differences from ``first``.
    """

    first: Floats | None = None
    low: Floats = field(default_factory=lambda: np.zeros(0))
    high: Floats = field(default_factory=lambda: np.zeros(0))
    sums: Floats = field(default_factory=lambda: np.zeros(0))
    squares: Floats = field(default_factory=lambda: np.zeros(0))
    n: int = 0

    def see(self, X: Floats) -> None:
        """Add a chunk, (n, p)."""
        if self.first is None:
            self.first = X[0].copy()
            p = X.shape[1]
            self.low, self.high, self.sums, self.squares = np.full(p, np.inf), np.full(p, -np.inf), *np.zeros((2, p))
        self.n += len(X)
        for j, first in enumerate(self.first):
            column = X[:, j] - first
            self.sums[j] += column.sum()
            self.squares[j] += column @ column
            self.low[j], self.high[j] = min(self.low[j], X[:, j].min()), max(self.high[j], X[:, j].max())

    @property
    def mean(self) -> Floats:
        """Mean of each column."""
        assert self.first is not None
        return self.first + self.sums / self.n

    @property
    def constant(self) -> int | None:
        """The first column that is constant and not zero, or None."""
        found = np.flatnonzero((self.low == self.high) & (self.low != 0))
        return int(found[0]) if found.size else None

    def basis(self) -> Floats:
        """Return the basis that scales each column to unit size and centres it where a constant is there, (p, p)."""
        assert self.first is not None
        p, constant = self.first.size, self.constant
        basis = np.eye(p)
        variance = np.maximum(self.squares / self.n - (self.sums / self.n) ** 2, 0.0)
        for j in range(p):
            if j == constant:
                basis[j, j] = 1.0 / self.first[j]
                continue
            shift = float(self.mean[j]) if constant is not None else 0.0
            about = 0.0 if constant is not None else float(self.mean[j]) ** 2
            spread = float(np.sqrt(variance[j] + about))
            basis[j, j] = 1.0 / spread if spread > 0 else 1.0
            if constant is not None:
                basis[constant, j] = -shift * basis[j, j] / self.first[constant]
        return basis


class Nesting:
    """Whether each level of one grouping factor lies in one level of another.

    Attributes
    ----------
    parent : (L,) level of the other factor, -1 not seen yet. holds : whether it does so far.
    """

    def __init__(self, n_levels: int) -> None:
        self.parent = np.full(n_levels, -1, dtype=np.intp)
        self.holds = True

    def see(self, child: Ints, parent: Ints) -> None:
        """Add the codes of a chunk."""
        if not self.holds:
            return
        known = self.parent[child]
        fresh = known < 0
        if not np.array_equal(known[~fresh], parent[~fresh]):
            self.holds = False
            return
        self.parent[child[fresh]] = parent[fresh]
        self.holds = bool(np.array_equal(self.parent[child[fresh]], parent[fresh]))


class Triangle:
    """The upper triangle R of X = QR over all chunks; its columns depend on each other exactly as those of X do."""

    def __init__(self) -> None:
        self.R: Floats | None = None

    def see(self, X: Floats) -> None:
        """Add a chunk, (n, p)."""
        stacked = X if self.R is None else np.vstack([self.R, X])
        self.R = np.asarray(np.linalg.qr(stacked, mode="r"), dtype=np.float64)


def shares(products: Any) -> bool:
    """Return whether scaled cross-products (p, p) show that no column can be a combination of the others."""
    own = np.diag(products)
    if not np.all(own > 0):
        return False
    size = np.sqrt(own)
    try:
        factor = np.linalg.cholesky(products / np.outer(size, size))
    except np.linalg.LinAlgError:
        return False
    return bool(np.min(np.diag(factor) ** 2) > 1e-8)
