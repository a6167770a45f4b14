"""Where a larger model has the moments that a smaller one implies: what the scaled difference of 2010 is taken at."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.structural.after.coefficients import values
from alliancekit.structural.duplication import triangle
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.ordinal.statistics import pairs_of
from alliancekit.structural.ordinal.structure import Structure, evaluate

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
_ROUNDS, _CLOSE = 100, 1e-7
_ALIKE = 'Use method="satorra.2000"'


def estimates_in(smaller: StructuralEstimates, larger: StructuralEstimates) -> Floats:
    """Return the free parameters of the larger model at the values of the smaller one, zero where it has none."""
    known: dict[tuple[str, str, str, int], float] = {}
    for i, value in enumerate(values(smaller)[0]):
        lhs, op, rhs, block = smaller.table.lhs[i], smaller.table.op[i], smaller.table.rhs[i], smaller.table.block[i]
        known[lhs, op, rhs, block] = value
        if op == "~~":
            known[rhs, op, lhs, block] = value
    out = np.zeros(larger.x.size)
    table = larger.table
    for i, number in enumerate(table.free):
        if number:
            out[number - 1] = known.get((table.lhs[i], table.op[i], table.rhs[i], table.block[i]), 0.0)
    return out


def same_names(smaller: StructuralEstimates, larger: StructuralEstimates) -> Floats:
    """Return the parameters of the larger model at the values of the smaller one, by their names.

    Raises
    ------
    FitError : the larger model ties what the smaller one does not.
    """
    linear, x = larger.constraints.linear, estimates_in(smaller, larger)
    within = linear.expand(linear.reduce(x))
    if np.abs(within - x).max() > 1e-6 * max(1.0, float(np.abs(x).max())):
        what = "the larger model cannot take the estimates of the smaller one: it ties what the smaller one does not"
        raise FitError(message(what, do=_ALIKE))
    return x


def same_moments(smaller: StructuralEstimates, larger: StructuralEstimates) -> Floats:
    """Return the parameters (size,) of the larger model that give the moments of the smaller one.

    Gauss-Newton steps in units of the variables, from the estimates of the smaller model by name, and from those of the
    larger one. It is for exploratory blocks before their rotation, whose parameters are not those of the smaller model.

    Raises
    ------
    FitError : there are none, or more than one set of them: the larger model has more factors than these moments need.
    SpecError : ordinal models have other variables or other covariates.
    """
    wanted, unit = _moments_of(smaller, larger)
    linear = larger.constraints.linear
    basis = linear.basis
    for start in (estimates_in(smaller, larger), larger.x):
        z = linear.reduce(start)
        gap, slopes = _gap(larger, linear.expand(z), wanted, unit)
        for _ in range(_ROUNDS):
            if not np.isfinite(gap).all() or np.abs(gap).max() < _CLOSE**2:
                break
            step = np.linalg.lstsq(slopes @ basis, -gap, rcond=1e-10)[0]
            found = None
            for share in 0.5 ** np.arange(12):
                trial, own = _gap(larger, linear.expand(z + share * step), wanted, unit)
                if float(trial @ trial) < float(gap @ gap):
                    found = z + share * step, trial, own
                    break
            if found is None:
                break
            z, gap, slopes = found
        if np.isfinite(gap).all() and np.abs(gap).max() < _CLOSE:
            size = np.linalg.svd(slopes @ basis, compute_uv=False)
            if size[-1] < 1e-6 * size[0]:
                what = "at the moments of the smaller model the parameters of the larger one cannot be told apart"
                raise FitError(message(what, do=_ALIKE))
            return linear.expand(z)
    what = "the larger model cannot have the moments of the smaller one: they are not nested"
    raise FitError(message(what, do="Compare AIC or BIC instead"))


def _gap(fit: StructuralEstimates, x: Floats, wanted: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """Return how far the moments of a model are from others (m,), and their derivatives (m, size), in units."""
    with np.errstate(all="ignore"):
        if fit.ordinal is not None:
            parts = [evaluate(structure, x) for structure in fit.ordinal.structures]
            if any(part is None for part in parts):
                return np.full(wanted.size, np.nan), np.zeros((wanted.size, x.size))
            found = np.concatenate([part.vector for part in parts if part is not None])
            slopes = np.concatenate([part.jacobian for part in parts if part is not None])
        else:
            found = np.concatenate([_vector(block.mu, block.sigma) for block in fit.model.moments(x)])
            slopes = np.concatenate(fit.model.jacobian(x))
    return (found - wanted) / unit, slopes / unit[:, None]


def _moments_of(smaller: StructuralEstimates, larger: StructuralEstimates) -> tuple[Floats, Floats]:
    """Return the moments of the smaller model in the order of the larger one, and their units."""
    if larger.ordinal is not None and smaller.ordinal is not None:
        pairs = zip(smaller.ordinal.at, ordinal_places(smaller, larger), strict=True)
        wanted = np.concatenate([at.vector[places] for at, places in pairs])
        return wanted, np.ones(wanted.size)
    wanted_parts, units = [], []
    for one, other, moments in zip(smaller.model.blocks, larger.model.blocks, smaller.implied, strict=True):
        order = [one.observed.index(name) for name in other.observed]
        mu, sigma = moments.mu[order], moments.sigma[np.ix_(order, order)]
        size = np.sqrt(sigma.diagonal())
        wanted_parts.append(_vector(mu, sigma))
        units.append(_vector(size, np.outer(size, size)))
    return np.concatenate(wanted_parts), np.concatenate(units)


def ordinal_places(fit: StructuralEstimates, order: StructuralEstimates) -> list[Integers]:
    """Return where the statistics of another fit of ordinal variables stand among those of a fit, group by group.

    Raises
    ------
    SpecError : the fits have other variables or other covariates.
    """
    assert fit.ordinal is not None and order.ordinal is not None
    out = []
    for own, other in zip(fit.ordinal.structures, order.ordinal.structures, strict=True):
        place = {label: k for k, label in enumerate(_labels(own))}
        wanted = _labels(other)
        if set(wanted) != set(place):
            what = "the models have different observed variables, or different covariates"
            raise SpecError(message(what, do="Compare models of the same data"))
        out.append(np.array([place[label] for label in wanted], dtype=np.intp))
    return out


def _labels(structure: Structure) -> list[Hashable]:
    """Return what each statistic of a group is: threshold or mean, slope, variance, covariance."""
    names = structure.names
    given = [structure.block.observed[i] for i in structure.given.tolist()]
    first = np.searchsorted(structure.owner, structure.owner)
    out: list[Hashable] = [
        (names[i], at - int(start)) for at, (i, start) in enumerate(zip(structure.owner.tolist(), first, strict=True))
    ]
    out += [(name, covariate) for covariate in given for name in names]
    out += [name for name, ordinal in zip(names, structure.ordinal, strict=True) if not ordinal]
    return out + [frozenset((names[i], names[j])) for i, j in zip(*pairs_of(len(names)), strict=True)]


def _vector(mu: Floats, sigma: Floats) -> Floats:
    """Return means, then the lower triangle."""
    rows, columns = triangle(len(mu))
    return np.concatenate([mu, sigma[rows, columns]])
