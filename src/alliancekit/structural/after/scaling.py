"""Standardised solutions: latent variables alone (std.lv), all variables (std.all), all but covariates (std.nox).

Each standardised value is the estimate times powers of variances, so that its derivatives, and by the delta method its
standard error, are exact. Covariances become correlations (of the residuals, where there are residuals), as in lavaan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.model_statements import CONSTRAINTS
from alliancekit.structural.after.whole import Whole, variance_slopes
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.model import Model
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
KINDS = ("std_lv", "std_all", "std_nox")


@dataclass(frozen=True, eq=False, slots=True)
class Scaling:
    """By what each of R rows of a table is scaled; V variables of all blocks, block after block.

    Attributes
    ----------
    variables : (R, 2) variables whose variances multiply the estimate, with powers (R, 2); V where none.
    sides, residuals : (R, 2) of a covariance, its two variables and the rows of their (residual) variances; V and R
    where none. own : (V,) row of the (residual) variance of each variable, R where none. latent, covariate : (V + 1,)
    what the variables are. scales : (R,) whether a row is the scale of a latent response.
    """

    variables: Integers
    powers: Floats
    sides: Integers
    residuals: Integers
    own: Integers
    latent: Booleans
    covariate: Booleans
    scales: Booleans


def plan_scaling(table: ParameterTable, model: Model) -> Scaling:
    """Return by what each row of a table is scaled."""
    places: list[dict[str, int]] = []
    kinds: list[bool] = []
    for block in model.blocks:
        at = len(kinds)
        places.append({name: at + i for i, name in enumerate((*block.observed, *block.latent))})
        kinds += [False] * len(block.observed) + [True] * len(block.latent)
    R, V = len(table), len(kinds)
    covariate = np.zeros(V + 1, dtype=bool)
    own = {(table.block[i], x): i for i, x in enumerate(table.lhs) if table.op[i] == "~~" and table.rhs[i] == x}
    found: list[int] = []  # of each row: variables, twice the powers, sides, residuals
    for op, lhs, rhs, b in zip(table.op, table.lhs, table.rhs, table.block, strict=True):
        if op in CONSTRAINTS:
            found += (V, V, 0, 0, V, V, R, R)
            continue
        known = places[b - 1]
        left = known[lhs]
        if op == "=~":
            found += (left, known[rhs], 1, -1, V, V, R, R)
        elif op in ("~", "<~"):
            found += (known[rhs], left, 1, -1, V, V, R, R)
        elif op == "~~" and lhs == rhs:
            found += (left, V, -2, 0, V, V, R, R)
        elif op == "~~":
            found += (V, V, 0, 0, left, known[rhs], own.get((b, lhs), R), own.get((b, rhs), R))
        else:  # intercepts and thresholds; scales stay as they are
            found += (left, V, 0 if op == "~*~" else -1, 0, V, V, R, R)
    mine = np.full(V, R, dtype=np.intp)
    for (b, name), i in own.items():
        mine[places[b - 1][name]] = i
    for b, known in enumerate(places, start=1):
        covariate[[known[name] for name in table.variables(b).exogenous]] = True
    latent = np.array([*kinds, False], dtype=bool)
    scales = np.array([op == "~*~" for op in table.op], dtype=bool)
    every = np.array(found, dtype=np.intp).reshape(R, 8)
    return Scaling(every[:, :2], every[:, 2:4] / 2.0, every[:, 4:6], every[:, 6:], mine, latent, covariate, scales)


@dataclass(frozen=True, eq=False, slots=True)
class Standardised:
    """Standardised values (R,) and, where asked for, their derivatives by the free parameters (R, size)."""

    values: Floats
    slopes: Floats | None = None

    def errors(self, vcov: Floats) -> Floats:
        """Return the standard errors (R,) by the delta method."""
        assert self.slopes is not None
        known: Booleans = np.asarray(np.isfinite(self.slopes).all(axis=1))
        slopes = np.where(known[:, None], self.slopes, 0.0)
        variance = np.where(known, np.einsum("ij,ij->i", slopes @ vcov, slopes), np.nan)
        return np.asarray(np.sqrt(np.where(variance > 0, variance, variance * 0)))


def standardise(
    table: ParameterTable,
    model: Model,
    wholes: Sequence[Whole],
    values: Floats,
    kind: str,
    constraints: Constraints,
    *,
    by_x: Floats | None = None,
) -> Standardised:
    """Return a standardised solution, row by row of the table; NaN for constraints and where a variance is negative.

    The effect of a variable whose variance is zero is zero, as in lavaan.

    Parameters
    ----------
    wholes : each block at the estimates. values : (R,) estimates of all rows. kind : "std_lv", "std_all", "std_nox".
    by_x : (R, size) derivatives of ``values``, where derivatives are asked for.
    """
    plan = plan_scaling(table, model)
    variances = np.concatenate([*(w.cov.diagonal() for w in wholes), [1.0]])
    powers, residuals, factor = _factors(plan, (kind,), variances, values)
    powers, residuals, factor = powers[0], residuals[0], factor[0]
    out = values * factor
    if kind != "std_lv":
        out[plan.scales] = 1.0
    slopes = None
    if by_x is not None:
        pieces = _variance_slopes(table, model, wholes, plan, by_x)
        changes = np.concatenate([*pieces, np.zeros((1, by_x.shape[1]))])
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(changes == 0, 0.0, changes / variances[:, None])
        slopes = _slopes(plan, powers, residuals, relative, values, by_x, factor, out)
        if kind != "std_lv":
            slopes[plan.scales] = 0.0
    _define(table, constraints, out, slopes)
    return Standardised(out, slopes)


def standardised_values(
    table: ParameterTable,
    model: Model,
    wholes: Sequence[Whole],
    values: Floats,
    kinds: tuple[str, ...],
    constraints: Constraints,
) -> dict[str, Floats]:
    """Return several standardised solutions without their derivatives, each as ``standardise`` does."""
    plan = plan_scaling(table, model)
    variances = np.concatenate([*(w.cov.diagonal() for w in wholes), [1.0]])
    found = values * _factors(plan, kinds, variances, values)[2]
    for kind, out in zip(kinds, found, strict=True):
        if kind != "std_lv":
            out[plan.scales] = 1.0
        _define(table, constraints, out, None)
    return dict(zip(kinds, found, strict=True))


def _factors(
    plan: Scaling, kinds: tuple[str, ...], variances: Floats, values: Floats
) -> tuple[Floats, Integers, Floats]:
    """Return of K kinds the powers (K, R, 2) of variances, the rows (K, R, 2) of residual variances, and what both
    make of the estimates, (K, R).
    """
    R, V = len(values), len(plan.latent) - 1
    unit = np.array([_brought_to_one(plan, kind) for kind in kinds])
    used = unit[:, plan.variables]
    used[[kind == "std_nox" for kind in kinds], :, 1] = True  # what is predicted, even where it is a covariate
    powers = plan.powers * used
    divides = unit[:, plan.sides] & (plan.sides < V)
    residuals = np.where(divides, plan.residuals, R)
    own = np.append(np.abs(values), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(np.where(variances >= 0, variances, np.nan))[plan.variables]
        factor = np.exp(np.where(powers == 0, 0.0, powers * logs).sum(axis=-1)) / np.sqrt(own[residuals].prod(axis=-1))
    factor[(divides & (plan.residuals == R)).any(axis=-1) | ~np.isfinite(factor)] = np.nan
    return powers, residuals, factor


def _variance_slopes(
    table: ParameterTable, model: Model, wholes: Sequence[Whole], plan: Scaling, by_x: Floats
) -> list[Floats]:
    """Return the derivatives of the variances of each block.

    A residual variance that is fixed in the table and has derivatives follows from the free parameters.
    """
    pieces, at = [], 0
    rows = np.append(by_x, np.zeros((1, by_x.shape[1])), axis=0)
    fixed = np.array([not number for number in table.free] + [False], dtype=bool)
    for block, own in zip(model.blocks, wholes, strict=True):
        found = variance_slopes(block, own, by_x.shape[1])
        mine = plan.own[at : at + len(own.m)]
        at += len(own.m)
        follows = np.flatnonzero(fixed[mine] & rows[mine].any(axis=1))
        if follows.size:
            found += own.B[:, follows] ** 2 @ rows[mine[follows]]
        pieces.append(found)
    return pieces


def _brought_to_one(plan: Scaling, kind: str) -> Booleans:
    """Return which variables are brought to a variance of one."""
    if kind == "std_lv":
        return plan.latent
    return np.ones_like(plan.latent) if kind == "std_all" else ~plan.covariate


def _slopes(
    plan: Scaling,
    powers: Floats,
    residuals: Integers,
    relative: Floats,
    values: Floats,
    by_x: Floats,
    factor: Floats,
    out: Floats,
) -> Floats:
    """Return the derivatives of the standardised values: of the estimate itself, and of the logarithm of its factor."""
    logs = (powers[:, :, None] * relative[plan.variables]).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.append(by_x / values[:, None], np.zeros((1, by_x.shape[1])), axis=0)
    for side in (0, 1):
        rows = np.flatnonzero(residuals[:, side] < len(values))
        logs[rows] -= own[residuals[rows, side]] / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(factor[:, None] * by_x + out[:, None] * logs)


def _define(table: ParameterTable, constraints: Constraints, out: Floats, slopes: Floats | None) -> None:
    """Fill in definitions, from the standardised values of what they are made of."""
    rows = {table.lhs[i]: i for i, op in enumerate(table.op) if op == ":="}
    for i, op in enumerate(table.op):
        if op in CONSTRAINTS:
            out[i] = np.nan
            if slopes is not None:
                slopes[i] = np.nan
    if not rows:
        return
    known: dict[str, int] = {}
    for i in range(len(table)):
        if table.plabel[i]:
            known[table.plabel[i]] = i
            if table.label[i]:
                known.setdefault(table.label[i], i)
    values = {name: np.float64(out[i]) for name, i in known.items()}
    with np.errstate(all="ignore"):
        for name, expression in constraints.definitions.items():
            i = rows[name]
            out[i] = float(expression.evaluate(values))
            if slopes is not None:
                parts = [slope * slopes[known[label]] for label, slope in expression.gradient(values).items()]
                slopes[i] = np.sum(parts, axis=0) if parts else 0.0
