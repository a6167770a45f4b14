"""Tables of the estimates: fixed effects, the fit in one row, variance components, the printed summary."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import check_option
from alliancekit.core.later import Later
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import components as after_components
from alliancekit.multilevel.after import residuals as after_residuals
from alliancekit.multilevel.after import text
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.result.replicates import Replicates

if TYPE_CHECKING:
    from alliancekit.multilevel.after import intervals as after_intervals
    from alliancekit.multilevel.after import partition as after_partition
    from alliancekit.multilevel.after import profile as after_profile
    from alliancekit.multilevel.after import rcall as after_rcall
    from alliancekit.multilevel.after import shares as after_shares
    from alliancekit.multilevel.residual import rcall as residual_rcall
else:
    after_intervals = Later("alliancekit.multilevel.after.intervals")
    after_partition = Later("alliancekit.multilevel.after.partition")
    after_profile = Later("alliancekit.multilevel.after.profile")
    after_rcall = Later("alliancekit.multilevel.after.rcall")
    after_shares = Later("alliancekit.multilevel.after.shares")
    residual_rcall = Later("alliancekit.multilevel.residual.rcall")


class Summary(Replicates):
    """Methods that show what was estimated."""

    def vcov(self, method: str = "model") -> pd.DataFrame:
        """Return the covariance matrix of the fixed effects.

        ``method`` "model" takes the variances as known; "kenward-roger" adds what estimating them costs (fits by REML).
        """
        check_option("method", method, ("model", "kenward-roger"))
        names = list(self.design.names)
        precision = self._precision("normal" if method == "model" else method)
        return pd.DataFrame(precision.vcov, index=names, columns=names)

    def tidy(self, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Return one row per fixed effect: term, estimate, std_error, df, statistic, p_value, conf_low, conf_high.

        Parameters
        ----------
        ddf : "satterthwaite" (default), "kenward-roger" (fits by REML; SE of the adjusted covariance), "inner-outer"
            (nlme's ``lme``: units of the level at which a term varies), "residual" (rows minus fixed effects, nlme's
            ``gls``) or "normal" (infinite df).
        level : confidence level.

        Raises
        ------
        SpecError : a word that is none; "kenward-roger" for a fit by ML; "inner-outer" without random effects or with
        crossed ones.

        Notes
        -----
        Kuznetsova, Brockhoff & Christensen (2017, J Stat Softw 82(13)); Kenward & Roger (1997, Biometrics 53, 983-997),
        with second derivatives where the covariance of a residual structure is not linear in its parameters; Pinheiro
        & Bates (2000, Mixed-Effects Models in S and S-PLUS, section 2.4.2) for "inner-outer".

        Checked against
        ---------------
        lmerTest 3.1-3 and pbkrtest 0.5.2 (tests/reference/mlm); nlme 3.1-162 (tests/reference/nlme); with residual
        structures Kenward and Roger's method on whole matrices (tests/unit/multilevel).

        When not to use
        ---------------
        "inner-outer" and "residual" count rows, not what they tell about a contrast: use them to repeat an analysis.
        """
        return after_coefficients.coefficients(self._fit, self._precision(ddf), level)

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

    def variance_components(
        self, level: float = 0.95, interval: str = "wald", *, n: int = 1000, seed: int = 1
    ) -> pd.DataFrame:
        """Return variances, covariances, SDs and correlations, with intervals of SDs and correlations.

        Parameters
        ----------
        level : confidence level.
        interval : "wald" (log and Fisher z scale), "profile" or "bootstrap" (see ``confint``).
        n, seed : replicates and root seed; for "bootstrap" only.

        Raises
        ------
        SpecError : a word or number that is none.
        """
        after_coefficients.check_level(level)
        if interval != "wald":
            check_option("interval", interval, after_intervals.METHODS)
        table = after_components.variance_components(self._fit, self._uncertainty, level)
        if interval == "wald":
            return table
        return after_intervals.with_limits(table, self.confint(interval, level, n=n, seed=seed))

    def covariances(self) -> dict[str, pd.DataFrame]:
        """Return the covariance matrix of each grouping factor's random effects."""
        out = {}
        for index in formula_order(self._fit):
            factor = self._fit.factors[index]
            names = list(factor.names)
            out[factor.group] = pd.DataFrame(self._fit.covariances[index], index=names, columns=names)
        return out

    def confint(
        self,
        method: str = "wald",
        level: float = 0.95,
        ddf: str | None = None,
        *,
        parameters: Sequence[str] | None = None,
        interval: str = "percentile",
        n: int = 1000,
        seed: int = 1,
        executor: str = "serial",
        workers: int = 2,
    ) -> pd.DataFrame:
        """Return intervals of fixed effects, SDs and correlations: component, term, estimate, conf_low, conf_high.

        Parameters
        ----------
        method : "wald" (fixed effects: t with ``ddf``; SDs on the log scale, correlations on Fisher's z scale),
            "profile" (likelihood) or "bootstrap" (parametric).
        level : confidence level.
        ddf : as in ``tidy``; for "wald" only.
        parameters : terms to return, such as ``["time", "sd_time|patient"]``; default all. A profile costs by the term.
        interval : "percentile" or "basic"; for "bootstrap" only.
        n, seed : replicates and root seed; for "bootstrap" only.
        executor, workers : "serial" or "joblib" and its processes; the numbers are the same. For "bootstrap" only.

        Returns
        -------
        DataFrame, with method and level in ``attrs``. Terms are lme4's: ``x``, ``sd_x|g``, ``cor_y.x|g``, ``sigma``;
        those of a residual structure are named as in ``variance_components``, such as ``Phi``.

        Raises
        ------
        SpecError : a word, name or number that is none; ``ddf`` with another method than "wald"; a profile where
        residual variances follow the fitted values or a residual correlation is at its boundary.

        Notes
        -----
        Profile: the values at which the ML deviance, minimised over all other parameters, has risen by the chi-square
        quantile with 1 df (Bates, Maechler, Bolker & Walker 2015, J Stat Softw 67(1), section 5.1), found by root
        finding, not by interpolation. A fit by REML is profiled by ML, as in lme4. Where the deviance does not rise far
        enough before a parameter meets the end of its space, the limit is that end: 0 for an SD, -1 or 1 for a
        correlation. Bootstrap: outcomes are simulated with new random effects and fitted by the fit's own criterion;
        limits by the percentile or the basic method (Davison & Hinkley 1997, Bootstrap Methods and their Application,
        sections 5.2 and 5.3), kept inside the parameter's space.
        A Wald interval is missing for a parameter on the boundary; the other two are not.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> g = np.repeat(np.arange(20), 6)
        >>> d = pd.DataFrame({"g": g, "y": 10 + rng.normal(0, 2, 20)[g] + rng.normal(0, 1, 120)})
        >>> ak.mixed("y ~ 1 + (1 | g)", d).confint(method="profile")["term"].tolist()
        ['(Intercept)', 'sd_(Intercept)|g', 'sigma']

        Checked against
        ---------------
        ``confint(method = "profile")`` of lme4 1.1-31 on ten data sets (tests/reference/mlm); ``intervals`` of nlme
        3.1-162 (tests/reference/nlme); profiles with residual structures by whole matrices (tests/unit/multilevel);
        coverage in tests/recovery.

        When not to use
        ---------------
        Profile intervals of fixed effects with few clusters: they take the normal quantile and are too short; there use
        "wald" with its degrees of freedom.
        """
        after_intervals.check_request(self._fit, method, level, ddf, parameters, interval)
        if method == "profile":
            return after_profile.profile_intervals(self._fit, level, parameters)
        if method == "bootstrap":
            table = self.bootstrap(n, seed, executor=executor, workers=workers).tidy(level, interval)
        else:
            table = after_intervals.wald(self.tidy(ddf, level), self.variance_components(level))
            table.attrs.update(method="wald", level=level)
        return after_intervals.chosen(table, parameters)

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
        residual = after_components.variance_partition(self._fit)["Residual"]
        outcome = self.labels.get(self.design.response, self.design.response)
        return after_partition.partition(self._fit, residual, outcome)

    def icc(self) -> pd.Series:
        """Return each grouping factor's share of random plus residual variance, and the total."""
        return after_components.icc(self._fit)

    def variance_shares(
        self, level: float = 0.95, interval: str = "wald", *, n: int = 1000, seed: int = 1
    ) -> pd.DataFrame:
        """Return each level's share of random plus residual variance (ICC, VPC) with limits, and that of all together.

        Parameters
        ----------
        level : confidence level.
        interval : "wald" (delta method on the logit of the share) or "bootstrap" (parametric, percentile).
        n, seed : replicates and root seed; for "bootstrap" only.

        Returns
        -------
        DataFrame : group, estimate, conf_low, conf_high; the last row, "total", is the correlation of two rows that
        share every unit. The estimates are those of ``icc``.

        Raises
        ------
        SpecError : a word or number that is none.

        Notes
        -----
        With random slopes a share depends on the predictor. Given is the share of the mean variance over the rows used
        (Johnson 2014, Methods Ecol Evol 5, 944-946), not that of a row at the mean of the predictor.
        """
        after_shares.check_interval(interval)
        replicates = self.bootstrap(n, seed) if interval == "bootstrap" else None
        uncertainty = self._uncertainty if replicates is None else None
        return after_shares.variance_shares(self._fit, level, uncertainty, replicates)

    def as_r(self) -> str:
        """Return R code that fits the same model."""
        if self._spec.residual is not None:
            return residual_rcall.as_nlme(self.design, self.formula, self._fit.reml, self._spec.residual)
        return after_rcall.as_r(self.formula, self.method, self._spec.weights)

    def as_python(self) -> str:
        """Return the call that made this fit."""
        return after_rcall.as_python(self.formula, self.method, self._spec.weights, self._spec.residual)

    def __repr__(self) -> str:
        notes = [f"df: Satterthwaite. {len(self.warnings)} warning(s):"] if self.warnings else ["df: Satterthwaite."]
        dropped = sum(count for _, count in self.sample.dropped)
        if dropped:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.sample.dropped)
            notes.insert(0, f"{dropped} of {self.sample.n_rows} rows not used: {reasons}.")
        if self._rows_absent:
            notes.insert(0, "The file was read in chunks; its rows were not kept.")
        return text.text(
            self._fit,
            self.formula,
            self.tidy(),
            self.variance_components(),
            None if self._rows_absent else after_residuals.residuals(self._fit),
            [*notes, *self.warnings],
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
