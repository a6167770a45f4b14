"""Tails and quantiles of Student's t against scipy.stats, over the degrees of freedom that occur."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from alliancekit.numerics.student import MANY, both_tails, quantile

DFS = [0.3, 0.7, 1.5, 2, 3.2, 9.26, 17, 39, 57.3, 99, 199, 201, 2124.66, MANY - 1, MANY + 1, 1e5, 1e7, 1e12]


@pytest.mark.parametrize("df", DFS)
def test_tails(df: float) -> None:
    t = np.array([1e-8, 0.01, 0.1, 0.5, 1, 1.2247, 1.5, 1.73, 1.8, 2, 2.5, 3, 5, 8, 12, 21, 30])
    expected = 2 * stats.t.sf(t, df)
    found = [both_tails(value, df) for value in t.tolist()]
    known = expected > 1e-290
    np.testing.assert_allclose(np.array(found)[known], expected[known], rtol=2e-12)
    assert both_tails(-2.0, df) == both_tails(2.0, df)


@pytest.mark.parametrize("df", DFS)
def test_quantiles(df: float) -> None:
    p = np.array([1e-10, 0.0005, 0.025, 0.4, 0.49, 0.51, 0.6, 0.9, 0.975, 0.995, 1 - 1e-9])
    np.testing.assert_allclose([quantile(value, df) for value in p.tolist()], stats.t.ppf(p, df), rtol=1e-12)


def test_known_values() -> None:
    """The Cauchy distribution has a closed form; infinite df is the normal distribution."""
    for t in (1e-8, 0.3, 1.0, 7.0, 1e6):
        assert both_tails(t, 1.0) == pytest.approx(2 / math.pi * math.atan(1 / t), rel=1e-14)
    assert quantile(0.9, 1.0) == pytest.approx(math.tan(0.4 * math.pi), rel=1e-14)
    for t in (0.5, 2.0, 20.0):
        assert both_tails(t, math.inf) == pytest.approx(2 * stats.norm.sf(t), rel=1e-12)
    assert quantile(0.975, math.inf) == pytest.approx(stats.norm.ppf(0.975), rel=1e-14)


def test_ends() -> None:
    assert both_tails(0.0, 5.0) == 1.0 and both_tails(math.inf, 5.0) == 0.0
    assert quantile(0.5, 3.0) == 0.0 and quantile(0.0, 3.0) == -math.inf and quantile(1.0, 3.0) == math.inf
    for bad in (both_tails(2.0, 0.0), both_tails(math.nan, 3.0), both_tails(1.0, math.nan)):
        assert math.isnan(bad)
    for bad in (quantile(1.5, 3.0), quantile(0.9, -1.0), quantile(math.nan, 3.0), quantile(0.9, math.nan)):
        assert math.isnan(bad)
