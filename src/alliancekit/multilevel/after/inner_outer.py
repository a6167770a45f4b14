"""Degrees of freedom by counting: nlme's rule of inner and outer terms, and rows minus fixed effects."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.gaussian.design import Factor
from alliancekit.multilevel.gaussian.fit import GaussianFit

Floats = NDArray[np.float64]
RESIDUAL, INNER_OUTER = "residual", "inner-outer"


@dataclass(frozen=True, slots=True, eq=False)
class CountedDf:
    """Degrees of freedom of each fixed effect, shape (p,); missing where there are none left."""

    each: Floats

    def of(self, contrasts: Floats) -> Floats:
        """Return the df of each row of ``contrasts``, (h, p): the smallest of the fixed effects in it."""
        return np.array([_smallest(self.each[_named(row)]) for row in np.atleast_2d(contrasts)])

    def joint(self, contrasts: Floats) -> float:
        """Return the df of a joint hypothesis: the smallest of the fixed effects in it."""
        return _smallest(self.each[_named(np.abs(contrasts).max(axis=0))])


def counted_df(fit: GaussianFit, method: str) -> CountedDf:
    """Return df that are counted from the design, not estimated.

    Parameters
    ----------
    method : "residual": n - p for every fixed effect (``gls`` of nlme). "inner-outer": a column that varies within
        the units of the finest grouping factor is tested at the level of the rows, another one at the finest grouping
        factor within whose units it is constant. At each level df are units there, minus units one level up, minus
        columns tested there (and one for the intercept at the highest level); the intercept has the largest df of all.

    Raises
    ------
    SpecError : "inner-outer" without grouping factors, or where they are crossed.

    Source: Pinheiro & Bates (2000), Mixed-Effects Models in S and S-PLUS, section 2.4.2.
    """
    X = fit.design.X
    n, p = X.shape
    if method == RESIDUAL:
        return CountedDf(np.full(p, float(n - p)))
    if not fit.factors:
        what = "inner and outer terms are those of a grouping factor, and the model has no random term"
        raise SpecError(message(what, where=fit.design.formula.text, do='Use ddf="residual" or ddf="satterthwaite"'))
    nested = sorted(fit.factors, key=lambda factor: factor.n_levels)  # coarsest first
    if not all(_nested(fine, coarse) for coarse, fine in pairwise(nested)):
        what = "the rule of inner and outer terms is for nested grouping factors, and these are crossed"
        raise SpecError(message(what, where=fit.design.formula.text, do='Use ddf="satterthwaite"'))
    constant = np.array([bool((column == column[0]).all()) for column in X.T], dtype=bool)
    level = np.zeros(p, dtype=int)
    for place, factor in enumerate(nested):
        first = np.zeros(factor.n_levels, dtype=np.intp)
        first[factor.codes] = np.arange(n)
        varies = (X[first[factor.codes]] != X).any(axis=0)
        level[varies] = place + 1
    units = np.array([factor.n_levels for factor in nested] + [n])
    left = np.diff(units, prepend=0) - np.bincount(level[~constant], minlength=len(units))
    if constant.any():
        left[0] -= 1
    else:
        left[1:] += 1
    df = np.where(constant, left.max(), left[level]).astype(float)
    return CountedDf(np.where(df > 0, df, np.nan))


def _nested(fine: Factor, coarse: Factor) -> bool:
    """Return whether all rows of a level of the one factor lie in a single level of the other."""
    owner = np.zeros(fine.n_levels, dtype=np.intp)
    owner[fine.codes] = coarse.codes
    return bool(np.array_equal(owner[fine.codes], coarse.codes))


def _named(row: Floats) -> NDArray[np.bool_]:
    """Return which fixed effects a contrast is about: those whose weight is more than a rounding error."""
    size = np.abs(row)
    return np.asarray(size > 1e-10 * size.max(initial=0.0))


def _smallest(values: Floats) -> float:
    return float(values.min()) if values.size else float("nan")
