"""Therapist, patient and session effects with few therapists: what z, Satterthwaite and Kenward-Roger make of them.

Two designs, both with effects of zero, so that a share of p values below .05 is a Type I error:

- ``one_row``: one row per patient, patients in therapists, a predictor of the therapist (such as experience), as in
  trials that measure the outcome once. The therapist ICC is given.
- ``sessions``: six sessions per patient; a predictor that varies within patients, between patients and between
  therapists, with effects .30, .30 and 0 (standardised), so that bias and coverage can be seen as well.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.core.seeds import spawn

METHODS = ("normal", "satterthwaite", "kenward-roger")
WITHIN, BETWEEN, THERAPIST = 0.30, 0.30, 0.0


@dataclass(frozen=True)
class Setting:
    """A design: number of therapists, patients of each, therapist ICC."""

    design: str
    therapists: int
    patients: int
    icc: float


def one_row(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    """Return one study with one row per patient; the total variance is one."""
    k, m = setting.therapists, setting.patients
    therapist = np.repeat(np.arange(k), m)
    y = rng.normal(0, np.sqrt(setting.icc), k)[therapist] + rng.normal(0, np.sqrt(1 - setting.icc), k * m)
    return pd.DataFrame({"y": y, "experience": rng.normal(size=k)[therapist], "therapist": therapist})


def sessions(setting: Setting, rng: np.random.Generator, count: int = 6) -> pd.DataFrame:
    """Return one study with ``count`` rows per patient; patient variance .30, residual variance .70 - ICC."""
    k, m = setting.therapists, setting.patients
    patient = np.repeat(np.arange(k * m), count)
    therapist = patient // m
    of_therapist, of_patient = rng.normal(size=k), rng.normal(size=k * m)
    of_session = rng.normal(size=k * m * count)
    effect = THERAPIST * of_therapist[therapist] + BETWEEN * of_patient[patient] + WITHIN * of_session
    noise = rng.normal(0, np.sqrt(setting.icc), k)[therapist] + rng.normal(0, np.sqrt(0.3), k * m)[patient]
    noise = noise + rng.normal(0, np.sqrt(0.7 - setting.icc), k * m * count)
    return pd.DataFrame(
        {
            "y": effect + noise,
            "alliance_within": of_session,
            "alliance_between": of_patient[patient],
            "alliance_therapist": of_therapist[therapist],
            "patient": patient,
            "therapist": therapist,
        }
    )


DESIGNS = {
    "one_row": (one_row, "y ~ experience + (1 | therapist)", {"experience": 0.0}),
    "sessions": (
        sessions,
        "y ~ alliance_within + alliance_between + alliance_therapist + (1 | patient) + (1 | therapist)",
        {"alliance_within": WITHIN, "alliance_between": BETWEEN, "alliance_therapist": THERAPIST},
    ),
}


def study(setting: Setting, replicates: int, seed: int) -> pd.DataFrame:
    """Return one row per effect and df method: bias, its Monte Carlo SE, coverage, rejection of a true null, singular.

    ``rejection`` tests the true value, so it is the Type I error at nominal .05 for every effect.
    """
    make, formula, truth = DESIGNS[setting.design]
    lines = []
    for child in spawn(seed, replicates):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.BoundaryWarning)
            # by chance the means of pure noise differ at p < .001 in one sample of a thousand
            warnings.filterwarnings("ignore", ".*within and between the units", ak.DesignWarning)
            fit = ak.mixed(formula, make(setting, np.random.default_rng(child)))
        for method in METHODS:
            table = fit.tidy(ddf=method).set_index("term")
            for term, value in truth.items():
                row = table.loc[term]
                covered = row["conf_low"] <= value <= row["conf_high"]
                lines.append((term, method, row["estimate"] - value, covered, fit.singular))
    frame = pd.DataFrame(lines, columns=["term", "ddf", "error", "covered", "singular"])
    grouped = frame.groupby(["term", "ddf"], sort=False)
    out = grouped.agg(
        bias=("error", "mean"), sd=("error", "std"), coverage=("covered", "mean"), singular=("singular", "mean")
    ).reset_index()
    out["bias_se"] = out["sd"] / np.sqrt(replicates)
    out["type_1"] = 1 - out["coverage"]
    out["type_1_se"] = np.sqrt(out["type_1"] * out["coverage"] / replicates)
    return out.assign(
        design=setting.design, therapists=setting.therapists, patients=setting.patients, icc=setting.icc, R=replicates
    )
