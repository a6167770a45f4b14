"""One-step deletion of very many units at once, for nested designs.

At one theta the elimination is run once for all rows; leaving out a row or a level changes only the blocks on its path
up the chain, which are eliminated again for all units together (last axis = unit). Estimates are carried from theta to
each unit's own theta, one Newton step away, along their slopes (central differences over all units at once).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.deletion import LOST, EngineRows, Remaining, curvature, engine_rows
from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import relative_factor

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_CELLS = 3_000_000  # most numbers of one working array


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Units to leave out: level ``codes`` (D,) of link ``link`` of the chain; or, where ``rows`` is given, row by row.

    In the second case ``codes`` are the levels of the first link that the rows stand in.
    """

    link: int
    codes: Ints
    rows: Ints | None


@dataclass(frozen=True, slots=True, eq=False)
class _Link:
    """What eliminating a link leaves, by level. block : (a, a + p + 1, L) before. schur : what the parents get.
    tail : (p + 1, p + 1, L) taken from the shared corner. log_det : (L,). below_* : the same of all links below."""

    block: Floats
    schur: Floats
    tail: Floats
    log_det: Floats
    below_tail: Floats
    below_log_det: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Quantities:
    """Of each unit at one theta, engine basis: deviance (D,), beta (D, p), vcov (D, p, p), sigma (D,)."""

    deviance: Floats
    beta: Floats
    vcov: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Gone:
    """What each unit takes along: count (D,), log_weights (D,), corner (p + 1, p + 1, D) of [X y] with itself."""

    count: Floats
    log_weights: Floats
    corner: Floats


