"""Tests of hypotheses about the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
from numpy.typing import ArrayLike

from alliancekit.core.later import Later
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.result.base import FitBase

if TYPE_CHECKING:
    from alliancekit.multilevel.after import anova as after_anova
    from alliancekit.multilevel.after import likelihood as after_likelihood
    from alliancekit.multilevel.after import ranova as after_ranova
    from alliancekit.multilevel.after import robust as after_robust
else:
    after_anova = Later("alliancekit.multilevel.after.anova")
    after_likelihood = Later("alliancekit.multilevel.after.likelihood")
    after_ranova = Later("alliancekit.multilevel.after.ranova")
    after_robust = Later("alliancekit.multilevel.after.robust")


class Hypotheses(FitBase):
    """Methods that test."""

    def test(self, hypothesis: str, ddf: str | None = None) -> pd.DataFrame:
        """Return the joint F test of linear hypotheses, such as ``"x = 0, x:time = 0"`` or ``"a - b = 1"``.

        ``ddf`` is "satterthwaite" (default), "kenward-roger" (fits by REML), "inner-outer", "residual" or "normal"; see
        ``tidy``.
        """
        return after_coefficients.test(self._fit, self._precision(ddf), hypothesis)

    def anova(self, type: str = "III", ddf: str | None = None) -> after_anova.AnovaTable:
        """Return F tests of the terms of the fixed part, one row per term.

        Parameters
        ----------
        type : "III" (default; each term after all others, factors averaged with equal weight over their levels), "II"
            (after all terms that do not contain it) or "I" (after the terms written before it).
        ddf : "satterthwaite" (default), "kenward-roger" (fits by REML), "inner-outer", "residual" or "normal" (infinite
            df); see ``tidy``.

        Returns
        -------
        AnovaTable. ``tidy()`` has term, sum_sq, mean_sq, df_numerator, df, statistic (F) and p_value. ``sum_sq`` is F
        times its numerator df times the residual variance, without the scaling of Kenward and Roger's method.

        Raises
        ------
        SpecError : a word that is no type or method; Kenward-Roger for a fit by ML.

        Notes
        -----
        The hypotheses are lmerTest's (Kuznetsova, Brockhoff & Christensen 2017, J Stat Softw 82(13), section 2.3);
        those of type III do not depend on how factors are coded. Joint denominator df: Fai & Cornelius (1996, J Stat
        Comput Simul 54, 363-378) or Kenward & Roger (1997, Biometrics 53, 983-997).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(3)
        >>> g = np.repeat(np.arange(24), 4)
        >>> d = pd.DataFrame({"g": g, "arm": np.array(["a", "b", "c"])[g % 3], "t": np.tile(np.arange(4.0), 24)})
        >>> d["y"] = rng.normal(size=24)[g] + 0.3 * d["t"] + rng.normal(size=96)
        >>> ak.mixed("y ~ arm * t + (1 | g)", d).anova().tidy()["df_numerator"].tolist()
        [2, 1, 2]

        Checked against
        ---------------
        lmerTest 3.1-3 with pbkrtest 0.5.2 (tests/reference/mlm and mlm_tests).

        When not to use
        ---------------
        Type III of a main effect beside its interaction: it is about an average over levels that may interest nobody.
        ``time + time:arm`` without a main effect of ``arm``: the row of ``time`` is, as in lmerTest, the slope of the
        reference arm.
        """
        return after_anova.anova(self._fit, self._precision(ddf), self.data, type, self.formula)

    def robust(
        self, cluster: str | None = None, type: str = "CR2", level: float = 0.95
    ) -> after_robust.RobustCoefficients:
        """Return the fixed effects with cluster-robust standard errors.

        Parameters
        ----------
        cluster : a grouping factor, or a column in whose levels every grouping factor (and every unit of correlated
            residuals) is nested; default: the one with the fewest levels.
        type : "CR2" (default; corrected so that it is unbiased where the model is right), "CR1" (CR0 times
            J / (J - 1), J clusters) or "CR0" (no correction).
        level : confidence level.

        Returns
        -------
        RobustCoefficients. ``tidy()`` has term, estimate, std_error, df (Satterthwaite), statistic, p_value, conf_low,
        conf_high; ``vcov()`` is the covariance matrix.

        Raises
        ------
        SpecError : a word that is no type, crossed grouping factors, clusters that split correlated rows.
        DesignError : no such column, or missing values in it.

        Notes
        -----
        Bell & McCaffrey (2002, Surv Methodol 28, 169-181); Pustejovsky & Tipton (2018, J Bus Econ Stat 36, 672-683),
        with the fitted covariance as working model. With prior weights rows are scaled by their root first, but not in
        models with a residual structure, whose weights are part of the working model.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(3)
        >>> g, x = np.repeat(np.arange(12), 5), rng.normal(size=60)
        >>> d = pd.DataFrame({"g": g, "x": x, "y": x + rng.normal(size=12)[g] + rng.normal(size=60)})
        >>> ak.mixed("y ~ x + (1 | g)", d).robust().glance()["n_clusters"].tolist()
        [12]

        Checked against
        ---------------
        clubSandwich 0.5.8 (tests/reference/mlm and mlm_tests, and on fits of nlme: tests/reference/nlme).

        When not to use
        ---------------
        Where df fall below about 4 the t distribution no longer holds; a handful of clusters needs a design that is
        analysed by its randomisation.
        """
        return after_robust.robust(self._fit, self.data, self.formula, cluster, type, level)

    def ranova(self) -> after_ranova.Ranova:
        """Return likelihood-ratio tests of the random terms, one removed or reduced at a time.

        A slope is removed from its term together with its covariances; an intercept only where nothing else varies.
        The likelihood is that of the fit: restricted for a fit by REML.

        Returns
        -------
        Ranova. ``tidy()`` has removed, npar, log_likelihood, aic, chisq, df, p_value (chi-square) and p_mixture, which
        heeds that a variance cannot be negative and is the one to read.

        Raises
        ------
        SpecError : a model of another family or with a residual structure.

        Notes
        -----
        Self & Liang (1987, J Am Stat Assoc 82, 605-610); Stram & Lee (1994, Biometrics 50, 1171-1177).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(3)
        >>> g, x = np.repeat(np.arange(12), 5), rng.normal(size=60)
        >>> d = pd.DataFrame({"g": g, "x": x, "y": x + rng.normal(size=12)[g] + rng.normal(size=60)})
        >>> ak.mixed("y ~ x + (1 | g)", d).ranova().tidy()["removed"].tolist()
        ['<none>', '(1 | g)']

        Checked against
        ---------------
        lmerTest 3.1-3 ``ranova`` (tests/reference/mlm and mlm_tests). For ``(0 + x | g)`` lmerTest compares with
        ``(1 | g)``, which is not nested; here the term is removed.

        When not to use
        ---------------
        To decide whether a level of the design may be left out: keep it, whatever the test says.
        """
        return after_ranova.ranova(self._fit, self.data, self.formula, self._spec.weights)

    def log_likelihood_at(
        self, fixed: Mapping[str, float], covariances: Mapping[str, ArrayLike], sigma2: float
    ) -> float:
        """Return this model's log-likelihood at parameters estimated elsewhere (see ``after/likelihood.py``)."""
        return after_likelihood.log_likelihood_at(self._fit, fixed, covariances, sigma2)
