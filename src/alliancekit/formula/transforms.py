"""The transforms of a formula, evaluated on arrays, with what each must remember for new data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.expressions import Binary, Call, Expr, Name, Number, Paren, Sum, Unary, label
from alliancekit.formula.vocabulary import logical, number

Array = NDArray[np.float64]
Fetch = Callable[[str], Array]


@dataclass(frozen=True, slots=True)
class ScaleState:
    """What ``scale`` and ``center`` remember: the value taken away and the value divided by."""

    middle: float
    spread: float


@dataclass(frozen=True, slots=True)
class PolyState:
    """What ``poly`` remembers: its recurrence coefficients (alpha) and squared lengths (norm2); none when raw."""

    degree: int
    alpha: tuple[float, ...]
    norm2: tuple[float, ...]


State: TypeAlias = ScaleState | PolyState

_SIMPLE: Mapping[str, Callable[[Array], Array]] = {
    "I": lambda x: x,
    "abs": np.abs,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "log2": np.log2,
    "log10": np.log10,
}


class Evaluator:
    """Evaluates the arithmetic of a formula on columns.

    Attributes
    ----------
    fetch : gives the values of a column as float64, NaN where missing.
    states : what stateful transforms remember, by the label of the call; filled while learning.
    learning : whether states are computed from these data (fitting) or must be there already (prediction).
    """

    def __init__(self, fetch: Fetch, states: dict[str, State], *, learning: bool) -> None:
        self.fetch = fetch
        self.states = states
        self.learning = learning

    def numbers(self, expr: Expr) -> Array:
        """Return the values of a numeric expression; undefined results are NaN or infinite, never a warning."""
        if isinstance(expr, Name):
            return self.fetch(expr.name)
        with np.errstate(all="ignore"):
            return self._value(expr)

    def polynomials(self, call: Call) -> Array:
        """Return the columns of ``poly(x, degree)``, shape (n, degree), Fortran order."""
        x = self.numbers(call.args[0])
        raw = logical(dict(call.options).get("raw")) is True
        state = self._state(call, lambda: _learn_poly(x, call, raw))
        assert isinstance(state, PolyState)
        with np.errstate(all="ignore"):
            return _powers(x, state.degree) if raw else _orthogonal(x, state)

    def _value(self, expr: Expr) -> Array:
        if isinstance(expr, Name):
            return self.fetch(expr.name)
        if isinstance(expr, Number):
            return np.float64(expr.value)  # type: ignore[return-value]  # broadcasts like an array
        if isinstance(expr, Paren):
            return self._value(expr.inner)
        if isinstance(expr, Unary):
            value = self._value(expr.operand)
            return -value if expr.operator == "-" else value
        if isinstance(expr, Sum):
            total = self._value(expr.items[0][1])
            for sign, item in expr.items[1:]:
                value = self._value(item)
                total = total + value if sign == "+" else total - value
            return total
        if isinstance(expr, Binary):
            return _combine(expr.operator, self._value(expr.left), self._value(expr.right))
        if isinstance(expr, Call):
            return self._call(expr)
        raise DesignError(message(f"'{label(expr)}' is not arithmetic"))

    def _call(self, call: Call) -> Array:
        x = self._value(call.args[0])
        if call.function in _SIMPLE:
            return _SIMPLE[call.function](x)
        if call.function == "log":
            base = number(call.args[1] if len(call.args) > 1 else dict(call.options).get("base"))
            return np.log(x) if base is None else np.log(x) / np.log(base)
        state = self._state(call, lambda: _learn_scale(x, call))
        assert isinstance(state, ScaleState)
        return (x - state.middle) / state.spread

    def _state(self, call: Call, learn: Callable[[], State]) -> State:
        key = label(call)
        if key not in self.states:
            if not self.learning:
                raise DesignError(message(f"{key} was not part of the model when it was fitted"))
            self.states[key] = learn()
        return self.states[key]


def _combine(operator: str, left: Array, right: Array) -> Array:
    if operator == "*":
        return left * right
    if operator == "/":
        return np.divide(left, right)
    if np.ndim(right) == 0 and float(right) == 2.0:
        return left * left
    return np.power(left, right)


def _known(x: Array, call: Call) -> Array:
    """Return the values a state is computed from: all finite ones, also of rows that another column drops (as in R)."""
    finite = np.isfinite(x)
    kept = x if finite.all() else x[finite]
    if not len(kept):
        raise DesignError(message(f"{label(call)} has no values to be computed from"))
    return kept


def _learn_scale(x: Array, call: Call) -> ScaleState:
    options = dict(call.options)
    values = _known(x, call)
    middle = _choice(options.get("center"), lambda: float(values.mean()), 0.0)
    if call.function == "center":
        return ScaleState(middle, 1.0)

    def spread_about() -> float:
        moved = values - middle
        return float(np.sqrt(moved @ moved / max(len(values) - 1, 1)))

    spread = _choice(options.get("scale"), spread_about, 1.0)
    if not spread > 1e-14 * float(np.abs(values).max()):
        do = "Leave the constant column out of the formula"
        raise DesignError(message(f"{label(call)} divides by a standard deviation of 0", do=do))
    return ScaleState(middle, spread)


def _choice(option: Expr | None, computed: Callable[[], float], off: float) -> float:
    given = number(option)
    if given is not None:
        return given
    return off if logical(option) is False else computed()


def _learn_poly(x: Array, call: Call, raw: bool) -> PolyState:
    """Return alpha and norm2 of the orthogonal polynomials over ``x`` (Kennedy and Gentle, 1980, pp. 343-344)."""
    degree = int(number(call.args[1] if len(call.args) > 1 else dict(call.options).get("degree")) or 1)
    if raw:
        return PolyState(degree, (), ())
    values = _known(x, call)
    alpha, norm2 = [float(values.mean())], [float(len(values))]
    before, now = np.ones_like(values), values - alpha[0]
    reach = float(np.abs(values).max()) * np.sqrt(len(values))
    for i in range(1, degree + 1):
        norm2.append(float(now @ now))
        if not np.sqrt(norm2[i]) > 1e-12 * reach:
            what = f"{label(call)} needs more than {degree} distinct values"
            raise DesignError(message(what, do="Lower the degree"))
        if i == degree:
            break
        alpha.append(float((values * now) @ now) / norm2[i])
        moved = (values - alpha[i]) * now
        reach = float(np.sqrt(moved @ moved))
        before, now = now, moved - (norm2[i] / norm2[i - 1]) * before
    return PolyState(degree, tuple(alpha), tuple(norm2))


def _orthogonal(x: Array, state: PolyState) -> Array:
    out = np.empty((len(x), state.degree), order="F")
    out[:, 0] = x - state.alpha[0]
    for i in range(1, state.degree):
        before: Array | float = out[:, i - 2] if i > 1 else 1.0
        out[:, i] = (x - state.alpha[i]) * out[:, i - 1] - (state.norm2[i] / state.norm2[i - 1]) * before
    out /= np.sqrt(np.array(state.norm2[1:]))
    return out


def _powers(x: Array, degree: int) -> Array:
    out = np.empty((len(x), degree), order="F")
    out[:, 0] = x
    for i in range(1, degree):
        out[:, i] = out[:, i - 1] * x
    return out
