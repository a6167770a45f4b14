"""The studentized range against scipy, the largest t against the studentized range and against independence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from alliancekit.numerics.multivariate_t import LargestT
from alliancekit.numerics.studentized_range import (
    falling_root,
    studentized_range_quantile,
    studentized_range_upper,
)


@pytest.mark.parametrize("k", [3, 5, 10])
@pytest.mark.parametrize("df", [2.0, 17.3, 400.0, np.inf])
def test_tail_area_agrees_with_scipy(k: int, df: float) -> None:
    for q in (0.5, 2.0, 3.5, 6.0, 12.0):
        theirs = stats.studentized_range.sf(q, k, df)
        assert studentized_range_upper(q, k, df) == pytest.approx(theirs, rel=1e-7, abs=1e-11)


@pytest.mark.parametrize("df", [1.0, 2.5, 30.0, 1e4, 1e7, 1e10, np.inf])
def test_two_means_are_a_t_test(df: float) -> None:
    for t in (0.1, 1.0, 2.5, 6.0, 9.0):
        assert studentized_range_upper(np.sqrt(2) * t, 2, df) == pytest.approx(2 * stats.t.sf(t, df), rel=1e-6)


def test_edges_of_the_tail_area() -> None:
    assert studentized_range_upper(0.0, 3, 10.0) == 1.0
    assert studentized_range_upper(1e4, 3, 10.0) < 1e-25
    assert studentized_range_upper(40.0, 4, np.inf) < 1e-100


@pytest.mark.parametrize(("level", "k", "df"), [(0.95, 3, 20.0), (0.95, 4, 2.0), (0.999, 4, 1.2), (0.01, 4, 7.0)])
def test_quantile_inverts_the_tail_area(level: float, k: int, df: float) -> None:
    q = studentized_range_quantile(level, k, df)
    assert studentized_range_upper(q, k, df) == pytest.approx(1 - level, rel=1e-9)


def test_root_of_a_falling_function_far_from_one() -> None:
    for root in (1e-6, 0.3, 1.0, 5e5):
        assert falling_root(lambda x, root=root: np.log(root) - np.log(x)) == pytest.approx(root, rel=1e-9)


def pairs(k: int) -> np.ndarray:
    rows = [np.eye(k)[i] - np.eye(k)[j] for i in range(k) for j in range(i + 1, k)]
    return np.array(rows) @ np.array(rows).T / 2


@pytest.mark.parametrize(("k", "tolerance"), [(3, 1e-8), (4, 1e-5), (6, 2e-3), (9, 5e-3)])
def test_all_pairs_of_means_are_tukeys_case(k: int, tolerance: float) -> None:
    largest = LargestT(pairs(k))
    assert largest.rank == k - 1
    for c, df in ((1.0, 9.5), (2.4, 9.5), (2.4, np.inf), (4.0, 33.0)):
        exact = studentized_range_upper(np.sqrt(2) * c, k, df)
        assert largest.upper(c, df) == pytest.approx(exact, rel=tolerance)
    assert largest.quantile(0.95, 12.0) == pytest.approx(
        studentized_range_quantile(0.95, k, 12.0) / np.sqrt(2), rel=tolerance
    )


def test_independent_and_identical_statistics() -> None:
    three = LargestT(np.eye(3)).upper(2.2, np.inf)
    assert three == pytest.approx(1 - (1 - 2 * stats.norm.sf(2.2)) ** 3, rel=1e-5)
    assert LargestT(np.ones((4, 4))).upper(2.2, 11.0) == pytest.approx(2 * stats.t.sf(2.2, 11.0), rel=1e-10)
    assert LargestT(np.eye(2)).upper(0.0, 5.0) == 1.0
