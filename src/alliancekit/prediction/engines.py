"""The three ways to fit a step: least squares, least squares with cluster-robust errors, a random therapist effect.

Each engine fits sets of columns (numbered from 1) of the same cases, compares nested sets and gives the coefficients
of one of them. Least squares and its cluster-robust covariance are statsmodels'; the random intercept is
:func:`alliancekit.mixed`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import chdtrc, fdtrc, stdtrit

from alliancekit.core.errors import AllianceWarning
from alliancekit.multilevel.api import mixed
from alliancekit.prediction.cases import Cases
from alliancekit.prediction.increments import Kernel, least_squares, random_intercept

Columns = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NestedTest:
    """Test of a larger against a smaller model."""

    statistic: float
    df: float
    df_error: float
    p_value: float


@dataclass(frozen=True, slots=True)
class FitSummary:
    """What a step table shows of one model; NaN where the approach has no such number."""

    r2: float
    r2_ols: float
    r2_marginal: float
    r2_conditional: float
    log_likelihood: float
    aic: float


class Engine(Protocol):
    """What an approach must offer.

    ``compare`` needs ``smaller`` to be a subset of ``larger``; ``coefficients`` returns term, estimate, std_error, df,
    statistic, p_value, conf_low, conf_high with the constant first. ``kernel`` must return the R² that ``summary``
    calls ``r2``, or the bootstrap interval belongs to another number than the one beside it.
    """

    @property
    def kernel(self) -> Kernel:
        """The same R² for resamples."""

    @property
    def r2_name(self) -> str:
        """Which R² it is."""

    @property
    def test_name(self) -> str:
        """Which test compares steps."""

    @property
    def df_method(self) -> str:
        """Method of the coefficients' degrees of freedom."""

    @property
    def software(self) -> str:
        """Engine of the estimates."""

    def summary(self, columns: Columns) -> FitSummary:
        """Return the summary of one model."""

    def compare(self, smaller: Columns, larger: Columns) -> NestedTest:
        """Return the test of the larger model against the smaller."""

    def coefficients(self, columns: Columns, level: float) -> pd.DataFrame:
        """Return the coefficients of one model."""


def _coefficient_frame(
    terms: Sequence[str], estimate: Any, std_error: Any, df: Any, level: float, p_value: Any = None
) -> pd.DataFrame:
    b, se, nu = (np.asarray(v, dtype=np.float64) for v in (estimate, std_error, df))
    statistic = b / se
    # Two-sided t: P(|T| > t) = P(F(1, df) > t^2).
    p = fdtrc(1.0, nu, statistic**2) if p_value is None else np.asarray(p_value, dtype=np.float64)
    half = stdtrit(nu, (1.0 + level) / 2.0) * se
    return pd.DataFrame(
        {
            "term": list(terms),
            "estimate": b,
            "std_error": se,
            "df": np.broadcast_to(nu, b.shape).copy(),
            "statistic": statistic,
            "p_value": p,
            "conf_low": b - half,
            "conf_high": b + half,
        }
    )


@dataclass
class LeastSquares:
    """Ordinary least squares; F change with the error term of the larger model of each pair."""

    cases: Cases
    kernel = staticmethod(least_squares)
    r2_name = "R² of least squares"
    test_name = "F change"
    software = "statsmodels OLS"
    df_method = "residual"
    _fits: dict[Columns, Any] = field(default_factory=dict, init=False, repr=False)

    def fit(self, columns: Columns) -> Any:
        """Return the statsmodels results of the regression on some columns."""
        key = tuple(sorted(columns))
        if key not in self._fits:
            from statsmodels.regression.linear_model import OLS

            X = self.cases.X[:, [j - 1 for j in key]]
            self._fits[key] = OLS(self.cases.y, np.column_stack([np.ones(len(X)), X])).fit()
        return self._fits[key]

    def summary(self, columns: Columns) -> FitSummary:
        """Return R² and AIC; AIC counts the residual variance, as R does."""
        fit = self.fit(columns)
        r2, llf = float(fit.rsquared), float(fit.llf)
        return FitSummary(r2, r2, np.nan, np.nan, llf, -2.0 * llf + 2.0 * (len(columns) + 2))

    def compare(self, smaller: Columns, larger: Columns) -> NestedTest:
        """Return the F test of the change."""
        low, high = self.fit(smaller), self.fit(larger)
        q, error = len(larger) - len(smaller), float(high.df_resid)
        F = (low.ssr - high.ssr) / q / (high.ssr / error)
        return NestedTest(float(F), float(q), error, float(fdtrc(q, error, F)))

    def coefficients(self, columns: Columns, level: float) -> pd.DataFrame:
        """Return coefficients with t tests on n - p - 1 degrees of freedom."""
        fit = self.fit(columns)
        terms = ["(Intercept)", *(self.cases.predictors[j - 1] for j in sorted(columns))]
        return _coefficient_frame(terms, fit.params, fit.bse, fit.df_resid, level)


