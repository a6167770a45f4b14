"""Cross-products of clusters: all that least squares needs, so that resamples of clusters never touch a row again.

Rows are standardised columns ``[1, x_1 .. x_p, y]``. For cluster g the module keeps ``n_g``, ``sums_g`` and
``cross_g = Z_g' Z_g``. A resample of clusters is a vector of weights w_g (how often cluster g was drawn), and its
cross-products are the weighted sums over clusters: one matrix product for thousands of resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A pivot below this share of the column's own sum of squares is a linear combination of the columns before it.
ALIASED = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ClusterMoments:
    """Cross-products by cluster of ``[1, x_1 .. x_p, y]``, columns standardised over all rows.

    Attributes
    ----------
    counts : rows of each cluster, shape (G,).
    cross : cross-products of each cluster, shape (G, p + 2, p + 2); row and column 0 belong to the constant.
    scales : sample standard deviations that the columns x_1 .. x_p, y were divided by, shape (p + 1,).
    """

    counts: Floats
    cross: Floats
    scales: Floats

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.counts.size)

    @property
    def n_predictors(self) -> int:
        """Number of predictors p."""
        return int(self.cross.shape[1] - 2)

    def weighted(self, weights: Floats) -> Floats:
        """Return the cross-products of resamples, shape (B, p + 2, p + 2), for weights of shape (B, G)."""
        k = self.cross.shape[1]
        return (weights @ self.cross.reshape(self.n_clusters, k * k)).reshape(-1, k, k)


def cluster_moments(X: Floats, y: Floats, codes: NDArray[np.intp]) -> ClusterMoments:
    """Return the cross-products by cluster.

    Parameters
    ----------
    X : predictors, shape (n, p); no column may be constant.
    y : outcome, shape (n,); not constant.
    codes : cluster of each row, 0 .. G - 1, each used at least once.
    """
    columns = np.column_stack([X, y])
    scales = columns.std(axis=0, ddof=1)
    Z = np.column_stack([np.ones(len(y)), (columns - columns.mean(axis=0)) / scales])
    n_clusters = int(codes.max()) + 1
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(n_clusters))
    products = Z[order][:, :, None] * Z[order][:, None, :]
    cross = np.add.reduceat(products, starts, axis=0)
    return ClusterMoments(counts=cross[:, 0, 0].copy(), cross=cross, scales=scales)


def eliminate(matrices: Floats, columns: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Eliminate ``columns`` one after the other; return what each explains of the last column, and the remainder.

    Gaussian elimination on symmetric matrices, over a batch. The first result, shape (B, len(columns)), is the drop
    in the residual sum of squares of the last column when each is added to those before it (0 for an aliased
    column); the second holds the cross-products of the residuals, shape (B, k, k).
    """
    A = matrices.copy()
    own = np.diagonal(matrices, axis1=1, axis2=2)
    explained = np.zeros((len(A), len(columns)))
    for position, j in enumerate(columns):
        pivot = A[:, j, j]
        usable = pivot > ALIASED * own[:, j]
        safe = np.where(usable, pivot, 1.0)
        row = np.where(usable[:, None], A[:, j, :], 0.0)
        explained[:, position] = row[:, -1] ** 2 / safe
        A -= row[:, :, None] * (row / safe[:, None])[:, None, :]
    return explained, A


def residual_slope(remainder: Floats, column: int, own: Floats) -> Floats:
    """Return the slope of the last column on ``column`` after elimination of the others; NaN where it is aliased."""
    pivot = remainder[:, column, column]
    usable = pivot > ALIASED * own
    return np.where(usable, remainder[:, column, -1] / np.where(usable, pivot, 1.0), np.nan)
