"""The variables of the fixed part, and the values at which means, contrasts and slopes are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message, nearest
from alliancekit.formula.design import Design
from alliancekit.formula.expressions import columns_in
from alliancekit.formula.factors import Codes, factorise, level_label

Floats = NDArray[np.float64]

SPREADS = ("mean", "mean ± sd", "quartiles", "range")
_PLUS_MINUS = ("±", "+/-", "+-", "-/+")


@dataclass(frozen=True, slots=True, eq=False)
class GridVariable:
    """A data column of the fixed part.

    Attributes
    ----------
    name : the column. kind : "factor", "pair" (numbers with just two values, treated as a factor, as emmeans does) or
        "number". levels : labels of a factor, or the two numbers of a pair. raw : the value in the data that stands for
        each level. codes : (n,) level of each row used; empty for numbers. values : (n,) numbers; empty for factors.
    """

    name: str
    kind: str
    levels: tuple[Any, ...]
    raw: tuple[Any, ...]
    codes: Codes
    values: Floats

    @property
    def has_levels(self) -> bool:
        """Whether the variable is averaged over its levels rather than held at its mean."""
        return self.kind != "number"


def grid_variables(design: Design, frame: pd.DataFrame) -> dict[str, GridVariable]:
    """Return the data columns of the fixed part and of offsets, in the order of the formula.

    Parameters
    ----------
    frame : the rows used, n of them, all columns of the data.
    """
    factors = {c for v in design.recipe.fixed.variables if v.is_factor for c in columns_in(v.expr)}
    out = {}
    for name in design.recipe.columns(random=False):
        factor = factorise(frame[name])
        if name in factors:
            labels = factor.labels.all()
            first = [int(np.flatnonzero(factor.codes == i)[0]) for i in range(len(labels))]
            raw = tuple(frame[name].iloc[i] for i in first)
            out[name] = GridVariable(name, "factor", labels, raw, factor.codes, np.empty(0))
            continue
        values = frame[name].to_numpy(dtype=np.float64)
        two = tuple(float(v) for v in np.unique(values)) if factor.labels.size == 2 else ()
        codes = factor.codes if two else np.empty(0, np.intp)
        out[name] = GridVariable(name, "pair" if two else "number", two, two, codes, values)
    return out


def check_names(names: str | Sequence[str] | None, variables: Mapping[str, GridVariable], what: str) -> tuple[str, ...]:
    """Return names of columns as a tuple; SpecError for one that is not in the fixed part of the model."""
    listed = (names,) if isinstance(names, str) else tuple(names or ())
    for name in listed:
        if name not in variables:
            close = nearest(str(name), variables)
            hint = f"Did you mean '{close}'? " if close else ""
            have = ", ".join(variables) if variables else "none"
            raise SpecError(
                message(
                    f"'{name}' is not a variable of the fixed part", where=what, do=f"{hint}Its variables are: {have}"
                )
            )
    if len(set(listed)) < len(listed):
        raise SpecError(message(f"{what} names a variable twice", where=", ".join(listed), do="Name it once"))
    return listed


def chosen_values(
    variables: Mapping[str, GridVariable], at: Mapping[str, Any] | None, defaults: Mapping[str, Any] | None = None
) -> dict[str, tuple[Any, ...]]:
    """Return the values of each variable in the grid: those of ``at``, else all levels, else the mean.

    Parameters
    ----------
    at : column -> value, list of values, or one of "mean", "mean ± sd", "quartiles", "range". For a factor: levels.
    defaults : the same for columns that ``at`` does not name.

    Raises
    ------
    SpecError : a column or level that the model does not have, or a value that is no number.
    """
    if at is not None and not isinstance(at, Mapping):
        raise SpecError(message(f"at is a {type(at).__name__}", do='Give a dictionary such as {"session": [0, 12]}'))
    check_names(list(at or ()), variables, "at")
    asked = {**(defaults or {}), **(at or {})}
    out: dict[str, tuple[Any, ...]] = {}
    for name, variable in variables.items():
        if name not in asked:
            out[name] = variable.levels if variable.has_levels else (float(variable.values.mean()),)
        elif variable.kind == "factor":
            out[name] = _levels(variable, asked[name])
        else:
            out[name] = _numbers(variable, asked[name])
    return out


def _listed(value: Any, name: str) -> list[Any]:
    several = isinstance(value, Sequence | np.ndarray | pd.Series | pd.Index) and not isinstance(value, str)
    values = list(value) if several else [value]
    if not values:
        raise SpecError(message(f"at gives no value for '{name}'", do="Give one or more"))
    return values


def _levels(variable: GridVariable, value: Any) -> tuple[str, ...]:
    labels = [level_label(v) for v in _listed(value, variable.name)]
    for label in labels:
        if label not in variable.levels:
            close = nearest(label, variable.levels)
            hint = f"Did you mean '{close}'? " if close else ""
            do = f"{hint}Levels are: {', '.join(variable.levels)}"
            raise SpecError(message(f"'{label}' is not a level of '{variable.name}'", where="at", do=do))
    return tuple(labels)


def _numbers(variable: GridVariable, value: Any) -> tuple[float, ...]:
    if isinstance(value, str):
        return spread_values(variable, value)
    out = []
    for one in _listed(value, variable.name):
        number = isinstance(one, int | float | np.number) and bool(np.isfinite(one))
        if not number:
            do = f"Give numbers, or one of: {', '.join(SPREADS)}"
            raise SpecError(message(f"{one!r} is not a value of '{variable.name}'", where="at", do=do))
        out.append(float(one))
    return tuple(out)


def outside_notes(variables: Mapping[str, GridVariable], values: Mapping[str, tuple[Any, ...]]) -> tuple[str, ...]:
    """Return a sentence for each covariate with a value outside the range of the data."""
    out = []
    for name, variable in variables.items():
        if variable.kind == "factor":
            continue
        low, high = float(variable.values.min()), float(variable.values.max())
        reach = 1e-9 * (high - low)
        beyond = [v for v in values[name] if v < low - reach or v > high + reach]
        if beyond:
            what = f"{name} = {', '.join(f'{v:.5g}' for v in beyond)} lies outside the data"
            do = "What is said there is extrapolated, not observed"
            out.append(message(what, where=f"{low:.5g} to {high:.5g}", do=do))
    return tuple(out)


def digits_of(variable: GridVariable, values: Sequence[Any]) -> int:
    """Return the digits after the point that suit a variable: by its range, and enough to tell values apart."""
    if variable.kind == "factor":
        return 0
    span = float(np.ptp(variable.values)) or 1.0
    digits = max(0, 3 - int(np.floor(np.log10(span))))
    while digits < 15 and len({round(v, digits) for v in values}) < len(set(values)):
        digits += 1
    return digits


def spread_values(variable: GridVariable, word: str) -> tuple[float, ...]:
    """Return the values that a word such as "mean ± sd" stands for, over the rows used."""
    plain = " ".join(word.lower().split())
    for sign in _PLUS_MINUS:
        plain = " ".join(plain.replace(sign, " ± ").split())
    if plain not in SPREADS:
        close = nearest(plain, SPREADS)
        hint = f"Did you mean '{close}'? " if close else ""
        do = f"{hint}Give numbers, or one of: {', '.join(SPREADS)}"
        raise SpecError(message(f"{word!r} is not a value of '{variable.name}'", where="at", do=do))
    values = variable.values
    mean = float(values.mean())
    if plain == "mean":
        return (mean,)
    if plain == "quartiles":
        return tuple(float(v) for v in np.quantile(values, [0.25, 0.5, 0.75]))
    if plain == "range":
        return (float(values.min()), float(values.max()))
    sd = float(values.std(ddof=1))
    return (mean - sd, mean, mean + sd)
