"""Tokens made into a tree of expressions, with R's precedence of operators."""

from __future__ import annotations

from alliancekit.core.errors import SpecError
from alliancekit.formula.expressions import Bar, Binary, Call, Expr, Name, Number, Paren, Sum, Text, Unary
from alliancekit.formula.tokens import Token, bad_text
from alliancekit.formula.vocabulary import check_call

MAX_DEPTH = 60
"""Deepest nesting of parentheses, transforms and chains of operators that is read."""

# R's precedence from weak to strong; ^ is handled apart because it binds to the right
_LEVELS: tuple[tuple[str, ...], ...] = (("*", "/"), ("%in%",), (":",))


class Grammar:
    """A reader of expressions from one list of tokens.

    Attributes
    ----------
    text : the text the tokens come from, for messages.
    """

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self._tokens = tokens
        self._next = 0
        self._nesting = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    def at(self, *operators: str) -> bool:
        """Say whether the next token is one of these operators."""
        token = self._tokens[self._next]
        return token.kind == "operator" and token.text in operators

    def at_end(self) -> bool:
        """Say whether all tokens are read."""
        return self._tokens[self._next].kind == "end"

    def take(self) -> Token:
        """Return the next token and go on."""
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def fail(self, what: str, position: int, do: str = "") -> SpecError:
        """Return the error that points at ``position``."""
        return bad_text(self.text, position, what, do)

    def expression(self) -> Expr:
        """Return a whole expression: effects, or effects ``|`` grouping."""
        left = self._sum()
        if not self.at("|", "||"):
            return left
        bar = self.take()
        right = self._sum()
        if self.at("|", "||"):
            raise self.fail("a second | in one random term", self.token.position, "Write one term for each group")
        return Bar(bar.text, left, right, bar.position, self._depth(left, right, bar.position))

    def _sum(self) -> Expr:
        items = [("+", self._product(0))]
        start = self.token.position
        while self.at("+", "-"):
            sign = self.take()
            items.append((sign.text, self._product(0)))
        if len(items) == 1:
            return items[0][1]
        deepest = max(_depth_of(item) for _, item in items)
        return Sum(tuple(items), start, self._checked(deepest + 1, start))

    def _product(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self._signed()
        left = self._product(level + 1)
        while self.at(*_LEVELS[level]):
            operator = self.take()
            right = self._product(level + 1)
            depth = self._depth(left, right, operator.position)
            left = Binary(operator.text, left, right, operator.position, depth)
        return left

    def _signed(self) -> Expr:
        if not self.at("+", "-"):
            return self._power()
        sign = self.take()
        with_nesting = self._enter(sign.position)
        operand = self._signed()
        self._nesting = with_nesting - 1
        return Unary(sign.text, operand, sign.position, self._checked(_depth_of(operand) + 1, sign.position))

    def _power(self) -> Expr:
        base = self._operand()
        if not self.at("^"):
            return base
        operator = self.take()
        with_nesting = self._enter(operator.position)
        exponent = self._signed() if self.at("+", "-") else self._power()
        self._nesting = with_nesting - 1
        return Binary("^", base, exponent, operator.position, self._depth(base, exponent, operator.position))

    def _operand(self) -> Expr:
        token = self.take()
        if token.kind == "number":
            value = float(token.text)
            if value == float("inf"):
                raise self.fail(f"the number {token.text} is too large", token.position)
            return Number(value, token.position)
        if token.kind == "text":
            return Text(token.text, token.position)
        if token.kind == "quoted":
            return Name(token.text, token.position)
        if token.kind == "name":
            return self._call(token) if self.at("(") else Name(token.text, token.position)
        if token.kind == "operator" and token.text == "(":
            level = self._enter(token.position)
            inner = self.expression()
            self._close(token)
            self._nesting = level - 1
            return Paren(inner, token.position, self._checked(_depth_of(inner) + 1, token.position))
        raise self._missing_operand(token)

    def _missing_operand(self, token: Token) -> SpecError:
        before = self._tokens[self._next - 2] if token.kind != "end" and self._next > 1 else None
        if token.kind == "end":
            before = self._tokens[self._next - 1] if self._next else None
        after = f" after '{before.text}'" if before is not None else ""
        if token.kind == "end":
            return self.fail(f"the formula ends where a term was expected{after}", token.position)
        return self.fail(f"a term was expected{after}, not '{token.text}'", token.position)

    def _close(self, opened: Token) -> None:
        if self.at(")"):
            self.take()
            return
        if self.token.kind == "end":
            raise self.fail("the parenthesis opened here is not closed", opened.position, "Add a )")
        raise self._unexpected("a ) or an operator")

    def _unexpected(self, wanted: str) -> SpecError:
        token = self.token
        do = "A name with spaces is written in backticks: `BDI total`" if token.kind in ("name", "number") else ""
        if token.kind == "operator" and token.text == "=":
            do = "A model has one ~ between response and predictors, no ="
        if token.kind == "name" and token.text.startswith("."):
            do = "A formula is not Python: nothing in it is evaluated, and nothing has attributes"
        return self.fail(f"{wanted} was expected here, not '{token.text}'", token.position, do)

    def _call(self, name: Token) -> Expr:
        opened = self.take()
        level = self._enter(name.position)
        args: list[Expr] = []
        options: list[tuple[str, Expr]] = []
        while not self.at(")"):
            if self.token.kind == "end":
                raise self.fail("the parenthesis opened here is not closed", opened.position, "Add a )")
            following = self._tokens[self._next + 1] if self.token.kind == "name" else None
            if following is not None and following.kind == "operator" and following.text == "=":
                key = self.take()
                self.take()
                options.append((key.text, self._sum()))
            else:
                args.append(self._sum())
            if not self.at(","):
                break
            self.take()
            if self.at(")"):
                raise self._missing_operand(self.token)
        self._close(opened)
        self._nesting = level - 1
        depth = max((_depth_of(e) for e in (*args, *(v for _, v in options))), default=0) + 1
        call = Call(name.text, tuple(args), tuple(options), name.position, self._checked(depth, name.position))
        check_call(self.text, call)
        return call

    def finish(self, wanted: str = "an operator or the end of the formula") -> None:
        """Raise where tokens are left over."""
        if self.token.kind == "end":
            return
        if self.at(")"):
            raise self.fail("a ) without a ( before it", self.token.position, "Remove it or add the (")
        raise self._unexpected(wanted)

    def _enter(self, position: int) -> int:
        self._nesting += 1
        return self._checked(self._nesting, position)

    def _depth(self, left: Expr, right: Expr, position: int) -> int:
        return self._checked(1 + max(_depth_of(left), _depth_of(right)), position)

    def _checked(self, depth: int, position: int) -> int:
        if depth > MAX_DEPTH:
            what = f"the formula is nested more than {MAX_DEPTH} deep"
            raise self.fail(what, position, "Write it with fewer parentheses, or make the columns before fitting")
        return depth


def _depth_of(expr: Expr) -> int:
    return 0 if isinstance(expr, (Number, Name, Text)) else expr.depth
