"""Factor scores and reliabilities of a fit of ordinal and mixed variables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_columns, message
from alliancekit.structural.after.categorical import categorical_omega
from alliancekit.structural.after.ordinal_rows import own_fit
from alliancekit.structural.after.reliability import alpha, average_variance_extracted, factor_items, omega
from alliancekit.structural.after.whole import Whole, whole
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.model import BlockModel
from alliancekit.structural.ordinal.scores import Measurement, modal_scores
from alliancekit.structural.ordinal.structure import Structure

Floats = NDArray[np.float64]


def ordinal_rows_scores(fit: StructuralEstimates, g: int, rows: Floats, method: str) -> Floats:
    """Return scores (n, factors) of rows of one group, columns as in the model's observed variables.

    method : "ml" or "bartlett" without, others with the distribution of the factors.
    """
    own = own_fit(fit)
    structure, at = own.structures[g], own.at[g]
    if structure.chained:
        what = "factor scores are not for models in which ordinal variables predict others"
        raise SpecError(message(what, do="Put what the scores are for into the model"))
    block = fit.model.blocks[g]
    now = whole(structure.block, fit.x)
    p = len(block.observed)
    latent, y, x = np.arange(p, p + len(block.latent)), structure.own, structure.given
    variances = at.S[y, y]
    if not (variances > 0).all():
        name = structure.names[int(np.argmin(variances))]
        what = f"the residual variance of '{name}' is not positive: there are no factor scores"
        raise SpecError(message(what, do="Look at warnings of the fit"))
    known = np.where(np.isfinite(rows), rows, 0.0)
    numeric = y[~structure.ordinal]
    centre = now.m[y] + known[:, x] @ now.A[np.ix_(y, x)].T + known[:, numeric] @ now.A[np.ix_(y, numeric)].T
    means = (now.B @ now.m)[latent] + known[:, x] @ now.B[np.ix_(latent, x)].T
    spread = (now.B @ at.S @ now.B.T)[np.ix_(latent, latent)]
    found = Measurement(
        now.A[np.ix_(y, latent)], np.sqrt(variances), cuts_of(structure, fit.x), structure.ordinal, spread
    )
    return modal_scores(found, rows[:, y], centre, means, prior=method not in ("ml", "bartlett"))


def cuts_of(structure: Structure, x: Floats) -> Floats:
    """Return thresholds (p, K + 1) between infinities, unscaled."""
    values = structure.cuts.copy()
    values[structure.thresholds.places] = x[structure.thresholds.parameters]
    counts = np.bincount(structure.owner, minlength=len(structure.own))
    out = np.full((len(structure.own), int(counts.max()) + 2), np.inf)
    out[:, 0] = -np.inf
    for i in np.flatnonzero(structure.ordinal):
        out[i, 1 : counts[i] + 1] = values[structure.owner == i]
    return out


def code_rows(fit: StructuralEstimates, new: pd.DataFrame, names: list[str]) -> Floats:
    """Return new rows as the engine has them: categories of ordinal variables by number; NaN where unknown."""
    check_columns(new.columns, names, where="new")
    out = np.empty((len(new), len(names)))
    for j, name in enumerate(names):
        if name in fit.sample.categories:
            place = {label: float(k) for k, label in enumerate(fit.sample.categories[name])}
            out[:, j] = [place.get(_text(value), np.nan) for value in new[name]]
        else:
            out[:, j] = new[name].to_numpy(dtype=np.float64)
    return out


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def ordinal_reliability(fit: StructuralEstimates, g: int) -> dict[str, dict[str, float]]:
    """Return the reliabilities of each factor with items of one group.

    omega is that of the sum of the items as they are scored (NaN where one is numeric); the others are of latent
    responses.
    """
    own = own_fit(fit)
    structure, at, statistics = own.structures[g], own.at[g], own.statistics[g]
    block, now = fit.model.blocks[g], whole(fit.model.blocks[g], fit.x)
    scaled = _scaled(now, structure, at.scales)
    sample, model = (
        _total(block, structure, now, moments)
        for moments in ((statistics.covariance, statistics.margins.slopes), (at.sigma, at.slopes))
    )
    found, implied = omega(block, scaled, sample), omega(block, scaled, model)
    alphas, extracted = alpha(block, sample), average_variance_extracted(block, scaled, sample)
    out = {}
    place = {int(v): k for k, v in enumerate(structure.own)}
    for name, items in factor_items(block).items():
        inside = [place.get(int(i), -1) for i in items]
        scored = float("nan")
        if all(k >= 0 and structure.ordinal[k] for k in inside) and not len(structure.given):
            k = len(block.observed) + block.latent.index(name)
            levels = [at.vector[: len(structure.owner)][structure.owner == i] for i in inside]
            loadings = scaled.A[items, k] * np.sqrt(scaled.cov[k, k])
            scored = categorical_omega(loadings, sample[np.ix_(items, items)], levels)
        out[name] = {"omega": scored, "omega_responses": found[name], "omega_implied": implied[name]}
        out[name] |= {"alpha": alphas[name], "ave": extracted[name], "items": float(items.size)}
    return out


def _scaled(now: Whole, structure: Structure, scales: Floats) -> Whole:
    """Return a block with what points at ordinal variables in units of their scaled responses."""
    A = now.A.copy()
    A[structure.own] *= scales[:, None]
    return replace(now, A=A)


def _total(block: BlockModel, structure: Structure, now: Whole, moments: tuple[Floats, Floats]) -> Floats:
    """Return covariances (v, v) of all observed variables, what covariates bring included."""
    conditional, slopes = moments
    p = len(block.observed)
    given = now.S[np.ix_(structure.given, structure.given)]
    out = np.eye(p)
    out[np.ix_(structure.own, structure.own)] = conditional + slopes @ given @ slopes.T
    return out
