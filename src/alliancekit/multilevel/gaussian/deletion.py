"""The same model without some rows: their cross-products are taken away, nothing is built again.

A level that has lost all its rows has zero cross-products, which the elimination passes over exactly, so that leaving
out a unit is the same model as fitting the other rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.design import Design
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.inference import factor_covariances
from alliancekit.multilevel.gaussian.objective import Elimination, eliminate
from alliancekit.multilevel.gaussian.optimise import SINGULAR, criterion, optimise
from alliancekit.multilevel.gaussian.products import LinkProducts
from alliancekit.numerics.optimisers import difference_hessian, positive_definite

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
LOST = 1e-8  # share of the information in a direction of X below which it counts as gone with the unit
_ENOUGH, _STEPS = 1e-13, 30  # Newton decrement that ends a refit (in units of the deviance); most steps


@dataclass(frozen=True, slots=True, eq=False)
class EngineRows:
    """Rows in the engine's basis, times the root of their weight.

    chain : (n, a) columns of the chain's factors. border : (n,) codes and (n, q) columns of each border factor.
    X : (n, p). y : (n,). log_weights : (n,).
    """

    chain: Floats
    border: tuple[tuple[Ints, Floats], ...]
    X: Floats
    y: Floats
    log_weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Remaining:
    """Estimates without each of D units, in the user's columns; nan where a fixed effect cannot be estimated.

    beta : (D, p). vcov : (D, p, p). sigma : (D,). covariances : per factor, (D, q, q). converged : (D,).
    """

    beta: Floats
    vcov: Floats
    sigma: Floats
    covariances: tuple[Floats, ...]
    converged: NDArray[np.bool_]


def engine_rows(design: Design, engine: GaussianDesign) -> EngineRows:
    """Return the rows of a fit as the engine's cross-products were taken from them."""
    assert design.y is not None
    n = design.X.shape[0]
    root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
    columns = [_times(random_columns(design, f.group), f.basis) * root[:, None] for f in engine.factors]
    offset = 0.0 if design.offset is None else design.offset
    chain = [columns[link.factor] for link in engine.chain]
    return EngineRows(
        chain=np.concatenate(chain, axis=1) if chain else np.zeros((n, 0)),
        border=tuple((engine.factors[i].codes, columns[i]) for i in engine.border),
        X=_times(design.X, engine.fixed_basis) * root[:, None],
        y=(design.y - offset - design.X @ engine.y_shift) * root,
        log_weights=2.0 * np.log(root),
    )


def _arrays(link: LinkProducts) -> tuple[Floats, Floats, Floats]:
    return link.square, link.free, link.cells


def _times(columns: Floats, basis: Floats) -> Floats:
    return np.asarray(columns @ basis, dtype=np.float64)


class Deletion:
    """Takes rows out of the cross-products of a fit, and puts them back."""

    def __init__(self, design: Design, engine: GaussianDesign) -> None:
        self.rows = engine_rows(design, engine)
        old = engine.products
        links = tuple(LinkProducts(*(array.copy() for array in _arrays(link))) for link in old.links)
        self._products = replace(old, links=links, patterns=None)
        self._engine = engine
        self._codes = [engine.factors[link.factor].codes for link in engine.chain]
        self._sizes = [np.bincount(codes) for codes in self._codes]
        self._information = np.linalg.eigvalsh(old.total[old.m :, old.m :]) if old.p else np.ones(1)

    @contextmanager
    def without(self, rows: Ints) -> Iterator[GaussianDesign]:
        """Give the design without these rows; its products are valid inside the ``with`` block only."""
        products, own = self._products, self.rows
        X, y, border = own.X[rows], own.y[rows], self._border(rows)
        tail = np.concatenate([border, X], axis=1)
        kept = [self._subtract(position, rows, border, X, y) for position in range(len(products.links))]
        reduced = replace(
            products,
            n=products.n - len(rows),
            total=products.total - tail.T @ tail,
            total_response=products.total_response - tail.T @ y,
            yy=products.yy - float(y @ y),
            log_weights=products.log_weights - float(own.log_weights[rows].sum()),
        )
        try:
            yield replace(self._engine, products=reduced)
        finally:
            for link, saved in zip(products.links, kept, strict=True):
                for array, (where, values) in zip(_arrays(link), saved, strict=True):
                    array[..., where] = values

    def _subtract(self, position: int, rows: Ints, border: Floats, X: Floats, y: Floats) -> list[tuple[Ints, Floats]]:
        """Take rows out of one link's products; return where each array was changed and what stood there."""
        link, codes = self._products.links[position], self._codes[position][rows]
        touched, place = np.unique(codes, return_inverse=True)
        cells = self._products.layout.cells[position] if self._products.m else None
        own_cells = np.zeros(0, dtype=np.intp)
        if cells is not None:
            ranges = zip(cells.starts[touched], cells.starts[touched + 1], strict=True)
            own_cells = np.concatenate([own_cells, *(np.arange(first, last) for first, last in ranges)])
        changed = zip(_arrays(link), (touched, touched, own_cells), strict=True)
        kept = [(where, array[..., where].copy()) for array, where in changed]
        start = sum(before.square.shape[0] for before in self._products.links[:position])
        columns = self.rows.chain[rows, start:]
        q = link.square.shape[0]
        emptied = np.bincount(place) == self._sizes[position][touched]
        for at, level in enumerate(touched):
            inside = slice(0, 0) if cells is None else slice(cells.starts[level], cells.starts[level + 1])
            if emptied[at]:
                link.square[..., level], link.free[..., level], link.cells[:, inside] = 0.0, 0.0, 0.0
                continue
            here = place == at
            own = columns[here, :q].T
            link.square[..., level] -= own @ columns[here]
            link.free[:, :-1, level] -= own @ X[here]
            link.free[:, -1, level] -= own @ y[here]
            if cells is not None:
                link.cells[:, inside] -= own @ border[here][:, cells.column[inside]]
        return kept

    def _border(self, rows: Ints) -> Floats:
        """Return the border's columns of some rows, shape (len(rows), m)."""
        out = np.zeros((len(rows), self._products.m))
        at = 0
        for index, (codes, columns) in zip(self._engine.border, self.rows.border, strict=True):
            factor = self._engine.factors[index]
            for j in range(factor.q):
                out[np.arange(len(rows)), at + codes[rows] * factor.q + j] = columns[rows, j]
            at += factor.q * factor.n_levels
        return out

    def estimable(self, reduced: GaussianDesign) -> bool:
        """Return True where the rows left still tell every fixed effect and leave residual degrees of freedom."""
        products = reduced.products
        if products.n <= products.p:
            return False
        if not products.p:
            return True
        left = np.linalg.eigvalsh(products.total[products.m :, products.m :])
        return bool(left[0] > LOST * self._information[0])


