"""Profile-likelihood intervals of generalised fits, and the curves that they are read from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliancekit.core.errors import ConvergenceWarning, message
from alliancekit.core.progress import track
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.natural import check_parameters
from alliancekit.multilevel.after.profile import LOWER, Profile
from alliancekit.multilevel.generalised.fit import GeneralisedFit
from alliancekit.multilevel.generalised.profile import Held, held_parameters, names_of
from alliancekit.numerics.distributions import normal_quantile
from alliancekit.numerics.profiles import curve, limit


def check_names(fit: GeneralisedFit, wanted: Sequence[str] | None) -> list[str]:
    """Return the wanted parameters in the order of the model; all where None. SpecError for a name that is none."""
    return check_parameters([name for _, name in names_of(fit)], wanted)


def profile_intervals(fit: GeneralisedFit, level: float, wanted: Sequence[str] | None) -> pd.DataFrame:
    """Return profile intervals: component, term, estimate, conf_low, conf_high."""
    check_level(level)
    return _intervals(fit, held_parameters(fit, check_names(fit, wanted)), level)


def profile(fit: GeneralisedFit, level: float, wanted: Sequence[str] | None) -> Profile:
    """Return intervals and curves; the curves reach as far as an interval of twice the odds against would."""
    check_level(level)
    held = held_parameters(fit, check_names(fit, wanted))
    intervals = _intervals(fit, held, level)
    highest = normal_quantile(1 - (1 - level) / 4)
    rows = []
    for parameter in track(held, "curves"):
        points = curve(parameter.profiled, fit.deviance, highest)
        for point in points[::-1] if parameter.falling else points:
            zeta = 0.0 - point.zeta if parameter.falling else point.zeta
            rows.append((parameter.component, parameter.name, parameter.to_user(point.at), zeta, point.criterion))
    frame = pd.DataFrame(rows, columns=["component", "term", "value", "zeta", "deviance"])
    return Profile(intervals, frame, level, fit.deviance, fit.design.sample.n_used, ())


def _intervals(fit: GeneralisedFit, held: list[Held], level: float) -> pd.DataFrame:
    z = normal_quantile(1 - (1 - level) / 2)
    rows, lowest = [], (np.inf, "")
    for parameter in track(held, "profiles"):
        ends = []
        for side in (-1, 1):
            end, points = limit(parameter.profiled, fit.deviance, z, side)
            ends.append(parameter.to_user(end))
            lowest = min([lowest, *((point.criterion, parameter.name) for point in points)])
        rows.append((parameter.component, parameter.name, parameter.estimate, *sorted(ends)))
    if lowest[0] < fit.deviance - LOWER:
        text = message(
            f"the deviance is lower by {fit.deviance - lowest[0]:.3g} away from the estimates",
            where=f"profile of {lowest[1]}",
            do="The likelihood has more than one optimum: simplify the random effects",
        )
        warnings.warn(text, ConvergenceWarning, stacklevel=4)
    frame = pd.DataFrame(rows, columns=["component", "term", "estimate", "conf_low", "conf_high"])
    frame.attrs.update(method="profile", level=level, criterion="ML", notes=())
    return frame
