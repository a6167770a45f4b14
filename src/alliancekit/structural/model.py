"""The model as matrices: moments implied by the parameters, and derivatives, in the reticular action form.

With directed effects A, covariances S, intercepts m among all variables and F choosing the observed ones:
Sigma = F B S B' F', mu = F B m, B = (I - A)^-1 (McArdle & McDonald 1984, Br J Math Stat Psychol 37, 234-251). Each
derivative of Sigma has rank two, u v' + v u', so that gradients and information need no derivative matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.bend import add_bend
from alliancekit.structural.duplication import triangle
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False, slots=True)
class Entries:
    """Free entries of one matrix: where they stand, and which parameter (from 0) each is."""

    rows: Ints
    columns: Ints
    parameters: Ints


class Plan(NamedTuple):
    """How a block and its derivatives are put together, parameter by parameter (k of them, in ascending order).

    where : (k,) parameters. left : columns of F B that are u. right, weight : columns of [F B S B', F B], and their
    factor, that are v. mean : entries of [B m, 0, 1] by which u is the derivative of the means. effects, spreads : free
    entries of A, and of both triangles of S, as places in the matrix row after row, and their parameters.
    """

    where: Ints
    left: Ints
    right: Ints
    weight: Floats
    mean: Ints
    effects: tuple[Ints, Ints]
    spreads: tuple[Ints, Ints]


@dataclass(frozen=True, eq=False, slots=True)
class BlockModel:
    """One block (a group, or one level of it); v variables, the p observed ones first.

    Attributes
    ----------
    observed, latent : names. A, S : (v, v) with the fixed values, m : (v,). directed, covariances, intercepts : their
    free entries; of S the lower triangle. covariates : (row of the table, i, j) of moments taken from the sample.
    direct : whether B = I + A, no effect being passed on. loadings : (v, v) where an entry of A is a loading and not
    a regression. plan : of the derivatives.
    """

    observed: tuple[str, ...]
    latent: tuple[str, ...]
    A: Floats
    S: Floats
    m: Floats
    directed: Entries
    covariances: Entries
    intercepts: Entries
    direct: bool
    rows: Ints
    columns: Ints
    loadings: NDArray[np.bool_]
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plan", _plan(len(self.m), self.directed, self.covariances, self.intercepts))


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """What the derivatives of a block need: FB (p, v), spread = F B S B' (p, v), levels = B m (v,)."""

    FB: Floats
    spread: Floats
    levels: Floats
    mu: Floats
    sigma: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """A model of all blocks. size : number of free parameters, equal ones one by one. means : whether it has means."""

    blocks: tuple[BlockModel, ...]
    size: int
    means: bool
    per_group: int = 1
    _last: dict[bytes, list[Parts]] = field(default_factory=dict, repr=False)

    def parts(self, x: Floats) -> list[Parts]:
        """Return the matrices at ``x``, block by block; those of the last ``x`` are kept."""
        key = x.tobytes()
        if key not in self._last:
            found = [_parts(block, x) for block in self.blocks]
            self._last.clear()
            self._last[key] = found
        return self._last[key]

    def moments(self, x: Floats) -> tuple[Moments, ...]:
        """Return the implied means and covariances of each block."""
        return tuple(Moments(part.mu, part.sigma) for part in self.parts(x))

    def jacobian(self, x: Floats) -> tuple[Floats, ...]:
        """Return d moments / d x of each group, (moments, size): means, then the lower triangle, block after block."""
        found = [jacobian(block, part, self.size) for block, part in zip(self.blocks, self.parts(x), strict=True)]
        step = self.per_group
        return tuple(np.concatenate(found[i : i + step]) for i in range(0, len(found), step))

    def gradient(self, x: Floats, slopes: Sequence[Moments]) -> Floats:
        """Return the derivative by ``x`` of a criterion whose derivatives by the moments are ``slopes``."""
        out = np.zeros(self.size)
        for block, part, slope in zip(self.blocks, self.parts(x), slopes, strict=True):
            U, V = factors_of(block, part)
            own = 2.0 * (U * (slope.sigma @ V)).sum(axis=0) + slope.mu @ mean_slopes(block, part)
            out[block.plan.where] += own
        return out

    def bend(self, x: Floats, slopes: Sequence[Moments]) -> Floats:
        """Return what the second derivatives of the moments add to the Hessian of such a criterion, (size, size)."""
        out = np.zeros((self.size, self.size))
        for block, slope in zip(self.blocks, slopes, strict=True):
            add_bend(out, block, x, slope)
        return out


def compile_model(table: ParameterTable, samples: Sequence[tuple[Floats, Floats]] | None = None) -> Model:
    """Return the matrices of a table.

    Parameters
    ----------
    table : the parameters. samples : per block, mean (p,) and covariance (p, p) of the observed variables in the order
        of ``observed_names``, for moments of covariates that are held at their sample values.
    """
    blocks = []
    for b in range(1, table.n_blocks + 1):
        blocks.append(_compile(table, b, None if samples is None else samples[b - 1]))
    return Model(tuple(blocks), table.n_free, "~1" in table.op, table.n_levels)


def observed_names(table: ParameterTable, block: int) -> tuple[str, ...]:
    """Return the observed variables of a block, in lavaan's order."""
    return _roles(table, block)[0]


def _roles(table: ParameterTable, block: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = table.variables(block)
    return found.observed, found.latent


def _compile(table: ParameterTable, b: int, sample: tuple[Floats, Floats] | None) -> BlockModel:
    observed, latent = _roles(table, b)
    place = {name: i for i, name in enumerate((*observed, *latent))}
    v = len(place)
    A, S, m = np.zeros((v, v)), np.zeros((v, v)), np.zeros(v)
    loadings = np.zeros((v, v), dtype=bool)
    lists: dict[str, list[tuple[int, int, int]]] = {"A": [], "S": [], "m": []}
    for i in table.rows(b):
        op, free, value = table.op[i], table.free[i], table.start[i]
        lhs, rhs = table.lhs[i], table.rhs[i]
        if op in ("|", "~*~"):
            continue
        if op == "~1":
            key, at, other = "m", place[lhs], 0
        elif op == "~~":
            key, at, other = "S", max(place[lhs], place[rhs]), min(place[lhs], place[rhs])
        elif op == "=~":
            key, at, other = "A", place[rhs], place[lhs]
            loadings[at, other] = bool(free) or value != 0
        else:
            key, at, other = "A", place[lhs], place[rhs]
        if free:
            lists[key].append((at, other, free - 1))
            continue
        if table.exo[i] and sample is not None and value != value:
            value = float(sample[0][at] if key == "m" else sample[1][at, other])
        if key == "m":
            m[at] = value
        elif key == "S":
            S[at, other] = S[other, at] = value
        else:
            A[at, other] = value
    directed, covariances, intercepts = (_entries(lists[key]) for key in ("A", "S", "m"))
    pattern = A != 0
    pattern[directed.rows, directed.columns] = True
    direct = not (pattern.any(axis=0) & pattern.any(axis=1)).any()
    rows, columns = triangle(len(observed))
    return BlockModel(observed, latent, A, S, m, directed, covariances, intercepts, direct, rows, columns, loadings)


def _entries(found: list[tuple[int, int, int]]) -> Entries:
    array = np.array(found, dtype=np.intp).reshape(-1, 3)
    return Entries(array[:, 0].copy(), array[:, 1].copy(), array[:, 2].copy())


def _plan(v: int, d: Entries, c: Entries, i: Entries) -> Plan:
    parameters = np.concatenate([d.parameters, c.parameters, i.parameters])
    order = np.argsort(parameters)
    weight = np.ones(order.size)
    weight[d.rows.size :][: c.rows.size][c.rows == c.columns] = 0.5
    weight[d.rows.size + c.rows.size :] = 0.0
    mean = np.full(order.size, v)
    mean[: d.rows.size] = d.columns
    mean[d.rows.size + c.rows.size :] = v + 1
    return Plan(
        parameters[order],
        np.concatenate([d.rows, c.rows, i.rows])[order],
        np.concatenate([d.columns, c.columns + v, i.rows + v])[order],
        weight[order],
        mean[order],
        (d.rows * v + d.columns, d.parameters),
        (np.concatenate([c.rows * v + c.columns, c.columns * v + c.rows]), np.concatenate([c.parameters] * 2)),
    )


def matrices(block: BlockModel, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return A, S, m and B of a block at the parameters ``x``."""
    A, S, m, i = block.A.copy(), block.S.copy(), block.m, block.intercepts
    for matrix, (places, parameters) in ((A, block.plan.effects), (S, block.plan.spreads)):
        matrix.put(places, x.take(parameters))
    if i.rows.size:
        m = m.copy()
        m[i.rows] = x[i.parameters]
    if not block.direct:
        return A, S, m, _total_effects(np.eye(len(m)) - A)
    B = A.copy()
    B.flat[:: len(m) + 1] += 1.0
    return A, S, m, B


def _total_effects(direct: Floats) -> Floats:
    """Return the inverse of I - A; NaN where effects in a circle have no solution."""
    try:
        return np.asarray(np.linalg.inv(direct), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full_like(direct, np.nan)


def _parts(block: BlockModel, x: Floats) -> Parts:
    _, S, m, B = matrices(block, x)
    FB = B[: len(block.observed)]
    spread = FB @ S @ B.T
    levels = B @ m
    p = len(block.observed)
    sigma = spread[:, :p]
    return Parts(FB, spread, levels, levels[:p], (sigma + sigma.T) / 2)


def factors_of(block: BlockModel, part: Parts) -> tuple[Floats, Floats]:
    """Return U and V (p, k) with d Sigma = u v' + v u', parameter by parameter of the plan."""
    plan = block.plan
    U = part.FB.take(plan.left, axis=1)
    return U, np.concatenate([part.spread, part.FB], axis=1).take(plan.right, axis=1) * plan.weight


def mean_slopes(block: BlockModel, part: Parts) -> Floats:
    """Return d mu (p, k), parameter by parameter of the plan."""
    by_level: Floats = np.concatenate([part.levels, (0.0, 1.0)])
    return np.asarray(part.FB.take(block.plan.left, axis=1) * by_level.take(block.plan.mean))


def jacobian(block: BlockModel, part: Parts, size: int) -> Floats:
    """Return d (means, lower triangle) / d x of a block, (moments, size)."""
    U, V = factors_of(block, part)
    own: Floats = np.concatenate(
        [mean_slopes(block, part), U[block.rows] * V[block.columns] + V[block.rows] * U[block.columns]]
    )
    if block.plan.where.size == size:
        return own
    out = np.zeros((len(own), size))
    out[:, block.plan.where] = own
    return out
