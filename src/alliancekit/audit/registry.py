"""Which checks concern which kind of result, in the order they are reported."""

from __future__ import annotations

from collections.abc import Callable

from alliancekit.audit import (
    boundary,
    careless,
    collinearity,
    convergence,
    crossed_nested,
    dichotomised,
    dropout,
    early_change,
    few_clusters,
    floor_ceiling,
    heteroscedasticity,
    influence,
    instrument_key,
    measurement_error,
    multiplicity,
    person_means,
    pooled_slope,
    reml_lrt,
    residuals,
    therapist_effect,
    timing,
)
from alliancekit.audit.context import Context
from alliancekit.audit.types import Check

CheckFunction = Callable[[Context], Check]

BOTH = ("multilevel", "prediction")
CHECKS: tuple[tuple[CheckFunction, tuple[str, ...]], ...] = (
    (timing.check, BOTH),
    (early_change.check, ("prediction",)),
    (pooled_slope.check, BOTH),
    (person_means.check, ("multilevel",)),
    (therapist_effect.check, BOTH),
    (few_clusters.check, BOTH),
    (crossed_nested.check, BOTH),
    (convergence.check, BOTH),
    (boundary.check, BOTH),
    (reml_lrt.check, BOTH),
    (dropout.check, BOTH),
    (influence.check, BOTH),
    (residuals.check, BOTH),
    (heteroscedasticity.check, BOTH),
    (collinearity.check, BOTH),
    (measurement_error.check, ("prediction",)),
    (floor_ceiling.check, BOTH),
    (dichotomised.check, BOTH),
    (careless.check, BOTH),
    (instrument_key.check, BOTH),
    (multiplicity.check, BOTH),
)
"""Every check with the kinds of result it concerns; a new check is one file and one line."""


def checks_for(context: Context) -> tuple[CheckFunction, ...]:
    """Return the checks that concern a result."""
    return tuple(check for check, kinds in CHECKS if context.kind in kinds)
