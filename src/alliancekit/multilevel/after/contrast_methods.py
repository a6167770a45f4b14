"""The weights of contrasts among k means, by the name of the method; the names of R's emmeans stand in brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message, nearest

Floats = NDArray[np.float64]

METHODS = ("pairwise", "reference", "consecutive", "polynomial", "effect")
DEFAULT_ADJUST = {
    "pairwise": "tukey",
    "reference": "dunnettx",
    "consecutive": "mvt",
    "polynomial": "none",
    "effect": "fdr",
    "custom": "none",
}
_MOST_DEGREES = 6
_DEGREES = ("linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6")
_LARGEST_WEIGHT = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Contrasts among k means.

    Attributes
    ----------
    names : one per contrast; for a pair the two names apart, so that a ratio can be written as one.
    values : shape (contrasts, k).
    """

    names: tuple[str | tuple[str, str], ...]
    values: Floats


def contrast_weights(method: str | Mapping[str, Any], names: Sequence[str], scores: Sequence[float] | None) -> Weights:
    """Return the weights of a method.

    Parameters
    ----------
    method : "pairwise" (each less each later one), "reference" (each less the first; trt.vs.ctrl), "consecutive" (each
        less the one before), "polynomial" (poly), "effect" (each less the mean of all; eff), or a dictionary of
        weights: name -> list of k weights, or name -> {level: weight}, where levels not named weigh nothing.
    names : of the k means. scores : their positions where they are numbers, for "polynomial".

    Raises
    ------
    SpecError : an unknown method or level, weights of the wrong number, fewer than two means.
    """
    if isinstance(method, Mapping):
        return _custom(method, names)
    makers: dict[str, Callable[[], Weights]] = {
        "pairwise": lambda: _pairs(names, [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]),
        "reference": lambda: _pairs(names, [(i, 0) for i in range(1, len(names))]),
        "consecutive": lambda: _pairs(names, [(i, i - 1) for i in range(1, len(names))]),
        "polynomial": lambda: _polynomial(len(names), scores),
        "effect": lambda: _effect(names),
    }
    make = makers[check_option("method", method, METHODS)]
    if len(names) < 2:
        do = 'Name a factor, or give several values of a covariate: at={"session": [0, 12]}'
        raise SpecError(message("a contrast needs two or more means, and there is one", do=do))
    return make()


def _pairs(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> Weights:
    values = np.zeros((len(pairs), len(names)))
    for row, (i, j) in enumerate(pairs):
        values[row, i], values[row, j] = 1.0, -1.0
    return Weights(tuple((names[i], names[j]) for i, j in pairs), values)


def _effect(names: Sequence[str]) -> Weights:
    k = len(names)
    return Weights(tuple(f"{name} effect" for name in names), np.eye(k) - 1.0 / k)


def _polynomial(k: int, scores: Sequence[float] | None) -> Weights:
    """Orthogonal polynomials over the scores in the smallest whole numbers; of length one where those are large."""
    exact = [Fraction(str(s)) for s in (range(k) if scores is None else scores)]
    degrees = min(k - 1, _MOST_DEGREES)
    basis = [[Fraction(1)] * k]
    rows = []
    for degree in range(1, degrees + 1):
        column = [x**degree for x in exact]
        for earlier in basis:
            share = _product(column, earlier) / _product(earlier, earlier)
            column = [a - share * b for a, b in zip(column, earlier, strict=True)]
        basis.append(column)
        rows.append(_whole_numbers(column))
    return Weights(_DEGREES[:degrees], np.array(rows))


def _product(one: Sequence[Fraction], two: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, two, strict=True)), Fraction(0))


def _whole_numbers(column: Sequence[Fraction]) -> Floats:
    common = lcm(*(a.denominator for a in column))
    whole = [int(a * common) for a in column]
    shared = gcd(*whole)
    whole = [a // shared for a in whole]
    values = np.array([float(a) for a in whole])
    return values if max(map(abs, whole)) <= _LARGEST_WEIGHT else values / np.sqrt(values @ values)


def _custom(method: Mapping[str, Any], names: Sequence[str]) -> Weights:
    if not method:
        raise SpecError(message("the dictionary of contrasts is empty", do='Give {"name": [1, -1]}'))
    rows = []
    for label, weights in method.items():
        if isinstance(weights, Mapping):
            row = np.zeros(len(names))
            for level, weight in weights.items():
                row[_place(str(level), names, str(label))] = _weight(weight, str(label))
        else:
            row = np.array([_weight(w, str(label)) for w in _sequence(weights, str(label))])
        if len(row) != len(names):
            what = f"contrast '{label}' has {len(row)} weights for {len(names)} means"
            raise SpecError(message(what, do=f"The means are, in this order: {', '.join(names)}"))
        if not row.any():
            raise SpecError(message(f"contrast '{label}' has no weight other than zero", do="Give it weights"))
        rows.append(row)
    return Weights(tuple(str(label) for label in method), np.array(rows))


def _sequence(weights: Any, label: str) -> list[Any]:
    if isinstance(weights, Sequence | np.ndarray) and not isinstance(weights, str):
        return list(weights)
    do = "Give a list of weights, or a dictionary from level to weight"
    raise SpecError(message(f"contrast '{label}' is a {type(weights).__name__}", do=do))


def _weight(value: Any, label: str) -> float:
    if isinstance(value, int | float | np.number) and bool(np.isfinite(value)):
        return float(value)
    raise SpecError(message(f"contrast '{label}' has a weight that is no number: {value!r}", do="Give numbers"))


def _place(level: str, names: Sequence[str], label: str) -> int:
    found = [i for i, name in enumerate(names) if name == level or name.endswith(f" {level}")]
    if len(found) == 1:
        return found[0]
    close = nearest(level, names)
    hint = f"Did you mean '{close}'? " if close else ""
    do = f"{hint}The means are: {', '.join(names)}"
    raise SpecError(message(f"contrast '{label}' names '{level}', which is none of the means", do=do))
