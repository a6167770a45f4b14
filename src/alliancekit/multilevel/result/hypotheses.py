"""Tests of hypotheses about the parameters."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from numpy.typing import ArrayLike

from alliancekit.multilevel.after import anova as after_anova
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import likelihood as after_likelihood
from alliancekit.multilevel.after import robust as after_robust
from alliancekit.multilevel.result.base import FitBase


class Hypotheses(FitBase):
    """Methods that test."""

    def test(self, hypothesis: str, ddf: str | None = None) -> pd.DataFrame:
        """Return the joint F test of linear hypotheses, such as ``"x = 0, x:time = 0"`` or ``"a - b = 1"``.

        ``ddf`` is "satterthwaite" (default), "kenward-roger" (fits by REML) or "normal".
        """
        return after_coefficients.test(self._fit, self._precision(ddf), hypothesis)

    def anova(self, type: str = "III", ddf: str | None = None) -> after_anova.AnovaTable:
        return after_anova.anova(self._fit, self._precision(ddf), self.data, type, self.formula)

    def robust(
        self, cluster: str | None = None, type: str = "CR2", level: float = 0.95
    ) -> after_robust.RobustCoefficients:
        return after_robust.robust(self._fit, self.data, self.formula, cluster, type, level)

    def log_likelihood_at(
        self, fixed: Mapping[str, float], covariances: Mapping[str, ArrayLike], sigma2: float
    ) -> float:
        """Return this model's log-likelihood at parameters estimated elsewhere (see ``after/likelihood.py``)."""
        return after_likelihood.log_likelihood_at(self._fit, fixed, covariances, sigma2)
