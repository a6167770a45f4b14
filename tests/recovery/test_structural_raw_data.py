"""Bias, coverage and Type I error of full-information and two-level likelihood. Seeds fixed before the first run.

Missing at random: the later items of an alliance scale are missing more often where the first item is low, so complete
rows are a biased sample. Two levels: patients of therapists, one factor at each level.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import chdtrc

from alliancekit.core.seeds import spawn
from alliancekit.formula.model_parse import parse_model
from alliancekit.simulation.recovery import binomial_range
from alliancekit.structural.automatic import complete
from alliancekit.structural.constraints import Linear
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.fit import Exogenous, saturate, search_incomplete
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.likelihood.solution import Request, solve
from alliancekit.structural.model import Model, compile_model
from alliancekit.structural.rules import CFA
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.twolevel.data import ClusteredRows
from alliancekit.structural.twolevel.saturated import NOBODY
from alliancekit.structural.twolevel.search import LevelExogenous, nearest_start, saturate_levels, search_levels
from alliancekit.structural.twolevel.statistics import Roles, summarise_clusters

SEED = 2027_03_11
LOADINGS = np.array([1.0, 0.8, 0.7, 0.9])
ITEMS = ("y1", "y2", "y3", "y4")


def compiled(text: str) -> tuple[ParameterTable, Model, np.ndarray]:
    """Table, model and a plain start."""
    table = complete(parse_model(text), replace(CFA, meanstructure=True))
    start = np.zeros(table.n_free)
    for i, number in enumerate(table.free):
        if number:
            own = table.op[i] == "~~" and table.lhs[i] == table.rhs[i]
            start[number - 1] = 1.0 if table.op[i] == "=~" else 0.5 if own else 0.0
    return table, compile_model(table), start


def summarise(
    estimates: np.ndarray, errors: np.ndarray, p_values: np.ndarray, truth: np.ndarray, checked: np.ndarray
) -> None:
    """Assert bias, coverage and Type I error."""
    count = estimates.shape[0]
    bias = estimates.mean(axis=0) - truth
    allowed = np.maximum(0.05 * np.abs(truth), 0.01) + 3 * estimates.std(axis=0, ddof=1) / np.sqrt(count)
    assert (np.abs(bias) <= allowed)[checked].all(), bias
    low, high = binomial_range(0.95, count)
    covered = (np.abs(estimates - truth) <= 1.959963984540054 * errors).mean(axis=0)
    assert ((covered >= low) & (covered <= high))[checked].all(), covered
    low, high = binomial_range(0.05, count)
    rejected = float((p_values < 0.05).mean())
    assert low <= rejected <= high, rejected


def incomplete_study(n: int, count: int, seed: int) -> None:
    """Fit many data sets with values missing at random."""
    table, model, start = compiled("f =~ y1 + y2 + y3 + y4")
    truth = np.concatenate([LOADINGS[1:], [0.5] * 4, [1.0], [0.0] * 4])
    none = Exogenous((np.zeros((4, 4), dtype=bool),), (np.zeros(4, dtype=bool),))
    out, errors, p_values = [], [], []
    for child in spawn(seed, count):
        rng = np.random.default_rng(child)
        values = np.outer(rng.normal(size=n), LOADINGS) + np.sqrt(0.5) * rng.normal(size=(n, 4))
        gone = rng.random((n, 4)) < np.where(values[:, :1] < 0, 0.45, 0.05)
        gone[:, :2] = False
        values[gone] = np.nan
        data = IncompleteRows((group_patterns(values, ITEMS),))
        saturated, _ = saturate(data, none)
        found = search_incomplete(data, model, start, None)
        assert found.converged
        solution = solve(data, model, found.x, found.value, saturated, Request())
        out.append(found.x)
        errors.append(np.sqrt(solution.vcov.diagonal()))
        p_values.append(chdtrc(solution.df, solution.statistic))
    assert table.names()[-1] == "y4~1"
    summarise(np.array(out), np.array(errors), np.array(p_values), truth, np.ones(truth.size, dtype=bool))


def level_study(clusters: int, size: int, count: int, seed: int) -> None:
    """Fit many data sets of patients in therapists."""
    text = "level: 1\nfw =~ y1 + y2 + y3 + y4\nlevel: 2\nfb =~ y1 + y2 + y3 + y4"
    table, model, start = compiled(text)
    roles = Roles(ITEMS, ITEMS)
    between = np.array([1.0, 0.9, 0.8, 1.0])
    truth = np.concatenate([LOADINGS[1:], [0.5] * 4, [1.0], between[1:], [0.1] * 4, [0.4], [0.0] * 4])
    nobody = LevelExogenous(NOBODY, NOBODY)
    out, errors, p_values = [], [], []
    for child in spawn(seed, count):
        rng = np.random.default_rng(child)
        n = clusters * size
        cluster = np.repeat(np.arange(clusters), size)
        upper = np.outer(rng.normal(0, np.sqrt(0.4), clusters), between) + np.sqrt(0.1) * rng.normal(size=(clusters, 4))
        lower = np.outer(rng.normal(size=n), LOADINGS) + np.sqrt(0.5) * rng.normal(size=(n, 4))
        data = ClusteredRows((summarise_clusters(lower + upper[cluster], cluster, np.zeros((clusters, 0)), roles),))
        saturated, _ = saturate_levels(data, nobody)
        found = search_levels(
            data,
            model,
            start,
            nearest_start(data, model, Linear(np.zeros(start.size), np.eye(start.size)), saturated, start),
        )
        assert found.converged
        solution = solve(data, model, found.x, found.value, saturated, Request())
        out.append(found.x)
        errors.append(np.sqrt(solution.vcov.diagonal()))
        p_values.append(chdtrc(solution.df, solution.statistic))
    assert table.names()[0] == "fw=~y2"
    # residual variances between are estimated from the clusters alone and are skew: their Wald intervals are short
    summarise(np.array(out), np.array(errors), np.array(p_values), truth, truth != 0.1)


def test_a_few_incomplete_data_sets_recover_the_truth() -> None:
    incomplete_study(400, 40, SEED)


def test_a_few_two_level_data_sets_recover_the_truth() -> None:
    level_study(120, 8, 30, SEED + 1)


@pytest.mark.slow
def test_full_information_recovers_the_truth_where_values_are_missing_at_random() -> None:
    incomplete_study(400, 1000, SEED + 2)


@pytest.mark.slow
def test_two_level_likelihood_recovers_the_truth() -> None:
    level_study(150, 8, 600, SEED + 3)
