"""Linear hypotheses about coefficients, such as ``"x = 0, x:time = 0"`` or ``"2*a - b = 1"``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message, nearest

_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\s,=+*]+")


def parse_hypothesis(text: str, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return contrasts L, shape (h, p), and right-hand sides, shape (h,): the hypotheses are L beta = right.

    Parameters
    ----------
    text : equations joined by commas; a side is a sum of coefficients (with a number in front) and numbers. Without
        "=" the expression is tested against 0.
    names : the coefficients' names, as in ``tidy()``.

    Raises
    ------
    SpecError : an unknown coefficient (the nearest one is named), no coefficient at all, bad syntax.

    Examples
    --------
    >>> parse_hypothesis("2*a - b = 1", ["a", "b"])
    (array([[ 2., -1.]]), array([1.]))
    """
    if not isinstance(text, str) or not text.strip():
        raise SpecError(message("the hypothesis is empty", do='Write for example "x = 0"'))
    rows, right = [], []
    for piece in _split(text, names):
        left, constant = _side(piece[0], names, text)
        if piece[1] is not None:
            other, other_constant = _side(piece[1], names, text)
            left, constant = left - other, constant - other_constant
        if not left.any():
            raise SpecError(
                message(f"'{piece[0].strip()}' names no coefficient", do=f"Coefficients are: {', '.join(names)}")
            )
        rows.append(left)
        right.append(-constant)
    return np.array(rows), np.array(right)


def _split(text: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Split at commas and at "=", but not inside a coefficient's name (such as ``poly(x, 2)1``)."""
    cuts: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        name = _name_at(text, at, names)
        if name:
            at += len(name)
            continue
        if text[at] in ",=":
            cuts.append((at, text[at]))
        at += 1
    out: list[tuple[str, str | None]] = []
    start, left = 0, None
    for position, sign in [*cuts, (len(text), ",")]:
        part = text[start:position]
        start = position + 1
        if sign == "=":
            if left is not None:
                raise SpecError(message("a hypothesis has more than one '='", where=text, do="Join several by commas"))
            left = part
        else:
            out.append((part, None) if left is None else (left, part))
            left = None
    return out


def _name_at(text: str, at: int, names: Sequence[str]) -> str | None:
    if at and (text[at - 1].isalnum() or text[at - 1] in "_.:") and (text[at].isalnum() or text[at] in "_.:"):
        return None
    found = [n for n in names if text.startswith(n, at)]
    found = [
        n
        for n in found
        if not (at + len(n) < len(text) and (text[at + len(n)].isalnum() or text[at + len(n)] in "_.:"))
    ]
    return max(found, key=len) if found else None


def _side(text: str, names: Sequence[str], whole: str) -> tuple[NDArray[np.float64], float]:
    """Return coefficients and constant of one side: a sum of numbers, names and their products."""
    weights, constant = np.zeros(len(names)), 0.0
    at, sign, seen = 0, 1.0, False
    while True:
        signs, at = _signs(text, at)
        if at == len(text):
            if signs or not seen:
                raise SpecError(
                    message("one side of the hypothesis is empty", where=whole, do='Write for example "x = 0"')
                )
            return weights, constant
        if seen and not signs:
            raise SpecError(
                message(f"an operator is missing before '{text[at:].strip()}'", where=whole, do="Write + or - between")
            )
        sign = -1.0 if signs.count("-") % 2 else 1.0
        factor, name, at = _product(text, at, names, whole)
        seen = True
        if name is None:
            constant += sign * factor
        else:
            weights[list(names).index(name)] += sign * factor


def _signs(text: str, at: int) -> tuple[str, int]:
    """Return the plus and minus signs from ``at`` on, and where they end."""
    start = at
    while at < len(text) and (text[at].isspace() or text[at] in "+-"):
        at += 1
    return "".join(text[start:at].split()), at


def _product(text: str, at: int, names: Sequence[str], whole: str) -> tuple[float, str | None, int]:
    """Return the number, the coefficient's name (None for a number alone) and the end of one product."""
    factor, name = 1.0, None
    while True:
        found = _name_at(text, at, names)
        number = None if found else _NUMBER.match(text, at)
        if found and name is None:
            name, at = found, at + len(found)
        elif number:
            factor, at = factor * float(number.group()), number.end()
        else:
            word = _WORD.match(text, at)
            raise _unknown(word.group() if word else text[at : at + 1], names, whole)
        rest = text[at:]
        if not rest.lstrip().startswith("*"):
            return factor, name, at
        at += len(rest) - len(rest.lstrip()) + 1
        at += len(text[at:]) - len(text[at:].lstrip())


def _unknown(word: str, names: Sequence[str], whole: str) -> SpecError:
    close = nearest(word, names)
    hint = f"Did you mean '{close}'? " if close else ""
    return SpecError(
        message(
            f"'{word}' is no coefficient of the model", where=whole, do=f"{hint}Coefficients are: {', '.join(names)}"
        )
    )
