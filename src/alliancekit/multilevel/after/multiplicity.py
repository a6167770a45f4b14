"""p values and intervals of a family of tests, adjusted for how many there are.

Sources: Tukey (1953) and Kramer (1956) for pairs of means; Scheffe (1959); Sidak (1967); Holm (1979); Benjamini &
Hochberg (1995); Hothorn, Bretz & Westfall (2008), Biom J 50, 346-363, for the multivariate t. "dunnettx" is the
approximation to Dunnett's test of R's emmeans: a mixture of Tukey's and Sidak's answers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.multilevel.after.contrast_methods import DEFAULT_ADJUST
from alliancekit.numerics.distributions import f_upper, t_quantile, t_two_sided
from alliancekit.numerics.multivariate_t import LargestT
from alliancekit.numerics.studentized_range import falling_root, studentized_range_quantile, studentized_range_upper

Floats = NDArray[np.float64]
Scalar = Callable[[float, float], float]

ADJUSTMENTS = ("none", "tukey", "dunnettx", "mvt", "scheffe", "sidak", "bonferroni", "holm", "fdr")


class Family:
    """A family of k tests among the means of one set.

    Attributes
    ----------
    statistic, df : shape (k,). covariance : shape (k, k), of the estimates. means : how many means are compared.
    """

    def __init__(self, statistic: Floats, df: Floats, covariance: Floats, means: int) -> None:
        self.statistic, self.df, self.covariance, self.means = np.abs(statistic), df, covariance, means
        self.k = len(statistic)

    def p_values(self, adjust: str) -> Floats:
        """Return the adjusted p values, each with its own df."""
        plain = t_two_sided(self.statistic, self.df)
        if adjust == "none" or (self.k == 1 and adjust != "scheffe"):
            return plain
        if adjust in ("bonferroni", "holm", "fdr", "sidak"):
            return _stepwise(plain, adjust)
        upper, _ = self._simultaneous(adjust)
        return np.array(
            [upper(t, df) if np.isfinite(t) else np.nan for t, df in zip(self.statistic, self.df, strict=True)]
        )

    def critical_values(self, adjust: str, level: float) -> Floats:
        """Return how many standard errors an interval reaches. Intervals for "holm" and "fdr" are Bonferroni's."""
        alpha = 1.0 - level
        if adjust == "none" or (self.k == 1 and adjust != "scheffe"):
            return t_quantile(1 - alpha / 2, self.df)
        if adjust in ("bonferroni", "holm", "fdr"):
            return t_quantile(1 - alpha / (2 * self.k), self.df)
        if adjust == "sidak":
            return t_quantile(1 - (1 - level ** (1 / self.k)) / 2, self.df)
        _, critical = self._simultaneous(adjust)
        known = {df: critical(level, df) for df in dict.fromkeys(self.df.tolist()) if not np.isnan(df)}
        return np.array([known.get(df, np.nan) for df in self.df.tolist()])

    def _simultaneous(self, adjust: str) -> tuple[Scalar, Scalar]:
        """Return the tail area and the critical value of |t| as functions of (value, df)."""
        if adjust == "tukey":
            return _tukey(float(self.means))
        if adjust == "dunnettx":
            return _dunnettx(self.k)
        spread = np.sqrt(np.diag(self.covariance))
        known = np.isfinite(spread) & (spread > 0)
        correlation = (self.covariance / np.outer(spread, spread))[np.ix_(known, known)]
        if adjust == "mvt":
            largest = LargestT(correlation)
            return largest.upper, largest.quantile
        rank = int(np.linalg.matrix_rank(correlation, hermitian=True))
        return _scheffe(rank)


def check_adjust(adjust: str | None, method: str) -> str:
    """Return the adjustment, or the method's own where None; SpecError where one does not suit the method."""
    word = check_option("adjust", DEFAULT_ADJUST[method] if adjust is None else adjust, ADJUSTMENTS)
    if word == "tukey" and method != "pairwise":
        do = 'Use adjust="mvt", which is exact for any set of contrasts, or "sidak"'
        raise SpecError(
            message("Tukey's method is for all pairs of one set of means", where=f"method={method!r}", do=do)
        )
    if word == "dunnettx" and method != "reference":
        do = 'Use adjust="mvt", which is exact for any set of contrasts'
        raise SpecError(message("Dunnett's method is for comparisons with one reference", where=f"{method=}", do=do))
    return word


def _stepwise(p: Floats, adjust: str) -> Floats:
    """Return adjusted p values that depend on the other p values alone; missing ones are not counted."""
    out = p.copy()
    known = np.flatnonzero(np.isfinite(p))
    values, k = p[known], len(known)
    if adjust == "bonferroni":
        out[known] = np.minimum(1.0, k * values)
    elif adjust == "sidak":
        out[known] = -np.expm1(k * np.log1p(-np.minimum(values, 1 - 1e-16)))
    elif adjust == "holm":
        order = np.argsort(values, kind="stable")
        out[known[order]] = np.minimum(1.0, np.maximum.accumulate((k - np.arange(k)) * values[order]))
    else:
        order = np.argsort(-values, kind="stable")
        out[known[order]] = np.minimum(1.0, np.minimum.accumulate(k / (k - np.arange(k)) * values[order]))
    return out


def _tukey(means: float) -> tuple[Scalar, Scalar]:
    root2 = float(np.sqrt(2.0))
    return (
        lambda t, df: studentized_range_upper(root2 * t, means, df),
        lambda level, df: studentized_range_quantile(level, means, df) / root2,
    )


def _dunnettx(k: int) -> tuple[Scalar, Scalar]:
    """Mix Tukey's answer for as many means as have k pairs with Sidak's for k tests, in the shares (k - 1) : 1."""
    tukey, _ = _tukey((1 + float(np.sqrt(1 + 8 * k))) / 2)

    def upper(t: float, df: float) -> float:
        plain = float(t_two_sided(t, df))
        sidak = float(-np.expm1(k * np.log1p(-min(plain, 1 - 1e-16))))
        return ((k - 1) * tukey(t, df) + sidak) / k

    def critical(level: float, df: float) -> float:
        return falling_root(lambda t: float(np.log(upper(t, df))) - float(np.log1p(-level)))

    return upper, critical


def _scheffe(rank: int) -> tuple[Scalar, Scalar]:
    def critical(level: float, df: float) -> float:
        quantile = special.chdtri(rank, 1 - level) / rank if np.isinf(df) else special.fdtri(rank, df, level)
        return float(np.sqrt(rank * quantile))

    return (lambda t, df: float(f_upper(t**2 / rank, rank, df))), critical
