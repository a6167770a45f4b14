"""Ordinal items after a fit: reliability of their sum as it is scored, and fit as if the responses were normal.

Reliability: Green & Yang (2009), Psychometrika 74, 155-167. Fit: Savalei (2021), Multivariate Behav Res 56, 390-407.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf
from alliancekit.structural.duplication import kronecker_sum, triangle
from alliancekit.structural.estimates import ModelTest

Floats = NDArray[np.float64]


def score_covariance(first: Floats, second: Floats, correlation: float) -> float:
    """Return the covariance of two items scored 0, 1, 2 ..., from thresholds and the correlation of their responses."""
    a, b = np.broadcast_arrays(first[:, None], second[None, :])
    if correlation >= 1.0 - 1e-12:  # one response: both are above where the higher threshold is passed
        joint = ndtr(np.minimum(a, b))
    else:
        joint = bivariate_normal_cdf(a, b, np.full(a.shape, correlation))
    return float((joint - ndtr(a) * ndtr(b)).sum())


def categorical_omega(loadings: Floats, correlations: Floats, thresholds: Sequence[Floats]) -> float:
    """Return the reliability of the sum of ordinal items of one factor.

    Parameters
    ----------
    loadings : (k,) standardised. correlations : (k, k) polychoric. thresholds : of each item, of the standard normal.
    """
    true = total = 0.0
    for i, one in enumerate(thresholds):
        for j, other in enumerate(thresholds):
            true += score_covariance(one, other, float(loadings[i] * loadings[j]))
            total += score_covariance(one, other, 1.0 if i == j else float(correlations[i, j]))
    return true / total


@dataclass(frozen=True, eq=False, slots=True)
class CategoricalGroup:
    """One group: n rows; sample, implied (p, p) correlations of responses; slopes (q, size), weight and gamma (q, q).

    The q = p (p - 1) / 2 moments are correlations, column by column below the diagonal. weight : of the estimator, one
    row; gamma : covariance of the correlations, times the rows.
    """

    n: int
    sample: Floats
    implied: Floats
    slopes: Floats
    weight: Floats
    gamma: Floats


def categorical_fit(groups: Sequence[CategoricalGroup], bread: Floats, df: int) -> tuple[ModelTest, ModelTest] | None:
    """Return tests of the model and of independence behind robust CFI, TLI and RMSEA; None without a likelihood.

    bread : (size, size) inverse information of the estimator of one row, thresholds included. The likelihood is that of
    normal responses at the estimates, its factor the expectation of that chi-square over its df.
    """
    total = sum(group.n for group in groups)
    value = alone = trace = trace0 = 0.0
    weights, slopes, gammas, informations = [], [], [], []
    for group in groups:
        if np.linalg.eigvalsh(group.sample)[0] < np.sqrt(np.finfo(float).eps):
            return None
        share, p = group.n / total, len(group.sample)
        log_det = float(np.linalg.slogdet(group.sample)[1])
        inverse = np.asarray(np.linalg.inv(group.implied), dtype=np.float64)
        rows, columns = triangle(p)
        off = rows != columns
        whole = kronecker_sum(inverse[None], inverse[None]) / 2
        informations.append(share * whole[np.ix_(off, off)])
        value += share * (
            float(np.linalg.slogdet(group.implied)[1]) + float((inverse * group.sample).sum()) - log_det - p
        )
        alone -= share * log_det
        weights.append(share * group.weight)
        gammas.append(group.gamma / share)
        slopes.append(group.slopes)
        trace0 += float(np.trace(group.gamma)) / share
    D = np.concatenate(slopes)
    spread = D @ bread @ D.T
    size, at = len(D), 0
    W, V, G = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    for w, v, g in zip(weights, informations, gammas, strict=True):
        own = slice(at, at + len(w))
        W[own, own], V[own, own], G[own, own] = w, v, g
        at = own.stop
    left = np.eye(size) - spread @ W
    trace = float((left.T @ V @ left * G).sum())
    pairs = size
    return ModelTest(total * value, df, trace / df if df else 1.0), ModelTest(total * alone, pairs, trace0 / pairs)
