"""Bias, coverage and Type I error of structural models of numbers. Seeds fixed before the first run.

Two factors of four items, as of bond and task: normal, or with heavy tails (multivariate t with eight degrees of
freedom); growth of symptoms over five sessions; patients of therapists; values missing at random.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, kstest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.simulation.recovery import binomial_range

SEED = 2027_06_09
LOADINGS = np.array([0.8, 0.7, 0.6, 0.75, 0.7, 0.7, 0.7, 0.7])
CORRELATION = 0.5
ITEMS = [f"y{k}" for k in range(1, 9)]
TWO = "f =~ y1 + y2 + y3 + y4\ng =~ y5 + y6 + y7 + y8"
EQUAL = "f =~ y1 + y2 + y3 + y4\ng =~ l*y5 + l*y6 + l*y7 + l*y8"
Z = 1.959963984540054


def items(rng: np.random.Generator, n: int, *, heavy: bool = False, error: float = 0.0) -> pd.DataFrame:
    """Answers with a variance of one; ``error`` : a residual correlation of y1 with y5 that the model leaves out."""
    factors = rng.multivariate_normal([0.0, 0.0], [[1.0, CORRELATION], [CORRELATION, 1.0]], n)
    residual = np.eye(8)
    residual[0, 4] = residual[4, 0] = error
    noise = rng.multivariate_normal(np.zeros(8), residual, n)
    values = np.repeat(factors, 4, axis=1) * LOADINGS + np.sqrt(1 - LOADINGS**2) * noise
    if heavy:
        values *= np.sqrt(6.0 / rng.chisquare(8, (n, 1)))
    return pd.DataFrame(values, columns=ITEMS)


def covered(estimates: np.ndarray, errors: np.ndarray, truth: np.ndarray, names: list[str]) -> None:
    """Assert that bias is small and that intervals of 95% cover the truth as often as they should."""
    count = len(estimates)
    bias = estimates.mean(axis=0) - truth
    allowed = np.maximum(0.05 * np.abs(truth), 0.01) + 3 * estimates.std(axis=0, ddof=1) / np.sqrt(count)
    assert dict(zip(names, bias, strict=True)) and (np.abs(bias) <= allowed).all(), dict(zip(names, bias, strict=True))
    low, high = binomial_range(0.95, count)
    share = (np.abs(estimates - truth) <= Z * errors).mean(axis=0)
    assert ((share >= low) & (share <= high)).all(), dict(zip(names, share, strict=True))


def rejected(p_values: list[float], level: float = 0.05) -> None:
    """Assert that a true hypothesis is rejected as often as it should be."""
    low, high = binomial_range(level, len(p_values))
    share = float((np.array(p_values) < level).mean())
    assert low <= share <= high, share


def repeat(count: int, seed: int, one: Callable[[np.random.Generator], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Return what a study gives in each of many data sets, stacked."""
    found = [one(np.random.default_rng(child)) for child in spawn(seed, count)]
    return [np.array(part) for part in zip(*found, strict=True)]


def factor_study(n: int, count: int, seed: int) -> None:
    truth = np.concatenate([LOADINGS, 1 - LOADINGS**2, [CORRELATION]])
    names = [*(f"l{k}" for k in range(8)), *(f"v{k}" for k in range(8)), "r"]

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        fit = ak.cfa(TWO, items(rng, n), std_lv=True)
        table = fit.tidy()
        table = table[table["std_error"] > 0]
        whole = fit.standardized().set_index(["lhs", "op", "rhs"])
        own = whole.loc[[("f", "=~", "y2"), ("y2", "~~", "y2"), ("f", "~~", "g")]]
        added = fit.modification_indices().set_index(["lhs", "op", "rhs"])["mi"]
        extra = added[[("f", "=~", "y5"), ("y1", "~~", "y2")]]
        p = fit.fit_measures()["pvalue"]
        return tuple(
            map(np.asarray, (table["estimate"], table["std_error"], own["estimate"], own["std_error"], extra, p))
        )

    estimates, errors, standard, standard_errors, indices, p_values = repeat(count, seed, one)
    covered(estimates, errors, truth, names)
    covered(standard, standard_errors, np.array([0.7, 0.51, CORRELATION]), ["loading", "residual", "correlation"])
    rejected(list(p_values))
    for column in indices.T:
        rejected(list(chi2.sf(column, 1)))
        assert kstest(column, chi2(1).cdf).pvalue > 0.001


def test_factors_of_normal_items() -> None:
    factor_study(500, 250, SEED)


@pytest.mark.slow
def test_factors_of_normal_items_in_many_samples() -> None:
    factor_study(500, 2000, SEED + 1)


