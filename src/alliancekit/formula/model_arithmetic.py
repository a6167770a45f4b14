"""Arithmetic of constraints: tokens to a tree, by precedence (+ - below * / below unary minus below ^)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alliancekit.core.errors import SpecError, nearest
from alliancekit.formula.model_expressions import FUNCTIONS, Expression
from alliancekit.formula.model_tokens import Token, fail

_DEEPEST = 60


def parse_arithmetic(tokens: Sequence[Token], text: str) -> Expression:
    """Return the expression that the tokens of one side of a constraint make.

    Raises
    ------
    SpecError : it is no arithmetic on labels and numbers; points at the place in ``text``.
    """
    reader = _Reader(tokens, text)
    out = reader.sum(0)
    if reader.at < len(tokens):
        raise reader.wrong(f"{tokens[reader.at].text!r} is not expected here")
    if not out.labels():
        with np.errstate(all="ignore"):
            if not np.isfinite(out.evaluate({})):
                raise fail(text, "this has no finite value", tokens[0].line, tokens[0].column)
    return out


class _Reader:
    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self.tokens, self.text, self.at = tokens, text, 0

    def wrong(self, what: str, do: str = "") -> SpecError:
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        return fail(self.text, what, token.line, token.column, do)

    def sign(self) -> str:
        """Return the sign that comes next, empty where none does."""
        return self.tokens[self.at].text if self.at < len(self.tokens) and self.tokens[self.at].kind == "sign" else ""

    def sum(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise self.wrong("too many brackets inside each other")
        out = self.product(depth)
        while self.sign() in ("+", "-"):
            kind = self.tokens[self.at].text
            self.at += 1
            out = Expression(kind, parts=(out, self.product(depth)))
        return out

    def product(self, depth: int) -> Expression:
        out = self.unary(depth)
        while self.sign() in ("*", "/"):
            kind = self.tokens[self.at].text
            self.at += 1
            out = Expression(kind, parts=(out, self.unary(depth)))
        return out

    def unary(self, depth: int) -> Expression:
        if self.sign() in ("+", "-"):
            if depth > _DEEPEST:
                raise self.wrong("too many signs after each other")
            kind = self.tokens[self.at].text
            self.at += 1
            inner = self.unary(depth + 1)
            return inner if kind == "+" else Expression("negative", parts=(inner,))
        out = self.atom(depth)
        if self.sign() == "^":
            self.at += 1
            return Expression("^", parts=(out, self.unary(depth + 1)))
        return out

    def atom(self, depth: int) -> Expression:
        if self.at >= len(self.tokens):
            raise self.wrong("something is missing at the end of this line")
        token = self.tokens[self.at]
        if token.text == "(":
            self.at += 1
            out = self.sum(depth + 1)
            self.close()
            return out
        if token.kind == "number":
            self.at += 1
            return Expression("number", value=np.float64(token.text))
        if token.kind != "name":
            raise self.wrong(f"a label or a number is expected, not {token.text!r}")
        self.at += 1
        if self.sign() != "(":
            return Expression("label", name=token.text)
        if token.text not in FUNCTIONS:
            self.at -= 1
            close = nearest(token.text, FUNCTIONS)
            raise self.wrong(
                f"{token.text}() is not a function that constraints know",
                f"Did you mean {close}()?" if close else f"Known are {', '.join(FUNCTIONS)}",
            )
        self.at += 1
        inner = self.sum(depth + 1)
        self.close()
        return Expression(token.text, parts=(inner,))

    def close(self) -> None:
        if self.sign() != ")":
            raise self.wrong("a bracket is not closed")
        self.at += 1
