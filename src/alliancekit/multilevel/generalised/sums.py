"""Sums over levels and their transposes: Z'x, Zb, Z'WZ, and the variance of each row's predictor.

Effects are lists with one array per factor, shape (q, L), in the engine's order of levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.design import ChainColumns, GeneralisedDesign

Floats = NDArray[np.float64]
Effects = list[Floats]


def gather(design: GeneralisedDesign, x: Floats) -> Effects:
    """Return Z'x for each factor; x has one value per sorted row."""
    columns = design.columns
    out: Effects = [np.zeros((0, 0))] * len(design.factors)
    sums = np.empty((len(columns.unique), columns.starts.size))
    for k, column in enumerate(columns.unique):
        np.add.reduceat(_times(column, x), columns.starts, out=sums[k])
    chain = sums[columns.place]
    for link in design.chain:
        q = design.factors[link.factor].q
        out[link.factor] = chain[:q]
        if link.starts is not None:
            chain = np.add.reduceat(chain[q:], link.starts, axis=1)
    for f in design.border:
        out[f.factor] = np.stack([np.bincount(f.codes, row * x, f.n_levels) for row in f.Z])
    return out


def spread(design: GeneralisedDesign, effects: Effects) -> Floats:
    """Return Zb, one value per sorted row."""
    columns = design.columns
    total = np.zeros((len(columns.unique), columns.starts.size))
    at = 0
    for position, link in enumerate(design.chain):
        for value in effects[link.factor]:
            total[columns.place[at]] += value[link.ancestor] if position else value
            at += 1
    out = np.zeros(design.n)
    for value, column in zip(total, columns.unique, strict=True):
        out += _times(column, np.repeat(value, columns.counts))
    for f in design.border:
        for row, value in zip(f.Z, effects[f.factor], strict=True):
            out += row * value[f.codes]
    return out


def cross_products(design: GeneralisedDesign, weight: Floats) -> tuple[Floats, Floats]:
    """Return Z'WZ: of the chain per level of its first link, (a, a + m, L), and of the border, (m, m)."""
    columns, m = design.columns, design.m
    a, L = columns.place.size, columns.starts.size
    sums = np.empty((len(columns.pairs), L))
    for k, product in enumerate(columns.products):
        np.add.reduceat(_times(product, weight), columns.starts, out=sums[k])
    if not m:
        return sums[columns.pair_of], np.zeros((0, 0))
    rows = np.empty((a, a + m, L))
    rows[:, :a] = sums[columns.pair_of]
    total = np.zeros((m, m))
    for position, f in enumerate(design.border):
        cell = design.codes * f.n_levels + f.codes
        for j in range(f.q):
            weighted = weight * f.Z[j]
            per = []
            for column in columns.unique:
                found = np.bincount(cell, _times(column, weighted), L * f.n_levels)
                per.append(found.reshape(L, f.n_levels).T)
            for i in range(a):
                rows[i, a + f.start + j : a + f.stop : f.q] = per[columns.place[i]]
            for g in design.border[position:]:
                both = f.codes * g.n_levels + g.codes
                for k in range(g.q):
                    found = np.bincount(both, weighted * g.Z[k], f.n_levels * g.n_levels)
                    there = slice(g.start + k, g.stop, g.q)
                    total[f.start + j : f.stop : f.q, there] = found.reshape(f.n_levels, g.n_levels)
                    total[there, f.start + j : f.stop : f.q] = found.reshape(f.n_levels, g.n_levels).T
    return rows, total


def row_variance(design: GeneralisedDesign, chain: Floats, mixed: Floats, border: Floats) -> Floats:
    """Return z'Vz for each sorted row.

    Parameters
    ----------
    chain : (a, a, L) covariance of the chain's effects at each level of the first link. mixed : (a, m, L) of these
        with the border's. border : (m, m).
    """
    columns = design.columns
    total = np.zeros((len(columns.pairs), columns.starts.size))
    a = columns.place.size
    for i in range(a):
        for j in range(a):
            total[columns.pair_of[i, j]] += chain[i, j]
    out = np.zeros(design.n)
    for value, product in zip(total, columns.products, strict=True):
        out += _times(product, np.repeat(value, columns.counts))
    for position, f in enumerate(design.border):
        for j in range(f.q):
            own = f.start + f.codes * f.q + j
            out += 2.0 * f.Z[j] * _with_chain(columns, mixed, own, design.codes)
            for g in design.border[position:]:
                for k in range(g.q):
                    other = g.start + g.codes * g.q + k
                    out += (1.0 if g is f else 2.0) * f.Z[j] * g.Z[k] * border[own, other]
    return out


def _with_chain(columns: ChainColumns, mixed: Floats, own: NDArray[np.intp], codes: NDArray[np.intp]) -> Floats:
    """Return the covariance of each row's chain part with its border effect."""
    out = np.zeros(codes.size)
    total = np.zeros((len(columns.unique), *mixed.shape[1:]))
    for i, place in enumerate(columns.place):
        total[place] += mixed[i]
    for part, column in zip(total, columns.unique, strict=True):
        out += _times(column, part[own, codes])
    return out


def _times(column: Floats | None, x: Floats) -> Floats:
    """Return column * x; a column that is None is constant one."""
    return x if column is None else column * x
