"""Other responses on the same design: only what involves y is computed, for all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.columns import apply_basis, engine_response, user_columns
from alliancekit.multilevel.gaussian.factors import ChainLink, Ints, Runs
from alliancekit.multilevel.gaussian.patterns import with_response
from alliancekit.multilevel.gaussian.products import CrossProducts, climb_up

if TYPE_CHECKING:
    from alliancekit.multilevel.gaussian.design import GaussianDesign

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Products with R responses (in the engine's terms: without offset and mean, weighted).

    Attributes
    ----------
    links : per chain factor, (q, R, L). total : (R, m + p) with border and X. yy : (R,).
    shift : (R, p) coefficients of the user's columns that were taken out of y.
    own : whether this is the one response that the design was built with.
    """

    links: tuple[Floats, ...]
    total: Floats
    yy: Floats
    shift: Floats
    own: bool = False

    def chosen(self, which: NDArray[np.integer] | slice) -> Responses:
        """Return some of the responses."""
        links = tuple(np.ascontiguousarray(y[:, which]) for y in self.links)
        return Responses(links, self.total[which], self.yy[which], self.shift[which])


def own_response(built: GaussianDesign) -> Responses:
    """Return the response that a design was built with, as one of many."""
    products = built.products
    links = tuple(np.ascontiguousarray(link.free[:, -1:]) for link in products.links)
    return Responses(links, products.total_response[None], np.array([products.yy]), built.y_shift[None], True)


def take_responses(built: GaussianDesign, design: Design, Y: Floats) -> Responses:
    """Return the products of a design with the responses Y, (R, n), in the user's units."""
    shifted, shift = engine_response(design, Y)
    root = None if design.weights is None else np.sqrt(design.weights)
    if root is not None:
        shifted = shifted * root
    columns = {}
    for index in [link.factor for link in built.chain] + list(built.border):
        factor = built.factors[index]
        Z = apply_basis(user_columns(design, factor), factor.basis)
        columns[index] = Z if root is None else Z * root[:, None]
    X = apply_basis(design.X, built.fixed_basis)
    if root is not None:
        X = X * root[:, None]
    R, layout = shifted.shape[0], built.products.layout
    links: list[Floats] = []
    climb: list[tuple[Ints, int]] = []
    if built.chain:
        first = built.factors[built.chain[0].factor]
        by_level = _ManySums(first.codes, first.n_levels, layout.runs, shifted)
        for position, link in enumerate(built.chain):
            sums = [by_level(column) for column in columns[link.factor].T]
            links.append(
                np.stack([[climb_up(row, climb) for row in part] for part in sums]) if climb else np.stack(sums)
            )
            if link.parent is not None:
                climb.append((link.parent, built.chain[position + 1].n_levels))
    total = np.empty((R, layout.m + X.shape[1]))
    for start, index in zip(layout.starts, built.border, strict=True):
        f = built.factors[index]
        by_border = _ManySums(f.codes, f.n_levels, None, shifted)
        for j in range(f.q):
            total[:, start + j : start + f.n_levels * f.q : f.q] = by_border(columns[index][:, j])
    total[:, layout.m :] = shifted @ X
    return Responses(tuple(links), total, np.einsum("rn,rn->r", shifted, shifted), shift)


def put_response(old: CrossProducts, chain: tuple[ChainLink, ...], responses: Responses, which: int) -> CrossProducts:
    """Return the same cross-products with one of the responses in place of y."""
    links = []
    for link, y in zip(old.links, responses.links, strict=True):
        free = link.free.copy()
        free[:, -1] = y[:, which]
        links.append(replace(link, free=free))
    patterns = old.patterns
    if patterns is not None:
        n_parents = chain[1].n_levels if len(chain) > 1 else 0
        patterns = with_response(patterns, links[0], chain[0].parent, n_parents, old.layout)
    total, yy = responses.total[which], float(responses.yy[which])
    return replace(old, links=tuple(links), total_response=total, yy=yy, patterns=patterns)


class _ManySums:
    """Sums within levels of a column times each of many responses."""

    def __init__(self, codes: Ints, n_levels: int, runs: Runs | None, Y: Floats) -> None:
        self.n_levels, self.order = n_levels, None
        if runs is None:
            self.order = np.argsort(codes, kind="stable")
            count = np.bincount(codes, minlength=n_levels)
            runs = Runs(np.cumsum(count) - count, 0, None)
            Y = Y[:, self.order]
        self.runs, self.Y = runs, Y

    def __call__(self, column: Floats) -> Floats:
        """Return the sums for each response and level, (R, L)."""
        weights = column if self.order is None else column[self.order]
        if self.runs.length:
            shape = (self.Y.shape[0], self.n_levels, self.runs.length)
            sums = np.einsum("rlk,lk->rl", self.Y.reshape(shape), weights.reshape(shape[1:]))
        else:
            sums = np.add.reduceat(self.Y * weights, self.runs.starts, axis=1)
        if self.runs.level is None:
            return np.asarray(sums, dtype=np.float64)
        out = np.empty((self.Y.shape[0], self.n_levels))
        out[:, self.runs.level] = sums
        return out
