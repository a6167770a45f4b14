"""Fit a linear mixed model with a residual structure; without random terms it is generalised least squares (MMRM)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit, check_residual, conclude
from alliancekit.multilevel.gaussian.fit import fit as plain_fit
from alliancekit.multilevel.gaussian.inference import random_effects
from alliancekit.multilevel.residual.design import ResidualDesign, make_design, with_response
from alliancekit.multilevel.residual.optimise import search
from alliancekit.multilevel.residual.part import ResidualPart
from alliancekit.multilevel.residual.power import of_fitted_values
from alliancekit.multilevel.residual.terms import ResidualStructure

Floats = NDArray[np.float64]
MAX_ROUNDS = 200
SETTLED = 1e-9  # largest change of a fitted value, over the largest of them, between two rounds


def fit(design: Design, reml: bool, structure: ResidualStructure, frame: pd.DataFrame) -> GaussianFit:
    """Fit the model of a formula's design; ``frame`` holds every row handed in.

    Raises
    ------
    DesignError : the structure does not fit the rows or the random terms.
    """
    if structure.variance is not None and structure.variance.of_fitted:
        first = fitted_values(plain_fit(design, reml))
        return _settle(design, make_design(structure, design, frame, first), reml, structure, first)
    return fit_rows(design, make_design(structure, design, frame), reml, structure, None)


def refit(old: GaussianFit, y: Floats) -> GaussianFit:
    """Fit the same model to another response, shape (n,), from the old estimates on."""
    assert old.residual is not None
    design = replace(old.design, y=np.asarray(y, float))
    return _again(old, design, with_response(old.residual.rows, design), old.reml)


def change_criterion(old: GaussianFit, reml: bool) -> GaussianFit:
    """Fit the same model by the other criterion (REML or ML)."""
    assert old.residual is not None
    return _again(old, old.design, old.residual.rows, reml)


def fitted_values(made: GaussianFit) -> Floats:
    """Return fitted values with random effects, in the order of the data."""
    design = made.design
    out = design.X @ made.beta
    if design.offset is not None:
        out = out + design.offset
    modes = random_effects(made.engine, made.optimum.state, made.sigma)
    for factor, (mode, _) in zip(made.engine.factors, modes, strict=True):
        out = out + np.einsum("nq,nq->n", random_columns(design, factor.group), mode[factor.codes])
    return np.asarray(out, dtype=np.float64)


def _again(old: GaussianFit, design: Design, rows: ResidualDesign, reml: bool) -> GaussianFit:
    part = old.residual
    assert part is not None
    if part.structure.variance is not None and part.structure.variance.of_fitted:
        return _settle(design, rows, reml, part.structure, fitted_values(old))
    return fit_rows(design, rows, reml, part.structure, None)


def fit_rows(
    design: Design, rows: ResidualDesign, reml: bool, structure: ResidualStructure, start: Floats | None
) -> GaussianFit:
    """Fit the model to rows in the structure's order, from ``start`` (theta, phi) on, or from the best of several."""
    check_residual(rows.base, design.response)
    found = search(rows, reml, start)
    part = ResidualPart(structure, rows, found.phi, found.free)
    return conclude(design, found.engine, found.optimum, reml, part)


def _settle(
    design: Design, rows: ResidualDesign, reml: bool, structure: ResidualStructure, fitted: Floats
) -> GaussianFit:
    """Fit, take the weights' covariate from the fitted values, and fit again until neither changes."""
    made, start = None, None
    for rounds in range(1, MAX_ROUNDS + 1):
        rows = of_fitted_rows(rows, fitted)
        made = fit_rows(design, rows, reml, structure, start)
        assert made.residual is not None
        part = replace(made.residual, rounds=rounds)
        made = replace(made, residual=part)
        now = fitted_values(made)
        change = float(np.abs(now - fitted).max()) / float(np.abs(now).max())
        fitted = now
        if change < SETTLED:
            return made
        start = np.concatenate([made.optimum.theta, part.phi]) if part.free.all() else None
    assert made is not None
    unsettled = replace(made.optimum, search=replace(made.optimum.search, converged=False))
    return replace(made, optimum=unsettled)


def of_fitted_rows(rows: ResidualDesign, fitted: Floats) -> ResidualDesign:
    """Return the rows with the weights' covariate taken from fitted values in the order of the data."""
    return replace(rows, variance=of_fitted_values(fitted[rows.order]))
