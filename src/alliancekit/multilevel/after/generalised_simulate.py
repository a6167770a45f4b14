"""New outcomes from a generalised fit, the model fitted to many outcomes, and the parametric bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import AllianceError, FitError, check_option, message
from alliancekit.core.executor import run_all
from alliancekit.core.seeds import generator, spawn
from alliancekit.multilevel.after.bootstrap import FEWEST, Bootstrap, Refits, Seed, outcomes
from alliancekit.multilevel.after.generalised_components import all_values
from alliancekit.multilevel.after.simulate import RANDOM_EFFECTS, check_count
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.many import Many
from alliancekit.multilevel.generalised import moments
from alliancekit.multilevel.generalised.fit import GeneralisedFit, refit
from alliancekit.multilevel.generalised.modes import NoMode
from alliancekit.multilevel.generalised.profile import names_of

Floats = NDArray[np.float64]
TOGETHER = 20  # replicates that are fitted in one piece


def simulate(fit: GeneralisedFit, n: int, seed: Seed, random_effects: str = "new") -> Floats:
    """Return n outcomes of every row used, shape (n, rows): counts, or numbers of successes."""
    check_option("random_effects", random_effects, RANDOM_EFFECTS)
    return draw(fit, spawn(seed, check_count(n)), random_effects)


def draw(fit: GeneralisedFit, seeds: Sequence[np.random.SeedSequence], random_effects: str = "new") -> Floats:
    """Return one outcome per seed, shape (seeds, rows)."""
    fixed, shape = fit.fixed_part, fit.shape
    out = np.empty((len(seeds), fixed.size))
    roots = [_root(matrix) for matrix in fit.covariances]
    columns = [random_columns(fit.design, factor.group) for factor in fit.factors]
    for i, seed in enumerate(seeds):
        rng = generator(seed)
        eta = fit.linear_predictor if random_effects == "fitted" else fixed.copy()
        if random_effects == "new":
            for factor, root, Z in zip(fit.factors, roots, columns, strict=True):
                effects = rng.standard_normal((factor.n_levels, factor.q)) @ root.T
                eta += np.einsum("nq,nq->n", Z, effects[factor.codes])
        out[i] = moments.draw(fit.words, fit.counted.trials, eta, shape, rng)
    return out


def _root(matrix: Floats) -> Floats:
    """Return a root of a covariance matrix, also of a singular one."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)


def refits(fit: GeneralisedFit, Y: ArrayLike, executor: str = "serial", workers: int = 2) -> Refits:
    """Return the model fitted to each row of Y, shape (replicates, rows used), from the fit's own estimates on."""
    values = outcomes(Y, fit.design.sample.n_used)
    chunks = [values[i : i + TOGETHER] for i in range(0, len(values), TOGETHER)]
    found = run_all(partial(_refit_all, fit), chunks, executor=executor, workers=workers, description="refits")
    return _collect(fit, found)


def bootstrap(fit: GeneralisedFit, n: int, seed: Seed, executor: str = "serial", workers: int = 2) -> Bootstrap:
    """Return the parametric bootstrap of a fit: n outcomes simulated from it, each fitted as it was."""
    seeds = spawn(seed, check_count(n, FEWEST))
    chunks = [seeds[i : i + TOGETHER] for i in range(0, len(seeds), TOGETHER)]
    found = run_all(partial(_replicates, fit), chunks, executor=executor, workers=workers, description="bootstrap")
    collected = _collect(fit, found)
    if not np.isfinite(collected.log_likelihood).any():
        raise FitError(message("no replicate of the bootstrap could be fitted", do="Use method='profile'"))
    own = dict(zip(collected.names, all_values(fit).tolist(), strict=True))
    return Bootstrap(own, collected, seed, "ML")


def _replicates(fit: GeneralisedFit, seeds: Sequence[np.random.SeedSequence]) -> tuple[Floats, Many]:
    return _refit_all(fit, draw(fit, seeds))


def _refit_all(fit: GeneralisedFit, Y: Floats) -> tuple[Floats, Many]:
    """Return the parameters (B, P) and the state of each refit; nan where one failed."""
    B, theta_part = Y.shape[0], fit.engine.parts[1]
    values = np.full((B, len(names_of(fit))), np.nan)
    theta, beta = np.full((B, fit.engine.n_theta), np.nan), np.full((B, len(fit.beta)), np.nan)
    log_likelihood = np.full(B, np.nan)
    converged, singular = np.zeros(B, dtype=bool), np.zeros(B, dtype=bool)
    for i, y in enumerate(Y):
        try:
            again = refit(fit, y)
        except (AllianceError, NoMode, np.linalg.LinAlgError):
            continue
        values[i], theta[i], beta[i] = all_values(again), again.optimum.x[theta_part], again.beta
        log_likelihood[i], converged[i], singular[i] = again.log_likelihood, again.converged, any(again.singular)
    return values, Many(theta, np.ones(B), beta, log_likelihood, converged, singular)


def _collect(fit: GeneralisedFit, parts: Sequence[tuple[Floats, Many]]) -> Refits:
    names = ("theta", "sigma", "beta", "log_likelihood", "converged", "singular")
    many = Many(**{name: np.concatenate([getattr(state, name) for _, state in parts]) for name in names})
    return Refits(tuple(names_of(fit)), np.concatenate([values for values, _ in parts]), many)
