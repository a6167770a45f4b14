"""lavaan's model syntax made into statements. Text is parsed, never evaluated."""

from __future__ import annotations

from itertools import pairwise

from alliancekit.core.errors import SpecError, nearest
from alliancekit.formula.model_arithmetic import parse_arithmetic
from alliancekit.formula.model_expressions import FUNCTIONS, Expression
from alliancekit.formula.model_statements import CONSTRAINTS, OPERATORS, Modifier, Statement
from alliancekit.formula.model_tokens import Token, fail, tokenize

_MEANT = {"=-": "=~", "-=": "=~", "=+": "=~", ":~": "=~", "=>": "=~", "-~": "~", "=:": ":=", "~=": "=~"}
_CALLS = {"start": "start", "label": "label", "equal": "equal", "efa": "efa", "lower": "lower", "upper": "upper"}


def parse_model(text: str) -> tuple[Statement, ...]:
    """Return the statements of a model written in lavaan's syntax.

    Parameters
    ----------
    text : lines such as ``bond =~ w1 + a*w2``, ``outcome ~ bond``, ``w1 ~~ w2``, ``w1 ~ 1``, ``u1 | t1``,
        ``ind := a*b``, ``a == b``; blocks begin with ``group: label`` or ``level: label``.

    Returns
    -------
    tuple of Statement : one for each pair of variables, in the order written.

    Raises
    ------
    SpecError : the text is not a model; says line and column and points at the place.

    Notes
    -----
    A line without an operator continues the line before, as in lavaan; so does a line after one that ends with one.

    Examples
    --------
    >>> [(s.lhs, s.op, s.rhs) for s in parse_model("bond =~ w1 + w2")]
    [('bond', '=~', 'w1'), ('bond', '=~', 'w2')]
    """
    if not isinstance(text, str):
        raise SpecError('the model must be text in lavaan\'s syntax, such as "bond =~ w1 + w2 + w3".')
    parser = _Parser(text)
    statements = parser.statements()
    if not statements:
        raise SpecError('the model is empty. Write for example "bond =~ w1 + w2 + w3".')
    return tuple(statements)


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _join_lines(tokenize(text))
        self.at = 0
        self.group: str | None = None
        self.level: str | None = None

    def statements(self) -> list[Statement]:
        """Return all statements."""
        out: list[Statement] = []
        opened: tuple[Token, int] | None = None
        while self.peek().kind != "stop":
            first = self.peek()
            if first.kind == "end":
                self.at += 1
            elif self._block():
                self._close(opened, len(out), first)
                opened = (first, len(out))
            else:
                out += self._statement()
        self._close(opened, len(out), None)
        return out

    def _close(self, opened: tuple[Token, int] | None, count: int, following: Token | None) -> None:
        """Raise SpecError where a block has no line; levels within a group may follow it at once."""
        if opened is None or opened[1] < count:
            return
        nested = following is not None and opened[0].text.lower() == "group" != following.text.lower()
        if not nested:
            raise self.wrong(opened[0], "this block has no lines", "Write its model below, or leave it out")

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without moving on."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        """Return the next token and move on."""
        token = self.tokens[self.at]
        self.at += 1
        return token

    def wrong(self, token: Token, what: str, do: str = "") -> SpecError:
        """Return an error that points at a token."""
        return fail(self.text, what, token.line, token.column, do)

    def _block(self) -> bool:
        """Read ``group: label`` or ``level: label``; return whether there was one."""
        word, colon = self.peek(), self.peek(1)
        if word.kind != "name" or colon.text != ":":
            return False
        kind = word.text.lower()
        if kind not in ("group", "level", "block", "class"):
            return False
        if kind in ("block", "class"):
            raise self.wrong(word, f"'{word.text}:' is not known here", "Blocks are group: and level:")
        self.at += 2
        value = self.take()
        if value.kind not in ("name", "number", "text"):
            raise self.wrong(value, f"{kind}: needs a label", f"Write for example {kind}: 1")
        last = value
        while kind == "group" and self.peek().kind not in ("end", "stop"):
            if self.peek().column > last.column + len(last.text):
                break
            last = self.take()
        line = self.text.split("\n")[value.line - 1]
        label = line[value.column - 1 : last.column - 1 + len(last.text)].strip("\"'")
        if kind == "group":
            self.group, self.level = label, None
        else:
            self.level = label
        self._end()
        return True

    def _end(self) -> None:
        token = self.peek()
        if token.kind not in ("end", "stop"):
            raise self.wrong(token, f"{token.text!r} is not expected here", "Begin a new line for a new statement")

    def _statement(self) -> list[Statement]:
        first = self.peek()
        place = self._operator()
        if self.tokens[place].text in CONSTRAINTS:
            return [self._constraint(first, place)]
        left = self._side(place)
        operator = self.take()
        if not left:
            raise self.wrong(operator, f"nothing stands before {operator.text}")
        right = self._side(None)
        if not right:
            raise self.wrong(self.peek(), f"nothing stands after {operator.text}", "Name at least one variable")
        self._end()
        return [self._pair(first, operator, one, other) for one in left for other in right]

    def _operator(self) -> int:
        """Return the place of the line's operator."""
        i = self.at
        while self.tokens[i].kind not in ("end", "stop"):
            token, after = self.tokens[i], self.tokens[i + 1]
            if token.text + after.text == "->":
                raise self.wrong(token, "'->' is no operator", "Write the dependent variable first: y ~ x")
            if token.kind == "sign" and token.text in OPERATORS:
                written = token.text + after.text
                if written not in _MEANT or after.column > token.column + 1:
                    return i
                raise self.wrong(token, f"{written!r} is no operator", f"Did you mean {_MEANT[written]}?")
            i += 1
        for token, after in pairwise(self.tokens[self.at : i]):
            written = token.text + after.text
            if written in _MEANT:
                raise self.wrong(token, f"{written!r} is no operator", f"Did you mean {_MEANT[written]}?")
        equal = next((token for token in self.tokens[self.at : i] if token.text == "="), None)
        if equal is not None:
            raise self._no_equals(equal)
        raise self.wrong(self.peek(), "this line has no operator", f"Use one of {' '.join(OPERATORS)}")

    def _no_equals(self, token: Token) -> SpecError:
        do = "Write =~ for indicators, ~ for a regression, := for a definition, == for an equality"
        return self.wrong(token, "'=' is no operator", do)

    def _constraint(self, first: Token, place: int) -> Statement:
        operator = self.tokens[place]
        stop = place
        while self.tokens[stop].kind not in ("end", "stop"):
            stop += 1
        left_tokens, right_tokens = self.tokens[self.at : place], self.tokens[place + 1 : stop]
        self.at = stop
        for tokens, side in ((left_tokens, "before"), (right_tokens, "after")):
            if not tokens:
                raise self.wrong(operator, f"nothing stands {side} {operator.text}")
        left: Expression = parse_arithmetic(left_tokens, self.text)
        right = parse_arithmetic(right_tokens, self.text)
        if operator.text == ":=" and left.kind != "label":
            raise self.wrong(first, "a definition needs one new name before :=", "Write for example indirect := a*b")
        lhs, rhs = ("".join(t.text for t in tokens) for tokens in (left_tokens, right_tokens))
        at = (first.line, first.column)
        return Statement(lhs, operator.text, rhs, (), self.group, self.level, *at, left=left, right=right)

    def _side(self, stop: int | None) -> list[tuple[Token, str, tuple[Modifier, ...]]]:
        """Return the terms ``modifier*variable`` joined by +, up to the place ``stop`` or the end of the line."""
        out: list[tuple[Token, str, tuple[Modifier, ...]]] = []
        while (stop is None or self.at < stop) and self.peek().kind not in ("end", "stop"):
            if out:
                plus = self.take()
                if plus.text != "+":
                    if self.peek().text == "=":
                        raise self._no_equals(self.peek())
                    raise self._not_joined(out[-1][0], plus)
            out.append(self._term())
        return out

    def _not_joined(self, before: Token, token: Token) -> SpecError:
        """Return the error of what stands behind a variable and is no +."""
        do = "Join variables by +" if token.text == "," else ""
        if token.text == "(":
            do = "Models take no functions of columns: make the column first"
        elif token.kind in ("name", "number"):
            apart, joined = f"{before.text} {token.text}", f"{before.text}_{token.text}"
            do = f"Join variables by +. Names in models have no blanks: if '{apart}' is one column, "
            do += f'rename it by data.rename(columns={{"{apart}": "{joined}"}})'
        return self.wrong(token, f"{token.text!r} is not expected here", do)

    def _term(self) -> tuple[Token, str, tuple[Modifier, ...]]:
        modifiers: list[Modifier] = []
        while True:
            token = self.peek()
            end = self._modifier_end()
            if end:
                modifiers.append(self._modifier(end))
                continue
            if token.kind == "name":
                self.at += 1
                name = token.text
                while self.peek().text == ":" and self.peek(1).kind == "name":
                    name += ":" + self.peek(1).text
                    self.at += 2
                return token, name, tuple(modifiers)
            if token.kind == "number" and token.text in ("1", "0"):
                self.at += 1
                if token.text == "0":
                    modifiers.append(Modifier("fixed", (0.0,), token.line, token.column))
                return token, "1", tuple(modifiers)
            raise self._no_variable(token, self.peek(1))

    def _no_variable(self, token: Token, after: Token) -> SpecError:
        """Return the error of a place where a variable should stand."""
        if token.kind in ("end", "stop"):
            return self.wrong(token, "a variable is expected, and the line ends here")
        do = ""
        if token.text == "(":
            do = "Random effects are for ak.mixed; here name the column in cluster= and write level: blocks"
        elif token.kind == "number" and after.kind == "name":
            do = f"Write {token.text}*{after.text}"
        elif token.kind == "text":
            name = token.text[1:-1]
            do = f"Write {name} without quotes"
            if not name.replace(".", "_").isidentifier():
                do = "Names are letters, digits, dots and underscores: rename the column"
        return self.wrong(token, f"a variable is expected, not {token.text}", do)

    def _modifier_end(self) -> int:
        """Return the place of the ``*`` or ``?`` behind the modifier that comes next; 0 where a variable comes."""
        depth, i, operand = 0, self.at, False
        while True:
            token = self.tokens[i]
            if token.kind in ("end", "stop"):
                if depth > 0:
                    raise self.wrong(token, "a bracket is not closed")
                return 0
            if depth == 0:
                if token.text in ("*", "?"):
                    return i
                again = operand and token.kind != "sign"
                if again or token.text == "+" or (token.kind == "sign" and token.text in OPERATORS):
                    return 0
                operand = token.kind != "sign"
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            i += 1

    def _modifier(self, end: int) -> Modifier:
        token = self.peek()
        kind: str
        values: tuple[float | str | None, ...]
        if self._is_arithmetic(end):
            number = parse_arithmetic(self.tokens[self.at : end], self.text)
            if number.labels():
                raise self.wrong(token, f"'{number.labels()[0]}' is no number", "Only numbers are counted before *")
            kind, values = "fixed", (float(number.evaluate({})),)
            self.at = end
        else:
            kind, values = self._value(None)
        sign = self.take()
        if sign.text not in ("*", "?"):
            raise self.wrong(sign, f"{sign.text!r} is not expected before *")
        if sign.text == "?":
            kind = "start"
        return Modifier(kind, values, token.line, token.column)

    def _is_arithmetic(self, end: int) -> bool:
        """Return whether a modifier is to be worked out, such as ``1/2``, ``log(3)`` or ``(2^2)``."""
        first, second = self.tokens[self.at], self.tokens[self.at + 1]
        if first.text == "(" or (first.kind == "name" and second.text == "(" and first.text in FUNCTIONS):
            return True
        return end > self.at + 1 and any(t.text in ("/", "^") for t in self.tokens[self.at : end])

    def _value(self, call: str | None) -> tuple[str, tuple[float | str | None, ...]]:
        """Return the kind and the values of ``2``, ``a``, ``"a"``, ``NA``, ``c(...)`` or ``start(...)``."""
        negative = self.peek().text == "-"
        if negative:
            self.at += 1
        token = self.take()
        if token.kind == "number":
            return "fixed", (float(token.text) * (-1 if negative else 1),)
        if token.kind == "text" and not negative:
            return "label", ("".join(token.text[1:-1].split()),)
        if token.kind != "name" or negative:
            raise self.wrong(token, f"{token.text!r} cannot stand before *")
        if self.peek().text != "(":
            return ("fixed", (None,)) if token.text == "NA" else ("label", (token.text,))
        if token.text != "c" and token.text not in _CALLS:
            close = nearest(token.text, ["c", *_CALLS])
            do = f"Did you mean {close}()?" if close else f"Known are c() and {'(), '.join(_CALLS)}()"
            raise self.wrong(token, f"{token.text}() is not known before *", do)
        self.at += 1
        kinds: list[str] = []
        values: list[float | str | None] = []
        while self.peek().text != ")":
            if self.peek().kind in ("end", "stop"):
                raise self.wrong(self.peek(), f"the bracket of {token.text}( is not closed")
            if kinds:
                comma = self.take()
                if comma.text != ",":
                    raise self.wrong(comma, "values are separated by commas")
            kind, some = self._value(token.text)
            kinds.append(kind)
            values += some
        self.at += 1
        if not values:
            raise self.wrong(token, f"{token.text}() is empty")
        if token.text != "c":
            return _CALLS[token.text], tuple(values)
        known = {k for k, v in zip(kinds, values, strict=False) if v is not None}
        if len(known) > 1:
            raise self.wrong(token, "c() mixes numbers and labels", "Give numbers (NA for free) or labels, one a group")
        kind = known.pop() if known else "fixed"
        return kind, tuple(values)

    def _pair(
        self,
        first: Token,
        operator: Token,
        left: tuple[Token, str, tuple[Modifier, ...]],
        right: tuple[Token, str, tuple[Modifier, ...]],
    ) -> Statement:
        op, lhs, rhs = operator.text, left[1], right[1]
        modifiers = left[2] + right[2]
        if lhs == "1":
            raise self.wrong(left[0], "a variable is expected before the operator, not 1")
        if left[2] and any(m.kind != "efa" for m in left[2]):
            raise self.wrong(
                left[0], "a modifier stands before the operator", "Write it before the variable on the right"
            )
        if rhs == lhs and op in ("=~", "<~", "~"):
            raise self.wrong(right[0], f"'{lhs}' stands on both sides of {op}", "Name another variable")
        if rhs == "1":
            if op == "=~" and [m.values for m in modifiers] == [(0.0,)]:
                return Statement(lhs, op, lhs, modifiers, self.group, self.level, right[0].line, right[0].column)
            if op != "~":
                raise self.wrong(right[0], f"1 means an intercept and has no place after {op}", "Name a variable")
            op, rhs = "~1", ""
        return Statement(lhs, op, rhs, modifiers, self.group, self.level, right[0].line, right[0].column)


def _join_lines(tokens: list[Token]) -> list[Token]:
    """Return the tokens without the ends of lines that go on in the next one."""
    lines: list[list[Token]] = [[]]
    ends: list[Token] = []
    for token in tokens:
        if token.kind in ("end", "stop"):
            ends.append(token)
            lines.append([])
        else:
            lines[-1].append(token)
    out: list[Token] = []
    for line, end in zip(lines, ends, strict=False):
        if line:
            own = any(t.kind == "sign" and t.text in OPERATORS for t in line)
            block = (
                len(line) > 1 and line[1].text == ":" and line[0].text.lower() in ("group", "level", "block", "class")
            )
            begun = bool(out) and out[-1].kind == "end"
            unfinished = len(out) > 1 and begun and out[-2].kind == "sign" and out[-2].text not in (")", ":")
            if begun and ((not own and not block) or (unfinished and not block)) and out[-1].text == "\n":
                out.pop()
            out += line
        if end.kind == "stop" or (out and out[-1].kind != "end"):
            out.append(end)
    return out
