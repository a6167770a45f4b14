"""A one-factor model of some variables as a mapping of parameters to moments, for tests of the likelihoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alliancekit.structural.duplication import half_vector
from alliancekit.structural.likelihood.contract import Block


class OneFactor:
    """Parameters: p - 1 loadings, the factor variance, p residual variances, p intercepts; one group."""

    def __init__(self, p: int) -> None:
        self.p = p
        self.size = 3 * p

    @property
    def start(self) -> np.ndarray:
        """Loadings and variances of one, intercepts of zero."""
        return np.concatenate([np.ones(2 * self.p), np.zeros(self.p)])

    def moments(self, x: np.ndarray) -> tuple[Block, ...]:
        """Moments."""
        p = self.p
        loading = np.append(1.0, x[: p - 1])
        return (Block(x[2 * p :], np.outer(loading, loading) * x[p - 1] + np.diag(x[p : 2 * p])),)

    def jacobian(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """d moments / d x."""
        p = self.p
        loading = np.append(1.0, x[: p - 1])
        out = np.zeros((p + p * (p + 1) // 2, self.size))
        for k in range(self.size):
            change = np.zeros((p, p))
            if k < p - 1:
                change[k + 1] += loading * x[p - 1]
                change[:, k + 1] += loading * x[p - 1]
            elif k == p - 1:
                change = np.outer(loading, loading)
            elif k < 2 * p:
                change[k - p, k - p] = 1.0
            else:
                out[k - 2 * p, k] = 1.0
            out[p:, k] = half_vector(change)
        return (out,)

    def gradient(self, x: np.ndarray, slopes: Sequence[Block]) -> np.ndarray:
        """Derivative of a criterion by x."""
        p = self.p
        loading = np.append(1.0, x[: p - 1])
        slope = slopes[0]
        pulled = slope.sigma @ loading
        return np.concatenate([2 * x[p - 1] * pulled[1:], [loading @ pulled], slope.sigma.diagonal(), slope.mu])

    def bend(self, x: np.ndarray, slopes: Sequence[Block]) -> np.ndarray:
        """What the second derivatives of the moments add to the Hessian of a criterion."""
        p = self.p
        G, loading = slopes[0].sigma, np.append(1.0, x[: p - 1])
        out = np.zeros((self.size, self.size))
        out[: p - 1, : p - 1] = 2 * x[p - 1] * G[1:, 1:]
        out[p - 1, : p - 1] = out[: p - 1, p - 1] = 2 * (G @ loading)[1:]
        return out
