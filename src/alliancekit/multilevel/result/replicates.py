"""The model on simulated and on many outcomes; the profile of its likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.later import Later
from alliancekit.multilevel.result.base import FitBase

if TYPE_CHECKING:
    from alliancekit.multilevel.after import bootstrap as after_bootstrap
    from alliancekit.multilevel.after import profile as after_profile
    from alliancekit.multilevel.after import simulate as after_simulate
    from alliancekit.multilevel.after.bootstrap import Bootstrap, Refits
    from alliancekit.multilevel.after.profile import Profile
else:
    after_bootstrap = Later("alliancekit.multilevel.after.bootstrap")
    after_profile = Later("alliancekit.multilevel.after.profile")
    after_simulate = Later("alliancekit.multilevel.after.simulate")


Floats = NDArray[np.float64]


class Replicates(FitBase):
    """Methods that simulate, fit again, and follow the likelihood."""

    def simulate(self, n: int, seed: int, random_effects: str = "new") -> Floats:
        """Return n outcomes simulated from the fit, shape (n, rows used).

        Parameters
        ----------
        n : number of outcomes.
        seed : root seed; outcome i has a stream of its own, so that the first ones stay the same when n grows.
        random_effects : "new" (drawn anew for every unit, as for other patients and therapists) or "fitted" (the
            conditional modes of these patients and therapists; only residuals are drawn).

        Raises
        ------
        SpecError : a word or number that is none.

        Notes
        -----
        Residuals have variance sigma^2 / weight, or the covariance of the residual structure. Offsets are added.
        ``simulate(re.form = NA)`` in lme4 is "new", ``re.form = NULL`` is "fitted".

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> g = np.repeat(np.arange(10), 5)
        >>> d = pd.DataFrame({"g": g, "y": np.sin(g) + np.cos(np.arange(50.0))})
        >>> ak.mixed("y ~ 1 + (1 | g)", d).simulate(3, seed=1).shape
        (3, 50)

        Checked against
        ---------------
        The fit's own mean and covariance (tests/unit/multilevel/test_bootstrap.py).

        When not to use
        ---------------
        For prediction of known patients use ``predict``.
        """
        return after_simulate.simulate(self._fit, n, seed, random_effects)

    def refit_many(self, Y: ArrayLike, *, executor: str = "serial", workers: int = 2) -> Refits:
        """Return the model fitted to many outcomes, shape (replicates, rows used); nothing is built twice.

        Raises
        ------
        DesignError : a wrong number of columns, or numbers that are not finite.
        """
        return after_bootstrap.refits(self._fit, Y, executor, workers)

    def bootstrap(self, n: int = 1000, seed: int = 1, *, executor: str = "serial", workers: int = 2) -> Bootstrap:
        """Return a parametric bootstrap: n outcomes simulated with new random effects, each fitted as this model was.

        Parameters
        ----------
        n : replicates, 20 or more; 1,000 for limits that are published.
        seed : root seed; replicate i has a stream of its own.
        executor, workers : "serial" or "joblib" and its processes; the numbers are the same to the last bit.

        Returns
        -------
        Bootstrap : ``tidy(level, interval)`` has estimate, bias, std_error and limits of every parameter;
        ``augment()`` has one row per replicate.

        Raises
        ------
        SpecError : n below 20. FitError : no replicate could be fitted.

        Notes
        -----
        Davison & Hinkley (1997), Bootstrap Methods and their Application, chapter 2; ``lme4::bootMer``, use.u = FALSE.

        When not to use
        ---------------
        When the model's assumptions are in doubt: the outcomes are simulated under them.
        """
        return after_bootstrap.bootstrap(self._fit, n, seed, executor, workers)

    def profile(self, level: float = 0.95, parameters: Sequence[str] | None = None) -> Profile:
        """Return the profile likelihood of every parameter, or of some: limits and the curves they are read from.

        Parameters
        ----------
        level : confidence level of the limits; the curves reach a little further.
        parameters : names as in ``confint``; default all.

        Returns
        -------
        Profile : ``tidy()`` has the limits (as ``confint(method="profile")``), ``augment()`` the points of the curves
        (value, zeta, deviance); ``ak.figure(profile)`` draws zeta.

        Raises
        ------
        SpecError : a level or name that is none.

        Notes
        -----
        See ``confint``. zeta is the signed square root of the rise of the ML deviance.
        """
        return after_profile.profile(self._fit, level, parameters)
