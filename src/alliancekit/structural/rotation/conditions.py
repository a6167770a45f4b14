"""What holds at a rotation's minimum, and what follows for the uncertainty of the rotated parameters.

With loadings L, factor correlations P and the criterion's derivatives G, Z = L' G is symmetric (orthogonal) or Z = D P
with diagonal D (oblique; Jennrich 1973, Psychometrika 38, 593-604). The parameters move along what the data tell, less
what would leave these conditions (the bordered information; Jennrich 1974, Psychometrika 39, 123-131).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.model import BlockModel, Model, matrices
from alliancekit.structural.rotation.blocks import ExploratoryBlock
from alliancekit.structural.rotation.criteria import make_criterion
from alliancekit.structural.rotation.rotate import Rotated, row_weights
from alliancekit.structural.rotation.words import RotationWords

Floats = NDArray[np.float64]
Rotations = Sequence[tuple[ExploratoryBlock, Rotated]]
"""Exploratory blocks, each with its rotation."""
Follows = Mapping[int, Floats]
"""Place of a variable -> derivatives (size,) of its residual variance, where this is no parameter of its own."""


def conditions(words: RotationWords, name: str, L: Floats, P: Floats, own: Floats, *, plain: bool) -> Floats:
    """Return what is zero at the minimum, (s, r).

    Parameters
    ----------
    L : (s, p, m) loadings. P : (s, m, m) factor correlations. own : (s, p) residual variances. plain : whether the
        variances and the weights of the items are worked out as if the factors were uncorrelated, as in lavaan 0.6-14.
    """
    common = L @ (np.eye(L.shape[-1]) if plain else P) @ np.swapaxes(L, -1, -2)
    unit = np.ones_like(own)
    if words.std_ov:
        unit = 1.0 / np.sqrt(np.diagonal(common, axis1=-2, axis2=-1) + own)
    common = common * unit[..., None] * unit[..., None, :]
    L = L * (unit * row_weights(common, L.shape[-1], words.row_weights))[..., None]
    slope = make_criterion(words, L.shape[-2], L.shape[-1], name)(L)[1]
    Z = np.swapaxes(L, -1, -2) @ slope
    if words.orthogonal:
        rows, columns = np.tril_indices(L.shape[-1], -1)
        return np.asarray((Z - np.swapaxes(Z, -1, -2))[..., rows, columns])
    gap = Z - P * np.diagonal(Z, axis1=-2, axis2=-1)[..., None]
    return np.asarray(gap[..., ~np.eye(L.shape[-1], dtype=bool)])


@dataclass(frozen=True, eq=False, slots=True)
class Turns:
    """Derivatives of the rotated parameters x.

    along : (size, old) by the parameters before the rotation, as long as the rotation stays. free : (size, r) by the
    rotation itself, which changes no moment.
    """

    along: Floats
    free: Floats

    def bordered(self, slopes: Floats) -> Floats:
        """Return the derivatives (size, old) by the parameters before the rotation, the conditions kept.

        slopes : (r, size) of the conditions by the rotated parameters.
        """
        if not slopes.size:
            return self.along
        inner = slopes @ self.free
        scale = np.abs(inner).max(axis=1, keepdims=True)
        if not (scale > 0).all() or np.linalg.cond(inner / scale) > 1e12:
            return np.full_like(self.along, np.nan)
        return np.asarray(self.along - self.free @ np.linalg.solve(inner / scale, slopes @ self.along / scale))


def condition_slopes(
    words: RotationWords, rotated: Rotations, model: Model, x: Floats, follow: Sequence[Follows], *, plain: bool
) -> Floats:
    """Return the derivatives of all conditions by the rotated parameters, (r, size), by central differences.

    follow : per block of the table, residual variances that follow from the parameters.
    """
    out = []
    for block, found_there in rotated:
        if not block.leader:
            continue
        own = model.blocks[block.block]
        A, S, _, _ = matrices(own, x)
        p, m = len(block.items), len(block.factors)
        by_L, by_P, by_own = _differences(
            partial(_as_searched, words, block.name, found_there, plain),
            A[np.ix_(block.items, block.factors)],
            S[np.ix_(block.factors, block.factors)],
            S[block.items, block.items],
        )
        found = np.zeros((len(by_L), model.size))
        items = {place: k for k, place in enumerate(block.items.tolist())}
        factors = {place: k for k, place in enumerate(block.factors.tolist())}
        d, c = own.directed, own.covariances
        for i, j, k in zip(d.rows.tolist(), d.columns.tolist(), d.parameters.tolist(), strict=True):
            if i in items and j in factors:
                found[:, k] += by_L.reshape(-1, p, m)[:, items[i], factors[j]]
        for i, j, k in zip(c.rows.tolist(), c.columns.tolist(), c.parameters.tolist(), strict=True):
            if i in factors and j in factors:
                found[:, k] += by_P.reshape(-1, m, m)[:, factors[i], factors[j]]
            elif i == j and i in items:
                found[:, k] += by_own[:, items[i]]
        for i, slope in follow[block.block].items():
            if i in items:
                found += np.outer(by_own[:, items[i]], slope)
        out.append(found)
    return np.concatenate(out) if out else np.zeros((0, model.size))


def _as_searched(
    words: RotationWords, name: str, found: Rotated, plain: bool, L: Floats, P: Floats, own: Floats
) -> Floats:
    """Return the conditions of loadings and correlations brought into the order and signs of the search."""
    back = np.argsort(found.place)
    L, P = (L * found.sign)[..., back], (P * found.sign * found.sign[:, None])[..., back, :][..., back]
    return conditions(words, name, L, P, own, plain=plain)


def _differences(
    function: Callable[[Floats, Floats, Floats], Floats], L: Floats, P: Floats, own: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the derivatives (r, ...) by the loadings, the factor covariances (both halves at once) and variances."""
    sizes = (L.size, P.size, own.size)
    total = sum(sizes)
    h = 1e-4 * np.concatenate([np.full(L.size, np.abs(L).max()), np.ones(P.size), np.abs(own) + 1e-3])
    found = np.zeros((total, 0))
    for factor, weight in ((1.0, 8.0), (2.0, -1.0)):
        sides = []
        for sign in (1.0, -1.0):
            moved = sign * factor * np.diag(h)
            parts = np.split(moved, np.cumsum(sizes)[:-1], axis=1)
            change = parts[1].reshape(total, *P.shape)
            both = change + np.swapaxes(change, -1, -2)
            both[:, np.arange(len(P)), np.arange(len(P))] /= 2.0
            sides.append(function(L + parts[0].reshape(total, *L.shape), P + both, own + parts[2]))
        gap = weight * (sides[0] - sides[1])
        found = gap if not found.size else found + gap
    slopes = (found / (12.0 * h[:, None])).T
    return slopes[:, : sizes[0]], slopes[:, sizes[0] : sizes[0] + sizes[1]], slopes[:, sizes[0] + sizes[1] :]


