"""First and second derivatives of the covariance of rows by its natural parameters, as stacks of matrices.

Where a parametrisation is linear it is taken, so that second derivatives are zero: (co)variances of random effects;
variances of strata; for compound symmetry and unstructured residuals of equal variance the variance and covariances;
for unstructured residuals (MMRM) the covariance matrix. Otherwise the parameters are those of SAS PROC MIXED, variances
of strata and correlations; with variances by a power of a covariate they are the power and the variance at the
geometric mean of the covariate (sigma^2, at a covariate of one, may lie far outside the data).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.compound_symmetry import BoundCompoundSymmetry
from alliancekit.multilevel.residual.dense import (
    block_codes,
    correlations,
    distances,
    in_data_order,
    powers,
    row_sd,
)
from alliancekit.multilevel.residual.markov import Markov
from alliancekit.multilevel.residual.part import ResidualPart
from alliancekit.multilevel.residual.unstructured import BoundUnstructured, Unstructured

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Derivatives:
    """Of V by k parameters, the residual's last; L stacked units of n rows.

    first : (k, L, n, n). second : (m, m, L, n, n), by the last m parameters, or None where V is linear in them.
    """

    first: Floats
    second: Floats | None


def covariance_derivatives(fit: GaussianFit, rows: Ints) -> Derivatives:
    """Return the derivatives for stacked rows, (L, n)."""
    assert fit.residual is not None
    linear = _linear(fit, fit.residual, rows)
    first, second = (linear, None) if linear is not None else _general(fit, fit.residual, rows)
    random = _random(fit, rows)
    return Derivatives(np.concatenate([random, first]) if len(random) else first, second)


def n_parameters(fit: GaussianFit) -> tuple[int, int]:
    """Return the number of first derivatives, and of those that may have second ones."""
    one = np.zeros((1, 1), dtype=np.intp)
    found = covariance_derivatives(fit, one)
    return len(found.first), 0 if found.second is None else len(found.second)


def _random(fit: GaussianFit, rows: Ints) -> Floats:
    """Return Z_a Z_b' + Z_b Z_a' for each free (co)variance, in the engine's basis."""
    out = []
    for factor in fit.factors:
        Z = (random_columns(fit.design, factor.group) @ factor.basis)[rows]
        codes = factor.codes[rows]
        same = codes[:, :, None] == codes[:, None, :]
        for a, b in factor.free:
            product = Z[:, :, a, None] * Z[:, None, :, b]
            out.append(np.where(same, product if a == b else product + product.transpose(0, 2, 1), 0.0))
    return np.array(out)


def _linear(fit: GaussianFit, part: ResidualPart, rows: Ints) -> Floats | None:
    """Return the derivatives of the residual covariance where it is linear in its parameters, else None."""
    bound, variance = part.correlation, part.variance
    root = part.rows.root_weights
    scale = np.asarray(in_data_order(part, 1.0 / root), dtype=np.float64)[rows]
    unit = scale[:, :, None] * scale[:, None, :]
    same_row = np.broadcast_to(np.eye(rows.shape[1], dtype=bool), unit.shape)
    if bound is None:
        if variance is None or variance.strata is None:
            return None
        strata = _strata(part)[rows]
        return np.array(
            [np.where(same_row & (strata[:, :, None] == k), unit, 0.0) for k in range(len(variance.labels))]
        )
    if not part.free[: part.rows.n_correlation].all():
        return None
    codes = block_codes(part)
    assert codes is not None
    same = codes[rows][:, :, None] == codes[rows][:, None, :]
    if isinstance(bound, BoundUnstructured):
        occasion = np.asarray(in_data_order(part, bound.codes), dtype=np.intp)[rows]
        pair = (
            np.minimum(occasion[:, :, None], occasion[:, None, :]),
            np.maximum(occasion[:, :, None], occasion[:, None, :]),
        )
        cells = [np.where(same & (pair[0] == i) & (pair[1] == j), unit, 0.0) for i, j in bound.pairs]
        if variance is None:
            return np.array([np.where(same_row, unit, 0.0), *cells])
        structure = part.structure
        if isinstance(structure, Unstructured):
            sizes = range(len(bound.occasions))
            own = [np.where(same_row & (occasion[:, :, None] == k), unit, 0.0) for k in sizes]
            return np.array([*own, *cells])
    elif isinstance(bound, BoundCompoundSymmetry) and variance is None:
        return np.array([np.where(same_row, unit, 0.0), np.where(same & ~same_row, unit, 0.0)])
    return None


