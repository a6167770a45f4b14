"""Rows made independent: for given parameters of the residual structure, the engine's cross-products of whitened rows.

With residual covariance sigma^2 S C S the rows C^-1/2 S^-1 [Z X y] have independent residuals of variance sigma^2, so
that the plain engine applies to them; log|S C S| is added to the deviance (Pinheiro & Bates 2000, section 5.1.1).
Whitening mixes the rows of one block, so each block must lie inside one level of every grouping factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.columns import apply_basis, engine_response
from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign, build, cross_products
from alliancekit.multilevel.gaussian.design import with_response as plain_with_response
from alliancekit.multilevel.gaussian.layout import Layout, make_layout
from alliancekit.multilevel.residual.compound_symmetry import BoundCompoundSymmetry
from alliancekit.multilevel.residual.rows import Blocks, RowReader
from alliancekit.multilevel.residual.terms import BoundCorrelation, BoundVariance, ResidualStructure
from alliancekit.multilevel.residual.unstructured import BoundUnstructured

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ResidualDesign:
    """Rows in the order of the structure, ready to be whitened.

    Attributes
    ----------
    base : the engine's design without structure. factors : its factors with codes in the structure's order.
    layout : where these rows go.
    columns : (d, n) columns of every factor, X and y in the engine's basis, times the root of the prior weights.
    order : (n,) data row of each row here. log_weights : sum of the logs of the prior weights.
    root_weights : (n,) in the structure's order. correlation, variance : the structure's parts, or None.
    """

    base: GaussianDesign
    factors: tuple[Factor, ...]
    layout: Layout
    columns: Floats
    order: Ints
    log_weights: float
    root_weights: Floats
    correlation: BoundCorrelation | None
    variance: BoundVariance | None

    @property
    def n_correlation(self) -> int:
        """Parameters of the correlation; they come first."""
        return self.correlation.n_parameters if self.correlation is not None else 0

    @property
    def n_phi(self) -> int:
        """Parameters of the structure."""
        return self.n_correlation + (self.variance.n_parameters if self.variance is not None else 0)

    def scaled(self, phi: Floats) -> Floats:
        """Return S^-1 times the columns."""
        if self.variance is None:
            return self.columns
        return self.columns / self.variance.scale(phi[self.n_correlation :])

    def log_det(self, phi: Floats) -> tuple[float, Floats]:
        """Return log|S C S| and its derivative by phi."""
        value, slope = 0.0, np.zeros(self.n_phi)
        if self.correlation is not None:
            value, slope[: self.n_correlation] = self.correlation.log_det(phi[: self.n_correlation])
        if self.variance is not None:
            value += 2.0 * float(np.log(self.variance.scale(phi[self.n_correlation :])).sum())
            slope[self.n_correlation :] = 2.0 * self.variance.slopes.sum(axis=1)
        return value, slope

    def whiten(self, phi: Floats, values: Floats) -> Floats:
        """Return C^-1/2 S^-1 W^1/2 of columns (d, n) in the order of the data, in the structure's order."""
        out = values[:, self.order] * self.root_weights
        if self.variance is not None:
            out = out / self.variance.scale(phi[self.n_correlation :])
        return out if self.correlation is None else self.correlation.whiten(phi[: self.n_correlation], out)

    def row_scale(self, phi: Floats) -> Floats:
        """Return the residual SD of each row over sigma, in the order of the data."""
        out = np.empty(len(self.order))
        scale = 1.0 if self.variance is None else self.variance.scale(phi[self.n_correlation :])
        out[self.order] = scale / self.root_weights
        return out

    def at(self, phi: Floats) -> GaussianDesign:
        """Return the engine's design of the rows whitened at ``phi``."""
        U = self.scaled(phi)
        W = U if self.correlation is None else self.correlation.whiten(phi[: self.n_correlation], U)
        Zs, at = [], 0
        for factor in self.factors:
            Zs.append(W[at : at + factor.q].T)
            at += factor.q
        log_weights = self.log_weights - self.log_det(phi)[0]
        chain, border = self.base.chain, self.base.border
        products = cross_products(self.factors, chain, border, Zs, W[at:-1].T, W[-1], log_weights, layout=self.layout)
        return replace(self.base, products=products)


