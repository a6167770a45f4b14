"""The covariance of sample moments without assuming normality, and what it does to standard errors and tests.

Gamma: Browne (1984), Br J Math Stat Psychol 37, 62-83. Sandwich, scaled tests: Satorra & Bentler (1994), in von Eye &
Clogg, Latent variables analysis, 399-419; scaled and shifted: Asparouhov & Muthén (2010), Mplus Technical Appendix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.duplication import triangle
from alliancekit.structural.estimates import ModelTest
from alliancekit.structural.likelihood.inference import inverse_information

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Stacked:
    """Moments of all groups one after the other, M in all.

    slopes : (M, size) derivatives by the parameters. weight : (M, M) of one row of the whole sample. gamma : (M, M)
    covariance of the moments, times the rows of the whole sample.
    """

    slopes: Floats
    weight: Floats
    gamma: Floats


def moment_covariance(rows: Floats, means: bool, fixed: Sequence[int] = ()) -> Floats:
    """Return Gamma: the covariance of the moments of complete rows (n, p), times n; means first where asked for.

    fixed : columns of covariates whose moments are held: what the regressions on these say of the moments of the other
        columns does not vary either.
    """
    whole = _moments(rows, means)
    if len(fixed):
        X = np.column_stack([np.ones(len(rows)), rows[:, list(fixed)]])
        fitted = X @ np.linalg.lstsq(X, rows, rcond=None)[0]
        fitted[:, list(fixed)] = rows[:, list(fixed)]
        whole -= _moments(fitted, means)
    return np.asarray(whole.T @ whole / len(rows))


def model_moment_covariance(rows: Floats, mean: Floats, cov: Floats, fixed: Sequence[int] = ()) -> Floats:
    """Return Gamma, means first, about the moments of a model: mean (p,) and cov (p, p); fixed : as above."""
    away = rows - mean
    i, j = triangle(len(mean))
    products, centre = away[:, i] * away[:, j], cov.copy()
    if len(fixed):
        x, y = list(fixed), [k for k in range(len(mean)) if k not in fixed]
        beside = rows[:, x] - rows[:, x].mean(axis=0)
        fitted = np.zeros_like(rows)
        fitted[:, x], fitted[:, y] = beside, beside @ np.linalg.solve(cov[np.ix_(x, x)], cov[np.ix_(x, y)])
        away, products = away - fitted, products - fitted[:, i] * fitted[:, j]
        left = cov[np.ix_(y, y)] - cov[np.ix_(y, x)] @ np.linalg.solve(cov[np.ix_(x, x)], cov[np.ix_(x, y)])
        centre = np.zeros_like(cov)
        centre[np.ix_(y, y)] = left
    whole = np.hstack([away, products - centre[i, j]])
    return np.asarray(whole.T @ whole / len(rows))


def _moments(rows: Floats, means: bool) -> Floats:
    """Return what each row adds to the moments, centred."""
    centred = rows - rows.mean(axis=0)
    i, j = triangle(rows.shape[1])
    products = centred[:, i] * centred[:, j]
    products -= products.mean(axis=0)
    return np.hstack([centred, products]) if means else products


def stack(
    slopes: Sequence[Floats], weights: Sequence[Floats], gammas: Sequence[Floats], shares: Sequence[float]
) -> Stacked:
    """Return groups as one; ``shares`` of the rows weigh them."""
    size = sum(len(part) for part in weights)
    weight, gamma = np.zeros((size, size)), np.zeros((size, size))
    at = 0
    for one, other, share in zip(weights, gammas, shares, strict=True):
        own = slice(at, at + len(one))
        weight[own, own] = share * one
        gamma[own, own] = other / share
        at += len(one)
    return Stacked(np.concatenate(list(slopes)), weight, gamma)


def sandwich(stacked: Stacked, basis: Floats, information: Floats | None = None) -> Floats:
    """Return the robust covariance matrix of the parameters, times the rows, (size, size); NaN if not identified.

    information : of one row about the parameters, None where it follows from the weights of the moments.
    """
    D = stacked.slopes @ basis
    weighted = stacked.weight @ D
    bread = inverse_information(D.T @ weighted if information is None else basis.T @ information @ basis)
    inner = bread @ (weighted.T @ stacked.gamma @ weighted) @ bread
    return np.asarray(basis @ inner @ basis.T)


def scale_test(
    test: ModelTest, stacked: Stacked, basis: Floats, kind: str, information: Floats | None = None
) -> ModelTest:
    """Return a test scaled by the traces of U Gamma, U the residual weight of the model.

    kind : "satorra.bentler" (mean), "mean.var.adjusted" (mean and variance, by the df) or "scaled.shifted" (mean and
        variance, the df kept). information : as in ``sandwich``.
    """
    if test.df <= 0:
        return ModelTest(test.statistic, test.df, float("nan"))
    D = stacked.slopes @ basis
    weighted = stacked.weight @ D
    inner = D.T @ weighted if information is None else basis.T @ information @ basis
    bread = inverse_information(inner)
    if np.isnan(bread).any():  # what is not identified takes nothing from the residuals
        bread = np.asarray(np.linalg.pinv(inner, hermitian=True), dtype=np.float64)
    U = stacked.weight - weighted @ bread @ weighted.T
    product = U @ stacked.gamma
    return scale_by_traces(test, float(np.trace(product)), float((product * product.T).sum()), kind)


def scale_by_traces(test: ModelTest, first: float, second: float, kind: str) -> ModelTest:
    """Return a test scaled by the traces of U Gamma and of its square."""
    if kind == "satorra.bentler":
        return ModelTest(test.statistic, test.df, first / test.df)
    if kind == "mean.var.adjusted":
        df = first**2 / second
        return ModelTest(test.statistic, test.df, first / df, 0.0, df)
    slope = float(np.sqrt(test.df / second))
    return ModelTest(test.statistic, test.df, 1.0 / slope, test.df - slope * first)
