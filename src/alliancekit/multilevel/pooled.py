"""One slope for two effects: predictors that vary within and between units and enter a model as one column.

The slope of such a predictor is a mixture of its effect within units and its effect between them, weighted by how
reliably each is estimated, and in general neither (Raudenbush & Bryk 2002, pp. 135-139; Curran & Bauer 2011, Annual
Review of Psychology 62, 583-619). What only tells when a row was recorded, and the outcome's own past, are left alone:
centring a lagged outcome by person biases it (Nickell 1981, Econometrica 49, 1417-1426).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import message
from alliancekit.formula.blocks import RandomBlock
from alliancekit.formula.design import Design
from alliancekit.formula.expressions import Name, columns_in
from alliancekit.numerics.spread import Spread, collapse, explained, group_means, spread_between

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
TIME_NAMES = frozenset(("time", "session", "week", "day", "days", "month", "occasion", "wave"))
SMALL_SHARE = 0.05
"""A predictor with less of its variance at one of two levels belongs to the other."""
CERTAIN = 0.001
"""p value of the difference between units above which a fit does not warn."""
REPRODUCED, EXACTLY = 0.90, 0.97
_UNITS, _ROWS = 500, 20_000


@dataclass(frozen=True, slots=True)
class Pooled:
    """A predictor with one slope for two levels: its column, the units, and the share of its variance between them."""

    column: str
    group: str
    share: float


def two_levels(
    values: Floats, codes: Ints, finest: Ints, X: Floats, own: NDArray[np.bool_], alpha: float = 0.05
) -> Spread | None:
    """Return the spread of a predictor that has one slope for what varies within and between units; else None.

    Parameters
    ----------
    values : shape (n,), the predictor. codes : unit of each row. finest : unit of the lowest grouping factor, whose
        means are compared where ``codes`` are units above it, so that repeated rows do not count twice.
    X : shape (n, p), fixed part of the model. own : shape (p,), its columns that are made of the predictor.
    alpha : level of the F test that all units have one mean.

    Notes
    -----
    There is no trouble where the model holds the units' means in another column (within + between, or raw + mean).
    Means over other rows than those used count as such, so they need to be reproduced to 90% only.
    """
    found = spread_between(*collapse(values, codes, finest))
    if found is None or not SMALL_SHARE < found.icc < 1 - SMALL_SHARE or found.p_value >= alpha:
        return None
    means = group_means(values, codes)
    if explained(X, means) >= EXACTLY or explained(X[:, ~own], means) >= REPRODUCED:
        return None
    return found


def tells_time(values: Floats, codes: Ints) -> bool:
    """Return True where a column only goes up (or down) within units, or counts from one start without repeats."""
    order = np.argsort(codes, kind="stable")
    unit, ordered = codes[order], values[order]
    same = unit[1:] == unit[:-1]
    steps = np.diff(ordered)[same]
    if steps.size < 6:
        return False
    if (steps >= 0).all() or (steps <= 0).all():
        return True
    order = np.lexsort((values, codes))
    unit, ordered = codes[order], values[order]
    same = unit[1:] == unit[:-1]
    if (np.diff(ordered)[same] == 0).any():
        return False
    starts = ordered[np.concatenate([[True], ~same])]
    return bool(np.isclose(starts, np.median(starts)).mean() >= 0.8)


def follows_outcome(values: Floats, y: Floats, codes: Ints) -> bool:
    """Return True where a column is the outcome of the row before, of the same unit (in most rows, or on its scale)."""
    order = np.argsort(codes, kind="stable")
    same = codes[order][1:] == codes[order][:-1]
    past, now = y[order][:-1][same], values[order][1:][same]
    if past.size < 6 or np.ptp(past) == 0 or np.ptp(now) == 0:
        return False
    return bool(np.isclose(past, now).mean() >= 0.7 or np.corrcoef(past, now)[0, 1] > 0.999)


def is_lag_of(column: str, outcomes: Collection[str]) -> bool:
    """Return True where a column has the name that ``ak.lag`` gives to an outcome's past."""
    return any(re.fullmatch(rf"{re.escape(name)}_lag\d*", column) for name in outcomes)


def pooled_predictors(design: Design, times: Collection[str] = ()) -> list[Pooled]:
    """Return the predictors of a design that vary within and between the finest units and have one slope for both.

    ``times`` are columns known to tell when a row was recorded. Of many units some, evenly spread, are looked at.
    """
    block = max(design.random, key=lambda b: b.n_groups, default=None)
    if block is None or block.n_groups >= len(block.codes) or block.n_groups < 2:
        return []
    candidates = _candidates(design, times)
    if not candidates:
        return []
    units, rows = _sample(block)
    codes, whole = block.codes[rows], block.codes[units]
    sizes = np.bincount(codes, minlength=block.n_groups)
    found: list[Pooled] = []
    for column, place in candidates.items():
        values = design.X[rows, place]
        if _one_level(values, codes, sizes) or len(np.unique(values)) < 3:
            continue
        courses = design.X[units, place]
        if tells_time(courses, whole) or (design.y is not None and follows_outcome(courses, design.y[units], whole)):
            continue
        spread = two_levels(values, codes, codes, design.X[rows], _made_of(design, column), CERTAIN)
        if spread is not None:
            found.append(Pooled(column, block.group, spread.icc))
    return found


