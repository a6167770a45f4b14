"""Is a predictor's increment its own? A focus scale beside its rivals, the other scales of the same family.

A scale that correlates .85 with its neighbours adds to severity whichever of them matters, so "beyond severity" does
not show that the scale is special. Two comparisons are made: over the base (what entered before the focus) and over
everything else in the final model. Where the second finds nothing there are still two very different cases, and the
focus's own slope tells them apart, because a squared increment shrinks under collinearity even where the slope does
not:

- its slope fell to less than half when the rivals came in, by more than chance: the increment belongs to the rivals
  ("not specific");
- its slope is compatible both with zero and with what it was: the data cannot tell ("not distinguishable").

An increment beyond everything that is significant but keeps less than half of the slope is not called specific either:
rivals measured with error leave some of theirs to the focus (Westfall & Yarkoni 2016, PLOS ONE 11, e0152719).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

# Share of its slope that a predictor must keep beside its rivals to be called specific.
MOST = 0.5
VERDICTS = ("specific", "not specific", "not distinguishable", "no increment")


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number with its limits and, where it was tested, the test (``df_error`` missing: chi-square)."""

    estimate: float
    conf_low: float
    conf_high: float
    p_value: float = np.nan
    ci_method: str = ""
    statistic: float = np.nan
    df: float = np.nan
    df_error: float = np.nan

    def as_row(self) -> dict[str, float]:
        """Return estimate, conf_low, conf_high, as ``ak.compare_truth`` takes them."""
        return {"estimate": self.estimate, "conf_low": self.conf_low, "conf_high": self.conf_high}


@dataclass(frozen=True, eq=False)
class Specificity:
    """The verdict on the focus predictor and the numbers it rests on.

    Attributes
    ----------
    verdict : "specific", "not specific", "not distinguishable" or "no increment".
    focus, outcome : names of the predictor and the outcome.
    base : predictors that entered before the focus.
    rivals : the other predictors of the final model.
    delta_r2_base : R² that the focus adds to the base.
    delta_r2_all : R² that the focus adds to all the others.
    slope_base, slope_all : standardised slopes beside the base and beside all the others.
    slope_drop : slope_base - slope_all.
    correlations : rival, r, conf_low, conf_high.
    vif : variance inflation factor of the focus in the final model.
    n, level : rows and confidence level.
    r2_name, test_name : what R² and test these are.
    labels : column -> text for people.
    """

    verdict: str
    focus: str
    outcome: str
    base: tuple[str, ...]
    rivals: tuple[str, ...]
    delta_r2_base: Bounded
    delta_r2_all: Bounded
    slope_base: Bounded
    slope_all: Bounded
    slope_drop: Bounded
    correlations: pd.DataFrame
    vif: float
    n: int
    level: float
    r2_name: str
    test_name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def suppressed(self) -> bool:
        """True where the focus matters only, or in the other direction, beside its rivals: a suppressor pattern."""
        alpha = 1.0 - self.level
        appears = self.delta_r2_base.p_value >= alpha > self.delta_r2_all.p_value
        flips = max(self.delta_r2_base.p_value, self.delta_r2_all.p_value) < alpha and (
            self.slope_base.estimate * self.slope_all.estimate < 0.0
        )
        return bool(appears or flips)

    def tidy(self) -> pd.DataFrame:
        """Return one row per number the verdict rests on: term, estimate, conf_low, conf_high, statistic,
        df, df_error, p_value, ci_method."""
        rows = {
            "delta_r2 over base": self.delta_r2_base,
            "delta_r2 over all": self.delta_r2_all,
            "standardised slope beside base": self.slope_base,
            "standardised slope beside all": self.slope_all,
            "drop in standardised slope": self.slope_drop,
        }
        records: list[dict[str, object]] = [
            {
                "term": term,
                "estimate": b.estimate,
                "conf_low": b.conf_low,
                "conf_high": b.conf_high,
                "statistic": b.statistic,
                "df": b.df,
                "df_error": b.df_error,
                "p_value": b.p_value,
                "ci_method": b.ci_method,
            }
            for term, b in rows.items()
        ]
        for rival, r, low, high in self.correlations.itertuples(index=False):
            term = f"correlation with {rival}"
            records.append({"term": term, "estimate": r, "conf_low": low, "conf_high": high, "ci_method": "Fisher z"})
        records.append({"term": "VIF", "estimate": self.vif, "ci_method": ""})
        return pd.DataFrame.from_records(records)

    def glance(self) -> pd.DataFrame:
        """Return one row: focus, verdict, n, both increments with their p values, the slope's drop, VIF."""
        row = {
            "focus": self.focus,
            "verdict": self.verdict,
            "n": self.n,
            "delta_r2_base": self.delta_r2_base.estimate,
            "p_base": self.delta_r2_base.p_value,
            "delta_r2_all": self.delta_r2_all.estimate,
            "p_all": self.delta_r2_all.p_value,
            "slope_drop": self.slope_drop.estimate,
            "vif": self.vif,
        }
        return pd.DataFrame([row])


def judge(
    *, base: Bounded, everything: Bounded, slope_base: float, slope_all: float, drop: Bounded, rivals: int, level: float
) -> str:
    """Return the verdict.

    Parameters
    ----------
    base, everything : increment over the base and over all the others, with p values.
    slope_base, slope_all : slopes beside them.
    drop : slope_base - slope_all with its confidence limits.
    rivals : number of rivals in the final model.
    level : confidence level; 1 - level is the significance level.

    Examples
    --------
    >>> found = dict(slope_base=-0.3, slope_all=-0.02, drop=Bounded(-0.28, -0.4, -0.16), rivals=2, level=0.95)
    >>> judge(base=Bounded(0.08, 0.03, 0.14, 0.001), everything=Bounded(0.0, 0.0, 0.01, 0.8), **found)
    'not specific'
    """
    alpha = 1.0 - level
    if not base.p_value < alpha:
        return "no increment"
    if not rivals:
        return "not distinguishable"
    kept = slope_all / slope_base
    found = everything.p_value < alpha
    if found and kept >= MOST:
        return "specific"
    if found and kept < 0.0:
        return "not distinguishable"
    shrank = drop.conf_low > 0.0 if slope_base > 0.0 else drop.conf_high < 0.0
    return "not specific" if kept < MOST and shrank else "not distinguishable"


def correlations_with(values: pd.DataFrame, focus: str, rivals: tuple[str, ...], level: float) -> pd.DataFrame:
    """Return the correlation of the focus with each rival and its Fisher-z limits (rows as independent)."""
    from scipy.special import ndtri

    n = len(values)
    r = np.array([np.corrcoef(values[focus], values[rival])[0, 1] for rival in rivals])
    half = ndtri((1.0 + level) / 2.0) / np.sqrt(n - 3.0) if n > 3 else np.inf
    z = np.arctanh(np.clip(r, -1.0 + 1e-15, 1.0 - 1e-15))
    return pd.DataFrame({"rival": list(rivals), "r": r, "conf_low": np.tanh(z - half), "conf_high": np.tanh(z + half)})
