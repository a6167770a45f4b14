from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliancekit.core.errors import SpecError
from alliancekit.report import formatting as f

FINITE = st.floats(-1e9, 1e9, allow_nan=False)


def read_back(text: str) -> float:
    return float(text.replace(f.MINUS, "-").replace(",", ""))


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (1.005, 2, "1.00"),  # the float is a little under 1.005
        (-0.004, 2, "0.00"),  # no minus before a zero
        (-12.345, 1, "−12.3"),
        (1234567.891, 1, "1,234,567.9"),
        (0.5, 0, "0"),
        (math.inf, 2, "∞"),
        (-math.inf, 2, "−∞"),
        (math.nan, 2, "–"),
        (None, 2, "–"),
        (pd.NA, 2, "–"),
        (np.float64(2.5), 1, "2.5"),
        (np.int64(7), 0, "7"),
    ],
)
def test_fixed(value: float, decimals: int, shown: str) -> None:
    assert f.format_fixed(value, decimals) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.214, ".21"), (-0.214, "−.21"), (1.0, "1.00"), (-1.0, "−1.00"), (0.999, "1.00"), (0.0, ".00")],
)
def test_proportions_have_no_leading_zero(value: float, shown: str) -> None:
    assert f.format_column([value], "proportion") == [shown]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0211, ".021"),
        (0.001, ".001"),
        (0.00099999, "< .001"),
        (0.0, "< .001"),
        (1e-300, "< .001"),
        (0.9994, ".999"),
        (0.9996, "> .999"),
        (1.0, "> .999"),
        (0.05, ".050"),
        (math.nan, "–"),
    ],
)
def test_p_values(value: float, shown: str) -> None:
    assert f.format_p(value) == shown


def test_p_value_in_a_sentence() -> None:
    assert (f.p_text(0.021), f.p_text(1e-9), f.p_text(1.0)) == ("p = .021", "p < .001", "p > .999")


@given(st.floats(0, 1))
def test_a_p_value_is_never_zero_or_one(value: float) -> None:
    shown = f.format_p(value)
    assert shown.lstrip("<> ").startswith(".")
    assert shown not in (".000", "1.000")
    if shown[0] == ".":
        assert abs(float(shown) - value) <= 0.0005 + 1e-12


@given(FINITE, st.integers(0, 6))
def test_fixed_says_the_number_to_half_a_digit(value: float, decimals: int) -> None:
    shown = f.format_fixed(value, decimals)
    assert "-" not in shown
    assert abs(read_back(shown) - value) <= 0.5 * 10.0**-decimals * (1 + 1e-9) + abs(value) * 1e-15


@given(st.lists(FINITE, min_size=1, max_size=12))
def test_a_column_has_its_points_in_line(values: list[float]) -> None:
    cells = [c for c in f.format_column(values, "estimate") if "×" not in c]
    assert len({len(c.partition(".")[2]) for c in cells}) <= 1


@given(st.lists(FINITE, min_size=1, max_size=12))
def test_no_number_is_rounded_away(values: list[float]) -> None:
    for value, cell in zip(values, f.format_column(values, "estimate"), strict=True):
        if abs(value) > 1e-11:
            assert any(digit in cell for digit in "123456789"), (value, cell)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8))
def test_standard_errors_keep_a_digit(errors: list[float]) -> None:
    decimals = f.decimals_for([1.0], errors)
    assert 0 <= decimals <= 5
    if min(errors) > 1e-4:
        assert read_back(f.format_fixed(min(errors), decimals)) > 0


@pytest.mark.parametrize(
    ("errors", "decimals"),
    [
        ([0.21, 0.65], 2),  # two digits of the smallest
        ([0.071, 0.9], 3),
        ([0.0031, 1.2], 3),  # far apart: one digit of the smallest
        ([1.2, 3.4], 2),
        ([12.0, 40.0], 1),
        ([450.0], 0),
        ([0.0, np.nan], 2),  # nothing to go by but the estimates
    ],
)
def test_digits_follow_the_standard_errors(errors: list[float], decimals: int) -> None:
    assert f.decimals_for([3.1], errors) == decimals


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([3.91, 4.02], 2), ([23.4], 2), ([0.012], 3), ([0.0012], 4), ([1234.0], 1), ([56789.0], 0), ([], 2)],
)
def test_digits_follow_the_size_without_errors(values: list[float], decimals: int) -> None:
    assert f.decimals_for(values) == decimals


@pytest.mark.parametrize(
    ("values", "kind", "shown"),
    [
        ([34.0, 120.0], "df", ["34", "120"]),
        ([34.21, 120.0], "df", ["34.2", "120.0"]),
        ([math.inf, 12.0], "df", ["∞", "12"]),
        ([1203, 5], "integer", ["1,203", "5"]),
        ([12.345, 0.0], "percent", ["12.3", "0.0"]),
        ([-2.414, 13.0], "statistic", ["−2.41", "13.00"]),
        ([True, False, None], "text", ["yes", "no", ""]),
        ([1, -2, 2.5], "text", ["1", "−2", "2.50"]),
        ([1e-7, 0.5], "estimate", ["1.0 × 10⁻⁷", "0.50"]),
    ],
)
def test_columns_by_kind(values: list[float], kind: str, shown: list[str]) -> None:
    assert f.format_column(values, kind) == shown


def test_a_wrong_kind_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="proportion"):
        f.format_column([1.0], "proportions")


def test_texts_of_statistics() -> None:
    assert f.test_text("t", 2.414, 34.21) == "t(34.2) = 2.41"
    assert f.test_text("F", 5.1, 2, 34.0) == "F(2, 34) = 5.10"
    assert f.test_text("z", -1.3, math.inf) == "z = −1.30"
    assert f.ci_text(-0.1, 0.38) == "95% CI [−0.10, 0.38]"
    assert f.ci_text(-0.1, 0.38, level=0.9, leading_zero=False) == "90% CI [−.10, .38]"
    assert f.format_interval(math.nan, math.nan, 2) == "–"


@pytest.mark.parametrize(
    ("text", "italic"),
    [
        ("b = 0.24, t(34.2) = 2.41, p < .001", ["b", "t", "p"]),
        ("M = 3.1 (SD = 0.4), R² = .20, ΔR² = .05", ["M", "SD", "R", "R"]),
        ("F(2, 34) = 5.1 and p\u00a0=\u00a0.02", ["F", "p"]),
        ("the alpha = .80 of map = x", []),
        ("Sample was small; M was not given", []),
        ("n=12", ["n"]),
    ],
)
def test_symbols_are_set_in_italics(text: str, italic: list[str]) -> None:
    runs = f.italic_runs(text)
    assert "".join(part for part, _ in runs) == text
    assert [part for part, slanted in runs if slanted] == italic


@given(st.text(max_size=80))
def test_italics_lose_no_letter(text: str) -> None:
    assert "".join(part for part, _ in f.italic_runs(text)) == text


def test_kinds_of_unnamed_columns() -> None:
    assert f.default_kind("p_value", "f") == "p"
    assert f.default_kind("anything", "f") == "estimate"
    assert f.default_kind("anything", "i") == "integer"
    assert f.default_kind("p_value", "O") == "text"
