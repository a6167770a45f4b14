"""A two-level parameter table fitted to clustered rows: parameters, uncertainty, tests, saturated moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.constraints import Constraints
from alliancekit.structural.likelihood.constrained import finish_within, refit
from alliancekit.structural.likelihood.reduced import Reduced
from alliancekit.structural.likelihood.saturation import SaturatedModel
from alliancekit.structural.likelihood.selection import Selection
from alliancekit.structural.likelihood.solution import Request, Solution, solve
from alliancekit.structural.model import Model, compile_model, observed_names
from alliancekit.structural.scoring import Found
from alliancekit.structural.starts import starting_values
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.twolevel.data import ClusteredRows
from alliancekit.structural.twolevel.effects import LevelParts, expected_parts
from alliancekit.structural.twolevel.fit import intraclass_correlations, level_srmr
from alliancekit.structural.twolevel.group import GroupData, evaluate_group
from alliancekit.structural.twolevel.incomplete import IncompleteClusters, summarise_incomplete
from alliancekit.structural.twolevel.likelihood import LOG_2PI
from alliancekit.structural.twolevel.moments import LevelMoments
from alliancekit.structural.twolevel.saturated import LevelFit
from alliancekit.structural.twolevel.search import (
    LevelExogenous,
    nearest_start,
    saturate_levels,
    search_levels,
    solve_level_baseline,
)
from alliancekit.structural.twolevel.statistics import Roles, cluster_values, number_clusters, summarise_clusters
from alliancekit.structural.variables import find_variables

Floats = NDArray[np.float64]
Pair = tuple[set[str], set[str]]


@dataclass(frozen=True, eq=False, slots=True)
class ClusteredFit:
    """A two-level model fitted by maximum likelihood.

    x, vcov: parameters and their covariance matrix, equal ones one by one; solution: the same within the constraints,
    with tests; found: how the search ended; saturated: saturated moments (blocks alternate: within, between) and how
    they were found, group by group; notices: what the user should know about the data.
    """

    table: ParameterTable
    model: Model
    data: ClusteredRows
    mapping: Reduced
    x: Floats
    vcov: Floats
    solution: Solution
    found: Found
    saturated: SaturatedModel
    searches: tuple[LevelFit, ...]
    exogenous: LevelExogenous
    request: Request
    notices: tuple[str, ...] = ()
    _later: dict[str, tuple[Selection, Solution] | None] = field(default_factory=dict, repr=False)

    def baseline(self) -> tuple[Selection, Solution] | None:
        """Return the baseline model: independent variables at both levels; None where it cannot be fitted."""
        if "baseline" not in self._later:
            self._later["baseline"] = solve_level_baseline(self.data, self.exogenous, self.saturated, self.request)
        return self._later["baseline"]

    @property
    def fmin(self) -> float:
        """Minus log-likelihood without constant as lavaan reports it: per row, groups weighted by rows again."""
        total = 0.0
        for (_, implied), group in zip(self.level_moments(), self.data.groups, strict=True):
            found = evaluate_group(implied, group)
            value = float("nan") if found is None else found.value - LOG_2PI * _points(group)
            total += group.n / self.data.n * value / (2 * self.data.n)
        return total

    def level_moments(self) -> tuple[tuple[LevelMoments, LevelMoments], ...]:
        """Return the saturated and the implied moments of each group."""
        both = [
            [LevelMoments(w.mu, w.sigma, b.mu, b.sigma) for w, b in zip(blocks[::2], blocks[1::2], strict=True)]
            for blocks in (self.saturated.blocks, self.solution.implied)
        ]
        return tuple(zip(both[0], both[1], strict=True))

    def srmr(self, *, raised: bool = True) -> tuple[float, float]:
        """Return the standardised root mean square residuals within and between, groups weighted by rows.

        raised: with small eigenvalues raised as in lavaan, see ``level_srmr``.
        """
        shares = np.array([group.n for group in self.data.groups]) / self.data.n
        found = np.array([level_srmr(*pair, raised=raised) for pair in self.level_moments()])
        within, between = shares @ found
        return float(within), float(between)

    def icc(self) -> tuple[dict[str, float], ...]:
        """Return the intraclass correlations of the level-1 variables of each group, from the saturated model."""
        pairs = zip(self.level_moments(), self.data.groups, strict=True)
        return tuple(intraclass_correlations(pair[0], group.roles) for pair, group in pairs)

    def parts(self) -> tuple[LevelParts, ...]:
        """Return the expected within and between part of each value at the estimates, for factor scores."""
        pairs = zip(self.level_moments(), self.data.groups, strict=True)
        return tuple(expected_parts(pair[1], group) for pair, group in pairs)


def fit_clustered(
    table: ParameterTable,
    constraints: Constraints,
    rows: Sequence[Floats],
    only: Sequence[Floats],
    clusters: Sequence[NDArray[np.generic]],
    request: Request,
) -> ClusteredFit:
    """Fit a two-level table.

    rows: of each group, the level-1 variables (n, p) in the order of the within block; only: the variables of the
    between block alone (n, q), in its order; nan where missing; clusters: label of the cluster of each row.
    """
    roles = group_roles(table)
    groups = []
    notices: list[str] = []
    for own, part, between, labels in zip(roles, rows, only, clusters, strict=True):
        number = number_clusters(labels)
        values = cluster_values(between, number, own.cluster_only)
        groups.append(_summarise(part, number, values, own))
        notices += _note_clusters(number)
    data = ClusteredRows(tuple(groups))
    exogenous = find_level_exogenous(table)
    saturated, searches = saturate_levels(data, exogenous)
    samples = [(block.mu, block.sigma) for block in saturated.blocks]
    names = [observed_names(table, b) for b in range(1, table.n_blocks + 1)]
    model = compile_model(table, samples)
    mapping = Reduced(model, constraints.linear.basis, constraints.linear.offset)
    start = starting_values(table, names, samples)
    near = nearest_start(data, model, constraints.linear, saturated, start)
    found = search_levels(data, mapping, mapping.reduce(start), None if near is None else mapping.reduce(near))
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
    return ClusteredFit(
        table,
        model,
        data,
        mapping,
        mapping.expand(found.x),
        mapping.basis @ solution.vcov @ mapping.basis.T,
        solution,
        found,
        saturated,
        searches,
        exogenous,
        request,
        tuple(notices),
    )


def refit_clustered(
    source: ClusteredFit,
    constraints: Constraints,
    rows: Sequence[Floats],
    only: Sequence[Floats],
    clusters: Sequence[NDArray[np.generic]],
) -> Floats:
    """Return the parameters (size,) of a fit for other clusters of its groups, searched from its own on.

    rows, only, clusters : as in ``fit_clustered``. Covariates that are held have the moments of the new clusters.

    Raises
    ------
    DesignError : a variable does not vary. FitError : the search does not end at a maximum.
    """
    table, model, groups = source.table, source.model, []
    for own, part, between, labels in zip(group_roles(table), rows, only, clusters, strict=True):
        number = number_clusters(labels)
        groups.append(_summarise(part, number, cluster_values(between, number, own.cluster_only), own))
    data = ClusteredRows(tuple(groups))
    if any(table.exo):
        saturated, _ = saturate_levels(data, source.exogenous)
        model = compile_model(table, [(block.mu, block.sigma) for block in saturated.blocks])
    mapping = Reduced(model, constraints.linear.basis, constraints.linear.offset)
    return refit(data, mapping, source.x, table, constraints)


def group_roles(table: ParameterTable) -> tuple[Roles, ...]:
    """Return the variables of both levels of each group."""
    blocks = range(1, table.n_blocks + 1, 2)
    return tuple(Roles(observed_names(table, b), observed_names(table, b + 1)) for b in blocks)


def find_level_exogenous(table: ParameterTable) -> LevelExogenous:
    """Return the exogenous variables of each level, and those with fixed moments there."""
    outside: Pair = (set(), set())
    fixed: Pair = (set(), set())
    for b in range(1, table.n_blocks + 1):
        relations = [(table.lhs[i], table.op[i], table.rhs[i], table.user[i] == 1) for i in table.rows(b)]
        outside[(b - 1) % 2].update(find_variables(relations).exogenous)
    for i, exo in enumerate(table.exo):
        if exo and table.op[i] == "~~":
            fixed[table.level[i] - 1].add(table.lhs[i])
    return LevelExogenous(*((frozenset(within), frozenset(between)) for within, between in (outside, fixed)))


def _summarise(rows: Floats, number: NDArray[np.intp], only: Floats, roles: Roles) -> GroupData:
    """Return the statistics of one group, by patterns where values are missing."""
    if np.isnan(rows).any() or np.isnan(only).any():
        return summarise_incomplete(rows, number, only, roles)
    return summarise_clusters(rows, number, only, roles)


def _points(group: GroupData) -> float:
    """Return the number of values of a group: of rows, and of clusters for variables between only."""
    if isinstance(group, IncompleteClusters):
        return group.patterns.points + float((~np.isnan(group.only)).sum())
    return float(group.n * len(group.roles.within) + group.n_clusters * len(group.roles.cluster_only))


def _note_clusters(number: NDArray[np.intp]) -> list[str]:
    """Return a notice about clusters of a single row."""
    single = int((np.bincount(number) == 1).sum())
    if not single:
        return []
    have = "cluster has" if single == 1 else "clusters have"
    return [f"{single} {have} a single row: they inform the between level, not the within level."]
