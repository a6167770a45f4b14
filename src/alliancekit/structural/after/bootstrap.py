"""Bootstrap of structural models: standard errors and limits from rows drawn again.

Source: Efron & Tibshirani (1993), An introduction to the bootstrap, chapters 6 and 13; MacKinnon, Lockwood & Williams
(2004), Multivariate Behav Res 39, 99-128 (indirect effects).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.numerics.distributions import normal_quantile
from alliancekit.structural.after.resampling import fit_again
from alliancekit.structural.estimates import StructuralEstimates

Floats = NDArray[np.float64]
INTERVALS = ("percentile", "basic", "normal")


@dataclass(frozen=True, eq=False, slots=True)
class StructuralBootstrap:
    """Replicates of a structural model.

    Attributes
    ----------
    names : of the parameters and definitions. estimates : (K,) of the sample. replicates : (R, K), those that
        converged. asked : how many were drawn. seed : of the draws.
    """

    names: tuple[str, ...]
    estimates: Floats
    replicates: Floats
    asked: int
    seed: int

    def tidy(self, interval: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return term, estimate, bias, std_error, conf_low and conf_high of each parameter and definition.

        Raises
        ------
        SpecError : ``interval`` is not "percentile", "basic" or "normal", or ``level`` not between 0 and 1.
        """
        check_option("interval", interval, INTERVALS)
        if not 0 < level < 1:
            raise SpecError(message(f"level={level!r} is not a confidence level", do="Give a number such as 0.95"))
        error = self.replicates.std(axis=0, ddof=1)
        low, high = np.quantile(self.replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
        bias = self.replicates.mean(axis=0) - self.estimates
        if interval == "basic":
            low, high = 2 * self.estimates - high, 2 * self.estimates - low
        elif interval == "normal":
            reach = normal_quantile((1 + level) / 2) * error
            low, high = self.estimates - bias - reach, self.estimates - bias + reach
        frame = pd.DataFrame(
            {
                "term": list(self.names),
                "estimate": self.estimates,
                "bias": bias,
                "std_error": error,
                "conf_low": low,
                "conf_high": high,
            }
        )
        frame.attrs.update(interval=interval, level=level, replicates=len(self.replicates), seed=self.seed)
        return frame

    def glance(self) -> pd.DataFrame:
        """Return one row: replicates asked for, replicates used, seed."""
        return pd.DataFrame([{"asked": self.asked, "used": len(self.replicates), "seed": self.seed}])

    def __repr__(self) -> str:
        lost = self.asked - len(self.replicates)
        note = f"{len(self.replicates)} bootstrap samples, seed {self.seed}"
        note += f"; {lost} did not converge and are left out" if lost else ""
        return f"{self.tidy().to_string(index=False)}\n{note}"


def bootstrap(fit: StructuralEstimates, n: int, seed: int) -> StructuralBootstrap:
    """Return ``n`` replicates of a fit by maximum likelihood of complete data; see ``StructuralFit.bootstrap``."""
    names = (*fit.table.names(), *fit.constraints.definitions)
    x, _ = fit_again(fit, n, seed)
    return StructuralBootstrap(names, _with_definitions(fit, fit.x[None])[0], _with_definitions(fit, x), n, seed)


def add_replicates(fit: StructuralEstimates, n: int, seed: int) -> StructuralEstimates:
    """Return a fit with replicates, and with their covariances as those of its parameters."""
    found = bootstrap(fit, n, seed)
    vcov = np.atleast_2d(np.cov(found.replicates[:, : fit.x.size].T))
    return replace(fit, vcov=vcov, replicates=found)


def _with_definitions(fit: StructuralEstimates, x: Floats) -> Floats:
    values = fit.constraints.values(x)
    more = [np.broadcast_to(e.evaluate(values), len(x)) for e in fit.constraints.definitions.values()]
    return np.column_stack([x, *more])
