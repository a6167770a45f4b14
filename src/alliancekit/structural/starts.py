"""Starting values of a model from the sample: loadings by instrumental variables, residual variances half of the
variances, means as observed, those of latent variables from items with fixed intercepts.

Loadings: Hägglund (1982), Psychometrika 47, 209-222 (fabin2), as in lavaan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.core.later import Later
from alliancekit.structural.constraints import Linear
from alliancekit.structural.model import Model
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.rotation import starts as exploratory
else:
    exploratory = Later("alliancekit.structural.rotation.starts")

Floats = NDArray[np.float64]


def starting_values(
    table: ParameterTable, names: Sequence[Sequence[str]], samples: Sequence[tuple[Floats, Floats]]
) -> Floats:
    """Return starting values of the free parameters, (n_free,).

    Parameters
    ----------
    names : per block, its observed variables. samples : per block, their mean (p,) and covariance (p, p).
    """
    x = np.zeros(table.n_free)
    for b in range(1, table.n_blocks + 1):
        rows = table.rows(b)
        place = {name: i for i, name in enumerate(names[b - 1])}
        mean, cov = samples[b - 1]
        found = _loadings(table, rows, place, cov)
        found |= _latent_means(table, rows, place, mean)
        if any(table.efa[i] for i in rows):
            found |= exploratory.exploratory_starts(table, rows, place, cov)
        pointed_at = {table.lhs[i] if table.op[i] == "~" else table.rhs[i] for i in rows if table.op[i] in ("~", "=~")}
        own = cov.tolist()
        for i in rows:
            if table.free[i]:
                given = table.start[i]
                value = given if given == given else found.get(i, math.nan)
                if value != value:
                    value = _start(table, i, place, mean, own, pointed_at)
                x[table.free[i] - 1] = min(max(value, table.lower[i]), table.upper[i])
    return x


def admissible_start(model: Model, linear: Linear, x: Floats) -> Floats:
    """Return ``x``; where it implies no covariance matrix, with larger variances and no covariances, if that helps.

    Parameters that are equal begin at their mean, of which the covariances are.
    """
    for factor in (None, 1.0, 4.0, 20.0):
        trial = x if factor is None else _widened(model, x, factor)
        met = linear.expand(linear.reduce(trial))
        if all(not lapack.dpotrf(part.sigma, lower=1)[1] for part in model.parts(met)):
            return trial
    return x


def _widened(model: Model, x: Floats, factor: float) -> Floats:
    out = x.copy()
    for block in model.blocks:
        entries = block.covariances
        own = entries.rows == entries.columns
        out[entries.parameters[own]] = np.abs(x[entries.parameters[own]]) * factor
        out[entries.parameters[~own]] = 0.0
    return out


def _start(
    table: ParameterTable,
    i: int,
    place: Mapping[str, int],
    mean: Floats,
    cov: Sequence[Sequence[float]],
    pointed_at: Set[str],
) -> float:
    op, lhs, rhs = table.op[i], table.lhs[i], table.rhs[i]
    if op == "=~":
        return 1.0
    if op == "~1":
        return float(mean[place[lhs]]) if lhs in place else 0.0
    if op == "~~" and lhs == rhs:
        if lhs not in place:
            return _latent_variance(table, i, place, cov)
        share = 0.5 if lhs in pointed_at else 1.0
        return share * cov[place[lhs]][place[lhs]]
    if op == "~~" and lhs in place and rhs in place and not {lhs, rhs} & pointed_at:
        return cov[place[lhs]][place[rhs]]
    return 0.0


def _latent_variance(table: ParameterTable, i: int, place: Mapping[str, int], cov: Sequence[Sequence[float]]) -> float:
    """Return a third of the variance of the item that gives a latent variable its unit."""
    for k in table.rows(table.block[i]):
        unit = table.op[k] == "=~" and table.lhs[k] == table.lhs[i] and not table.free[k] and table.start[k] == 1.0
        if unit and table.rhs[k] in place:
            return cov[place[table.rhs[k]]][place[table.rhs[k]]] / 3.0
    return 0.5


def _latent_means(
    table: ParameterTable, rows: Sequence[int], place: Mapping[str, int], mean: Floats
) -> dict[int, float]:
    """Return starting values of free means of latent variables with known loadings, by row.

    They are what the items with fixed intercepts say of them.
    """
    if "~1" not in table.op:
        return {}
    searched = {table.lhs[i] for i in rows if table.op[i] == "=~" and table.free[i]} | set(place)
    free = {table.lhs[i]: i for i in rows if table.op[i] == "~1" and table.free[i] and table.lhs[i] not in searched}
    fixed = {table.lhs[i]: table.start[i] for i in rows if table.op[i] == "~1" and not table.free[i]}
    column = {name: k for k, name in enumerate(free)}
    measured = [i for i in rows if table.op[i] == "=~" and table.lhs[i] in free and table.rhs[i] in fixed]
    items = list(dict.fromkeys(table.rhs[i] for i in measured if table.rhs[i] in place))
    if not items:
        return {}
    line = {name: k for k, name in enumerate(items)}
    pattern = np.zeros((len(items), len(free)))
    for i in measured:
        if table.rhs[i] in line:
            pattern[line[table.rhs[i]], column[table.lhs[i]]] = table.start[i]
    level = np.array([mean[place[name]] - fixed[name] for name in items])
    solved = np.linalg.lstsq(pattern, level, rcond=None)[0]
    return {i: float(value) for i, value in zip(free.values(), solved, strict=True) if np.isfinite(value)}


def _loadings(table: ParameterTable, rows: Sequence[int], place: Mapping[str, int], cov: Floats) -> dict[int, float]:
    """Return starting values of free loadings, by row of the table."""
    out: dict[int, float] = {}
    by_factor: dict[str, list[int]] = {}
    for i in rows:
        if table.op[i] == "=~":
            by_factor.setdefault(table.lhs[i], []).append(i)
    found: list[tuple[list[int], list[int], int, float]] = []
    for items in by_factor.values():
        places = [place[table.rhs[i]] for i in items if table.rhs[i] in place]
        if len(places) < len(items) or len(items) < 2:
            continue
        fixed = [k for k, i in enumerate(items) if not table.free[i] and table.start[i] != 0]
        first = fixed[0] if fixed else 0
        scale = table.start[items[first]] if fixed else _unit(cov[np.ix_(places[:3], places[:3])])
        found.append((items, places, places[first], scale))
    if not found:
        return {}
    ratios = _ratios(cov, [(places, first) for _, places, first, _ in found]).tolist()
    for (items, places, _, scale), line in zip(found, ratios, strict=True):
        out.update((i, line[k] * scale) for i, k in zip(items, places, strict=True) if table.free[i])
    return out


def _ratios(cov: Floats, factors: Sequence[tuple[Sequence[int], int]]) -> Floats:
    """Return loadings in units of the first item's, (factors, p): by the other items as instruments.

    factors : places of the items of each, and that of the first one.
    """
    size = np.sqrt(cov.diagonal())
    R = cov / size / size[:, None]  # sums over items of different units would lose the small ones
    firsts = [first for _, first in factors]
    lines = np.zeros((len(factors), len(cov)))
    for line, (places, first) in zip(lines, factors, strict=True):
        line[places] = R[first, places]
        line[first] = 0.0
    squares = lines**2
    top = lines @ R - lines
    bottom = squares.sum(axis=1, keepdims=True) - squares
    known = bottom > 0
    ratios = np.where(known, np.clip(top / np.where(known, bottom, 1.0), -3.0, 3.0), 1.0)
    for own, line, (places, _) in zip(ratios, lines, factors, strict=True):
        if len(places) < 3:
            own[:] = np.where(line < 0, -1.0, 1.0)
    ratios[np.arange(len(factors)), firsts] = 1.0
    return np.asarray(ratios * size / size[firsts][:, None])


def _unit(S: Floats) -> float:
    """Return the loading of the first item on a factor of variance one."""
    if len(S) < 3:
        return 0.7 * float(np.sqrt(S[0, 0]))
    share = S[0, 1] * S[0, 2] / S[1, 2] if S[1, 2] != 0 else 0.0
    return float(np.sqrt(np.clip(share, 0.1 * S[0, 0], 0.9 * S[0, 0])))
