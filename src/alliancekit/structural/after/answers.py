"""Tables of what comes after a fit: modification indices, score tests, standardised solution, R2, latent moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.model_statements import CONSTRAINTS
from alliancekit.numerics.distributions import normal_quantile, t_two_sided
from alliancekit.structural.after.coefficients import values
from alliancekit.structural.after.group_views import free_directions, group_views
from alliancekit.structural.after.modification import ScoreTests, modifications, score_tests
from alliancekit.structural.after.ordinal_rows import extra_slopes, fill_slopes
from alliancekit.structural.after.scaling import KINDS, standardise
from alliancekit.structural.after.view import GroupView
from alliancekit.structural.after.whole import LEVELS, Whole, block_titles, wholes
from alliancekit.structural.arguments import check_level, check_real
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.variables import find_variables

Floats = NDArray[np.float64]


def modification_table(fit: StructuralEstimates, minimum: float = 0.0, op: str | None = None) -> pd.DataFrame:
    """Return one row per fixed parameter, the largest index first; see ``StructuralFit.modification_indices``."""
    if op is not None:
        check_option("op", op, ("=~", "~~", "~", "~1"))
    check_real("minimum", minimum)
    estimate = values(fit)[0]
    found = modifications(
        fit.table,
        fit.model,
        fit.constraints,
        fit.x,
        estimate,
        wholes(fit),
        group_views(fit),
        free_directions(fit),
        None if fit.ordinal is None else partial(extra_slopes, fit),
    )
    order = [
        i
        for i in np.argsort(-found.statistic, kind="stable")
        if found.statistic[i] >= minimum and (op is None or found.parameters[i].op == op)
    ]
    chosen = [found.parameters[i] for i in order]
    columns: dict[str, object] = {
        "lhs": [c.lhs for c in chosen],
        "op": [c.op for c in chosen],
        "rhs": [c.rhs for c in chosen],
    }
    if fit.table.n_levels > 1:
        columns["level"] = [LEVELS[c.level] for c in chosen]
    if len(fit.table.group_labels) > 1:
        columns["group"] = [fit.table.group_labels[c.group - 1] for c in chosen]
    columns |= {"mi": found.statistic[order], "epc": found.change[order], "sepc_lv": found.std_lv[order]}
    columns |= {"sepc_all": found.std_all[order], "sepc_nox": found.std_nox[order]}
    return pd.DataFrame(columns)


def score_test_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return one row per equality constraint, then one for all; see ``StructuralFit.score_tests``."""
    table = fit.table
    found = _score_tests(fit)
    place = _parameter_words(table)
    rows = [
        {
            "lhs": table.lhs[i],
            "rhs": table.rhs[i],
            "parameter": place.get(table.lhs[i], table.lhs[i]),
            "equal_to": place.get(table.rhs[i], table.rhs[i]),
            "statistic": statistic,
            "df": 1,
            "p_value": p,
            "epc": apart,
        }
        for i, statistic, p, apart in zip(found.rows, found.statistics, found.p_values, found.apart, strict=True)
    ]
    total = {"lhs": "all", "rhs": "", "parameter": "all", "equal_to": "", "statistic": found.statistic}
    return pd.DataFrame([*rows, total | {"df": found.df, "p_value": found.p_value}])


