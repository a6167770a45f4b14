"""From text to a parsed formula: response, fixed terms, random terms, offsets."""

from __future__ import annotations

from dataclasses import dataclass

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.expressions import Expr, deparse, parse_sides, spec_error, variables

Term = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One random term after expansion: ``(terms | group)``.

    terms : terms of the left side, R's order. intercept : has one. group : names whose combination is the grouping
    factor, such as ("cask", "batch") for cask:batch. correlated : covariances are free. display : as printed.
    """

    terms: tuple[Term, ...]
    intercept: bool
    group: tuple[str, ...]
    correlated: bool
    display: str


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula. ``factors`` maps the text of each variable, such as ``log(x)``, to its expression."""

    text: str
    response: Expr | None
    fixed: tuple[Term, ...]
    intercept: bool
    random: tuple[RandomTerm, ...]
    offset: tuple[str, ...]
    factors: dict[str, Expr]

    @property
    def variables(self) -> tuple[str, ...]:
        """Data columns used, in order of appearance."""
        names: list[str] = variables(self.response) if self.response is not None else []
        for term in self.fixed + tuple((o,) for o in self.offset):
            for factor in term:
                names += variables(self.factors[factor])
        for random in self.random:
            for term in random.terms:
                for factor in term:
                    names += variables(self.factors[factor])
            names += random.group
        return tuple(dict.fromkeys(names))


def parse_formula(text: str) -> Formula:
    """Parse lme4 syntax.

    Parameters
    ----------
    text : such as ``"y ~ x*time + (1 + time | patient) + (1 | therapist)"``.

    Raises
    ------
    SpecError : the text is no formula; the message points at the place.

    Examples
    --------
    >>> parse_formula("y ~ a*b + (1 | g)").fixed
    (('a',), ('b',), ('a', 'b'))
    """
    if not isinstance(text, str):
        raise SpecError(message("a formula must be text", do='Write "y ~ x + (1 | patient)"'))
    left, right = parse_sides(text)
    reader = _Reader(text)
    if left is not None and _has_bar(left):
        raise spec_error(text, 0, "a random term cannot stand left of '~'")
    bars, rest = reader.split_bars(right)
    offsets: list[str] = []
    fixed, intercept = reader.expand_sum(rest, offsets) if rest is not None else ([], True)
    fixed = _in_order_of_appearance(fixed, list(reader.factors))
    random: list[RandomTerm] = []
    for bar in bars:
        random += reader.random_terms(bar)
    return Formula(text, left, tuple(_by_order(fixed)), intercept, tuple(random), tuple(offsets), reader.factors)


def _in_order_of_appearance(terms: list[Term], variables_: list[str]) -> list[Term]:
    """Write each interaction in the order in which the formula first names its variables, as R does."""
    place = {name: i for i, name in enumerate(variables_)}
    return [tuple(sorted(t, key=place.__getitem__)) for t in terms]


def _by_order(terms: list[Term]) -> list[Term]:
    return sorted(terms, key=len)


def _has_bar(node: Expr) -> bool:
    if node.kind == "binary" and node.value in ("|", "||"):
        return True
    return any(_has_bar(p) for p in node.parts)


