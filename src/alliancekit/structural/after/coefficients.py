"""The table of estimates: one row per parameter, with standard errors, tests, limits and standardised values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.core.later import Later
from alliancekit.numerics.distributions import normal_quantile, t_two_sided
from alliancekit.structural.after.scaling import standardised_values
from alliancekit.structural.after.whole import whole
from alliancekit.structural.estimates import StructuralEstimates

if TYPE_CHECKING:
    from alliancekit.structural.after import ordinal_rows
else:
    ordinal_rows = Later("alliancekit.structural.after.ordinal_rows")

Floats = NDArray[np.float64]
_TEXT = pd.array([], dtype="str").dtype  # as an object: to find it by its name takes as long as to make the column


def values(fit: StructuralEstimates) -> tuple[Floats, Floats]:
    """Return estimates and standard errors of all rows of the table, (R,); 0 where a parameter is fixed."""
    table = fit.table
    free = np.array(table.free, dtype=np.intp)
    spread = np.sqrt(np.maximum(np.diag(fit.vcov), 0.0))
    estimate = np.concatenate([(0.0,), fit.x])[free]
    error = np.concatenate([(0.0,), spread])[free]
    for b, block in enumerate(fit.model.blocks, start=1):
        place = {name: i for i, name in enumerate((*block.observed, *block.latent))}
        for i in (i for i in table.rows(b) if not table.free[i]):
            op = table.op[i]
            if op == "~1":
                estimate[i] = block.m[place[table.lhs[i]]]
            elif op == "~~":
                estimate[i] = block.S[place[table.lhs[i]], place[table.rhs[i]]]
            else:
                estimate[i] = table.start[i]
    if fit.ordinal is not None:
        ordinal_rows.scales_of_responses(fit, estimate)
    defined, slopes = fit.constraints.define(fit.x)
    rows = {table.lhs[i]: i for i in range(len(table)) if table.op[i] == ":="}
    for name, value, slope in zip(fit.constraints.definitions, defined, slopes, strict=True):
        estimate[rows[name]] = value
        known = np.isfinite(value) and np.isfinite(slope).all()
        error[rows[name]] = np.sqrt(max(float(slope @ fit.vcov @ slope), 0.0)) if known else np.nan
    if fit.replicates is not None:
        for i, at in _replicated(fit).items():
            error[i] = fit.replicates.replicates[:, at].std(ddof=1)
    return estimate, error


def _at_bounds(fit: StructuralEstimates, estimate: Floats) -> NDArray[np.bool_]:
    """Return which free parameters are at their lower or upper bound, where there is no test of them, (R,)."""
    out = np.zeros(len(estimate), dtype=bool)
    if not fit.table.bounded:
        return out
    for ends in (np.array(fit.table.lower), np.array(fit.table.upper)):
        close = np.abs(estimate - ends) <= 1e-6 * np.maximum(1.0, np.abs(ends))
        out |= np.isfinite(ends) & close & (np.array(fit.table.free) > 0)
    return out


def _replicated(fit: StructuralEstimates) -> dict[int, int]:
    """Return row -> place among the bootstrap's replicates, of free parameters and definitions."""
    table, size = fit.table, fit.x.size
    rows = {i: free - 1 for i, free in enumerate(table.free) if free}
    defined = {name: size + k for k, name in enumerate(fit.constraints.definitions)}
    return rows | {i: defined[table.lhs[i]] for i in range(len(table)) if table.op[i] == ":="}


def coefficients(fit: StructuralEstimates, level: float, interval: str = "percentile") -> pd.DataFrame:
    """Return one row per parameter and definition; see ``StructuralFit.tidy``."""
    if fit.replicates is None and interval != "percentile":
        what = f"interval={interval!r} is made from bootstrap samples, and the fit has none"
        raise SpecError(message(what, do='Fit with se="bootstrap"'))
    table = fit.table
    whole_estimate, error = values(fit)
    kept = [i for i in range(len(table)) if table.op[i] not in ("==", "<", ">")]
    estimate, error = whole_estimate[kept], error[kept]
    known = error > 0
    statistic = np.full(len(kept), np.nan)
    statistic[known] = estimate[known] / error[known]
    p_value = np.full(len(kept), np.nan)
    p_value[known] = t_two_sided(statistic[known], np.inf)
    p_value[_at_bounds(fit, whole_estimate)[kept]] = np.nan
    reach = float(normal_quantile(1 - (1 - level) / 2)) * error
    low, high = estimate - reach, estimate + reach
    if fit.replicates is not None:
        limits = fit.replicates.tidy(interval, level)
        for i, at in _replicated(fit).items():
            low[kept.index(i)], high[kept.index(i)] = limits["conf_low"].iloc[at], limits["conf_high"].iloc[at]
    chosen = [(table.lhs[i], table.op[i], table.rhs[i]) for i in kept]
    texts = {
        "term": [_term(*row) for row in chosen],
        "lhs": [lhs for lhs, _, _ in chosen],
        "op": [op for _, op, _ in chosen],
        "rhs": [rhs for _, _, rhs in chosen],
    }
    if table.n_levels > 1:
        texts["level"] = [("", "within", "between")[table.level[i]] for i in kept]
    if len(table.group_labels) > 1:
        texts["group"] = [table.group_labels[table.group[i] - 1] if table.group[i] else "" for i in kept]
    texts["label"] = ["" if table.label[i].startswith(".p") else table.label[i] for i in kept]
    every = pd.array([text for column in texts.values() for text in column], dtype=_TEXT)
    columns: dict[str, object] = {name: every[k * len(kept) : (k + 1) * len(kept)] for k, name in enumerate(texts)}
    columns |= {
        "estimate": estimate,
        "std_error": error,
        "statistic": statistic,
        "p_value": p_value,
        "conf_low": low,
        "conf_high": high,
        **{kind: found[kept] for kind, found in _standardised(fit, whole_estimate).items()},
    }
    frame = pd.DataFrame(columns)
    frame.attrs.update(level=level, se=fit.options.se, information=fit.options.information)
    if fit.replicates is not None:
        frame.attrs["interval"] = limits.attrs["interval"]
    return frame


def _standardised(fit: StructuralEstimates, estimate: Floats) -> dict[str, Floats]:
    """Return the standardised estimates of all rows of the table, (R,), with latent and with all variables at one."""
    blocks = [whole(block, fit.x) for block in fit.model.blocks]
    return standardised_values(fit.table, fit.model, blocks, estimate, ("std_lv", "std_all"), fit.constraints)


def _term(lhs: str, op: str, rhs: str) -> str:
    return f"{lhs} {op} {rhs}".strip()
