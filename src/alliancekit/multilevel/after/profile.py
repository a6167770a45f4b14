"""Profile-likelihood intervals of every parameter of a Gaussian fit, and the curves that they are read from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliancekit.core.errors import ConvergenceWarning, message
from alliancekit.core.progress import track
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.natural import check_parameters, own_values, parameter_names
from alliancekit.multilevel.gaussian.fit import GaussianFit, change_criterion
from alliancekit.multilevel.gaussian.profile import Held, parameters
from alliancekit.multilevel.residual.profile import parameters as with_structure
from alliancekit.numerics.distributions import normal_quantile
from alliancekit.numerics.profiles import Point, curve, limit

LOWER = 1e-3  # a criterion lower than the fitted one by more than this, .0003 SE in a limit, tells of a local optimum


@dataclass(frozen=True, eq=False)
class Profile:
    """Profiles of the ML deviance. Made by ``fit.profile()``.

    Attributes
    ----------
    intervals : component, term, estimate, conf_low, conf_high. points : component, term, value, zeta, deviance.
    level : of the intervals. deviance : least ML deviance. nobs : rows used. notes : what the reader must know.
    """

    intervals: pd.DataFrame
    points: pd.DataFrame
    level: float
    deviance: float
    nobs: int
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per parameter: component, term, estimate, conf_low, conf_high."""
        return self.intervals.copy()

    def augment(self) -> pd.DataFrame:
        """Return one row per point of a curve: component, term, value, zeta, deviance.

        zeta is the signed square root of the rise of the deviance. A straight line means that a Wald interval would do;
        a bend shows why it would not.
        """
        return self.points.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: parameters, points, level, deviance, nobs."""
        row = {"parameters": len(self.intervals), "points": len(self.points), "level": self.level}
        return pd.DataFrame([{**row, "deviance": self.deviance, "nobs": self.nobs}])

    def __repr__(self) -> str:
        head = f"Profile likelihood, {100 * self.level:g}% intervals [alliancekit]"
        return "\n".join([head, self.intervals.to_string(index=False), *self.notes])


def profile_intervals(fit: GaussianFit, level: float, wanted: Sequence[str] | None) -> pd.DataFrame:
    """Return profile intervals: component, term, estimate, conf_low, conf_high. REML fits are profiled by ML."""
    check_level(level)
    names = check_parameters([term for _, term in parameter_names(fit)], wanted)
    by_ml = change_criterion(fit, False) if fit.reml else fit
    return _intervals(fit, by_ml, _held(by_ml, names), level)


def profile(fit: GaussianFit, level: float, wanted: Sequence[str] | None) -> Profile:
    """Return intervals and curves; the curves reach as far as an interval of twice the odds against would."""
    check_level(level)
    names = check_parameters([term for _, term in parameter_names(fit)], wanted)
    by_ml = change_criterion(fit, False) if fit.reml else fit
    held = _held(by_ml, names)
    intervals = _intervals(fit, by_ml, held, level)
    highest = normal_quantile(1 - (1 - level) / 4)
    rows = []
    for parameter in track(held, "curves"):
        points = curve(parameter.profiled, by_ml.deviance, highest)
        for point in points[::-1] if parameter.falling else points:
            zeta = 0.0 - point.zeta if parameter.falling else point.zeta
            value = parameter.to_user(point.at)
            rows.append((parameter.component, parameter.name, value, zeta, point.criterion))
    frame = pd.DataFrame(rows, columns=["component", "term", "value", "zeta", "deviance"])
    return Profile(intervals, frame, level, by_ml.deviance, fit.engine.products.n, notes_of(fit))


def _held(by_ml: GaussianFit, names: Sequence[str]) -> list[Held]:
    return parameters(by_ml, names) if by_ml.residual is None else with_structure(by_ml, names)


def notes_of(fit: GaussianFit) -> tuple[str, ...]:
    """Return what has to be said about profile intervals of this fit."""
    if not fit.reml:
        return ()
    return ("The model was fitted by REML; profiles are of the ML likelihood, as in lme4. Estimates are by REML.",)


def _intervals(fit: GaussianFit, by_ml: GaussianFit, held: list[Held], level: float) -> pd.DataFrame:
    z = normal_quantile(1 - (1 - level) / 2)
    estimate = dict(zip(parameter_names(fit), own_values(fit), strict=True))
    rows, seen = [], []
    for parameter in track(held, "profiles"):
        ends = []
        for side in (-1, 1):
            end, points = limit(parameter.profiled, by_ml.deviance, z, side)
            ends.append(parameter.to_user(end))
            seen += [(point, parameter.name) for point in points]
        low, high = sorted(ends)
        name = (parameter.component, parameter.name)
        rows.append((*name, estimate[name], low, high))
    _warn_of_lower(seen, by_ml.deviance)
    frame = pd.DataFrame(rows, columns=["component", "term", "estimate", "conf_low", "conf_high"])
    frame.attrs.update(method="profile", level=level, criterion="ML", notes=notes_of(fit))
    return frame


def _warn_of_lower(seen: list[tuple[Point, str]], deviance: float) -> None:
    """Warn where a profile went below the minimum: the fit had stopped at a local optimum."""
    lowest = min(seen, key=lambda pair: pair[0].criterion, default=None)
    if lowest is not None and np.isfinite(lowest[0].criterion) and lowest[0].criterion < deviance - LOWER:
        text = message(
            f"the deviance is lower by {deviance - lowest[0].criterion:.3g} away from the estimates",
            where=f"profile of {lowest[1]}",
            do="The likelihood has more than one optimum: simplify the random effects, or use method='bootstrap'",
        )
        warnings.warn(text, ConvergenceWarning, stacklevel=4)
