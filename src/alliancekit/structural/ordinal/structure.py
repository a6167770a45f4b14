"""What a model says of ordinal and mixed variables: thresholds, slopes on covariates, variances and correlations.

Ordinal variables are cut from normal responses y*. Their scale is free to choose (Muthén & Asparouhov 2002, Mplus Web
Notes 4): in the delta parameterisation the scale 1 / sd(y*) is a parameter and the residual variance follows, in the
theta parameterisation it is the other way round. With covariates everything is conditional on these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.model import BlockModel, Entries, matrices
from alliancekit.structural.ordinal.statistics import pairs_of

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Vector:
    """Free entries of a vector: where they stand, and which parameter (from 0) each is."""

    places: Integers
    parameters: Integers


@dataclass(frozen=True, eq=False, slots=True)
class Structure:
    """One block; p modelled variables (ordinal or numeric), q covariates.

    Attributes
    ----------
    block : the matrices, moments of covariates set to zero. own, given : (p,), (q,) places of the modelled variables
        and of the covariates among those of the block. names : of the modelled variables. ordinal : (p,).
    owner : (t,) which modelled variable each threshold (or mean) belongs to. cuts : (t,) fixed thresholds, 0 of
        numeric variables. thresholds : the free ones. scales : (p,) fixed scales. free_scales : the free ones.
    theta : the parameterisation. chained : whether ordinal variables predict something. outside : (p,) covariates
        whose covariances are free, which stay so in the model of independence.
    """

    block: BlockModel
    own: Integers
    given: Integers
    names: tuple[str, ...]
    ordinal: Booleans
    owner: Integers
    cuts: Floats
    thresholds: Vector
    scales: Floats
    free_scales: Vector
    theta: bool
    chained: bool
    outside: Booleans


@dataclass(frozen=True, eq=False, slots=True)
class At:
    """A block at some parameters.

    Attributes
    ----------
    vector : (m,) statistics. jacobian : (m, size) their derivatives. S : (v, v) covariances with the residual variances
        of ordinal variables.
    residuals : (r, size) derivatives of these variances (delta parameterisation), in the order of the ordinal
        variables. scales : (p,). scale_slopes : (p, size) their derivatives.
    mu : (p,) means and sigma : (p, p) covariances, of responses scaled by ``scales`` to a variance of one, given the
        covariates. slopes : (p, q), scaled.
    """

    vector: Floats
    jacobian: Floats
    S: Floats
    residuals: Floats
    scales: Floats
    scale_slopes: Floats
    mu: Floats
    sigma: Floats
    slopes: Floats


def evaluate(structure: Structure, x: Floats, *, complete: bool = False) -> At | None:
    """Return the statistics and their derivatives at ``x``; None where a response has no positive variance.

    complete : also work out residual variances, and their derivatives, that no statistic depends on.
    """
    block, own = structure.block, structure.own
    _, S, m, B = matrices(block, x)
    FB, levels = B[own], B @ m
    scales = structure.scales.copy()
    scales[structure.free_scales.places] = x[structure.free_scales.parameters]
    implied = not structure.theta and (structure.chained or complete)
    if implied:
        _fill_residuals(structure, FB, S, scales)
    spread = FB @ S @ B.T
    sigma = spread[:, own]
    if structure.theta:
        variance = sigma.diagonal()[structure.ordinal]
        if not (variance > 0).all():
            return None
        scales[structure.ordinal] = 1.0 / np.sqrt(variance)
    raw = _Raw(FB, B, spread, levels, x.size)
    return _scaled(structure, raw, x, S, scales, sigma, implied)


def _fill_residuals(structure: Structure, FB: Floats, S: Floats, scales: Floats) -> None:
    """Write the residual variances of ordinal variables that bring their responses to the variance of the scales."""
    ordinal = structure.ordinal
    places = structure.own[ordinal]
    S[places, places] = 0.0
    rows = FB[ordinal]
    left = 1.0 / scales[ordinal] ** 2 - np.einsum("ij,jk,ik->i", rows, S, rows)
    S[places, places] = np.linalg.solve(rows[:, places] ** 2, left) if structure.chained else left


@dataclass(frozen=True, eq=False, slots=True)
class _Raw:
    """Matrices that the derivatives of the unscaled moments need."""

    FB: Floats
    B: Floats
    spread: Floats
    levels: Floats
    size: int


def _scaled(
    structure: Structure,
    raw: _Raw,
    x: Floats,
    S: Floats,
    scales: Floats,
    sigma: Floats,
    implied: bool,
) -> At:
    """Return statistics and derivatives, from raw moments and scales."""
    own, owner, ordinal = structure.own, structure.owner, structure.ordinal
    p, q, size = len(own), len(structure.given), raw.size
    one, other = pairs_of(p)
    by_mean, by_variance, by_cov = _raw_slopes(structure, raw, one, other)
    logs = np.zeros((p, size))
    free = structure.free_scales
    if structure.theta:
        logs[ordinal] = -0.5 * by_variance[ordinal] / sigma.diagonal()[ordinal][:, None]
    else:
        logs[free.places, free.parameters] = 1.0 / scales[free.places]
    residuals = np.zeros((0, size))
    if implied:
        residuals = _residual_slopes(structure, raw, scales, logs, by_variance)
        if structure.chained:
            effect = raw.FB[:, own[ordinal]]
            by_cov = by_cov + (effect[one] * effect[other]) @ residuals
            by_variance = by_variance + effect**2 @ residuals
    mu = raw.levels[own]
    cuts = structure.cuts.copy()
    cuts[structure.thresholds.places] = x[structure.thresholds.parameters]
    levels = scales[owner] * (cuts - mu[owner])
    by_level = -scales[owner][:, None] * by_mean[owner] + levels[:, None] * logs[owner]
    by_level[structure.thresholds.places, structure.thresholds.parameters] += scales[owner[structure.thresholds.places]]
    scaled = sigma * np.outer(scales, scales)
    cor = scaled[one, other]
    parts = [levels, scaled.diagonal()[~ordinal], cor]
    slope_parts = [by_level, by_variance[~ordinal]]
    slope_parts.append((scales[one] * scales[other])[:, None] * by_cov + cor[:, None] * (logs[one] + logs[other]))
    slopes = np.zeros((p, q))
    if q:
        slopes = scales[:, None] * raw.FB[:, structure.given]
        parts.insert(1, slopes.T.ravel())
        slope_parts.insert(1, _by_slopes(structure, raw, scales, slopes, logs))
    full = scaled.copy()
    full[ordinal, ordinal] = 1.0
    return At(
        np.concatenate(parts),
        np.concatenate(slope_parts),
        S,
        residuals,
        scales,
        logs * scales[:, None],
        mu,
        full,
        slopes,
    )


def _raw_slopes(structure: Structure, raw: _Raw, one: Integers, other: Integers) -> tuple[Floats, Floats, Floats]:
    """Return derivatives of means (p, size), variances (p, size) and covariances (P, size) before scaling."""
    d, c, i = structure.block.directed, structure.block.covariances, structure.block.intercepts
    p = len(structure.own)
    by_mean, by_variance, by_cov = (np.zeros((k, raw.size)) for k in (p, p, len(one)))
    by_mean[:, d.parameters] = raw.FB[:, d.rows] * raw.levels[d.columns]
    by_mean[:, i.parameters] = raw.FB[:, i.rows]
    half = np.where(c.rows == c.columns, 0.5, 1.0)
    U = np.hstack([raw.FB[:, d.rows], raw.FB[:, c.rows]])
    V = np.hstack([raw.spread[:, d.columns], raw.FB[:, c.columns] * half])
    parameters = np.concatenate([d.parameters, c.parameters])
    by_variance[:, parameters] = 2.0 * U * V
    by_cov[:, parameters] = U[one] * V[other] + V[one] * U[other]
    return by_mean, by_variance, by_cov


def _residual_slopes(structure: Structure, raw: _Raw, scales: Floats, logs: Floats, by_variance: Floats) -> Floats:
    """Return the derivatives (r, size) of residual variances that keep the responses at their scales."""
    ordinal = structure.ordinal
    target = -2.0 / scales[ordinal][:, None] ** 2 * logs[ordinal] - by_variance[ordinal]
    if not structure.chained:
        return target
    effect = raw.FB[np.ix_(ordinal, structure.own[ordinal])] ** 2
    return np.asarray(np.linalg.solve(effect, target), dtype=np.float64)


def _by_slopes(structure: Structure, raw: _Raw, scales: Floats, slopes: Floats, logs: Floats) -> Floats:
    """Return the derivatives (q p, size) of the slopes on covariates, covariate by covariate."""
    d = structure.block.directed
    p, q = slopes.shape
    out = np.zeros((q, p, raw.size))
    moved = raw.FB[:, d.rows][None] * raw.B[d.columns][:, structure.given].T[:, None, :]
    out[:, :, d.parameters] = scales[None, :, None] * moved
    out += slopes.T[:, :, None] * logs[None]
    return out.reshape(q * p, raw.size)


def widen(structure: Structure, block: BlockModel, scales: Sequence[tuple[int, int]]) -> Structure:
    """Return the structure with other free entries in its matrices and scales, and no free thresholds."""
    return replace(structure, block=block, thresholds=vector_of([]), free_scales=vector_of(scales))


def renumber(structure: Structure, observed: Floats, kept: Booleans) -> Structure:
    """Return the structure with thresholds fixed as observed, and the parameters that are kept numbered anew."""
    number = np.cumsum(kept) - 1
    block = structure.block

    def moved(entries: Entries) -> Entries:
        """The same places with new numbers."""
        return Entries(entries.rows, entries.columns, number[entries.parameters])

    block = replace(
        block,
        directed=moved(block.directed),
        covariances=moved(block.covariances),
        intercepts=moved(block.intercepts),
    )
    return replace(structure, block=block, cuts=observed[: len(structure.owner)], thresholds=vector_of([]))


def vector_of(pairs: Sequence[tuple[int, int]]) -> Vector:
    """Return free entries of a vector from (place, parameter)."""
    array = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return Vector(array[:, 0].copy(), array[:, 1].copy())
