"""Comparators of what comes after a fit of ordinal variables, where R's tables have thresholds as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import xlogy

from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf
from alliancekit.structural.after.residuals import size_of
from tests.reference.comparison import TOLERANCES, assert_close, assert_within
from tests.reference.sem_after import COMPARE, Case, square, vector
from tests.reference.sem_cases import fit

SIZES = ("size", "std_error", "exact_z", "exact_p", "unbiased", "unbiased_std_error", "conf_low", "conf_high")
SIZES += ("close_value", "close_z", "close_p")
PARTS = {"cor": "cov", "thresholds": "threshold", "total": "total"}
RELIABILITIES = {"compRelSEM_ordinal_scale": "omega", "compRelSEM_latent_response": "omega_responses"}
RELIABILITIES |= {"compRelSEM_alpha_latent_response": "alpha", "AVE": "ave"}


def table_likelihood(f: Any, i: int, j: int, rho: float) -> float:
    """Return the log-likelihood of a correlation, given the table of counts and the thresholds of both items."""
    margins = f._fit.ordinal.statistics[0].margins
    a, b = (margins.limits[k, : margins.sizes[k] + 1] for k in (i, j))
    p = np.diff(np.diff(bivariate_normal_cdf(a[:, None], b[None, :], rho), axis=0), axis=1)
    counts = np.zeros(p.shape)
    np.add.at(counts, (margins.codes[:, i], margins.codes[:, j]), 1.0)
    return float(xlogy(counts, p).sum())


def compare_sample(case: Case, reference: dict[str, Any]) -> None:
    """Polychoric correlations: lavaan stops its search nearby; no table is likelier at R's than at ours."""
    f = fit(*case)
    names = list(f._fit.model.blocks[0].observed)
    ours, theirs = f._fit.saturated[0].sigma, square(reference["cov"], names)
    assert_close(ours, theirs, "lavaan_criterion", "polychoric correlations")
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        here, there = table_likelihood(f, i, j, ours[i, j]), table_likelihood(f, i, j, theirs[i, j])
        assert here >= there - 1e-12 * abs(there)
    items = f._fit.ordinal.statistics[0]
    assert_close(items.vector[: len(items.owner)], list(reference["th"].values()), "closed_form", "thresholds")
    assert not any(reference["mean"].values())
    assert set(reference) == {"cov", "mean", "th"}


def compare_residuals(case: Case, reference: dict[str, Any], kind: str) -> None:
    f = fit(*case)
    names = list(f._fit.model.blocks[0].observed)
    found = f.residual_matrix(kind)
    theirs = square(reference["cov"], names)
    limit = TOLERANCES["estimate"]["abs"] + TOLERANCES["estimate"]["rel"] * np.abs(f._fit.implied[0].sigma)
    gap = np.abs(found["cov"].to_numpy() - theirs)
    assert_within(gap, limit, "estimate", f"residuals {kind}", f"residuals {kind} differ")
    thresholds = found["threshold"]["threshold"]
    assert [name.replace(" ", "") for name in thresholds.index] == list(reference["th"])
    assert_close(thresholds, list(reference["th"].values()), "estimate", f"residual thresholds {kind}")
    assert not any(reference["mean"].values())
    if "cov.z" in reference:
        _compare_z(f, kind, reference, theirs)
    if "summary" in reference:
        compare_sizes(f, kind, reference["summary"])
    known = {"type", "cov", "mean", "th", "cov.z", "mean.z", "th.z", "summary"}
    assert set(reference) <= known, f"not compared: {set(reference) - known}"


def _compare_z(f: Any, kind: str, reference: dict[str, Any], residual: np.ndarray) -> None:
    """Residuals over their standard errors: the tolerance is that of the residual over its standard error."""
    names = list(f._fit.model.blocks[0].observed)
    found, theirs = f.residual_matrix(kind, z=True), square(reference["cov.z"], names)
    ours = found["cov"].to_numpy()
    lower = np.tril_indices(len(names), -1)
    error = np.abs(residual[lower] / theirs[lower])
    limit = TOLERANCES["statistic"]["rel"] * np.abs(theirs[lower]) + TOLERANCES["estimate"]["abs"] / error
    assert_within(np.abs(ours - theirs)[lower], limit, "statistic", "z of residuals", "z of residuals differ")
    kept = list(reference["th"].values())  # lavaan does not divide residuals below 1e-4: they are compared as residuals
    assert max(map(abs, kept)) < 1e-4
    assert_close(list(reference["th.z"].values()), kept, "estimate", "R's z of thresholds")
    assert_close(found["threshold"]["threshold"], kept, "estimate", "z of thresholds")
    assert not any(reference["mean.z"][name] for name in names)


def compare_sizes(f: Any, kind: str, reference: list[dict[str, float]]) -> None:
    """Compare sizes of residuals.

    For the unbiased size of all residuals together lavaan 0.6-14 puts correlations before thresholds, and in their
    covariance matrix thresholds first, so that its quadratic form takes each residual with the variance of another.
    Ours has one order; with lavaan's two, R's numbers come out.
    """
    ours = f.residual_size(kind).set_index("part")
    assert {name for name in reference[0] if not name.startswith("_")} == set(PARTS)
    for name, part in PARTS.items():
        theirs = np.array([np.nan if row.get(name) is None else row[name] for row in reference], dtype=float)
        found = ours.loc[part, list(SIZES)].to_numpy(dtype=float)
        if part == "total":
            found = np.concatenate([found[:4], _in_two_orders(f, kind)])
        assert_close(found, theirs, "residual_size", f"size of {name}")


def _in_two_orders(f: Any, kind: str) -> np.ndarray:
    """Return the last seven of ``SIZES`` from residuals in lavaan's order and covariances in ours."""
    estimates = f._fit
    own = estimates.ordinal
    structure, target, at = own.structures[0], own.targets[0], own.at[0]
    gap, t = target.observed - at.vector, len(structure.owner)
    n = estimates.sample.n
    left = np.eye(len(gap)) - at.jacobian @ own.inverse @ target.weigh(at.jacobian).T
    spread = left @ own.statistics[0].gamma @ left.T / n
    count = len(gap) + (0 if kind == "cor.bollen" else len(structure.own))
    found = size_of(np.concatenate([gap[t:], gap[:t]]), spread, count)
    head = [found.unbiased, found.unbiased_error, found.low, found.high]
    return np.array([*head, 0.05, found.close_z, found.close_p])


def compare_reliability(case: Case, reference: dict[str, Any]) -> None:
    table = fit(*case).reliability().set_index("factor")
    for key, found in reference.items():
        names = list(found)
        assert_close(table.loc[names, RELIABILITIES[key]], vector(found, names), "estimate", key)


ORDINAL: dict[str, Callable[[Case, Any], None]] = COMPARE | {
    "sampstat": compare_sample,
    "residuals_raw": lambda case, r: compare_residuals(case, r, "raw"),
    "residuals_cor_bentler": lambda case, r: compare_residuals(case, r, "cor.bentler"),
    "residuals_cor_bollen": lambda case, r: compare_residuals(case, r, "cor.bollen"),
    "reliability": compare_reliability,
}
