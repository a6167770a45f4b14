"""Bootstrap of structural models: standard errors and limits from rows drawn again.

Source: Efron & Tibshirani (1993), An introduction to the bootstrap, chapters 6 and 13; MacKinnon, Lockwood & Williams
(2004), Multivariate Behav Res 39, 99-128 (indirect effects).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.frames import wide
from alliancekit.structural.after.intervals import INTERVALS, LAVAAN, accelerations, summary
from alliancekit.structural.after.resampling import drawn_tests, fit_again, leave_one_out
from alliancekit.structural.arguments import check_level
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.estimators import plain_word

Floats = NDArray[np.float64]
Jackknife = Callable[[], Sequence[Floats]]
"""Makes the values (units, K) without one row, or cluster, of each group."""


@dataclass(frozen=True, eq=False)
class StructuralBootstrap:
    """Replicates of a structural model.

    Attributes
    ----------
    names : of the parameters and definitions. estimates : (K,) of the sample. replicates : (R, K), those that
        converged. asked : how many were drawn. seed : of the draws. kind : how they were drawn. jackknife : what fits
        the model without each row, or cluster, in turn, when limits need it.
    """

    names: tuple[str, ...]
    estimates: Floats
    replicates: Floats
    asked: int
    seed: int
    kind: str = "ordinary"
    jackknife: Jackknife | None = None

    @cached_property
    def acceleration(self) -> Floats:
        """By how much the standard error of each parameter changes with its value, (K,); made on first use.

        Raises
        ------
        SpecError : the samples were not drawn from the rows as they are.

        Notes
        -----
        A sixth of the skewness of the influence of the rows (of clusters, where these are drawn), which are left out in
        turn (Efron 1987, equations 6.6 and 7.3; Efron & Tibshirani 1993, equation 14.15). With groups each row counts
        within its own (Davison & Hinkley 1997, p. 210).
        """
        if self.jackknife is None:
            what = 'interval="bca" needs the rows of the data to find how fast standard errors change'
            do = 'Take interval="bca.simple" (bias alone), or samples of kind="ordinary"'
            raise SpecError(message(what, do=do))
        return accelerations(self.jackknife())

    def tidy(self, interval: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return term, estimate, bias, std_error, conf_low and conf_high of each parameter and definition.

        Parameters
        ----------
        interval : "percentile", "basic", "normal"; "bca", percentiles corrected for bias and acceleration, for which
            the model is fitted once more without each row (or cluster); "bca.simple", corrected for bias alone.
            lavaan's words "perc" and "norm" are taken, too.
        level : of the limits.

        Returns
        -------
        DataFrame : term, estimate, bias, std_error, conf_low, conf_high; both limits of "bca" and "bca.simple" are
        missing where all replicates are on one side of the estimate.

        Raises
        ------
        SpecError : another ``interval``, ``level`` not between 0 and 1, or "bca" of samples that were not drawn from
        the rows as they are.

        Notes
        -----
        Percentiles between two replicates are interpolated on the normal scale (Davison & Hinkley 1997, Bootstrap
        methods and their application, equation 5.8); corrections for bias and acceleration by Efron (1987, J Am Stat
        Assoc 82, 171-185) and DiCiccio & Efron (1996, Stat Sci 11, 189-228, equation 2.3). Acceleration is computed
        once and kept (``acceleration``); lavaan's "bca" finds it by a regression of the replicates on how often each
        row was drawn, which needs more samples than rows and carries their noise.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> x = rng.normal(size=100)
        >>> m = 0.4 * x + rng.normal(size=100)
        >>> d = pd.DataFrame({"x": x, "m": m, "y": 0.4 * m + rng.normal(size=100)})
        >>> drawn = ak.sem("m ~ a*x\\ny ~ b*m\\nindirect := a*b", d).bootstrap(200)
        >>> last = drawn.tidy("bca").iloc[-1]
        >>> last["term"], bool(0 < last["conf_low"] < last["estimate"] < last["conf_high"])
        ('indirect', True)

        Checked against
        ---------------
        ``parameterEstimates`` of lavaan 0.6-14 (``boot.ci.type``), on the same replicates, and ``boot.ci`` of boot
        1.3-28 ("bca"), on the same samples (tests/reference/sem_bootstrap).

        When not to use
        ---------------
        "bca" with fewer than about 1,000 samples: it reads percentiles further out than the plain ones. With few rows
        (under about 50) its acceleration is itself uncertain.
        """
        interval = check_option("interval", LAVAAN.get(interval, interval), INTERVALS)
        check_level(level)
        speed = self.acceleration if interval == "bca" else np.zeros(len(self.names))
        each = zip(self.estimates, self.replicates.T, speed, strict=True)
        rows = [summary(estimate, drawn, interval, level, float(a)) for estimate, drawn, a in each]
        columns = ["estimate", "bias", "std_error", "conf_low", "conf_high"]
        frame = pd.DataFrame(rows, columns=columns)
        frame.insert(0, "term", list(self.names))
        frame.attrs.update(interval=interval, level=level, replicates=len(self.replicates), seed=self.seed)
        return wide(frame)

    def glance(self) -> pd.DataFrame:
        """Return one row: replicates asked for, replicates used, seed."""
        return wide(pd.DataFrame([{"asked": self.asked, "used": len(self.replicates), "seed": self.seed}]))

    def __repr__(self) -> str:
        lost = self.asked - len(self.replicates)
        note = f"{len(self.replicates)} bootstrap samples ({self.kind}), seed {self.seed}, 95% percentile limits"
        note += f"; {lost} did not converge, or had too few different rows, and are left out" if lost else ""
        return f"{self.tidy().to_string(index=False, float_format='{:.3f}'.format)}\n{note}"


def bootstrap(
    fit: StructuralEstimates,
    n: int,
    seed: int,
    kind: str = "ordinary",
    executor: str = "serial",
    workers: int = 2,
) -> StructuralBootstrap:
    """Return ``n`` replicates of a fit; see ``StructuralFit.bootstrap``."""
    names = (*fit.table.names(), *fit.constraints.definitions)
    kind = kind_of(kind)
    x = fit_again(fit, n, seed, kind, executor, workers)
    again = partial(_without_one, fit, executor, workers) if kind == "ordinary" else None
    own = _with_definitions(fit, fit.x[None])[0]
    return StructuralBootstrap(names, own, _with_definitions(fit, x), n, seed, kind, again)


def kind_of(word: str) -> str:
    """Return what is drawn, by our word or lavaan's."""
    word = plain_word(word)
    return "ordinary" if word == "nonparametric" else word


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
    turned = None if fit.rotation is None else replace(fit.rotation, vcov=vcov)
    return replace(fit, vcov=vcov, replicates=found, rotation=turned)


def _without_one(fit: StructuralEstimates, executor: str, workers: int) -> list[Floats]:
    """Return parameters and definitions (units, K) without one row, or cluster, of each group."""
    return [_with_definitions(fit, x) for x in leave_one_out(fit, executor, workers)]


def _with_definitions(fit: StructuralEstimates, x: Floats) -> Floats:
    values = fit.constraints.values(x)
    with np.errstate(all="ignore"):
        more = [np.broadcast_to(e.evaluate(values), len(x)) for e in fit.constraints.definitions.values()]
    return np.column_stack([x, *more])