def change_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return what each parameter would be without the equality constraints; see ``StructuralFit.expected_changes``."""
    table, found = fit.table, _score_tests(fit)
    free = np.array(table.free, dtype=np.intp)
    estimate = values(fit)[0]
    change = np.concatenate([(np.nan,), found.change])[free]
    own = np.where(np.isnan(change), 0.0, change)
    for i, op in enumerate(table.op):  # what has a variance of its own is scaled by the estimated one, as in lavaan
        if op == "~~" and table.lhs[i] == table.rhs[i] and not table.exo[i]:
            own[i] = estimate[i]
    of = partial(standardise, table, fit.model, wholes(fit), np.abs(own), constraints=fit.constraints)
    kept = [i for i, op in enumerate(table.op) if op not in (*CONSTRAINTS, ":=")]
    titles = block_titles(table)
    columns: dict[str, object] = {name: [getattr(table, name)[i] for i in kept] for name in ("lhs", "op", "rhs")}
    for kind in titles[0]:
        columns[kind] = [titles[table.block[i] - 1][kind] for i in kept]
    columns |= {"label": ["" if table.label[i].startswith(".p") else table.label[i] for i in kept]}
    columns |= {"estimate": estimate[kept], "epc": change[kept], "epv": (estimate + change)[kept]}
    for name, kind in (("sepc_lv", "std_lv"), ("sepc_all", "std_all"), ("sepc_nox", "std_nox")):
        columns[name] = (np.sign(change) * of(kind=kind).values)[kept]
    return pd.DataFrame(columns)


def _score_tests(fit: StructuralEstimates) -> ScoreTests:
    if "==" not in fit.table.op:
        raise SpecError(message("the model has no equality constraints", do="Use modification_indices()"))
    views = group_views(fit)
    slope = np.sum([view.slope @ view.jacobian for view in views], axis=0)
    return score_tests(fit.table, fit.constraints, fit.x, slope, expected_information(views))


def _parameter_words(table: ParameterTable) -> dict[str, str]:
    """Return what a parameter is in words, "bond =~ wai_5 (group f)", by .p1. ... and by labels that only one has."""
    titles, out = block_titles(table), {}
    several = Counter(label for label, free in zip(table.label, table.free, strict=True) if free)
    for i, free in enumerate(table.free):
        if free:
            title = titles[table.block[i] - 1] if table.block[i] else {}
            where = ", ".join(f"{kind} {name}" for kind, name in title.items())
            words = f"{table.lhs[i]} {table.op[i]} {table.rhs[i]}".strip() + (f" ({where})" if where else "")
            out[table.plabel[i]] = words
            if table.label[i] and several[table.label[i]] == 1:
                out[table.label[i]] = words
    return out


def expected_information(views: Sequence[GroupView]) -> Floats:
    """Return the expected information about all parameters, equal ones taken one by one."""
    parts = [view.n * view.jacobian.T @ view.weight @ view.jacobian for view in views]
    return np.asarray(np.sum(parts, axis=0))


def row_slopes(fit: StructuralEstimates) -> Floats:
    """Return the derivatives of the estimates of all rows of the table by the free parameters, (R, size)."""
    out = np.zeros((len(fit.table), fit.x.size))
    for i, number in enumerate(fit.table.free):
        if number:
            out[i, number - 1] = 1.0
    if fit.ordinal is not None:
        fill_slopes(fit, out)
    return out


def standardised_table(fit: StructuralEstimates, kind: str, level: float) -> pd.DataFrame:
    """Return the standardised solution with standard errors; see ``StructuralFit.standardized``."""
    check_option("kind", kind, KINDS)
    check_level(level)
    table = fit.table
    found = standardise(table, fit.model, wholes(fit), values(fit)[0], kind, fit.constraints, by_x=row_slopes(fit))
    error = found.errors(fit.vcov if fit.rotation is None else fit.rotation.vcov)
    error = np.where(error < np.finfo(float).eps ** 0.25, 0.0, error)
    kept = [i for i, op in enumerate(table.op) if op not in CONSTRAINTS or op == ":="]
    titles = block_titles(table)
    columns: dict[str, object] = {
        "lhs": [table.lhs[i] for i in kept],
        "op": [table.op[i] for i in kept],
        "rhs": [table.rhs[i] for i in kept],
    }
    for name in titles[0]:
        columns[name] = [titles[table.block[i] - 1][name] if table.block[i] else "" for i in kept]
    estimate, error = found.values[kept], error[kept]
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(error > 0, estimate / error, np.nan)
    reach = float(normal_quantile((1 + level) / 2)) * error
    columns |= {"estimate": estimate, "std_error": error, "statistic": statistic}
    columns |= {"p_value": t_two_sided(statistic, np.inf), "conf_low": estimate - reach, "conf_high": estimate + reach}
    return pd.DataFrame(columns)


def latent_means(fit: StructuralEstimates, block: int, at: Whole) -> Floats:
    """Return the means of all variables of a block; of a model without means, those that covariates give."""
    if fit.model.means:
        return at.mean
    own = fit.model.blocks[block]
    covariates = ~own.A[: len(own.observed)].any(axis=1) & _predictors(fit, block)
    m = np.zeros(len(at.m))
    m[: len(own.observed)] = np.where(covariates, fit.sample.groups[block // fit.table.n_levels].mean, 0.0)
    return np.asarray(at.B @ m)


def _predictors(fit: StructuralEstimates, block: int) -> NDArray[np.bool_]:
    """Return which observed variables (p,) are covariates, with fixed moments or random."""
    table = fit.table
    rows = [i for i in table.rows(block + 1) if table.op[i] not in CONSTRAINTS]
    roles = find_variables([(table.lhs[i], table.op[i], table.rhs[i], table.user[i] == 1) for i in rows])
    return np.array([name in roles.exogenous for name in fit.model.blocks[block].observed], dtype=bool)


def latent_tables(fit: StructuralEstimates) -> dict[str, pd.DataFrame]:
    """Return covariances, correlations and means of the latent variables, by group and level."""
    out: dict[str, pd.DataFrame] = {}
    pieces = zip(block_titles(fit.table), fit.model.blocks, wholes(fit), strict=True)
    for b, (title, block, at) in enumerate(pieces):
        p, names, end = len(block.observed), list(block.latent), " ".join(["", *title.values()])
        cov = at.cov[p:, p:]
        with np.errstate(invalid="ignore", divide="ignore"):
            sd = np.sqrt(np.where(cov.diagonal() > 0, cov.diagonal(), np.nan))
        out[f"cov{end}"] = pd.DataFrame(cov, index=names, columns=names)
        out[f"cor{end}"] = pd.DataFrame(cov / np.outer(sd, sd), index=names, columns=names)
        out[f"mean{end}"] = pd.DataFrame({"mean": latent_means(fit, b, at)[p:]}, index=names)
    return out
