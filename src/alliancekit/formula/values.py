"""Evaluate a variable of a formula on data: our own interpreter for a short list of operators and functions.

The state of a transform (mean, SD, polynomial coefficients, factor levels) is kept by the variable's text, so that new
data get the coding of the old.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.formula.contrasts import KINDS
from alliancekit.formula.expressions import Expr, deparse

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A numeric variable: one or more columns. ``suffixes`` follow the variable's text in column names."""

    columns: tuple[Floats, ...]
    suffixes: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """A factor: a code per row, its levels, and how it is coded. ``contrast``, ``reference`` as in ``contrasts.contrast``."""

    codes: Ints
    levels: tuple[str, ...]
    contrast: str = "treatment"
    reference: int = 0


Value = Numbers | Levels


@dataclass(slots=True, eq=False)
class Memory:
    """What was learned from the data the model was fitted to. ``learning`` False: use it, do not change it."""

    known: dict[str, Any] = field(default_factory=dict)
    learning: bool = True

    def keep(self, key: str, make: Any) -> Any:
        """Return what is known under ``key``; learn it by calling ``make`` where that is allowed."""
        if key not in self.known:
            if not self.learning:
                raise DesignError(message(f"'{key}' was not part of the model"))
            self.known[key] = make()
        return self.known[key]


def evaluate(node: Expr, frame: pd.DataFrame, memory: Memory) -> Value:
    """Return the value of a variable such as ``x``, ``log(x)`` or ``C(arm)``."""
    if node.kind == "name":
        return _column(str(node.value), frame, memory)
    if node.kind == "call":
        function = str(node.value)
        if function in ("C", "factor"):
            return _factor_call(node, frame, memory)
        if function == "poly":
            return _poly(node, frame, memory)
        if function in ("scale", "center"):
            return _standardised(node, frame, memory)
    return Numbers((_arithmetic(node, frame, memory),))


def sort_levels(values: Any) -> list[Any]:
    """Sort levels as the conventions say: numbers ascending, text by code point."""
    return sorted(values, key=lambda v: (isinstance(v, str), v))


def _column(name: str, frame: pd.DataFrame, memory: Memory) -> Value:
    series = frame[name]
    kind = memory.keep(f"kind of {name}", lambda: _kind(series))
    if kind == "number":
        return Numbers((_numbers(series, name),))
    return _levels(series, name, memory, kind)


def _kind(series: pd.Series) -> str:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "ordered" if dtype.ordered else "factor"
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        raise DesignError(
            message(
                f"'{series.name}' holds dates",
                do=f'Turn it into days first: ak.dates_to_days(data, "{series.name}", by="patient")',
            )
        )
    _refuse_text_numbers(series)
    return "factor"


def _refuse_text_numbers(series: pd.Series) -> None:
    present = series.dropna()
    if len(present) == 0:
        return
    numbers = pd.to_numeric(present, errors="coerce")
    share = float(numbers.notna().mean())
    if share > 0.8 and (share < 1 or present.nunique() > 12):
        bad = present[numbers.isna()]
        shown = ", ".join(f"row {i}: {v!r}" for i, v in list(bad.items())[:5])
        where = shown or "every value is a number written as text"
        raise DesignError(
            message(
                f"'{series.name}' is text, but {share:.0%} of its values are numbers",
                where=where,
                do="Correct these cells, or turn the column into numbers with pandas.to_numeric; "
                "if it really is a factor, write factor(" + str(series.name) + ")",
            )
        )


def _numbers(series: pd.Series, name: str) -> Floats:
    try:
        values = series.to_numpy(dtype=float, na_value=np.nan) if series.hasnans else series.to_numpy(dtype=float)
    except (ValueError, TypeError) as error:
        raise DesignError(message(f"'{name}' was a number in the fitted data and is not in these")) from error
    if values.size and not np.isfinite(values.sum()) and np.isinf(values).any():
        rows = np.flatnonzero(np.isinf(values))
        raise DesignError(
            message(
                f"'{name}' has {rows.size} infinite values",
                where=_rows(series, rows),
                do="Set them to missing or correct them",
            )
        )
    return np.asarray(values, dtype=np.float64)


def _rows(series: pd.Series, rows: Ints) -> str:
    shown = ", ".join(str(series.index[i]) for i in rows[:5])
    return f"rows {shown}" + (" ..." if rows.size > 5 else "")


