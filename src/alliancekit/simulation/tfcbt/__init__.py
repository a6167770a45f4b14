"""Trauma-focused therapy: task agreement beyond baseline severity, with a null and a trap twin."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alliancekit.core.seeds import spawn
from alliancekit.simulation.tfcbt import population, tables, truths
from alliancekit.simulation.types import Generator
from alliancekit.study.types import Study


def _build(seed: np.random.SeedSequence, n: int, variant: str, effect: str) -> tuple[Study, pd.DataFrame]:
    drawing, describing = spawn(seed, 2)
    drawn = population.draw(drawing, n, variant, effect)
    return tables.study(drawn, describing), tables.error_free(drawn)


def _truth_file(variant: str, effect: str) -> str:
    return f"tfcbt_{variant}" if effect == "main" else f"tfcbt_{effect}"


GENERATOR = Generator(
    name="tfcbt",
    variants={"true": ("main", "modest"), "null": ("main",), "trap": ("main",)},
    smallest=population.MIN_PATIENTS,
    default_n=120,
    build=_build,
    latent_truth=truths.latent_truth,
    truth_file=_truth_file,
)
