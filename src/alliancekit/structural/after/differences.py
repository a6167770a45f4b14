"""Chi-square difference tests of nested models, plain and scaled.

Satorra (2000, in Heijmans et al., Innovations in multivariate statistical analysis, 233-247); Satorra & Bentler (2001,
Psychometrika 66, 507-514; 2010, Psychometrika 75, 243-248), as ``lavTestLRT`` of lavaan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.numerics.distributions import chi2_upper
from alliancekit.structural.after.group_views import free_directions, group_views, moment_spreads
from alliancekit.structural.after.nested import ordinal_places, same_moments, same_names
from alliancekit.structural.after.view import GroupView, inverse_of
from alliancekit.structural.continuous.asymptotic import scale_test
from alliancekit.structural.continuous.counted import kept_moments
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.continuous.robust import stacked_of
from alliancekit.structural.continuous.squares import add_squares
from alliancekit.structural.duplication import triangle
from alliancekit.structural.engines import request_of
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.estimators import YUAN
from alliancekit.structural.likelihood.solution import solve
from alliancekit.structural.ordinal.structure import evaluate
from alliancekit.structural.twolevel.estimate import ClusteredFit

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
METHODS = ("standard", "satorra.2000", "satorra.bentler.2001", "satorra.bentler.2010")


@dataclass(frozen=True, slots=True)
class Difference:
    """A test of the smaller model (more df) against the larger; factor : what the difference is divided by."""

    statistic: float
    df: int
    p_value: float
    factor: float


def difference(larger: StructuralEstimates, smaller: StructuralEstimates, method: str) -> Difference:
    """Return the difference test of two nested models by one of ``METHODS``."""
    df = smaller.test.df - larger.test.df
    plain = smaller.test.statistic - larger.test.statistic
    if df == 0:
        return Difference(plain, 0, float("nan"), float("nan"))
    if method == "satorra.2000":
        return _satorra_2000(larger, smaller, plain, df)
    factor = 1.0
    if method != "standard":
        first = _scaled_df(larger) if method == "satorra.bentler.2001" else _df_of_larger_at_smaller(larger, smaller)
        factor = (_scaled_df(smaller) - first) / df
        if factor < 0:
            factor = float("nan")
    statistic = plain / factor
    p = float(chi2_upper(statistic, df)) if np.isfinite(statistic) else float("nan")
    return Difference(statistic, df, p, factor)


def _scaled_df(fit: StructuralEstimates) -> float:
    """Return df times the scaling factor; a saturated model has none to scale."""
    if fit.test.df == 0:
        return 0.0
    if fit.test.factor is None:
        raise SpecError(message("a scaled difference needs scaled tests of both models", do='Fit with estimator="MLR"'))
    return fit.test.df * fit.test.factor


def _df_of_larger_at_smaller(larger: StructuralEstimates, smaller: StructuralEstimates) -> float:
    """Return df times the scaling factor of the larger model at the estimates of the smaller one."""
    if larger.test.df == 0:
        return 0.0
    if larger.rotation is not None:  # a rotation moves no moment, and the scaling is that of the moments
        smaller = smaller if smaller.rotation is None else smaller.rotation.before
        larger = larger.rotation.before
        x = same_moments(smaller, larger)
    else:
        x = same_names(smaller, larger)
    if isinstance(larger.source, IncompleteFit | ClusteredFit):
        return larger.test.df * _factor_of_rows(larger, larger.source, x)
    return larger.test.df * _factor_of_moments(larger, x)


def _factor_of_rows(larger: StructuralEstimates, source: IncompleteFit | ClusteredFit, x: Floats) -> float:
    """Return the scaling factor of a test of the likelihood of rows at ``x``."""
    z = source.mapping.reduce(x)
    found = source.data.evaluate(source.mapping.moments(z))
    if found is None:
        return float("nan")
    at = solve(
        source.data,
        source.mapping,
        z,
        found[0],
        source.saturated,
        source.request,
        parameters=larger.table.n_free,
        spent=source.mapping.spent,
    )
    return at.scaling.factor if at.scaling is not None else float("nan")


def _factor_of_moments(larger: StructuralEstimates, x: Floats) -> float:
    """Return the scaling factor (Satorra and Bentler, or Yuan and Bentler) of a test of moments at ``x``."""
    information = None
    if larger.stacked is not None:
        stacked = replace(larger.stacked, slopes=_slopes(larger, x))
    else:
        moved = replace(larger, x=x, implied=larger.model.moments(x))
        if larger.options.test in YUAN:
            factor = add_squares(moved, request_of(larger.options)).test.factor
            return float("nan") if factor is None else factor
        stacked, information = stacked_of(moved, 1)
    found = scale_test(larger.test, stacked, larger.directions, larger.options.test, information)
    return float("nan") if found.factor is None else found.factor


def _slopes(fit: StructuralEstimates, x: Floats) -> Floats:
    """Return the derivatives of the moments of a fit by least squares at ``x``.

    Raises
    ------
    FitError : an ordinal variable has no positive variance there.
    """
    if fit.ordinal is None:
        means = fit.model.means
        kept = [kept_moments(fit.table, b, group, means) for b, group in enumerate(fit.sample.groups, start=1)]
        return np.concatenate([part[k] for part, k in zip(fit.model.jacobian(x), kept, strict=True)])
    found = [evaluate(structure, x, complete=True) for structure in fit.ordinal.structures]
    if any(at is None for at in found):
        what = "an ordinal variable has no positive variance in the larger model at the estimates of the smaller one"
        raise FitError(message(what, do='Use method="satorra.2000"'))
    return np.concatenate([at.jacobian for at in found if at is not None])


def _satorra_2000(larger: StructuralEstimates, smaller: StructuralEstimates, plain: float, df: int) -> Difference:
    """Return the difference scaled and shifted to mean and variance of chi-square with ``df``."""
    views = group_views(larger)
    total = sum(view.n for view in views)
    others = group_views(smaller)
    if larger.ordinal is not None and smaller.ordinal is not None:
        each = zip(others, views, ordinal_places(smaller, larger), strict=True)
        others = tuple(replace(one, names=view.names, jacobian=one.jacobian[at]) for one, view, at in each)
    pair = (views, free_directions(larger), others, free_directions(smaller))
    basis, restrictions = _restrictions(*pair, scaled=False)
    if restrictions.shape[0] != df:  # units too far apart for the projection
        basis, restrictions = _restrictions(*pair, scaled=True)
    if restrictions.shape[0] != df:
        what = f"the models differ by {df} df and {restrictions.shape[0]} restrictions: they are not nested"
        raise SpecError(message(what, do="Compare AIC or BIC instead"))
    inverse = inverse_of(basis.T @ _information_of_a_row(larger, views) @ basis)
    apart = restrictions @ inverse @ restrictions.T
    middle = inverse @ restrictions.T @ inverse_of(apart) @ restrictions @ inverse
    weighted = np.concatenate([view.weight @ view.jacobian @ basis for view in views])
    gammas = [view.n / total * gamma for view, gamma in zip(views, moment_spreads(larger, views), strict=True)]
    pulled = np.zeros((basis.shape[1], basis.shape[1]))
    at = 0
    for view, gamma in zip(views, gammas, strict=True):
        own = weighted[at : at + len(gamma)]
        pulled += own.T @ gamma @ own
        at += len(view.weight)
    product = middle @ pulled
    first, second = float(np.trace(product)), float((product * product.T).sum())
    factor = float(np.sqrt(df / second))
    statistic = plain * factor + df - factor * first
    return Difference(statistic, df, float(chi2_upper(max(statistic, 0.0), df)), 1.0 / factor)


def _information_of_a_row(fit: StructuralEstimates, views: Sequence[GroupView]) -> Floats:
    """Return the information (size, size) of one row; of least squares by all rows, where ``fit`` has one less."""
    total = sum(view.n for view in views)
    if fit.engine != "least squares":
        less = fit.options.likelihood == "wishart" and fit.engine == "moments"
        return np.asarray(fit.information / (total - len(views) * less))
    return np.asarray(
        np.sum([view.n / total * view.jacobian.T @ view.weight @ view.jacobian for view in views], axis=0)
    )


def _restrictions(
    views: Sequence[GroupView], basis: Floats, others: Sequence[GroupView], narrow: Floats, *, scaled: bool
) -> tuple[Floats, Floats]:
    """Return the directions of the larger model, and what the smaller one forbids along them, as rows (r, k).

    The derivatives of the smaller model's moments are projected on those of the larger one, as in lavaan in the units
    of the data; scaled : in units of the moments' standard errors.
    """
    units = [np.sqrt(np.abs(v.weight.diagonal()) * v.n) if scaled else np.ones(len(v.weight)) for v in views]
    wide = np.concatenate([unit[:, None] * (view.jacobian @ basis) for view, unit in zip(views, units, strict=True)])
    moved = zip(_aligned(others, views), units, strict=True)
    thin = np.concatenate([unit[:, None] * (slopes @ narrow) for slopes, unit in moved])
    size = np.sqrt((wide**2).sum(axis=0))
    thin = thin / np.sqrt((thin**2).sum(axis=0))
    found = np.linalg.lstsq(wide / size, thin, rcond=1e-13)[0]
    return np.asarray(basis / size), _complement(np.asarray(found)).T


def _aligned(views: Sequence[GroupView], order: Sequence[GroupView]) -> list[Floats]:
    """Return the Jacobians of views with their moments in the order of other views."""
    return [view.jacobian[_places(view, other)] for view, other in zip(views, order, strict=True)]


def _places(view: GroupView, order: GroupView) -> Integers:
    """Return where the moments of ``order`` stand in ``view``."""
    if view.names == order.names or len(view.observed) != _count(view):
        return np.arange(len(view.observed))
    if set(view.names) != set(order.names):
        raise SpecError(message("the models have different observed variables", do="Compare models of the same data"))
    p = len(view.names)
    place = np.array([view.names.index(name) for name in order.names], dtype=np.intp)
    rows, columns = triangle(p)
    where = np.zeros((p, p), dtype=np.intp)
    where[rows, columns] = where[columns, rows] = np.arange(rows.size)
    moved = where[place[rows], place[columns]]
    return np.concatenate([place, p + moved]) if view.means else moved


def _count(view: GroupView) -> int:
    p = len(view.names)
    return p * (p + 1) // 2 + (p if view.means else 0)


def _complement(matrix: Floats) -> Floats:
    """Return an orthonormal basis of what is orthogonal to the columns of a matrix."""
    left, strength, _ = np.linalg.svd(matrix, full_matrices=True)
    rank = int((strength > 1e-9 * max(float(strength.max(initial=0.0)), 1e-300)).sum())
    return np.asarray(left[:, rank:])
