"""Bias and coverage of fixed effects and structure parameters, one study per residual structure.

``SEED`` was fixed before the first run. The rules are those of ``simulation/recovery.py``: bias at most 5% of the truth
(or .01) and three Monte Carlo standard errors; coverage inside the central 99.9% of a binomial around .95.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.simulation.recovery import binomial_range

from .structures import Truth, coverage, equal, gaps, scaled

SEED, REPLICATES = 2026_11_30, 300
PLAIN, PATIENT = "y ~ session + arm", "y ~ session + arm + (1 | patient)"


TRUTHS: dict[str, Truth] = {
    "ar1": Truth(
        PATIENT,
        lambda: ak.ar1(time="session", by="patient"),
        {"sigma": 1.5, "Phi": 0.5},
        lambda d: 2.25 * 0.5 ** gaps(d["session"]),
        spread=2.0,
    ),
    "car1": Truth(
        PLAIN,
        lambda: ak.car1(time="day", by="patient"),
        {"sigma": 2.0, "Phi": 0.9},
        lambda d: 4.0 * 0.9 ** gaps(d["day"]),
    ),
    "compound_symmetry": Truth(
        PLAIN,
        lambda: ak.compound_symmetry(by="patient"),
        {"sigma": 2.0, "Rho": 0.4},
        lambda d: 4.0 * equal(d, 0.4),
    ),
    "compound_symmetry, competing": Truth(
        PLAIN,
        lambda: ak.compound_symmetry(by="patient"),
        {"sigma": 2.0, "Rho": -0.12},
        lambda d: 4.0 * equal(d, -0.12),
    ),
    "heteroscedastic": Truth(
        PATIENT,
        lambda: ak.heteroscedastic(by="arm"),
        {"sigma": 1.5, "SD of b / SD of a": 1.6},
        lambda d: scaled(1.5 * (1 + 0.6 * (d["arm"] == "b")), np.eye(len(d))),
        spread=2.0,
    ),
    "power_of a column": Truth(
        PATIENT,
        lambda: ak.power_of("size"),
        {"sigma": 1.5, "power of size": 0.7},
        lambda d: scaled(1.5 * d["size"] ** 0.7, np.eye(len(d))),
        spread=2.0,
    ),
    "power_of fitted values": Truth(
        PLAIN,
        lambda: ak.power_of("fitted"),
        {"sigma": 0.3, "power of fitted": 0.5},
        lambda d: scaled(0.3 * d["mean"] ** 0.5, np.eye(len(d))),
        fixed=(1.0, 0.8, 0.5),
    ),
    "ar1 + heteroscedastic": Truth(
        PATIENT,
        lambda: ak.ar1(time="session", by="patient") + ak.heteroscedastic(by="arm"),
        {"sigma": 1.5, "Phi": 0.4, "SD of b / SD of a": 1.6},
        lambda d: scaled(1.5 * (1 + 0.6 * (d["arm"] == "b")), 0.4 ** gaps(d["session"])),
        spread=2.0,
    ),
    "car1 + power": Truth(
        PLAIN,
        lambda: ak.car1(time="day", by="patient") + ak.power_of("size"),
        {"sigma": 1.5, "Phi": 0.9, "power of size": 0.7},
        lambda d: scaled(1.5 * d["size"] ** 0.7, 0.9 ** gaps(d["day"])),
    ),
    "compound_symmetry + heteroscedastic": Truth(
        PLAIN,
        lambda: ak.compound_symmetry(by="patient") + ak.heteroscedastic(by="arm"),
        {"sigma": 1.5, "Rho": 0.4, "SD of b / SD of a": 1.6},
        lambda d: scaled(1.5 * (1 + 0.6 * (d["arm"] == "b")), equal(d, 0.4)),
    ),
    "unstructured": Truth(
        PLAIN,
        lambda: ak.unstructured(time="session", by="patient"),
        {"sigma": 2.0}
        | {f"cor({i},{j})": 0.7 ** (j - i) for i in range(6) for j in range(i + 1, 6)}
        | {f"SD of {k} / SD of 0": 1 + 0.1 * k for k in range(1, 6)},
        lambda d: scaled(2.0 * (1 + 0.1 * d["session"]), 0.7 ** gaps(d["session"])),
    ),
    "unstructured, equal variances": Truth(
        PLAIN,
        lambda: ak.unstructured(time="session", by="patient", equal_variances=True),
        {"sigma": 2.0} | {f"cor({i},{j})": 0.7 ** (j - i) for i in range(6) for j in range(i + 1, 6)},
        lambda d: 4.0 * 0.7 ** gaps(d["session"]),
    ),
}


@pytest.mark.slow
@pytest.mark.option("mixed.residual_structure", "bias and coverage, one study per structure")
@pytest.mark.parametrize("name", list(TRUTHS))
def test_estimates_and_intervals_are_right(name: str) -> None:
    found = coverage(TRUTHS[name], REPLICATES, SEED + list(TRUTHS).index(name))
    biased = found[found["bias"].abs() > found["bias_limit"]]
    assert biased.empty, biased.to_string()
    wrong = found[(found["coverage"] < found["coverage_low"]) | (found["coverage"] > found["coverage_high"])]
    assert wrong.empty, wrong.to_string()


@pytest.mark.slow
@pytest.mark.option("MixedFit.test.ddf", "kenward-roger: Type I error of a small MMRM")
def test_type_one_error_of_a_small_mmrm() -> None:
    """20 patients, four visits, a tenth missed, no effect of the arm at any visit: Kenward and Roger's F with 4 df."""
    rng = np.random.default_rng(SEED + 100)
    patient, visit = np.repeat(np.arange(20), 4), np.tile(np.arange(4), 20)
    root = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(range(4), range(4)))) * np.array([[1], [1.2], [1.5], [2]])
    frame = pd.DataFrame({"patient": patient, "visit": visit, "arm": np.where(patient % 2, "b", "a")})
    null = "armb = 0, factor(visit)1:armb = 0, factor(visit)2:armb = 0, factor(visit)3:armb = 0"
    rejected = []
    for _ in range(REPLICATES):
        data = frame.assign(y=(rng.normal(size=(20, 4)) @ root.T).ravel())[rng.uniform(size=80) > 0.1]
        structure = ak.unstructured(time="visit", by="patient")
        fit = ak.mixed("y ~ factor(visit) * arm", data, residual_structure=structure)
        rejected.append(float(fit.test(null, ddf="kenward-roger")["p_value"].iloc[0]) < 0.05)
    low, high = binomial_range(0.05, REPLICATES)
    assert low <= np.mean(rejected) <= high
