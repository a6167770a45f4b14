"""Residuals of every kind, and leverages, one number per row used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import check_option
from alliancekit.multilevel.after.predict import fitted, row_error_variance
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.leverage import error_shares
from alliancekit.multilevel.residual.leverage import hat_values as with_structure

Floats = NDArray[np.float64]
KINDS = ("response", "pearson", "scaled", "marginal", "standardised", "normalized")


def residuals(fit: GaussianFit, kind: str = "response") -> Floats:
    """Return residuals of one kind, shape (n,); see ``MixedFit.residuals``."""
    check_option("kind", kind, KINDS)
    y = fit.design.y
    assert y is not None
    raw = np.asarray(y - fitted(fit, include_random=kind != "marginal"), dtype=np.float64)
    if kind in ("response", "marginal"):
        return raw
    part = fit.residual
    if kind == "normalized" and part is not None:
        out = np.empty_like(raw)
        out[part.rows.order] = part.rows.whiten(part.phi, raw[None])[0] / fit.sigma
        return out
    pearson = raw if fit.design.weights is None else raw * np.sqrt(fit.design.weights)
    if part is not None:
        pearson = raw / part.rows.row_scale(part.phi)
    if kind == "pearson":
        return pearson
    scaled = pearson / fit.sigma
    if kind in ("scaled", "normalized"):
        return scaled
    room = 1.0 - hat_values(fit) if part is None else error_shares(fit)
    return np.asarray(np.where(room > 1e-10, scaled / np.sqrt(np.maximum(room, 1e-300)), np.nan), dtype=np.float64)


def hat_values(fit: GaussianFit) -> Floats:
    """Return the leverage of each row: d fitted_i / d y_i with the variances held, shape (n,).

    It is the error variance of the fitted value over the row's residual variance (Nobre & Singer 2011, J Appl Stat 38,
    1063-1072); the leverages add up to the effective number of parameters of the mean. With a residual structure it is
    the diagonal of I - R P.
    """
    if fit.residual is not None:
        return with_structure(fit)
    variance, _ = row_error_variance(fit)
    return variance if fit.design.weights is None else np.asarray(variance * fit.design.weights, dtype=np.float64)