def _strata(part: ResidualPart) -> Ints:
    assert part.variance is not None and part.variance.strata is not None
    return np.asarray(in_data_order(part, part.variance.strata), dtype=np.intp)


def _general(fit: GaussianFit, part: ResidualPart, rows: Ints) -> tuple[Floats, Floats]:
    """Return both derivatives of R = D C D by the variances (or sigma^2 and the power) and the correlations.

    With l the logs of the SDs and D_r = dl_i/dg_r + dl_j/dg_r: dR = R D_r, d2R = R (D_r D_s + d2l_i + d2l_j).
    """
    sd = row_sd(fit)[rows]
    sizes = sd[:, :, None] * sd[:, None, :]
    R = sizes * correlations(fit, rows)
    slope, bend = _log_sd(fit, part)
    both = slope[:, rows][:, :, :, None] + slope[:, rows][:, :, None, :]
    turn = bend[:, rows][:, :, :, None] + bend[:, rows][:, :, None, :]
    first = [R * one for one in both]
    by_correlation, curved = _correlation_slopes(part, rows)
    first += [sizes * one for one in by_correlation]
    m, v = len(first), len(both)
    second = np.zeros((m, m, *R.shape))
    for r in range(v):
        for s in range(v):
            second[r, s] = R * (both[r] * both[s] + (turn[r] if r == s else 0.0))
        for c in range(v, m):
            second[r, c] = second[c, r] = first[c] * both[r]
    if curved is not None:
        second[v, v] = sizes * curved
    return np.array(first), second


def _log_sd(fit: GaussianFit, part: ResidualPart) -> tuple[Floats, Floats]:
    """Return the first and the (diagonal) second derivatives of the log SD of each row, (parameters, n)."""
    n, variance, sigma2 = len(part.rows.order), part.variance, fit.sigma**2
    if variance is None:
        return np.full((1, n), 0.5 / sigma2), np.full((1, n), -0.5 / sigma2**2)
    if variance.strata is None:
        size = np.asarray(in_data_order(part, variance.slopes[0]), dtype=np.float64)
        middle = float(size.mean())
        centre = sigma2 * float(np.exp(2.0 * part.variance_phi[0] * middle))
        return np.array([np.full(n, 0.5 / centre), size - middle]), np.array([np.full(n, -0.5 / centre**2), 0.0 * size])
    strata, count = _strata(part), len(variance.labels)
    values = sigma2 * np.concatenate([[1.0], variance.natural(part.variance_phi) ** 2])
    own = strata == np.arange(count)[:, None]
    return np.where(own, 0.5 / values[:, None], 0.0), np.where(own, -0.5 / values[:, None] ** 2, 0.0)


def _correlation_slopes(part: ResidualPart, rows: Ints) -> tuple[list[Floats], Floats | None]:
    """Return the derivatives of C by its natural parameters, and the second one where there is a single parameter."""
    bound = part.correlation
    if bound is None or not part.free[: part.rows.n_correlation].all():
        return [], None
    codes = block_codes(part)
    assert codes is not None
    same = codes[rows][:, :, None] == codes[rows][:, None, :]
    apart = same & ~np.eye(rows.shape[1], dtype=bool)
    if isinstance(bound, BoundUnstructured):
        occasion = np.asarray(in_data_order(part, bound.codes), dtype=np.intp)[rows]
        low = np.minimum(occasion[:, :, None], occasion[:, None, :])
        high = np.maximum(occasion[:, :, None], occasion[:, None, :])
        return [(apart & (low == i) & (high == j)).astype(float) for i, j in bound.pairs], None
    if isinstance(bound, Markov):
        d, value = distances(part, bound, rows), float(bound.natural(part.correlation_phi)[0])
        one = np.where(apart, d * powers(value, d - 1.0), 0.0)
        two = np.where(apart & (d != 1), d * (d - 1.0) * powers(value, d - 2.0), 0.0)
        return [one], two
    return [apart.astype(float)], None
