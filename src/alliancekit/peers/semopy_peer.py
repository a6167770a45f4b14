"""semopy on the model of our fit: covariance structures of one group of complete rows, by ML, GLS or ULS."""

from __future__ import annotations

from importlib import metadata, util
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.peers.attempt import attempt
from alliancekit.peers.verdict import PeerEstimate
from alliancekit.structural.result.fit import StructuralFit

Floats = NDArray[np.float64]
OBJECTIVES = {"ML": "MLW", "GLS": "GLS", "ULS": "ULS"}
"""semopy's words for estimators that are the same."""


def fit_semopy(fit: StructuralFit) -> PeerEstimate:
    """Fit the same model by ``semopy.Model``. Never raises because the peer fails or is absent."""
    if util.find_spec("semopy") is None:
        return PeerEstimate("semopy", status="not installed", note="install it with pip install semopy")
    name = f"semopy {metadata.version('semopy')}"
    beyond = beyond_semopy(fit)
    if beyond:
        return PeerEstimate(name, status="not expressible", note=beyond)
    answer = attempt(lambda: _answer(fit))
    if answer.error:
        return PeerEstimate(name, status="failed", note=answer.error)
    estimates, errors = answer.value
    options = fit._fit.options
    plain = options.point == "ML" and options.se == "standard" and options.information == "expected"
    other = "" if plain else "semopy's standard errors are those of normal data by expected information, ours are not"
    return PeerEstimate(name, estimates, errors, note=answer.note, other_errors=other)


def compared_rows(fit: StructuralFit) -> pd.DataFrame:
    """Return the free parameters that semopy can know: no means, no definitions."""
    table = fit.tidy()
    return table[(table["std_error"] != 0) & ~table["op"].isin(["~1", ":="])].reset_index(drop=True)


def beyond_semopy(fit: StructuralFit) -> str:
    """Return why semopy cannot say the model, "" where it may."""
    inner, table = fit._fit, fit.table
    if compared_rows(fit)["std_error"].isna().any():
        return "our fit has no standard errors, in which differences are given"
    if len(table.group_labels) > 1 or table.n_levels > 1:
        return "it has no models of several groups with constraints, and none of two levels"
    rows = [group.rows for group in inner.sample.groups if group.rows is not None]
    if inner.options.missing != "listwise" and any(np.isnan(part).any() for part in rows):
        return "its answers with missing values are known to be wrong"
    if inner.options.point not in OBJECTIVES or inner.ordinal is not None:
        return f"its estimator {inner.options.estimator} is not ours"
    misfit = np.abs(np.diag(inner.saturated[0].sigma - inner.implied[0].sigma)) > 1e-6 * np.diag(inner.implied[0].sigma)
    if inner.options.point == "ULS" and misfit.any():
        return "its ULS counts a covariance twice, ours once, which matters where variances are not fitted exactly"
    if inner.tangent is not None or shared_labels(fit) is None:
        return "it has no constraints but equal parameters"
    if any(group.rows is None for group in inner.sample.groups):
        return "it needs the rows of the data"
    fixed = {table.lhs[i] for i, op in enumerate(table.op) if op == "=~" and not table.free[i]}
    if any(factor not in fixed for factor in inner.model.blocks[0].latent):
        return "it does not end where no loading of a factor is fixed"
    free_means = sum(1 for op, free in zip(table.op, table.free, strict=True) if op == "~1" and free)
    if inner.model.means and free_means != len(inner.sample.groups[0].names):
        return "it has no structure of means that agrees with ours"
    return ""


def shared_labels(fit: StructuralFit) -> dict[int, str] | None:
    """Return a label for each parameter (from 0) that equals others; None where constraints say more than that."""
    linear = fit._fit.constraints.linear
    basis = linear.basis
    if linear.offset.any() or not ((basis == 0) | (basis == 1)).all() or not (basis.sum(axis=1) == 1).all():
        return None
    column = basis.argmax(axis=1)
    return {i: f"e{k}" for i, k in enumerate(column) if (column == k).sum() > 1}