def _levels(series: pd.Series, name: str, memory: Memory, kind: str) -> Levels:
    codes, labels = factorise(series)
    levels = memory.keep(f"levels of {name}", lambda: labels)
    if labels != levels:
        where = {label: i for i, label in enumerate(levels)}
        unknown = [label for label in labels if label not in where]
        if unknown:
            raise DesignError(
                message(
                    f"'{name}' has levels that the model has not seen: {', '.join(unknown[:5])}",
                    do=f"Its levels are: {', '.join(levels[:20])}",
                )
            )
        codes = np.array([where[label] for label in labels] + [-1], dtype=np.intp)[codes]
    return Levels(codes, levels, "poly" if kind == "ordered" else "treatment")


def factorise(series: pd.Series) -> tuple[Ints, tuple[str, ...]]:
    """Return a code per row (-1 = missing) and the labels of the levels that occur, sorted as the conventions say."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        raw = series.cat.codes.to_numpy()
        names = [label_of(c) for c in series.cat.categories]
        used = np.zeros(len(names) + 1, dtype=bool)
        used[raw] = True
        used = used[:-1]
        if used.all():
            return raw.astype(np.intp), tuple(names)
        place = np.append(np.cumsum(used) - 1, -1)
        return place[raw].astype(np.intp), tuple(n for n, u in zip(names, used, strict=True) if u)
    if pd.api.types.is_bool_dtype(series.dtype):
        codes, uniques = pd.factorize(series)
    else:
        codes, uniques = pd.factorize(series, use_na_sentinel=True)
    values = list(uniques)
    order = sorted(range(len(values)), key=lambda i: (isinstance(values[i], str), values[i]))
    rank = np.empty(len(values) + 1, dtype=np.intp)
    rank[order] = np.arange(len(values))
    rank[-1] = -1
    return rank[codes], tuple(label_of(values[i]) for i in order)


def label_of(value: Any) -> str:
    """Return a level's label: TRUE/FALSE for booleans, whole numbers without a point."""
    if isinstance(value, bool | np.bool_):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _factor_call(node: Expr, frame: pd.DataFrame, memory: Memory) -> Levels:
    """C(x), C(x, "sum"), C(x, ref = "b"), factor(x)."""
    label = deparse(node)
    inner = node.parts[0]
    if inner.kind != "name":
        raise SpecError(message(f"{label}: only a column can be a factor", do="Write C(arm)"))
    name = str(inner.value)
    value = _levels(frame[name], label, memory, "ordered" if _is_ordered(frame[name]) else "factor")
    kind, reference = value.contrast, 0
    for part, word in zip(node.parts[1:], node.words[1:], strict=True):
        text = str(part.value)
        if word in ("ref", "reference", "base"):
            text = label_of(part.value) if part.kind == "number" else text
            if text not in value.levels:
                raise DesignError(
                    message(
                        f"{label}: '{text}' is no level of '{name}'",
                        do=f"Its levels are: {', '.join(value.levels[:20])}",
                    )
                )
            reference = value.levels.index(text)
            kind = "treatment"
            continue
        chosen = text.removeprefix("contr.").lower()
        chosen = {"treatment": "treatment", "sum": "sum", "helmert": "helmert", "poly": "poly"}.get(chosen, "")
        if word not in ("", "contr", "contrast", "contrasts") or not chosen:
            raise SpecError(
                message(f"{label}: '{text}' is no contrast", do=f'Use one of: {", ".join(KINDS)}, or ref = "level"')
            )
        kind = chosen
    return Levels(value.codes, value.levels, kind, reference)


def _is_ordered(series: pd.Series) -> bool:
    return isinstance(series.dtype, pd.CategoricalDtype) and bool(series.cat.ordered)


def _poly(node: Expr, frame: pd.DataFrame, memory: Memory) -> Numbers:
    """Orthogonal polynomials as R's poly(): orthonormal over the rows used, three-term recurrence for new rows."""
    label = deparse(node)
    arguments = dict(zip(node.words, node.parts, strict=True))
    number = arguments.get("degree", node.parts[1] if len(node.parts) > 1 else None)
    degree = 1.0 if number is None else float(number.value) if number.kind == "number" else np.nan
    if not (degree.is_integer() and 1 <= degree <= 10):
        raise SpecError(message(f"{label}: the degree must be a whole number from 1 to 10"))
    x = _arithmetic(node.parts[0], frame, memory)
    alpha, norms = memory.keep(label, lambda: _poly_coefficients(x, int(degree), label))
    columns = [np.ones_like(x), x - alpha[0]]
    for i in range(1, int(degree)):
        columns.append((x - alpha[i]) * columns[i] - norms[i + 1] / norms[i] * columns[i - 1])
    out = tuple(columns[i + 1] / np.sqrt(norms[i + 2]) for i in range(int(degree)))
    return Numbers(out, tuple(str(i + 1) for i in range(int(degree))) if degree > 1 else ("1",))