def heavy_study(n: int, count: int, seed: int) -> None:
    truth = np.concatenate([LOADINGS, 1 - LOADINGS**2, [CORRELATION]])

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        data = items(rng, n, heavy=True)
        robust, plain = (ak.cfa(TWO, data, std_lv=True, estimator=word) for word in ("MLR", "ML"))
        table, other = (fit.tidy().query("std_error > 0 and op != '~1'") for fit in (robust, plain))
        measures = robust.fit_measures()
        parts = (table["estimate"], table["std_error"], other["std_error"])
        return tuple(map(np.asarray, (*parts, measures["pvalue_scaled"], measures["pvalue"])))

    estimates, errors, plain, scaled, unscaled = repeat(count, seed, one)
    covered(estimates, errors, truth, ["l"] * 8 + ["v"] * 8 + ["r"])
    rejected(list(scaled))
    low, _ = binomial_range(0.95, count)
    assert (np.abs(estimates - truth) <= Z * plain)[:, :8].mean() < low, "plain errors should be too small"
    assert (unscaled < 0.05).mean() > binomial_range(0.05, count)[1], "the plain test should reject too often"


def test_robust_errors_and_tests_of_heavy_tails() -> None:
    heavy_study(1000, 200, SEED + 2)


@pytest.mark.slow
def test_robust_errors_and_tests_of_heavy_tails_in_many_samples() -> None:
    heavy_study(2000, 1000, SEED + 3)


def difference_study(n: int, count: int, seed: int) -> None:
    """Equal loadings of g are true."""
    methods = ("satorra.bentler.2001", "satorra.bentler.2010", "satorra.2000")

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        data = items(rng, n, heavy=True)
        free, equal = (ak.cfa(model, data, std_lv=True, estimator="MLM") for model in (TWO, EQUAL))
        p = [ak.compare(free, equal, method=word).tidy()["p_value"].iloc[-1] for word in methods]
        plain = [ak.cfa(model, data, std_lv=True) for model in (TWO, EQUAL)]
        return np.array(p), np.array(ak.compare(*plain).tidy()["p_value"].iloc[-1])

    p_values, plain = repeat(count, seed, one)
    for column in p_values.T:
        rejected(list(column))
    assert (plain < 0.05).mean() > (p_values < 0.05).mean(axis=0).max()


def test_scaled_difference_tests_hold_their_level() -> None:
    difference_study(600, 200, SEED + 4)


@pytest.mark.slow
def test_scaled_difference_tests_hold_their_level_in_many_samples() -> None:
    difference_study(600, 1500, SEED + 5)


def test_intervals_of_rmsea_cover_that_of_the_population() -> None:
    """A residual correlation of .4 is left out; the population's RMSEA is that of its covariances."""
    residual = np.diag(1 - LOADINGS**2)
    residual[0, 4] = residual[4, 0] = 0.4 * np.sqrt(residual[0, 0] * residual[4, 4])
    factor = np.kron([[1.0, CORRELATION], [CORRELATION, 1.0]], np.ones((4, 4)))
    sigma = pd.DataFrame(np.outer(LOADINGS, LOADINGS) * factor + residual, ITEMS, ITEMS)
    large = ak.cfa(TWO, sample_cov=sigma, sample_nobs=10**7)
    truth = float(np.sqrt(2 * large._fit.fmin / large.fit_measures()["df"]))
    assert 0.05 < truth < 0.1

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        found = ak.cfa(TWO, items(rng, 400, error=0.4)).fit_measures()
        return tuple(found[[name]].to_numpy() for name in ("rmsea", "rmsea_ci_lower", "rmsea_ci_upper"))

    point, lower, upper = (part[:, 0] for part in repeat(300, SEED + 6, one))
    low, high = binomial_range(0.90, 300)
    assert low <= float(((lower <= truth) & (truth <= upper)).mean()) <= high
    assert abs(point.mean() - truth) < 0.005


GROWTH = "\n".join(
    ["i =~ " + " + ".join(f"1*t{k}" for k in range(5)), "s =~ " + " + ".join(f"{k}*t{k}" for k in range(5))]
)


