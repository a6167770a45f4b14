"""Recovery studies: simulate with known truth, analyse, and see whether the analysis finds it.

Pass rules: the bias counts as none where |bias| <= max(.05 |truth|, .01 of the quantity's unit) + 3 Monte Carlo
standard errors; coverage and Type I error count as right where they lie inside the central 99.9% range of a binomial
with the nominal rate and the number of replicates used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr

from alliancekit.core.errors import AllianceError, AllianceWarning, SpecError, message
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.simulation.simulate import simulate
from alliancekit.simulation.types import Simulated

RELATIVE, ABSOLUTE, TIMES = 0.05, 0.01, 3.0
RANGE = 0.999

Analyse = Callable[[Simulated], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, eq=False)
class Recovery:
    """What an analysis does over many simulated studies.

    Attributes
    ----------
    rows : one per quantity: quantity, truth, replicates, mean, bias, bias_se (Monte Carlo), bias_limit, bias_ok, sd
        (of the estimates), mean_std_error, coverage, coverage_low, coverage_high, coverage_ok, rejection (share of p
        below alpha), rejection_se, rejection_low, rejection_high (binomial range around alpha), rejection_ok (inside
        that range; says something only where the truth is zero). nan where the analysis gave no limits or p values.
    estimates : every estimate of every replicate.
    failures : (replicate, message) of analyses that raised an error.
    about : generator, variant, effect, n, replicates, seed, alpha, level.
    """

    rows: pd.DataFrame
    estimates: pd.DataFrame
    failures: tuple[tuple[int, str], ...]
    about: Mapping[str, Any]

    def tidy(self) -> pd.DataFrame:
        """Return one row per quantity."""
        return self.rows.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: settings, failures, and how many quantities are without bias and rightly covered."""
        row = {
            **self.about,
            "failures": len(self.failures),
            "quantities": len(self.rows),
            "bias_ok": int(self.rows["bias_ok"].sum()),
            "coverage_ok": int((self.rows["coverage_ok"] == True).sum()),  # noqa: E712
        }
        return pd.DataFrame([row])

    def row(self, quantity: str) -> pd.Series:
        """Return the row of one quantity."""
        found = self.rows[self.rows["quantity"] == quantity]
        if found.empty:
            raise SpecError(
                message(f"'{quantity}' was not estimated", do=f"There are: {', '.join(self.rows.quantity)}")
            )
        return found.iloc[0]


def recover(
    generator: str,
    analyse: Analyse,
    *,
    replicates: int,
    seed: int,
    n: int | None = None,
    variant: str = "true",
    effect: str = "main",
    truth: str | Mapping[str, float] = "observed",
    alpha: float = 0.05,
    level: float = 0.95,
    executor: str = "serial",
    workers: int = 2,
) -> Recovery:
    """Return bias, coverage and rejection rate of an analysis over simulated studies.

    Parameters
    ----------
    generator, n, variant, effect : as in ``ak.simulate``.
    analyse : function of one Simulated that returns dicts with quantity, estimate, and where it has them std_error,
        conf_low, conf_high, p_value. For ``executor="joblib"`` it must be importable (a function of a module).
    replicates : number of studies; at least 20.
    seed : root seed; each study has its own child seed, so serial and parallel runs agree to the last bit.
    truth : "observed" or "latent", or a dict quantity -> value.
    alpha : significance level counted as a rejection.
    level : nominal level of the limits that ``analyse`` returns.
    executor, workers : see ``core.executor``.

    Returns
    -------
    Recovery

    Raises
    ------
    SpecError : fewer than 20 replicates, a quantity without truth, every analysis failed.

    Notes
    -----
    Bias limits and binomial ranges follow the rules in the head of this module; Monte Carlo standard errors as in
    Morris, White & Crowther (2019, Statistics in Medicine 38, 2074-2102, table 6).
    """
    if replicates < 20:
        raise SpecError(message(f"replicates={replicates} is too few", do="Use at least 20"))
    task = partial(_one, generator, analyse, n, variant, effect)
    found = run_all(task, _seeds(seed, replicates), executor=executor, workers=workers, description="recovery")
    failures = tuple((i, r) for i, r in enumerate(found) if isinstance(r, str))
    tables = [pd.DataFrame(list(r)).assign(replicate=i) for i, r in enumerate(found) if not isinstance(r, str)]
    if not tables:
        raise SpecError(message("the analysis failed in every replicate", where=failures[0][1]))
    estimates = pd.concat(tables, ignore_index=True)
    values = _truth(generator, variant, effect, truth)
    unknown = [q for q in dict.fromkeys(estimates["quantity"]) if q not in values]
    if unknown:
        raise SpecError(message(f"the truth has no {', '.join(map(repr, unknown))}", do="Hand over truth={...}"))
    rows = [
        {"quantity": str(q), "truth": values[str(q)], **_summary(part, values[str(q)], alpha, level)}
        for q, part in estimates.groupby("quantity", sort=False)
    ]
    about: dict[str, Any] = {"generator": generator, "variant": variant, "effect": effect, "n": n}
    about |= {"replicates": replicates, "seed": seed, "alpha": alpha, "level": level}
    return Recovery(pd.DataFrame(rows), estimates, failures, about)