@dataclass
class ClusterRobust(LeastSquares):
    """Least squares with the cluster-robust covariance CR1 and G - 1 degrees of freedom.

    CR1 multiplies the sandwich by G / (G - 1) * (n - 1) / (n - p - 1), as Stata does.
    """

    test_name = "Wald F"
    software = "statsmodels OLS, cluster-robust covariance (CR1)"
    df_method = "number of therapists − 1"

    def robust(self, columns: Columns) -> Any:
        """Return the statsmodels results with the cluster-robust covariance."""
        fit = self.fit(columns)
        return fit.get_robustcov_results(
            cov_type="cluster", groups=self.cases.codes, use_correction=True, df_correction=True, use_t=True
        )

    def compare(self, smaller: Columns, larger: Columns) -> NestedTest:
        """Return the Wald test that the added coefficients are zero, F(q, G - 1)."""
        columns = sorted(larger)
        positions = [1 + i for i, j in enumerate(columns) if j not in smaller]
        robust = self.robust(larger)
        b, V = np.asarray(robust.params)[positions], np.asarray(robust.cov_params())[np.ix_(positions, positions)]
        q, error = len(positions), self.cases.n_clusters - 1
        F = float(b @ np.linalg.solve(V, b)) / q
        return NestedTest(F, float(q), float(error), float(fdtrc(q, error, F)))

    def coefficients(self, columns: Columns, level: float) -> pd.DataFrame:
        """Return coefficients with cluster-robust errors and t tests on G - 1 degrees of freedom."""
        robust = self.robust(columns)
        terms = ["(Intercept)", *(self.cases.predictors[j - 1] for j in sorted(columns))]
        return _coefficient_frame(terms, robust.params, robust.bse, self.cases.n_clusters - 1, level)


@dataclass
class RandomIntercept:
    """Linear mixed model with a random intercept of the therapist.

    Models are compared by maximum likelihood (REML likelihoods of different fixed effects are not comparable); the
    coefficients of the final model are estimated by REML and tested with Satterthwaite's degrees of freedom.
    """

    cases: Cases
    kernel = staticmethod(random_intercept)
    r2_name = "marginal R² (Nakagawa), by ML"
    test_name = "likelihood-ratio chi-square, by ML"
    software = "alliancekit mixed model"
    df_method = "Satterthwaite"
    messages: list[tuple[type[Warning], str]] = field(default_factory=list, init=False, repr=False)
    _fits: dict[tuple[Columns, str], Any] = field(default_factory=dict, init=False, repr=False)

    def names(self) -> dict[str, str]:
        """Return column -> name in the formula: its own where a formula can hold it, else a made-up one."""
        own = [self.cases.outcome, *self.cases.predictors, str(self.cases.therapist)]
        plain = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
        taken = set(own)
        found = {}
        for position, name in enumerate(own):
            stand_in = name
            if not plain.match(name):
                stand_in = f"column_{position}"
                while stand_in in taken:
                    stand_in += "_"
                taken.add(stand_in)
            found[name] = stand_in
        return found

    def formula(self, columns: Columns) -> str:
        """Return the formula of a model, as handed to alliancekit.mixed."""
        names = self.names()
        fixed = [names[self.cases.predictors[j - 1]] for j in sorted(columns)] or ["1"]
        return f"{names[self.cases.outcome]} ~ {' + '.join(fixed)} + (1 | {names[str(self.cases.therapist)]})"

    def fit(self, columns: Columns, method: str = "ML") -> Any:
        """Return the mixed fit on some columns; its warnings are kept, each once."""
        key = (tuple(sorted(columns)), method)
        if key not in self._fits:
            frame = self.cases.frame.rename(columns=self.names())
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self._fits[key] = mixed(self.formula(columns), frame, method=method)
            for item in caught:
                if not issubclass(item.category, AllianceWarning):
                    warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
                elif (item.category, str(item.message)) not in self.messages:
                    self.messages.append((item.category, str(item.message)))
        return self._fits[key]

    def summary(self, columns: Columns) -> FitSummary:
        """Return marginal and conditional R², the R² of least squares, log-likelihood and AIC, by ML."""
        fit = self.fit(columns)
        r2 = fit.r2()
        marginal, conditional = float(r2["marginal"]), float(r2["conditional"])
        aic = float(fit.glance()["aic"].iloc[0])
        plain = LeastSquares(self.cases).summary(columns).r2
        return FitSummary(marginal, plain, marginal, conditional, float(fit.log_likelihood), aic)

    def compare(self, smaller: Columns, larger: Columns) -> NestedTest:
        """Return the likelihood-ratio test by ML."""
        q = len(larger) - len(smaller)
        chisq = max(2.0 * (self.fit(larger).log_likelihood - self.fit(smaller).log_likelihood), 0.0)
        return NestedTest(float(chisq), float(q), np.nan, float(chdtrc(q, chisq)))

    def coefficients(self, columns: Columns, level: float) -> pd.DataFrame:
        """Return the REML coefficients with Satterthwaite's degrees of freedom."""
        tidy = self.fit(columns, "REML").tidy(ddf="satterthwaite", level=level)
        own = {stand_in: name for name, stand_in in self.names().items()}
        wanted = ["term", "estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
        frame = pd.DataFrame(tidy[wanted]).reset_index(drop=True)
        frame["term"] = [own.get(term, term) for term in frame["term"]]
        order = {"(Intercept)": 0, **{name: i for i, name in enumerate(self.cases.predictors, start=1)}}
        return frame.sort_values("term", key=lambda terms: terms.map(order)).reset_index(drop=True)


def make_engine(approach: str, cases: Cases) -> Engine:
    """Return the engine of an approach: "ols", "robust" or "random"."""
    makers: dict[str, Callable[[Cases], Engine]] = {
        "ols": LeastSquares,
        "robust": ClusterRobust,
        "random": RandomIntercept,
    }
    return makers[approach](cases)
