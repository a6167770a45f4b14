"""Standardised solutions with delta-method standard errors: by latent SDs (std_lv), and by all SDs (std_all)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.constraints import Constraints
from alliancekit.structural.model import BlockModel, Model
from alliancekit.structural.table import ParameterTable

Floats = NDArray[Any]


def standardise(
    table: ParameterTable, model: Model, constraints: Constraints, x: Floats, kind: str = "std_all"
) -> Floats:
    """Return the standardised value of every row of a table, (R,); NaN for constraints.

    Parameters
    ----------
    x : (size,) parameters; complex ones are allowed, for derivatives. kind : "std_lv", "std_all", or "std_nox" (all but
        covariates).
    """
    out = np.full(len(table), np.nan, dtype=x.dtype)
    for b, block in enumerate(model.blocks, start=1):
        spread = _spreads(block, x)
        place = {name: i for i, name in enumerate((*block.observed, *block.latent))}
        outside = {table.lhs[i] for i in table.rows(b) if table.exo[i]}
        raw = _values(table, block, x, b, place)
        for i, value in raw.items():
            one, other = _factors(table, i, spread, place, len(block.observed), kind, outside)
            out[i] = value * one * other
    _definitions(table, constraints, x, out)
    return out


def standard_errors(
    table: ParameterTable, model: Model, constraints: Constraints, x: Floats, vcov: Floats, kind: str
) -> Floats:
    """Return the standard errors of the standardised values, (R,), from derivatives by complex steps."""
    slopes = np.empty((len(table), x.size))
    for j in range(x.size):
        moved = x.astype(complex)
        moved[j] += 1e-20j
        slopes[:, j] = standardise(table, model, constraints, moved, kind).imag / 1e-20
    variance = np.einsum("ij,jk,ik->i", slopes, vcov, slopes)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _spreads(block: BlockModel, x: Floats) -> Floats:
    """Return the model's variances of all variables of a block, observed and latent, (v,)."""
    A, S = block.A.astype(x.dtype), block.S.astype(x.dtype)
    d, c = block.directed, block.covariances
    A[d.rows, d.columns] = x[d.parameters]
    S[c.rows, c.columns] = S[c.columns, c.rows] = x[c.parameters]
    eye = np.eye(len(A))
    B = eye + A if block.direct else np.linalg.inv(eye - A)
    return np.asarray(((B @ S) * B).sum(axis=1))


def _values(table: ParameterTable, block: BlockModel, x: Floats, b: int, place: dict[str, int]) -> dict[int, Any]:
    """Return the value of each row of a block that standardising applies to."""
    out: dict[int, Any] = {}
    for i in table.rows(b):
        op = table.op[i]
        if op in ("|", "~*~"):
            continue
        if table.free[i]:
            out[i] = x[table.free[i] - 1]
        elif op == "~1":
            out[i] = block.m[place[table.lhs[i]]]
        elif op == "~~":
            out[i] = block.S[place[table.lhs[i]], place[table.rhs[i]]]
        else:
            out[i] = table.start[i]
    return out


def _factors(
    table: ParameterTable,
    i: int,
    variances: Floats,
    place: dict[str, int],
    p: int,
    kind: str,
    outside: set[str],
) -> tuple[Any, Any]:
    """Return what a value is multiplied by, from the left and the right variable."""
    op, lhs, rhs = table.op[i], table.lhs[i], table.rhs[i]

    def scale(name: str) -> Any:
        if kind == "std_lv" and place[name] < p:
            return 1.0
        if kind == "std_nox" and name in outside:
            return 1.0
        value = variances[place[name]]
        return np.sqrt(value) if np.real(value) > 0 else np.nan

    if op == "~1":
        return 1.0 / scale(lhs), 1.0
    if op == "=~":
        return scale(lhs), 1.0 / scale(rhs)
    if op in ("~", "<~"):
        return 1.0 / scale(lhs), scale(rhs)
    if table.exo[i] and kind == "std_nox":
        return 1.0, 1.0
    if lhs == rhs:
        value = scale(lhs)
        return 1.0 / value, 1.0 / value
    return 1.0 / _own(table, i, lhs, scale), 1.0 / _own(table, i, rhs, scale)


def _own(table: ParameterTable, i: int, name: str, scale: Any) -> Any:
    """Return the SD by which a covariance is divided on one side."""
    return scale(name)


def _definitions(table: ParameterTable, constraints: Constraints, x: Floats, out: Floats) -> None:
    """Fill in definitions, computed from standardised parameters."""
    labels: dict[str, Any] = {}
    for i in range(len(table)):
        if table.plabel[i]:
            labels[table.plabel[i]] = out[i]
            if table.label[i] and table.label[i] not in labels:
                labels[table.label[i]] = out[i]
    rows = {table.lhs[i]: i for i in range(len(table)) if table.op[i] == ":="}
    for name, expression in constraints.definitions.items():
        if all(label in labels for label in expression.labels()):
            out[rows[name]] = expression.evaluate(labels)
