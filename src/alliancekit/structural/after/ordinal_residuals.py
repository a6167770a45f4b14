"""Residuals of models of ordinal and mixed variables: of correlations and covariances, means, thresholds, slopes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.after.ordinal_rows import own_fit
from alliancekit.structural.after.residuals import ResidualSize, plain_residuals, size_of
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.ordinal.statistics import pairs_of
from alliancekit.structural.ordinal.structure import Structure

Floats = NDArray[np.float64]
NEAR, NEAR_Z = 1e-5, 1e-4
"""Residuals nearer to zero than these are shown as they are, as in lavaan."""


def endings(fit: StructuralEstimates) -> list[str]:
    """Return what the names of each group's frames end with."""
    labels = fit.table.group_labels
    return [f" {label}" for label in labels] if len(labels) > 1 else [""]


def threshold_names(structure: Structure) -> list[str]:
    """Return the name of each threshold, as in the table: item | t1."""
    counted = structure.owner[structure.ordinal[structure.owner]]
    out: list[str] = []
    for i in counted:
        number = sum(1 for name in out if name.startswith(f"{structure.names[i]} | ")) + 1
        out.append(f"{structure.names[i]} | t{number}")
    return out


def parts_of(structure: Structure, vector: Floats) -> dict[str, Floats]:
    """Return a vector of statistics by parts: thresholds, means (sign turned back), slopes (p, q), variances, pairs."""
    t, p, q = len(structure.owner), len(structure.own), len(structure.given)
    counted = structure.ordinal[structure.owner]
    pairs = len(vector) - p * (p - 1) // 2
    return {
        "threshold": vector[:t][counted],
        "mean": -vector[:t][~counted],
        "slope": vector[t : t + p * q].reshape(q, p).T,
        "variance": vector[t + p * q : pairs],
        "pair": vector[pairs:],
    }


def frames_of(structure: Structure, vector: Floats, diagonal: float, end: str) -> dict[str, pd.DataFrame]:
    """Return a vector of statistics as frames: cov, threshold, and where there are such, mean and slope."""
    parts, names = parts_of(structure, vector), list(structure.names)
    p = len(names)
    one, other = pairs_of(p)
    cov = np.zeros((p, p))
    cov[one, other] = cov[other, one] = parts["pair"]
    cov[np.arange(p), np.arange(p)] = diagonal
    numeric = np.flatnonzero(~structure.ordinal)
    cov[numeric, numeric] = parts["variance"]
    out = {f"cov{end}": pd.DataFrame(cov, index=names, columns=names)}
    if len(numeric):
        out[f"mean{end}"] = pd.DataFrame({"mean": parts["mean"]}, index=[names[i] for i in numeric])
    out[f"threshold{end}"] = pd.DataFrame({"threshold": parts["threshold"]}, index=threshold_names(structure))
    if len(structure.given):
        given = [structure.block.observed[i] for i in structure.given]
        out[f"slope{end}"] = pd.DataFrame(parts["slope"], index=names, columns=given)
    return out


def implied_frames(fit: StructuralEstimates) -> dict[str, pd.DataFrame]:
    """Return the statistics that the model implies, as frames by name."""
    out: dict[str, pd.DataFrame] = {}
    own = own_fit(fit)
    for structure, at, end in zip(own.structures, own.at, endings(fit), strict=True):
        out |= frames_of(structure, at.vector, 1.0, end)
    return out


def sample_frames(fit: StructuralEstimates) -> dict[str, pd.DataFrame]:
    """Return the statistics that the model was fitted to, as frames by name."""
    out: dict[str, pd.DataFrame] = {}
    own = own_fit(fit)
    for structure, target, end in zip(own.structures, own.targets, endings(fit), strict=True):
        out |= frames_of(structure, target.observed, 1.0, end)
    return out


def residual_frames(
    fit: StructuralEstimates, kind: str, z: bool, spreads: Sequence[Floats] | None
) -> dict[str, pd.DataFrame]:
    """Return residuals as frames by name; see ``StructuralFit.residual_matrix``. spreads : for standard errors."""
    own = own_fit(fit)
    if z and kind == "cor.bollen" and not all(s.ordinal.all() for s in own.structures):
        what = 'z=True with kind="cor.bollen" is for models in which all variables are ordinal'
        raise SpecError(message(what, do='Take kind="cor.bentler" or "standardized"'))
    out: dict[str, pd.DataFrame] = {}
    for g, (structure, target, at, end) in enumerate(
        zip(own.structures, own.targets, own.at, endings(fit), strict=True)
    ):
        gap = target.observed - at.vector
        if spreads is not None:
            gap = _over(gap, spreads[g], NEAR_Z if z else NEAR)
        found = frames_of(structure, gap, 0.0, end)
        if spreads is None and kind != "raw":
            found |= _correlations(fit.saturated[g], fit.implied[g], structure, kind, end)
        out |= found
    return out


def _correlations(
    sample: Moments, model: Moments, structure: Structure, kind: str, end: str
) -> dict[str, pd.DataFrame]:
    """Return residuals of correlations, and of means in units of the sample's standard deviations."""
    names = list(structure.names)
    found = plain_residuals(sample, model, kind, True)
    out = {f"cov{end}": pd.DataFrame(found.cov, index=names, columns=names)}
    numeric = np.flatnonzero(~structure.ordinal)
    if found.mean is not None and numeric.size:
        out[f"mean{end}"] = pd.DataFrame({"mean": found.mean[numeric]}, index=[names[i] for i in numeric])
    return out


def _over(values: Floats, spread: Floats, near: float) -> Floats:
    """Return values over their standard errors; those near zero are kept, NaN where there is no error."""
    variance = spread.diagonal()
    error = np.sqrt(np.maximum(variance, 0.0))
    over = np.divide(values, error, out=np.full_like(values, np.nan), where=error > 0)
    return np.where(np.abs(values) < near, values, over)


def ordinal_sizes(fit: StructuralEstimates, kind: str, spreads: Sequence[Floats]) -> list[dict[str, ResidualSize]]:
    """Return the size of the residuals of correlations ("cov"), thresholds and both ("total") of each group."""
    own = own_fit(fit)
    if any(len(s.given) or not s.ordinal.all() for s in own.structures):
        what = "the size of residuals has a test only where all variables are ordinal and there are no covariates"
        raise SpecError(message(what, do='Look at residual_matrix("standardized"), or at srmr in fit_measures()'))
    out = []
    for structure, target, at, spread in zip(own.structures, own.targets, own.at, spreads, strict=True):
        gap, t, p = target.observed - at.vector, len(structure.owner), len(structure.own)
        more = 0 if kind == "cor.bollen" else p
        out.append(
            {
                "cov": size_of(gap[t:], spread[t:, t:], len(gap) - t + more),
                "threshold": size_of(gap[:t], spread[:t, :t], t),
                "total": size_of(gap, spread, len(gap) + more),
            }
        )
    return out
