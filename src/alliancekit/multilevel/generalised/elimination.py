"""H = Lambda'Z'WZ Lambda + I: its log-determinant, solutions of H x = r, and the parts of its inverse that are needed.

Chain factors are eliminated level by level, all levels at once (the last axis of every array is the level); what is
left of the border is eliminated as one dense matrix. With own columns o and later columns r of a link, A = Lambda'
C_oo Lambda + I and W = A^-1 Lambda' C_or, the Schur complement C_rr - C_ro Lambda W is passed to the parents. Own
effects are spherical (u), later ones are not yet scaled (b), until it is their turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.design import ChainLink, GeneralisedDesign
from alliancekit.multilevel.generalised.sums import Effects, cross_products

Floats = NDArray[np.float64]
Relatives = list[Floats]


class NotPositive(ArithmeticError):
    """H is not positive definite."""


@dataclass(slots=True, eq=False)
class Eliminated:
    """What one link leaves behind: own (q, q, L) and rest (q, u + m, L) cross-products, A^-1, and W."""

    link: ChainLink
    relative: Floats
    own: Floats
    rest: Floats
    inverse: Floats
    solved: Floats
    upper: int


@dataclass(slots=True, eq=False)
class Elimination:
    """A factorisation of H.

    Attributes
    ----------
    log_det : log|H|. links : the chain. relative : (m, m) factor of the border. raw : (m, m) its cross-products.
    inverse : (m, m) inverse of what is left for the border. relatives : factor of each grouping factor, (q, q).
    """

    log_det: float
    links: list[Eliminated]
    relative: Floats
    raw: Floats
    inverse: Floats
    relatives: Relatives


def eliminate(design: GeneralisedDesign, relatives: Relatives, weight: Floats) -> Elimination:
    """Factorise H for the weights of the sorted rows.

    Raises
    ------
    NotPositive : H is not positive definite (possible away from a mode, where weights can be negative).
    """
    block, tail = cross_products(design, weight)
    links, log_det = [], 0.0
    for link in design.chain:
        relative = relatives[link.factor]
        q = relative.shape[0]
        own, rest = block[:q, :q], block[:q, q:]
        inverse, part = invert(_inner(relative, own))
        log_det += part
        scaled = _left(relative.T, rest)
        solved = _multiply(inverse, scaled)
        upper = block.shape[0] - q
        if design.m:
            left = scaled[:, upper:].transpose(1, 0, 2).reshape(design.m, -1)
            tail -= left @ solved[:, upper:].transpose(1, 0, 2).reshape(design.m, -1).T
        links.append(Eliminated(link, relative, own, rest, inverse, solved, upper))
        if upper:
            assert link.starts is not None
            left = block[q:, q:] - np.einsum("kil,kjl->ijl", scaled[:, :upper], solved)
            block = np.add.reduceat(left, link.starts, axis=2)
    if not design.m:
        empty = np.zeros((0, 0))
        return Elimination(log_det, links, empty, empty, empty, relatives)
    relative = _border_relative(design, relatives)
    inner = relative.T @ tail @ relative
    inner[np.diag_indices(design.m)] += 1.0
    try:
        lower = np.linalg.cholesky(inner)
    except np.linalg.LinAlgError as error:
        raise NotPositive from error
    inverse_lower = np.linalg.inv(lower)
    log_det += 2.0 * float(np.log(np.diag(lower)).sum())
    return Elimination(log_det, links, relative, tail, inverse_lower.T @ inverse_lower, relatives)


def solve(design: GeneralisedDesign, state: Elimination, right: Effects) -> Effects:
    """Return H^-1 r for spherical effects r, one array (q, L) per factor."""
    out: Effects = [np.zeros((0, 0))] * len(design.factors)
    passed: Floats | None = None
    border = _flat(design, right)
    for done in state.links:
        own = right[done.link.factor]
        if passed is not None:
            own = own + _left(done.relative.T, passed[: own.shape[0]])
        out[done.link.factor] = own
        passed_up = -np.einsum("kdl,kl->dl", done.solved[:, : done.upper], own)
        if design.m:
            border = border - state.relative.T @ np.einsum("kml,kl->m", done.solved[:, done.upper :], own)
        if done.upper:
            if passed is not None:
                passed_up = passed_up + passed[own.shape[0] :]
            assert done.link.starts is not None
            passed = np.add.reduceat(passed_up, done.link.starts, axis=1)
    b = np.zeros(0)
    if design.m:
        u = state.inverse @ border
        b = state.relative @ u
        for f in design.border:
            out[f.factor] = u[f.start : f.stop].reshape(f.n_levels, f.q).T
    above: Floats | None = None
    for done in reversed(state.links):
        own = _multiply_vector(done.inverse, out[done.link.factor])
        if design.m:
            own = own - np.einsum("kml,m->kl", done.solved[:, done.upper :], b)
        here: Floats | None = None
        if above is not None:
            here = above[:, done.link.parent]
            own = own - np.einsum("kdl,dl->kl", done.solved[:, : done.upper], here)
        out[done.link.factor] = own
        scaled = _left(done.relative, own)
        above = scaled if here is None else np.concatenate([scaled, here])
    return out


@dataclass(slots=True, eq=False)
class Posterior:
    """Parts of Lambda H^-1 Lambda', the covariance of the random effects given the outcome, and a derivative.

    Attributes
    ----------
    chain : (a, a, L) of the chain's effects at each level of the first link. mixed : (a, m, L) with the border.
    border : (m, m). own : per factor, (q, q, L) of its own effects.
    slopes : per factor, (q, q): derivative of log|H| / 2 by the entries of its Lambda, at fixed weights.
    """

    chain: Floats
    mixed: Floats
    border: Floats
    own: list[Floats]
    slopes: list[Floats]


def posterior(design: GeneralisedDesign, state: Elimination) -> Posterior:
    """Run the elimination backwards."""
    m = design.m
    own: list[Floats] = [np.zeros((0, 0, 0))] * len(design.factors)
    slopes: list[Floats] = [np.zeros((0, 0))] * len(design.factors)
    border = state.relative @ state.inverse @ state.relative.T
    if m:
        half = state.raw @ state.relative @ state.inverse
        for f in design.border:
            here = slice(f.start, f.stop)
            shape = (f.n_levels, f.q, f.n_levels, f.q)
            slopes[f.factor] = np.einsum("iaib->ab", half[here, here].reshape(shape))
            own[f.factor] = np.einsum("iaib->abi", border[here, here].reshape(shape))
    chain, mixed = np.zeros((0, 0, 0)), np.zeros((0, m, 0))
    for done in reversed(state.links):
        u, L = done.upper, done.inverse.shape[2]
        above, across = (chain[:, :, done.link.parent], mixed[:, :, done.link.parent]) if u else (chain, mixed)
        pushed = np.empty_like(done.solved)
        if u:
            pushed[:, :u] = _multiply(done.solved[:, :u], above)
        if m:
            pushed[:, u:] = np.tensordot(done.solved[:, u:], border, axes=(1, 0)).transpose(0, 2, 1)
            if u:
                pushed[:, u:] += np.einsum("kul,uml->kml", done.solved[:, :u], across)
                pushed[:, :u] += np.einsum("kml,uml->kul", done.solved[:, u:], across)
        inner = done.inverse + np.einsum("idl,jdl->ijl", pushed, done.solved)
        slopes[done.link.factor] = np.einsum("ikl,kjl->ij", done.own, _left(done.relative, inner)) - np.einsum(
            "idl,jdl->ij", done.rest, pushed
        )
        q = done.relative.shape[0]
        whole, cross = np.empty((q + u, q + u, L)), np.empty((q + u, m, L))
        half_own = _left(done.relative, inner).transpose(1, 0, 2)
        whole[:q, :q] = _left(done.relative, half_own)
        own[done.link.factor] = whole[:q, :q]
        if u:
            whole[:q, q:] = -_left(done.relative, pushed[:, :u])
            whole[q:, :q] = whole[:q, q:].transpose(1, 0, 2)
            whole[q:, q:] = above
        if m:
            cross[:q] = -_left(done.relative, pushed[:, u:])
            if u:
                cross[q:] = across
        chain, mixed = whole, cross
    return Posterior(chain, mixed, border, own, slopes)


def _border_relative(design: GeneralisedDesign, relatives: Relatives) -> Floats:
    out = np.zeros((design.m, design.m))
    for f in design.border:
        out[f.start : f.stop, f.start : f.stop] = np.kron(np.eye(f.n_levels), relatives[f.factor])
    return out


def _flat(design: GeneralisedDesign, effects: Effects) -> Floats:
    """Return the border's effects as one vector, level by level."""
    out = np.zeros(design.m)
    for f in design.border:
        out[f.start : f.stop] = effects[f.factor].T.ravel()
    return out


