"""Correlations of ordinal and mixed pairs in which a row lies far from the others: the maximum of the likelihood.

Towards a correlation of one such a row loses its probability, and with it, in floating point, its score: a search that
not look out for it ends at the wrong end. lavaan 0.6-14 finds the maximum of these tables, and not always that of mixed
pairs and of ordinal ones given covariates.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf
from alliancekit.structural.ordinal.statistics import Statistics, compute_statistics
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE

CASES: list[dict[str, Any]] = json.loads((HERE / "sem_ordinal" / "outlying.json").read_text())


def statistics(case: dict[str, Any]) -> Statistics:
    codes = [np.unique(case[name], return_inverse=True)[1].astype(float) for name in ("a", "b")]
    first = np.array(case["a"], dtype=float) if case["mixed"] else codes[0]
    sizes = np.array([0 if case["mixed"] else len(np.unique(codes[0])), len(np.unique(codes[1]))])
    x = np.array(case["x"], dtype=float)[:, None] if case["with_x"] else None
    return compute_statistics(("a", "b"), np.column_stack([first, codes[1]]), sizes, x)


def log_likelihood(found: Statistics, case: dict[str, Any], rho: float) -> float:
    """Log-likelihood of the pair at a correlation, at the first step's thresholds, slopes and variances."""
    upper, lower = found.margins.row_limits(1)
    if case["mixed"]:
        z, root = found.margins.standard[:, 0], np.sqrt(1 - rho**2)
        top, bottom = (upper - rho * z) / root, (lower - rho * z) / root
        turn = bottom > 0  # of the two tails the smaller keeps its digits
        top, bottom = np.where(turn, -bottom, top), np.where(turn, -top, bottom)
        logs = norm.logcdf(top)
        return float((logs + np.log1p(-np.exp(norm.logcdf(bottom) - logs))).sum())
    first, second = found.margins.row_limits(0)
    r = np.full(len(upper), rho)
    p = bivariate_normal_cdf(first, upper, r) - bivariate_normal_cdf(second, upper, r)
    p += bivariate_normal_cdf(second, lower, r) - bivariate_normal_cdf(first, lower, r)
    return float(np.log(np.maximum(p, 1e-12)).sum())


@pytest.mark.option("cfa.ordered", "lavaan 0.6-14: rows far from the others")
@pytest.mark.parametrize("case", CASES, ids=[str(case["seed"]) for case in CASES])
def test_the_correlation_is_the_maximum(case: dict[str, Any]) -> None:
    found = statistics(case)
    ours, theirs = float(found.correlation[0, 1]), case["correlation"]
    reached = log_likelihood(found, case, ours)
    assert reached >= max(log_likelihood(found, case, rho) for rho in np.linspace(-0.99, 0.99, 199)) - 1e-6
    gain = reached - log_likelihood(found, case, theirs)
    assert gain > -1e-6
    around = [abs(reached - log_likelihood(found, case, rho)) for rho in (ours - 0.005, min(ours + 0.005, 0.999))]
    if gain > 1e-6:
        assert case["mixed"] or case["with_x"], f"lavaan is {gain} below the maximum"
    elif max(around) > 1e-6:  # else the likelihood is flat: any correlation near one will do
        assert_close(ours, theirs, "estimate", "correlation")


def drawn(seed: int, mixed: bool, with_x: bool) -> dict[str, Any]:
    """Return a pair of variables with one or two rows in a corner."""
    rng = np.random.default_rng(seed)
    n, rho = int(rng.integers(60, 200)), rng.choice([0.5, 0.9, 0.97, -0.9])
    x = (rng.random(n) > 0.5).astype(float)
    z = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n) + with_x * np.outer(x, [0.4, -0.3])
    codes = [np.searchsorted(np.quantile(v, np.sort(rng.uniform(0.15, 0.85, rng.integers(1, 4)))), v) for v in z.T]
    first, second = z[:, 0] if mixed else codes[0], codes[1]
    for i in rng.integers(0, n, rng.integers(1, 3)):
        first[i] = first.max() if rng.random() < 0.5 else first.min()
        second[i] = second.max() if rng.random() < 0.5 else second.min()
    return {"mixed": mixed, "with_x": with_x, "a": first, "b": second, "x": x}


@pytest.mark.parametrize("with_x", [False, True], ids=["", "x"])
@pytest.mark.parametrize("mixed", [False, True], ids=["ordinal", "mixed"])
def test_no_correlation_is_likelier_than_ours(mixed: bool, with_x: bool) -> None:
    grid, checked = np.linspace(-0.99, 0.99, 67), 0
    for seed in range(150):
        case = drawn(seed, mixed, with_x)
        levels = [len(np.unique(case[name])) for name in ("a", "b")]
        if min(levels) < 2 or max(levels) == 2:  # of a table of two by two the empty cell is filled
            continue
        found = statistics(case)
        reached = log_likelihood(found, case, float(found.correlation[0, 1]))
        assert reached >= max(log_likelihood(found, case, rho) for rho in grid) - 1e-3, seed
        checked += 1
    assert checked > 50
