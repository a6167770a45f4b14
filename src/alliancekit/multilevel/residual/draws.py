"""Residuals drawn from a structure: independent normal numbers, correlated block by block and scaled row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.dense import block_codes, correlations, row_sd, stacks

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class ResidualDraws:
    """Makes residuals of a fit with a structure from standard normal numbers."""

    def __init__(self, fit: GaussianFit) -> None:
        assert fit.residual is not None
        self._fit, self._part, self._sd = fit, fit.residual, row_sd(fit)
        blocks = block_codes(fit.residual)
        self._roots: list[tuple[Ints, Floats]] = []
        if blocks is not None:
            self._roots = [(rows, _roots(correlations(fit, rows))) for _, rows in stacks(blocks)]

    def __call__(self, normal: Floats, mean: Floats) -> Floats:
        """Return residuals, shape (n,), of rows with conditional means ``mean``, from ``normal`` numbers, (n,)."""
        out = normal.copy()
        for rows, root in self._roots:
            out[rows] = np.einsum("lij,lj->li", root, normal[rows])
        structure = self._part.structure
        if structure.variance is None or not structure.variance.of_fitted:
            return out * self._sd
        sizes = np.abs(mean) ** float(self._part.variance_phi[0])
        return np.asarray(out * self._fit.sigma * sizes / self._root_weights)

    @property
    def _root_weights(self) -> Floats:
        weights = self._fit.design.weights
        return np.ones(len(self._sd)) if weights is None else np.sqrt(weights)


def _roots(matrices: Floats) -> Floats:
    """Return lower-triangular roots, of singular correlation matrices too."""
    try:
        return np.asarray(np.linalg.cholesky(matrices))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrices)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :])