def growth_study(n: int, count: int, seed: int) -> None:
    truth = np.array([2.0, 4.0, 0.25, -0.3, 20.0, -0.8])
    keys = [("t2", "~~", "t2"), ("i", "~~", "i"), ("s", "~~", "s"), ("i", "~~", "s"), ("i", "~1", ""), ("s", "~1", "")]

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        person = rng.multivariate_normal([20.0, -0.8], [[4.0, -0.3], [-0.3, 0.25]], n)
        values = person[:, :1] + person[:, 1:] * np.arange(5) + np.sqrt(2.0) * rng.normal(size=(n, 5))
        fit = ak.growth(GROWTH, pd.DataFrame(values, columns=[f"t{k}" for k in range(5)]))
        table = fit.tidy().set_index(["lhs", "op", "rhs"]).loc[keys]
        return np.asarray(table["estimate"]), np.asarray(table["std_error"]), np.array(fit.fit_measures()["pvalue"])

    estimates, errors, p_values = repeat(count, seed, one)
    covered(estimates, errors, truth, [" ".join(key) for key in keys])
    rejected(list(p_values))


def test_growth() -> None:
    growth_study(300, 300, SEED + 7)


@pytest.mark.slow
def test_growth_in_many_samples() -> None:
    growth_study(300, 2000, SEED + 8)


def test_full_information_is_right_where_listwise_is_biased() -> None:
    """Later items are missing where the first one is low."""
    truth = np.concatenate([LOADINGS[:4], np.zeros(4)])
    keys = [("f", "=~", f"y{k}") for k in range(1, 5)] + [(f"y{k}", "~1", "") for k in range(1, 5)]

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        data = items(rng, 500)[ITEMS[:4]]
        gone = rng.random((500, 2)) < np.where(data[["y1"]] < 0, 0.6, 0.05)
        data[["y3", "y4"]] = data[["y3", "y4"]].mask(gone)
        out = []
        for missing in ("fiml", "listwise"):
            fit = ak.cfa("f =~ y1 + y2 + y3 + y4", data, missing=missing, std_lv=True, meanstructure=True)
            out.append(fit.tidy().set_index(["lhs", "op", "rhs"]).loc[keys])
        return tuple(np.asarray(table[name]) for table in out for name in ("estimate", "std_error"))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        full, errors, complete, narrow = repeat(200, SEED + 9, one)
    covered(full, errors, truth, [" ".join(key) for key in keys])
    bias = complete.mean(axis=0) - truth
    assert (bias[4:] > 0.15).all(), "means of complete rows should be too high"
    assert (np.abs(complete - truth) <= Z * narrow).mean(axis=0)[4:].max() < 0.5


LEVELS = "level: 1\nw =~ y1 + y2 + y3 + y4\nlevel: 2\nb =~ y1 + y2 + y3 + y4"


def level_study(therapists: int, count: int, seed: int) -> None:
    inner, outer = np.array([1.0, 0.8, 0.7, 0.9]), np.array([1.0, 0.9, 0.8, 1.0])
    own, shared = inner**2 + 0.5, 0.4 * outer**2 + 0.1
    truth = np.concatenate([inner[1:], outer[1:], [1.0, 0.4]])

    def one(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        cluster = np.repeat(np.arange(therapists), 8)
        upper = np.outer(rng.normal(0, np.sqrt(0.4), therapists), outer) + np.sqrt(0.1) * rng.normal(
            size=(therapists, 4)
        )
        lower = np.outer(rng.normal(size=cluster.size), inner) + np.sqrt(0.5) * rng.normal(size=(cluster.size, 4))
        frame = pd.DataFrame(lower + upper[cluster], columns=ITEMS[:4]).assign(therapist=cluster)
        fit = ak.cfa(LEVELS, frame, cluster="therapist")
        table = fit.tidy().query("std_error > 0")
        table = table[(table["op"] == "=~") | table["lhs"].isin(["w", "b"])]
        order = [*table.index[table["op"] == "=~"], *table.index[table["op"] == "~~"]]
        parts = (table.loc[order, "estimate"], table.loc[order, "std_error"], fit.icc()["icc"])
        return tuple(map(np.asarray, (*parts, fit.fit_measures()["pvalue"])))

    with warnings.catch_warnings():  # a residual variance between may come out below zero
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        estimates, errors, shares, p_values = repeat(count, seed, one)
    size = np.where(np.arange(8) < 6, 1.0, estimates)  # variances of few therapists are skew: on the logarithmic scale
    estimates[:, 6:], truth[6:] = np.log(estimates[:, 6:]), np.log(truth[6:])
    covered(estimates, errors / size, truth, ["w2", "w3", "w4", "b2", "b3", "b4", "log w", "log b"])
    rejected(list(p_values))
    gap = shares.mean(axis=0) - shared / (own + shared)
    assert (np.abs(gap) <= 0.01 + 3 * shares.std(axis=0, ddof=1) / np.sqrt(count)).all(), gap


def test_two_levels() -> None:
    level_study(120, 100, SEED + 10)


@pytest.mark.slow
def test_two_levels_in_many_samples() -> None:
    level_study(150, 800, SEED + 11)
