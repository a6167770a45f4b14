"""semopy on the model of our fit: covariance structures of one group of complete rows, by maximum likelihood."""

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
    plain = fit._fit.options.se == "standard" and fit._fit.options.information == "expected"
    other = "" if plain else "semopy's standard errors are those of normal data by expected information, ours are not"
    return PeerEstimate(name, estimates, errors, note=answer.note, other_errors=other)


def compared_rows(fit: StructuralFit) -> pd.DataFrame:
    """Return the free parameters that semopy can know: no means, no definitions."""
    table = fit.tidy()
    return table[(table["std_error"] > 0) & ~table["op"].isin(["~1", ":="])].reset_index(drop=True)


def beyond_semopy(fit: StructuralFit) -> str:
    """Return why semopy cannot say the model, "" where it may."""
    inner, table = fit._fit, fit.table
    if len(table.group_labels) > 1 or table.n_levels > 1:
        return "it has no models of several groups with constraints, and none of two levels"
    if inner.options.missing != "listwise":
        return "its answers with missing values are known to be wrong"
    if not inner.options.estimator.startswith("ML"):
        return f"its estimator {inner.options.estimator} is not ours"
    if {"==", "<", ">"} & set(table.op) or not inner.constraints.linear.trivial:
        return "it does not end with equal parameters, and has no other constraints"
    if any(group.rows is None for group in inner.sample.groups):
        return "it needs the rows of the data"
    fixed = {table.lhs[i] for i, op in enumerate(table.op) if op == "=~" and not table.free[i]}
    if any(factor not in fixed for factor in inner.model.blocks[0].latent):
        return "it does not end where no loading of a factor is fixed"
    free_means = sum(1 for op, free in zip(table.op, table.free, strict=True) if op == "~1" and free)
    if inner.model.means and free_means != len(inner.sample.groups[0].names):
        return "it has no structure of means that agrees with ours"
    return ""


def gap_to(fit: StructuralFit, answer: PeerEstimate) -> float:
    """Return our log-likelihood less our log-likelihood at the peer's estimates; NaN where unknown."""
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
    sample = inner.sample.groups[0].cov
    return fit.nobs / 2 * (_discrepancy(sample, theirs) - _discrepancy(sample, ours))


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
    data = pd.DataFrame(group.rows, columns=[plain[v] for v in group.names])
    model = semopy.Model(_description(fit, plain))
    model.fit(data)
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
    table, lines = fit.table, []
    for i, op in enumerate(table.op):
        if op in ("=~", "~", "~~") and not table.exo[i]:
            mark = "" if table.free[i] else f"{float(table.start[i])!r}*"
            lines.append(f"{plain[table.lhs[i]]} {op} {mark}{plain[table.rhs[i]]}")
    return "\n".join(lines)


def semopy_answer(fit: StructuralFit) -> tuple[PeerEstimate, Any]:
    """Return semopy's answer, and how far below our optimum it lies."""
    answer = fit_semopy(fit)
    return answer, gap_to(fit, answer)
