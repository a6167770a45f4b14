"""Trauma-focused therapy in veterans: does early agreement on tasks predict the follow-up PCL-5 beyond severity?

Population (all variables standardised; the outcome has variance 1 in every variant):

- ``sev, bond, goal, task`` are multivariate normal with the correlations ``CORRELATIONS``; 9% of the alliance's
  variance lies between therapists (same correlations there), the rest between the patients of a therapist.
- ``early``, the symptom level during sessions 2 to 4, is .30 sev + noise.
- ``y``, the symptom level at follow-up, has a total effect of .50 of severity, .12 of it through ``early`` (.40 x .30),
  the effects of the alliance given in ``VARIANTS``, a therapist effect (variance .05) and noise.

What is recorded: PCL-5 = 50 + 12 z, rounded to whole points and cut to 0..80, at intake, before each of 12 weekly
sessions and at follow-up; the twelve WAI-SR items after each session; 8% of the weekly forms are skipped completely at
random; follow-up is missing for 30%, more often after a poor early alliance and high early symptoms.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.seeds import spawn
from alliancekit.simulation.ratings import answer_items, mean_of_given, missing_completely_at_random

Array = NDArray[np.float64]

ALLIANCE = ("bond", "goal", "task")
CORRELATIONS = np.array(
    [
        [1.00, -0.15, -0.12, -0.15],
        [-0.15, 1.00, 0.65, 0.70],
        [-0.12, 0.65, 1.00, 0.85],
        [-0.15, 0.70, 0.85, 1.00],
    ]
)
"""Correlations of severity, bond, goal and task."""

VARIANTS: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("true", "main"): (0.50, -0.02, -0.03, -0.24),
    ("true", "modest"): (0.50, -0.02, -0.03, -0.15),
    ("null", "main"): (0.50, -0.02, -0.03, 0.0),
    ("trap", "main"): (0.50, -0.10, -0.10, 0.0),
}
"""Total effects of severity, bond, goal and task on the outcome, by (variant, effect)."""

SEVERITY_TO_EARLY, EARLY_TO_OUTCOME = 0.30, 0.40
THERAPIST_VARIANCE = 0.05
THERAPIST_SHARE_OF_ALLIANCE = 0.09
PATIENTS_PER_THERAPIST = 6
MIN_PATIENTS = 12

SESSIONS, WINDOW = 12, (2, 4)
STATE_VARIANCE, NOISE_VARIANCE = 0.02, 0.10
"""Session parts of an item's latent response: with them the early means of task and goal correlate near .68."""
WEEKLY_SD = 0.25
"""Week-to-week movement of the PCL-5 around the person's course, in standard deviations."""

PCL_MEAN, PCL_SD, PCL_RANGE = 50.0, 12.0, (0, 80)
SKIPPED_SHARE, DROPOUT_SHARE, DROPOUT_SLOPE = 0.08, 0.30, 0.50
DROPOUT_INTERCEPT = -0.931
EARLY_PCL_MOMENTS, EARLY_WAI_MOMENTS = (50.0, 12.05), (3.68, 0.695)
"""Population mean and SD of the recorded early means, with which the dropout rule standardises."""

WAI_KEY = {"task": (1, 2, 10, 12), "bond": (3, 5, 7, 9), "goal": (4, 6, 8, 11)}


@dataclass(frozen=True)
class Draw:
    """One drawn sample as arrays, patients in rows; nothing missing yet except in the masks.

    ``latent`` has the columns sev, early, bond, goal, task, y. ``pcl`` has one column per session, ``wai`` the shape
    (patients, sessions, 12). ``skipped_pcl`` and ``skipped_wai`` mark forms not given, ``dropped`` people without
    follow-up.
    """

    therapist: NDArray[np.intp]
    latent: Array
    sessions: tuple[int, ...]
    pcl_0: Array
    pcl: Array
    pcl_followup: Array
    wai: NDArray[np.int64]
    skipped_pcl: NDArray[np.bool_]
    skipped_wai: NDArray[np.bool_]
    dropped: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


LATENT = ("sev", "early", "bond", "goal", "task", "y")


def latent_covariance(variant: str, effect: str = "main") -> Array:
    """Return the population covariance of sev, early, bond, goal, task and y (shape 6 x 6)."""
    beta = np.array(VARIANTS[variant, effect])
    full = np.eye(6)
    full[0, 2:5] = full[2:5, 0] = CORRELATIONS[0, 1:]
    full[2:5, 2:5] = CORRELATIONS[1:, 1:]
    full[1, 0] = full[0, 1] = SEVERITY_TO_EARLY
    full[1, 2:5] = full[2:5, 1] = SEVERITY_TO_EARLY * CORRELATIONS[0, 1:]
    path = np.array([beta[0] - SEVERITY_TO_EARLY * EARLY_TO_OUTCOME, EARLY_TO_OUTCOME, *beta[1:]])
    full[5, :5] = full[:5, 5] = full[:5, :5] @ path
    return full


def noise_variance(variant: str, effect: str = "main") -> float:
    """Return the variance of the outcome that neither predictors nor therapist carry, so that the total is 1."""
    full = latent_covariance(variant, effect)
    explained = full[5, :5] @ np.linalg.solve(full[:5, :5], full[:5, 5])
    return float(1 - explained - THERAPIST_VARIANCE)