def binomial_range(rate: float, n: int, share: float = RANGE) -> tuple[float, float]:
    """Return the smallest and largest proportion inside the central ``share`` of a binomial(n, rate).

    The bounds are exact: the tails beyond them each hold at most (1 - share) / 2.

    Examples
    --------
    >>> binomial_range(0.05, 200)
    (0.01, 0.105)
    """
    counts = np.arange(n + 1)
    below = bdtr(counts, n, rate)
    tail = (1 - share) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail, side="left"))
    return low / n, high / n


def _seeds(seed: int, replicates: int) -> list[int]:
    return [int(s.generate_state(1, np.uint64)[0]) for s in spawn(seed, replicates)]


def _one(
    generator: str, analyse: Analyse, n: int | None, variant: str, effect: str, seed: int
) -> Sequence[Mapping[str, Any]] | str:
    """Return the rows of one study, or the message of the error that its analysis raised."""
    twin = simulate(generator, n=n, seed=seed, variant=variant, effect=effect)
    with warnings.catch_warnings():
        # Boundary estimates and small samples are part of what is studied; they would be repeated for every replicate.
        warnings.simplefilter("ignore", AllianceWarning)
        try:
            return analyse(twin)
        except AllianceError as error:
            return f"{type(error).__name__}: {error}"


def _truth(generator: str, variant: str, effect: str, truth: str | Mapping[str, float]) -> Mapping[str, float]:
    if not isinstance(truth, str):
        return truth
    known = simulate(generator, seed=0, variant=variant, effect=effect).truth
    if truth not in known:
        raise SpecError(message(f"truth={truth!r} is not an option", do=f"Use one of: {', '.join(known)}, or a dict"))
    return known[truth]


def _summary(part: pd.DataFrame, truth: float, alpha: float, level: float) -> dict[str, Any]:
    values = part["estimate"].to_numpy(dtype=float)
    n = len(values)
    bias, bias_se = float(values.mean() - truth), float(values.std(ddof=1) / np.sqrt(n))
    limit = max(RELATIVE * abs(truth), ABSOLUTE) + TIMES * bias_se
    out: dict[str, Any] = {
        "replicates": n,
        "mean": float(values.mean()),
        "bias": bias,
        "bias_se": bias_se,
        "bias_limit": limit,
        "bias_ok": abs(bias) <= limit,
        "sd": float(values.std(ddof=1)),
        "mean_std_error": float(part["std_error"].mean()) if "std_error" in part else np.nan,
    }
    inside = None
    if {"conf_low", "conf_high"} <= set(part.columns) and part["conf_low"].notna().all():
        inside = ((part["conf_low"] <= truth) & (truth <= part["conf_high"])).to_numpy()
    out |= _rate("coverage", inside, level, with_se=False)
    rejected = None
    if "p_value" in part.columns and part["p_value"].notna().all():
        rejected = (part["p_value"] < alpha).to_numpy()
    return out | _rate("rejection", rejected, alpha, with_se=True)


def _rate(name: str, hits: Any, nominal: float, *, with_se: bool) -> dict[str, Any]:
    """Return a proportion with the binomial range around its nominal value."""
    if hits is None:
        empty = {name: np.nan, f"{name}_low": np.nan, f"{name}_high": np.nan, f"{name}_ok": None}
        return empty | ({f"{name}_se": np.nan} if with_se else {})
    n, share = len(hits), float(np.mean(hits))
    low, high = binomial_range(nominal, n)
    out: dict[str, Any] = {name: share, f"{name}_low": low, f"{name}_high": high, f"{name}_ok": low <= share <= high}
    return out | ({f"{name}_se": float(np.sqrt(share * (1 - share) / n))} if with_se else {})
