"""Data with one thing wrong at a time, and the fits that the checks look at."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.audit.context import Asked, Context, make_context


def sessions(patients: int = 48, per_patient: int = 8, therapists: int = 24, seed: int = 1) -> pd.DataFrame:
    """Return sessions in patients in therapists; the alliance varies within and between patients, y depends on it."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), per_patient)
    therapist = patient % therapists
    alliance = rng.normal(0, 1, patients)[patient] + rng.normal(0, 1, len(patient))
    time = np.tile(np.arange(float(per_patient)), patients)
    mean = pd.Series(alliance).groupby(patient).transform("mean").to_numpy()
    noise = rng.normal(0, 1, patients)[patient] + rng.normal(0, 0.7, therapists)[therapist]
    y = 10 - 0.4 * time - 0.5 * (alliance - mean) - mean + noise + rng.normal(0, 1, len(patient))
    return pd.DataFrame({"patient": patient, "therapist": therapist, "time": time, "alliance": alliance, "y": y}).pipe(
        ak.within_between, "alliance", by="patient"
    )


def persons(n: int = 144, therapists: int = 24, seed: int = 2, rho: float = 0.5) -> pd.DataFrame:
    """Return one row per patient: severity, task, bond, outcome."""
    rng = np.random.default_rng(seed)
    therapist = np.arange(n) % therapists
    severity, common = rng.normal(size=(2, n))
    task = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=n)
    bond = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=n)
    y = 50 + 6 * severity - 3 * task + rng.normal(0, 3, therapists)[therapist] + rng.normal(0, 8, n)
    return pd.DataFrame(
        {"patient": np.arange(n), "therapist": therapist, "severity": severity, "task": task, "bond": bond, "y": y}
    )


def fit(formula: str, data: Any, **options: Any) -> Any:
    """Return a mixed fit; what it warns of is the business of the checks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.mixed(formula, data, **options)


def validity(data: Any, predictors: tuple[str, ...] = ("severity", "task", "bond"), **options: Any) -> Any:
    """Return an incremental-validity result without bootstrap; task is the focus where it is there."""
    options = {"therapist": "therapist", "focus": "task" if "task" in predictors else None, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.incremental_validity(data, "y", {p: [p] for p in predictors}, bootstrap=0, **options)


def context(result: Any, data: Any = None, **asked: Any) -> Context:
    """Return what the checks see."""
    return make_context(result, data, Asked(**asked))
