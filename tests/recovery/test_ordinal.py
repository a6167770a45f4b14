"""Bias, coverage and Type I error of models of ordinal items (WLSMV). Seeds fixed before the first run.

Two factors with four items of five unequal categories each, the true responses normal; one study with a covariate and a
numeric item, in which everything is conditional on the covariate. The standard errors are those of large samples: with
500 rows the coverage of some is .93 to .94, so that the long studies have 1,500.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.simulation.recovery import binomial_range

SEED = 2027_05_04
LOADINGS = np.array([0.8, 0.7, 0.6, 0.75])
CUTS = np.array([-1.2, -0.4, 0.5, 1.3])
ITEMS = [f"u{k}" for k in range(1, 9)]
TWO = "f =~ u1 + u2 + u3 + u4\ng =~ u5 + u6 + u7 + u8"
CORRELATION = 0.5


def two_factors(rng: np.random.Generator, n: int) -> pd.DataFrame:
    factors = rng.multivariate_normal([0.0, 0.0], [[1.0, CORRELATION], [CORRELATION, 1.0]], n)
    wide = np.repeat(factors, 4, axis=1) * np.tile(LOADINGS, 2)
    responses = wide + np.sqrt(1 - np.tile(LOADINGS, 2) ** 2) * rng.normal(size=(n, 8))
    return pd.DataFrame(np.digitize(responses, CUTS), columns=ITEMS)


def with_covariate(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Responses with a variance of one given the covariate; a numeric item in other units."""
    x = rng.normal(size=n)
    f = 0.5 * x + rng.normal(size=n)
    responses = np.outer(f, LOADINGS[:3]) + np.sqrt(1 - LOADINGS[:3] ** 2) * rng.normal(size=(n, 3))
    out = pd.DataFrame(np.digitize(responses, CUTS), columns=ITEMS[:3])
    return out.assign(c=2.0 + 1.5 * f + rng.normal(size=n), x=x)


def summarise(found: list[pd.DataFrame], truth: dict[str, float], p_values: list[float]) -> None:
    """Assert bias and coverage of each parameter, and the Type I error of the scaled test."""
    count = len(found)
    low, high = binomial_range(0.95, count)
    for term, value in truth.items():
        rows = pd.concat([frame.loc[[term]] for frame in found])
        estimate, error = rows["estimate"].to_numpy(), rows["std_error"].to_numpy()
        allowed = max(0.05 * abs(value), 0.01) + 3 * estimate.std(ddof=1) / np.sqrt(count)
        assert abs(estimate.mean() - value) <= allowed, term
        covered = float((np.abs(estimate - value) <= 1.959963984540054 * error).mean())
        assert low <= covered <= high, (term, covered)
    low, high = binomial_range(0.05, count)
    assert low <= float((np.array(p_values) < 0.05).mean()) <= high


def factor_study(n: int, count: int, seed: int) -> None:
    found, p_values = [], []
    for child in spawn(seed, count):
        data = two_factors(np.random.default_rng(child), n)
        fit = ak.cfa(TWO, data, ordered=ITEMS, std_lv=True, missing="listwise")
        found.append(fit.tidy().set_index("term"))
        p_values.append(fit.fit_measures()["pvalue_scaled"])
    truth = {f"f =~ u{k}": value for k, value in enumerate(LOADINGS, start=1)} | {"f ~~ g": CORRELATION}
    truth |= {f"u8 | t{k}": value for k, value in enumerate(CUTS, start=1)}
    summarise(found, truth, p_values)


def covariate_study(n: int, count: int, seed: int) -> None:
    found, p_values = [], []
    for child in spawn(seed, count):
        data = with_covariate(np.random.default_rng(child), n)
        text = "f =~ NA*u1 + u2 + u3 + c\nf ~~ 1*f\nf ~ x"
        fit = ak.sem(text, data, ordered=ITEMS[:3], missing="listwise")
        found.append(fit.tidy().set_index("term"))
        p_values.append(fit.fit_measures()["pvalue_scaled"])
    truth = {f"f =~ u{k}": value for k, value in enumerate(LOADINGS[:3], start=1)}
    truth |= {"f ~ x": 0.5, "f =~ c": 1.5, "c ~~ c": 1.0, "c ~1": 2.0, "u2 | t1": CUTS[0], "u2 | t4": CUTS[3]}
    summarise(found, truth, p_values)


@pytest.mark.option("cfa.estimator", "recovery of WLSMV")
def test_a_few_data_sets_of_ordinal_items_recover_the_truth() -> None:
    factor_study(400, 60, SEED)


def test_a_few_data_sets_with_a_covariate_recover_the_truth() -> None:
    covariate_study(400, 30, SEED + 1)


@pytest.mark.slow
def test_ordinal_items_recover_the_truth() -> None:
    factor_study(1500, 1000, SEED + 2)


@pytest.mark.slow
def test_ordinal_items_with_a_covariate_recover_the_truth() -> None:
    covariate_study(1500, 500, SEED + 3)
