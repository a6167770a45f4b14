"""New outcomes from a fitted model: random effects and residuals drawn anew, everything else as estimated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.seeds import generator, spawn
from alliancekit.multilevel.after.predict import fitted
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.draws import ResidualDraws

Floats = NDArray[np.float64]
RANDOM_EFFECTS = ("new", "fitted")


def simulate(fit: GaussianFit, n: int, seed: int | np.random.SeedSequence, random_effects: str = "new") -> Floats:
    """Return n outcomes of every row used, shape (n, rows); outcome i comes from child i of the seed."""
    check_option("random_effects", random_effects, RANDOM_EFFECTS)
    return draw(fit, spawn(seed, check_count(n)), random_effects)


def check_count(n: object, least: int = 1) -> int:
    """Return a number of replicates, if it is one."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < least:
        raise SpecError(message(f"n={n!r} is not a number of replicates", do=f"Give a whole number from {least} up"))
    return int(n)


def draw(fit: GaussianFit, seeds: Sequence[np.random.SeedSequence], random_effects: str = "new") -> Floats:
    """Return one outcome per seed, shape (seeds, rows).

    With ``random_effects="fitted"`` the conditional modes stay, and only residuals are drawn.
    """
    design = fit.design
    mean = fitted(fit, include_random=random_effects == "fitted")
    spread = fit.sigma if design.weights is None else fit.sigma / np.sqrt(design.weights)
    out = np.empty((len(seeds), mean.size))
    residuals = None if fit.residual is None else ResidualDraws(fit)
    roots = [_root(matrix) for matrix in fit.covariances]
    columns = [random_columns(design, factor.group) for factor in fit.factors]
    for i, seed in enumerate(seeds):
        rng = generator(seed)
        normal = rng.standard_normal(mean.size)
        out[i] = mean if residuals is not None else mean + spread * normal
        if random_effects == "new":
            for factor, root, Z in zip(fit.factors, roots, columns, strict=True):
                effects = rng.standard_normal((factor.n_levels, factor.q)) @ root.T
                out[i] += np.einsum("nq,nq->n", Z, effects[factor.codes])
        if residuals is not None:
            out[i] += residuals(normal, out[i])
    return out


def _root(matrix: Floats) -> Floats:
    """Return the lower-triangular root of a covariance matrix, also of a singular one; its diagonal is not negative."""
    values, vectors = np.linalg.eigh(matrix)
    triangle = np.asarray(np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r")).T
    return np.asarray(triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0), dtype=np.float64)