def make_design(
    structure: ResidualStructure, design: Design, frame: pd.DataFrame, fitted: Floats | None = None
) -> ResidualDesign:
    """Return the rows of a formula's design with a residual structure; ``frame`` holds every row handed in.

    Raises
    ------
    DesignError : the structure does not fit the rows or the random terms.
    """
    reader = RowReader(frame, design.sample.rows_used, structure.columns)
    correlation = structure.correlation.bind(reader) if structure.correlation is not None else None
    n = len(design.X)
    order = np.arange(n) if correlation is None else correlation.blocks.order
    variance = None
    if structure.variance is not None:
        bound = structure.variance.bind(reader, fitted)
        strata = None if bound.strata is None else bound.strata[order]
        variance = replace(bound, slopes=np.ascontiguousarray(bound.slopes[:, order]), strata=strata)
    base = build(design)
    if correlation is not None:
        _refuse_split_blocks(correlation.blocks, base.factors, structure)
        _refuse_confounded(correlation, variance, base.factors, design, structure)
    factors = tuple(replace(f, codes=f.codes[order]) for f in base.factors)
    made = ResidualDesign(
        base=base,
        factors=factors,
        layout=make_layout(factors, base.chain, base.border),
        columns=_columns(design, base, order),
        order=order,
        log_weights=0.0 if design.weights is None else float(np.log(design.weights).sum()),
        root_weights=np.ones(n) if design.weights is None else np.sqrt(design.weights[order]),
        correlation=correlation,
        variance=variance,
    )
    _refuse_too_many(made, structure)
    return made


def with_response(old: ResidualDesign, design: Design) -> ResidualDesign:
    """Return the same rows with another response (that of ``design``)."""
    assert design.y is not None
    y, _ = engine_response(design, design.y)
    columns = old.columns.copy()
    columns[-1] = y[old.order] * old.root_weights
    return replace(old, base=plain_with_response(old.base, design, design.y), columns=columns)


def _columns(design: Design, base: GaussianDesign, order: Ints) -> Floats:
    pieces = [apply_basis(random_columns(design, f.group), f.basis) for f in base.factors]
    pieces.append(apply_basis(design.X, base.fixed_basis))
    y, _ = engine_response(design, design.y)
    d = sum(piece.shape[1] for piece in pieces)
    out = np.empty((d + 1, len(y)))
    at = 0
    for piece in pieces:
        out[at : at + piece.shape[1]] = piece.T[:, order]
        at += piece.shape[1]
    out[-1] = y[order]
    return out if design.weights is None else out * np.sqrt(design.weights[order])


def _constant_in(blocks: Blocks, values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return, for each block, whether ``values`` (in the order of the data) are the same in all of its rows."""
    ordered = values[blocks.order]
    same = ordered == ordered[blocks.starts[blocks.codes]]
    return np.asarray(np.logical_and.reduceat(same, blocks.starts[:-1]))


def _refuse_split_blocks(blocks: Blocks, factors: tuple[Factor, ...], structure: ResidualStructure) -> None:
    for factor in factors:
        whole = _constant_in(blocks, factor.codes)
        if whole.all():
            continue
        first = int(np.flatnonzero(~whole)[0])
        raise DesignError(
            message(
                f"rows of one '{blocks.name}' lie in several levels of the random factor '{factor.group}'",
                where=f"{blocks.name} {blocks.labels.all()[first]}; {structure}",
                do=f"Correlated residuals need '{blocks.name}' nested in '{factor.group}'; drop one of the two terms, "
                "or let only variances differ (ak.heteroscedastic, ak.power_of)",
            )
        )


def _refuse_confounded(
    correlation: BoundCorrelation,
    variance: BoundVariance | None,
    factors: tuple[Factor, ...],
    design: Design,
    structure: ResidualStructure,
) -> None:
    """Refuse a random term of the same unit whose covariance the structure holds already."""
    blocks = correlation.blocks
    for factor in factors:
        if factor.n_levels != blocks.size:
            continue
        Z = random_columns(design, factor.group)
        taken: list[str] = []
        if isinstance(correlation, BoundCompoundSymmetry) and variance is None:
            taken = [n for n, z in zip(factor.names, Z.T, strict=True) if bool((z == z[0]).all())]
        elif isinstance(correlation, BoundUnstructured):
            codes = np.empty(len(blocks.order), dtype=np.intp)
            codes[blocks.order] = correlation.codes
            first = np.zeros((len(correlation.occasions), Z.shape[1]))
            first[codes] = Z
            fixed = (first[codes] == Z).all(axis=0)
            free = variance is not None and variance.kind == "ratio"
            taken = [n for n, f, z in zip(factor.names, fixed, Z.T, strict=True) if f and (free or (z == z[0]).all())]
        if taken:
            raise DesignError(
                message(
                    f"the random effect {', '.join(taken)} of '{factor.group}' cannot be told apart from {structure}",
                    where=design.formula.text,
                    do=f"Leave the random term of '{factor.group}' out: the structure holds its variance already",
                )
            )


def _refuse_too_many(made: ResidualDesign, structure: ResidualStructure) -> None:
    n, p = made.base.products.n, made.base.products.p
    if made.n_phi + 1 > n - p:
        raise DesignError(
            message(
                f"{structure} has {made.n_phi + 1} parameters for {n} rows and {p} fixed effects",
                do="Use a structure with fewer parameters, such as ak.ar1 or ak.compound_symmetry",
            )
        )
