"""Terms and their algebra: what ``* : ^ / - + %in%`` make of a list of variables, in R's order.

The rules are those of R's ``terms.formula``: a term is a set of variables, variables are numbered in the order they are
first written, terms are ordered by how many variables they hold and otherwise by where they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alliancekit.core.errors import SpecError
from alliancekit.formula.expressions import (
    Bar,
    Binary,
    Call,
    Expr,
    Name,
    Number,
    Paren,
    Sum,
    Text,
    Unary,
    columns_in,
    label,
)
from alliancekit.formula.vocabulary import TRANSFORMS

MAX_TERMS = 2_000
"""Most terms that one formula may expand to."""

Fail = Callable[[str, int, str], SpecError]


@dataclass(frozen=True, slots=True)
class Term:
    """One term: the variables whose product it is, each a column or a transform, in R's order.

    Attributes
    ----------
    variables : expressions of the variables.
    label : R's label of the term, such as ``a:b``.
    """

    variables: tuple[Expr, ...]
    label: str = field(default="")

    @classmethod
    def of(cls, variables: Sequence[Expr]) -> Term:
        """Return the term of these variables, with its label."""
        return cls(tuple(variables), ":".join(label(v) for v in variables))


@dataclass(frozen=True, slots=True)
class Expansion:
    """What the right side of a formula amounts to: its terms in R's order, the intercept, and the offsets."""

    terms: tuple[Term, ...]
    intercept: bool
    offsets: tuple[Expr, ...]


def expand(tree: Expr | None, fail: Fail) -> Expansion:
    """Return the terms of an expression as R would order them.

    Parameters
    ----------
    tree : the parsed right side without random terms; None stands for the intercept alone.
    fail : makes the error for (what is wrong, position, what to do).

    Raises
    ------
    SpecError : an expression that is no combination of terms, or one that expands to more than 2,000 of them.
    """
    algebra = _Algebra(fail)
    sets = algebra.sets(tree) if tree is not None else []
    offset_bits = sum(1 << i for i in algebra.offsets)
    mixed = [s for s in sets if s & offset_bits and s.bit_count() > 1]
    if mixed:
        where = algebra.variables[next(i for i in algebra.offsets if mixed[0] >> i & 1)]
        raise fail("an offset cannot be part of an interaction", where.position, "Add it with +")
    ordered = sorted((s for s in sets if not s & offset_bits), key=int.bit_count)
    terms = tuple(Term.of([v for i, v in enumerate(algebra.variables) if s >> i & 1]) for s in ordered)
    present = [i for i in algebra.offsets if any(s >> i & 1 for s in sets)]
    offsets = tuple(v.args[0] for v in (algebra.variables[i] for i in present) if isinstance(v, Call))
    return Expansion(terms, algebra.intercept, offsets)