def curvature(engine: GaussianDesign, theta: Floats, reml: bool) -> Floats:
    """Return the Hessian of the profiled deviance by theta, made positive definite."""
    hessian = difference_hessian(lambda x: criterion(engine, x, reml)[1], theta)
    return positive_definite(hessian, 1e-6) if theta.size else hessian


def refit_without(
    design: Design, engine: GaussianDesign, theta: Floats, reml: bool, units: list[Ints], *, exact: bool, singular: bool
) -> Remaining:
    """Return the estimates without each unit, given by its rows.

    Parameters
    ----------
    theta : estimates of all rows, from which each search starts.
    exact : search to the optimum; else one Newton step with the curvature of all rows.
    singular : the fit lies on the boundary, where a search that starts there would stay: start inside.
    """
    deletion, hessian = Deletion(design, engine), curvature(engine, theta, reml)
    out = _empty(engine, len(units))
    for d, rows in enumerate(units):
        with deletion.without(rows) as reduced:
            if not deletion.estimable(reduced):
                continue
            try:
                found = _search(reduced, theta, hessian, reml, exact, singular)
            except np.linalg.LinAlgError:
                continue
            if found is not None:
                _store(out, d, reduced, found, reml)
    return out


def _search(
    reduced: GaussianDesign, theta: Floats, hessian: Floats, reml: bool, exact: bool, singular: bool
) -> Elimination | None:
    if not exact:
        step = np.linalg.solve(hessian, criterion(reduced, theta, reml)[1]) if theta.size else theta
        return eliminate(reduced, theta - step)
    if not singular:
        quick = _newton(reduced, theta, hessian, reml)
        if quick is not None:
            return eliminate(reduced, quick)
    found = optimise(reduced, reml, _inside(reduced, theta))
    return found.state if found.search.converged else None


def _newton(reduced: GaussianDesign, theta: Floats, hessian: Floats, reml: bool) -> Floats | None:
    """Search from the estimates of all rows with their curvature, updated; None where that does not lead downhill."""
    value, slope = criterion(reduced, theta, reml)
    for _ in range(_STEPS):
        step = -np.linalg.solve(hessian, slope) if theta.size else theta
        decrement = float(-slope @ step / 2)
        if decrement <= _ENOUGH + 1e-17 * abs(value):
            return theta if _interior(reduced, theta) else None
        new_value, new_slope = criterion(reduced, theta + step, reml)
        if not new_value <= value + 1e-13 * abs(value):
            return None
        along = float(step @ (new_slope - slope))
        if along > 0:
            push = hessian @ step
            hessian = hessian - np.outer(push, push) / float(step @ push)
            hessian = hessian + np.outer(new_slope - slope, new_slope - slope) / along
        theta, value, slope = theta + step, new_value, new_slope
    return None


def _interior(reduced: GaussianDesign, theta: Floats) -> bool:
    """Return True where no relative standard deviation is near zero, where a stationary point may be a saddle."""
    for factor, where in zip(reduced.factors, reduced.slices, strict=True):
        diagonal = [abs(v) for v, (i, j) in zip(theta[where], factor.free, strict=True) if i == j]
        if min(diagonal) < 10 * SINGULAR:
            return False
    return True


def _inside(reduced: GaussianDesign, theta: Floats) -> Floats:
    """Return theta with each diagonal at least .05: away from the saddle at zero."""
    out = theta.copy()
    for factor, where in zip(reduced.factors, reduced.slices, strict=True):
        out[where] = [max(abs(v), 0.05) if i == j else v for v, (i, j) in zip(theta[where], factor.free, strict=True)]
    return out


def _empty(engine: GaussianDesign, count: int) -> Remaining:
    p = engine.products.p
    return Remaining(
        beta=np.full((count, p), np.nan),
        vcov=np.full((count, p, p), np.nan),
        sigma=np.full(count, np.nan),
        covariances=tuple(np.full((count, f.q, f.q), np.nan) for f in engine.factors),
        converged=np.zeros(count, dtype=bool),
    )


def _store(out: Remaining, d: int, reduced: GaussianDesign, state: Elimination, reml: bool) -> None:
    """Write the estimates of one state in the user's columns."""
    products, basis = reduced.products, reduced.fixed_basis
    sigma = float(np.sqrt(state.r2 / (products.n - (products.p if reml else 0))))
    out.beta[d] = basis @ state.beta + reduced.y_shift
    out.vcov[d] = sigma**2 * basis @ state.fixed_inverse @ basis.T
    out.sigma[d] = sigma
    for stored, matrix in zip(out.covariances, factor_covariances(reduced, state.theta, sigma), strict=True):
        stored[d] = matrix
    out.converged[d] = True