def _left(matrix: Floats, stack: Floats) -> Floats:
    """Return ``matrix @ stack`` over the first axis."""
    if matrix.shape == (1, 1):
        return np.asarray(matrix[0, 0] * stack, dtype=np.float64)
    return np.asarray(np.tensordot(matrix, stack, axes=(1, 0)), dtype=np.float64)


def _multiply(left: Floats, right: Floats) -> Floats:
    """Return the matrix product for each level: (i, k, L) with (k, j, L)."""
    if left.shape[1] == 1:
        return np.asarray(left * right, dtype=np.float64)
    return np.asarray(np.einsum("ikl,kjl->ijl", left, right), dtype=np.float64)


def _multiply_vector(left: Floats, right: Floats) -> Floats:
    if left.shape[1] == 1:
        return np.asarray(left[:, 0] * right, dtype=np.float64)
    return np.asarray(np.einsum("ikl,kl->il", left, right), dtype=np.float64)


def _inner(relative: Floats, own: Floats) -> Floats:
    """Return Lambda' C Lambda + I for each level."""
    if relative.shape == (1, 1):
        return np.asarray(relative[0, 0] ** 2 * own + 1.0, dtype=np.float64)
    out = _left(relative.T, _left(relative.T, own).transpose(1, 0, 2))
    for i in range(out.shape[0]):
        out[i, i] += 1.0
    return out


def invert(blocks: Floats) -> tuple[Floats, float]:
    """Return the inverse of each symmetric block, (q, q, L), and the sum of their log-determinants.

    Gauss-Jordan sweeps without pivoting (Goodnight 1979, Am Stat 33, 149-158): stable for positive definite blocks.

    Raises
    ------
    NotPositive : some block is not positive definite.
    """
    if blocks.shape[0] == 1:
        if not float(blocks.min()) > 0:
            raise NotPositive
        return 1.0 / blocks, float(np.log(blocks).sum())
    out = blocks.copy()
    log_det = 0.0
    for k in range(blocks.shape[0]):
        pivot = out[k, k].copy()
        if not float(pivot.min()) > 0:
            raise NotPositive
        log_det += float(np.log(pivot).sum())
        row, column = out[k] / pivot, out[:, k].copy()
        out -= column[:, None] * row
        out[k] = row
        out[:, k] = row
        out[k, k] = -1.0 / pivot
    return np.negative(out, out=out), log_det
