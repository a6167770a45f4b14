"""Cluster-robust covariance of the fixed effects of a model with a residual structure.

The formulas are those of ``gaussian/robust.py`` with the whole H_j = V_j / sigma^2 of a cluster: the root of CR2's
adjustment is defined on the rows as they are, and would be another one on whitened rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.robust import RobustCovariance
from alliancekit.multilevel.residual.dense import covariance, stacks

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def cluster_robust(fit: GaussianFit, clusters: Ints, kind: str) -> RobustCovariance:
    """Return the cluster-robust covariance of type "CR0", "CR1" or "CR2"; ``clusters`` (n,) from 0."""
    design = fit.design
    assert design.y is not None
    residual = design.y - design.X @ fit.beta - (0.0 if design.offset is None else design.offset)
    X, count = design.X @ fit.engine.fixed_basis, int(clusters.max()) + 1
    p = X.shape[1]
    fixed = np.zeros((p, p))
    for _, rows in stacks(clusters, 4):
        fixed += np.einsum("lni,lnj->ij", X[rows], np.linalg.solve(_working(fit, rows), X[rows]))
    inverse: Floats = np.asarray(np.linalg.inv(fixed), dtype=np.float64)
    meat, spread, overlap = np.zeros((p, p)), np.zeros((count, p, p)), np.zeros((count, p, p))
    for members, rows in stacks(clusters, 8):
        H, here = _working(fit, rows), X[rows]
        weighted = np.linalg.solve(H, here)
        E = (_adjustment(H, here, inverse) @ weighted if kind == "CR2" else weighted).transpose(0, 2, 1)
        scores = (E @ residual[rows][:, :, None])[:, :, 0]
        meat += scores.T @ scores
        spread[members] = E @ H @ E.transpose(0, 2, 1)
        overlap[members] = E @ here
    factor = count / (count - 1.0) if kind == "CR1" else 1.0
    return RobustCovariance(factor * inverse @ meat @ inverse, inverse, factor * spread, np.sqrt(factor) * overlap)


def _working(fit: GaussianFit, rows: Ints) -> Floats:
    return covariance(fit, rows)[0] / fit.sigma**2


def _adjustment(H: Floats, X: Floats, inverse: Floats) -> Floats:
    """Return A = U'(U Psi U')^-1/2 U, H = U'U, Psi = H - X M X'; directions without variance get no weight."""
    upper = np.linalg.cholesky(H).transpose(0, 2, 1)
    middle = upper @ (H - X @ inverse @ X.transpose(0, 2, 1)) @ upper.transpose(0, 2, 1)
    values, vectors = np.linalg.eigh((middle + middle.transpose(0, 2, 1)) / 2)
    keep = values > 1e-12 * values.max(axis=1, keepdims=True)
    power = np.where(keep, 1.0 / np.sqrt(np.where(keep, values, 1.0)), 0.0)
    turned = vectors.transpose(0, 2, 1) @ upper
    return np.asarray(turned.transpose(0, 2, 1) * power[:, None, :] @ turned)
