"""lavaan's model syntax taken apart into words and signs, each with its line and column."""

from __future__ import annotations

import re
from typing import NamedTuple

from alliancekit.core.errors import SpecError, message

_WINDOW = 160  # characters of a line that a message shows
_PATTERN = re.compile(
    r"(?P<space>[ \t\r\f\u00a0]+|[#!][^\n]*)"
    r"|(?P<end>[\n;])"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[^\W\d][\w.]*|\.[^\W\d][\w.]*)"
    r"|(?P<text>\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?P<sign>=~|<~|~\*~|~~|:=|==|[-+*/^~|<>(),:?=])"
)


class Token(NamedTuple):
    """A piece of the text. kind: "number", "name", "text", "sign", "end" (of a line) or "stop" (of everything)."""

    kind: str
    text: str
    line: int
    column: int


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a model's text; spaces and comments (# or !) are left out.

    Raises
    ------
    SpecError : a character that has no meaning, with its line and column.
    """
    out: list[Token] = []
    line, begin, at, size = 1, 0, 0, len(text)
    match = _PATTERN.match
    while at < size:
        found = match(text, at)
        if found is None:
            raise fail(text, f"{text[at]!r} has no meaning here", line, at - begin + 1)
        kind = found.lastgroup or ""
        if kind != "space":
            out.append(Token(kind, found.group(), line, at - begin + 1))
        at = found.end()
        if kind == "end" and text[at - 1] == "\n":
            line, begin = line + 1, at
    out.append(Token("stop", "", line, at - begin + 1))
    return out


def fail(text: str, what: str, line: int, column: int, do: str = "") -> SpecError:
    """Return the error that shows the line and points at the column."""
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    first = max(0, column - 1 - _WINDOW // 2) if len(shown) > _WINDOW else 0
    shown = shown[first : first + _WINDOW]
    pointer = f"{shown}\n{' ' * (column - 1 - first)}^"
    return SpecError(f"{message(what, where=f'model line {line}, column {column}', do=do)}\n{pointer}")
