"""Model syntax in lavaan's language: what each way of writing means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliancekit.formula.model_expressions import Expression
from alliancekit.formula.model_parse import parse_model


def relations(text: str) -> list[tuple[str, str, str]]:
    return [(s.lhs, s.op, s.rhs) for s in parse_model(text)]


def modifiers(text: str) -> list[list[tuple[str, tuple[Any, ...]]]]:
    return [[(m.kind, m.values) for m in s.modifiers] for s in parse_model(text)]


def test_each_operator() -> None:
    text = (
        "f =~ x1 + x2\nc <~ x3 + x4\ny ~ f + c\nx1 ~~ x2\ny ~ 1\nu | t1 + t2\nu ~*~ u\nd := a*b\na == b\na > 0\nb < 1"
    )
    assert relations(text) == [
        ("f", "=~", "x1"),
        ("f", "=~", "x2"),
        ("c", "<~", "x3"),
        ("c", "<~", "x4"),
        ("y", "~", "f"),
        ("y", "~", "c"),
        ("x1", "~~", "x2"),
        ("y", "~1", ""),
        ("u", "|", "t1"),
        ("u", "|", "t2"),
        ("u", "~*~", "u"),
        ("d", ":=", "a*b"),
        ("a", "==", "b"),
        ("a", ">", "0"),
        ("b", "<", "1"),
    ]


def test_several_variables_on_both_sides_make_every_pair() -> None:
    assert relations("y1 + y2 ~ x1 + 1") == [("y1", "~", "x1"), ("y1", "~1", ""), ("y2", "~", "x1"), ("y2", "~1", "")]


@pytest.mark.parametrize(
    ("written", "kind", "values"),
    [
        ("1*x", "fixed", (1.0,)),
        ("-0.5*x", "fixed", (-0.5,)),
        (".5e1*x", "fixed", (5.0,)),
        ("NA*x", "fixed", (None,)),
        ("1/4*x", "fixed", (0.25,)),
        ("-1/4*x", "fixed", (-0.25,)),
        ("(2^2 - 1)*x", "fixed", (3.0,)),
        ("log(exp(2))*x", "fixed", (2.0,)),
        ("c(1, NA)*x", "fixed", (1.0, None)),
        ("a*x", "label", ("a",)),
        ("'a b'*x", "label", ("ab",)),
        ('label("a")*x', "label", ("a",)),
        ("c(a, b)*x", "label", ("a", "b")),
        ("start(0.7)*x", "start", (0.7,)),
        ("0.7?x", "start", (0.7,)),
        ("start(c(0.7, 0.8))*x", "start", (0.7, 0.8)),
        ('equal("f=~y")*x', "equal", ("f=~y",)),
        ("lower(0)*x", "lower", (0.0,)),
        ("upper(c(1, 2))*x", "upper", (1.0, 2.0)),
    ],
)
def test_what_stands_before_a_star(written: str, kind: str, values: tuple[Any, ...]) -> None:
    assert modifiers(f"f =~ {written}") == [[(kind, values)]]


def test_two_modifiers_of_one_variable() -> None:
    assert modifiers("f =~ a*start(0.5)*x") == [[("label", ("a",)), ("start", (0.5,))]]


def test_zero_after_tilde_is_a_fixed_intercept_and_after_measures_a_latent_variable_without_indicators() -> None:
    assert relations("y ~ 0") == [("y", "~1", "")]
    assert modifiers("y ~ 0") == [[("fixed", (0.0,))]]
    assert relations("f =~ 0") == [("f", "=~", "f")]
    assert modifiers("f =~ 0") == [[("fixed", (0.0,))]]


def test_lines_go_on_and_comments_are_left_out() -> None:
    text = "f =~ x1 + # first\n\n     x2   ! second\n   + x3; g =~ x4\n\n# end"
    assert relations(text) == [("f", "=~", "x1"), ("f", "=~", "x2"), ("f", "=~", "x3"), ("g", "=~", "x4")]


def test_blocks() -> None:
    text = "group: a\nlevel: within\nf =~ x\nlevel: between\nf =~ x\ngroup: 2\nf =~ x"
    assert [(s.group, s.level) for s in parse_model(text)] == [("a", "within"), ("a", "between"), ("2", None)]


def test_exploratory_blocks() -> None:
    text = 'efa("e")*f1 + efa("e")*f2 =~ x1 + x2'
    assert relations(text) == [("f1", "=~", "x1"), ("f1", "=~", "x2"), ("f2", "=~", "x1"), ("f2", "=~", "x2")]
    assert modifiers(text) == [[("efa", ("e",))]] * 4


def test_interaction_and_names_with_dots_and_letters_of_any_language() -> None:
    assert relations("y.1 ~ x:z + größe_2") == [("y.1", "~", "x:z"), ("y.1", "~", "größe_2")]


def test_place_of_each_statement() -> None:
    second = parse_model("\n  f =~ x1 +\n    a*x2")[1]
    assert (second.line, second.column) == (3, 7)


def constraint(text: str) -> Expression:
    right = parse_model(f"d := {text}")[0].right
    assert right is not None
    return right


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3*4", 14.0),
        ("-2^2", -4.0),
        ("2^3^2", 512.0),
        ("2^-1", 0.5),
        ("(1 - 2)/-4", 0.25),
        ("8/2/2", 2.0),
        ("10 - 4 - 3", 3.0),
        ("exp(log(5)) + sqrt(9)*abs(-1)", 8.0),
    ],
)
def test_arithmetic_is_that_of_r(text: str, value: float) -> None:
    assert constraint(text).evaluate({}) == pytest.approx(value, rel=1e-14)


NODES = st.recursive(
    st.sampled_from(["a", "b", "c", "0.7", "2"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"-{t}"),
        inner.map(lambda t: f"exp(0.1*{t})"),
        inner.map(lambda t: f"sqrt(1 + ({t})^2)"),
        inner.map(lambda t: f"log(2 + ({t})^2)"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]} / (1 + ({t[1]})^2))"),
    ),
    max_leaves=6,
)


@given(NODES)
@settings(max_examples=60, deadline=None)
def test_derivatives_agree_with_differences(text: str) -> None:
    tree = constraint(text)
    values = {"a": 0.3, "b": -0.6, "c": 1.1}
    slopes = tree.gradient(values)
    for name in tree.labels():
        step = 1e-6
        up, down = ({**values, name: values[name] + s} for s in (step, -step))
        numeric = (tree.evaluate(up) - tree.evaluate(down)) / (2 * step)
        assert slopes[name] == pytest.approx(numeric, rel=1e-5, abs=1e-6 * max(1.0, abs(tree.evaluate(values))))


def test_expressions_take_many_replicates_at_once() -> None:
    tree = constraint("a*b/(a + b)")
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 6.0])
    assert tree.evaluate({"a": a, "b": b}) == pytest.approx(a * b / (a + b))


@pytest.mark.parametrize("label", ["Grant-White", "'Grant-White'", "Grant-White  # the second school"])
def test_labels_of_groups_may_have_signs_in_them(label: str) -> None:
    assert {s.group for s in parse_model(f"group: {label}\nf =~ x1 + x2")} == {"Grant-White"}
