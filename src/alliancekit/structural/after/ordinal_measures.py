"""Fit measures of models of ordinal and mixed variables, by lavaan's definitions.

Residuals count off the diagonal only, with thresholds in place of means; robust measures are those of Savalei (2021),
Multivariate Behav Res 56, 390-407, for ordinal variables without covariates. WRMR: Yu (2002), dissertation, UCLA.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.after.categorical import CategoricalGroup, categorical_fit
from alliancekit.structural.after.ordinal_rows import own_fit
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.ordinal.statistics import pairs_of

Floats = NDArray[np.float64]
ROBUST = ("satorra.bentler", "scaled.shifted")
"""Scaled tests that have robust measures beside them."""


def robust_pair(fit: StructuralEstimates) -> tuple[ModelTest, ModelTest] | None:
    """Return the tests behind the robust measures; NaN where they are not defined, None where there are none."""
    if fit.options.test not in ROBUST:
        return None
    own = own_fit(fit)
    undefined = (ModelTest(np.nan, fit.test.df, np.nan), ModelTest(np.nan, fit.baseline.df, np.nan))
    if any(len(s.given) or not s.ordinal.all() for s in own.structures) or not np.isfinite(own.inverse).all():
        return undefined
    if not _levels_are_free(fit):
        return undefined
    groups = []
    for structure, statistics, target, at in zip(own.structures, own.statistics, own.targets, own.at, strict=True):
        p = len(structure.own)
        pairs = slice(len(target.observed) - p * (p - 1) // 2, None)
        if np.linalg.eigvalsh(at.sigma)[0] <= 0:
            return undefined
        weight = target.weight[pairs, pairs] if target.weight.ndim == 2 else np.diag(target.weight[pairs])
        gamma = statistics.gamma[pairs, pairs]
        groups.append(
            CategoricalGroup(statistics.n, statistics.covariance, at.sigma, at.jacobian[pairs], weight, gamma)
        )
    return categorical_fit(groups, own.inverse, fit.test.df) or undefined


def _levels_are_free(fit: StructuralEstimates) -> bool:
    """Return whether the thresholds can take any value, so that the correlations are a model of their own."""
    every, pairs = [], []
    for structure, at in zip(own_fit(fit).structures, own_fit(fit).at, strict=True):
        every.append(at.jacobian)
        pairs.append(at.jacobian[len(structure.owner) :])
    left = []
    for part in (every, pairs):
        D = np.concatenate(part) @ fit.directions
        size = np.sqrt((D**2).sum(axis=0))
        left.append(len(D) - int(np.linalg.matrix_rank(D[:, size > 0] / size[size > 0], tol=1e-8)))
    return left[0] == left[1]


def residual_measures(fit: StructuralEstimates) -> dict[str, float]:
    """Return RMR, SRMR and CRMR, averaged over groups by their rows; with thresholds, and without ("nomean")."""
    own = own_fit(fit)
    shares = np.array([s.n for s in own.statistics]) / fit.sample.n
    rows = []
    for structure, target, at, sample, model in zip(
        own.structures, own.targets, own.at, fit.saturated, fit.implied, strict=True
    ):
        one, other = pairs_of(len(structure.own))
        p = len(structure.own) + len(structure.given)  # lavaan counts the zeros of covariates, too
        counted = np.flatnonzero(structure.ordinal[structure.owner])
        levels = (target.observed - at.vector)[counted]
        s, m = np.sqrt(sample.sigma.diagonal()), np.sqrt(model.sigma.diagonal())
        gap = (sample.sigma - model.sigma)[one, other]
        scaled = gap / (s[one] * s[other])
        bollen = (sample.sigma / np.outer(s, s) - model.sigma / np.outer(m, m))[one, other]
        rows.append(
            {
                "rmr": _root(gap, levels, p),
                "rmr_nomean": _root(gap, levels[:0], p),
                "srmr": _root(scaled, levels[:0], p),
                "srmr_bentler": _root(scaled, levels, p),
                "srmr_bentler_nomean": _root(scaled, levels[:0], p),
                "crmr": _root(bollen, levels, 0),
                "crmr_nomean": _root(bollen, levels[:0], 0),
            }
        )
    return {name: float(sum(w * row[name] for w, row in zip(shares, rows, strict=True))) for name in rows[0]}


def _root(residuals: Floats, levels: Floats, more: int) -> float:
    """Return the root mean square of residuals and levels; ``more`` : zeros that are counted with them."""
    size = residuals.size + levels.size + more
    return float(np.sqrt((residuals @ residuals + levels @ levels) / size)) if size else float("nan")


def other_measures(fit: StructuralEstimates) -> dict[str, float]:
    """Return goodness-of-fit indices, by the weights of the estimator, and the weighted root mean square residual."""
    own = own_fit(fit)
    total = 0.0
    for s, target, at in zip(own.statistics, own.targets, own.at, strict=True):
        gap = target.observed - at.vector
        share = float(gap @ target.weigh(gap)) / float(target.observed @ target.weigh(target.observed))
        total += s.n / fit.sample.n * (1.0 - share)
    points, df = sum(len(target.observed) for target in own.targets), fit.test.df
    return {
        "gfi": total,
        "agfi": 1.0 - points / df * (1.0 - total) if df > 0 else 1.0,
        "pgfi": df / points * total,
        "wrmr": float(np.sqrt(fit.test.statistic / points)),
    }
