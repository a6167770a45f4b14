"""Expressions of a formula: a small syntax tree, the parser that makes it, and R's way of writing it back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alliancekit.core.errors import SpecError, message, nearest

MAX_LENGTH = 20_000
MAX_DEPTH = 60
FUNCTIONS = ("log", "log2", "log10", "sqrt", "exp", "abs", "poly", "scale", "center", "C", "I", "offset", "factor")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<name>`[^`]+`|[^\W\d][\w.]*|\.[^\W\d][\w.]*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<operator>\|\||%in%|\*\*|[~+\-*/:^()|,=]))"
)


@dataclass(frozen=True, slots=True)
class Expr:
    """A node: ``kind`` is "number", "name", "text", "call", "unary" or "binary".

    ``value`` is the number, name, text, function or operator; ``parts`` the operands; ``words`` the names of keyword
    arguments of a call ("" for positional ones); ``start`` the position in the formula.
    """

    kind: str
    value: str | float
    parts: tuple[Expr, ...] = ()
    words: tuple[str, ...] = ()
    start: int = 0


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    start: int


def spec_error(text: str, position: int, what: str, do: str = "") -> SpecError:
    """Return an error that points at a position of the formula."""
    shown = " ".join(text.split("\n"))
    start = max(0, position - 60)
    piece = shown[start : position + 60]
    caret = " " * (position - start) + "^"
    return SpecError(message(what, do=do) + f"\n    {piece}\n    {caret}")


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        raise SpecError(message(f"the formula has {len(text)} characters; at most {MAX_LENGTH} are read"))
    out: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at:].isspace():
            break
        match = _TOKEN.match(text, at)
        if match is None:
            while text[at].isspace():
                at += 1
            raise spec_error(text, at, f"'{text[at]}' has no meaning in a formula", "Names with special characters go in `backticks`")
        kind = str(match.lastgroup)
        out.append(_Token(kind, match.group(kind), match.start(kind)))
        at = match.end()
    out.append(_Token("end", "", len(text)))
    return out


class _Parser:
    """Recursive descent with R's precedence: ~, then |, then + -, * /, %in%, :, unary signs, ^."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, self.depth = text, _tokens(text), 0, 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *operators: str) -> _Token | None:
        if self.token.kind == "operator" and self.token.value in operators:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def fail(self, what: str, do: str = "") -> SpecError:
        return spec_error(self.text, self.token.start, what, do)

    def chain(self, level: int) -> Expr:
        """Parse left-associative binary operators of one precedence level."""
        levels: tuple[tuple[str, ...], ...] = (("|", "||"), ("+", "-"), ("*", "/"), ("%in%",), (":",))
        if level == len(levels):
            return self.unary()
        self.depth += 1
        if self.depth > MAX_DEPTH * (len(levels) + 3):
            raise self.fail("the formula is nested too deeply", f"Use at most {MAX_DEPTH} levels of brackets")
        left = self.unary() if level == 1 and self.token.value in ("+", "-") else self.chain(level + 1)
        if left.kind == "unary" and level == 1:
            left = self._rest_of_product(left)
        while (operator := self.take(*levels[level])) is not None:
            right = self.chain(level + 1)
            left = Expr("binary", operator.value, (left, right), start=operator.start)
        self.depth -= 1
        return left

    def _rest_of_product(self, left: Expr) -> Expr:
        """After a leading sign: -x * 2 is (-x) * 2."""
        while (operator := self.take("*", "/", ":")) is not None:
            left = Expr("binary", operator.value, (left, self.unary()), start=operator.start)
        return left

    def unary(self) -> Expr:
        sign = self.take("+", "-")
        if sign is not None:
            self.depth += 1
            if self.depth > MAX_DEPTH * 8:
                raise self.fail("too many signs in a row")
            inner = self.unary()
            self.depth -= 1
            return Expr("unary", sign.value, (inner,), start=sign.start)
        return self.power()

    def power(self) -> Expr:
        base = self.primary()
        operator = self.take("^", "**")
        if operator is None:
            return base
        return Expr("binary", "^", (base, self.unary()), start=operator.start)

    def primary(self) -> Expr:
        token = self.token
        if token.kind == "number":
            self.at += 1
            return Expr("number", float(token.value), start=token.start)
        if token.kind == "text":
            self.at += 1
            return Expr("text", token.value[1:-1], start=token.start)
        if token.kind == "name":
            self.at += 1
            if self.token.kind == "operator" and self.token.value == "(" and not token.value.startswith("`"):
                return self.call(token)
            name = token.value.strip("`")
            return Expr("name", name, start=token.start)
        if self.take("("):
            inner = self.chain(0)
            if not self.take(")"):
                raise self.fail("a bracket is not closed", "Add ')'")
            return Expr("call", "(", (inner,), ("",), start=token.start)
        if token.kind == "end":
            raise self.fail("the formula ends too early", "Something is missing after the last operator")
        raise self.fail(f"'{token.value}' stands where a variable was expected")

    def call(self, name: _Token) -> Expr:
        check_function(self.text, name.value, name.start)
        self.take("(")
        parts: list[Expr] = []
        words: list[str] = []
        while not self.take(")"):
            if parts and not self.take(","):
                raise self.fail("a comma or a closing bracket was expected")
            word = ""
            follows = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
            if self.token.kind == "name" and follows.kind == "operator" and follows.value == "=":
                word = self.token.value
                self.at += 2
            parts.append(self.chain(1))
            words.append(word)
        if not parts:
            raise spec_error(self.text, name.start, f"{name.value}() has no argument", f"Write {name.value}(variable)")
        return Expr("call", name.value, tuple(parts), tuple(words), name.start)


