"""The model fitted to many outcomes, and the parametric bootstrap: outcomes simulated from the fit itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import DesignError, FitError, check_option, message
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.natural import own_values, parameter_names, parameter_values
from alliancekit.multilevel.after.simulate import check_count, draw
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.many import Many, refit_many
from alliancekit.multilevel.residual.components import structure_names, structure_space
from alliancekit.multilevel.residual.many import refit_many as with_structure

Floats = NDArray[np.float64]
Seed = int | np.random.SeedSequence
INTERVALS = ("percentile", "basic")
TOGETHER, NUMBERS = 250, 10**7  # at most so many replicates and outcomes are fitted in one piece
FEWEST = 20


@dataclass(frozen=True, eq=False)
class Refits:
    """One model fitted to many outcomes. Made by ``fit.refit_many(Y)``.

    Attributes
    ----------
    names : (component, term) of each parameter. values : shape (replicates, parameters); nan where a fit failed and
        for a correlation whose SD is zero. theta, sigma, beta, log_likelihood, converged, singular : one per replicate.
    """

    names: tuple[tuple[str, str], ...]
    values: Floats
    many: Many

    @property
    def log_likelihood(self) -> Floats:
        """Log-likelihood of each replicate, by the fit's own criterion."""
        return self.many.log_likelihood

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each replicate's search reached its optimum."""
        return self.many.converged

    @property
    def singular(self) -> NDArray[np.bool_]:
        """Whether each replicate has a variance at zero or a correlation at one."""
        return self.many.singular

    def tidy(self) -> pd.DataFrame:
        """Return one row per replicate and parameter: replicate, component, term, estimate."""
        count, width = self.values.shape
        return pd.DataFrame(
            {
                "replicate": np.repeat(np.arange(count), width),
                "component": [part for part, _ in self.names] * count,
                "term": [term for _, term in self.names] * count,
                "estimate": self.values.ravel(),
            }
        )

    def augment(self) -> pd.DataFrame:
        """Return one row per replicate: a column per parameter, log_likelihood, converged, singular."""
        frame = pd.DataFrame(self.values, columns=[term for _, term in self.names])
        extra = {"log_likelihood": self.log_likelihood, "converged": self.converged, "singular": self.singular}
        return pd.concat([frame, pd.DataFrame(extra)], axis=1)

    def glance(self) -> pd.DataFrame:
        """Return one row: replicates, failed, not_converged, singular (numbers of replicates)."""
        failed = ~np.isfinite(self.log_likelihood)
        row = {
            "replicates": len(failed),
            "failed": int(failed.sum()),
            "not_converged": int((~self.converged & ~failed).sum()),
            "singular": int(self.singular.sum()),
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        g = self.glance().iloc[0]
        return (
            f"{g.replicates} refits of {len(self.names)} parameters [alliancekit]: {g.failed} failed, "
            f"{g.not_converged} not converged, {g.singular} singular"
        )


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A parametric bootstrap. Made by ``fit.bootstrap()``.

    Attributes
    ----------
    estimates : the fit's own, by (component, term). refits : the replicates. seed : root seed. method : "REML" or "ML".
    spaces : ends of the space of each parameter of a residual structure.
    """

    estimates: dict[tuple[str, str], float]
    refits: Refits
    seed: Seed
    method: str
    spaces: dict[str, tuple[float, float]] = field(default_factory=dict)

    def tidy(self, level: float = 0.95, interval: str = "percentile") -> pd.DataFrame:
        """Return one row per parameter: component, term, estimate, bias, std_error, conf_low, conf_high, replicates.

        Parameters
        ----------
        level : confidence level. interval : "percentile" or "basic" (see ``fit.confint``).
        """
        rows = []
        for position, ((component, term), estimate) in enumerate(self.estimates.items()):
            draws = self.refits.values[:, position]
            known = draws[np.isfinite(draws)]
            space = self.spaces.get(term, _space(component, term))
            low, high = interval_of(known, estimate, level, interval, *space)
            bias = float(known.mean()) - estimate if known.size else np.nan
            error = float(known.std(ddof=1)) if known.size > 1 else np.nan
            rows.append((component, term, estimate, bias, error, low, high, known.size))
        columns = ["component", "term", "estimate", "bias", "std_error", "conf_low", "conf_high", "replicates"]
        frame = pd.DataFrame(rows, columns=columns)
        frame.attrs.update(method="bootstrap", interval=interval, level=level, seed=self.seed, criterion=self.method)
        return frame

    def augment(self) -> pd.DataFrame:
        """Return one row per replicate: a column per parameter, log_likelihood, converged, singular."""
        return self.refits.augment()

    def glance(self) -> pd.DataFrame:
        """Return one row: replicates, failed, not_converged, singular, method, seed."""
        return self.refits.glance().assign(method=self.method, seed=str(self.seed))

    def __repr__(self) -> str:
        return f"{self.tidy().to_string(index=False)}\n{self.refits!r}"


def outcomes(Y: ArrayLike, rows: int) -> Floats:
    """Return outcomes handed in as numbers, shape (replicates, rows); DesignError where they are not."""
    values = np.atleast_2d(np.asarray(Y, dtype=float))
    if values.ndim != 2 or values.shape[1] != rows or not np.isfinite(values).all():
        raise DesignError(
            message(
                f"the outcomes have shape {np.shape(Y)}",
                do=f"Give finite numbers of shape (replicates, {rows}), one column per row used, as fit.simulate does",
            )
        )
    return values


def refits(fit: GaussianFit, Y: ArrayLike, executor: str = "serial", workers: int = 2) -> Refits:
    """Return the model fitted to each row of Y, shape (replicates, rows used)."""
    values = outcomes(Y, fit.engine.products.n)
    size = piece_size(fit)
    chunks = [values[i : i + size] for i in range(0, len(values), size)]
    return _collect(
        fit, run_all(partial(fit_many, fit), chunks, executor=executor, workers=workers, description="refits")
    )


def bootstrap(fit: GaussianFit, n: int, seed: Seed, executor: str = "serial", workers: int = 2) -> Bootstrap:
    """Return the parametric bootstrap of a fit: n outcomes simulated from it, each fitted by the same criterion."""
    chunks = seeds_in_pieces(fit, n, seed)
    found = run_all(partial(_replicates, fit), chunks, executor=executor, workers=workers, description="bootstrap")
    collected = _collect(fit, found)
    if not np.isfinite(collected.log_likelihood).any():
        raise FitError(message("no replicate of the bootstrap could be fitted", do="Use method='profile'"))
    own = dict(zip(collected.names, own_values(fit).tolist(), strict=True))
    part = fit.residual
    spaces = {} if part is None else {name: structure_space(part, name) for name in structure_names(part)}
    return Bootstrap(own, collected, seed, "REML" if fit.reml else "ML", spaces)


def piece_size(fit: GaussianFit) -> int:
    """Return how many replicates are fitted together: it follows from the rows, so that no executor changes a digit."""
    return max(1, min(TOGETHER, NUMBERS // max(fit.engine.products.n, 1)))


def seeds_in_pieces(fit: GaussianFit, n: int, seed: Seed) -> list[list[np.random.SeedSequence]]:
    """Return the seeds of n replicates, in pieces that are fitted together."""
    seeds, size = spawn(seed, check_count(n, FEWEST)), piece_size(fit)
    return [seeds[i : i + size] for i in range(0, len(seeds), size)]


def _replicates(fit: GaussianFit, seeds: Sequence[np.random.SeedSequence]) -> Many:
    return fit_many(fit, draw(fit, seeds))


def fit_many(fit: GaussianFit, Y: Floats) -> Many:
    """Return the model fitted to each row of Y, shape (B, n), with its residual structure where it has one."""
    return refit_many(fit, Y) if fit.residual is None else with_structure(fit, Y)


def _collect(fit: GaussianFit, parts: Sequence[Many]) -> Refits:
    joined = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(parts[0])}
    many = type(parts[0])(**joined)
    phi = getattr(many, "phi", None)
    return Refits(tuple(parameter_names(fit)), parameter_values(fit, many.beta, many.theta, many.sigma, phi), many)


def _space(component: str, term: str) -> tuple[float, float]:
    """Return the ends of a parameter's space."""
    if component != "random" and term != "dispersion":
        return -np.inf, np.inf
    return (-1.0, 1.0) if term.startswith("cor_") else (0.0, np.inf)


def interval_of(
    draws: Floats, estimate: float, level: float, interval: str, lower: float = -np.inf, upper: float = np.inf
) -> tuple[float, float]:
    """Return a bootstrap interval, kept inside the parameter's space.

    Percentile: the order statistics (B + 1) alpha and (B + 1)(1 - alpha) of the draws. Basic: the same two reflected at
    the estimate. Between order statistics the limits are interpolated linearly.

    Source: Davison & Hinkley (1997), Bootstrap Methods and their Application, section 5.2 (basic), 5.3 (percentile).
    """
    check_option("interval", interval, INTERVALS)
    alpha = (1 - check_level(level)) / 2
    if draws.size < 2 or not np.isfinite(estimate):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [alpha, 1 - alpha], method="weibull")
    if interval == "basic":
        low, high = 2 * estimate - high, 2 * estimate - low
    return float(np.clip(low, lower, upper)), float(np.clip(high, lower, upper))
