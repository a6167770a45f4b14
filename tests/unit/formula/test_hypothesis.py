"""Hypotheses about coefficients, with R's names of terms."""

from __future__ import annotations

import pytest

from alliancekit.core.errors import SpecError
from alliancekit.formula.hypothesis import parse_hypothesis

NAMES = ("(Intercept)", "x", "x2", "x:time", "I(x^2)", "poly(x, 2)1", "poly(x, 2)2", "armA-B", "dose.L")


def row(**weights: float) -> list[float]:
    return [weights.get(name, 0.0) for name in NAMES]


@pytest.mark.parametrize(
    ("text", "weights", "right"),
    [
        ("x = 0", [{"x": 1.0}], [0.0]),
        ("x", [{"x": 1.0}], [0.0]),
        ("x = 0, x:time = 0", [{"x": 1.0}, {"x:time": 1.0}], [0.0, 0.0]),
        ("2*x - x2 = 1", [{"x": 2.0, "x2": -1.0}], [1.0]),
        ("x = x2", [{"x": 1.0, "x2": -1.0}], [0.0]),
        ("(Intercept) + x = 3", [{"(Intercept)": 1.0, "x": 1.0}], [3.0]),
        ("1 + x = 3 - x2", [{"x": 1.0, "x2": 1.0}], [2.0]),
        ("I(x^2) = 0.5", [{"I(x^2)": 1.0}], [0.5]),
        ("poly(x, 2)1 = 0, poly(x, 2)2 = -1.5", [{"poly(x, 2)1": 1.0}, {"poly(x, 2)2": 1.0}], [0.0, -1.5]),
        ("armA-B - dose.L = 0", [{"armA-B": 1.0, "dose.L": -1.0}], [0.0]),
        ("-x = 1e-3", [{"x": -1.0}], [1e-3]),
    ],
)
def test_contrasts(text: str, weights: list[dict[str, float]], right: list[float]) -> None:
    L, r = parse_hypothesis(text, NAMES)
    assert L.tolist() == [row(**w) for w in weights]
    assert r.tolist() == right


@pytest.mark.parametrize(
    "text", ["", "  ", "y = 0", "x3 = 0", "1 = 0", "x = ", "x = 0 = 1", "2* = 0", "__import__('os')"]
)
def test_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse_hypothesis(text, NAMES)