def turns(
    before: Model, after: Model, H: list[Floats], blocks: tuple[ExploratoryBlock, ...], x: Floats, kept: Floats
) -> Turns:
    """Return the derivatives of the rotated parameters.

    Parameters
    ----------
    before, after : the models. H : per block of the table, the rotation of all its variables (v, v). x : the rotated
        parameters. kept : (size, old) 1 where a parameter that stands in no matrix (thresholds) is the same.
    """
    along = kept.copy()
    for old, new, turn in zip(before.blocks, after.blocks, H, strict=True):
        back = np.linalg.inv(turn)
        d, e = new.directed, old.directed
        along[np.ix_(d.parameters, e.parameters)] += turn[np.ix_(e.rows, d.rows)].T * back[np.ix_(d.columns, e.columns)]
        c, s = new.covariances, old.covariances
        first = turn[np.ix_(s.rows, c.rows)].T * turn[np.ix_(s.columns, c.columns)].T
        second = turn[np.ix_(s.columns, c.rows)].T * turn[np.ix_(s.rows, c.columns)].T
        along[np.ix_(c.parameters, s.parameters)] += first + np.where(s.rows == s.columns, 0.0, second)
        i, k = new.intercepts, old.intercepts
        along[np.ix_(i.parameters, k.parameters)] += turn[np.ix_(k.rows, i.rows)].T
    return Turns(along, _free_turns(after, blocks, x))


def _free_turns(model: Model, blocks: tuple[ExploratoryBlock, ...], x: Floats) -> Floats:
    """Return the directions (size, r) in which the factors of each block turn, their variances kept."""
    wholes = [matrices(block, x) for block in model.blocks]
    columns: list[Floats] = []
    leaders = [block for block in blocks if block.leader]
    for leader in leaders:
        S = wholes[leader.block][1][np.ix_(leader.factors, leader.factors)]
        together = [leader, *(b for b in blocks if not b.leader and b.name == leader.name)]
        oblique = _oblique(model, leader)
        m = len(leader.factors)
        for i in range(m):
            for j in range(m):
                if i == j or (not oblique and i > j):
                    continue
                K = np.zeros((m, m))
                K[i, j] = 1.0
                if oblique:
                    K[j, j] = -S[i, j] / S[j, j]
                else:
                    K[j, i] = -1.0
                column = np.zeros(model.size)
                for block in together:
                    _turn_block(column, model.blocks[block.block], wholes[block.block], block, K)
                columns.append(column)
    return np.array(columns).T.reshape(model.size, len(columns))


def _oblique(model: Model, block: ExploratoryBlock) -> bool:
    """Return whether the factors of a block may correlate."""
    c = model.blocks[block.block].covariances
    inside = np.isin(c.rows, block.factors) & np.isin(c.columns, block.factors)
    return bool((inside & (c.rows != c.columns)).any())


def _turn_block(
    out: Floats, own: BlockModel, whole: tuple[Floats, Floats, Floats, Floats], block: ExploratoryBlock, K: Floats
) -> None:
    """Add to ``out`` how the parameters of a block of the table change with a turn H (I + K)."""
    A, S, m, _ = whole
    big = np.zeros_like(A)
    big[np.ix_(block.factors, block.factors)] = K
    A, S, m = big.T @ A - A @ big.T, big.T @ S + S @ big, big.T @ m
    d, c, i = own.directed, own.covariances, own.intercepts
    out[d.parameters] += A[d.rows, d.columns]
    out[c.parameters] += S[c.rows, c.columns]
    out[i.parameters] += m[i.rows]
