"""Patients whose residuals have a known structure, and how often intervals of every parameter cover it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import spawn
from alliancekit.simulation.recovery import binomial_range

PATIENTS, SESSIONS, MISSED = 80, 6, 0.1
Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Truth:
    """One structure: the model's words, the true parameters, and the residual covariance of a patient's rows.

    covariance : of the rows of one patient, from a frame with session, day, visit, arm, size and mean.
    fixed : intercept, slope of the session, effect of arm b. spread : SD of the patients' intercepts.
    """

    formula: str
    structure: Callable[[], Any]
    parameters: dict[str, float]
    covariance: Callable[[pd.DataFrame], Matrix]
    fixed: tuple[float, float, float] = (10.0, -0.6, 1.0)
    spread: float = 0.0

    @property
    def values(self) -> dict[str, float]:
        """Every true parameter by its term."""
        names = ("(Intercept)", "session", "armb")
        random = {"sd_(Intercept)|patient": self.spread} if self.spread else {}
        return dict(zip(names, self.fixed, strict=True)) | random | self.parameters


def gaps(values: pd.Series) -> Matrix:
    """Return the distances between the values of a patient."""
    own = values.to_numpy(dtype=float)
    return np.abs(own[:, None] - own)


def scaled(sd: Matrix | pd.Series, correlation: Matrix) -> Matrix:
    """Return the covariance of SDs and correlations."""
    own = np.asarray(sd, dtype=float)
    return np.outer(own, own) * correlation


def equal(d: pd.DataFrame, rho: float) -> Matrix:
    """Return equal correlations."""
    return np.where(np.eye(len(d)) > 0, 1.0, rho)


def study(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    """Return one data set; a tenth of the rows is missing at random."""
    n = PATIENTS * SESSIONS
    d = pd.DataFrame(
        {"patient": np.repeat(np.arange(PATIENTS), SESSIONS), "session": np.tile(np.arange(6.0), PATIENTS)}
    )
    d["day"] = d["session"] * 7 + rng.integers(0, 5, n)
    d["arm"] = np.where(d["patient"] % 2, "b", "a")
    d["size"] = np.exp(rng.uniform(-1.2, 1.2, n))
    d = d[rng.uniform(size=n) > MISSED].reset_index(drop=True)
    intercept, slope, effect = truth.fixed
    patients = truth.spread * rng.normal(size=PATIENTS)
    d["mean"] = intercept + slope * d["session"] + effect * (d["arm"] == "b") + patients[d["patient"]]
    noise = np.empty(len(d))
    for _, rows in d.groupby("patient"):
        noise[rows.index] = np.linalg.cholesky(truth.covariance(rows)) @ rng.normal(size=len(rows))
    return d.assign(y=d["mean"] + noise).drop(columns="mean")


def _one(truth: Truth, seed: np.random.SeedSequence) -> pd.DataFrame:
    data = study(truth, np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(truth.formula, data, residual_structure=truth.structure()).confint()


def coverage(truth: Truth, replicates: int, seed: int) -> pd.DataFrame:
    """Return one row per parameter: truth, bias, its limit, coverage and the binomial range around .95."""
    found = run_all(partial(_one, truth), spawn(seed, replicates), executor="serial", description="coverage")
    every = pd.concat(found, keys=range(replicates), names=["replicate", "row"]).reset_index()
    low, high = binomial_range(0.95, replicates)
    rows = []
    for term, value in truth.values.items():
        own = every[every["term"] == term]
        estimate = own["estimate"].to_numpy()
        assert len(estimate) == replicates, term
        limit = max(0.05 * abs(value), 0.01) + 3 * estimate.std(ddof=1) / np.sqrt(replicates)
        inside = (own["conf_low"] <= value) & (value <= own["conf_high"])
        rows.append((term, value, estimate.mean() - value, limit, inside.mean(), low, high))
    columns = ["term", "truth", "bias", "bias_limit", "coverage", "coverage_low", "coverage_high"]
    return pd.DataFrame(rows, columns=columns)
