"""Each bad formula is refused with the right words, a place, and a caret under it."""

from __future__ import annotations

import os

import pytest

from alliancekit.core.errors import DesignError, SpecError
from alliancekit.formula.design import build_design
from alliancekit.formula.parse import parse_formula
from tests.unit.formula.support import small

# (formula, words of the message, character the caret stands under; None where there is no caret)
BAD = [
    ("y ~ __import__('os')", "'__import__' is not a function of formulas", 5),
    ("y ~ eval('1')", "Nothing else is evaluated", 5),
    ("y ~ os.system('ls')", "'os.system' is not a function of formulas", 5),
    ("y ~ {__import__('os')}", "'{' has no meaning in a formula", 5),
    ("y ~ x.__class__", "looks like Python attribute access", 5),
    ("y ~ log(x).real", "nothing has attributes", 11),
    ("y ~ x[1]", "'[' has no meaning", 6),
    ("y ~ x > 2", "Make a column of True and False", 7),
    ("y ~", "nothing follows the ~", 4),
    ("~ x", "the formula has no response", 1),
    ("y", "the formula has no ~", 2),
    ("", "the formula is empty", None),
    ("   ", "the formula is empty", None),
    ("y = x", "one ~ between response and predictors", 3),
    ("y ~ x + (1|g", "not closed", 9),
    ("y ~ log(x", "not closed", 8),
    ("y ~ x)", "a ) without a ( before it", 6),
    ("y ~ (x|)", "a term was expected after '|'", 8),
    ("y ~ (|g)", "a term was expected after '('", 6),
    ("y ~ x + + *", "a term was expected after '+'", 11),
    ("y ~ x *", "ends where a term was expected after '*'", 8),
    ("y ~ x z", "not 'z'", 7),
    ("y ~ `x", "needs a backtick on both sides", 5),
    ("y ~ x | g", "a | outside parentheses", 7),
    ("y ~ a ~ b", "a formula has one ~", 7),
    ("y ~ .", "does not stand for columns", 5),
    ("y ~ lag(x)", "ak.lag(data, column, by=, time=)", 5),
    ("y ~ x + lead(x, 2)", "ak.lead", 9),
    ("y ~ foo(x)", "'foo' is not a function of formulas", 5),
    ("y ~ scales(x)", "Did you mean scale()?", 5),
    ("y ~ sqrt(x, 2)", "sqrt() takes 1 argument, not 2", 5),
    ("y ~ exp()", "exp() takes 1 argument, not 0", 5),
    ("y ~ scale(x, foo = 1)", "no option 'foo'", 5),
    ("y ~ scale(x, scale = 'a')", "is TRUE or FALSE", 5),
    ("y ~ poly(x, 2.5)", "whole number from 1", 5),
    ("y ~ log(x, -1)", "positive number other than 1", 5),
    ("y ~ C(arm, 'foo')", "Use one of: helmert, poly, sum, treatment", 5),
    ("y ~ C(x + 1)", "takes the name of a column", 5),
    ("y ~ I(a:b)", ": has no meaning inside I()", 8),
    ("y ~ log(poly(x, 2))", "poly() cannot stand inside log()", 9),
    ("y ~ 2 * x", "a number cannot be combined with *", 5),
    ("y ~ x + 3", "a number is not a term", 9),
    ("y ~ 'x'", "in quotes is not a column", 5),
    ("y ~ I(2)", "holds no column", 5),
    ("y ~ (a + b)^x", "a power is written I(x^2)", 13),
    ("y ~ x^1e400", "too large", 7),
    ("factor(x) ~ time", "factor() cannot stand inside the response", 1),
    ("y ~ y + x", "also a predictor", 5),
    ("1 ~ x", "not a response", 1),
    ("a + b ~ x", "a sum or ratio goes inside I()", 3),
    ("y ~ x:offset(z)", "an offset cannot be part of an interaction", 7),
    ("y ~ (1 | 3)", "a number cannot be a grouping factor", 10),
    ("y ~ (1 | a + b)", "(1 | a) + (1 | b) for crossed groups", 12),
    ("y ~ (1 | factor(g))", "factor() is not needed", 10),
    ("y ~ (0 | g)", "nothing varies", 8),
    ("y ~ (1 | g | h)", "a second |", 12),
    ("y ~ x:(1 | g)", "a random term cannot stand here", 10),
    ("y ~ x - (1 | g)", "cannot be taken away", 12),
    ("y ~ (1 | g) + (1 + x | g)", "two random terms hold the intercept of 'g'", 22),
    ("y ~ (1 | g:g)", "names a column twice", 8),
]


