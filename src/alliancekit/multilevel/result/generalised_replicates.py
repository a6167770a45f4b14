"""Intervals, profiles, simulation and bootstrap of a generalised linear mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.later import Later
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.result.base import FitBase

if TYPE_CHECKING:
    from alliancekit.multilevel.after import generalised_components as after_components
    from alliancekit.multilevel.after import generalised_profile as after_profile
    from alliancekit.multilevel.after import generalised_simulate as after_simulate
    from alliancekit.multilevel.after import intervals as after_intervals
    from alliancekit.multilevel.after.bootstrap import Bootstrap, Refits
    from alliancekit.multilevel.after.profile import Profile
    from alliancekit.multilevel.generalised.fit import GeneralisedFit
else:
    after_components = Later("alliancekit.multilevel.after.generalised_components")
    after_profile = Later("alliancekit.multilevel.after.generalised_profile")
    after_simulate = Later("alliancekit.multilevel.after.generalised_simulate")
    after_intervals = Later("alliancekit.multilevel.after.intervals")


Floats = NDArray[np.float64]


class GeneralisedReplicates(FitBase):
    """Methods about intervals, and about outcomes that the model could have given."""

    _generalised: GeneralisedFit

    def variance_components(
        self, level: float = 0.95, interval: str = "wald", *, n: int = 1000, seed: int = 1
    ) -> pd.DataFrame:
        """Return variances, covariances, SDs and correlations, and a constant dispersion, with intervals.

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
        check_option("interval", interval, after_intervals.METHODS)
        table = after_components.variance_components(self._generalised, level)
        if interval == "wald":
            return table
        limits = self.confint(interval, level, n=n, seed=seed)
        own = limits[(limits["component"] == "random") | (limits["term"] == "dispersion")]
        out = table.assign(conf_low=own["conf_low"].to_numpy(), conf_high=own["conf_high"].to_numpy())
        out.attrs.update(interval=interval, level=level)
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
        """Return intervals of every parameter: component, term, estimate, conf_low, conf_high.

        Parameters
        ----------
        method : "wald" (SDs and dispersion on the log scale, correlations on Fisher's z scale), "profile" (likelihood)
            or "bootstrap" (parametric).
        level, parameters, interval, n, seed, executor, workers : as for a linear model. ``ddf`` has only "normal".

        Returns
        -------
        DataFrame. Terms are lme4's, ``x``, ``sd_x|g``, ``cor_y.x|g``; then "dispersion" (a constant one), or
        ``dispersion_x`` (log scale) and ``zero_inflation_x`` (logit scale).

        Raises
        ------
        SpecError : a word, name or number that is none.

        Checked against
        ---------------
        ``confint(method = "profile")`` of lme4 1.1-31 (tests/reference/glmm).
        """
        after_intervals.check_words(method, level, ddf, interval)
        names = after_profile.check_names(self._generalised, parameters)
        if method == "profile":
            return after_profile.profile_intervals(self._generalised, level, names)
        if method == "bootstrap":
            return after_intervals.chosen(
                self.bootstrap(n, seed, executor=executor, workers=workers).tidy(level, interval), names
            )
        table = after_coefficients.coefficients(self._generalised, self._precision(ddf), level)
        components = after_components.variance_components(self._generalised, level)
        return after_intervals.chosen(
            after_components.wald_intervals(self._generalised, table, components, level), names
        )

    def profile(self, level: float = 0.95, parameters: Sequence[str] | None = None) -> Profile:
        """Return the profile likelihood of every parameter, or of some: limits and the curves they are read from.

        Raises
        ------
        SpecError : a level or name that is none.
        """
        return after_profile.profile(self._generalised, level, parameters)

    def simulate(self, n: int, seed: int, random_effects: str = "new") -> Floats:
        """Return n outcomes simulated from the fit, shape (n, rows used): counts, or numbers of successes.

        Parameters
        ----------
        n, seed : number of outcomes and root seed.
        random_effects : "new" (drawn anew for every unit) or "fitted" (the conditional modes).

        Raises
        ------
        SpecError : a word or number that is none.
        """
        return after_simulate.simulate(self._generalised, n, seed, random_effects)

    def refit_many(self, Y: ArrayLike, *, executor: str = "serial", workers: int = 2) -> Refits:
        """Return the model fitted to many outcomes, shape (replicates, rows used), from its own estimates on.

        Raises
        ------
        DesignError : a wrong number of columns, or numbers that are not finite.
        """
        return after_simulate.refits(self._generalised, Y, executor, workers)

    def bootstrap(self, n: int = 1000, seed: int = 1, *, executor: str = "serial", workers: int = 2) -> Bootstrap:
        """Return a parametric bootstrap: n outcomes simulated with new random effects, each fitted as this model was.

        Raises
        ------
        SpecError : n below 20. FitError : no replicate could be fitted.
        """
        return after_simulate.bootstrap(self._generalised, n, seed, executor, workers)

    def variance_shares(self, level: float = 0.95, interval: str = "wald", *, n: int = 1000, seed: int = 1) -> NoReturn:
        """Raise SpecError: ``icc`` has the shares on the link's scale, without intervals."""
        raise SpecError(
            message("shares of variance with intervals are there for Gaussian outcomes", do="Use fit.icc()")
        )
