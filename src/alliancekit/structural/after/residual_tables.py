"""Residuals of a fitted model as tables, and their size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.structural.after import ordinal_residuals
from alliancekit.structural.after.group_views import free_directions, group_views
from alliancekit.structural.after.residuals import (
    CLOSE,
    KINDS,
    Residuals,
    ResidualSize,
    plain_residuals,
    rescale_spread,
    residual_sizes,
    residual_spread,
    scaled_residuals,
    z_residuals,
)
from alliancekit.structural.after.whole import block_titles
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.likelihood.inference import inverse_information

Floats = NDArray[np.float64]
PLAIN = ("raw", "cor.bentler", "cor.bollen")


def residual_tables(fit: StructuralEstimates, kind: str, z: bool) -> dict[str, pd.DataFrame]:
    """Return residuals as frames by name; see ``StructuralFit.residual_matrix``."""
    check_option("kind", kind, KINDS)
    if fit.ordinal is not None:
        spreads = _spreads(fit, kind) if z or kind not in PLAIN else None
        return ordinal_residuals.residual_frames(fit, kind, z, spreads)
    out: dict[str, pd.DataFrame] = {}
    found = residuals_of(fit, kind, z)
    for title, block, part in zip(block_titles(fit.table), fit.model.blocks, found, strict=True):
        names, end = list(block.observed), " ".join(["", *title.values()])
        out[f"cov{end}"] = pd.DataFrame(part.cov, index=names, columns=names)
        if part.mean is not None:
            out[f"mean{end}"] = pd.DataFrame({"mean": part.mean}, index=names)
    return out


def residuals_of(fit: StructuralEstimates, kind: str, z: bool = False) -> list[Residuals]:
    """Return residuals of each block; z : of correlations, over their standard errors."""
    means = has_means(fit)
    if kind in PLAIN and not z:
        return [plain_residuals(s, m, kind, means) for s, m in zip(fit.saturated, fit.implied, strict=True)]
    _one_level(fit)
    out = []
    spreads = _spreads(fit, kind)
    for spread, sample, model in zip(spreads, fit.saturated, fit.implied, strict=True):
        if kind in PLAIN:
            plain = plain_residuals(sample, model, kind, means)
            out.append(z_residuals(plain, rescale_spread(spread, sample, kind, means), means))
        else:
            out.append(scaled_residuals(sample, model, means, spread))
    return out


def _spreads(fit: StructuralEstimates, kind: str) -> list[Floats]:
    """Return the covariance matrix of each group's residuals; of "normalized" ones, of the observed moments alone."""
    return [view.spread() for view in group_views(fit)] if kind == "normalized" else residual_spreads(fit)


def has_means(fit: StructuralEstimates) -> bool:
    """Return whether means are among the moments."""
    return fit.model.means or fit.table.n_levels > 1


def residual_spreads(fit: StructuralEstimates) -> list[Floats]:
    """Return the covariance matrix of the raw residuals of each group."""
    views = group_views(fit)
    information = np.sum([v.n * v.jacobian.T @ v.curvature() @ v.jacobian for v in views], axis=0)
    bread = inverse_information(information, free_directions(fit))
    return [residual_spread(view, bread) for view in views]


def size_table(fit: StructuralEstimates, kind: str) -> pd.DataFrame:
    """Return the size of the residuals, one row per group and part; see ``StructuralFit.residual_size``."""
    check_option("kind", kind, PLAIN)
    _one_level(fit)
    rows = []
    for title, found in zip(block_titles(fit.table), _sizes(fit, kind), strict=True):
        for part, s in found.items():
            row = title | {"part": part, "size": s.size, "std_error": s.std_error, "exact_z": s.exact_z}
            row |= {"exact_p": s.exact_p, "unbiased": s.unbiased, "unbiased_std_error": s.unbiased_error}
            row |= {"conf_low": s.low, "conf_high": s.high, "close_value": CLOSE}
            rows.append(row | {"close_z": s.close_z, "close_p": s.close_p})
    return pd.DataFrame(rows)


def _sizes(fit: StructuralEstimates, kind: str) -> list[dict[str, ResidualSize]]:
    """Return the size of the residuals of each part of each group."""
    if fit.ordinal is not None:
        return ordinal_residuals.ordinal_sizes(fit, kind, residual_spreads(fit))
    means, out = has_means(fit), []
    for spread, sample, model in zip(residual_spreads(fit), fit.saturated, fit.implied, strict=True):
        plain = plain_residuals(sample, model, kind, means)
        out.append(residual_sizes(plain, rescale_spread(spread, sample, kind, means), kind, means))
    return out


def _one_level(fit: StructuralEstimates) -> None:
    if fit.table.n_levels > 1:
        what = "residuals of two-level models have no standard errors"
        raise SpecError(message(what, do='Use kind="raw", "cor.bentler" or "cor.bollen" without z'))
