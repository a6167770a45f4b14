"""From a formula and a frame to design matrices, with a recipe that codes new data in the same way."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, DesignWarning, check_columns, check_option, message
from alliancekit.core.sample import SampleAccount
from alliancekit.formula.coding import code_terms
from alliancekit.formula.expressions import deparse
from alliancekit.formula.grouping import Grouping, group_rows
from alliancekit.formula.parse import Formula, RandomTerm, parse_formula
from alliancekit.formula.rank import combination, dependent_columns
from alliancekit.formula.values import Levels, Memory, Numbers, Value, evaluate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RandomBlock:
    """The columns of one random term and the level of each row.

    group : name of the grouping factor. codes : shape (n,), -1 for a level the model has not seen. levels : labels.
    Z : shape (n, q). names : R's term names. correlated : covariances are free. display : as printed.
    """

    group: str
    codes: NDArray[np.intp]
    levels: tuple[str, ...]
    Z: Floats
    names: tuple[str, ...]
    correlated: bool
    display: str


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How a design was made: formula, learned state, columns kept. Codes new data in the same way."""

    formula: Formula
    memory: Memory
    names: tuple[str, ...]
    groupings: Mapping[str, tuple[str, ...]]

    def build(self, frame: pd.DataFrame) -> NewDesign:
        """Return X, random blocks and offset for new rows; a missing value makes its row's X missing.

        Raises
        ------
        DesignError : a column is missing, or a factor has a level that the model has not seen.
        """
        formula = self.formula
        fixed = [v for v in formula.variables if v not in _response_variables(formula)]
        groups = {g for r in formula.random for g in r.group}
        check_columns(frame.columns, [v for v in fixed if v not in groups], where="prediction for new data")
        memory = Memory(self.memory.known, learning=False)
        values = _values(formula, frame, memory)
        X, _, _ = _fixed(formula, values, len(frame))
        position = {name: j for j, name in enumerate(X[0])}
        columns = X[1][:, [position[name] for name in self.names]]
        blocks = tuple(self._block(random, frame, values) for random in formula.random)
        return NewDesign(columns, blocks, _offset(formula, values))

    def _block(self, random: RandomTerm, frame: pd.DataFrame, values: dict[str, Value]) -> RandomBlock:
        Z, names = _random_columns(random, values, len(frame))
        group = ":".join(random.group)
        levels = self.groupings[group]
        codes = np.full(len(frame), -1, dtype=np.intp)
        if all(g in frame.columns for g in random.group):
            new = group_rows(frame, random.group)
            known = {label: i for i, label in enumerate(levels)}
            place = np.array([known.get(label, -1) for label in new.levels] + [-1], dtype=np.intp)
            codes = place[new.codes]
        return RandomBlock(group, codes, levels, Z, names, random.correlated, random.display)