class _Algebra:
    """Sets of variables as the bits of whole numbers, with the intercept beside them."""

    def __init__(self, fail: Fail) -> None:
        self.variables: list[Expr] = []
        self.intercept = True
        self.offsets: list[int] = []
        self._adding = True
        self._numbers: dict[str, int] = {}
        self._fail = fail

    def sets(self, expr: Expr) -> list[int]:
        """Return the list of sets of ``expr``, none twice, in the order made."""
        if isinstance(expr, Paren):
            return self.sets(expr.inner)
        if isinstance(expr, (Name, Call)):
            return [1 << self._index(expr)]
        if isinstance(expr, Number):
            return self._constant(expr)
        if isinstance(expr, Sum):
            return self._sum(expr)
        if isinstance(expr, Unary):
            return self._sum(Sum(((expr.operator, expr.operand),), expr.position))
        if isinstance(expr, Binary):
            return self._product(expr)
        if isinstance(expr, Bar):
            do = "Write it as its own term in parentheses: + (1 | group)"
            raise self._fail("a random term cannot stand here", expr.position, do)
        raise self._fail(f'"{expr.value}" in quotes is not a column', expr.position, "Write the name without quotes")

    def _index(self, expr: Name | Call) -> int:
        key = label(expr)
        if key not in self._numbers:
            if next(columns_in(expr), None) is None:
                raise self._fail(f"{key} holds no column of the data", expr.position, "")
            self._numbers[key] = len(self.variables)
            self.variables.append(expr)
            if isinstance(expr, Call) and expr.function == "offset":
                self.offsets.append(self._numbers[key])
        return self._numbers[key]

    def _constant(self, expr: Number) -> list[int]:
        if expr.value not in (0.0, 1.0):
            do = "Only 0 and 1 stand alone, for the intercept; arithmetic goes inside I(), for example I(2 * x)"
            raise self._fail("a number is not a term", expr.position, do)
        self.intercept = (expr.value == 1.0) == self._adding
        return []

    def _sum(self, expr: Sum) -> list[int]:
        out: dict[int, None] = {}
        for sign, item in expr.items:
            if sign == "+":
                out.update(dict.fromkeys(self.sets(item)))
                continue
            self._adding = not self._adding
            gone = self.sets(item)
            self._adding = not self._adding
            for one in gone:
                out.pop(one, None)
        return self._limited(list(out), expr)

    def _product(self, expr: Binary) -> list[int]:
        if expr.operator == "^":
            return self._power(expr)
        for side in (expr.left, expr.right):
            if isinstance(side, Number):
                do = "Arithmetic goes inside I(), for example I(2 * x)"
                raise self._fail(f"a number cannot be combined with {expr.operator}", side.position, do)
        left, right = self.sets(expr.left), self.sets(expr.right)
        if expr.operator == ":":
            made = [a | b for a in left for b in right]
        elif expr.operator == "*":
            made = [*left, *right, *(a | b for a in left for b in right)]
        elif expr.operator == "/":
            whole = _union(left)
            made = [*left, *(whole | b for b in right)]
        else:
            whole = _union(right)
            made = [a | whole for a in left]
        return self._limited(made, expr)

    def _power(self, expr: Binary) -> list[int]:
        exponent = expr.right
        while isinstance(exponent, Paren):
            exponent = exponent.inner
        if not isinstance(exponent, Number) or exponent.value != int(exponent.value) or exponent.value < 1:
            do = "Outside I() it is the order of interactions, a whole number; a power is written I(x^2)"
            raise self._fail("^ is followed by something other than a whole number", exponent.position, do)
        left = self.sets(expr.left)
        made = left
        for _ in range(min(int(exponent.value), len(left)) - 1):
            made = self._limited([a | b for a in made for b in left], expr)
        return made

    def _limited(self, made: list[int], expr: Binary | Sum) -> list[int]:
        unique = list(dict.fromkeys(made))
        if len(unique) > MAX_TERMS:
            what = f"the formula expands to more than {MAX_TERMS} terms"
            raise self._fail(what, expr.position, "Write the interactions that are wanted one by one")
        return unique


def _union(sets: Sequence[int]) -> int:
    whole = 0
    for one in sets:
        whole |= one
    return whole


def check_arithmetic(expr: Expr, fail: Fail, where: str) -> None:
    """Raise SpecError when ``expr`` is anything but arithmetic on columns and numeric transforms."""
    inside: tuple[Expr, ...] = ()
    if isinstance(expr, Text):
        raise fail(f'"{expr.value}" in quotes is not a column', expr.position, "Write the name without quotes")
    if isinstance(expr, Bar):
        raise fail(f"a random term cannot stand inside {where}", expr.position, "Write + (1 | group)")
    if isinstance(expr, Call):
        check_arguments(expr, fail)
        if not TRANSFORMS[expr.function].numeric:
            do = "Use a column of numbers" if where == "the response" else "Give it a term of its own"
            raise fail(f"{expr.function}() cannot stand inside {where}", expr.position, do)
    elif isinstance(expr, Binary):
        if expr.operator in (":", "%in%"):
            do = "Inside a transform use * for a product"
            raise fail(f"{expr.operator} has no meaning inside {where}", expr.position, do)
        inside = (expr.left, expr.right)
    elif isinstance(expr, Sum):
        inside = tuple(item for _, item in expr.items)
    elif isinstance(expr, Unary):
        inside = (expr.operand,)
    elif isinstance(expr, Paren):
        inside = (expr.inner,)
    for one in inside:
        check_arithmetic(one, fail, where)


def check_arguments(call: Call, fail: Fail) -> None:
    """Raise SpecError when the first argument of a transform is not what the transform works on."""
    first = call.args[0]
    if call.function in ("factor", "C"):
        nested = call.function == "C" and isinstance(first, Call) and first.function == "factor"
        if not isinstance(first, Name) and not nested:
            raise fail(f"{call.function}() takes the name of a column", call.position, "")
        if isinstance(first, Call):
            check_arguments(first, fail)
        return
    check_arithmetic(first, fail, f"{call.function}()")
