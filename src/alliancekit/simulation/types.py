"""The types of the layer: what a generator is, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.files import write_many
from alliancekit.core.seeds import spawn
from alliancekit.simulation.folder import folder_files
from alliancekit.study.types import Study


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated study beside its truth.

    Attributes
    ----------
    study : the data as a researcher would receive them.
    truth : {"latent": quantity -> value on error-free standardised variables, "observed": the same quantities on the
        recorded and scored variables in the whole population (no dropout)}.
    variant : "true", "null" (the key effect is zero) or "trap" (a wrong model finds an effect that is not there).
    seed : root seed.
    name : name of the generator.
    effect : size of the effect, "main" where the generator knows no other.
    n : number of patients (groups, families, triads).
    latent : error-free variables, one row per patient; what no researcher ever sees.
    truth_source : how the observed truth was made: seed, cases, Monte Carlo standard errors.

    Examples
    --------
    >>> import alliancekit as ak
    >>> twin = ak.simulate("tfcbt", n=24, seed=1, variant="null")
    >>> twin.truth["latent"]["coef(task | sev, bond, goal)"] == 0
    True
    """

    study: Study
    truth: Mapping[str, Mapping[str, float]]
    variant: str
    seed: int
    name: str
    effect: str
    n: int
    latent: pd.DataFrame
    truth_source: Mapping[str, Any]

    def tidy(self) -> pd.DataFrame:
        """Return the truth, one row per quantity: quantity, latent, observed, monte_carlo_se (of observed)."""
        spread = self.truth_source.get("monte_carlo_se", {})
        names = list(dict.fromkeys([*self.truth["latent"], *self.truth["observed"]]))
        return pd.DataFrame(
            {
                "quantity": names,
                "latent": [self.truth["latent"].get(q, np.nan) for q in names],
                "observed": [self.truth["observed"].get(q, np.nan) for q in names],
                "monte_carlo_se": [spread.get(q, np.nan) for q in names],
            }
        )

    def glance(self) -> pd.DataFrame:
        """Return one row: generator, variant, effect, n, seed, and the number of rows of each table."""
        sizes = {f"n_{name}_rows": len(table) for name, table in self.study.tables.items()}
        head = {"generator": self.name, "variant": self.variant, "effect": self.effect, "n": self.n, "seed": self.seed}
        return pd.DataFrame([head | sizes])

    def write(self, folder: str | Path) -> list[Path]:
        """Write the study as a folder for ``ak.read_study``: tables as CSV, codebook.json, truth.json, README.md.

        The same call writes the same bytes. Cells of coded missing values hold their code.

        Parameters
        ----------
        folder : folder to write to; made when absent, files of the same names are replaced.

        Returns
        -------
        Paths of the files.
        """
        head = {"generator": self.name, "variant": self.variant, "effect": self.effect, "n": self.n, "seed": self.seed}
        return write_many(folder, folder_files(self.study, head, self.truth, self.truth_source))

    def __repr__(self) -> str:
        """Show what was simulated and the tables."""
        what = f"{self.name!r}, variant={self.variant!r}, effect={self.effect!r}, n={self.n}, seed={self.seed}"
        return f"Simulated({what}; {self.study!r})"


@dataclass(frozen=True)
class Generator:
    """What ``ak.simulate`` needs to know of a generator.

    Attributes
    ----------
    name : public name.
    variants : variant -> effects it can have; the first effect is the default.
    smallest : smallest n that gives a study with every level.
    default_n : n of the shipped example.
    build : from (seed sequence, n, variant, effect) to (study, latent frame).
    latent_truth : from (variant, effect) to quantity -> value.
    truth_file : from (variant, effect) to the name of the frozen file of the observed truth.
    """

    name: str
    variants: Mapping[str, tuple[str, ...]]
    smallest: int
    default_n: int
    build: Callable[[np.random.SeedSequence, int, str, str], tuple[Study, pd.DataFrame]]
    latent_truth: Callable[[str, str], dict[str, float]]
    truth_file: Callable[[str, str], str]

    def seeds(self, seed: int) -> np.random.SeedSequence:
        """Return the seed of a study, apart from that of the frozen truth runs."""
        return spawn(seed, 1)[0]
