"""Bounds that keep parameters within what is possible, such as variances that are not negative.

Source: De Jonckere & Rosseel (2022), Struct Equ Modeling 29, 412-427; the sets of bounds are lavaan's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isinf, sqrt

import numpy as np

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.continuous.missing.saturated import fit_saturated
from alliancekit.structural.options import Options
from alliancekit.structural.ordinal.compile import conditional_names
from alliancekit.structural.ordinal.univariate import residual_variance
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
    "wide.zerovar": _Widths((0.0, 0.2), (0.0, 0.3), (0.1, 0.1), (0.0, 0.0)),
}
_POSITIVE = {"pos.var": (True, True), "pos.ov.var": (True, False), "pos.lv.var": (False, True)}


def add_bounds(table: ParameterTable, sample: Sample, options: Options) -> ParameterTable:
    """Return the table with the bounds of ``options.bounds`` on its free parameters; those that the user wrote stay.

    "pos.var", "pos.ov.var", "pos.lv.var" : variances of all, of observed and of latent variables are not negative.
    "standard", "wide" : variances, loadings and covariances within what the variances of the sample allow.
    "wide.zerovar" : as "wide", but residual variances are not negative.

    Raises
    ------
    SpecError : one of these three where the variances of the sample say nothing about those of the model: two levels,
        effect coding, ordinal variables whose scales are free.
    """
    kind = options.bounds
    if kind == "none":
        return table
    if kind in _SETS:
        _check_scales(table, options)
    low, high = list(table.lower), list(table.upper)
    for b in range(1, table.n_blocks + 1):
        found = _positive(table, b, *_POSITIVE[kind]) if kind in _POSITIVE else None
        if found is None:
            found = _block_bounds(table, b, block_variances(table, b, sample.groups[b - 1], options), kind)
        for i, (at_least, at_most) in found.items():
            if table.free[i] and table.exo[i] == 0:
                low[i] = at_least if isinf(low[i]) else low[i]
                high[i] = at_most if isinf(high[i]) else high[i]
    return replace(table, lower=tuple(low), upper=tuple(high))


def _check_scales(table: ParameterTable, options: Options) -> None:
    """Raise SpecError where the variances of the model are on another scale than those of the sample."""
    what = ""
    if table.n_levels > 1:
        what = "two levels, of which the sample does not show the variances"
    elif options.rules.effect_coding:
        what = "effect coding, where no item gives a latent variable its unit"
    elif options.ordered and options.rules.theta:
        what = "the theta parameterisation, in which responses have no variance of one"
    elif any(op == "~*~" and free for op, free in zip(table.op, table.free, strict=True)):
        what = "free scales of ordinal variables, whose responses have no variance of one"
    if what:
        do = 'Take "pos.var", or write lower() and upper()'
        raise SpecError(message(f"bounds={options.bounds!r} is not for models with {what}", do=do))


def _positive(table: ParameterTable, b: int, observed_too: bool, latent_too: bool) -> dict[int, tuple[float, float]]:
    """Return row -> bounds of the variances of one block that are not to be negative."""
    latent = set(table.variables(b).latent)
    own = [i for i in table.rows(b) if table.op[i] == "~~" and table.lhs[i] == table.rhs[i]]
    return {i: (0.0, inf) for i in own if (latent_too if table.lhs[i] in latent else observed_too)}


def block_variances(table: ParameterTable, b: int, group: GroupSample, options: Options) -> dict[str, float]:
    """Return the variance of each observed variable of a block, as lavaan takes it.

    With missing values these are the saturated (EM) ones; the divisor is n, and n - 1 where the estimator has that. Of
    ordinal variables it is one; numeric variables beside these have variances given the covariates, which have zero.
    """
    if options.ordered:
        assert group.rows is not None
        names, given = conditional_names(table, b)
        place = {name: k for k, name in enumerate(group.names)}
        X = group.rows[:, [place[name] for name in given]]
        found = dict.fromkeys(given, 0.0)
        for name in names:
            values = group.rows[:, place[name]]
            found[name] = 1.0 if name in options.ordered else residual_variance(values, X)
        return found
    if options.missing != "listwise":
        assert group.rows is not None
        diagonal = np.diag(fit_saturated(group_patterns(group.rows, group.names)).cov)
    else:
        unbiased = options.point != "ML" or options.likelihood == "wishart"
        diagonal = np.diag(group.cov) * (group.n / (group.n - 1) if unbiased else 1.0)
    return dict(zip(group.names, diagonal.tolist(), strict=True))


def _block_bounds(
    table: ParameterTable, b: int, variances: Mapping[str, float], kind: str
) -> dict[int, tuple[float, float]]:
    """Return row -> bounds of one block."""
    latent = set(table.variables(b).latent)
    rows = table.rows(b)
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
