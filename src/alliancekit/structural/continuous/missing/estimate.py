"""A parameter table fitted to incomplete rows: parameters, uncertainty, tests, saturated moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.continuous.missing.corrected import Corrected
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.fit import (
    Exogenous,
    correct_fits,
    saturate,
    search_incomplete,
    solve_baseline,
)
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.continuous.missing.saturated import Saturated
from alliancekit.structural.continuous.optimise import search_blocks
from alliancekit.structural.likelihood.constrained import finish_within, refit
from alliancekit.structural.likelihood.reduced import Reduced
from alliancekit.structural.likelihood.saturation import SaturatedModel
from alliancekit.structural.likelihood.selection import Selection
from alliancekit.structural.likelihood.solution import Request, Solution, solve
from alliancekit.structural.model import Model, compile_model, observed_names
from alliancekit.structural.scoring import Found
from alliancekit.structural.starts import admissible_start, starting_values
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.variables import find_variables

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class IncompleteFit:
    """A model fitted by full-information maximum likelihood.

    x, vcov: parameters and their covariance matrix, equal ones one by one; solution: the same within the constraints,
    with tests; found: how the search ended; saturated: saturated moments and how they were found, group by group.
    baseline and corrected are computed when they are asked for.
    """

    table: ParameterTable
    model: Model
    data: IncompleteRows
    mapping: Reduced
    x: Floats
    vcov: Floats
    solution: Solution
    found: Found
    saturated: SaturatedModel
    searches: tuple[Saturated, ...]
    exogenous: Exogenous
    request: Request
    _later: dict[str, tuple[Selection, Solution] | tuple[Corrected, ...]] = field(default_factory=dict, repr=False)

    def baseline(self) -> tuple[Selection, Solution]:
        """Return the baseline model: independent variables."""
        if "baseline" not in self._later:
            self._later["baseline"] = solve_baseline(self.data, self.exogenous, self.saturated, self.request)
        out: tuple[Selection, Solution] = self._later["baseline"]  # type: ignore[assignment]
        return out

    def corrected(self) -> tuple[Corrected, ...]:
        """Return chi-square and expectation freed from missing values, of the model and of its baseline."""
        if "corrected" not in self._later:
            fits = ((self.mapping, self.solution), self.baseline())
            if all(one.converged and not one.unseen for one in self.searches):
                self._later["corrected"] = correct_fits(self.data, self.saturated, fits, self.request)
            else:  # there are no saturated moments to compare with
                self._later["corrected"] = tuple(Corrected(np.nan, np.nan, fit.df) for _, fit in fits)
        out: tuple[Corrected, ...] = self._later["corrected"]  # type: ignore[assignment]
        return out

    @property
    def fmin(self) -> float:
        """Discrepancy per row, halved, as lavaan reports it."""
        return (self.found.value + 2 * self.saturated.log_likelihood) / (2 * self.data.n)


def fit_incomplete(
    table: ParameterTable,
    constraints: Constraints,
    rows: Sequence[Floats],
    request: Request,
    *,
    clusters: Sequence[NDArray[np.generic]] | None = None,
    auxiliary: Sequence[str] = (),
) -> IncompleteFit:
    """Fit a table to incomplete rows.

    rows: of each group (n, p), nan where missing, variables in the order of ``observed_names``; clusters: label of the
    cluster of each row of each group; auxiliary: variables joined with all others in the baseline.
    """
    names = [observed_names(table, b) for b in range(1, table.n_blocks + 1)]
    groups = tuple(group_patterns(part, own) for part, own in zip(rows, names, strict=True))
    data = IncompleteRows(groups)
    for group, label in zip(groups, table.group_labels, strict=True):
        _require_rows(group.n, label)
    exogenous = find_exogenous(table, names, auxiliary)
    saturated, searches = saturate(data, exogenous, _number(clusters, data), means="~1" in table.op)
    samples = [(block.mu, block.sigma) for block in saturated.blocks]
    model = compile_model(table, samples)
    mapping = Reduced(model, constraints.linear.basis, constraints.linear.offset)
    start = admissible_start(model, constraints.linear, starting_values(table, names, samples))
    near = search_blocks(model, constraints.linear, saturated.blocks, data.units, start)
    from_ = None if near is None else mapping.reduce(near.point.x)
    found = search_incomplete(data, mapping, mapping.reduce(start), from_)
    mapping, found = finish_within(data, mapping, found, table, constraints)
    solution = solve(
        data,
        mapping,
        found.x,
        found.value,
        saturated,
        request,
        parameters=table.n_free,
        spent=mapping.spent,
        limited=mapping.limited,
    )
    vcov = mapping.basis @ solution.vcov @ mapping.basis.T
    x = mapping.expand(found.x)
    return IncompleteFit(table, model, data, mapping, x, vcov, solution, found, saturated, searches, exogenous, request)


def refit_incomplete(source: IncompleteFit, constraints: Constraints, rows: Sequence[Floats]) -> Floats:
    """Return the parameters (size,) of a fit for other rows of its groups, searched from its own on.

    Raises
    ------
    DesignError : a variable does not vary. FitError : the search does not end at a maximum.
    """
    table, model = source.table, source.model
    data = IncompleteRows(tuple(group_patterns(part) for part in rows))
    if any(table.exo):
        saturated, _ = saturate(data, source.exogenous)
        model = compile_model(table, [(block.mu, block.sigma) for block in saturated.blocks])
    mapping = Reduced(model, constraints.linear.basis, constraints.linear.offset)
    return refit(data, mapping, source.x, table, constraints)


def find_exogenous(table: ParameterTable, names: Sequence[tuple[str, ...]], auxiliary: Sequence[str] = ()) -> Exogenous:
    """Return which variables of each group are exogenous, with fixed moments, or joined as auxiliary ones."""
    joined, fixed = [], []
    extra = set(auxiliary)
    for b, own in enumerate(names, start=1):
        rows = table.rows(b)
        directed = [i for i in rows if not extra or table.op[i] in ("=~", "~", "<~")]
        roles = find_variables([(table.lhs[i], table.op[i], table.rhs[i], table.user[i] == 1) for i in directed])
        outside = np.array([name in roles.exogenous for name in own], dtype=bool)
        helping = np.array([name in extra for name in own], dtype=bool)
        joined.append(np.outer(outside, outside) | helping[:, None] | helping[None, :])
        held = {table.lhs[i] for i in rows if table.exo[i] and table.op[i] == "~~"}
        fixed.append(np.array([name in held for name in own], dtype=bool))
    return Exogenous(tuple(joined), tuple(fixed))


def _require_rows(n: int, label: str) -> None:
    """Refuse a group without enough rows to speak of covariances."""
    if n < 3:
        where = f"group {label}" if label else ""
        raise DesignError(message(f"Only {n} rows have a value", where=where, do="Check the data and the group column"))


def _number(clusters: Sequence[NDArray[np.generic]] | None, data: IncompleteRows) -> tuple[Integers, ...] | None:
    """Return clusters numbered from 0 among the rows that are kept."""
    if clusters is None:
        return None
    return tuple(
        np.asarray(np.unique(labels[group.kept], return_inverse=True)[1]).ravel()
        for labels, group in zip(clusters, data.groups, strict=True)
    )