class _Reader:
    """Expands the operators of one formula; collects the variables that it meets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.factors: dict[str, Expr] = {}

    def split_bars(self, node: Expr) -> tuple[list[Expr], Expr | None]:
        """Return the random terms of a sum, and the sum without them (None where nothing is left)."""
        if node.kind == "call" and node.value == "(" and _is_bar(node.parts[0]):
            return [node.parts[0]], None
        if _is_bar(node):
            raise spec_error(self.text, node.start, "a random term needs brackets", "Write (1 | patient)")
        if node.kind == "binary" and node.value in ("+", "-") and _has_bar(node):
            left_bars, left = self.split_bars(node.parts[0])
            right_bars, right = self.split_bars(node.parts[1])
            if node.value == "-" and right_bars:
                raise spec_error(self.text, node.start, "a random term cannot be subtracted")
            if left is None:
                if right is not None and node.value == "-":
                    right = Expr("unary", "-", (right,), start=node.start)
                return left_bars + right_bars, right
            if right is None:
                return left_bars + right_bars, left
            return left_bars + right_bars, Expr("binary", node.value, (left, right), start=node.start)
        if _has_bar(node):
            raise spec_error(self.text, node.start, "a random term can only be added", "Write ... + (1 | patient)")
        return [], node

    def expand_sum(self, node: Expr, offsets: list[str] | None = None) -> tuple[list[Term], bool]:
        """Return the terms of one side and whether it has an intercept."""
        state: dict[str, bool] = {"intercept": True}
        terms = self._expand(node, state, offsets)
        return terms, state["intercept"]

    def _expand(self, node: Expr, state: dict[str, bool], offsets: list[str] | None) -> list[Term]:
        if node.kind == "call" and node.value == "(":
            return self._expand(node.parts[0], state, offsets)
        if node.kind == "number":
            if node.value not in (0.0, 1.0):
                raise spec_error(self.text, node.start, f"the number {deparse(node)} is no term", "Only 0 and 1 can stand alone")
            state["intercept"] = node.value == 1.0
            return []
        if node.kind == "unary":
            return self._signed(node, state, offsets)
        if node.kind == "binary":
            return self._operator(node, state, offsets)
        if node.kind == "call" and node.value == "offset":
            if offsets is None:
                raise spec_error(self.text, node.start, "offset() cannot stand in a random term")
            offsets.append(self._remember(node.parts[0]))
            return []
        if node.kind == "text":
            raise spec_error(self.text, node.start, "text in quotes is no term", "Write the column's name without quotes")
        return [(self._remember(node),)]

    def _signed(self, node: Expr, state: dict[str, bool], offsets: list[str] | None) -> list[Term]:
        inner = node.parts[0]
        if node.value == "+":
            return self._expand(inner, state, offsets)
        if inner.kind == "number" and inner.value in (0.0, 1.0):
            state["intercept"] = inner.value == 0.0
            return []
        raise spec_error(self.text, node.start, "a formula cannot start with a term taken away")

    def _operator(self, node: Expr, state: dict[str, bool], offsets: list[str] | None) -> list[Term]:
        left, right = node.parts
        if node.value == "+":
            return _unique(self._expand(left, state, offsets) + self._expand(right, state, offsets))
        if node.value == "-":
            terms = self._expand(left, state, offsets)
            if right.kind == "number":
                self._signed(Expr("unary", "-", (right,), start=node.start), state, offsets)
                return terms
            gone = {frozenset(t) for t in self._expand(right, dict(state), None)}
            return [t for t in terms if frozenset(t) not in gone]
        if node.value == "^":
            return self._to_power(node, state)
        a, b = self._operand(left), self._operand(right)
        crossed = [_product(x, y) for x in a for y in b]
        if node.value == ":":
            return _unique(crossed)
        if node.value == "*":
            return _unique(a + b + crossed)
        if node.value == "/":
            whole: Term = ()
            for x in a:
                whole = _product(whole, x)
            return _unique(a + [_product(whole, y) for y in b])
        if node.value == "%in%":
            return _unique(crossed)
        raise spec_error(self.text, node.start, f"'{node.value}' cannot be used here")

    def _operand(self, node: Expr) -> list[Term]:
        if node.kind == "number":
            raise spec_error(self.text, node.start, "a number cannot be multiplied with a term", "Use I() for arithmetic, as in I(2 * x)")
        return self._expand(node, {"intercept": True}, None)

    def _to_power(self, node: Expr, state: dict[str, bool]) -> list[Term]:
        base, power = node.parts
        if power.kind != "number" or not float(power.value).is_integer() or not 1 <= float(power.value) <= 10:
            raise spec_error(
                self.text, node.start, "outside I() '^' gives interactions and needs a whole number from 1 to 10",
                "For a square write I(x^2)",
            )
        terms = self._expand(base, state, None)
        out = list(terms)
        for _ in range(int(float(power.value)) - 1):
            out = _unique(out + [_product(x, y) for x in out for y in terms])
            if len(out) > 2000:
                raise spec_error(self.text, node.start, "the formula expands to more than 2000 terms")
        return out

    def _remember(self, node: Expr) -> str:
        label = deparse(node)
        self.factors.setdefault(label, node)
        return label

    def random_terms(self, bar: Expr) -> list[RandomTerm]:
        """Expand one ``(left | group)``."""
        left, right = bar.parts
        if _has_bar(left) or _has_bar(right):
            raise spec_error(self.text, bar.start, "a random term has only one '|'")
        terms, intercept = self.expand_sum(left)
        terms = _by_order(terms)
        if not terms and not intercept:
            raise spec_error(self.text, bar.start, "a random term without intercept and slope is empty")
        out = []
        for group in self._groups(right):
            name = ":".join(group)
            if bar.value == "|":
                out.append(RandomTerm(tuple(terms), intercept, group, True, f"({deparse(left)} | {name})"))
                continue
            if intercept:
                out.append(RandomTerm((), True, group, True, f"(1 | {name})"))
            out += [RandomTerm((t,), False, group, True, f"(0 + {':'.join(t)} | {name})") for t in terms]
        return out

    def _groups(self, node: Expr) -> list[tuple[str, ...]]:
        """Return the grouping factors of a bar's right side; a/b gives b:a and a."""
        if node.kind == "call" and node.value == "(":
            return self._groups(node.parts[0])
        if node.kind == "name":
            return [(str(node.value),)]
        if node.kind == "call" and node.value == "factor":
            return self._groups(node.parts[0])
        if node.kind == "binary" and node.value in (":", "/", "*", "+"):
            left, right = (self._groups(p) for p in node.parts)
            if node.value == ":":
                return [a + tuple(x for x in b if x not in a) for a in left for b in right]
            if node.value == "/":
                return [b + tuple(x for x in left[0] if x not in b) for b in right] + left
            if node.value == "+":
                return left + right
            return left + right + [a + b for a in left for b in right]
        raise spec_error(self.text, node.start, f"'{deparse(node)}' cannot group rows", "Right of '|' stands a column, a:b or a/b")


def _is_bar(node: Expr) -> bool:
    return node.kind == "binary" and node.value in ("|", "||")


def _product(a: Term, b: Term) -> Term:
    return a + tuple(x for x in b if x not in a)


def _unique(terms: list[Term]) -> list[Term]:
    seen: dict[frozenset[str], Term] = {}
    for term in terms:
        seen.setdefault(frozenset(term), term)
    return list(seen.values())
