"""The parsed pieces of a formula, and the way R would print them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

_SYNTACTIC = re.compile(r"(?:[^\W\d_]|\.(?!\d))[\w.]*")
_LOGICAL = {"TRUE": "TRUE", "True": "TRUE", "T": "TRUE", "FALSE": "FALSE", "False": "FALSE", "F": "FALSE"}
_RESERVED = frozenset({"TRUE", "FALSE", "NULL", "NA", "NaN", "Inf", "if", "else", "for", "while", "repeat", "function"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a formula."""

    value: float
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a column."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A word in quotes: an option of a transform."""

    value: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A transform with its arguments and its named options, in the order written."""

    function: str
    args: tuple[Expr, ...]
    options: tuple[tuple[str, Expr], ...] = ()
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Paren:
    """An expression in parentheses; kept, because R keeps them in the names of terms."""

    inner: Expr
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign in front of an expression."""

    operator: str
    operand: Expr
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions joined by one of ``* / : ^ %in%``."""

    operator: str
    left: Expr
    right: Expr
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Sum:
    """A chain of ``+`` and ``-``: (sign, expression) pairs, the first with sign "+"."""

    items: tuple[tuple[str, Expr], ...]
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Bar:
    """The inside of a random term: effects, ``|`` or ``||``, grouping."""

    operator: str
    left: Expr
    right: Expr
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


Expr: TypeAlias = Number | Name | Text | Call | Paren | Unary | Binary | Sum | Bar


def number_label(value: float) -> str:
    """Return a number as R prints it: at most 15 digits, and powers of ten where they are shorter.

    Examples
    --------
    >>> number_label(2.50), number_label(100000), number_label(0.0001), number_label(123456)
    ('2.5', '1e+05', '1e-04', '123456')
    """
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else ("Inf" if value > 0 else "-Inf")
    mantissa, _, exponent = f"{value:.14e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    power = int(exponent)
    decimals = max(0, len(mantissa.replace(".", "").lstrip("-")) - 1 - power)
    fixed = f"{value:.{decimals}f}"
    scientific = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return fixed if len(fixed) <= len(scientific) else scientific


def name_label(name: str) -> str:
    """Return a column's name as R prints it: in backticks where it is not a plain name.

    Examples
    --------
    >>> name_label("bdi.2"), name_label("BDI total")
    ('bdi.2', '`BDI total`')
    """
    plain = _SYNTACTIC.fullmatch(name) is not None and name not in _RESERVED
    return name if plain else f"`{name}`"


def label(expr: Expr) -> str:
    """Return an expression as R deparses it, which is the name of its term.

    Examples
    --------
    >>> label(Call("poly", (Name("x"), Number(2.0))))
    'poly(x, 2)'
    """
    if isinstance(expr, Name):
        return name_label(expr.name)
    if isinstance(expr, Number):
        return number_label(expr.value)
    if isinstance(expr, Text):
        return f'"{expr.value}"'
    if isinstance(expr, Call):
        parts = [label(a) for a in expr.args] + [f"{k} = {_option_label(v)}" for k, v in expr.options]
        return f"{expr.function}({', '.join(parts)})"
    if isinstance(expr, Paren):
        return f"({label(expr.inner)})"
    if isinstance(expr, Unary):
        return f"{expr.operator}{label(expr.operand)}"
    if isinstance(expr, Sum):
        rest = "".join(f" {sign} {label(item)}" for sign, item in expr.items[1:])
        return label(expr.items[0][1]) + rest
    tight = expr.operator in ("/", ":", "^")
    middle = expr.operator if tight else f" {expr.operator} "
    return f"{label(expr.left)}{middle}{label(expr.right)}"


def _option_label(value: Expr) -> str:
    if isinstance(value, Name) and value.name in _LOGICAL:
        return _LOGICAL[value.name]
    return label(value)


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside ``expr``."""
    if isinstance(expr, Call):
        return (*expr.args, *(value for _, value in expr.options))
    if isinstance(expr, Paren):
        return (expr.inner,)
    if isinstance(expr, Unary):
        return (expr.operand,)
    if isinstance(expr, Sum):
        return tuple(item for _, item in expr.items)
    if isinstance(expr, (Binary, Bar)):
        return (expr.left, expr.right)
    return ()


def columns_in(expr: Expr) -> Iterator[str]:
    """Yield the names of the data columns used in ``expr``, in the order written.

    Options are not columns, except the total in ``successes(taken, of = days)``.
    """
    if isinstance(expr, Name):
        yield expr.name
    elif isinstance(expr, Call):
        for arg in expr.args[:1] if expr.function == "C" else expr.args:
            yield from columns_in(arg)
        if expr.function == "successes":
            for _, value in expr.options:
                yield from columns_in(value)
    else:
        for child in children(expr):
            yield from columns_in(child)


def without_parens(expr: Expr) -> Expr:
    """Return ``expr`` with its outermost parentheses removed."""
    while isinstance(expr, Paren):
        expr = expr.inner
    return expr
