"""From a parameter table to the structure of ordinal and mixed variables, with starting values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.model import BlockModel, Model
from alliancekit.structural.ordinal.statistics import Statistics
from alliancekit.structural.ordinal.structure import Structure, vector_of
from alliancekit.structural.starts import starting_values
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def conditional_names(table: ParameterTable, block: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the modelled variables of a block, and the covariates that everything is conditional on."""
    roles = table.variables(block)
    held = {table.lhs[i] for i in table.rows(block) if table.exo[i] and table.op[i] == "~~"}
    given = tuple(name for name in roles.exogenous if name in held)
    return tuple(name for name in roles.observed if name not in set(given)), given


def compile_structures(
    table: ParameterTable, model: Model, sizes: Sequence[Integers], theta: bool
) -> tuple[Structure, ...]:
    """Return the structure of each block.

    Parameters
    ----------
    model : the matrices. sizes : per block, number of categories of its modelled variables, 0 of numeric ones.

    Raises
    ------
    SpecError : thresholds are missing or too many.
    """
    return tuple(
        _structure(table, b, block, own, theta)
        for b, (block, own) in enumerate(zip(model.blocks, sizes, strict=True), 1)
    )


def _structure(table: ParameterTable, b: int, block: BlockModel, sizes: Integers, theta: bool) -> Structure:
    names, given = conditional_names(table, b)
    place = {name: i for i, name in enumerate(block.observed)}
    own, covariates = (np.array([place[n] for n in part], dtype=np.intp) for part in (names, given))
    ordinal = sizes > 0
    widths = np.maximum(sizes - 1, 1)
    owner = np.repeat(np.arange(len(names)), widths)
    first = dict(zip(names, (np.cumsum(widths) - widths).tolist(), strict=True))
    order = {name: k for k, name in enumerate(names)}
    cuts, scales = np.zeros(len(owner)), np.ones(len(names))
    thresholds: list[tuple[int, int]] = []
    free_scales: list[tuple[int, int]] = []
    seen: set[int] = set()
    for i in table.rows(b):
        name, free = table.lhs[i], table.free[i]
        if table.op[i] == "|":
            at = _place(name, table.rhs[i], int(sizes[order[name]]), first)
            seen.add(at)
            thresholds += [(at, free - 1)] if free else []
            cuts[at] = 0.0 if free else table.start[i]
        elif table.op[i] == "~*~":
            if free:
                free_scales.append((order[name], free - 1))
            elif not theta:
                scales[order[name]] = table.start[i]
    _check_thresholds(names, sizes, owner, seen)
    block = without_covariates(block, covariates)
    pattern = block.A != 0
    pattern[block.directed.rows, block.directed.columns] = True
    chained = bool(pattern[:, own[ordinal]].any())
    free_scales = [] if theta else free_scales
    covariates_too = set(table.variables(b).exogenous)
    outside = np.array([name in covariates_too for name in names], dtype=np.bool_)
    vectors = (vector_of(thresholds), vector_of(free_scales))
    return Structure(
        block, own, covariates, names, ordinal, owner, cuts, vectors[0], scales, vectors[1], theta, chained, outside
    )


def _place(name: str, threshold: str, size: int, first: Mapping[str, int]) -> int:
    number = threshold.removeprefix("t")
    if not number.isdigit() or not 1 <= int(number) < max(size, 1):
        what = f"'{name} | {threshold}': '{name}' has {size} categories" if size else f"'{name}' is not ordinal"
        do = f"Its thresholds are t1 to t{size - 1}" if size else "Name it in ordered="
        raise SpecError(message(what, where="the model", do=do))
    return first[name] + int(number) - 1


def _check_thresholds(names: Sequence[str], sizes: Integers, owner: Integers, seen: set[int]) -> None:
    for at, i in enumerate(owner):
        if sizes[i] and at not in seen:
            number = at - int(np.flatnonzero(owner == i)[0]) + 1
            what = f"'{names[i]}' has {sizes[i]} categories and the model has no threshold t{number}"
            raise SpecError(message(what, do=f"Add the line {names[i]} | t{number}"))


def without_covariates(block: BlockModel, given: Integers) -> BlockModel:
    """Return a block with the moments of covariates at zero: what is left is conditional on them."""
    S, m = block.S.copy(), block.m.copy()
    S[np.ix_(given, given)] = 0.0
    m[given] = 0.0
    return replace(block, S=S, m=m)


def start(table: ParameterTable, structures: Sequence[Structure], statistics: Sequence[Statistics]) -> Floats:
    """Return starting values of the free parameters: thresholds as observed, scales and variances of one."""
    pairs = []
    for structure, found in zip(structures, statistics, strict=True):
        means = np.where(structure.ordinal, 0.0, found.margins.location)
        pairs.append((means, found.covariance))
    x = starting_values(table, [s.names for s in structures], pairs)
    given = {table.free[i] - 1 for i in range(len(table)) if table.free[i] and table.start[i] == table.start[i]}
    for structure, found in zip(structures, statistics, strict=True):
        for vector, values in ((structure.thresholds, found.vector), (structure.free_scales, structure.scales)):
            for at, parameter in zip(vector.places.tolist(), vector.parameters.tolist(), strict=True):
                x[parameter] = x[parameter] if parameter in given else values[at]
        _unit_residuals(x, structure, given)
    return x


def _unit_residuals(x: Floats, structure: Structure, given: set[int]) -> None:
    """Start free residual variances of ordinal variables at one."""
    c = structure.block.covariances
    ordinal = set(structure.own[structure.ordinal].tolist())
    for row, column, parameter in zip(c.rows.tolist(), c.columns.tolist(), c.parameters.tolist(), strict=True):
        if row == column and row in ordinal and parameter not in given:
            x[parameter] = 1.0