def _candidates(design: Design, times: Collection[str]) -> dict[str, int]:
    """Return the numeric data columns that enter on their own, each with the place of its first column in X."""
    out: dict[str, int] = {}
    response = design.formula.response
    outcomes = set(columns_in(response)) if response is not None else set()
    part = design.recipe.fixed
    for number, term in enumerate(part.terms, start=1):
        if len(term.parts) != 1 or number not in design.assign:
            continue
        variable = part.variables[term.parts[0][0]]
        names = set(columns_in(variable.expr))
        if variable.is_factor or len(names) != 1:
            continue
        (name,) = names
        if name in times or name.lower() in TIME_NAMES or is_lag_of(name, outcomes):
            continue
        out.setdefault(name, design.assign.index(number))
    return out


def _made_of(design: Design, column: str) -> NDArray[np.bool_]:
    """Return which columns of X belong to terms that hold a data column."""
    part = design.recipe.fixed
    own = {
        number
        for number, term in enumerate(part.terms, start=1)
        if any(column in columns_in(part.variables[place].expr) for place, _ in term.parts)
    }
    return np.array([number in own for number in design.assign], dtype=bool)


def _sample(block: RandomBlock) -> tuple[Ints | slice, Ints | slice]:
    """Return the rows of evenly spread units, and of these evenly spread rows; all of them where they are not many."""
    units: Ints | slice = slice(None)
    count = len(block.codes)
    if block.n_groups > _UNITS:
        kept = np.zeros(block.n_groups, dtype=bool)
        kept[:: block.n_groups // _UNITS + 1] = True
        units = np.flatnonzero(kept[block.codes])
        count = len(units)
    step = count // _ROWS + 1
    if step == 1:
        return units, units
    return units, (slice(None, None, step) if isinstance(units, slice) else units[::step])


def _one_level(values: Floats, codes: Ints, sizes: Ints) -> bool:
    """Return True where, by a quick look at sums of squares, a column varies at one level only."""
    used = sizes > 0
    n, groups = len(values), int(used.sum())
    if n <= groups or groups < 2:
        return True
    centred = values - values.mean()
    total = float(centred @ centred)
    sums = np.bincount(codes, centred, len(sizes))[used]
    between = float((sums**2 / sizes[used]).sum())
    within = total - between
    if within <= 1e-10 * total or between <= 1e-10 * total:
        return True
    ratio = between / (groups - 1) / (within / (n - groups))
    icc = (ratio - 1) / (ratio + n / groups - 1)
    return not SMALL_SHARE / 2 < icc < 1 - SMALL_SHARE / 2


def pooled_text(design: Design, found: list[Pooled], labels: dict[str, str]) -> str:
    """Return the warning about pooled predictors, with the split written out."""
    group = found[0].group
    named = [
        f"'{p.column}'" + (f" ({labels[p.column]})" if p.column in labels else "") + f" [{100 * p.share:.0f}% between]"
        for p in found
    ]
    several = len(found) > 1
    what = (
        f"{' and '.join(named)} {'vary' if several else 'varies'} within and between the units of '{group}', but "
        f"{'each has' if several else 'has'} one slope for both: a mixture of two effects"
    )
    columns = next(b.columns for b in design.random if b.group == group)
    by = f'"{columns[0]}"' if len(columns) == 1 else "the column of these units"
    calls = "; ".join(f'df = ak.within_between(df, "{p.column}", by={by})' for p in found)
    formula = split_formula(design, [p.column for p in found])
    then = f'and fit "{formula}"' if formula else "and enter both parts, ..._within and ..._between"
    return message(what, do=f"Split {'them' if several else 'it'}: {calls} {then}")


def split_formula(design: Design, columns: list[str]) -> str | None:
    """Return the formula with each column replaced by its parts; None where one stands inside a transform.

    A random slope takes the within part, since the between part does not vary within units.
    """
    text = " ".join(design.formula.text.split())
    for term in design.recipe.fixed.variables:
        if not isinstance(term.expr, Name) and any(c in columns_in(term.expr) for c in columns):
            return None
    if any(not re.fullmatch(r"[^\W\d]\w*", c) for c in columns):
        return None
    left, right = text.split("~", 1)
    pieces = re.split(r"(\([^()]*\|[^()]*\))", right)
    for i, piece in enumerate(pieces):
        for column in columns:
            if i % 2:
                slopes, bar, unit = piece.partition("|")
                pieces[i] = piece = re.sub(rf"\b{column}\b", f"{column}_within", slopes) + bar + unit
            else:
                pieces[i] = piece = _split_fixed(piece, column)
    return f"{left.strip()} ~ {''.join(pieces).strip()}"


def _split_fixed(text: str, column: str) -> str:
    both = f"{column}_within + {column}_between"

    def parts(found: re.Match[str]) -> str:
        before, after = text[: found.start()].rstrip(), text[found.end() :].lstrip()
        joined = before.endswith(("*", ":", "/", "-")) or after.startswith(("*", ":", "/", "^"))
        return f"({both})" if joined else both

    return re.sub(rf"(?<![\w.]){column}(?![\w.])", parts, text)
