"""Fits of ordinal and mixed variables as the rest of ``after`` sees them: rows of the table, views of the groups.

What the parameterisation leaves to follow from the free parameters is filled in: residual variances (delta), scales
(theta), and their derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.after.candidates import Candidate
from alliancekit.structural.after.view import GroupView
from alliancekit.structural.after.whole import whole
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.model import Entries
from alliancekit.structural.ordinal.estimate import OrdinalFit
from alliancekit.structural.ordinal.structure import At, Structure, evaluate, widen

Floats = NDArray[np.float64]


def own_fit(fit: StructuralEstimates) -> OrdinalFit:
    """Return what a fit of ordinal variables knows."""
    assert fit.ordinal is not None
    return fit.ordinal


def modelled_names(fit: StructuralEstimates, block: int) -> list[str]:
    """Return the variables of a block (from 0) whose moments are modelled: without covariates that are given."""
    if fit.ordinal is None:
        return list(fit.model.blocks[block].observed)
    return list(fit.ordinal.structures[block].names)


def scales_of_responses(fit: StructuralEstimates, estimate: Floats) -> None:
    """Write the scales of the theta parameterisation into the estimates of all rows."""
    own, table = own_fit(fit), fit.table
    if not own.structures[0].theta:
        return
    for b, (structure, at) in enumerate(zip(own.structures, own.at, strict=True), start=1):
        scale = dict(zip(structure.names, at.scales.tolist(), strict=True))
        for i in table.rows(b):
            if table.op[i] == "~*~":
                estimate[i] = scale[table.lhs[i]]


def fill_slopes(fit: StructuralEstimates, out: Floats) -> None:
    """Write the derivatives (R, size) of residual variances, or of scales, that follow from the other parameters."""
    own, table = own_fit(fit), fit.table
    for b, (structure, at) in enumerate(zip(own.structures, own.at, strict=True), start=1):
        if structure.theta:
            order = {name: k for k, name in enumerate(structure.names)}
            for i in table.rows(b):
                if table.op[i] == "~*~":
                    out[i] = at.scale_slopes[order[table.lhs[i]]]
            continue
        names = [name for name, ordinal in zip(structure.names, structure.ordinal, strict=True) if ordinal]
        place = {name: k for k, name in enumerate(names)}
        for i in table.rows(b):
            if table.op[i] == "~~" and table.lhs[i] == table.rhs[i] and table.lhs[i] in place:
                out[i] = at.residuals[place[table.lhs[i]]]


def ordinal_views(fit: StructuralEstimates) -> tuple[GroupView, ...]:
    """Return a view of each group: statistics, the weights, slopes of n - 1 rows as in lavaan."""
    own, out = own_fit(fit), []
    pieces = zip(fit.sample.groups, own.structures, own.statistics, own.targets, own.at, strict=True)
    for group, structure, statistics, target, at in pieces:
        weight = target.weight if target.weight.ndim == 2 else np.diag(target.weight)
        out.append(
            GroupView(
                group.label,
                structure.names,
                group.n,
                target.observed,
                at.vector,
                at.jacobian,
                weight,
                (group.n - 1) * target.weigh(target.observed - at.vector),
                False,
                partial(_same, weight),
                partial(_over, statistics.gamma, group.n),
            )
        )
    return tuple(out)


def _same(weight: Floats) -> Floats:
    return weight


def _over(gamma: Floats, n: int) -> Floats:
    return gamma / n


def extra_slopes(fit: StructuralEstimates, extra: Sequence[Candidate]) -> tuple[Floats, ...]:
    """Return d statistics / d extra parameters of each group, (m, k), at values as they are."""
    own = own_fit(fit)
    pieces = []
    for b, (structure, at) in enumerate(zip(own.structures, own.at, strict=True), start=1):
        given = {structure.block.observed[i] for i in structure.given}
        mine = [(number, c) for number, c in enumerate(extra) if c.block == b and c.lhs not in given]
        found = np.zeros((len(at.vector), len(extra)))
        if mine:
            found[:, [number for number, _ in mine]] = _slopes(fit, structure, at, [c for _, c in mine])
        pieces.append(found)
    return tuple(pieces)


def _slopes(fit: StructuralEstimates, structure: Structure, at: At, extra: Sequence[Candidate]) -> Floats:
    """Return the derivatives (m, k) of the statistics of one group by k parameters that are fixed."""
    block = structure.block
    now = whole(block, fit.x)
    place = {name: i for i, name in enumerate((*block.observed, *block.latent))}
    values = np.zeros(len(extra))
    lists: dict[str, list[tuple[int, int, int]]] = {"~": [], "~~": [], "~1": []}
    scales: list[tuple[int, int]] = []
    for k, c in enumerate(extra):
        if c.op == "~*~":
            if not structure.theta:
                scales.append((structure.names.index(c.lhs), k))
                values[k] = at.scales[scales[-1][0]]
        elif c.op == "~1":
            lists["~1"].append((place[c.lhs], 0, k))
            values[k] = now.m[place[c.lhs]]
        elif c.op == "~~":
            row, column = place[c.lhs], place[c.rhs]
            lists["~~"].append((max(row, column), min(row, column), k))
            values[k] = at.S[row, column]
        else:
            row, column = (place[c.rhs], place[c.lhs]) if c.op == "=~" else (place[c.lhs], place[c.rhs])
            lists["~"].append((row, column, k))
            values[k] = now.A[row, column]
    directed, covariances, intercepts = (_entries(lists[key]) for key in ("~", "~~", "~1"))
    ordinal = set(structure.own[structure.ordinal].tolist())
    chained = structure.chained or bool(ordinal & set(directed.columns.tolist()))
    baked = replace(block, A=now.A, S=at.S, m=now.m, direct=False)
    baked = replace(baked, directed=directed, covariances=covariances, intercepts=intercepts)
    cuts = structure.cuts.copy()
    cuts[structure.thresholds.places] = fit.x[structure.thresholds.parameters]
    wider = widen(replace(structure, cuts=cuts, scales=at.scales, chained=chained), baked, scales)
    found = evaluate(wider, values)
    assert found is not None
    return found.jacobian


def _entries(found: list[tuple[int, int, int]]) -> Entries:
    array = np.array(found, dtype=np.intp).reshape(-1, 3)
    return Entries(array[:, 0].copy(), array[:, 1].copy(), array[:, 2].copy())
