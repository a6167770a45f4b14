"""Information about the parameters of a likelihood of raw data, squared scores, and the covariance matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.structural.likelihood.contract import Block, Likelihood, Mapping
from alliancekit.structural.likelihood.search import parameter_information

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def model_information(
    kind: str,
    data: Likelihood,
    mapping: Mapping,
    x: Floats,
    *,
    observed: str = "hessian",
    clusters: Sequence[Integers] | None = None,
    at: Sequence[Block] | None = None,
) -> Floats:
    """Return the information about the parameters, summed over rows, shape (size, size).

    kind: "observed", "expected" or "first.order"; observed: "hessian" is the second derivative of -log L, "h1" leaves
    out the curvature of the moments; clusters: as in ``moment_meat``; at: moments at which the information about
    moments is taken, None for those of the model.
    """
    blocks = mapping.moments(x) if at is None else at
    if kind == "first.order":
        meats = moment_meat(data, blocks, clusters)
        return parameter_information(meats, mapping.jacobian(x))
    if kind == "observed" and observed == "hessian":
        return hessian(data, mapping, x)
    return parameter_information(data.information(kind, blocks), mapping.jacobian(x))


def moment_meat(
    data: Likelihood, blocks: Sequence[Block], clusters: Sequence[Integers] | None = None
) -> tuple[Floats, ...]:
    """Return the summed squared scores about the moments of each group.

    clusters: number of the cluster of each unit; scores are then summed by cluster first, with factor J / (J - 1).
    """
    out = []
    for g, scores in enumerate(data.scores(blocks)):
        if clusters is not None:
            groups = int(clusters[g].max()) + 1
            total = np.zeros((groups, scores.shape[1]))
            np.add.at(total, clusters[g], scores)
            scores = total * np.sqrt(groups / (groups - 1))
        out.append(np.asarray(scores.T @ scores))
    return tuple(out)


def hessian(data: Likelihood, mapping: Mapping, x: Floats) -> Floats:
    """Return the second derivative of -log L by the parameters.

    Exact where the likelihood knows the second derivative by the moments; else by central differences of the gradient
    with steps of a thousandth of a standard error.
    """
    blocks, slopes = mapping.moments(x), mapping.jacobian(x)
    kind = "observed" if data.analytic else "expected"
    out = parameter_information(data.information(kind, blocks), slopes)
    if not data.analytic:
        step = 1e-3 / np.sqrt(np.maximum(np.abs(out.diagonal()), 1e-300))
        return _differences(lambda point: _full_gradient(data, mapping, point), x, step) / 2
    found = data.evaluate(blocks)
    assert found is not None
    return np.asarray(out + mapping.bend(x, found[1]) / 2)


def _full_gradient(data: Likelihood, mapping: Mapping, x: Floats) -> Floats:
    """Return the gradient of -2 log L by the parameters."""
    found = data.evaluate(mapping.moments(x))
    if found is None:
        return np.full(x.size, np.nan)
    return mapping.gradient(x, found[1])


def _differences(gradient: object, x: Floats, step: Floats) -> Floats:
    """Return central differences of a vector function, symmetrised."""
    assert callable(gradient)
    out = np.empty((x.size, x.size))
    for i in range(x.size):
        move = np.zeros(x.size)
        move[i] = step[i]
        out[i] = (gradient(x + move) - gradient(x - move)) / (2 * step[i])
    return (out + out.T) / 2


def inverse_information(information: Floats, basis: Floats | None = None) -> Floats:
    """Return the covariance matrix: the inverse, within the directions that equality constraints leave free.

    nan where the information is singular there.
    """
    inner = information if basis is None else basis.T @ information @ basis
    scale = np.sqrt(np.abs(inner.diagonal()))
    scale[scale == 0] = 1.0
    scaled = inner / np.outer(scale, scale)
    if inner.size == 0:
        return np.zeros_like(information)
    if not np.isfinite(scaled).all():
        return np.full_like(information, np.nan)
    factor, failed = lapack.dpotrf(scaled, lower=1)
    if not failed and factor.diagonal().min() > 1e-3:
        lower = lapack.dpotri(factor, lower=1)[0]
        inverse = lower + lower.T
        inverse.flat[:: len(inverse) + 1] *= 0.5
    elif np.linalg.cond(scaled) > 1e14:
        return np.full_like(information, np.nan)
    else:
        inverse = np.linalg.inv(scaled)
    out = inverse / np.outer(scale, scale)
    out = (out + out.T) / 2
    return out if basis is None else np.asarray(basis @ out @ basis.T)
