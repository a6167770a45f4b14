"""Factor scores of complete rows: what a person's answers say about the latent variables.

Regression scores are the expected factors given all observed variables (Thomson 1934); Bartlett's (1937, Br J Psychol
28, 97-104) weigh the indicators by their residual covariances alone, and are unbiased given the factors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.after.view import inverse_of
from alliancekit.structural.after.whole import Whole
from alliancekit.structural.model import BlockModel

Floats = NDArray[np.float64]
METHODS = ("regression", "bartlett", "ebm", "ml")
SAME = {"ebm": "regression", "ml": "bartlett"}
"""Words of lavaan for modes, which of numeric variables are the scores that have other names."""


def score_weights(block: BlockModel, at: Whole, method: str) -> Floats:
    """Return the weights (factors, p) of deviations from the implied means; NaN where a factor has no score.

    Covariates stand for themselves. An observed variable that depends on a factor is one more indicator of it, given
    what else it depends on, as in lavaan. A factor without indicators of its own has regression scores only.
    """
    p = len(block.observed)
    inverse = inverse_of(at.cov[:p, :p])
    if method == "regression":
        return np.asarray(at.cov[p:, :p] @ inverse)
    loadings = measurement(block, at)
    crossed = loadings.T @ inverse
    weights = inverse_of(crossed @ loadings) @ crossed
    factors = weights[: len(block.latent)]
    factors[~np.any(loadings[:, : len(block.latent)] != 0, axis=0)] = np.nan
    return np.asarray(factors)


def measurement(block: BlockModel, at: Whole) -> Floats:
    """Return the loadings (p, factors and observed predictors), covariates having one on themselves."""
    p = len(block.observed)
    pattern = block.A != 0
    pattern[block.directed.rows, block.directed.columns] = True
    predicts, depends = pattern[:, :p].any(axis=0), pattern[:p].any(axis=1)
    own = np.where(np.diag(predicts & ~depends), 1.0, at.A[:p, :p])
    return np.hstack([at.A[:p, p:], own[:, predicts]])


def score_rows(rows: Floats, centre: Floats, weights: Floats, means: Floats) -> Floats:
    """Return scores (n, factors) of rows (n, p): means of the factors plus weighted deviations from ``centre`` (p,)."""
    return np.asarray((rows - centre) @ weights.T + means)
