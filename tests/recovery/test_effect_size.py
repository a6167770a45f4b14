"""Bias and coverage of the effect size of a growth model. ``SEED`` was fixed before the first run.

A trial with two arms, six sessions, random intercept and slope of the patient. The truth of d is the difference in
slopes times five sessions over the SD at session 0, all of which the simulation states.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.simulation.recovery import binomial_range

SEED = 2026_12_01
SESSIONS, INTERCEPT, SLOPE, RESIDUAL = 6, 4.0, 0.5, 3.0
SD = float(np.sqrt(INTERCEPT**2 + RESIDUAL**2))
OPTIONS = {
    "model": {},
    "pooled": {"sd": "pooled"},
    "known": {"sd": SD},
    "kenward-roger": {"ddf": "kenward-roger"},
}


def trial(patients: int, difference: float, rng: np.random.Generator) -> pd.DataFrame:
    patient = np.repeat(np.arange(patients), SESSIONS)
    session = np.tile(np.arange(float(SESSIONS)), patients)
    arm = (patient % 2).astype(float)
    line = rng.normal(0, INTERCEPT, patients)[patient] + rng.normal(0, SLOPE, patients)[patient] * session
    y = 25 + line + (difference * arm - 0.5) * session + rng.normal(0, RESIDUAL, patient.size)
    kept = rng.uniform(size=patient.size) > 0.1
    frame = pd.DataFrame({"patient": patient, "session": session, "arm": np.where(arm > 0, "CBT", "TAU"), "y": y})
    return frame.assign(arm=pd.Categorical(frame["arm"], ["TAU", "CBT"]))[kept]


def study(patients: int, d: float, replicates: int, seed: int, options: tuple[str, ...]) -> pd.DataFrame:
    """Return estimate, g and coverage of each way to make d, one row per replicate and way."""
    difference = d * SD / (SESSIONS - 1)
    rows = []
    for child in spawn(seed, replicates):
        rng = np.random.default_rng(child)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.BoundaryWarning)
            fit = ak.mixed("y ~ arm * session + (1 + session | patient)", trial(patients, difference, rng))
        for name in options:
            row = fit.effect_size(**OPTIONS[name]).tidy().iloc[0]
            rows.append((name, row["estimate"], row["hedges_g"], row["conf_low"] <= d <= row["conf_high"]))
    return pd.DataFrame(rows, columns=["way", "d", "g", "covered"])


def check(found: pd.DataFrame, d: float, replicates: int) -> None:
    low, high = binomial_range(0.95, replicates)
    for way, part in found.groupby("way"):
        error = part["g"].std() / np.sqrt(replicates)
        assert abs(part["g"].mean() - d) <= max(0.05 * abs(d), 0.01) + 3 * error, way
        assert low <= part["covered"].mean() <= high, (way, part["covered"].mean())


@pytest.mark.option("MixedFit.effect_size.sd", "coverage of a known effect")
def test_effect_size_is_recovered_with_its_coverage() -> None:
    found = study(60, -0.8, 250, SEED, ("model", "pooled", "known"))
    check(found, -0.8, 250)


@pytest.mark.slow
@pytest.mark.option("MixedFit.effect_size.ddf", "coverage of a known effect")
@pytest.mark.parametrize("d", [0.0, -0.5, -2.0])
def test_coverage_of_small_and_large_effects(d: float) -> None:
    found = study(40, d, 2000, SEED + 1, ("model", "pooled", "known", "kenward-roger"))
    check(found, d, 2000)


@pytest.mark.slow
def test_an_sd_taken_as_known_makes_large_effects_too_sure() -> None:
    difference = -2.0 * SD / (SESSIONS - 1)
    covered = []
    for child in spawn(SEED + 2, 2000):
        rng = np.random.default_rng(child)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.BoundaryWarning)
            fit = ak.mixed("y ~ arm * session + (1 + session | patient)", trial(20, difference, rng))
        row = fit.effect_size(sd="pooled", sd_error=False).tidy().iloc[0]
        covered.append(row["conf_low"] <= -2.0 <= row["conf_high"])
    assert np.mean(covered) < binomial_range(0.95, 2000)[0]
