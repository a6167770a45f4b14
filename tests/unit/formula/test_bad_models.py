"""Model syntax with mistakes: each is named, with its place and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliancekit.core.errors import SpecError
from alliancekit.formula.model_parse import parse_model

MISTAKES = [
    ("f = x1 + x2", 1, 3, "'=' is no operator"),
    ("y ~ a*x\nind = a*a", 2, 5, "'=' is no operator"),
    ("f =- x1", 1, 3, "Did you mean =~?"),
    ("y ~= x", 1, 3, "Did you mean =~?"),
    ("y -> x", 1, 3, "Write the dependent variable first"),
    ("f", 1, 1, "this line has no operator"),
    ("f =~ x1\ng =~ x2 x3", 2, 9, "Join variables by +"),
    (
        "f =~ x1 + my item + x2",
        1,
        14,
        """'my item' is one column, rename it by data.rename(columns={"my item": "my_item"})""",
    ),
    ("f =~ x1\nitem 3 ~ x1", 2, 6, "Names in models have no blanks: if 'item 3' is one column"),
    ("f =~ x1 + + x2", 1, 11, "a variable is expected, not +"),
    ("f =~ x1 +", 1, 10, "the line ends here"),
    ("f =~", 1, 5, "nothing stands after =~"),
    ("=~ x1", 1, 1, "nothing stands before =~"),
    ("f =~ x1 ~ x2", 1, 9, "'~' is not expected here"),
    ("f =~ x1 $ x2", 1, 9, "'$' has no meaning here"),
    ("f =~ x1 + 2x2", 1, 11, "Write 2*x2"),
    ("f =~ 'x1'", 1, 6, "Write x1 without quotes"),
    ("f =~ f", 1, 6, "'f' stands on both sides of =~"),
    ("y ~ y", 1, 5, "'y' stands on both sides of ~"),
    ("1 ~ x", 1, 1, "a variable is expected before the operator"),
    ("f =~ 1", 1, 6, "1 means an intercept"),
    ("a*f =~ x1", 1, 3, "a modifier stands before the operator"),
    ("f =~ c(1, a)*x1", 1, 6, "c() mixes numbers and labels"),
    ("f =~ c()*x1", 1, 6, "c() is empty"),
    ("f =~ c(1 2)*x1", 1, 10, "values are separated by commas"),
    ("f =~ c(a, b*x1", 1, 15, "a bracket is not closed"),
    ("f =~ strat(1)*x1", 1, 6, "Did you mean start()?"),
    ("f =~ (a + 1)*x1", 1, 6, "'a' is no number"),
    ("f =~ 1/0*x1", 1, 6, "this has no finite value"),
    ("f =~ (0 - 8)^(1/3)*x1", 1, 6, "this has no finite value"),
    ("f =~ log(0)*x1", 1, 6, "this has no finite value"),
    ("a == 10^400", 1, 6, "this has no finite value"),
    ("d := b +", 1, 8, "something is missing at the end"),
    ("a*b := c", 1, 1, "a definition needs one new name"),
    ("a == ", 1, 3, "nothing stands after =="),
    ("d := foo(b)", 1, 6, "foo() is not a function"),
    ("d := sqr(b)", 1, 6, "Did you mean sqrt()?"),
    ("d := (a + b", 1, 11, "a bracket is not closed"),
    ("class: 1\nf =~ x", 1, 1, "Blocks are group: and level:"),
    ("level:\nf =~ x", 1, 7, "level: needs a label"),
    ("group: a b\nf =~ x", 1, 10, "Begin a new line"),
    ("x ~ __import__('os')", 1, 15, "'(' is not expected here"),
    ("f =~ __import__('os')*x", 1, 6, "__import__() is not known before *"),
    ("d := exp(__import__('os'))", 1, 10, "__import__() is not a function"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_pointed_at(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_model(text)
    found = str(caught.value)
    assert words in found
    assert f"model line {line}, column {column}" in found
    shown, pointer = found.split("\n")[-2:]
    assert shown == text.split("\n")[line - 1]
    assert pointer == " " * (column - 1) + "^"


@pytest.mark.parametrize("text", ["", "  \n", "# only a comment"])
def test_empty_models(text: str) -> None:
    with pytest.raises(SpecError, match="the model is empty"):
        parse_model(text)


def test_a_model_is_text() -> None:
    with pytest.raises(SpecError, match="must be text"):
        parse_model(["f =~ x"])  # type: ignore[arg-type]


def test_brackets_inside_each_other_end_somewhere() -> None:
    with pytest.raises(SpecError, match="too many"):
        parse_model("d := " + "(" * 500 + "a" + ")" * 500)
    with pytest.raises(SpecError, match="too many"):
        parse_model("d := " + "-" * 500 + "a")


PIECES = ["f", "x1", "1", "0", "2.5", "=~", "~", "~~", "~*~", "|", "<~", ":=", "==", "<", ">", "+", "-", "*", "/", "^"]
PIECES += [
    "(",
    ")",
    ",",
    "c(",
    "start(",
    "NA",
    "'a'",
    "efa('e')",
    "group:",
    "level:",
    ":",
    "?",
    "\n",
    ";",
    "#",
    "$",
    " ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_model_or_a_mistake(text: str) -> None:
    try:
        statements = parse_model(text)
    except SpecError as error:
        assert str(error)
    else:
        assert statements


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_characters_are_read_without_a_crash(text: str) -> None:
    try:
        parse_model(text)
    except SpecError as error:
        assert str(error)