@dataclass(frozen=True, slots=True, eq=False)
class NewDesign:
    """Design of new rows: X, random blocks (code -1 = unseen unit) and offset."""

    X: Floats
    random: tuple[RandomBlock, ...]
    offset: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Everything a mixed-model engine needs; rows with missing values are gone.

    y : (n,). response : its name. X : (n, p), full rank. names : R's term names (p,). terms : term labels.
    assign : column -> term number (0 = intercept). dropped : collinear columns left out. random : blocks in the order
    written. offset, weights : (n,) or None. sample : account of rows. recipe : codes new data. variables : columns used.
    """

    y: Floats
    response: str
    X: Floats
    names: tuple[str, ...]
    terms: tuple[str, ...]
    assign: tuple[int, ...]
    dropped: tuple[str, ...]
    random: tuple[RandomBlock, ...]
    offset: Floats | None
    weights: Floats | None
    sample: SampleAccount
    recipe: Recipe
    variables: tuple[str, ...] = field(default=())

    def apply(self, frame: pd.DataFrame) -> NewDesign:
        """Return the design of new rows, coded as this one."""
        return self.recipe.build(frame)


def build_design(
    formula: Formula | str,
    frame: pd.DataFrame,
    *,
    weights: str | None = None,
    missing: str = "drop",
) -> Design:
    """Build the design of a formula on a frame.

    Parameters
    ----------
    formula : text or parsed formula with a response.
    frame : one row per observation.
    weights : column of positive prior weights.
    missing : "drop" leaves out rows with a missing value in any variable; "raise" refuses them.

    Raises
    ------
    DesignError : unknown columns, no rows left, a factor as outcome, infinite values, text in numbers, a grouping
        factor with one level or with as many levels as rows.

    Examples
    --------
    >>> d = pd.DataFrame({"y": [1.0, 2, 3, 4, 5], "x": [0.0, 1, 0, 1, 2], "g": list("aabbb")})
    >>> build_design("y ~ x + (1 | g)", d).names
    ('(Intercept)', 'x')
    """
    parsed = parse_formula(formula) if isinstance(formula, str) else formula
    check_option("missing", missing, ("drop", "raise"))
    wanted = [*parsed.variables, *([weights] if weights else [])]
    check_columns(frame.columns, wanted, where=f"formula {parsed.text!r}")
    _refuse_twins(frame, wanted)
    used, sample_mask, dropped = _complete(frame, tuple(dict.fromkeys(wanted)), missing, parsed.text)
    memory = Memory()
    values = _values(parsed, used, memory)
    y, response = _outcome(parsed, used, memory)
    (names, X), terms, assign = _fixed(parsed, values, len(used))
    kept, lost = _full_rank(X, names)
    groupings: dict[str, Grouping] = {}
    blocks = tuple(_random_block(random, used, values, groupings) for random in parsed.random)
    sample = SampleAccount(
        len(frame), len(used), dropped, {g: len(grouping.levels) for g, grouping in groupings.items()}, sample_mask
    )
    recipe = Recipe(parsed, memory, tuple(names[j] for j in kept), {g: x.levels for g, x in groupings.items()})
    return Design(
        y=y,
        response=response,
        X=X if not lost else X[:, kept],
        names=recipe.names,
        terms=terms,
        assign=tuple(assign[j] for j in kept),
        dropped=tuple(names[j] for j in lost),
        random=blocks,
        offset=_offset(parsed, values),
        weights=_weights(used, weights),
        sample=sample,
        recipe=recipe,
        variables=tuple(wanted),
    )


def _response_variables(formula: Formula) -> set[str]:
    from alliancekit.formula.expressions import variables

    if formula.response is None:
        return set()
    elsewhere = {v for label, node in formula.factors.items() for v in variables(node)}
    return set(variables(formula.response)) - elsewhere


def _refuse_twins(frame: pd.DataFrame, wanted: list[str]) -> None:
    if frame.columns.is_unique:
        return
    twins = [v for v in dict.fromkeys(wanted) if int((frame.columns == v).sum()) > 1]
    if twins:
        raise DesignError(message(f"more than one column is named '{twins[0]}'", do="Rename or drop one of them"))


def _complete(
    frame: pd.DataFrame, wanted: tuple[str, ...], missing: str, text: str
) -> tuple[pd.DataFrame, NDArray[np.bool_], tuple[tuple[str, int], ...]]:
    """Return the complete rows, the mask of rows used and the account of rows dropped."""
    keep = np.ones(len(frame), dtype=bool)
    dropped = []
    for name in wanted:
        absent = frame[name].isna().to_numpy()
        newly = int((absent & keep).sum())
        if newly:
            dropped.append((f"missing in '{name}'", newly))
            keep &= ~absent
    if missing == "raise" and dropped:
        reasons = ", ".join(f"{n} {reason}" for reason, n in dropped)
        raise DesignError(message(f"rows have missing values: {reasons}", do='Use missing="drop" or complete the data'))
    if not keep.any():
        reasons = ", ".join(f"{n} {reason}" for reason, n in dropped) or "the frame has no rows"
        raise DesignError(message("no row is complete", where=f"{reasons}; formula {text!r}", do="Check the columns that are missing"))
    used = frame[list(wanted)] if keep.all() else frame.loc[keep, list(wanted)]
    return used, keep, tuple(dropped)


def _values(formula: Formula, frame: pd.DataFrame, memory: Memory) -> dict[str, Value]:
    needed = [f for t in formula.fixed for f in t] + [f for r in formula.random for t in r.terms for f in t]
    needed += formula.offset
    return {label: evaluate(formula.factors[label], frame, memory) for label in dict.fromkeys(needed)}


def _outcome(formula: Formula, frame: pd.DataFrame, memory: Memory) -> tuple[Floats, str]:
    if formula.response is None:
        raise DesignError(message("the formula has no outcome", where=formula.text))
    value = evaluate(formula.response, frame, memory)
    name = deparse(formula.response)
    if isinstance(value, Levels):
        raise DesignError(
            message(f"the outcome '{name}' is not numeric", where=f"levels {', '.join(value.levels[:5])}",
                    do="A Gaussian model needs numbers; a yes/no outcome needs a binomial model")
        )
    assert isinstance(value, Numbers)
    if len(value.columns) > 1:
        raise DesignError(message(f"the outcome '{name}' has {len(value.columns)} columns", do="Use one column"))
    y = value.columns[0]
    if y.size > 1 and bool((y == y[0]).all()):
        raise DesignError(message(f"the outcome '{name}' has the same value in all {y.size} rows", do="Nothing can be explained"))
    return y, name


def _fixed(formula: Formula, values: Mapping[str, Value], n: int) -> tuple[tuple[tuple[str, ...], Floats], tuple[str, ...], list[int]]:
    columns, assign = code_terms(formula.fixed, formula.intercept, values, n)
    X = np.empty((n, len(columns)), order="F")
    for j, (_, column) in enumerate(columns):
        X[:, j] = column
    return (tuple(name for name, _ in columns), X), tuple(":".join(t) for t in formula.fixed), assign


def _full_rank(X: Floats, names: tuple[str, ...]) -> tuple[list[int], list[int]]:
    lost = dependent_columns(X)
    kept = [j for j in range(X.shape[1]) if j not in lost]
    if lost:
        told = "; ".join(f"{names[j]} ({combination(X, j, names, kept)})" for j in lost)
        text = message(
            f"{len(lost)} column(s) of the design carry no information of their own and were dropped: {told}",
            do="Remove the term, or check whether a predictor is constant or coded twice",
        )
        warnings.warn(text, DesignWarning, stacklevel=3)
    if X.shape[0] <= len(kept):
        raise DesignError(
            message(f"{len(kept)} fixed effects cannot be estimated from {X.shape[0]} rows", do="Use fewer predictors")
        )
    return kept, lost


def _random_columns(random: RandomTerm, values: Mapping[str, Value], n: int) -> tuple[Floats, tuple[str, ...]]:
    columns, _ = code_terms(random.terms, random.intercept, values, n)
    Z = np.empty((n, len(columns)), order="F")
    for j, (_, column) in enumerate(columns):
        Z[:, j] = column
    return Z, tuple(name for name, _ in columns)


def _random_block(
    random: RandomTerm, frame: pd.DataFrame, values: Mapping[str, Value], groupings: dict[str, Grouping]
) -> RandomBlock:
    group = ":".join(random.group)
    if group not in groupings:
        groupings[group] = group_rows(frame, random.group)
    grouping = groupings[group]
    Z, names = _random_columns(random, values, len(frame))
    n, k = len(frame), len(grouping.levels)
    if k < 2:
        raise DesignError(
            message(f"the grouping factor '{group}' has one level only", where=random.display,
                    do="A variance between units needs at least two units (better 20)")
        )
    if k >= n and Z.shape[1] == 1:
        raise DesignError(
            message(f"'{group}' has as many levels ({k}) as there are rows ({n})", where=random.display,
                    do="Its variance cannot be told from the residual: leave the term out or group by something repeated")
        )
    if k * Z.shape[1] >= n and k < n and random.correlated and np.linalg.matrix_rank(Z) == Z.shape[1] and k * Z.shape[1] > n:
        raise DesignError(
            message(f"{random.display} has {k * Z.shape[1]} random effects for {n} rows",
                    do="The variances cannot be told from the residual: use fewer random slopes")
        )
    return RandomBlock(group, grouping.codes, grouping.levels, Z, names, random.correlated, random.display)


def _offset(formula: Formula, values: Mapping[str, Value]) -> Floats | None:
    if not formula.offset:
        return None
    total: Floats | None = None
    for label in formula.offset:
        value = values[label]
        if not isinstance(value, Numbers):
            raise DesignError(message(f"the offset '{label}' is not numeric"))
        total = value.columns[0] if total is None else total + value.columns[0]
    return total


def _weights(frame: pd.DataFrame, name: str | None) -> Floats | None:
    if name is None:
        return None
    try:
        values = frame[name].to_numpy(dtype=float)
    except (ValueError, TypeError) as error:
        raise DesignError(message(f"the weights '{name}' are not numeric")) from error
    if not (np.isfinite(values).all() and (values > 0).all()):
        bad = int((~(values > 0)).sum())
        raise DesignError(message(f"the weights '{name}' must be positive and finite", where=f"{bad} rows are not",
                                  do="Drop those rows or set their weight to a small positive number"))
    return values
