"""Tables of the estimates: fixed effects, the fit in one row, variance components, the printed summary."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import check_option
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import components as after_components
from alliancekit.multilevel.after import intervals as after_intervals
from alliancekit.multilevel.after import partition as after_partition
from alliancekit.multilevel.after import rcall, text
from alliancekit.multilevel.after import residuals as after_residuals
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.result.base import FitBase


class Summary(FitBase):
    """Methods that show what was estimated."""

    def vcov(self) -> pd.DataFrame:
        """Return the covariance matrix of the fixed effects."""
        names = list(self.design.names)
        return pd.DataFrame(self._fit.vcov, index=names, columns=names)

    def tidy(self, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Return one row per fixed effect: term, estimate, std_error, df, statistic, p_value, conf_low, conf_high.

        Parameters
        ----------
        ddf : "satterthwaite" (default) or "normal" (infinite df).
        level : confidence level.
        """
        word = after_coefficients.check_ddf(ddf)
        uncertainty = self._uncertainty if word == "satterthwaite" else None
        return after_coefficients.coefficients(self._fit, uncertainty, word, level)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole fit."""
        k, deviance = self.n_parameters, self._fit.deviance
        groups = {f"n_{name}": count for name, count in self.sample.groups.items()}
        row: dict[str, Any] = {
            "nobs": self.nobs,
            **groups,
            "n_parameters": k,
            "sigma": self.sigma,
            "log_likelihood": self.log_likelihood,
            "deviance": deviance,
            "aic": deviance + 2 * k,
            "bic": deviance + k * float(np.log(self.nobs)),
            "df_residual": self.nobs - k,
            "method": self.method,
            "converged": self.converged,
            "singular": self.singular,
        }
        return pd.DataFrame([row])

    def variance_components(self, level: float = 0.95) -> pd.DataFrame:
        """Return variances, covariances, SDs and correlations with Wald intervals (log and Fisher z scale)."""
        after_coefficients.check_level(level)
        return after_components.variance_components(self._fit, self._uncertainty, level)

    def covariances(self) -> dict[str, pd.DataFrame]:
        """Return the covariance matrix of each grouping factor's random effects."""
        out = {}
        for index in formula_order(self._fit):
            factor = self._fit.factors[index]
            names = list(factor.names)
            out[factor.group] = pd.DataFrame(self._fit.covariances[index], index=names, columns=names)
        return out

    def confint(self, method: str = "wald", level: float = 0.95, ddf: str | None = None) -> pd.DataFrame:
        """Return intervals of fixed effects (t with Satterthwaite df) and variance parameters; method "wald"."""
        check_option("method", method, ("wald",))
        return after_intervals.wald(self.tidy(ddf, level), self.variance_components(level))

    def r2(self) -> pd.Series:
        """Return marginal and conditional R2 (Nakagawa & Schielzeth 2013; Johnson 2014)."""
        return after_components.r2(self._fit)

    def r2_partition(self) -> after_partition.R2Partition:
        """Divide the outcome's variance by source and level: what fixed effects, slopes and units account for.

        Returns
        -------
        R2Partition : variance and shares of f1, f2, ... (fixed part within units, between units, ...), v (slopes that
        vary over units), m (means that vary over units) and sigma2, in total and at each level.

        Raises
        ------
        DesignError : grouping factors are crossed, so that there are no levels.

        Notes
        -----
        Rights & Sterba (2019), Psychological Methods 24, 309-338, eq. 10-18, with sample covariances over n - 1 as in
        their R package; three and more nested levels after Rights & Sterba (2023), Multivariate Behavioral Research
        58: with three levels v12, v13 and v23 are slopes of predictors at the first level that vary over units of the
        second. The linear predictor and the columns of random slopes are divided by the unit means of the rows used, so
        that predictors need not be centred: v then also has a part between units, and v and m are those of the paper's
        formulas for predictors that are not centred.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(5)
        >>> d = pd.DataFrame({"g": np.repeat(np.arange(50), 6), "x": np.tile(np.arange(6.0) - 2.5, 50)})
        >>> d["y"] = d["x"] + rng.normal(size=50)[d["g"]] + rng.normal(size=300)
        >>> ak.mixed("y ~ x + (1 | g)", d).r2_partition().tidy()["source"].tolist()
        ['f1', 'f2', 'v', 'm', 'sigma2']

        Checked against
        ---------------
        The paper's formulas written out, and simulations of known truth (tests/unit/multilevel).

        When not to use
        ---------------
        Few units: the shares inherit the uncertainty of the variances and have no intervals here.
        """
        return after_partition.partition(self._fit, self.labels.get(self.design.response, self.design.response))

    def icc(self) -> pd.Series:
        """Return each grouping factor's share of random plus residual variance, and the total."""
        return after_components.icc(self._fit)

    def as_r(self) -> str:
        """Return R code that fits the same model."""
        return rcall.as_r(self.formula, self.method, self._spec.weights)

    def as_python(self) -> str:
        """Return the call that made this fit."""
        return rcall.as_python(self.formula, self.method, self._spec.weights)

    def __repr__(self) -> str:
        notes = [f"df: Satterthwaite. {len(self.warnings)} warning(s):"] if self.warnings else ["df: Satterthwaite."]
        dropped = sum(count for _, count in self.sample.dropped)
        if dropped:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.sample.dropped)
            notes.insert(0, f"{dropped} of {self.sample.n_rows} rows not used: {reasons}.")
        return text.text(
            self._fit,
            self.formula,
            self.tidy(),
            self.variance_components(),
            after_residuals.residuals(self._fit),
            [*notes, *self.warnings],
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
