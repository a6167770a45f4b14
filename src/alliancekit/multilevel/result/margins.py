"""Means, contrasts, simple slopes and effect sizes: what emmeans, emtrends and calculators of d do in R."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from alliancekit.core.errors import DesignWarning
from alliancekit.core.later import Later
from alliancekit.multilevel.result.base import FitBase

if TYPE_CHECKING:
    from alliancekit.multilevel.after import contrast_rows as after_contrast_rows
    from alliancekit.multilevel.after import effect_size as after_effect_size
    from alliancekit.multilevel.after import means as after_means
    from alliancekit.multilevel.after import response_scale as after_response_scale
    from alliancekit.multilevel.after import slopes as after_slopes
    from alliancekit.multilevel.after.contrasts import Contrasts
    from alliancekit.multilevel.after.effect_size import EffectSize
    from alliancekit.multilevel.after.margins import Margin
    from alliancekit.multilevel.after.means import MarginalMeans
    from alliancekit.multilevel.after.slopes import Slopes
else:
    after_effect_size = Later("alliancekit.multilevel.after.effect_size")
    after_means = Later("alliancekit.multilevel.after.means")
    after_slopes = Later("alliancekit.multilevel.after.slopes")
    after_contrast_rows = Later("alliancekit.multilevel.after.contrast_rows")
    after_response_scale = Later("alliancekit.multilevel.after.response_scale")


M = TypeVar("M", bound="Margin")


class Margins(FitBase):
    """Methods that ask the fixed part for its mean, a difference or a slope somewhere."""

    def means(
        self,
        factors: str | Sequence[str],
        *,
        at: Mapping[str, Any] | None = None,
        by: str | Sequence[str] | None = None,
        ddf: str | None = None,
        level: float = 0.95,
        scale: str = "response",
        weights: str = "equal",
    ) -> MarginalMeans:
        """Return estimated marginal means (least-squares means).

        Parameters
        ----------
        factors : a variable of the fixed part, or several: a mean for each combination of their levels. A covariate may
            stand here too; give its values with ``at``. ``[]`` gives one overall mean.
        at : values of variables: ``{"session": [0, 6, 12], "site": "Bern"}``; a covariate also takes the words "mean",
            "mean ± sd", "quartiles" and "range" (over the rows used). What is not named stands at its mean or is
            averaged over its levels. A covariate with just two values counts as a factor, as in emmeans.
        by : variables that make groups; means stand apart for each, and contrasts stay within.
        ddf : as in ``tidy``; "satterthwaite" is the default of a Gaussian outcome.
        level : confidence level.
        scale : "response", or "link" for the scale of the linear predictor. Averages are made on the link's scale.
        weights : "equal" weight for each level averaged over, or "proportional" to the rows that have it. Rows, not
            persons: who came to more sessions weighs more.

        Returns
        -------
        MarginalMeans : with ``tidy()``, ``glance()`` and ``contrasts()``.

        Raises
        ------
        SpecError : a variable, level or word that does not exist, with the nearest one. DesignError : see ``ak.mixed``.

        Warns
        -----
        DesignWarning : a covariate's value lies outside the data.

        Notes
        -----
        Searle, Speed & Milliken (1980), Am Stat 34, 216-221. A mean that the data cannot inform, because a combination
        of levels was never observed, is missing. An offset is included at the mean of its column.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame({"id": np.repeat(np.arange(40), 4), "session": np.tile(np.arange(4.0), 40)})
        >>> d["arm"] = np.where(d["id"] % 2, "CBT", "TAU")
        >>> d["bdi"] = 25 - d["session"] * (d["id"] % 2) + rng.normal(0, 2, 40)[d["id"]] + rng.normal(0, 2, 160)
        >>> fit = ak.mixed("bdi ~ session * arm + (1 | id)", d)
        >>> fit.means("arm", at={"session": 3}).tidy()["term"].tolist()
        ['CBT', 'TAU']

        Checked against
        ---------------
        emmeans 1.8.4 (tests/reference/mlm, test_mlm_means.py).

        When not to use
        ---------------
        To describe what was observed: means of a model hold at covariate values that nobody may have.
        """
        return self._finished(self._means(factors, at, by, ddf, level, scale, weights))

    def _means(
        self,
        factors: str | Sequence[str],
        at: Mapping[str, Any] | None,
        by: str | Sequence[str] | None,
        ddf: str | None,
        level: float,
        scale: str,
        weights: str,
    ) -> MarginalMeans:
        return after_means.marginal_means(
            self._fit.design,
            self.data,
            self._row_inference(ddf),
            after_response_scale.make_scale(scale, getattr(self._fit, "link", None), self.family),
            factors,
            at=at,
            by=by,
            level=level,
            weights=weights,
        )

    def contrasts(
        self,
        factors: str | Sequence[str],
        method: str | Mapping[str, Any] = "pairwise",
        *,
        at: Mapping[str, Any] | None = None,
        by: str | Sequence[str] | None = None,
        interaction: bool | str | Sequence[str] = False,
        adjust: str | None = None,
        ddf: str | None = None,
        level: float = 0.95,
        scale: str = "response",
        weights: str = "equal",
    ) -> Contrasts:
        """Return contrasts among estimated marginal means, tested and adjusted for how many there are.

        Parameters
        ----------
        factors, at, by, ddf, level, scale, weights : as in ``means``; contrasts stay within the groups of ``by``.
        method : "pairwise" (each less each later one), "reference" (each less the first), "consecutive" (each less the
            one before), "polynomial" (trends, as whole-number weights; a covariate's own spacing counts), "effect"
            (each less the mean of all), or weights: ``{"CBT and IPT - TAU": [0.5, 0.5, -1]}``, ``{"late": {"12": 1,
            "6": -1}}``.
        interaction : True applies ``method`` to each factor and takes products: differences of differences. Or name a
            method for each: ``["pairwise", "consecutive"]``.
        adjust : "none", "tukey", "dunnettx", "mvt", "scheffe", "sidak", "bonferroni", "holm" or "fdr"; None takes what
            emmeans takes: pairwise "tukey", reference "dunnettx", consecutive "mvt", effect "fdr", else "none".

        Returns
        -------
        Contrasts : with ``tidy()`` and ``glance()``. On the response scale a difference of log odds is an odds ratio,
            one of
        logs a ratio.

        Raises
        ------
        SpecError : a wrong word; fewer than two means; an adjustment that does not suit the method; interaction
            contrasts that the model holds at zero.

        Notes
        -----
        Each contrast has its own degrees of freedom, also in the adjustment. "mvt" is the single-step method of
        Hothorn, Bretz & Westfall (2008), exact for any set of contrasts. Intervals of "holm" and "fdr" are
        Bonferroni's.

        Examples
        --------
        The difference between arms in the change from session 0 to session 3:

        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame({"id": np.repeat(np.arange(40), 4), "session": np.tile(np.arange(4.0), 40)})
        >>> d["arm"] = np.where(d["id"] % 2, "CBT", "TAU")
        >>> d["bdi"] = 25 - d["session"] * (d["id"] % 2) + rng.normal(0, 2, 40)[d["id"]] + rng.normal(0, 2, 160)
        >>> fit = ak.mixed("bdi ~ session * arm + (1 | id)", d)
        >>> change = fit.contrasts(["arm", "session"], at={"session": [0, 3]}, interaction="consecutive")
        >>> change.tidy()["term"].tolist()
        ['TAU - CBT : session 3 - session 0']

        Checked against
        ---------------
        emmeans 1.8.4 (tests/reference/mlm, test_mlm_means.py).

        When not to use
        ---------------
        For one question that was planned: ask it with ``fit.test``, without paying for the others.
        """
        means = self._finished(self._means(factors, at, by, ddf, level, scale, weights))
        return means.contrasts(method, interaction=interaction, adjust=adjust)

    def slopes(
        self,
        variable: str,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        regions: str | None = None,
        ddf: str | None = None,
        level: float = 0.95,
        weights: str = "equal",
    ) -> Slopes:
        """Return simple slopes: the model's slope on a covariate at stated values of everything else.

        Parameters
        ----------
        variable : a covariate of the fixed part, also where it stands inside poly(), log(), I() or an interaction.
        by : variables that the slope depends on; one slope for each combination. A covariate stands at its mean and
            one SD below and above, unless ``at`` says otherwise. None takes the variables with several values in
            ``at``.
        at : as in ``means``; for a curved course also ``{"session": [0, 6, 12]}`` for ``variable`` itself.
        regions : a covariate, the moderator: adds the Johnson-Neyman regions, where on it the slope differs from zero.
        ddf, level, weights : as in ``means``.

        Returns
        -------
        Slopes : with ``tidy()``, ``glance()``, ``contrasts()`` and ``regions``. Slopes are on the scale of the link.

        Raises
        ------
        SpecError : no such variable; a factor, which has no slope; a moderator that the slope does not depend on in
            this model.

        Notes
        -----
        Aiken & West (1991); Bauer & Curran (2005), Multivar Behav Res 40, 373-400. Bounds of regions are exact: the
        critical t at a bound is that of the degrees of freedom there. Tests over a region are pointwise.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame({"id": np.repeat(np.arange(40), 4), "session": np.tile(np.arange(4.0), 40)})
        >>> d["severity"] = rng.normal(20, 5, 40)[d["id"]]
        >>> d["bdi"] = 25 - 0.1 * d["session"] * d["severity"] + rng.normal(0, 2, 40)[d["id"]] + rng.normal(0, 2, 160)
        >>> fit = ak.mixed("bdi ~ session * severity + (1 | id)", d)
        >>> slopes = fit.slopes("session", regions="severity")
        >>> len(slopes.tidy()), len(slopes.regions[0].bounds)
        (3, 2)

        Checked against
        ---------------
        emmeans 1.8.4 ``emtrends``; bounds against the closed form (tests/reference/mlm, test_mlm_means.py).

        When not to use
        ---------------
        To find for whom a treatment works by looking for regions: the moderator must have been named before.
        """
        slopes = after_slopes.simple_slopes(
            self._fit.design,
            self.data,
            self._row_inference(ddf),
            after_response_scale.make_scale("link", getattr(self._fit, "link", None), self.family),
            variable,
            by=by,
            at=at,
            level=level,
            weights=weights,
            regions=regions,
        )
        return self._finished(slopes)

    def effect_size(
        self,
        *,
        arm: str | None = None,
        time: str | None = None,
        kind: str | None = None,
        duration: float | None = None,
        at: Mapping[str, Any] | None = None,
        sd: str | float = "model",
        sd_error: bool = True,
        ddf: str | None = None,
        level: float = 0.95,
    ) -> EffectSize:
        """Return the standardised mean difference d between arms, with its interval.

        Parameters
        ----------
        arm : variable of the arms; the first level is the reference, each other level gives a row. None takes the one
            that interacts with time.
        time : variable of time. None takes the covariate of the random slope.
        kind : "change" (difference in change from start to end: for a linear course, difference in slopes x duration)
            or "means" (difference of adjusted means at the end). None: "change" where the model has a time.
        duration : length of treatment in units of time, from the first time on. None: from the first to the last in
            the data.
        at : values of variables, as in ``means``; of time a start and an end: ``{"session": [0, 12]}``.
        sd : unit of d. "model": the SD that the model implies at the start, all random effects and the residual;
            "pooled": the observed SD at the start, pooled within arms; or a number.
        sd_error : whether the interval counts that the SD is an estimate, too.
        ddf, level : as in ``means``.

        Returns
        -------
        EffectSize : ``tidy()`` has difference, SD, d with its interval, and Hedges' g; ``parts`` the variances behind
            the SD.

        Raises
        ------
        SpecError : arm or time cannot be told, the model lets all arms change alike, or the outcome is not Gaussian.
        DesignError : too few observations at the start for sd="pooled".

        Notes
        -----
        Feingold (2009), Psychol Methods 14, 43-53, eq. 5 to 7, and (2013), J Consult Clin Psychol 81, 111-121.
        Variance of d by the delta method; with ``sd_error=False`` the interval is that of Feingold (2015), Psychol
        Methods 20, 91-98. g = J(df) d with Hedges' exact factor and df = 2 V^2 / var(V) of the variance V. A negative
        d of symptoms means more relief in the arm than in the reference.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame({"id": np.repeat(np.arange(40), 4), "session": np.tile(np.arange(4.0), 40)})
        >>> d["arm"] = np.where(d["id"] % 2, "TAU", "CBT")
        >>> d["bdi"] = 25 - d["session"] * (d["id"] % 2) + rng.normal(0, 2, 40)[d["id"]] + rng.normal(0, 2, 160)
        >>> fit = ak.mixed("bdi ~ session * arm + (1 | id)", d)
        >>> size = fit.effect_size(arm="arm", time="session")
        >>> size.tidy()["term"].tolist(), round(float(size.tidy()["estimate"].iloc[0]), 2)
        (['TAU - CBT'], -1.13)

        Checked against
        ---------------
        The formulas by hand in R (tests/reference/mlm, test_mlm_means.py); coverage of the interval (tests/recovery).

        When not to use
        ---------------
        sd="model" where a covariate explains much of the outcome, such as its value before treatment: d is then in
        units of the smaller, adjusted SD, and not comparable with other studies.
        """
        found = after_effect_size.effect_size(
            self._fit,
            self.data,
            self._row_inference(ddf),
            lambda: self._uncertainty,
            arm=arm,
            time=time,
            kind=kind,
            duration=duration,
            at=at,
            sd=sd,
            sd_error=sd_error,
            level=level,
        )
        for text in found.outside:
            warnings.warn(text, DesignWarning, stacklevel=2)
        return replace(found, labels=self.labels)

    def _finished(self, result: M) -> M:
        """Give the codebook's labels to a result; warn of values outside the data, in the caller's caller's name."""
        for text in result.setting.outside:
            warnings.warn(text, DesignWarning, stacklevel=3)
        return replace(result, setting=replace(result.setting, labels=self.labels))

    def _row_inference(self, ddf: str | None) -> after_contrast_rows.RowInference:
        return after_contrast_rows.row_inference(self._fit, self._precision(ddf))
