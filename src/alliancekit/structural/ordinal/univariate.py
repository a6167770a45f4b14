"""The first step: each variable alone. Thresholds of ordinal variables, means and variances of the others.

With covariates these are ordered probit and linear regressions. Scores of every row are kept for the covariance matrix
of all statistics (Muthén 1984, Psychometrika 49, 115-132).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from alliancekit.core.errors import FitError, message

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
ROOT_2PI = float(np.sqrt(2.0 * np.pi))
LOST = 1e-9
"""Without a finite estimate a coefficient keeps less than this share of its information (at an R2 of .999, 1e-5)."""


@dataclass(frozen=True, eq=False, slots=True)
class Margins:
    """All variables one by one; n rows, p variables of at most K categories, q covariates.

    Attributes
    ----------
    names : of the variables. sizes : (p,) categories, 0 of a numeric variable. codes : (n, p) category from 0, -1 where
        missing or numeric. known : (n, p) whether there is a value. covariates : (n, q).
    limits : (p, K + 1) thresholds between minus and plus infinity. location : (p,) means (at zero of the covariates) of
        numeric variables. slopes : (p, q). variances : (p,) residual ones, one of ordinal variables.
    standard : (n, p) standardised residuals of numeric variables, 0 where missing.
    scores : (n, m) derivatives of the log-likelihood of each row; columns: thresholds or mean variable by variable,
        slopes covariate by covariate, variances of numeric variables. columns : (p,) first column of each variable.
    """

    names: tuple[str, ...]
    sizes: Integers
    codes: Integers
    known: Booleans
    covariates: Floats
    limits: Floats
    location: Floats
    slopes: Floats
    variances: Floats
    standard: Floats
    scores: Floats
    columns: Integers

    @property
    def ordinal(self) -> Booleans:
        """Which variables are ordinal, (p,)."""
        return self.sizes > 0

    @property
    def widths(self) -> Integers:
        """How many thresholds (or one mean) each variable has, (p,)."""
        return np.maximum(self.sizes - 1, 1)

    def own(self, i: int) -> Integers:
        """Return the columns of the scores that belong to a variable: thresholds or mean, slopes, variance."""
        p, q = self.slopes.shape
        levels = int(self.widths.sum())
        parts = [self.columns[i] + np.arange(self.widths[i]), levels + i + p * np.arange(q)]
        if not self.sizes[i]:
            parts.append(np.array([levels + p * q + int((self.sizes[:i] == 0).sum())]))
        return np.concatenate(parts).astype(np.intp)

    def row_limits(self, i: int) -> tuple[Floats, Floats]:
        """Return between which limits the latent response of an ordinal variable lies in each row, (n,), (n,)."""
        shift = self.covariates @ self.slopes[i] if self.slopes.shape[1] else 0.0
        code = np.maximum(self.codes[:, i], 0)
        return self.limits[i, code + 1] - shift, self.limits[i, code] - shift


def density(z: Floats) -> Floats:
    """Return the standard normal density."""
    return np.asarray(np.exp(-0.5 * z * z) / ROOT_2PI)


def fit_margins(names: tuple[str, ...], rows: Floats, sizes: Integers, covariates: Floats) -> Margins:
    """Return each variable's own parameters and scores.

    Parameters
    ----------
    rows : (n, p) values, of ordinal variables the number of the category from 0; NaN where missing.
    sizes : (p,) categories, 0 of numeric variables. covariates : (n, q), complete; q may be 0.

    Raises
    ------
    FitError : a regression on the covariates has no solution.
    """
    n, p = rows.shape
    q = covariates.shape[1]
    known = np.isfinite(rows)
    ordinal = sizes > 0
    codes = np.where(known & ordinal, rows, -1.0).astype(np.intp)
    widths = np.maximum(sizes - 1, 1)
    columns = np.cumsum(widths) - widths
    levels = int(widths.sum())
    limits = np.full((p, int(max(sizes.max(initial=0), 1)) + 1), np.inf)
    limits[:, 0] = -np.inf
    location, variances, slopes = np.zeros(p), np.ones(p), np.zeros((p, q))
    standard = np.zeros((n, p))
    scores = np.zeros((n, levels + p * q + int((~ordinal).sum())))
    by_slope = scores[:, levels : levels + p * q].reshape(n, q, p)
    number = 0
    for i in range(p):
        mine = slice(columns[i], columns[i] + widths[i])
        if ordinal[i]:
            cuts, slopes[i], found = _ordinal(codes[:, i], int(sizes[i]), covariates, names[i])
            limits[i, 1 : sizes[i]] = cuts
        else:
            location[i], slopes[i], variances[i], standard[:, i] = _numeric(rows[:, i], known[:, i], covariates)
            found = _numeric_scores(standard[:, i], known[:, i], float(variances[i]), covariates)
            scores[:, levels + p * q + number] = found[:, -1]
            number += 1
        scores[:, mine] = found[:, : widths[i]]
        by_slope[:, :, i] = found[:, widths[i] : widths[i] + q]
    return Margins(
        names, sizes, codes, known, covariates, limits, location, slopes, variances, standard, scores, columns
    )


def _ordinal(codes: Integers, size: int, covariates: Floats, name: str) -> tuple[Floats, Floats, Floats]:
    """Return thresholds (K - 1,), slopes (q,) and scores (n, K - 1 + q) of an ordinal variable."""
    counts = np.bincount(codes[codes >= 0], minlength=size).astype(np.float64)
    cuts = np.asarray(ndtri(np.cumsum(counts)[:-1] / counts.sum()))
    if covariates.shape[1]:
        return _probit(codes, cuts, covariates, name)
    height = density(cuts)
    share = counts / counts.sum()
    table = np.zeros((size + 1, size - 1))  # the last row, of missing values, is zero
    places = np.arange(size - 1)
    table[places, places] = height / share[:-1]
    table[places + 1, places] = -height / share[1:]
    return cuts, np.zeros(0), table[codes]


def _probit(codes: Integers, start: Floats, covariates: Floats, name: str) -> tuple[Floats, Floats, Floats]:
    """Return the ordered probit regression on covariates, by Newton's method (the log-likelihood is concave)."""
    n, k = len(codes), len(start)
    known = codes >= 0
    upper, lower = np.zeros((n, k)), np.zeros((n, k))
    top, bottom = known & (codes < k), known & (codes > 0)
    upper[top, codes[top]] = 1.0
    lower[bottom, codes[bottom] - 1] = 1.0
    by_upper = np.hstack([upper, -covariates * top[:, None]])
    by_lower = np.hstack([lower, -covariates * bottom[:, None]])
    theta = np.concatenate([start, np.zeros(covariates.shape[1])])
    value, step = -np.inf, np.zeros(theta.size)
    first: Floats | None = None
    for _ in range(100):
        one, other = by_upper @ theta, by_lower @ theta
        inside = np.where(top, ndtr(one), 1.0) - np.where(bottom, ndtr(other), 0.0)
        inside = np.where(known, inside, 1.0)
        total = float(np.log(np.maximum(inside, 1e-300)).sum())
        if total < value - 1e-9 * abs(value):
            step = step / 2
            theta = theta - step
            continue
        value = total
        up, down = np.where(top, density(one), 0.0) / inside, np.where(bottom, density(other), 0.0) / inside
        scores = up[:, None] * by_upper - down[:, None] * by_lower
        bend = (one * up)[:, None] * by_upper
        hessian = -by_upper.T @ bend + by_lower.T @ ((other * down)[:, None] * by_lower) - scores.T @ scores
        gradient = scores.sum(axis=0)
        first = hessian if first is None else first
        try:
            step = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all():
            break
        if abs(float(gradient @ step)) < 1e-16 * n:
            if _separated(hessian, first):
                break
            return theta[:k], theta[k:], scores
        theta = theta + step
    what = f"the regression of '{name}' on the covariates has no solution"
    raise FitError(
        message(what, do="Is a covariate constant, or the sum of others, or does it separate the categories?")
    )


