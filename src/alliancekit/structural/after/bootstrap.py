"""Bootstrap of structural models: standard errors and limits from rows drawn again.

Source: Efron & Tibshirani (1993), An introduction to the bootstrap, chapters 6 and 13; MacKinnon, Lockwood & Williams
(2004), Multivariate Behav Res 39, 99-128 (indirect effects).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from alliancekit.core.errors import check_option
from alliancekit.structural.after.resampling import drawn_tests, fit_again
from alliancekit.structural.arguments import check_level
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.estimators import plain_word

Floats = NDArray[np.float64]
INTERVALS = ("percentile", "basic", "normal", "bca")
_LAVAAN = {"perc": "percentile", "norm": "normal", "bca.simple": "bca"}


@dataclass(frozen=True, eq=False, slots=True)
class StructuralBootstrap:
    """Replicates of a structural model.

    Attributes
    ----------
    names : of the parameters and definitions. estimates : (K,) of the sample. replicates : (R, K), those that
        converged. asked : how many were drawn. seed : of the draws. kind : how they were drawn.
    """

    names: tuple[str, ...]
    estimates: Floats
    replicates: Floats
    asked: int
    seed: int
    kind: str = "ordinary"

    def tidy(self, interval: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return term, estimate, bias, std_error, conf_low and conf_high of each parameter and definition.

        Parameters
        ----------
        interval : "percentile", "basic", "normal", or "bca", percentiles corrected for bias but not for acceleration
            (in lavaan "perc", "basic", "norm", "bca.simple"; these words are taken, too). level : of the limits.

        Raises
        ------
        SpecError : another ``interval``, or ``level`` not between 0 and 1.

        Notes
        -----
        Percentiles between two replicates are interpolated on the normal scale (Davison & Hinkley 1997, Bootstrap
        methods and their application, equation 5.8), bias correction by Efron (1987, J Am Stat Assoc 82, 171-185).
        """
        interval = check_option("interval", _LAVAAN.get(interval, interval), INTERVALS)
        check_level(level)
        rows = [_summary(*both, interval, level) for both in zip(self.estimates, self.replicates.T, strict=True)]
        columns = ["estimate", "bias", "std_error", "conf_low", "conf_high"]
        frame = pd.DataFrame(rows, columns=columns)
        frame.insert(0, "term", list(self.names))
        frame.attrs.update(interval=interval, level=level, replicates=len(self.replicates), seed=self.seed)
        return frame

    def glance(self) -> pd.DataFrame:
        """Return one row: replicates asked for, replicates used, seed."""
        return pd.DataFrame([{"asked": self.asked, "used": len(self.replicates), "seed": self.seed}])

    def __repr__(self) -> str:
        lost = self.asked - len(self.replicates)
        note = f"{len(self.replicates)} bootstrap samples ({self.kind}), seed {self.seed}, 95% percentile limits"
        note += f"; {lost} did not converge, or had too few different rows, and are left out" if lost else ""
        return f"{self.tidy().to_string(index=False, float_format='{:.3f}'.format)}\n{note}"


def _summary(estimate: float, drawn: Floats, interval: str, level: float) -> tuple[float, ...]:
    """Return estimate, bias, standard error and limits of one parameter from its finite replicates."""
    values = np.sort(drawn[np.isfinite(drawn)])
    if values.size < 2:
        return (float(estimate), *[float("nan")] * 4)
    bias, error = float(values.mean() - estimate), float(values.std(ddof=1))
    ends = np.array([(1 - level) / 2, (1 + level) / 2])
    if interval == "normal":
        reach = float(ndtri((1 + level) / 2)) * error
        low, high = estimate - bias - reach, estimate - bias + reach
    elif interval == "bca" and values[0] < values[-1]:
        shift = float(ndtri((values < estimate).mean()))
        low, high = _quantiles(values, np.asarray(ndtr(2 * shift + ndtri(ends))))
    else:
        low, high = _quantiles(values, ends)
        if interval == "basic":
            low, high = 2 * estimate - high, 2 * estimate - low
    return float(estimate), bias, error, float(low), float(high)


def _quantiles(values: Floats, shares: Floats) -> Floats:
    """Return quantiles of sorted values, the share k / (R + 1) being that of the k-th."""
    count = len(values)
    rank = (count + 1) * shares
    below = np.clip(np.floor(rank + 1e-9), 1, count)
    above = np.minimum(below + 1, count)
    ends = [np.asarray(ndtri(part / (count + 1))) for part in (below, above)]
    inside = (rank > below) & (below < above)
    aim = np.asarray(ndtri(np.where(inside, shares, 0.5)))
    part = np.where(inside, (aim - ends[0]) / np.where(below < above, ends[1] - ends[0], 1.0), 0.0)
    first, second = values[below.astype(int) - 1], values[above.astype(int) - 1]
    return np.asarray(first + part * (second - first))


def bootstrap(fit: StructuralEstimates, n: int, seed: int, kind: str = "ordinary") -> StructuralBootstrap:
    """Return ``n`` replicates of a fit; see ``StructuralFit.bootstrap``."""
    names = (*fit.table.names(), *fit.constraints.definitions)
    kind = plain_word(kind)
    kind = "ordinary" if kind == "nonparametric" else kind
    x = fit_again(fit, n, seed, kind)
    return StructuralBootstrap(names, _with_definitions(fit, fit.x[None])[0], _with_definitions(fit, x), n, seed, kind)


def add_replicates(fit: StructuralEstimates, n: int, seed: int) -> StructuralEstimates:
    """Return a fit with what its options want drawn: chi-squares of Bollen and Stine's test, and replicates.

    The covariances of the replicates are those of the parameters. As in lavaan, replicates beside Bollen and Stine's
    test are of the same samples, whose rows the model fits exactly.
    """
    kind = "bollen.stine" if "bollen.stine" in fit.options.words.tests else "ordinary"
    if kind == "bollen.stine":
        fit = replace(fit, drawn_chisq=drawn_tests(fit, n, seed))
    if fit.options.se != "bootstrap":
        return fit
    found = bootstrap(fit, n, seed, kind)
    vcov = np.atleast_2d(np.cov(found.replicates[:, : fit.x.size].T))
    return replace(fit, vcov=vcov, replicates=found)


def _with_definitions(fit: StructuralEstimates, x: Floats) -> Floats:
    values = fit.constraints.values(x)
    with np.errstate(all="ignore"):
        more = [np.broadcast_to(e.evaluate(values), len(x)) for e in fit.constraints.definitions.values()]
    return np.column_stack([x, *more])