@pytest.mark.parametrize(("text", "words", "place"), BAD, ids=[b[0] for b in BAD])
def test_message_and_place(text: str, words: str, place: int | None) -> None:
    with pytest.raises(SpecError) as caught:
        parse_formula(text)
    said = str(caught.value)
    assert words in said
    if place is None:
        assert "^" not in said
    else:
        assert f"(character {place})" in said
        assert said.splitlines()[-1] == " " * (place + 1) + "^"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y ~ " + "(" * 9_000 + "x", "nested more than"),
        ("y ~ " + "(" * 9_000 + "x" + ")" * 9_000, "nested more than"),
        ("y ~ " + "log(" * 3_000 + "x" + ")" * 3_000, "nested more than"),
        ("y ~ " + "-" * 9_000 + "x", "nested more than"),
        ("y ~ I(" + "x^" * 5_000 + "x)", "nested more than"),
        ("y ~ " + ":".join(["x"] * 5_000), "nested more than"),
        ("y ~ " + "*".join(f"x{i}" for i in range(30)), "expands to more than"),
        ("y ~ (" + "+".join(f"x{i}" for i in range(60)) + ")^5", "expands to more than"),
        ("y ~ " + "x + " * 30_000 + "x", "at most 20000"),
        ("(" * 100_000, "at most 20000"),
        ("y ~ " + "x" * 100_000, "at most 20000"),
    ],
    ids=lambda text: text[:24],
)
def test_very_long_texts_end_in_an_error(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_formula(text)


def test_a_long_sum_is_no_nesting() -> None:
    formula = parse_formula("y ~ " + " + ".join(f"x{i}" for i in range(1_500)))
    assert len(formula.fixed) == 1_500


def test_long_texts_are_shown_around_the_fault() -> None:
    text = "y ~ " + " + ".join(f"x{i}" for i in range(200)) + " + ] + z"
    with pytest.raises(SpecError) as caught:
        parse_formula(text)
    _, shown, caret = str(caught.value).splitlines()
    assert len(shown) < 90
    assert shown[caret.index("^")] == "]"


def test_not_text() -> None:
    with pytest.raises(SpecError, match="a formula is text, not int"):
        parse_formula(3)  # type: ignore[arg-type]


def test_nothing_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a formula reached Python")

    monkeypatch.setattr(os, "system", refuse)
    texts = ["y ~ __import__('os').system('true')", "y ~ x + os.system('true')", "y ~ I(__import__('os'))"]
    for text in texts:
        with pytest.raises(SpecError):
            build_design(text, small())
    assert build_design("y ~ I(time^2) + poly(x, 2)", small()).X.shape == (40, 4)


def test_unknown_column_names_the_nearest() -> None:
    with pytest.raises(DesignError, match=r"'tmie' \(nearest: 'time'\)"):
        build_design("y ~ tmie + (1 | g)", small())


def test_one_sided_formulas() -> None:
    assert parse_formula("~ x", one_sided=True).response is None
    assert build_design(parse_formula("~ x", one_sided=True), small()).y is None
    with pytest.raises(SpecError, match="a response has no place here"):
        parse_formula("y ~ x", one_sided=True)