def one_step(design: Design, engine: GaussianDesign, theta: Floats, reml: bool, units: Units) -> Remaining:
    """Return the estimates without each unit after one Newton step of theta; see ``deletion.refit_without``."""
    rows, hessian = engine_rows(design, engine), curvature(engine, theta, reml)
    block = _first_block(engine, rows)
    size = max(_CELLS // block.shape[1] ** 2, 1)
    pieces = []
    for start in range(0, len(units.codes), size):
        part = slice(start, start + size)
        some = Units(units.link, units.codes[part], None if units.rows is None else units.rows[part])
        pieces.append(_piece(engine, theta, reml, some, rows, block, hessian))
    covariances = tuple(np.concatenate(parts) for parts in zip(*(p.covariances for p in pieces), strict=True))
    beta, vcov, sigma, converged = (
        np.concatenate([getattr(p, name) for p in pieces]) for name in ("beta", "vcov", "sigma", "converged")
    )
    return Remaining(beta, vcov, sigma, covariances, converged)


def _piece(
    engine: GaussianDesign,
    theta: Floats,
    reml: bool,
    units: Units,
    rows: EngineRows,
    whole: Floats,
    hessian: Floats,
) -> Remaining:
    gone = _gone(engine, units, rows)
    here = _without(engine, theta, reml, units, rows, whole, gone)
    moved = _Quantities(*(getattr(here, f.name).copy() for f in fields(_Quantities)))
    slopes = []
    for i in range(theta.size):
        h = 1e-3 * max(abs(theta[i]), 0.1)
        step = np.zeros(theta.size)
        step[i] = h
        up, down = (_without(engine, theta + s * step, reml, units, rows, whole, gone) for s in (1.0, -1.0))
        slopes.append(_Quantities(*((getattr(up, f.name) - getattr(down, f.name)) / (2 * h) for f in fields(up))))
    gradient = np.stack([s.deviance for s in slopes], axis=1) if slopes else np.zeros((len(units.codes), 0))
    away = -np.linalg.solve(hessian, gradient.T).T if theta.size else gradient
    for i, slope in enumerate(slopes):
        for name in ("beta", "vcov", "sigma"):
            target, change = getattr(moved, name), getattr(slope, name)
            target += away[:, i].reshape(-1, *[1] * (change.ndim - 1)) * change
    basis = engine.fixed_basis
    return Remaining(
        beta=moved.beta @ basis.T + engine.y_shift,
        vcov=basis @ moved.vcov @ basis.T,
        sigma=moved.sigma,
        covariances=_covariances(engine, theta + away, moved.sigma),
        converged=np.isfinite(moved.sigma),
    )


def _covariances(engine: GaussianDesign, thetas: Floats, sigma: Floats) -> tuple[Floats, ...]:
    """Return, per factor, the covariance matrices at each unit's theta, (D, q, q), in the user's columns."""
    out = []
    for factor, where in zip(engine.factors, engine.slices, strict=True):
        relative = np.zeros((len(thetas), factor.q, factor.q))
        for values, (i, j) in zip(thetas[:, where].T, factor.free, strict=True):
            relative[:, i, j] = values
        root = sigma[:, None, None] * (factor.basis @ relative)
        out.append(root @ root.transpose(0, 2, 1))
    return tuple(out)


def _gone(engine: GaussianDesign, units: Units, rows: EngineRows) -> _Gone:
    columns = np.concatenate([rows.X, rows.y[:, None]], axis=1)
    if units.rows is not None:
        own = columns[units.rows]
        corner = np.einsum("di,dj->ijd", own, own)
        return _Gone(np.ones(len(units.rows)), rows.log_weights[units.rows], corner)
    factor = engine.factors[engine.chain[units.link].factor]
    codes, L, width = factor.codes, factor.n_levels, columns.shape[1]
    corner = np.empty((width, width, len(units.codes)))
    for i in range(width):
        for j in range(i, width):
            corner[i, j] = corner[j, i] = np.bincount(codes, columns[:, i] * columns[:, j], L)[units.codes]
    count = np.bincount(codes, minlength=L)[units.codes].astype(float)
    return _Gone(count, _bincount(codes, rows.log_weights, L)[units.codes], corner)


def _without(
    engine: GaussianDesign, theta: Floats, reml: bool, units: Units, rows: EngineRows, whole: Floats, gone: _Gone
) -> _Quantities:
    """Return the quantities of every unit's reduced data at one theta; ``whole`` are the products of all rows."""
    links = _chain(engine, theta, whole)
    width = engine.products.p + 1
    codes, position = units.codes, units.link
    start = links[position]
    if units.rows is None:
        block = np.zeros((*start.block.shape[:2], len(codes)))
        tail, log_det = start.below_tail[..., codes], -start.below_log_det[codes]
    else:
        own = np.concatenate([rows.chain, rows.X, rows.y[:, None]], axis=1)[units.rows]
        block = start.block[..., codes] - np.einsum("di,dj->ijd", own[:, : start.block.shape[0]], own)
        tail, log_det = np.zeros((width, width, len(codes))), np.zeros(len(codes))
    while True:
        link = links[position]
        schur, change, value = _eliminate(engine, theta, position, block)
        tail = tail + link.tail[..., codes] - change
        log_det = log_det + value - link.log_det[codes]
        parent = engine.chain[position].parent
        if parent is None:
            break
        above = parent[codes]
        block = links[position + 1].block[..., above] - link.schur[..., codes] + schur
        codes, position = above, position + 1
    corner = _corner(engine) - sum(link.tail.sum(axis=2) for link in links)
    total = sum(float(link.log_det.sum()) for link in links)
    return _profile(engine, reml, gone, corner[:, :, None] - gone.corner + tail, total + log_det)


def _corner(engine: GaussianDesign) -> Floats:
    products = engine.products
    out = np.empty((products.p + 1, products.p + 1))
    out[:-1, :-1] = products.total
    out[:-1, -1] = out[-1, :-1] = products.total_response
    out[-1, -1] = products.yy
    return out


def _profile(engine: GaussianDesign, reml: bool, gone: _Gone, tail: Floats, log_det: Floats) -> _Quantities:
    """Profile beta and sigma out of every unit's corner, shape (p + 1, p + 1, D)."""
    p, D = engine.products.p, tail.shape[2]
    stack = np.moveaxis(tail, 2, 0)
    fixed, cross, yy = stack[:, :p, :p], stack[:, :p, p], stack[:, p, p]
    n = engine.products.n - gone.count
    usable = n > p
    if p:
        before = np.linalg.eigvalsh(_corner(engine)[:p, :p])[0]
        left = np.linalg.eigvalsh(_corner(engine)[:p, :p] - np.moveaxis(gone.corner, 2, 0)[:, :p, :p])[:, 0]
        usable &= (left > LOST * before) & (np.linalg.eigvalsh(fixed)[:, 0] > 0)
    fixed = np.where(usable[:, None, None], fixed, np.eye(p))
    inverse = np.linalg.inv(fixed)
    beta = np.einsum("dij,dj->di", inverse, cross)
    r2 = np.maximum(yy - np.einsum("di,di->d", beta, cross), np.finfo(float).tiny)
    dof = np.where(usable, n - (p if reml else 0), 1.0)
    log_weights = engine.products.log_weights - gone.log_weights
    deviance = log_det + dof * (1.0 + np.log(2 * np.pi * r2 / dof)) - log_weights
    if reml and p:
        deviance = deviance + np.linalg.slogdet(fixed)[1]
    sigma = np.where(usable, np.sqrt(r2 / dof), np.nan)
    return _Quantities(
        np.where(usable, deviance, 0.0),
        np.where(usable[:, None], beta, np.nan).reshape(D, p),
        (sigma**2)[:, None, None] * inverse,
        sigma,
    )


def _first_block(engine: GaussianDesign, rows: EngineRows) -> Floats:
    """Return the products of all the chain's columns with themselves and [X y] within the levels of the first link.

    Shape (a, a + p + 1, L). The engine keeps those of the factors above by their own levels only.
    """
    first = engine.factors[engine.chain[0].factor]
    columns = np.concatenate([rows.chain, rows.X, rows.y[:, None]], axis=1)
    a, width = rows.chain.shape[1], columns.shape[1]
    block = np.empty((a, width, first.n_levels))
    for i in range(a):
        for j in range(i, width):
            block[i, j] = _bincount(first.codes, columns[:, i] * columns[:, j], first.n_levels)
            if j < a:
                block[j, i] = block[i, j]
    return block


def _chain(engine: GaussianDesign, theta: Floats, block: Floats) -> list[_Link]:
    """Eliminate the chain of all rows, keeping what each level of each link contributes."""
    width = engine.products.p + 1
    below_tail, below_log_det = np.zeros((width, width, block.shape[2])), np.zeros(block.shape[2])
    links: list[_Link] = []
    for position, link in enumerate(engine.chain):
        schur, tail, log_det = _eliminate(engine, theta, position, block)
        links.append(_Link(block, schur, tail, log_det, below_tail, below_log_det))
        if link.parent is None:
            break
        L = engine.chain[position + 1].n_levels
        block = _gather(schur, link.parent, L)
        below_tail = _gather(tail + below_tail, link.parent, L)
        below_log_det = _bincount(link.parent, log_det + below_log_det, L)
    return links


def _gather(stack: Floats, parent: Ints, n_levels: int) -> Floats:
    """Add up the last axis over the levels of each parent."""
    flat = stack.reshape(-1, stack.shape[-1])
    return np.stack([_bincount(parent, row, n_levels) for row in flat]).reshape(*stack.shape[:-1], n_levels)


def _bincount(codes: Ints, weights: Floats, n_levels: int) -> Floats:
    return np.asarray(np.bincount(codes, weights, n_levels), dtype=np.float64)


def _eliminate(engine: GaussianDesign, theta: Floats, position: int, block: Floats) -> tuple[Floats, Floats, Floats]:
    """Eliminate one link's own columns from blocks (a, a + p + 1, D): Schur complement, corner, log-determinants."""
    index = engine.chain[position].factor
    factor = engine.factors[index]
    q, upper = factor.q, block.shape[0] - factor.q
    relative = relative_factor(factor, theta[engine.slices[index]])
    inner = np.einsum("ai,abd,bj->dij", relative, block[:q, :q], relative) + np.eye(q)
    lower = np.linalg.cholesky(inner)
    log_det = 2.0 * np.log(np.einsum("dii->di", lower)).sum(axis=1)
    scaled = np.einsum("ai,abd->dib", relative, block[:q, q:])
    half = np.linalg.solve(lower, scaled)
    product = np.matmul(half.transpose(0, 2, 1), half)
    schur = block[q:, q:] - np.moveaxis(product, 0, 2)[:upper]
    return schur, np.ascontiguousarray(np.moveaxis(product[:, upper:, upper:], 0, 2)), log_det
