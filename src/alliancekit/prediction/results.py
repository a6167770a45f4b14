"""What an incremental-validity analysis returns: frozen, each part with its own table, figure and sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.sample import SampleAccount
from alliancekit.prediction.dominance import DominanceAnalysis
from alliancekit.prediction.moments import Floats
from alliancekit.prediction.specificity import Specificity


@dataclass(frozen=True, eq=False)
class StepTable:
    """The hierarchical regression, one row per step.

    Attributes
    ----------
    frame : step, predictors, n, r2, delta_r2, conf_low, conf_high (of delta_r2), ci_method, f2, statistic, df,
        df_error, p_value, aic, log_likelihood, r2_ols, r2_marginal, r2_conditional, cv_r2, cv_delta_r2.
    entered : step name -> predictors it adds.
    outcome, r2_name, test_name : what was predicted; which R² ``r2`` is; which test.
    resamples, resampled : number of bootstrap resamples, and of what ("therapists", "patients").
    folds, level : folds of the cross-validation; confidence level.
    labels : column -> text for people.
    """

    frame: pd.DataFrame
    entered: Mapping[str, tuple[str, ...]]
    outcome: str
    r2_name: str
    test_name: str
    resamples: int
    resampled: str
    folds: int
    level: float
    labels: Mapping[str, str] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return one row per step."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: the final step."""
        return self.frame.tail(1).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class CoefficientTable:
    """Coefficients of the final model, on the outcome's scale and standardised.

    Attributes
    ----------
    frame : term, estimate, std_error, df, statistic, p_value, conf_low, conf_high, std_estimate (SDs of the outcome
        per SD of the predictor), partial_r, semipartial_r, vif; with a known direction also ``oriented``: the
        standardised slope with its sign such that positive = better.
    outcome, df_method, software : outcome; method of the degrees of freedom; engine.
    better : "higher", "lower" or None: which end of the outcome is good.
    level : confidence level.
    n : rows used.
    labels : column -> text for people.
    """

    frame: pd.DataFrame
    outcome: str
    df_method: str
    software: str
    better: str | None
    level: float
    n: int
    labels: Mapping[str, str] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return one row per coefficient; ``attrs["df_method"]`` names the degrees of freedom."""
        frame = self.frame.copy()
        frame.attrs["df_method"] = self.df_method
        return frame

    def glance(self) -> pd.DataFrame:
        """Return one row: outcome, n, number of coefficients, largest VIF."""
        vif = self.frame["vif"].max()
        return pd.DataFrame([{"outcome": self.outcome, "n": self.n, "coefficients": len(self.frame), "max_vif": vif}])


@dataclass(frozen=True, eq=False)
class WeightTable:
    """How the R² of the final model is shared out among its predictors (least squares).

    Attributes
    ----------
    analysis : the dominance analysis, with its subsets, matrices and commonality.
    frame : tidy() of the analysis with bootstrap limits of the general dominance weight (conf_low, conf_high).
    level : confidence level.
    labels : column -> text for people.
    """

    analysis: DominanceAnalysis
    frame: pd.DataFrame
    level: float
    labels: Mapping[str, str] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return one row per predictor."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: outcome, n, number of predictors, R²."""
        return self.analysis.glance()


@dataclass(frozen=True, eq=False)
class AddedVariable:
    """Focus and outcome with everything else in the final model taken out (least squares), in order of the focus.

    Attributes
    ----------
    focus, outcome : names.
    x, y : residuals, shape (n,), in the units of the two columns.
    df : residual degrees of freedom of the final model.
    labels : column -> text for people.
    """

    focus: str
    outcome: str
    x: Floats
    y: Floats
    df: int
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def slope(self) -> float:
        """The focus's coefficient in the final model, by least squares."""
        return float(self.x @ self.y / (self.x @ self.x))

    @property
    def std_error(self) -> float:
        """Standard error of the slope, by least squares."""
        residual = self.y - self.slope * self.x
        return float(np.sqrt(residual @ residual / self.df / (self.x @ self.x)))


@dataclass(frozen=True, eq=False)
class IncrementalValidity:
    """What predictors add to others, step by step; made by :func:`alliancekit.incremental_validity`.

    Attributes
    ----------
    outcome, approach, therapist, focus : as asked; ``focus`` is the name of the predictor.
    entered : step name -> predictors it adds.
    steps, coefficients, weights, specificity : the parts; each has tidy(), glance() and its own presentation.
        ``weights`` is None with one predictor or more than 12, ``specificity`` is None without a focus.
    added_variable : residuals behind the added-variable plot of the focus, or None.
    fits : step name -> the fitted model of that step (statsmodels results, or the mixed fit by ML); with a random
        therapist effect also "final, REML".
    sample : the same complete cases for all steps.
    frame : outcome, predictors and therapist of the rows used.
    level, resamples, seed, folds : settings.
    software, data_hash : engine; SHA-256 of ``frame``.
    labels : column -> text for people.
    warnings : what was warned of.
    """

    outcome: str
    approach: str
    therapist: str | None
    focus: str | None
    entered: Mapping[str, tuple[str, ...]]
    steps: StepTable
    coefficients: CoefficientTable
    weights: WeightTable | None
    specificity: Specificity | None
    added_variable: AddedVariable | None
    fits: Mapping[str, Any]
    sample: SampleAccount
    frame: pd.DataFrame
    level: float
    resamples: int
    seed: int
    folds: int
    software: str
    data_hash: str
    labels: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def nobs(self) -> int:
        """Rows used at every step."""
        return self.sample.n_used

    def tidy(self) -> pd.DataFrame:
        """Return one row per step: r2, delta_r2 with limits, f2, test, AIC, cross-validated R²."""
        return self.steps.tidy()

    def glance(self) -> pd.DataFrame:
        """Return one row: the final model, the number of therapists, and the verdict on the focus."""
        last = self.steps.frame.iloc[-1]
        row = {
            "outcome": self.outcome,
            "approach": self.approach,
            "nobs": self.nobs,
            "n_dropped": self.sample.n_rows - self.sample.n_used,
            "n_therapists": self.sample.groups.get(str(self.therapist), np.nan),
            "steps": len(self.steps.frame),
            "predictors": sum(len(names) for names in self.entered.values()),
            "r2": last["r2"],
            "r2_ols": last["r2_ols"],
            "cv_r2": last["cv_r2"],
            "aic": last["aic"],
            "focus": self.focus,
            "verdict": self.specificity.verdict if self.specificity is not None else None,
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        """Show the steps, the coefficients of the final model and the verdict on the focus."""
        shown = ["step", "n", "r2", "delta_r2", "conf_low", "conf_high", "statistic", "df", "p_value", "cv_r2"]
        steps = self.steps.frame[[c for c in shown if c in self.steps.frame]]
        lines = [
            f"Incremental validity for {self.outcome} ({self.software}; {self.steps.r2_name}, {self.steps.test_name})",
            steps.to_string(index=False, float_format="%.4g"),
            "",
            "Final model:",
            self.coefficients.frame.to_string(index=False, float_format="%.4g"),
        ]
        if self.specificity is not None:
            lines += ["", f"Is {self.specificity.focus} special? Verdict: {self.specificity.verdict}"]
        return "\n".join([*lines, *self.warnings])

    def correlations(self) -> pd.DataFrame:
        """Return the correlations of the predictors and the outcome over the rows used, as a square frame."""
        columns = [*(name for names in self.entered.values() for name in names), self.outcome]
        return self.frame[columns].corr()
