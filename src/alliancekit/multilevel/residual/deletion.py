"""The same model with a residual structure fitted without some rows, from the fit's own estimates on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError
from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.deletion import LOST, Remaining
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.components import structure_names, structure_values
from alliancekit.multilevel.residual.design import make_design
from alliancekit.multilevel.residual.fit import fit as from_scratch
from alliancekit.multilevel.residual.fit import fit_rows
from alliancekit.multilevel.residual.many import start_of

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class RemainingStructure(Remaining):
    """Estimates without each of D units; structure : (D, parameters), nan for one that the other rows do not have."""

    structure: Floats


def refit_without(fit: GaussianFit, data: pd.DataFrame, units: Sequence[Ints]) -> RemainingStructure:
    """Fit the model to the rows used (``data``) without each of some sets of rows.

    A unit has missing values where the other rows do not identify the model: a fixed effect cannot be estimated, or the
    structure does not fit the rows that are left (a stratum or an occasion with too few rows).
    """
    assert fit.residual is not None
    names = structure_names(fit.residual)
    D, p = len(units), len(fit.beta)
    beta, vcov, sigma = np.full((D, p), np.nan), np.full((D, p, p), np.nan), np.full(D, np.nan)
    covariances = tuple(np.full((D, f.q, f.q), np.nan) for f in fit.factors)
    structure, converged = np.full((D, len(names)), np.nan), np.zeros(D, dtype=bool)
    for i, rows in enumerate(units):
        again = _without(fit, data, rows)
        if again is None:
            continue
        beta[i], vcov[i], sigma[i], converged[i] = again.beta, again.vcov, again.sigma, again.converged
        by_group = dict(zip((f.group for f in again.factors), again.covariances, strict=True))
        for stack, factor in zip(covariances, fit.factors, strict=True):
            stack[i] = by_group[factor.group]
        part = again.residual
        assert part is not None
        found = dict(zip(structure_names(part), structure_values(part, part.phi[None])[0], strict=True))
        structure[i] = [found.get(name, np.nan) for name in names]
    return RemainingStructure(beta, vcov, sigma, covariances, converged, structure)


def _without(fit: GaussianFit, data: pd.DataFrame, rows: Ints) -> GaussianFit | None:
    part = fit.residual
    assert part is not None
    keep = np.ones(len(fit.design.X), dtype=bool)
    keep[rows] = False
    design = _subset(fit.design, keep)
    X = design.X @ fit.engine.fixed_basis
    if X.shape[1] and np.linalg.eigvalsh(X.T @ X)[0] < LOST * len(X):
        return None
    try:
        if part.structure.variance is not None and part.structure.variance.of_fitted:
            return from_scratch(design, fit.reml, part.structure, data)
        left = make_design(part.structure, design, data)
        known = _names_of(left) == _names_of(part.rows) and part.free.all()
        return fit_rows(design, left, fit.reml, part.structure, start_of(fit) if known else None)
    except (DesignError, np.linalg.LinAlgError):
        return None


def _names_of(rows: object) -> tuple[object, object]:
    correlation, variance = getattr(rows, "correlation", None), getattr(rows, "variance", None)
    return getattr(correlation, "names", None), getattr(variance, "labels", None)


def _subset(design: Design, keep: NDArray[np.bool_]) -> Design:
    """Return the design of some of the rows used; levels that have lost all their rows stay, and change nothing."""
    assert design.y is not None
    return replace(
        design,
        y=design.y[keep],
        X=design.X[keep],
        random=tuple(replace(block, Z=block.Z[keep], codes=block.codes[keep]) for block in design.random),
        offset=None if design.offset is None else design.offset[keep],
        weights=None if design.weights is None else design.weights[keep],
        sample=replace(design.sample, n_rows=len(keep), n_used=int(keep.sum()), rows_used=keep),
    )
