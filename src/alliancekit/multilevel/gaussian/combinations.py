"""Linear combinations of fixed and random effects: their error variance, without the inverse of a large matrix.

Henderson's mixed-model equations give the joint covariance of (beta_hat - beta, b_hat - b). A prediction is
x'beta + z'b, and the elimination already writes each b as a linear function of the effects eliminated after it plus
independent noise (variance sigma^2 Lambda A^-1 Lambda'). Running a combination's coefficients through the elimination
therefore leaves (a) the variance of the noise met on the way, which is z' var(b | y, beta) z, and (b) the coefficients
x - D'z of beta, with D = X-part of the conditional modes. The error variance is sigma^2 times (a) plus that of
(x - D'z)'beta_hat: the same number as from Henderson's inverse (Henderson 1975, Biometrics 31, 423-447; McLean, Sanders
& Stroup 1991, Am Stat 45, 54-64, eq. 3), also where G is singular.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.objective import Elimination
from alliancekit.numerics.stacks import multiply

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_CELLS = 4_000_000  # most numbers of one working array


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """Coefficients of one factor's random effects: ``codes`` (n,), -1 where none; ``Z`` (n, q), engine basis."""

    codes: Ints
    Z: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A chain factor's effects given those eliminated after it: noise ``spread`` K, (q, q, L), and
    ``weights`` K R, (q, u + m + e, L), with u ``upper`` columns of the chain factors above."""

    spread: Floats
    weights: Floats
    upper: int


def error_variance(
    state: Elimination, design: GaussianDesign, X: Floats, loadings: Mapping[int, Loading]
) -> tuple[Floats, Floats]:
    """Return, for n combinations, the error variance over sigma^2, (n,), and its part that is due to b alone, (n,).

    Parameters
    ----------
    state, design : elimination at the estimates, and the engine's design.
    X : shape (n, p), coefficients of beta in the engine's basis.
    loadings : by index of the factor; a factor left out has no part in the combinations.
    """
    n = X.shape[0]
    links = [_Given(link.by_level(), multiply(link.by_level(), link.rest()), link.upper) for link in state.links]
    border = None
    if state.border is not None:
        spread = state.border.spread()
        border = spread, spread @ state.border.rest
    width = max(design.products.m, *(link.weights.shape[0] * link.weights.shape[1] for link in links), 1)
    step = max(_CELLS // width, 1)
    total, random = np.empty(n), np.empty(n)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        part = {i: Loading(one.codes[rows], one.Z[rows]) for i, one in loadings.items()}
        total[rows], random[rows] = _chunk(design, state.fixed_inverse, links, border, X[rows], part)
    return total, random


def _chunk(
    design: GaussianDesign,
    fixed_inverse: Floats,
    links: list[_Given],
    border: tuple[Floats, Floats] | None,
    X: Floats,
    loadings: Mapping[int, Loading],
) -> tuple[Floats, Floats]:
    n, p, m = X.shape[0], design.products.p, design.products.m
    fixed = X.copy()
    random = np.zeros(n)
    crossed = _border_loadings(design, loadings, n)
    waiting: list[list[Loading]] = [[loadings[link.factor]] if link.factor in loadings else [] for link in design.chain]
    for position, link in enumerate(links):
        for codes, Z in _merged(waiting[position]):
            random += np.einsum("na,abn,nb->n", Z, link.spread[:, :, codes], Z)
            pushed = np.einsum("na,adn->nd", Z, link.weights[:, :, codes])
            u = link.upper
            fixed -= pushed[:, u + m : u + m + p]
            if m:
                crossed -= pushed[:, u : u + m]
            _push_up(design, position, codes, -pushed[:, :u], waiting)
    if border is not None:
        random += np.einsum("nm,nm->n", crossed @ border[0], crossed)
        fixed -= crossed @ border[1][:, :p]
    return random + np.einsum("ni,ij,nj->n", fixed, fixed_inverse, fixed), random


def _border_loadings(design: GaussianDesign, loadings: Mapping[int, Loading], n: int) -> Floats:
    """Return the coefficients of the whole border, shape (n, m)."""
    out = np.zeros((n, design.products.m))
    at = 0
    for index in design.border:
        q = design.factors[index].q
        if index in loadings:
            codes, Z = loadings[index].codes, loadings[index].Z
            known = np.flatnonzero(codes >= 0)
            for j in range(q):
                out[known, at + codes[known] * q + j] += Z[known, j]
        at += q * design.factors[index].n_levels
    return out


def _push_up(design: GaussianDesign, position: int, codes: Ints, pushed: Floats, waiting: list[list[Loading]]) -> None:
    """Hand the coefficients that fall on the following links of the chain over to them."""
    at = 0
    for later in range(position + 1, len(design.chain)):
        parent = design.chain[later - 1].parent
        assert parent is not None
        codes = parent[codes]
        q = design.factors[design.chain[later].factor].q
        waiting[later].append(Loading(codes, pushed[:, at : at + q].copy()))
        at += q


def _merged(parts: list[Loading]) -> list[tuple[Ints, Floats]]:
    """Add up coefficients that fall on the same level of one factor; rows without a level get zeros."""
    done: list[tuple[Ints, Floats]] = []
    for part in parts:
        known = part.codes >= 0
        codes = np.where(known, part.codes, 0)
        Z = np.where(known[:, None], part.Z, 0.0)
        for other, sums in done:
            same = other == codes
            sums[same] += Z[same]
            Z[same] = 0.0
        if Z.any() or not done:
            done.append((codes, Z))
    return done