def _separated(hessian: Floats, first: Floats | None) -> bool:
    """Return whether a direction has lost the information that it had at slopes of zero: its way leads to infinity."""
    assert first is not None
    try:
        root = np.linalg.inv(np.linalg.cholesky(-first))
    except np.linalg.LinAlgError:
        return True
    return bool(np.linalg.eigvalsh(root @ -hessian @ root.T)[0] < LOST)


def _numeric(values: Floats, known: Booleans, covariates: Floats) -> tuple[float, Floats, float, Floats]:
    """Return intercept, slopes (q,), residual variance and standardised residuals (n,) of a numeric variable."""
    y = values[known]
    X = np.column_stack([np.ones(y.size), covariates[known]])
    beta: Floats = np.asarray(np.linalg.lstsq(X, y, rcond=None)[0], dtype=np.float64)
    left = y - X @ beta
    variance = float(left @ left) / y.size
    standard = np.zeros(len(values))
    standard[known] = left / np.sqrt(variance)
    return float(beta[0]), beta[1:], variance, standard


def residual_variance(values: Floats, covariates: Floats) -> float:
    """Return the variance (divisor n) of the known values of a numeric variable, given the covariates."""
    return _numeric(values, np.isfinite(values), covariates)[2]


def _numeric_scores(standard: Floats, known: Booleans, variance: float, covariates: Floats) -> Floats:
    """Return scores of mean, slopes and variance, (n, 2 + q)."""
    by_mean = standard / np.sqrt(variance)
    by_variance = np.where(known, (standard * standard - 1.0) / (2.0 * variance), 0.0)
    return np.column_stack([by_mean, by_mean[:, None] * covariates, by_variance])
