"""Minimise -2 log-likelihood under constraints that are not linear, inequalities and bounds (augmented Lagrangian).

Each round minimises the criterion plus multipliers and a penalty for what is violated; the multipliers are then brought
up to date, until nothing is violated by more than a small part of a standard error (Hestenes 1969; Rockafellar 1973).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.constraints import Constraints
from alliancekit.structural.likelihood.contract import Likelihood
from alliancekit.structural.likelihood.reduced import Reduced
from alliancekit.structural.likelihood.search import criterion_of, search_maximum
from alliancekit.structural.scoring import Criterion, Curvature, Found, search_by_scoring
from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
ACTIVE = 1e-6


class Limits:
    """Equalities c(x) = 0 and inequalities g(x) >= 0 of the parameters x = offset + basis z, as functions of z."""

    def __init__(self, table: ParameterTable, constraints: Constraints) -> None:
        self._constraints = constraints
        lower, upper = np.full(table.n_free, -np.inf), np.full(table.n_free, np.inf)
        for i, number in enumerate(table.free):
            if number:
                lower[number - 1], upper[number - 1] = table.lower[i], table.upper[i]
        self._lower, self._upper = np.flatnonzero(np.isfinite(lower)), np.flatnonzero(np.isfinite(upper))
        self._low, self._high = lower[self._lower], upper[self._upper]

    @property
    def any(self) -> bool:
        """Whether there is anything beyond linear equalities."""
        c = self._constraints
        return bool(c.equalities or c.inequalities or self._lower.size or self._upper.size)

    def hold(self, z: Floats) -> bool:
        """Return whether nothing is violated at ``z``, and no equality has to be brought about."""
        return not self._constraints.equalities and bool((self.inequalities(z)[0] >= 0).all())

    def equalities(self, z: Floats) -> tuple[Floats, Floats]:
        """Return values that should be zero, and their derivatives by z."""
        return self._evaluate(self._constraints.equalities, z)

    def inequalities(self, z: Floats) -> tuple[Floats, Floats]:
        """Return values that should not be negative, and their derivatives by z; bounds come last."""
        values, slopes = self._evaluate(self._constraints.inequalities, z)
        x = self._constraints.linear.expand(z)
        basis = self._constraints.linear.basis
        below, above = x[self._lower] - self._low, self._high - x[self._upper]
        return np.concatenate([values, below, above]), np.vstack([slopes, basis[self._lower], -basis[self._upper]])

    def tangent(self, z: Floats, *, active: bool = True) -> Floats:
        """Return the directions of x (size, k) along which equalities and active inequalities hold.

        Bounds on single parameters do not count, as in lavaan; active: whether active inequalities do.
        """
        basis = self._constraints.linear.basis
        _, slopes = self.equalities(z)
        values, others = self._evaluate(self._constraints.inequalities, z)
        size = np.sqrt((others**2).sum(axis=1)) * max(1.0, float(np.abs(z).max(initial=0.0)))
        rows = np.vstack([slopes, others[active & (values < ACTIVE * size)]])
        if rows.shape[0] == 0:
            return basis
        _, strength, directions = np.linalg.svd(rows, full_matrices=True)
        rank = int((strength > 1e-10 * strength[0]).sum())
        return np.asarray(basis @ directions[rank:].T)

    def _evaluate(self, expressions: tuple[Expression, ...], z: Floats) -> tuple[Floats, Floats]:
        """Return values and derivatives by z of some expressions."""
        c = self._constraints
        x = c.linear.expand(z)
        if not expressions:
            return np.zeros(0), np.zeros((0, z.size))
        known = c.values(x)
        values = np.array([float(e.evaluate(known)) for e in expressions])
        return values, c.jacobian(expressions, x) @ c.linear.basis


def finish_within(
    data: Likelihood, mapping: Reduced, found: Found, table: ParameterTable, constraints: Constraints
) -> tuple[Reduced, Found]:
    """Return a maximum moved into the limits of a table, and the mapping along which the limits hold there.

    Without limits both are as they were. With them the parameters of the mapping are deviations from the maximum.
    """
    limits = Limits(table, constraints)
    if not limits.any:
        return mapping, found
    criterion, curvature = criterion_of(data, mapping)
    moved = search_within(criterion, curvature, found.x, limits)
    if moved is None:
        what = "No parameters were found that satisfy the constraints"
        raise FitError(message(what, do="Check that they do not contradict each other"))
    x = mapping.expand(moved.x)
    spent = limits.tangent(moved.x, active=False).shape[1]
    along = Reduced(mapping.model, limits.tangent(moved.x), x, spent, limited=True)
    return along, replace(moved, x=np.zeros(along.size))


def refit(data: Likelihood, mapping: Reduced, near: Floats, table: ParameterTable, constraints: Constraints) -> Floats:
    """Return the parameters (size,) of the maximum within the limits of a table, searched from ``near`` on.

    Raises
    ------
    FitError : the search does not end at a maximum.
    """
    found = search_maximum(data, mapping, mapping.reduce(near))
    if found is not None:
        mapping, found = finish_within(data, mapping, found, table, constraints)
    if found is None or not found.converged:
        raise FitError(message("the search for the estimates stopped before the optimum"))
    return mapping.expand(found.x)


def search_within(
    criterion: Criterion, curvature: Curvature, start: Floats, limits: Limits, *, rounds: int = 25
) -> Found | None:
    """Minimise the criterion within the limits; None where the start is not admissible."""
    equal, unequal = limits.equalities(start), limits.inequalities(start)
    own, other = np.zeros(equal[0].size), np.zeros(unequal[0].size)
    scale = np.maximum(np.abs(np.diag(curvature(start))), 1e-300)
    measure_own, measure_other = (_weights(part[1], scale) for part in (equal, unequal))
    weight_own, weight_other = measure_own, measure_other
    x, worst, broken, steps, evaluations = start, np.inf, np.inf, 0, 0
    found: Found | None = None
    for _ in range(rounds):
        lagrangian, bent = _lagrangian(criterion, curvature, limits, (own, other), (weight_own, weight_other))
        found = search_by_scoring(lagrangian, bent, x)
        if found is None:
            return None
        x, steps, evaluations = found.x, steps + found.iterations, evaluations + found.evaluations
        values, gaps = limits.equalities(x)[0], limits.inequalities(x)[0]
        short = np.minimum(gaps, other / weight_other)
        broken = np.sqrt(float((values**2 * measure_own).sum() + (short**2 * measure_other).sum()))
        own = own + weight_own * values
        other = np.maximum(0.0, other - weight_other * gaps)
        if broken < 1e-7:
            break
        if broken > 0.25 * worst:
            weight_own, weight_other = 10 * weight_own, 10 * weight_other
        worst = broken
    plain = criterion(x)
    if found is None or plain is None:
        return None
    return Found(x, plain[0], plain[1], steps, evaluations, found.converged and broken < 1e-4)


def _weights(slopes: Floats, scale: Floats) -> Floats:
    """Return penalties that weigh a violation of one standard error like ten units of the criterion."""
    spread = (slopes**2 / scale).sum(axis=1)
    return np.asarray(np.where(spread > 0, 10.0 / np.maximum(spread, 1e-300), 1.0))


def _lagrangian(
    criterion: Criterion,
    curvature: Curvature,
    limits: Limits,
    multipliers: tuple[Floats, Floats],
    weights: tuple[Floats, Floats],
) -> tuple[Criterion, Curvature]:
    """Return the augmented Lagrangian with gradient, and its curvature."""
    own, other = multipliers
    weight_own, weight_other = weights

    def value(x: Floats) -> tuple[float, Floats] | None:
        """Value and gradient."""
        found = criterion(x)
        if found is None:
            return None
        (c, c_slope), (g, g_slope) = limits.equalities(x), limits.inequalities(x)
        if not (np.isfinite(c).all() and np.isfinite(g).all()):
            return None
        pull = np.maximum(0.0, other - weight_other * g)
        total = found[0] + float(own @ c + (weight_own * c) @ c / 2 + ((pull**2 - other**2) / (2 * weight_other)).sum())
        return total, found[1] + c_slope.T @ (own + weight_own * c) - g_slope.T @ pull

    def bent(x: Floats) -> Floats:
        """Curvature, that of the constraints themselves left out."""
        (_, c_slope), (g, g_slope) = limits.equalities(x), limits.inequalities(x)
        active = np.where(other - weight_other * g > 0, weight_other, 0.0)
        return np.asarray(
            curvature(x) + c_slope.T @ (weight_own[:, None] * c_slope) + g_slope.T @ (active[:, None] * g_slope)
        )

    return value, bent
