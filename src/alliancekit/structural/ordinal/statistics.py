"""Statistics of ordinal and mixed variables, and their asymptotic covariance matrix.

Thresholds and means, slopes on covariates, variances, and correlations, estimated in two steps; the covariance matrix
follows from the scores of both (Muthén 1984, Psychometrika 49, 115-132; Muthén & Satorra 1995, Psychometrika 60,
489-503).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.ordinal.rows import fit_pair
from alliancekit.structural.ordinal.tables import cross_tables, fit_tables
from alliancekit.structural.ordinal.univariate import Margins, fit_margins

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, eq=False, slots=True)
class Statistics:
    """Statistics of one group; p variables, q covariates, m statistics.

    Attributes
    ----------
    margins : the first step. n : rows. correlation, covariance : (p, p) of the latent responses and numeric variables,
        given the covariates. vector : (m,) thresholds and, with the sign turned, means, variable by variable; slopes
        covariate by covariate; variances of numeric variables; covariances below the diagonal, column by column.
    owner : variable of each threshold or mean. gamma : (m, m) covariance matrix of the vector, times n.
    empty : pairs of ordinal variables in whose table a cell is empty. unexpected : those in whose table some are empty
        where rows are expected, and how many. cells : of all tables.
    """

    margins: Margins
    n: int
    correlation: Floats
    covariance: Floats
    vector: Floats
    owner: Integers
    gamma: Floats
    empty: tuple[tuple[str, str], ...]
    unexpected: tuple[tuple[str, str, int], ...]
    cells: int


@dataclass(eq=False, slots=True)
class _SecondStep:
    """Correlations and what their scores contribute; P pairs."""

    rho: Floats
    scores: Floats
    squares: Floats
    cross: Floats
    empty: tuple[tuple[str, str], ...] = ()
    unexpected: tuple[tuple[str, str, int], ...] = ()
    cells: int = 0


def pairs_of(p: int) -> tuple[Integers, Integers]:
    """Return both variables of each pair, in the order of the lower triangle without diagonal, column by column."""
    one, other = np.triu_indices(p, 1)
    return one, other


def compute_statistics(
    names: tuple[str, ...], rows: Floats, sizes: Integers, covariates: Floats | None = None
) -> Statistics:
    """Return the statistics of the rows of one group.

    Parameters
    ----------
    names : of the variables. rows : (n, p), of ordinal variables the number of the category from 0, NaN where missing.
    sizes : (p,) number of categories, 0 of numeric variables. covariates : (n, q) or None.

    Raises
    ------
    FitError : a first-step regression has no solution.
    """
    x = np.zeros((len(rows), 0)) if covariates is None else covariates
    margins = fit_margins(names, rows, sizes, x)
    second = _correlate(margins)
    p = len(names)
    one, other = pairs_of(p)
    correlation = np.eye(p)
    correlation[one, other] = correlation[other, one] = second.rho
    sd = np.sqrt(margins.variances)
    covariance = correlation * np.outer(sd, sd)
    owner = np.repeat(np.arange(p), margins.widths)
    levels = [
        margins.limits[i, 1 : margins.sizes[i]] if margins.sizes[i] else np.array([-margins.location[i]])
        for i in range(p)
    ]
    numeric = margins.variances[~margins.ordinal]
    vector = np.concatenate([*levels, margins.slopes.T.ravel(), numeric, covariance[one, other]])
    gamma = _gamma(margins, second, correlation)
    return Statistics(
        margins, len(rows), correlation, covariance, vector, owner, gamma, second.empty, second.unexpected, second.cells
    )


def _correlate(margins: Margins) -> _SecondStep:
    """Return the second step: from tables where both variables are ordinal without covariates, else from rows."""
    n, p = margins.codes.shape
    one, other = pairs_of(p)
    P = len(one)
    out = _SecondStep(np.zeros(P), np.zeros((n, P)), np.zeros(P), np.zeros((P, margins.scores.shape[1])))
    tabled = margins.ordinal[one] & margins.ordinal[other] & (margins.slopes.shape[1] == 0)
    if tabled.any():
        _from_tables(margins, np.flatnonzero(tabled), one, other, out)
    for t in np.flatnonzero(~tabled):
        i, j = int(one[t]), int(other[t])
        found = fit_pair(margins, i, j)
        out.rho[t], out.scores[:, t] = found.rho, found.score
        out.squares[t] = float(found.score @ found.score)
        out.cross[t, margins.own(i)] = found.score @ found.first
        out.cross[t, margins.own(j)] = found.score @ found.second
    return out


def _from_tables(margins: Margins, chosen: Integers, one: Integers, other: Integers, out: _SecondStep) -> None:
    """Fill in the pairs that have a table."""
    size = margins.limits.shape[1] - 1
    a, b = one[chosen], other[chosen]
    found = fit_tables(cross_tables(margins.codes, size, a, b), margins.limits, margins.sizes, a, b)
    out.rho[chosen], out.squares[chosen] = found.rho, found.squares
    table = np.zeros((len(chosen), size + 1, size + 1))  # the last row and column, of missing values, are zero
    table[:, :size, :size] = found.score
    codes = np.ascontiguousarray((margins.codes % (size + 1)).T)
    cell = (codes * (size + 1))[a]  # (P, n), row by row in memory
    cell += codes[b]
    cell += (np.arange(len(chosen)) * (size + 1) ** 2)[:, None]
    out.scores[:, chosen] = table.ravel().take(cell).T
    for of, slopes in ((a, found.first), (b, found.second)):
        real = np.arange(size - 1) < margins.widths[of][:, None]
        rows = np.broadcast_to(chosen[:, None], real.shape)[real]
        out.cross[rows, (margins.columns[of][:, None] + np.arange(size - 1))[real]] = slopes[real]
    names = margins.names
    out.empty = tuple((names[a[t]], names[b[t]]) for t in np.flatnonzero(found.empty))
    odd = np.flatnonzero(found.unexpected)
    out.unexpected = tuple((names[a[t]], names[b[t]], int(found.unexpected[t])) for t in odd)
    out.cells = int((margins.sizes[a] * margins.sizes[b]).sum())


def _gamma(margins: Margins, second: _SecondStep, correlation: Floats) -> Floats:
    """Return the covariance matrix of all statistics, times n.

    The second step knows the first through its cross products; both are sandwiches of summed squared scores.
    """
    m1 = margins.scores.shape[1]
    whole = np.hstack([margins.scores, second.scores])
    inner = whole.T @ whole
    first = np.zeros((m1, m1))
    for places in _blocks(margins):
        own = (places[:, :, None], places[:, None, :])
        try:
            first[own] = np.linalg.inv(inner[own])
        except np.linalg.LinAlgError:
            raise _unknown(margins, inner) from None
    if (second.squares <= 0).any():
        one, other = pairs_of(len(margins.names))
        t = int(np.flatnonzero(second.squares <= 0)[0])
        both = f"'{margins.names[one[t]]}' and '{margins.names[other[t]]}'"
        what = f"the correlation of {both} has no standard error: all rows are in cells that the other would rule out"
        raise FitError(message(what, do="Leave one of them out, or join categories"))
    carried = second.cross @ first
    left = inner[m1:, :m1] - carried @ inner[:m1, :m1]
    out = np.empty_like(inner)
    out[:m1, :m1] = first @ inner[:m1, :m1] @ first
    out[m1:, :m1] = (left @ first) / second.squares[:, None]
    out[:m1, m1:] = out[m1:, :m1].T
    out[m1:, m1:] = inner[m1:, m1:] - carried @ inner[:m1, m1:] - left @ carried.T
    out[m1:, m1:] /= np.outer(second.squares, second.squares)
    out *= len(margins.codes)
    if margins.ordinal.all():
        return out
    change = _to_covariances(margins, correlation, m1)
    return np.asarray(change @ out @ change.T)


def _unknown(margins: Margins, inner: Floats) -> FitError:
    """Return the error of a variable whose own statistics have no standard errors."""
    own = (margins.own(i) for i in range(len(margins.names)))
    singular = [np.linalg.matrix_rank(inner[np.ix_(part, part)]) < len(part) for part in own]
    name = margins.names[int(np.argmax(singular))]
    what = f"'{name}' has statistics without standard errors: it takes two values only, or there are too few rows"
    do = "Declare it as ordered, leave fixed_x as it is where it is a covariate, or leave it out"
    return FitError(message(what, do=do))


def _blocks(margins: Margins) -> list[Integers]:
    """Return the first-step columns of variables with equally many of them, (variables, columns), kind by kind."""
    by_size: dict[int, list[Integers]] = {}
    for i in range(len(margins.names)):
        own = margins.own(i)
        by_size.setdefault(len(own), []).append(own)
    return [np.stack(parts) for parts in by_size.values()]


def _to_covariances(margins: Margins, correlation: Floats, m1: int) -> Floats:
    """Return the derivatives of the statistics (means with the sign turned) by the parameters of both steps."""
    p = len(margins.names)
    one, other = pairs_of(p)
    out = np.eye(m1 + len(one))
    sd = np.sqrt(margins.variances)
    numeric = np.flatnonzero(~margins.ordinal)
    out[margins.columns[numeric], margins.columns[numeric]] = -1.0
    place = {int(i): m1 - len(numeric) + k for k, i in enumerate(numeric)}
    for t, (i, j) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        r = correlation[i, j]
        out[m1 + t, m1 + t] = sd[i] * sd[j]
        for own, at_other in ((i, j), (j, i)):
            if own in place:
                out[m1 + t, place[own]] = r * sd[at_other] / (2.0 * sd[own])
    return out
