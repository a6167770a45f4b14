"""A fitted model of ordinal and mixed variables: estimates, uncertainty, tests, and what they were made from.

WLS: Muthén (1984), Psychometrika 49, 115-132; DWLS and ULS with robust standard errors and scaled tests: Muthén, du
Toit & Spisic (1997); Asparouhov & Muthén (2010), both Mplus technical reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.constraints import Linear
from alliancekit.structural.likelihood.constrained import Limits
from alliancekit.structural.likelihood.inference import inverse_information
from alliancekit.structural.ordinal.search import Reached, Target, search_limited
from alliancekit.structural.ordinal.statistics import Statistics, pairs_of
from alliancekit.structural.ordinal.structure import At, Structure, evaluate

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class OrdinalFit:
    """Groups of a fit of ordinal and mixed variables.

    Attributes
    ----------
    structures, statistics, targets : of each group. at : each group at the estimates, residual variances included.
    inverse : (size, size) inverse of the information of one row, within the equalities.
    """

    structures: tuple[Structure, ...]
    statistics: tuple[Statistics, ...]
    targets: tuple[Target, ...]
    at: tuple[At, ...]
    inverse: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Estimated:
    """Numbers of the fit; where the search ended, information of one row, vcov : plain or robust."""

    fit: OrdinalFit
    reached: Reached
    information: Floats
    vcov: Floats


def weights_of(point: str, statistics: Statistics) -> Floats:
    """Return the weights of one group: (m, m) of WLS, the diagonal (m,) of DWLS and ULS.

    Raises
    ------
    FitError : the covariance matrix of the statistics is singular (WLS), or a statistic does not vary.
    """
    if point == "ULS":
        return np.ones(len(statistics.vector))
    gamma = statistics.gamma
    variances = gamma.diagonal()
    if not np.isfinite(variances).all() or not (variances > 0).all():
        what = "a threshold or correlation has no standard error"
        raise FitError(message(what, do="Join categories with few rows, or leave the item out"))
    if point == "DWLS":
        return 1.0 / variances
    scale = np.sqrt(variances)
    scaled = gamma / np.outer(scale, scale)
    values = np.linalg.eigvalsh(scaled)
    if values[0] <= 1e-12 * values[-1]:
        have = f"{len(variances)} statistics of {statistics.n} rows"
        what = f"WLS needs the inverse of the covariance matrix of {have}, which is singular"
        raise FitError(message(what, do='Take estimator="WLSMV"'))
    return np.asarray(np.linalg.inv(scaled) / np.outer(scale, scale))


def estimate_ordinal(
    structures: Sequence[Structure],
    statistics: Sequence[Statistics],
    point: str,
    linear: Linear,
    start: Floats,
    limits: Limits,
    *,
    robust: bool,
) -> Estimated:
    """Return the estimates with their covariance matrix.

    Parameters
    ----------
    point : "WLS", "DWLS" or "ULS". limits : inequalities, bounds and equalities that are not linear. robust : sandwich
        of the weights and the covariances of the statistics.

    Raises
    ------
    FitError : the start is not admissible, or there are no weights.
    """
    total = sum(s.n for s in statistics)
    targets = tuple(Target(s.vector, weights_of(point, s), (s.n - 1) / total) for s in statistics)
    reached = search_limited(structures, targets, linear, start, limits, total)
    if reached is None:
        raise FitError(message("the starting values are not admissible", do="Give others with start()"))
    found, at = reached.optimum, []
    for structure in structures:
        whole = evaluate(structure, found.x, complete=True)
        assert whole is not None
        at.append(whole)
    size = found.x.size
    information, meat = np.zeros((size, size)), np.zeros((size, size))
    for one, target, s in zip(at, targets, statistics, strict=True):
        weighted = target.weigh(one.jacobian)
        information += s.n / total * (one.jacobian.T @ weighted)
        if robust:
            meat += s.n / total * (weighted.T @ s.gamma @ weighted)
    inverse = inverse_information(information, reached.directions)
    vcov = (inverse @ meat @ inverse if robust else inverse) / (total - len(statistics))
    fit = OrdinalFit(tuple(structures), tuple(statistics), targets, tuple(at), inverse)
    return Estimated(fit, reached, information, vcov)


@dataclass(frozen=True, slots=True)
class Independence:
    """The model of uncorrelated variables: criterion, df, and the traces of U Gamma and its square.

    U is its residual weight; the traces are NaN where the weights are not diagonal.
    """

    value: float
    df: int
    first: float
    second: float


def independence(fit: OrdinalFit) -> Independence:
    """Return the model of uncorrelated variables; covariates stay correlated with each other."""
    value = first = second = 0.0
    df = 0
    for structure, statistics, target in zip(fit.structures, fit.statistics, fit.targets, strict=True):
        one, other = pairs_of(len(structure.own))
        fixed = np.zeros(len(target.observed), dtype=np.bool_)
        fixed[len(fixed) - len(one) :] = ~(structure.outside[one] & structure.outside[other])
        gap = np.where(fixed, target.observed, 0.0)
        if target.weight.ndim == 2:
            free = target.weight[:, ~fixed]
            gap[~fixed] = -np.linalg.solve(free[~fixed], free[fixed].T @ target.observed[fixed])
            first = second = float("nan")
        else:
            root = np.sqrt(target.weight[fixed])
            scaled = statistics.gamma[np.ix_(fixed, fixed)] * root[:, None] * root
            first += float(np.trace(scaled))
            second += float((scaled * scaled).sum())
        value += target.share * float(gap @ target.weigh(gap))
        df += int(fixed.sum())
    return Independence(value, df, first, second)
