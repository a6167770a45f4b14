"""Whole covariance matrices of rows that may be correlated, for what cross-products of whitened rows cannot answer.

Rows fall into units that share no random effect and no block of correlated residuals; V is block-diagonal over them.
Units of one size are stacked, rows (L, n) in the order of the data, so that matrices are (L, n, n).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.compound_symmetry import BoundCompoundSymmetry
from alliancekit.multilevel.residual.markov import Markov
from alliancekit.multilevel.residual.part import ResidualPart
from alliancekit.multilevel.residual.unstructured import BoundUnstructured

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
CHUNK = 4_000_000  # numbers held at once for one stack


def in_data_order(part: ResidualPart, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return what is known of rows in the structure's order, last axis, in the order of the data."""
    out = np.empty_like(values)
    out[..., part.rows.order] = values
    return out


def block_codes(part: ResidualPart) -> Ints | None:
    """Return the block of correlated residuals of each row, in the order of the data; None without a correlation."""
    if part.correlation is None:
        return None
    return np.asarray(in_data_order(part, part.correlation.blocks.codes), dtype=np.intp)


def independent_units(fit: GaussianFit) -> Ints:
    """Return, for each row, the code of its unit, (n,): rows of two units are uncorrelated."""
    groupings = [factor.codes for factor in fit.factors]
    blocks = None if fit.residual is None else block_codes(fit.residual)
    if blocks is not None:
        groupings.append(blocks)
    label = np.arange(len(fit.design.X), dtype=np.intp)
    while True:
        before = label
        for codes in groupings:
            least = np.full(int(codes.max()) + 1, len(label), dtype=np.intp)
            np.minimum.at(least, codes, label)
            label = least[codes]
        if np.array_equal(label, before):
            return np.asarray(np.unique(label, return_inverse=True)[1].reshape(-1), dtype=np.intp)


def stacks(codes: Ints, matrices: int = 1) -> Iterator[tuple[Ints, Ints]]:
    """Yield (units, rows) for units of one size: shapes (L,) and (L, n); ``matrices`` (n, n) are held for each."""
    sizes = np.bincount(codes)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for size in np.unique(sizes):
        units = np.flatnonzero(sizes == size)
        step = max(1, int(CHUNK // max(1, matrices * int(size) ** 2)))
        for first in range(0, len(units), step):
            chosen = units[first : first + step]
            yield chosen, order[starts[chosen][:, None] + np.arange(size)]


def row_sd(fit: GaussianFit) -> Floats:
    """Return the residual SD of each row, (n,)."""
    if fit.residual is not None:
        return np.asarray(fit.sigma * fit.residual.rows.row_scale(fit.residual.phi))
    weights = np.ones(len(fit.design.X)) if fit.design.weights is None else fit.design.weights
    return np.asarray(fit.sigma / np.sqrt(weights))


def correlations(fit: GaussianFit, rows: Ints) -> Floats:
    """Return the correlation matrices of the residuals of stacked rows, (L, n, n)."""
    part = fit.residual
    out = np.broadcast_to(np.eye(rows.shape[1]), (*rows.shape, rows.shape[1])).copy()
    if part is None or part.correlation is None:
        return out
    same = _same_block(part, rows)
    bound, phi = part.correlation, part.correlation_phi
    if isinstance(bound, Markov):
        value = powers(float(bound.natural(phi)[0]), distances(part, bound, rows))
    elif isinstance(bound, BoundUnstructured):
        occasion = np.asarray(in_data_order(part, bound.codes), dtype=np.intp)[rows]
        value = bound.correlation(phi)[occasion[:, :, None], occasion[:, None, :]]
    else:
        assert isinstance(bound, BoundCompoundSymmetry)
        value = np.full(same.shape, float(bound.natural(phi)[0]))
    return np.where(same & (out == 0), value, out)


def _same_block(part: ResidualPart, rows: Ints) -> NDArray[np.bool_]:
    codes = block_codes(part)
    assert codes is not None
    return np.asarray(codes[rows][:, :, None] == codes[rows][:, None, :])


def distances(part: ResidualPart, bound: Markov, rows: Ints) -> Floats:
    """Return the distances in time of stacked rows, (L, n, n)."""
    time = np.asarray(in_data_order(part, bound.time), dtype=np.float64)[rows]
    return np.abs(time[:, :, None] - time[:, None, :])


def powers(base: float, exponent: Floats) -> Floats:
    """Return base^exponent; zero to the power of zero is one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(exponent == 0, 1.0, np.power(base, exponent)))


def covariance(fit: GaussianFit, rows: Ints) -> tuple[Floats, Floats]:
    """Return the marginal covariance V and that of the residuals, of stacked rows, each (L, n, n)."""
    sd = row_sd(fit)[rows]
    residual = sd[:, :, None] * correlations(fit, rows) * sd[:, None, :]
    out = residual.copy()
    for factor, matrix in zip(fit.factors, fit.covariances, strict=True):
        Z, codes = random_columns(fit.design, factor.group)[rows], factor.codes[rows]
        out += np.where(codes[:, :, None] == codes[:, None, :], Z @ matrix @ Z.transpose(0, 2, 1), 0.0)
    return out, residual
