"""Modification indices and score tests: what would change if a fixed parameter were free, or equal ones were not.

The score test of one parameter is s^2 / V, s its score and V its information beyond that of the free parameters; the
expected change is s / V (Sörbom 1989, Psychometrika 54, 371-384; Saris, Satorra & Sörbom 1987).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.numerics.distributions import chi2_upper
from alliancekit.structural.after.candidates import Candidate, candidates, extra_jacobian
from alliancekit.structural.after.scaling import standardise
from alliancekit.structural.after.view import GroupView, inverse_of
from alliancekit.structural.after.whole import Whole
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.model import Model
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
_TINY = float(np.finfo(float).eps) ** (1 / 3)


@dataclass(frozen=True, eq=False, slots=True)
class Modifications:
    """Fixed parameters and what freeing each would bring; k parameters.

    Attributes
    ----------
    parameters : which. statistic : (k,) modification index, chi-square with one df. change : (k,) expected parameter
    change. std_lv, std_all, std_nox : (k,) the same, standardised.
    """

    parameters: tuple[Candidate, ...]
    statistic: Floats
    change: Floats
    std_lv: Floats
    std_all: Floats
    std_nox: Floats


def modifications(
    table: ParameterTable,
    model: Model,
    constraints: Constraints,
    x: Floats,
    values: Floats,
    wholes: Sequence[Whole],
    views: Sequence[GroupView],
    basis: Floats,
    slopes: Callable[[Sequence[Candidate]], tuple[Floats, ...]] | None = None,
) -> Modifications:
    """Return modification indices of all fixed parameters that can be told from the data.

    Parameters
    ----------
    values : (R,) estimates of all rows of the table. wholes : each block at the estimates. basis : (size, k) directions
        that the constraints leave the parameters. slopes : returns the derivatives of each group's moments by fixed
        parameters, where these are not means and covariances.
    """
    found = candidates(table, model)
    extra = extra_jacobian(model, x, found) if slopes is None else slopes(found)
    size, k = model.size, len(found)
    joint, score = np.zeros((size + k, size + k)), np.zeros(k)
    for view, more in zip(views, extra, strict=True):
        both = np.hstack([view.jacobian, more])
        joint += view.n * both.T @ view.weight @ both
        score += view.slope @ more
    rest, own = _beyond(joint, size, basis)
    known = rest > _TINY * np.maximum(own, 1e-300)
    kept = np.flatnonzero(known)
    chosen = tuple(found[i] for i in kept)
    change = score[kept] / rest[kept]
    statistic = score[kept] * change
    std = _standardised_change(table, model, constraints, values, wholes, chosen, change)
    return Modifications(chosen, statistic, change, *std)


def _beyond(joint: Floats, size: int, basis: Floats) -> tuple[Floats, Floats]:
    """Return the information about each extra parameter beyond that of the free ones, and its own information."""
    cross = basis.T @ joint[:size, size:]
    inner = basis.T @ joint[:size, :size] @ basis
    own = joint.diagonal()[size:]
    return own - np.einsum("ij,ij->j", cross, inverse_of(inner) @ cross), own


def _standardised_change(
    table: ParameterTable,
    model: Model,
    constraints: Constraints,
    values: Floats,
    wholes: Sequence[Whole],
    chosen: Sequence[Candidate],
    change: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Return expected changes in units of standardised parameters; of a variance, as lavaan, its standardised value."""
    n = len(table)
    whole_table = replace(
        table,
        lhs=(*table.lhs, *(c.lhs for c in chosen)),
        op=(*table.op, *(c.op for c in chosen)),
        rhs=(*table.rhs, *(c.rhs for c in chosen)),
        block=(*table.block, *(c.block for c in chosen)),
        free=(*table.free, *(0 for _ in chosen)),
        exo=(*table.exo, *(0 for _ in chosen)),
        plabel=(*table.plabel, *("" for _ in chosen)),
        label=(*table.label, *("" for _ in chosen)),
    )
    variance = np.array([c.op == "~~" and c.lhs == c.rhs for c in chosen], dtype=bool)
    before = np.array([values[c.row] if c.row >= 0 else 0.0 for c in chosen])
    size = np.where(variance, np.abs(before), np.abs(change))
    every = np.concatenate([values, size])
    out = []
    for kind in ("std_lv", "std_all", "std_nox"):
        found = standardise(whole_table, model, wholes, every, kind, constraints).values[n:]
        found = np.where(variance & (size < 1.5e-8), 0.0, found)
        out.append(np.sign(change) * found)
    return out[0], out[1], out[2]


@dataclass(frozen=True, eq=False, slots=True)
class ScoreTests:
    """Tests of equality constraints: all at once, and one at a time; E equalities.

    Attributes
    ----------
    statistic, df, p_value : of all at once. rows : (E,) rows of the table. statistics, p_values : (E,) one at a time.
    apart : (E,) by how much left and right side would differ, that equality alone released. change : (size,) expected
    change of the parameters, all equalities released.
    """

    statistic: float
    df: int
    p_value: float
    rows: tuple[int, ...]
    statistics: Floats
    p_values: Floats
    apart: Floats
    change: Floats


def score_tests(
    table: ParameterTable, constraints: Constraints, x: Floats, slope: Floats, information: Floats
) -> ScoreTests:
    """Return score tests of the equality constraints of a model.

    Parameters
    ----------
    slope : (size,) derivative of the log-likelihood by the parameters. information : (size, size) expected, all
        parameters free.
    """
    rows = tuple(i for i, op in enumerate(table.op) if op == "==")
    equations = np.array([_coefficients(table, constraints, i, x) for i in rows]).reshape(len(rows), x.size)
    total = float(slope @ inverse_of(information) @ slope)
    single, apart = np.empty(len(rows)), np.empty(len(rows))
    for r in range(len(rows)):
        directions = _null_space(np.delete(equations, r, axis=0))
        pulled = directions.T @ slope
        inner = directions.T @ information @ directions
        step = inverse_of(inner) @ pulled
        single[r], apart[r] = float(pulled @ step), float(equations[r] @ directions @ step)
    df = len(rows)
    p = float(chi2_upper(total, df)) if df else float("nan")
    return ScoreTests(
        total, df, p, rows, single, np.asarray(chi2_upper(single, 1)), apart, inverse_of(information) @ slope
    )


def _coefficients(table: ParameterTable, constraints: Constraints, row: int, x: Floats) -> Floats:
    """Return the derivative of left minus right side of a constraint by the parameters."""
    left, right = table.expressions[row]
    both = [side.substitute(constraints.definitions) for side in (left, right)]
    slopes = constraints.jacobian((both[0], both[1]), x)
    return np.asarray(slopes[0] - slopes[1])


def _null_space(rows: Floats) -> Floats:
    """Return an orthonormal basis (size, k) of the directions along which all rows are zero."""
    if not rows.shape[0]:
        return np.eye(rows.shape[1])
    _, strength, directions = np.linalg.svd(rows, full_matrices=True)
    rank = int((strength > 1e-10 * strength[0]).sum())
    return np.asarray(directions[rank:].T)
