"""Arithmetic on parameter labels, as in ``indirect := a*b``: a small tree with values and exact derivatives.

Values may be numbers or arrays of any one shape, so that many replicates are worked out at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "exp": (np.exp, np.exp),
    "log": (np.log, lambda x: 1.0 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "abs": (np.abs, np.sign),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "tan": (np.tan, lambda x: 1.0 / np.cos(x) ** 2),
    "atan": (np.arctan, lambda x: 1.0 / (1.0 + x**2)),
    "tanh": (np.tanh, lambda x: 1.0 - np.tanh(x) ** 2),
    "atanh": (np.arctanh, lambda x: 1.0 / (1.0 - x**2)),
}
"""Functions that a constraint may use, each with its derivative."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A node: a number, a label, or an operation on other nodes.

    Attributes
    ----------
    kind : "number", "label", "negative", "+", "-", "*", "/", "^", or the name of a function.
    value : of a number. name : of a label. parts : what is operated on.
    """

    kind: str
    value: float = 0.0
    name: str = ""
    parts: tuple[Expression, ...] = ()

    def labels(self) -> tuple[str, ...]:
        """Return the labels in the order in which they first occur."""
        found: dict[str, None] = {}
        stack = [self]
        while stack:
            node = stack.pop()
            if node.kind == "label":
                found[node.name] = None
            stack.extend(reversed(node.parts))
        return tuple(found)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value where labels have ``values``."""
        return _evaluate(self, values, False)[0]

    def gradient(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the derivatives by the labels."""
        return _evaluate(self, values, True)[1]

    def rename(self, names: Mapping[str, str]) -> Expression:
        """Return the expression with labels replaced."""
        if self.kind == "label":
            return Expression("label", name=names.get(self.name, self.name))
        return Expression(self.kind, self.value, self.name, tuple(part.rename(names) for part in self.parts))

    def substitute(self, known: Mapping[str, Expression]) -> Expression:
        """Return the expression with labels replaced by other expressions."""
        if self.kind == "label":
            return known.get(self.name, self)
        return Expression(self.kind, self.value, self.name, tuple(part.substitute(known) for part in self.parts))


def _evaluate(node: Expression, values: Mapping[str, Any], slopes: bool) -> tuple[Any, dict[str, Any]]:
    """Return the value and, where asked, the derivatives by each label."""
    if node.kind == "number":
        return node.value, {}
    if node.kind == "label":
        return values[node.name], {node.name: 1.0} if slopes else {}
    done = [_evaluate(part, values, slopes) for part in node.parts]
    first, by_first = done[0]
    if node.kind == "negative":
        return -first, {k: -v for k, v in by_first.items()}
    if node.kind in FUNCTIONS:
        function, derivative = FUNCTIONS[node.kind]
        return function(first), _scaled(by_first, derivative(first)) if slopes else {}
    second, by_second = done[1]
    if node.kind == "+":
        return first + second, _sum(by_first, by_second)
    if node.kind == "-":
        return first - second, _sum(by_first, {k: -v for k, v in by_second.items()})
    if node.kind == "*":
        return first * second, _sum(_scaled(by_first, second), _scaled(by_second, first)) if slopes else {}
    if node.kind == "/":
        out = first / second
        return out, _sum(_scaled(by_first, 1.0 / second), _scaled(by_second, -out / second)) if slopes else {}
    out = first**second
    if not slopes:
        return out, {}
    total = _scaled(by_first, second * first ** (second - 1.0))
    if by_second:
        total = _sum(total, _scaled(by_second, out * np.log(first)))
    return out, total


def _scaled(slopes: dict[str, Any], factor: Any) -> dict[str, Any]:
    return {k: v * factor for k, v in slopes.items()}


def _sum(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    out = dict(one)
    for k, v in other.items():
        out[k] = out[k] + v if k in out else v
    return out
