"""Bounds that keep parameters within what is possible, such as variances that are not negative.

Source: De Jonckere & Rosseel (2022), Struct Equ Modeling 29, 412-427; the sets of bounds are lavaan's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isinf, sqrt

import numpy as np

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.sample import GroupSample, Sample
from alliancekit.structural.table import ParameterTable

_RELIABILITY = 0.1
"""Least reliability of the indicator that gives a latent variable its unit."""
_LEAST = 0.005
"""Least variance of a dependent latent variable."""


@dataclass(frozen=True, slots=True)
class _Widths:
    """By how much each range of bounds is widened at its lower and its upper end, as a share of the range."""

    residuals: tuple[float, float]
    latent: tuple[float, float]
    loadings: tuple[float, float]
    covariances: tuple[float, float]


_SETS = {
    "standard": _Widths((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (-0.001, -0.001)),
    "wide": _Widths((0.05, 0.2), (0.0, 0.3), (0.1, 0.1), (0.0, 0.0)),
}
_POSITIVE = {"pos.var": (True, True), "pos.ov.var": (True, False), "pos.lv.var": (False, True)}


def add_bounds(table: ParameterTable, sample: Sample, kind: str) -> ParameterTable:
    """Return the table with bounds on its free parameters; bounds that the user wrote stay.

    Parameters
    ----------
    kind : "none"; "pos.var", "pos.ov.var", "pos.lv.var" (variances of all, of observed and of latent variables are not
        negative); "standard", "wide" (bounds of variances, loadings and covariances by the variances in the sample).

    Raises
    ------
    SpecError : the model has two levels, ordinal variables or effect coding.
    """
    if kind == "none":
        return table
    if table.n_levels > 1 or "|" in table.op:
        what = "two levels" if table.n_levels > 1 else "ordinal variables"
        raise SpecError(message(f"bounds={kind!r} is not for models with {what}", do="Write lower() and upper()"))
    low, high = list(table.lower), list(table.upper)
    for b, group in enumerate(sample.groups, start=1):
        for i, (at_least, at_most) in _block_bounds(table, b, group, kind).items():
            if table.free[i] and table.exo[i] == 0:
                low[i] = at_least if isinf(low[i]) else low[i]
                high[i] = at_most if isinf(high[i]) else high[i]
    return replace(table, lower=tuple(low), upper=tuple(high))


def _block_bounds(table: ParameterTable, b: int, group: GroupSample, kind: str) -> dict[int, tuple[float, float]]:
    """Return row -> bounds of one group."""
    latent = set(table.variables(b).latent)
    rows = table.rows(b)
    if kind in _POSITIVE:
        observed_too, latent_too = _POSITIVE[kind]
        own = [i for i in rows if table.op[i] == "~~" and table.lhs[i] == table.rhs[i]]
        return {i: (0.0, inf) for i in own if (latent_too if table.lhs[i] in latent else observed_too)}
    diagonal = np.diag(group.cov)
    if group.rows is not None and not np.isfinite(diagonal).all():
        diagonal = np.nanvar(group.rows, axis=0)
    variances = dict(zip(group.names, diagonal.tolist(), strict=True))
    widths = _SETS[kind]
    markers = {table.lhs[i]: table.rhs[i] for i in rows if table.op[i] == "=~" and not table.free[i]}
    markers = {name: item for name, item in markers.items() if _is_unit(table, rows, name, item) and item in variances}
    least = {name: _RELIABILITY * variances[markers[name]] if name in markers else 0.0 for name in latent}
    most = {name: variances[markers[name]] if name in markers else max(variances.values()) for name in latent}
    for i in rows:
        fixed = table.op[i] == "~~" and table.lhs[i] == table.rhs[i] and not table.free[i]
        if fixed and table.lhs[i] in latent and table.start[i] == 1.0:
            least[table.lhs[i]] = most[table.lhs[i]] = 1.0
    found, top = _variance_bounds(table, b, variances, (markers, least, most), widths)
    for i in rows:
        lhs, rhs = table.lhs[i], table.rhs[i]
        if table.op[i] == "=~" and rhs in variances:
            reach = sqrt(variances[rhs] / least[lhs]) if least[lhs] > 0 else inf
            found[i] = _widened(-reach, reach, widths.loadings) if reach < inf else (-inf, inf)
        elif table.op[i] == "~~" and lhs != rhs and lhs in top and rhs in top:
            reach = sqrt(top[lhs]) * sqrt(top[rhs])
            found[i] = _widened(-reach, reach, widths.covariances)
    return found


def _variance_bounds(
    table: ParameterTable,
    b: int,
    variances: Mapping[str, float],
    latents: tuple[Mapping[str, str], Mapping[str, float], Mapping[str, float]],
    widths: _Widths,
) -> tuple[dict[int, tuple[float, float]], dict[str, float]]:
    """Return the bounds of variances, and the upper one of each variable."""
    markers, least, most = latents
    outside = set(table.variables(b).latent_x)
    found: dict[int, tuple[float, float]] = {}
    top: dict[str, float] = {}
    for i in table.rows(b):
        name = table.lhs[i]
        if table.op[i] != "~~" or name != table.rhs[i]:
            continue
        if name in variances:
            share = 1.0 - _RELIABILITY if name in markers.values() else 1.0
            found[i] = _widened(0.0, share * variances[name], widths.residuals)
        else:
            low = least[name] if name in outside else _LEAST
            found[i] = _widened(low, most[name], widths.latent)
        top[name] = found[i][1]
    return found, top


def _is_unit(table: ParameterTable, rows: list[int], name: str, item: str) -> bool:
    return any(
        table.lhs[i] == name and table.rhs[i] == item and table.op[i] == "=~" and table.start[i] == 1.0 for i in rows
    )


def _widened(low: float, high: float, by: tuple[float, float]) -> tuple[float, float]:
    width = high - max(low, 0.0) if low >= 0 else high - low
    return low - by[0] * width, high + by[1] * width
