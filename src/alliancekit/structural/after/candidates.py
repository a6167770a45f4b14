"""Parameters that a model leaves out: those fixed in its table, and those that could be added to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.model_statements import CONSTRAINTS
from alliancekit.structural.after.view import keep_moments
from alliancekit.structural.model import Entries, Model, jacobian
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.variables import find_variables

Floats = NDArray[np.float64]
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A parameter that is not free. block, group, level : from 1, as in the table. row : of the table, -1 if new."""

    lhs: str
    op: str
    rhs: str
    block: int
    group: int
    level: int
    row: int = -1


def candidates(table: ParameterTable, model: Model) -> tuple[Candidate, ...]:
    """Return fixed parameters of all blocks: rows of the table first, then those that could be added."""
    known: set[tuple[int, str, str, str]] = set()
    out = []
    for i, op in enumerate(table.op):
        if op in CONSTRAINTS:
            continue
        known |= _same(table.block[i], table.lhs[i], op, table.rhs[i])
        if not table.free[i] and not table.exo[i] and op not in ("|", "<~"):
            place = (table.block[i], table.group[i], table.level[i])
            out.append(Candidate(table.lhs[i], op, table.rhs[i], *place, i))
    for b in range(1, table.n_blocks + 1):
        place = (b, (b - 1) // table.n_levels + 1, (b - 1) % table.n_levels + 1 if table.n_levels > 1 else 0)
        for lhs, op, rhs in _conceivable(table, b):
            if (b, lhs, op, rhs) not in known:
                known |= _same(b, lhs, op, rhs)
                out.append(Candidate(lhs, op, rhs, *place))
    return tuple(out)


def _same(block: int, lhs: str, op: str, rhs: str) -> set[tuple[int, str, str, str]]:
    out = {(block, lhs, op, rhs)}
    return out | {(block, rhs, op, lhs)} if op == "~~" else out


def _conceivable(table: ParameterTable, b: int) -> list[Key]:
    """Return what could stand in a block: loadings, covariances, regressions among those of the model, means."""
    mine = table.rows(b)
    roles = find_variables([(table.lhs[i], table.op[i], table.rhs[i], table.user[i]) for i in mine])
    regressed = list(
        dict.fromkeys(
            [*(table.lhs[i] for i in mine if table.op[i] == "~"), *(table.rhs[i] for i in mine if table.op[i] == "~")]
        )
    )
    indicators, latent = set(roles.indicators), set(roles.latent)
    out: list[Key] = [
        (f, "=~", v)
        for f in roles.latent
        if f not in roles.composites
        for v in roles.endogenous
        if not (f in latent and v in regressed)
    ]
    inside = [v for v in roles.endogenous if v in indicators]
    out += _pairs(inside) + _pairs(roles.latent)
    for lhs in regressed:
        for rhs in regressed:
            if lhs != rhs and not (lhs in indicators and rhs in latent):
                out.append((lhs, "~", rhs))
    if "~1" in table.op:
        out += [(v, "~1", "") for v in (*roles.observed, *roles.latent)]
    return out


def _pairs(names: Sequence[str]) -> list[Key]:
    return [(one, "~~", other) for i, one in enumerate(names) for other in names[i:]]


def extra_jacobian(model: Model, x: Floats, extra: Sequence[Candidate]) -> tuple[Floats, ...]:
    """Return d moments / d extra parameters of each group, (moments, k), at values as they are."""
    k = len(extra)
    parts = model.parts(x)
    pieces = []
    for b, (block, part) in enumerate(zip(model.blocks, parts, strict=True), start=1):
        place = {name: i for i, name in enumerate((*block.observed, *block.latent))}
        directed, covariances, means = [], [], []
        for number, c in enumerate(extra):
            if c.block != b:
                continue
            if c.op == "~1":
                means.append((place[c.lhs], 0, number))
            elif c.op == "~~":
                covariances.append((place[c.lhs], place[c.rhs], number))
            elif c.op == "=~":
                directed.append((place[c.rhs], place[c.lhs], number))
            else:
                directed.append((place[c.lhs], place[c.rhs], number))
        widened = replace(
            block, directed=_entries(directed), covariances=_entries(covariances), intercepts=_entries(means)
        )
        kept = keep_moments([len(block.observed)], model.means)
        pieces.append(jacobian(widened, part, k)[kept])
    step = model.per_group
    return tuple(np.concatenate(pieces[i : i + step]) for i in range(0, len(pieces), step))


def _entries(found: list[tuple[int, int, int]]) -> Entries:
    array = np.array(found, dtype=np.intp).reshape(-1, 3)
    return Entries(array[:, 0].copy(), array[:, 1].copy(), array[:, 2].copy())
