"""Factor scores from ordinal and mixed answers: the mode of the factors given the answers.

Empirical Bayes modal scores (Muthén 1998-2004, Mplus Technical Appendices, 11) maximise the density of the factors
given all answers; maximum likelihood leaves the distribution of the factors out. Answers are taken to be independent
given the factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alliancekit.structural.ordinal.univariate import density

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
FLAT = 1e-5
"""Precision of the factors that stands for none."""
LEAST = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False, slots=True)
class Measurement:
    """How answers depend on k factors, p items.

    Attributes
    ----------
    loadings : (p, k). sd : (p,) of the residuals. cuts : (p, K + 1) thresholds between infinities, of ordinal items.
    ordinal : (p,). spread : (k, k) covariances of the factors.
    """

    loadings: Floats
    sd: Floats
    cuts: Floats
    ordinal: Booleans
    spread: Floats


def modal_scores(found: Measurement, rows: Floats, centre: Floats, means: Floats, *, prior: bool = True) -> Floats:
    """Return the scores (n, k); NaN for a row without any answer, or without a maximum.

    Parameters
    ----------
    rows : (n, p) answers, categories from 0; NaN where missing. centre : (n, p) or (p,) expected response where all
        factors are zero. means : (n, k) or (k,) expected factors. prior : False for maximum likelihood.
    """
    n, k = len(rows), found.loadings.shape[1]
    means = np.broadcast_to(means, (n, k))
    centre = np.broadcast_to(centre, rows.shape)
    known = np.isfinite(rows)
    precision: Floats = FLAT * np.eye(k)
    if prior:
        precision = np.asarray(np.linalg.pinv(found.spread, hermitian=True), dtype=np.float64)
    eta = np.array(means)
    value, slope, curve = _look(found, rows, known, centre, means, precision, eta)
    gain: Floats = np.full(n, np.inf)
    for _ in range(100):
        step: Floats = np.asarray(-np.linalg.solve(curve, slope[:, :, None])[:, :, 0], dtype=np.float64)
        gain = np.asarray(-np.einsum("ni,ni->n", slope, step))
        if (gain < 1e-14).all():
            break
        eta, value, slope, curve = _move(found, rows, known, centre, means, precision, eta, value, step, gain)
    eta[~(known.any(axis=1) & np.asarray(gain < 1e-8))] = np.nan
    return eta


def _move(
    found: Measurement,
    rows: Floats,
    known: Booleans,
    centre: Floats,
    means: Floats,
    precision: Floats,
    eta: Floats,
    value: Floats,
    step: Floats,
    gain: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the next place of each row: the full step, or a half of it as often as needed."""
    size = np.ones((len(rows), 1))
    for _ in range(30):
        there = eta + size * step
        now, slope, curve = _look(found, rows, known, centre, means, precision, there)
        worse = now > value - 1e-4 * size[:, 0] * gain + 1e-12 * np.abs(value)
        if not worse.any():
            break
        size[worse] /= 2
    return there, now, slope, curve


def _look(
    found: Measurement,
    rows: Floats,
    known: Booleans,
    centre: Floats,
    means: Floats,
    precision: Floats,
    eta: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Return minus the logarithm of the density (n,), its gradient (n, k) and curvature (n, k, k)."""
    gap = eta - means
    pulled = gap @ precision
    response = centre + eta @ found.loadings.T
    logs, slopes, bends = np.zeros(rows.shape), np.zeros(rows.shape), np.zeros(rows.shape)
    numeric = ~found.ordinal
    if numeric.any():
        z = (np.where(known, rows, 0.0) - response)[:, numeric] / found.sd[numeric]
        logs[:, numeric], slopes[:, numeric], bends[:, numeric] = -z * z / 2, z, 1.0
    for i in np.flatnonzero(found.ordinal):
        code = np.where(known[:, i], rows[:, i], 0).astype(np.intp)
        one, other = ((found.cuts[i, code + up] - response[:, i]) / found.sd[i] for up in (1, 0))
        p = np.maximum(ndtr(one) - ndtr(other), LEAST)
        up, down = density(one) / p, density(other) / p
        finite1, finite0 = np.where(np.isfinite(one), one, 0.0), np.where(np.isfinite(other), other, 0.0)
        logs[:, i], slopes[:, i] = np.log(p), down - up
        bends[:, i] = finite1 * up - finite0 * down + slopes[:, i] ** 2
    weighted = found.loadings / found.sd[:, None]
    value = np.einsum("ni,ni->n", gap, pulled) / 2 - (logs * known).sum(axis=1)
    gradient = pulled - (slopes * known) @ weighted
    curvature = precision + np.einsum("np,pi,pj->nij", np.maximum(bends, 0.0) * known, weighted, weighted)
    return value, gradient, curvature
