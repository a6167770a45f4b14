"""Is the model of these data, is it identified, is its solution admissible? What is wrong is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.core.errors import DesignError, check_columns, message
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.model import observed_names
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]


def check_variables(table: ParameterTable, frame: pd.DataFrame) -> None:
    """Raise DesignError where a latent variable has the name of a column, or an observed one is not in the data."""
    columns = {str(c) for c in frame.columns}
    latent = dict.fromkeys(lhs for lhs, op in zip(table.lhs, table.op, strict=True) if op == "=~")
    for name in latent:
        if name in columns:
            what = f"'{name}' is a latent variable of the model and a column of the data"
            raise DesignError(message(what, do="Give the latent variable another name"))
    for b in range(1, table.n_blocks + 1):
        check_columns(frame.columns, observed_names(table, b), where="the model")


def check_solution(fit: StructuralEstimates) -> list[str]:
    """Return what is wrong with a solution, in words; nothing where all is well."""
    found = _identified(fit)
    if not fit.converged:
        do = "Give starting values with start(), or simplify the model"
        found.append(message("the search for the estimates stopped before the optimum", do=do))
    if fit.rotation is not None and not fit.rotation.converged:
        do = "Raise max_iter in rotation_args, or take another criterion: some have no minimum in oblique rotation"
        found.append(message("the rotation stopped before the minimum of its criterion", do=do))
    if fit.test.df < 0:
        more = f"{-fit.test.df} parameter{'s' if fit.test.df < -1 else ''}"
        what = f"the model has {more} more than the data have moments (df = {fit.test.df})"
        found.append(message(what, do="Fix or equate some of them"))
    return found + _admissible(fit)


def _identified(fit: StructuralEstimates) -> list[str]:
    """Name the parameters in the null space of the information."""
    if fit.source is None:
        basis = fit.directions
        inner = basis.T @ fit.information @ basis
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
    what = f"the model is not identified: {shown} cannot be told apart, and there are no standard errors"
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
        inside = [i for i in range(p) if names[i] not in fit.options.auxiliary]
        for kind, own in (("latent variables", list(range(p, len(names)))), ("residuals", inside)):
            matrix = S[np.ix_(own, own)]
            if _is_indefinite(matrix):
                what = f"the covariance matrix of the {kind} is not positive definite: a correlation is beyond one"
                found.append(message(what, where=where, do="Two of them may be the same; look at the correlations"))
    return found


def _is_indefinite(matrix: Floats) -> bool:
    """Return whether a covariance matrix has a negative eigenvalue, beyond rounding."""
    if not matrix.size or not lapack.dpotrf(matrix, lower=1)[1]:
        return False
    return bool(np.linalg.eigvalsh(matrix)[0] < -1e-8 * max(float(np.abs(matrix).max()), 1e-300))
