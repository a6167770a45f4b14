"""What the model says about rows and units: fitted values, residuals, predictions, random effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.later import Later
from alliancekit.multilevel.result.base import FitBase
from alliancekit.study.types import frame_of

if TYPE_CHECKING:
    from alliancekit.multilevel.after import influence as after_influence
    from alliancekit.multilevel.after import predict as after_predict
    from alliancekit.multilevel.after import residuals as after_residuals
    from alliancekit.multilevel.after import unit_covariance as after_unit_covariance
else:
    after_influence = Later("alliancekit.multilevel.after.influence")
    after_predict = Later("alliancekit.multilevel.after.predict")
    after_residuals = Later("alliancekit.multilevel.after.residuals")
    after_unit_covariance = Later("alliancekit.multilevel.after.unit_covariance")


Floats = NDArray[np.float64]


class Rows(FitBase):
    """Methods about rows and units."""

    def augment(self) -> pd.DataFrame:
        """Return the rows used with fitted values and residuals (columns fitted, fixed_part, residual)."""
        return self.data.assign(
            fitted=self.fitted(), fixed_part=after_predict.fitted(self._fit, False), residual=self.residuals()
        )

    def random_effects(self) -> pd.DataFrame:
        """Return the conditional modes: group, unit, term, estimate, std_error (conditional SD, as in lme4)."""
        return after_predict.random_effects(self._fit)

    def fitted(self) -> Floats:
        """Return fitted values with random effects, one per row used."""
        return after_predict.fitted(self._fit)

    def residuals(self, kind: str = "response") -> Floats:
        """Return residuals, one per row used.

        Parameters
        ----------
        kind : "response": outcome - fitted value with random effects. "pearson": these times the root of the prior
            weight. "scaled": "pearson" over the residual SD. "marginal": outcome - fixed part. "standardised":
            "scaled" over the root of 1 - leverage, which have variance one in every row; missing where a row is fitted
            exactly whatever its outcome. "normalized" (a residual structure): freed of the structure's correlation
            and unequal variances, so that they are independent with variance one where the model holds; else "scaled".

        Raises
        ------
        SpecError : another word.

        Notes
        -----
        Standardised: var(y - fitted) = sigma^2 (1 - h) / w (Nobre & Singer 2007, Biom J 49, 863-875), and with a
        residual structure R P R (R covariance of the residuals, P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1). lme4 calls
        "scaled" ``residuals(scaled = TRUE)``; HLMdiag calls "standardised" studentized conditional residuals.

        Checked against
        ---------------
        lme4 1.1-31 ``residuals`` and ``hatvalues`` (tests/reference/rows).

        When not to use
        ---------------
        Conditional residuals are drawn towards zero in small units, and each borrows from the random effects: judge
        the fixed part by the marginal ones.
        """
        return after_residuals.residuals(self._fit, kind)

    def marginal_covariance(self, unit: object) -> pd.DataFrame:
        """Return the covariance matrix of one unit's rows: random effects and residuals together.

        Parameters
        ----------
        unit : label of a unit of the residual structure's ``by``, such as a patient's id; without a structure that
            correlates rows, of the finest grouping factor.

        Returns
        -------
        DataFrame, labelled by the rows' index in the data. Rows of a unit may also be correlated with those of other
        units (patients of one therapist); that is not shown.

        Raises
        ------
        SpecError : rows are independent. DesignError : no such unit.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(3)
        >>> d = pd.DataFrame({"patient": np.repeat(np.arange(20), 3), "visit": np.tile([1, 2, 3], 20)})
        >>> d["y"] = rng.normal(size=20)[d["patient"]] + rng.normal(size=60)
        >>> fit = ak.mixed("y ~ factor(visit)", d, residual_structure=ak.unstructured(time="visit", by="patient"))
        >>> fit.marginal_covariance(7).shape
        (3, 3)

        Checked against
        ---------------
        ``getVarCov(type = "marginal")`` of nlme 3.1-162 (tests/reference/nlme).
        """
        return after_unit_covariance.unit_covariance(self._fit, self.data.index, unit)

    def hat_values(self) -> Floats:
        """Return the leverage of each row used (variances held), as ``lme4::hatvalues``: d fitted / d outcome."""
        return after_residuals.hat_values(self._fit)

    def predict(
        self,
        new: Any = None,
        include_random: bool = True,
        interval: str | None = None,
        level: float = 0.95,
        scale: str = "response",
    ) -> pd.DataFrame:
        """Predict rows of old and new units.

        Parameters
        ----------
        new : frame or Study with the columns of the formula (without the outcome); None takes the rows used. A row
            with a missing predictor stays missing.
        include_random : True predicts for the unit named in each row: population's mean plus the unit's effects.
            False predicts for the average unit; grouping columns are then not needed.
        interval : what ``conf_low`` and ``conf_high`` enclose: "confidence" (default) the expected outcome of the row,
            "prediction" one new observation.
        level : confidence level.
        scale : "response" or "link"; the same for a Gaussian outcome.

        Returns
        -------
        Frame with estimate, std_error (of the expected outcome), conf_low, conf_high, new_group (the row names a unit
        that was not fitted), in the rows' order and with their index.

        Raises
        ------
        SpecError : a word or level that is none. DesignError : a column is missing, a fixed factor has a new level, or
        a prior weight needed for a prediction interval is not positive.

        Notes
        -----
        With random effects the standard error is that of the prediction error, from the joint covariance of
        (beta_hat - beta, b_hat - b) of Henderson's mixed-model equations (Henderson 1975, Biometrics 31, 423-447;
        McLean, Sanders & Stroup 1991, Am Stat 45, 54-64). For the levels that were not fitted the estimate and its
        standard error are those of the average unit; a prediction interval adds z'Gz for them (and, without random
        effects, for every grouping factor), and the row's residual variance: that of the residual structure where there
        is one (its columns are then needed), over the row's prior weight. A new row's residual is taken to be
        independent of those that were fitted. Variances are taken as known and limits use the normal distribution.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(3)
        >>> d = pd.DataFrame({"g": np.repeat(np.arange(20), 5), "x": np.tile(np.arange(5.0), 20)})
        >>> d["y"] = d["x"] + rng.normal(size=20)[d["g"]] + rng.normal(size=100)
        >>> fit = ak.mixed("y ~ x + (1 | g)", d)
        >>> fit.predict(pd.DataFrame({"x": [2.0, 2.0], "g": [3, 99]}), interval="prediction")["new_group"].tolist()
        [False, True]

        Checked against
        ---------------
        The dense inverse of Henderson's equations and lme4 1.1-31 (tests/reference/rows).

        When not to use
        ---------------
        Few units at a level: the variances are then badly known, and the intervals too narrow. Means of the fixed part
        with t limits: ``fit.means``.
        """
        frame = self.data if new is None else frame_of(new)
        return after_predict.predict(
            self._fit,
            frame,
            include_random=include_random,
            interval=interval,
            level=level,
            scale=scale,
            weights=self._spec.weights,
        )

    def influence(self, by: str | None = None, method: str = "exact") -> after_influence.Influence:
        """Leave out each unit in turn and measure how the estimates move.

        Parameters
        ----------
        by : grouping factor or column whose units are left out with all their rows ("therapist" takes the therapist's
            patients along); None leaves out single rows.
        method : "exact" fits the model again without each unit. "one-step" moves the variances by one Newton step: for
            thousands of units, at a hundredth of the time in nested designs; for independent residuals only.

        Returns
        -------
        Influence : Cook's distance, MDFFITS, COVRATIO, COVTRACE, change of each fixed effect and of each variance; a
        unit without which a fixed effect cannot be estimated has missing values.

        Raises
        ------
        SpecError : another word. DesignError : no such column, or it has one unit.

        Notes
        -----
        With b and V the fixed effects and their covariance, and (i) for "without unit i":
        Cook's distance (b - b(i))' V^-1 (b - b(i)) / p, MDFFITS the same with V(i), COVRATIO |V(i)| / |V|, COVTRACE
        the distance of tr(V^-1 V(i)) from p, dfbetas (b(i) - b) / se(i), relative change of a variance v(i) / v - 1
        (Christensen, Pearson & Johnson 1992, Technometrics 34, 38-45; Loy & Hofmann 2014, J Stat Softw 56(5)).
        ``lme4``'s ``cooks.distance`` multiplies by (D - p) / D, D the number of units.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(4)
        >>> d = pd.DataFrame({"g": np.repeat(np.arange(20), 5), "x": np.tile(np.arange(5.0), 20)})
        >>> d["y"] = d["x"] + rng.normal(size=20)[d["g"]] + rng.normal(size=100) + 9 * (d["g"] == 7)
        >>> ak.mixed("y ~ x + (1 | g)", d).influence(by="g").tidy()["unit"].iloc[0]
        '7'

        Checked against
        ---------------
        ``influence``, ``dfbetas`` and ``cooks.distance`` of lme4 1.1-31 (tests/reference/rows); fits by hand.

        When not to use
        ---------------
        As a rule for deleting people. Look at their data, and report the result with and without them.
        """
        outcome = self.labels.get(self.design.response, self.design.response)
        return after_influence.influence(self._fit, self.data, by, method, outcome)