def gap_to(fit: StructuralFit, answer: PeerEstimate) -> float:
    """Return our log-likelihood less our log-likelihood at the peer's estimates; NaN where unknown.

    By least squares, half of chi-square at the peer's estimates less ours.
    """
    if answer.status:
        return float("nan")
    inner, x = fit._fit, fit._fit.x.copy()
    table = fit.table
    for i, number in enumerate(table.free):
        if number and table.op[i] != "~1":
            x[number - 1] = answer.fixed.get(f"{table.lhs[i]} {table.op[i]} {table.rhs[i]}".strip(), np.nan)
    if not np.isfinite(x).all():
        return float("nan")
    ours, theirs = inner.implied[0].sigma, inner.model.moments(x)[0].sigma
    if inner.options.point != "ML":
        sample, n = inner.saturated[0].sigma, fit.nobs - 1
        weight = None if inner.options.point == "ULS" else np.asarray(np.linalg.inv(sample), dtype=np.float64)
        return n / 2 * (_distance(sample - theirs, weight) - _distance(sample - ours, weight))
    sample = inner.sample.groups[0].cov
    return fit.nobs / 2 * (_discrepancy(sample, theirs) - _discrepancy(sample, ours))


def _distance(gap: Floats, weight: Floats | None) -> float:
    """Return the criterion of least squares: GLS with the inverse of the sample covariances, ULS with None."""
    if weight is None:
        return float((np.tril(gap) ** 2).sum())
    pulled = weight @ gap
    return float((pulled * pulled.T).sum()) / 2


def _discrepancy(sample: Floats, implied: Floats) -> float:
    sign, log_det = np.linalg.slogdet(implied)
    if sign <= 0:
        return float("inf")
    return float(log_det + np.trace(np.linalg.solve(implied, sample)))


def _answer(fit: StructuralFit) -> tuple[dict[str, float], dict[str, float]]:
    """Return semopy's estimates and standard errors by our terms."""
    import semopy

    group = fit._fit.sample.groups[0]
    latent = fit._fit.model.blocks[0].latent
    plain = {v: f"v{i}" for i, v in enumerate(group.names)} | {f: f"f{i}" for i, f in enumerate(latent)}
    point, n = fit._fit.options.point, fit.nobs
    rows = group.rows if point == "ML" else group.rows * np.sqrt(n / (n - 1))  # our least squares divide by n - 1
    data = pd.DataFrame(rows, columns=[plain[v] for v in group.names])
    model = semopy.Model(_description(fit, plain))
    model.fit(data, obj=OBJECTIVES[point])
    found: dict[tuple[str, str, str], tuple[float, float]] = {}
    for row in model.inspect().to_dict("records"):
        error = row["Std. Err"]
        known = float(error) if not isinstance(error, str) else float("nan")
        found[row["lval"], row["op"], row["rval"]] = (float(row["Estimate"]), known)
    estimates, errors = {}, {}
    for row in compared_rows(fit).to_dict("records"):
        lhs, rhs = plain[row["lhs"]], plain[row["rhs"]]
        keys = {"=~": [(rhs, "~", lhs)], "~": [(lhs, "~", rhs)], "~~": [(lhs, "~~", rhs), (rhs, "~~", lhs)]}
        hit = next((found[key] for key in keys[row["op"]] if key in found), (float("nan"), float("nan")))
        estimates[row["term"]], errors[row["term"]] = hit
    return estimates, errors


def _description(fit: StructuralFit, plain: dict[str, str]) -> str:
    """Return every row of our table in semopy's syntax, with names that we made."""
    table, labels, lines = fit.table, shared_labels(fit) or {}, []
    for i, op in enumerate(table.op):
        if op in ("=~", "~", "~~") and not table.exo[i]:
            mark = "" if table.free[i] else f"{float(table.start[i])!r}*"
            if table.free[i] - 1 in labels:
                mark = f"{labels[table.free[i] - 1]}*"
            lines.append(f"{plain[table.lhs[i]]} {op} {mark}{plain[table.rhs[i]]}")
    return "\n".join(lines)


def semopy_answer(fit: StructuralFit) -> tuple[PeerEstimate, Any]:
    """Return semopy's answer, and how far below our optimum it lies."""
    answer = fit_semopy(fit)
    return answer, gap_to(fit, answer)
