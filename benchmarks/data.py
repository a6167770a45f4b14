"""Simulated data of known size for the benchmarks; fixed seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd


def growth(patients: int, sessions: int = 12, seed: int = 1) -> pd.DataFrame:
    """Sessions in patients in therapists (20 each), random slope of time, alliance split within and between."""
    rng = np.random.default_rng(seed)
    n_therapists = max(patients // 20, 2)
    therapist = np.arange(patients) % n_therapists
    effects = rng.multivariate_normal([0, 0], [[9.0, -0.25], [-0.25, 0.09]], patients)
    level = rng.normal(0, 0.8, patients)
    deviation = rng.normal(0, 0.6, (patients, sessions))
    deviation -= deviation.mean(axis=1, keepdims=True)
    time = np.tile(np.arange(sessions, dtype=float), (patients, 1))
    y = 20 + rng.normal(0, 1.2, n_therapists)[therapist][:, None] + effects[:, :1] + (effects[:, 1:] - 0.45) * time
    y = y - 0.8 * deviation - level[:, None] + rng.normal(0, 2.0, (patients, sessions))

    def repeat(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, sessions)

    return pd.DataFrame(
        {
            "patient": np.char.add("p", repeat(np.arange(patients)).astype(str)),
            "therapist": np.char.add("t", repeat(therapist).astype(str)),
            "time": time.ravel(),
            "alliance_within": deviation.ravel(),
            "alliance_between": repeat(level),
            "symptoms": y.ravel(),
        }
    )


def pairs(groups: int, seed: int = 2) -> pd.DataFrame:
    """Many groups of two with a random intercept."""
    rng = np.random.default_rng(seed)
    x, effect = rng.normal(size=(groups, 2)), rng.normal(0, 0.8, groups)
    y = 1 + 0.5 * x + effect[:, None] + rng.normal(size=(groups, 2))
    return pd.DataFrame({"group": np.repeat(np.arange(groups), 2), "x": x.ravel(), "y": y.ravel()})


def crossed(raters: int, patients: int, rows: int, seed: int = 3) -> pd.DataFrame:
    """Patients crossed with raters."""
    rng = np.random.default_rng(seed)
    rater, patient = rng.integers(0, raters, rows), rng.integers(0, patients, rows)
    x = rng.normal(size=rows)
    y = 3 + 0.4 * x + rng.normal(0, 0.7, raters)[rater] + rng.normal(0, 0.9, patients)[patient] + rng.normal(size=rows)
    return pd.DataFrame({"rater": rater, "patient": patient, "x": x, "y": y})


def uneven(patients: int) -> pd.DataFrame:
    """The growth data with a fifth of the sessions missing at random, and the rows in no order."""
    return growth(patients).sample(frac=0.8, random_state=4).reset_index(drop=True)


def trial(patients: int, visits: int = 5, seed: int = 4) -> pd.DataFrame:
    """Two arms, visits with one common covariance matrix: variances grow, correlations fall with distance."""
    rng = np.random.default_rng(seed)
    steps = np.arange(visits)
    sd = 2.0 + 0.3 * steps
    covariance = np.outer(sd, sd) * 0.75 ** np.abs(steps[:, None] - steps)
    arm = np.arange(patients) % 2
    y = 20 - 0.6 * steps - 0.4 * arm[:, None] * steps + rng.multivariate_normal(np.zeros(visits), covariance, patients)
    return pd.DataFrame(
        {
            "patient": np.repeat(np.arange(patients), visits),
            "visit": np.tile(steps + 1, patients),
            "arm": np.repeat(np.where(arm == 1, "treated", "control"), visits),
            "y": y.ravel(),
        }
    )


def answers(persons: int, items: int, seed: int = 5) -> pd.DataFrame:
    """Every person answers every item with yes or no; both vary, and a trait of the person matters."""
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=persons)
    eta = (0.4 * trait + rng.normal(0, 1.2, persons))[:, None] + rng.normal(0, 1.0, items) - 0.3
    y = (rng.random((persons, items)) < 1 / (1 + np.exp(-eta))).astype(int)
    person, item = np.divmod(np.arange(persons * items), items)
    return pd.DataFrame({"person": person, "item": item, "trait": trait[person], "y": y.ravel()})


def counts(patients: int, sessions: int = 12, seed: int = 6) -> pd.DataFrame:
    """Counts over sessions whose level and slope vary by patient, in two arms."""
    rng = np.random.default_rng(seed)
    effects = rng.multivariate_normal([0, 0], [[0.36, -0.01], [-0.01, 0.0036]], patients)
    arm, time = np.arange(patients) % 2, np.arange(sessions, dtype=float)
    eta = 1.8 + effects[:, :1] + (effects[:, 1:] - 0.03 - 0.03 * arm[:, None]) * time
    patient, session = np.divmod(np.arange(patients * sessions), sessions)
    frame = {"patient": patient, "time": time[session], "arm": arm[patient], "y": rng.poisson(np.exp(eta)).ravel()}
    return pd.DataFrame(frame)


def remissions(patients: int, sessions: int = 8, seed: int = 7) -> pd.DataFrame:
    """Yes or no at each session, sessions in patients in therapists (10 each)."""
    rng = np.random.default_rng(seed)
    n_therapists = max(patients // 10, 2)
    therapist = np.arange(patients) % n_therapists
    level = rng.normal(0, 1.2, patients) + rng.normal(0, 0.6, n_therapists)[therapist]
    time = np.arange(sessions, dtype=float)
    y = (rng.random((patients, sessions)) < 1 / (1 + np.exp(1.5 - level[:, None] - 0.25 * time))).astype(int)
    patient, session = np.divmod(np.arange(patients * sessions), sessions)
    frame = {"patient": patient, "therapist": therapist[patient], "time": time[session], "y": y.ravel()}
    return pd.DataFrame(frame)


CASES = {
    "3-level growth, 200 x 12": (
        lambda: growth(200),
        "symptoms ~ time + alliance_within + alliance_between + (1 + time | patient) + (1 | therapist)",
    ),
    "3-level growth, 2,000 x 12": (
        lambda: growth(2000),
        "symptoms ~ time + alliance_within + alliance_between + (1 + time | patient) + (1 | therapist)",
    ),
    "3-level growth, 20,000 x 12": (
        lambda: growth(20_000),
        "symptoms ~ time + alliance_within + alliance_between + (1 + time | patient) + (1 | therapist)",
    ),
    "3-level growth, 20,000 x 12, a fifth missing at random, rows shuffled": (
        lambda: uneven(20_000),
        "symptoms ~ time + alliance_within + alliance_between + (1 + time | patient) + (1 | therapist)",
    ),
    "2-level growth, 200 x 12": (lambda: growth(200), "symptoms ~ time + alliance_within + (1 + time | patient)"),
    "random intercept, 125,000 x 2": (lambda: pairs(125_000), "y ~ x + (1 | group)"),
    "crossed, 100 raters x 3,000 patients": (
        lambda: crossed(100, 3000, 10_000),
        "y ~ x + (1 | patient) + (1 | rater)",
    ),
}
