"""The two truths of the trauma-focused generator: on its error-free variables and on what is recorded and scored.

Names of the quantities: ``coef(task | sev, bond)`` is the coefficient of task in the regression of the follow-up on
severity, bond and task; ``delta_r2``, ``f2``, ``partial_r`` and ``semipartial_r`` alike; ``r2(sev)`` is R squared;
``r(task, goal)`` a correlation. ``change`` is the early symptom level minus severity (negative = improvement).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alliancekit.simulation.estimands import coefficients, increment
from alliancekit.simulation.observed import CASES, SEED, Sample, freeze, run
from alliancekit.simulation.ratings import mean_of_given
from alliancekit.simulation.tfcbt import population

Array = NDArray[np.float64]

COLUMNS = ("sev", "change", "bond", "goal", "task", "y")
GIVEN = (
    ("sev",),
    ("sev", "change"),
    ("sev", "bond", "goal"),
    ("sev", "change", "bond", "goal"),
)
"""What task is added to: each line is one increment."""


def quantities(covariance: Array) -> dict[str, float]:
    """Return every quantity of the question from the covariance of ``COLUMNS`` (shape 6 x 6)."""
    found: dict[str, float] = {}
    for given in GIVEN:
        found |= increment(covariance, COLUMNS, "y", "task", given)
        full = [*given, "task"]
        for name, slope in coefficients(covariance, COLUMNS, "y", full).items():
            rest = ", ".join(v for v in full if v != name)
            found[f"coef({name} | {rest})"] = slope
    sd = np.sqrt(np.diag(covariance))
    for a, b in (("bond", "goal"), ("bond", "task"), ("task", "goal"), ("sev", "task")):
        i, j = COLUMNS.index(a), COLUMNS.index(b)
        found[f"r({a}, {b})"] = float(covariance[i, j] / (sd[i] * sd[j]))
    for name, value in zip(COLUMNS, sd, strict=True):
        found[f"sd({name})"] = float(value)
    return found


def latent_truth(variant: str, effect: str = "main") -> dict[str, float]:
    """Return the quantities on the error-free, standardised variables, from the generator's constants."""
    full = population.latent_covariance(variant, effect)
    # rows make sev, early - sev, bond, goal, task, y out of sev, early, bond, goal, task, y
    to_change = np.eye(6)
    to_change[1, 0] = -1.0
    found = quantities(to_change @ full @ to_change.T)
    found["therapist_variance"] = population.THERAPIST_VARIANCE
    found["residual_variance(sev, change, bond, goal, task)"] = population.noise_variance(variant, effect)
    return found


def scored(drawn: population.Draw) -> Array:
    """Return the scored analysis variables, shape (patients, 6), as an analysis would make them from the recorded data.

    Severity is the PCL-5 at intake, change the mean of the recorded PCL-5 of the early window minus it, the subscales
    are mean items over the recorded ratings of the window; nan where nothing was recorded. Dropout is left out: the
    truth is that of the whole population.
    """
    at = [i for i, s in enumerate(drawn.sessions) if population.WINDOW[0] <= s <= population.WINDOW[1]]
    early = mean_of_given(drawn.pcl[:, at], drawn.skipped_pcl[:, at])
    scales = [
        mean_of_given(
            drawn.wai[:, at][:, :, [item - 1 for item in population.WAI_KEY[scale]]].mean(axis=2),
            drawn.skipped_wai[:, at],
        )
        for scale in population.ALLIANCE
    ]
    return np.column_stack([drawn.pcl_0, early - drawn.pcl_0, *scales, drawn.pcl_followup])


def sample(variant: str, effect: str, seed: np.random.SeedSequence, cases: int) -> Sample:
    """Return one chunk of the run that gives the truth on scored variables."""
    early = tuple(range(population.WINDOW[0], population.WINDOW[1] + 1))
    drawn = population.draw(seed, cases, variant, effect, sessions=early)
    return Sample(scored(drawn), drawn.therapist, {"dropout_share": float(drawn.dropped.mean())})


def observed_run(
    variant: str, effect: str = "main", *, cases: int = CASES, seed: int = SEED
) -> tuple[dict[str, float], dict[str, float]]:
    """Return (values, Monte Carlo standard errors) of the truth on scored variables, from a fresh run."""
    return run(partial(sample, variant, effect), quantities, cases=cases, seed=seed)


def freeze_all(folder: str | Path) -> list[Path]:
    """Run a million cases for every variant and write the four files of ``simulation/truth`` (about two minutes)."""
    written = []
    for variant, effect in population.VARIANTS:
        values, spread = observed_run(variant, effect)
        head = {
            "generator": "tfcbt",
            "variant": variant,
            "effect": effect,
            "cases": CASES,
            "seed": SEED,
            "code": f"alliancekit.simulation.tfcbt.truths.observed_run({variant!r}, {effect!r})",
        }
        name = f"tfcbt_{variant}" if effect == "main" else f"tfcbt_{effect}"
        written.append(freeze(Path(folder) / f"{name}.json", head, values, spread))
    return written
