"""Factor scores of incomplete rows: each row is scored by the variables it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.missing.likelihood import invert_patterns
from alliancekit.structural.continuous.missing.patterns import Patterns

Floats = NDArray[np.float64]


def regression_scores(patterns: Patterns, sigma: Floats, mu: Floats, link: Floats, mean: Floats) -> Floats:
    """Return the expected factors given what is observed, shape (n, k), in the order of ``patterns.rows``.

    link (k, p): covariances of factors and variables; mean (k,): means of the factors. nan where sigma is singular.
    """
    inverted = invert_patterns(sigma, patterns)
    if inverted is None:
        return np.full((patterns.n, mean.size), np.nan)
    return mean + _weighted_rows(patterns, mu, np.matmul(link, inverted[0]))


def bartlett_scores(patterns: Patterns, loadings: Floats, covariance: Floats, means: Floats, factors: int) -> Floats:
    """Return deviations from the means of the factors by generalised least squares, (n, k), in the order of the rows.

    loadings (p, k) of the factors, which come first, and of covariates; covariance (p, p) and means (p,) of the
    observed variables. nan for a row whose variables do not determine the factors; a missing covariate counts for
    nothing.
    """
    k = loadings.shape[1]
    inverted = invert_patterns(covariance, patterns)
    if inverted is None:
        return np.full((patterns.n, k), np.nan)
    weight = np.matmul(loadings.T, inverted[0])
    cross = np.matmul(weight, loadings)
    empty = np.diagonal(cross, axis1=1, axis2=2) <= 0
    empty[:, :factors] = False
    cross += empty[:, :, None] * np.eye(k)
    size = np.sqrt(np.maximum(np.diagonal(cross, axis1=1, axis2=2), 1e-300))
    values = np.linalg.eigvalsh(cross / (size[:, :, None] * size[:, None, :]))
    known = values[:, 0] > 1e-10 * values[:, -1]
    solution = np.full(weight.shape, np.nan)
    solution[known] = np.linalg.solve(cross[known], weight[known])
    return _weighted_rows(patterns, means, solution)


def _weighted_rows(patterns: Patterns, centre: Floats, weight: Floats) -> Floats:
    """Return the deviations of the rows from a centre times the weights (K, k, p) of their pattern."""
    there = patterns.observed[patterns.pattern]
    deviation = np.where(there, patterns.rows - centre, 0.0)
    return np.asarray(np.matmul(weight[patterns.pattern], deviation[:, :, None])[:, :, 0])