def check_function(text: str, name: str, position: int) -> None:
    """Raise SpecError unless ``name`` is one of the functions that a formula may use."""
    if name in FUNCTIONS:
        return
    if name in ("lag", "lead"):
        raise spec_error(
            text, position, f"{name}() cannot stand in a formula: it would run from one person into the next",
            f'Make the column first, with ak.{name}(data, "x", by="patient", time="session")',
        )
    close = nearest(name, FUNCTIONS)
    hint = f"Did you mean {close}()? " if close else ""
    raise spec_error(
        text, position, f"the function '{name}' is not known in formulas",
        f"{hint}Functions are: {', '.join(FUNCTIONS)}; compute anything else as a column of the data first",
    )


def parse_sides(text: str) -> tuple[Expr | None, Expr]:
    """Return the left and right side of a formula; the left is None for a one-sided formula."""
    parser = _Parser(text)
    left: Expr | None = None
    if not parser.take("~"):
        if parser.token.kind == "end":
            raise SpecError(message("the formula is empty", do='Write for example "y ~ x + (1 | patient)"'))
        left = parser.chain(0)
        if not parser.take("~"):
            if parser.token.kind == "end":
                raise parser.fail("the formula has no '~'", 'Write "outcome ~ predictors"')
            raise parser.fail(f"'{parser.token.value}' was not expected here")
    if parser.token.kind == "end":
        raise parser.fail("the formula has nothing after '~'", "Write 1 for a model with an intercept only")
    right = parser.chain(0)
    if parser.token.kind != "end":
        what = "a formula has only one '~'" if parser.token.value == "~" else f"'{parser.token.value}' was not expected here"
        raise parser.fail(what)
    return left, right


def deparse(node: Expr) -> str:
    """Return the text R would give this expression, such as ``I(x^2)`` or ``poly(x, 2)``."""
    if node.kind == "number":
        value = float(node.value)
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if node.kind == "text":
        return f'"{node.value}"'
    if node.kind == "name":
        name = str(node.value)
        return name if re.fullmatch(r"(?:[^\W\d]|\.(?!\d))[\w.]*", name) else f"`{name}`"
    if node.kind == "unary":
        return f"{node.value}{deparse(node.parts[0])}"
    if node.kind == "binary":
        left, right = (deparse(p) for p in node.parts)
        gap = "" if node.value in ("^", ":", "/") else " "
        return f"{left}{gap}{node.value}{gap}{right}"
    inside = ", ".join(
        (f"{w} = " if w else "") + deparse(p) for p, w in zip(node.parts, node.words, strict=True)
    )
    return f"({inside})" if node.value == "(" else f"{node.value}({inside})"


def variables(node: Expr) -> list[str]:
    """Return the data columns an expression uses, in order of appearance."""
    if node.kind == "name":
        return [str(node.value)]
    out: list[str] = []
    for part in node.parts:
        out += [v for v in variables(part) if v not in out]
    return out
