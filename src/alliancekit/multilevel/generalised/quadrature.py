"""Adaptive Gauss-Hermite quadrature over one random effect per group.

The integral of exp(h(u)) / sqrt(2 pi) is s sum_k w_k exp(h(u^ + s z_k) + z_k^2 / 2), with nodes z_k and weights w_k for
the standard normal distribution, u^ the mode and s^2 = 1 / H. With one node this is the Laplace approximation. The
nodes move with the parameters, and the gradient takes that into account.

Source: Pinheiro & Bates (1995), J Comput Graph Stat 4, 12-35, section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.generalised.design import GeneralisedDesign
from alliancekit.multilevel.generalised.families import Density
from alliancekit.multilevel.generalised.modes import Modes
from alliancekit.multilevel.generalised.sums import gather, spread

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Nodes:
    """The integral and its derivatives.

    Attributes
    ----------
    log_integral : log-likelihood without its constant.
    slope : (n,) mean over nodes of the derivative of l_i by eta_i. by_dispersion, by_inflation : the same, or None.
    relative_slope : (1, 1) derivative of -log L by Lambda at fixed nodes.
    mode_slope : (1, L) derivative of each group's log integral by its mode.
    det_weight : (L,) how often log H / 2 of a group counts in -log L.
    """

    log_integral: float
    slope: Floats
    by_dispersion: Floats | None
    by_inflation: Floats | None
    relative_slope: Floats
    mode_slope: Floats
    det_weight: Floats

    def det_slope(self, design: GeneralisedDesign, modes: Modes) -> Floats:
        """Return the derivative of the weighted log H / 2 by Lambda at fixed weights, (1, 1)."""
        done = modes.elimination.links[0]
        per = done.own[0, 0] * done.relative[0, 0] * done.inverse[0, 0]
        return np.array([[float(self.det_weight @ per)]])


def hermite(k: int) -> tuple[Floats, Floats]:
    """Return nodes and weights of k-point quadrature under the standard normal density.

    Examples
    --------
    >>> nodes, weights = hermite(3)
    >>> float(round(weights @ nodes**4, 12))
    3.0
    """
    off = np.sqrt(np.arange(1.0, k))
    nodes = np.linalg.eigvalsh(np.diag(off, 1) + np.diag(off, -1))
    before, now, total = np.zeros(k), np.ones(k), np.ones(k)  # orthonormal Hermite polynomials at the nodes
    for j in range(1, k):
        before, now = now, (nodes * now - np.sqrt(j - 1.0) * before) / np.sqrt(float(j))
        total += now * now
    return nodes, 1.0 / total


def integrate(
    design: GeneralisedDesign, density: Density, relative: Floats, fixed_part: Floats, modes: Modes, k: int
) -> Nodes:
    """Return the integral over the one random effect of each group, by k nodes."""
    z, w = hermite(k)
    starts = design.columns.starts
    u, spread_ = modes.effects[0][0], np.sqrt(modes.elimination.links[0].inverse[0, 0])
    unit = spread(design, [np.ones((1, u.size))]) * relative[0, 0]  # d eta / d u
    places = u + spread_ * z[:, None]
    heights, slopes, densities = np.empty_like(places), [], []
    for place, height in zip(places, heights, strict=True):
        eta = fixed_part + unit * np.repeat(place, design.columns.counts)
        value, slope, _ = density.inner(eta)
        height[:] = np.add.reduceat(value, starts) - 0.5 * place * place
        slopes.append(slope)
        densities.append(eta)
    terms = heights + (np.log(w) + 0.5 * z * z)[:, None]
    top = terms.max(axis=0)
    share = np.exp(terms - top)
    total = share.sum(axis=0)
    share /= total
    log_integral = float((np.log(spread_) + top + np.log(total)).sum())
    pulled = [gather(design, slope)[0][0] for slope in slopes]
    along = np.array([g * relative[0, 0] for g in pulled]) - places  # dh / du at each node
    long = [np.repeat(s, design.columns.counts) for s in share]
    mean_slope = np.sum([s * slope for s, slope in zip(long, slopes, strict=True)], axis=0)
    by = [density.outer(eta) for eta in densities] if _has_shape(design) else []
    return Nodes(
        log_integral,
        mean_slope,
        _mean(long, [o.dispersion[0] for o in by if o.dispersion is not None]),
        _mean(long, [o.inflation[0] for o in by if o.inflation is not None]),
        -np.array([[sum(float((s * g) @ place) for s, g, place in zip(share, pulled, places, strict=True))]]),
        (share * along).sum(axis=0)[None],
        1.0 + (share * along * (spread_ * z[:, None])).sum(axis=0),
    )


def _has_shape(design: GeneralisedDesign) -> bool:
    return design.dispersion is not None or design.inflation is not None


def _mean(shares: list[Floats], values: list[Floats]) -> Floats | None:
    return np.sum([s * v for s, v in zip(shares, values, strict=True)], axis=0) if values else None
