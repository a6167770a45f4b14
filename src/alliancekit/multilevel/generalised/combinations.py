"""The error of a linear predictor x'beta + z'b of any row: that of the random effects, and that of the parameters.

Given the parameters, b has covariance Lambda H^-1 Lambda' about its mode; the mode moves with the parameters. Together
var = z' Lambda H^-1 Lambda' z + J V J', J = d(x'beta + z'b) / d(parameters) (Kass & Steffey 1989, JASA 84, 717-726).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.design import GeneralisedDesign
from alliancekit.multilevel.generalised.elimination import solve
from alliancekit.multilevel.generalised.inference import mode_slopes
from alliancekit.multilevel.generalised.modes import zero_effects
from alliancekit.multilevel.generalised.objective import Point, take_apart

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """What a row takes of one factor: the user's level (-1 for none), (n,), and its engine columns, (n, q)."""

    codes: Ints
    Z: Floats


def parameter_slopes(
    design: GeneralisedDesign, x: Floats, point: Point, X: Floats, loadings: Mapping[int, Loading]
) -> Floats:
    """Return J, shape (n, K): derivative of each row's predictor by the engine's parameters. X in engine columns."""
    out = np.zeros((X.shape[0], design.n_parameters))
    out[:, : design.p] = X
    if not loadings:
        return out
    places = {index: engine_levels(design, index, loading.codes) for index, loading in loadings.items()}
    for k, slope in enumerate(mode_slopes(design, x, point)):
        for index, loading in loadings.items():
            known = places[index] >= 0
            moved = np.einsum("nq,qn->n", loading.Z, slope[index][:, np.maximum(places[index], 0)])
            out[:, k] += np.where(known, moved, 0.0)
    return out


def conditional_variance(
    design: GeneralisedDesign, x: Floats, point: Point, n: int, loadings: Mapping[int, Loading]
) -> Floats:
    """Return z' Lambda H^-1 Lambda' z of each row, shape (n,); levels that were not fitted are left out."""
    relatives = take_apart(design, x).relatives
    places = {index: engine_levels(design, index, loading.codes) for index, loading in loadings.items()}
    out = np.zeros(n)
    if not loadings:
        return out
    keys = np.column_stack([np.column_stack([places[i], loadings[i].Z * (places[i] >= 0)[:, None]]) for i in loadings])
    first, back = _unique(keys)
    values = np.zeros(first.size)
    for k, row in enumerate(first):
        right = zero_effects(design)
        for index, loading in loadings.items():
            level = places[index][row]
            if level >= 0:
                right[index][:, level] = relatives[index].T @ loading.Z[row]
        found = solve(design, point.modes.elimination, right)
        values[k] = sum(float(np.vdot(r, f)) for r, f in zip(right, found, strict=True))
    return np.asarray(values[back], dtype=np.float64)


def fitted_variance(
    design: GeneralisedDesign, point: Point, loadings: Mapping[int, Loading]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the same for rows whose levels stand together in the data, (n,), and which rows these are.

    The elimination holds the covariances of a level of the first factor with those above it and with the border: no
    equations are solved.
    """
    after, chain = point.posterior, design.chain
    some = next(iter(loadings.values()))
    whole = np.ones(some.codes.size, dtype=bool)
    places = {index: engine_levels(design, index, loading.codes) for index, loading in loadings.items()}
    for index in range(len(design.factors)):
        if index not in loadings:
            return np.zeros(whole.size), np.zeros(whole.size, dtype=bool)
        whole &= places[index] >= 0
    bottom = np.where(whole, places[chain[0].factor], 0)
    for link in chain:
        whole &= link.ancestor[bottom] == places[link.factor]
    z = np.concatenate([loadings[link.factor].Z for link in chain], axis=1)
    out = np.einsum("ni,ijn,nj->n", z, after.chain[:, :, bottom], z)
    for position, f in enumerate(design.border):
        own = f.start + np.maximum(places[f.factor], 0)[:, None] * f.q + np.arange(f.q)
        zf = loadings[f.factor].Z
        out += 2.0 * np.einsum("ni,inq,nq->n", z, after.mixed[:, own, bottom[:, None]], zf)
        for g in design.border[position:]:
            other = g.start + np.maximum(places[g.factor], 0)[:, None] * g.q + np.arange(g.q)
            part = np.einsum("nq,nqr,nr->n", zf, after.border[own[:, :, None], other[:, None, :]], loadings[g.factor].Z)
            out += part if g is f else 2.0 * part
    return out, whole


def engine_levels(design: GeneralisedDesign, index: int, codes: Ints) -> Ints:
    """Return the engine's number of each user level; -1 stays -1."""
    for link in design.chain:
        if link.factor == index:
            rank = np.empty(link.n_levels, dtype=np.intp)
            rank[link.levels] = np.arange(link.n_levels)
            return np.where(codes >= 0, rank[np.maximum(codes, 0)], -1)
    return codes


def _unique(keys: Floats) -> tuple[Ints, Ints]:
    """Return the first row of each different key, and which of them each row has."""
    _, first, back = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, back.ravel()
