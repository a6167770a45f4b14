"""What incremental validity asks of a population: R squared, its increments, and coefficients, from moments.

The functions take a population covariance matrix, so that one piece of code gives the truth on error-free variables
(from the constants of a generator) and on scored variables (from the moments of a very large run). They do not use the
analysis layers, which are tested against them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def coefficients(covariance: Array, names: Sequence[str], outcome: str, predictors: Sequence[str]) -> dict[str, float]:
    """Return the population regression coefficients of ``outcome`` on ``predictors``."""
    at = [names.index(p) for p in predictors]
    y = names.index(outcome)
    solved = np.linalg.solve(covariance[np.ix_(at, at)], covariance[at, y])
    return {p: float(b) for p, b in zip(predictors, solved, strict=True)}


def r_squared(covariance: Array, names: Sequence[str], outcome: str, predictors: Sequence[str]) -> float:
    """Return the population squared multiple correlation of ``outcome`` with ``predictors``."""
    if not predictors:
        return 0.0
    y = names.index(outcome)
    slopes = coefficients(covariance, names, outcome, predictors)
    explained = sum(b * covariance[names.index(p), y] for p, b in slopes.items())
    return float(explained / covariance[y, y])


def increment(
    covariance: Array, names: Sequence[str], outcome: str, key: str, given: Sequence[str]
) -> dict[str, float]:
    """Return what ``key`` adds to ``given`` in the population.

    The entries are named ``quantity(key | given)``: delta_r2, f2 = delta R2 / (1 - R2 of the full model) (Cohen, 1988,
    section 9.2), partial_r and semipartial_r (with the sign of the coefficient), coef; and ``r2(given)``,
    ``r2(given, key)``.
    """
    slopes = coefficients(covariance, names, outcome, [*given, key])
    r2_less = r_squared(covariance, names, outcome, given)
    r2_full = r_squared(covariance, names, outcome, [*given, key])
    gain = max(r2_full - r2_less, 0.0)
    sign = 1.0 if slopes[key] >= 0 else -1.0
    tag = f"({key} | {', '.join(given)})"
    return {
        f"r2({', '.join(given)})": r2_less,
        f"r2({', '.join([*given, key])})": r2_full,
        f"delta_r2{tag}": gain,
        f"f2{tag}": gain / (1 - r2_full),
        f"partial_r{tag}": sign * float(np.sqrt(gain / (1 - r2_less))),
        f"semipartial_r{tag}": sign * float(np.sqrt(gain)),
        f"coef{tag}": slopes[key],
    }
