"""The covariance matrix of one unit's rows, as the model says: random effects and residuals together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message, nearest
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.part import ResidualPart

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def unit_covariance(fit: GaussianFit, index: pd.Index, unit: object) -> pd.DataFrame:
    """Return the marginal covariance of the rows of one unit, labelled as in ``index`` (the rows used).

    The unit is one of the residual structure's ``by``, else of the finest grouping factor.

    Raises
    ------
    SpecError : the model has no unit whose rows are correlated. DesignError : no such unit.
    """
    name, labels, codes = _units(fit)
    if str(unit) not in labels:
        close = nearest(str(unit), labels)
        hint = f"Did you mean {close!r}? " if close else ""
        do = f"{hint}Units are: {', '.join(labels[:10])}{' ...' if len(labels) > 10 else ''}"
        raise DesignError(message(f"no '{name}' {unit!r} among the rows used", do=do))
    rows = np.flatnonzero(codes == labels.index(str(unit)))
    out = row_covariance(fit, rows)
    return pd.DataFrame(out, index=index[rows], columns=index[rows])


def row_covariance(fit: GaussianFit, rows: Ints) -> Floats:
    """Return the marginal covariance matrix of some of the rows used, (n, n)."""
    design = fit.design
    out = residual_covariance(fit, rows)
    for factor, matrix in zip(fit.factors, fit.covariances, strict=True):
        Z, codes = random_columns(design, factor.group)[rows], factor.codes[rows]
        out = out + np.where(codes[:, None] == codes, Z @ matrix @ Z.T, 0.0)
    return np.asarray(out)


def residual_covariance(fit: GaussianFit, rows: Ints) -> Floats:
    """Return the covariance matrix of the residuals of some of the rows used, (n, n)."""
    if fit.residual is None:
        weights = np.ones(len(fit.design.X)) if fit.design.weights is None else fit.design.weights
        return np.diag(fit.sigma**2 / weights[rows])
    scale = fit.sigma * fit.residual.rows.row_scale(fit.residual.phi)[rows]
    return np.asarray(scale[:, None] * _correlations(fit.residual, rows) * scale)


def _correlations(part: ResidualPart, rows: Ints) -> Floats:
    out = np.eye(len(rows))
    bound = part.correlation
    if bound is None:
        return out
    place = np.full(len(part.rows.order), -1)
    place[rows] = np.arange(len(rows))
    block_of = np.empty(len(part.rows.order), dtype=np.intp)
    block_of[bound.blocks.order] = bound.blocks.codes
    for block in np.unique(block_of[rows]).tolist():
        at = place[bound.blocks.rows(block)]
        known = at >= 0
        out[np.ix_(at[known], at[known])] = bound.matrix(part.correlation_phi, block)[np.ix_(known, known)]
    return out


def _units(fit: GaussianFit) -> tuple[str, tuple[str, ...], Ints]:
    """Return the name, the labels and the codes (in the order of the data) of the units."""
    part = fit.residual
    if part is not None and part.correlation is not None:
        blocks = part.correlation.blocks
        codes = np.empty(len(blocks.order), dtype=np.intp)
        codes[blocks.order] = blocks.codes
        return blocks.name, blocks.labels.all(), codes
    if not fit.factors:
        raise SpecError(
            message("the rows of this model are independent", do="A unit needs a random term or correlated residuals")
        )
    finest = fit.factors[fit.engine.chain[0].factor]
    return finest.group, finest.labels.all(), finest.codes
