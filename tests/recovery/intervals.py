"""Growth of patients with a known truth, and how often intervals of each parameter cover it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.simulation.recovery import binomial_range

FORMULA = "y ~ time + arm + (1 + time | patient)"
TRUTH = {
    "(Intercept)": 20.0,
    "time": -0.8,
    "arm": 1.0,
    "sd_(Intercept)|patient": 2.0,
    "sd_time|patient": 0.5,
    "cor_time.(Intercept)|patient": -0.3,
    "sigma": 1.0,
}
THERAPISTS = {"sd_(Intercept)|therapist": 0.8}


@dataclass(frozen=True)
class Setting:
    """A design and the intervals asked of it; without therapists there are two levels."""

    patients: int
    sessions: int
    method: str
    interval: str = "percentile"
    therapists: int = 0
    draws: int = 0

    @property
    def truth(self) -> dict[str, float]:
        return TRUTH | THERAPISTS if self.therapists else TRUTH

    @property
    def formula(self) -> str:
        return f"{FORMULA} + (1 | therapist)" if self.therapists else FORMULA


def study(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    """Return one data set."""
    n, m = setting.patients, setting.sessions
    patient, time = np.repeat(np.arange(n), m), np.tile(np.arange(float(m)), n)
    covariance = TRUTH["cor_time.(Intercept)|patient"] * 2.0 * 0.5
    effects = rng.multivariate_normal([0, 0], [[4.0, covariance], [covariance, 0.25]], n)
    arm = patient % 2
    y = 20 + arm + effects[patient, 0] + (effects[patient, 1] - 0.8) * time + rng.normal(size=n * m)
    frame = pd.DataFrame({"patient": patient, "time": time, "arm": arm, "y": y})
    if setting.therapists:
        frame["therapist"] = (patient // 2) % setting.therapists
        frame["y"] += THERAPISTS["sd_(Intercept)|therapist"] * rng.normal(size=setting.therapists)[frame["therapist"]]
    return frame


def _one(setting: Setting, seed: np.random.SeedSequence) -> pd.DataFrame:
    data = study(setting, np.random.default_rng(seed))
    options: dict[str, Any] = {}
    if setting.method == "bootstrap":
        own = int(seed.generate_state(1)[0])
        options = {"n": setting.draws, "seed": own, "interval": setting.interval}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(setting.formula, data).confint(method=setting.method, **options)


def coverage(setting: Setting, replicates: int, seed: int, executor: str = "serial") -> pd.DataFrame:
    """Return one row per parameter: truth, bias, its limit, coverage, and the binomial range around .95.

    Where an SD is estimated as zero a Wald interval does not exist and a basic one is the point zero: neither covers.
    ``coverage`` counts every sample; ``coverage_inside`` only those whose estimate is not zero.
    """
    found = run_all(partial(_one, setting), spawn(seed, replicates), executor=executor, description="coverage")
    every = pd.concat(found, keys=range(replicates), names=["replicate", "row"]).reset_index()
    low, high = binomial_range(0.95, replicates)
    rows = []
    for term, truth in setting.truth.items():
        own = every[every["term"] == term]
        estimate = own["estimate"].to_numpy()
        bias_se = estimate.std(ddof=1) / np.sqrt(replicates)
        covers = (own["conf_low"] <= truth) & (truth <= own["conf_high"])
        bias_limit = max(0.05 * abs(truth), 0.01) + 3 * bias_se
        covered = (covers.mean(), low, high, covers[estimate != 0].mean())
        rows.append((term, truth, estimate.mean() - truth, bias_limit, *covered))
    columns = ["term", "truth", "bias", "bias_limit", "coverage", "coverage_low", "coverage_high", "coverage_inside"]
    return pd.DataFrame(rows, columns=columns)