def _poly_coefficients(x: Floats, degree: int, label: str) -> tuple[list[float], list[float]]:
    present = x[~np.isnan(x)]
    if np.unique(present).size <= degree:
        raise DesignError(
            message(f"{label}: a polynomial of degree {degree} needs more than {degree} different values")
        )
    alpha, norms = [], [1.0, float(present.size)]
    before, current = np.zeros_like(present), np.ones_like(present)
    for _ in range(degree):
        alpha.append(float((present * current**2).sum() / norms[-1]))
        following = (present - alpha[-1]) * current - (norms[-1] / norms[-2] if len(norms) > 2 else 0.0) * before
        before, current = current, following
        norms.append(float((current**2).sum()))
    return alpha, norms


def _standardised(node: Expr, frame: pd.DataFrame, memory: Memory) -> Numbers:
    label = deparse(node)
    if len(node.parts) != 1:
        raise SpecError(message(f"{label}: {node.value}() takes one argument here"))
    x = _arithmetic(node.parts[0], frame, memory)

    def learn() -> tuple[float, float]:
        mean = float(np.nanmean(x)) if x.size else 0.0
        if node.value == "center":
            return mean, 1.0
        spread = float(np.nanstd(x, ddof=1)) if x.size > 1 else 0.0
        if not spread > 0:
            raise DesignError(message(f"{label}: the column has no variance", do="Leave the term out"))
        return mean, spread

    mean, spread = memory.keep(label, learn)
    return Numbers(((x - mean) / spread,))


def _arithmetic(node: Expr, frame: pd.DataFrame, memory: Memory) -> Floats:
    """Evaluate arithmetic on numeric columns (the inside of I(), log() and the like)."""
    if node.kind == "number":
        return np.full(len(frame), float(node.value))
    if node.kind == "name":
        value = _column(str(node.value), frame, memory)
        if isinstance(value, Levels):
            if memory.known.get(f"kind of {node.value}") == "bool":
                return (value.codes == len(value.levels) - 1).astype(float)
            raise DesignError(message(f"'{node.value}' is not numeric: arithmetic with it has no meaning"))
        return value.columns[0]
    if node.kind == "unary":
        inner = _arithmetic(node.parts[0], frame, memory)
        return -inner if node.value == "-" else inner
    if node.kind == "binary":
        return _binary(node, frame, memory)
    if node.kind == "call":
        return _function(node, frame, memory)
    raise SpecError(message(f"{deparse(node)} is no number"))


def _binary(node: Expr, frame: pd.DataFrame, memory: Memory) -> Floats:
    a, b = (_arithmetic(p, frame, memory) for p in node.parts)
    with np.errstate(all="ignore"):
        if node.value == "+":
            out = a + b
        elif node.value == "-":
            out = a - b
        elif node.value == "*":
            out = a * b
        elif node.value == "/":
            out = a / b
        elif node.value == "^":
            out = np.power(a, b)
        else:
            raise SpecError(message(f"'{node.value}' is no arithmetic", where=deparse(node)))
    return _checked(out, (a, b), node)


def _function(node: Expr, frame: pd.DataFrame, memory: Memory) -> Floats:
    name = str(node.value)
    if name in ("scale", "center"):
        return _standardised(node, frame, memory).columns[0]
    plain = {"log": np.log, "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "exp": np.exp, "abs": np.abs}
    if name not in plain and name not in ("I", "("):
        raise SpecError(message(f"{name}() cannot be used inside arithmetic", where=deparse(node)))
    if len(node.parts) != 1:
        raise SpecError(message(f"{name}() takes one argument", where=deparse(node)))
    inner = _arithmetic(node.parts[0], frame, memory)
    if name in ("I", "("):
        return inner
    with np.errstate(all="ignore"):
        out = np.asarray(plain[name](inner), dtype=np.float64)
    return _checked(out, (inner,), node)


def _checked(out: Floats, inputs: tuple[Floats, ...], node: Expr) -> Floats:
    """Refuse a number that became undefined where its inputs were known."""
    bad = ~np.isfinite(out)
    for value in inputs:
        bad &= ~np.isnan(value)
    if bad.any():
        rows = np.flatnonzero(bad)
        raise DesignError(
            message(
                f"{deparse(node)} is not defined for {rows.size} rows",
                where=f"first at position {rows[0]}, where the value is {float(inputs[-1][rows[0]]):g}",
                do="Shift or filter the column before taking the transform",
            )
        )
    return out
