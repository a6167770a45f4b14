"""Is the model of these data, is it identified, is its solution admissible? What is wrong is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.core.errors import DesignError, message
from alliancekit.structural.constraint_checks import undefined, violated
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.options import Options
from alliancekit.structural.sample import Sample
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
MOST_ANSWERS = 10
"""Whole numbers of no more values than these are taken for answers to an item."""


def check_variables(table: ParameterTable, frame: pd.DataFrame) -> None:
    """Raise DesignError where a latent variable has the name of a column."""
    latent = dict.fromkeys(lhs for lhs, op in zip(table.lhs, table.op, strict=True) if op == "=~")
    for name in latent:
        if name in frame.columns:
            what = f"'{name}' is a latent variable of the model and a column of the data"
            raise DesignError(message(what, do="Give the latent variable another name"))


def answers_notice(options: Options, table: ParameterTable, sample: Sample) -> str:
    """Return a warning where an estimator for ordinal variables treats answers to items as continuous; else "".

    Answers are whole numbers of at most ``MOST_ANSWERS`` values, in every indicator (without any, in every outcome).
    """
    if options.ordered or not (options.point == "DWLS" or options.estimator in ("ULSM", "ULSMV", "ULSMVS")):
        return ""
    measured = {rhs for op, rhs in zip(table.op, table.rhs, strict=True) if op == "=~"}
    dependent = {lhs for op, lhs in zip(table.op, table.lhs, strict=True) if op == "~"}
    observed = {name for group in sample.groups for name in group.names}
    items = measured & observed or dependent & observed
    columns = [
        group.rows[:, place]
        for group in sample.groups
        if group.rows is not None
        for place, name in enumerate(group.names)
        if name in items
    ]
    if not columns or not all((own % 1 == 0).all() and len(np.unique(own)) <= MOST_ANSWERS for own in columns):
        return ""
    what = f"estimator {options.estimator} treats the items as continuous, since no variable is ordinal"
    return message(what, do="Give ordered=True if these whole numbers are ordered categories")


def check_solution(fit: StructuralEstimates) -> list[str]:
    """Return what is wrong with a solution, in words; nothing where all is well."""
    found = unidentified(fit)
    if not fit.converged:
        do = "Give starting values with start(), or simplify the model"
        found.append(message("the search for the estimates stopped before the optimum", do=do))
    if fit.sample.n < fit.n_parameters:
        what = f"{fit.sample.n} rows for {fit.n_parameters} parameters: tests and standard errors mean little"
        found.append(message(what, do="More rows or a simpler model are needed"))
    if fit.rotation is not None and not fit.rotation.converged:
        do = "Raise max_iter in rotation_args, or take another criterion: some have no minimum in oblique rotation"
        found.append(message("the rotation stopped before the minimum of its criterion", do=do))
    if fit.test.df < 0:
        more = f"{-fit.test.df} parameter{'s' if fit.test.df < -1 else ''}"
        what = f"the model has {more} more than the data have moments (df = {fit.test.df})"
        found.append(message(what, do="Fix or equate some of them"))
    if fit.table.expressions or fit.table.bounded:
        found += _held(fit)
    return found + _admissible(fit)


def refusals(fit: StructuralEstimates) -> list[tuple[str, str]]:
    """Return why no claim may rest on a solution: (check, what is wrong) for each reason; nothing where all is well."""
    found = [] if fit.converged else [("convergence", "the search for the estimates did not end at an optimum")]
    if fit.test.df < 0:
        what = f"the model has more parameters than the data have moments (df = {fit.test.df})"
        found.append(("identification", what))
    found += [("identification", text) for text in unidentified(fit)]
    if fit.table.expressions or fit.table.bounded:
        found += [("constraints", text) for text in _held(fit)]
    return found + [("admissible solution", text) for text in _admissible(fit)]


def _held(fit: StructuralEstimates) -> list[str]:
    """Name constraints that do not hold, and definitions without a value."""
    found = []
    broken = violated(fit.table, fit.constraints, fit.x)
    if broken:
        what = f"constraints that do not hold at the solution: {'; '.join(broken[:5])}"
        found.append(message(what, do="Do they contradict each other? These estimates are not what was asked for"))
    unknown = undefined(fit.constraints, fit.x)
    if unknown:
        what = f"{', '.join(unknown)} has no finite value at the estimates"
        found.append(message(what, do="Is it divided by zero, or the logarithm or root of a negative number?"))
    return found


def unidentified(fit: StructuralEstimates) -> list[str]:
    """Name the parameters in the null space of the information; nothing where there are none."""
    if fit.source is None:
        basis, inner = fit.directions, fit.information
        if fit.tangent is not None or not fit.constraints.linear.trivial:
            inner = basis.T @ inner @ basis
    else:
        basis, inner = fit.source.mapping.basis, fit.source.solution.information
    if not inner.size or not np.isfinite(inner).all():
        return []
    scale = np.sqrt(np.maximum(np.abs(np.diag(inner)), 1e-300))
    scaled = inner / np.outer(scale, scale)
    factor, failed = lapack.dpotrf(scaled, lower=1)
    if not failed and factor.diagonal().min() > 1e-3:
        return []
    values, vectors = np.linalg.eigh(scaled)
    null = vectors[:, np.abs(values) < 1e-9 * max(float(np.abs(values).max()), 1e-300)]
    if not null.size:
        return []
    moved = np.abs(basis @ (null / scale[:, None]))
    taking = np.flatnonzero(moved.max(axis=1) > 1e-3 * moved.max())
    names = [fit.table.names()[i] for i in taking]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    errors = "there are no standard errors" if np.isnan(fit.vcov).any() else "standard errors mean nothing"
    what = f"the model is not identified: {shown} cannot be told apart, and {errors}"
    do = "A factor needs three indicators, or two and a correlate; fix or equate one of these parameters"
    return [message(what, do=do)]


def _admissible(fit: StructuralEstimates) -> list[str]:
    """Name negative variances, and latent covariance matrices that are not positive semidefinite."""
    found = []
    for b, (block, implied) in enumerate(zip(fit.model.blocks, fit.implied, strict=True)):
        group = fit.table.group_labels[b // fit.table.n_levels]
        where = f"group '{group}'" if group else ""
        S = block.S.copy()
        c = block.covariances
        S[c.rows, c.columns] = S[c.columns, c.rows] = fit.x[c.parameters]
        names = (*block.observed, *block.latent)
        below = S.diagonal() < -1e-8 * max(float(np.abs(implied.sigma).max()), 1e-300)
        negative = [names[i] for i in np.flatnonzero(below)]
        if negative:
            what = f"negative variance (Heywood case): {', '.join(negative)}"
            do = "The model may be wrong, an item redundant, or the sample small; look before you fix it at zero"
            found.append(message(what, where=where, do=do))
            continue
        p = len(block.observed)
        inside = [i for i, name in enumerate(block.observed) if name not in fit.options.auxiliary]
        outside = S[:p, :p] if len(inside) == p else S[np.ix_(inside, inside)]
        for kind, matrix in (("latent variables", S[p:, p:]), ("residuals", outside)):
            if _is_indefinite(matrix):
                what = f"the covariance matrix of the {kind} is not positive definite: a correlation is beyond one"
                found.append(message(what, where=where, do="Two of them may be the same; look at the correlations"))
    return found


def _is_indefinite(matrix: Floats) -> bool:
    """Return whether a covariance matrix has a negative eigenvalue, beyond rounding."""
    if not matrix.size or not lapack.dpotrf(matrix, lower=1)[1]:
        return False
    return bool(np.linalg.eigvalsh(matrix)[0] < -1e-8 * max(float(np.abs(matrix).max()), 1e-300))
