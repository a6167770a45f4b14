"""Bias of the estimates and coverage of profile and bootstrap intervals. ``SEED`` was fixed before the first run.

The rules are those of ``simulation/recovery.py``: coverage inside the central 99.9% of a binomial around .95.
"""

from __future__ import annotations

import pandas as pd
import pytest

from .intervals import Setting, coverage

SEED = 2026_11_28


def expect(found: pd.DataFrame) -> None:
    """Fail, naming the parameter, where a bias or a coverage breaks its rule."""
    biased = found[found["bias"].abs() > found["bias_limit"]]
    assert biased.empty, biased.to_string()
    wrong = found[(found["coverage"] < found["coverage_low"]) | (found["coverage"] > found["coverage_high"])]
    assert wrong.empty, wrong.to_string()


def test_profile_intervals_cover() -> None:
    expect(coverage(Setting(60, 6, "profile"), 150, SEED))


@pytest.mark.parametrize("interval", ["percentile", "basic"])
def test_bootstrap_intervals_cover(interval: str) -> None:
    expect(coverage(Setting(60, 6, "bootstrap", interval, draws=99), 60, SEED + 1))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["wald", "profile"])
def test_coverage_of_three_levels(method: str) -> None:
    expect(coverage(Setting(120, 6, method, therapists=30), 1000, SEED + 2, executor="joblib"))


@pytest.mark.slow
@pytest.mark.parametrize("interval", ["percentile", "basic"])
def test_coverage_of_the_bootstrap_at_three_levels(interval: str) -> None:
    expect(coverage(Setting(120, 6, "bootstrap", interval, 30, 499), 300, SEED + 3, executor="joblib"))