def draw(
    seed: int | np.random.SeedSequence,
    n: int,
    variant: str,
    effect: str = "main",
    sessions: tuple[int, ...] = tuple(range(1, SESSIONS + 1)),
) -> Draw:
    """Draw n patients; ``sessions`` limits which sessions are made (all 12, or only the early window)."""
    seeds = spawn(seed, 4)
    therapist = _allocate(np.random.default_rng(seeds[0]), n)
    latent = _draw_latent(np.random.default_rng(seeds[1]), therapist, variant, effect)
    recorded = np.random.default_rng(seeds[2])
    course = _course(latent, sessions)
    pcl = _to_pcl(course + WEEKLY_SD * recorded.standard_normal(course.shape))
    item_trait = _item_traits()
    wai = answer_items(
        recorded,
        latent[:, 2:5],
        item_trait,
        len(sessions),
        state_variance=STATE_VARIANCE,
        noise_variance=NOISE_VARIANCE,
    )
    absent = np.random.default_rng(seeds[3])
    skipped_wai = missing_completely_at_random(absent, pcl.shape, SKIPPED_SHARE)
    skipped_pcl = missing_completely_at_random(absent, pcl.shape, SKIPPED_SHARE)
    early = [i for i, s in enumerate(sessions) if WINDOW[0] <= s <= WINDOW[1]]
    chance = dropout_probability(
        mean_of_given(pcl[:, early], skipped_pcl[:, early]),
        mean_of_given(wai[:, early].mean(axis=2), skipped_wai[:, early]),
    )
    return Draw(
        therapist=therapist,
        latent=latent,
        sessions=sessions,
        pcl_0=_to_pcl(latent[:, 0]),
        pcl=pcl,
        pcl_followup=_to_pcl(latent[:, 5]),
        wai=wai,
        skipped_pcl=skipped_pcl,
        skipped_wai=skipped_wai,
        dropped=absent.random(n) < chance,
    )


def dropout_probability(early_pcl: Array, early_wai: Array) -> Array:
    """Return the chance that follow-up is missing, given the recorded early means (unknown ones count as average).

    Missing at random: log-odds = intercept + .5 z(early PCL-5) - .5 z(early alliance), the intercept set so that 30% of
    the population are missing. The early window is the last occasion of the model before follow-up.
    """
    z_pcl = np.nan_to_num((early_pcl - EARLY_PCL_MOMENTS[0]) / EARLY_PCL_MOMENTS[1])
    z_wai = np.nan_to_num((early_wai - EARLY_WAI_MOMENTS[0]) / EARLY_WAI_MOMENTS[1])
    return 1 / (1 + np.exp(-(DROPOUT_INTERCEPT + DROPOUT_SLOPE * z_pcl - DROPOUT_SLOPE * z_wai)))


def n_therapists(n: int) -> int:
    """Return how many therapists treat n patients (20 for 120)."""
    return max(2, round(n / PATIENTS_PER_THERAPIST))


def _allocate(rng: np.random.Generator, n: int) -> NDArray[np.intp]:
    """Return each patient's therapist: caseloads equal up to one patient, allocation at random."""
    balanced = np.arange(n, dtype=np.intp) % n_therapists(n)
    return rng.permutation(balanced)


def _draw_latent(rng: np.random.Generator, therapist: NDArray[np.intp], variant: str, effect: str) -> Array:
    n, k = len(therapist), int(therapist.max()) + 1
    share = THERAPIST_SHARE_OF_ALLIANCE
    between = share * CORRELATIONS[1:, 1:]
    within = CORRELATIONS.copy()
    within[1:, 1:] -= between
    x = rng.standard_normal((n, 4)) @ np.linalg.cholesky(within).T
    x[:, 1:] += (rng.standard_normal((k, 3)) @ np.linalg.cholesky(between).T)[therapist]
    early = SEVERITY_TO_EARLY * x[:, 0] + np.sqrt(1 - SEVERITY_TO_EARLY**2) * rng.standard_normal(n)
    beta = np.array(VARIANTS[variant, effect])
    beta[0] -= SEVERITY_TO_EARLY * EARLY_TO_OUTCOME
    u = np.sqrt(THERAPIST_VARIANCE) * rng.standard_normal(k)
    e = np.sqrt(noise_variance(variant, effect)) * rng.standard_normal(n)
    y = x @ beta + EARLY_TO_OUTCOME * early + u[therapist] + e
    return np.column_stack([x[:, 0], early, x[:, 1:], y])


def _course(latent: Array, sessions: tuple[int, ...]) -> Array:
    """Return the expected symptoms at each session: intake at 1, early at 2 to 4, then straight towards follow-up."""
    columns = []
    for s in sessions:
        if s < WINDOW[0]:
            columns.append(latent[:, 0])
        else:
            weight = max(s - WINDOW[1], 0) / (SESSIONS + 1 - WINDOW[1])
            columns.append((1 - weight) * latent[:, 1] + weight * latent[:, 5])
    return np.column_stack(columns)


def _to_pcl(z: Array) -> Array:
    return np.clip(np.round(PCL_MEAN + PCL_SD * z), *PCL_RANGE)


def _item_traits() -> tuple[int, ...]:
    owner = {item: ALLIANCE.index(scale) for scale, items in WAI_KEY.items() for item in items}
    return tuple(owner[item] for item in sorted(owner))
