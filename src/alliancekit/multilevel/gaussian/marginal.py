"""The inverse of the marginal covariance as the random effects' columns see it, from the block elimination.

With H = V / sigma^2 = I + Z Lambda Lambda' Z' (rows scaled by the root of their weights), the inverse is never formed.
For two factors k and g of the chain (k the deeper one or the same) and levels l of k and m of g

    Z_kl' H^-1 Z_gm = [g is the ancestor of k: l in m] D_kg,l - sum over later nodes j of B_kj,l C_j B_gj,m',

where j runs over the factors of the chain after g and, last, over the border as one node; a term of the sum is there
only where l and m have the same ancestor at j. B_kj = Z_k' H_(j-1)^-1 Z_j, with H_(j-1) the covariance that the factors
before j give, is one of the blocks that the elimination passes up, C_j = Lambda A_j^-1 Lambda' the correction that
eliminating j makes (Woodbury's identity), and D_kg = B_kg (I - C_g B_gg). All arrays have the level as their last axis,
so that their size grows with the number of levels, not with its square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.border import Border
from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import Elimination

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(slots=True, eq=False)
class Node:
    """A later factor of the chain, or the border, as seen from one factor k.

    ancestor : (L_k,) level of the node over each level of k. order, starts : sort the levels of k by ancestor.
    reach : B_kj, shape (q, w, L_k). inner : C_j, shape (w, w, L_j).
    """

    ancestor: Ints
    order: Ints
    starts: Ints
    reach: Floats
    inner: Floats

    def add_up(self, values: Floats) -> Floats:
        """Return the sums of ``values``, last axis L_k, over the levels of k below each level of the node."""
        if self.starts.size == 1:
            return np.asarray(values.sum(axis=-1, keepdims=True))
        return np.asarray(np.add.reduceat(values[..., self.order], self.starts, axis=-1))

    def sums(self, left: Floats, right: Floats) -> Floats:
        """Return the sums over levels of the outer products of (a, L_k) and (b, L_k), shape (a, b, L_j)."""
        if self.starts.size == 1:
            return np.asarray(left @ right.T)[:, :, None]
        return self.add_up(left[:, None] * right[None])


@dataclass(slots=True, eq=False)
class View:
    """One factor of the chain seen through H^-1; q columns, L levels, p fixed effects, m border columns.

    direct : position of a factor at or after this one -> D_kg, shape (q, q_g, L). fixed : Z'H^-1 X, shape (q, p, L).
    nodes : position of a later factor -> Node; the border has position ``len(chain)``. border : Z'H^-1 Z_border,
    shape (q, m, L), or None.
    """

    direct: dict[int, Floats]
    nodes: dict[int, Node]
    fixed: Floats
    border: Floats | None


@dataclass(slots=True, eq=False)
class Marginal:
    """All factors seen through H^-1.

    views : one per factor of the chain. border : Z_b'H^-1 Z_b, shape (m, m), or None. border_fixed : Z_b'H^-1 X.
    """

    views: list[View]
    border: Floats | None
    border_fixed: Floats | None


def marginal(design: GaussianDesign, state: Elimination) -> Marginal:
    """Return the pieces of Z'H^-1 Z and Z'H^-1 X at a state of the elimination."""
    m = design.products.m
    inner_border: Floats | None = None
    border = border_fixed = None
    if m:
        assert state.border is not None
        inner_border = state.border.spread()
        raw = _border_rows(state.border)
        seen = raw - raw[:, :m] @ inner_border @ raw
        border, border_fixed = (seen[:, :m] + seen[:, :m].T) / 2, seen[:, m:]
    inners = [link.by_level() for link in state.links]
    views = [
        _view(design, state, position, inners, inner_border, border is not None) for position in range(len(state.links))
    ]
    return Marginal(views, border, border_fixed)


def _border_rows(border: Border) -> Floats:
    """Return what the chain left of the border's products with itself and with X, (m, m + p)."""
    return np.concatenate([border.raw, border.rest[:, :-1]], axis=1)


def _view(
    design: GaussianDesign,
    state: Elimination,
    position: int,
    inners: list[Floats],
    inner_border: Floats | None,
    has_border: bool,
) -> View:
    """Follow one factor's columns through the elimination of the factors after it."""
    m = design.products.m
    link = state.links[position]
    own, rest = link.own(), link.rest()[:, :-1]
    n_levels = own.shape[2]
    direct = {position: own - product(product(own, inners[position]), own)}
    current = rest - product(product(own, inners[position]), rest)
    nodes: dict[int, Node] = {}
    ancestor = np.arange(n_levels, dtype=np.intp)
    for later in range(position + 1, len(state.links)):
        parent = design.chain[later - 1].parent
        assert parent is not None
        ancestor = parent[ancestor]
        above = state.links[later]
        w = above.q
        reach = current[:, :w]
        nodes[later] = _node(ancestor, reach, inners[later])
        corrected = product(reach, inners[later][:, :, ancestor])
        direct[later] = reach - product(corrected, above.own()[:, :, ancestor])
        current = current[:, w:] - product(corrected, above.rest()[:, :-1, ancestor])
    fixed = current[:, m:]
    border = None
    if has_border:
        assert inner_border is not None and state.border is not None
        nodes[len(state.links)] = _node(np.zeros(n_levels, dtype=np.intp), current[:, :m], inner_border[:, :, None])
        wide = np.einsum("qxl,xy->qyl", current[:, :m], inner_border @ _border_rows(state.border), optimize=True)
        border, fixed = current[:, :m] - wide[:, :m], fixed - wide[:, m:]
    return View(direct, nodes, fixed, border)


def _node(ancestor: Ints, reach: Floats, inner: Floats) -> Node:
    if inner.shape[2] == 1:
        return Node(ancestor, np.arange(ancestor.size), np.zeros(1, dtype=np.intp), reach, inner)
    order = np.argsort(ancestor, kind="stable")
    counts = np.bincount(ancestor, minlength=inner.shape[2])
    return Node(ancestor, order, np.concatenate([[0], np.cumsum(counts)[:-1]]), reach, inner)


def local(views: list[View], k: int, g: int) -> Floats:
    """Return Z_kl'H^-1 Z_gm without its direct part, for each level l of k and its own ancestor m at g: (q, q_g, L)."""
    view, other = views[k], views[g]
    up = view.nodes[g].ancestor if g > k else slice(None)
    out = np.zeros_like(view.direct[g])
    for j, node in view.nodes.items():
        if j <= g:
            continue
        there = other.nodes[j].reach[:, :, up]
        if node.inner.shape[2] == 1:
            spread = np.einsum("qxl,xy->qyl", node.reach, node.inner[:, :, 0], optimize=True)
        else:
            spread = product(node.reach, node.inner[:, :, node.ancestor])
        out -= np.einsum("axl,cxl->acl", spread, there)
    return out


def product(left: Floats, right: Floats) -> Floats:
    """Return the matrix product for each level: (a, b, L) with (b, d, L)."""
    if left.shape[1] == 1:
        return np.asarray(left[:, 0, None] * right[0, None])
    return np.asarray(np.einsum("abl,bdl->adl", left, right))
