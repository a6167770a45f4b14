"""From a formula's design to what the likelihood needs: factors in elimination order and their cross-products.

Columns are centred (where an intercept makes that harmless) and scaled before cross-products are taken, so that the
answer does not depend on where the user put the origin of time. ``FixedBasis`` and ``Factor.basis`` map back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.border import check_size
from alliancekit.multilevel.gaussian.columns import apply_basis, centring_basis, engine_response, separating_basis
from alliancekit.multilevel.gaussian.factors import ChainLink as ChainLink
from alliancekit.multilevel.gaussian.factors import Factor as Factor
from alliancekit.multilevel.gaussian.factors import nest, order_factors
from alliancekit.multilevel.gaussian.products import CrossProducts as CrossProducts
from alliancekit.multilevel.gaussian.products import cross_products as cross_products
from alliancekit.multilevel.gaussian.responses import Responses, put_response, take_responses

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GaussianDesign:
    """The engine's view of the data; see the module text.

    Attributes
    ----------
    factors : in elimination order, chain first. chain : links of the chain. border : indices of the other factors.
    fixed_basis : shape (p, p): X_engine = X_user @ fixed_basis. y_shift : the engine's y = y - X_user @ y_shift -
    offset.
    slices : for each factor, where its free parameters stand in theta.
    """

    factors: tuple[Factor, ...]
    chain: tuple[ChainLink, ...]
    border: tuple[int, ...]
    products: CrossProducts
    fixed_basis: Floats
    y_shift: Floats
    slices: tuple[slice, ...]

    @property
    def n_theta(self) -> int:
        """Number of free covariance parameters (without sigma)."""
        return self.slices[-1].stop if self.slices else 0


def build(design: Design) -> GaussianDesign:
    """Return the engine's design of a formula's design."""
    merged = _merge(design)
    merged = [merged[i] for i in order_factors([(f.n_levels, f.q) for f, _ in merged])]
    factors = tuple(f for f, _ in merged)
    chain, border = nest(factors)
    check_size(sum(factors[i].n_levels * factors[i].q for i in border), tuple(factors[i].group for i in border))
    fixed_basis = centring_basis(design.X)
    X = apply_basis(design.X, fixed_basis)
    y, y_shift = engine_response(design, design.y)
    weights = design.weights
    Zs = [apply_basis(z, f.basis) for f, z in merged]
    if weights is not None:
        root = np.sqrt(weights)
        X, y, Zs = X * root[:, None], y * root, [z * root[:, None] for z in Zs]
    log_weights = 0.0 if weights is None else float(np.log(weights).sum())
    products = cross_products(factors, chain, border, Zs, X, y, log_weights)
    apart = separating_basis(fixed_products(products))
    if apart is not None:
        fixed_basis = fixed_basis @ apart
        products = cross_products(factors, chain, border, Zs, np.asfortranarray(X @ apart), y, log_weights)
    return GaussianDesign(factors, chain, border, products, fixed_basis, y_shift, parameter_slices(factors))


def fixed_products(products: CrossProducts) -> Floats:
    """Return X'X of the fixed part over the rows, (p, p)."""
    p = products.p
    return products.total[len(products.total) - p :, len(products.total) - p :] / max(products.n, 1)


def parameter_slices(factors: tuple[Factor, ...]) -> tuple[slice, ...]:
    """Return where each factor's free parameters stand in theta."""
    slices, start = [], 0
    for f in factors:
        slices.append(slice(start, start + len(f.free)))
        start += len(f.free)
    return tuple(slices)


def with_response(built: GaussianDesign, design: Design, y: Floats) -> GaussianDesign:
    """Return the same design with another response, shape (n,); only the products with y are taken again."""
    return respond(built, take_responses(built, design, np.asarray(y, dtype=np.float64)[None]), 0)


def respond(built: GaussianDesign, responses: Responses, which: int) -> GaussianDesign:
    """Return the same design with one of many responses."""
    products = put_response(built.products, built.chain, responses, which)
    return replace(built, products=products, y_shift=responses.shift[which])


def _merge(design: Design) -> list[tuple[Factor, Floats]]:
    """Join the random terms of each grouping factor."""
    groups: dict[str, list[int]] = {}
    for i, block in enumerate(design.random):
        groups.setdefault(block.group, []).append(i)
    merged = []
    for group, members in groups.items():
        free: list[tuple[int, int]] = []
        names: list[str] = []
        term: list[int] = []
        pieces: list[Floats] = []
        at = 0
        for i in members:
            block = design.random[i]
            q = block.Z.shape[1]
            pieces.append(centring_basis(block.Z))
            free += [(at + r, at + c) for c in range(q) for r in range(c, q)]
            names += block.names
            term += [i] * q
            at += q
        Z = (
            design.random[members[0]].Z
            if len(members) == 1
            else np.concatenate([design.random[i].Z for i in members], 1)
        )
        first = design.random[members[0]]
        basis = np.zeros((at, at))
        at = 0
        for piece in pieces:
            basis[at : at + len(piece), at : at + len(piece)] = piece
            at += len(piece)
        factor = Factor(
            group, first.labels, tuple(names), np.asarray(first.codes, dtype=np.intp), tuple(free), basis, tuple(term)
        )
        merged.append((factor, Z))
    return merged
