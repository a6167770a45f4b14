"""Formula text cut into tokens, and the error that points at a place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from alliancekit.core.errors import SpecError, message

TokenKind = Literal["number", "name", "quoted", "text", "operator", "end"]

MAX_LENGTH = 20_000
"""Longest formula text that is read, in characters."""

_WINDOW = 70

_PATTERN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>(?:[^\W\d]|\.)[\w.]*)
      | `(?P<quoted>[^`]+)`
      | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
      | (?P<operator>\|\||%in%|\*\*|[-~+*:/^()|,=])""",
    re.VERBOSE,
)

_FOREIGN = {
    "[": "Select rows or columns before fitting",
    "{": "A formula is not Python: nothing in it is evaluated",
    "@": "A formula is not Python: nothing in it is evaluated",
    "$": "Write the column's name alone",
    "%": "The only operator of this kind is %in%",
    "`": "A name in backticks needs a backtick on both sides",
    '"': "Close the quotes",
    "'": "Close the quotes",
    "<": "Make a column of True and False before fitting",
    ">": "Make a column of True and False before fitting",
    "!": "Make a column of True and False before fitting",
    "&": "Make a column of True and False before fitting",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a formula: its kind, its text (quotes removed) and its place in the formula, counted from 0."""

    kind: TokenKind
    text: str
    position: int


def shown_at(text: str, position: int) -> str:
    """Return the text and, under it, a caret at ``position``; of a long text only the neighbourhood.

    Examples
    --------
    >>> print(shown_at("y ~ x +", 6))
      y ~ x +
            ^
    """
    flat = re.sub(r"\s", " ", text)
    start = max(0, position - _WINDOW // 2) if len(flat) > _WINDOW else 0
    piece = flat[start : start + _WINDOW]
    head = "..." if start else ""
    tail = "..." if start + _WINDOW < len(flat) else ""
    return f"  {head}{piece}{tail}\n  {' ' * (len(head) + position - start)}^"


def bad_text(text: str, position: int, what: str, do: str = "") -> SpecError:
    """Return a SpecError that says what is wrong, at which character (counted from 1), and shows it with a caret."""
    said = message(what, where=f"character {position + 1}", do=do)
    return SpecError(f"{said}\n{shown_at(text, position)}")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a formula, the last one of kind "end".

    Raises
    ------
    SpecError : the text is too long or holds a character that has no meaning in a formula.

    Examples
    --------
    >>> [t.text for t in tokenize("y ~ log(x)")]
    ['y', '~', 'log', '(', 'x', ')', '']
    """
    if len(text) > MAX_LENGTH:
        what = f"the formula has {len(text)} characters; at most {MAX_LENGTH} are read"
        raise SpecError(message(what, do="Name fewer columns, or make the ones needed before fitting"))
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        found = _PATTERN.match(text, place)
        if found is None:
            raise bad_text(text, place, f"'{text[place]}' has no meaning in a formula", _FOREIGN.get(text[place], ""))
        kind = found.lastgroup
        if kind == "space":
            pass
        elif kind in ("double", "single"):
            tokens.append(Token("text", found[kind], place))
        elif kind == "name":
            tokens.append(Token("name", _plain_name(text, found["name"], place), place))
        elif kind == "number":
            tokens.append(Token("number", found["number"], place))
        elif kind == "quoted":
            tokens.append(Token("quoted", found["quoted"], place))
        else:
            tokens.append(Token("operator", found["operator"].replace("**", "^"), place))
        place = found.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _plain_name(text: str, name: str, place: int) -> str:
    if set(name) == {"."}:
        raise bad_text(text, place, f"'{name}' does not stand for columns here", "Name the columns one by one")
    if ".__" in name:
        do = "Nothing in a formula is evaluated as Python; a column of this name is written in backticks"
        raise bad_text(text, place, f"'{name}' looks like Python attribute access", do)
    return name
