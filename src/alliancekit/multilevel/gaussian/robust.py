"""Cluster-robust covariance of the fixed effects of a linear mixed model, and its Satterthwaite degrees of freedom.

With the model's H = V / sigma^2 as working covariance, M = (X'H^-1 X)^-1 and marginal residuals e_j of cluster j, the
covariance is M {sum_j E_j e_j e_j'E_j'} M, E_j = X_j'H_j^-1 A_j. CR2 chooses the symmetric root
A_j = U'(U Psi_j U')^-1/2 U, H_j = U'U, Psi_j = H_j - X_j M X_j', so that the estimator is unbiased where the working
model is right (Bell & McCaffrey 2002, Surv Methodol 28, 169-181; Pustejovsky & Tipton 2018, J Bus Econ Stat 36,
672-683, section 2). H_j is the identity plus a part that the columns of Z_j span, so that all is done in an
orthonormal basis of [Z_j, X_j], whose size is that of the cluster's rows or of its random effects, whichever is less.
Clusters of like size are done together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.estimates import random_columns
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.objective import relative_factor

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_CHUNK = 2_000_000  # numbers held at once for one stack of clusters


@dataclass(frozen=True, slots=True, eq=False)
class RobustCovariance:
    """Cluster-robust covariance and what its degrees of freedom need, engine's basis; J clusters.

    vcov : (p, p). inverse : (p, p), M. spread : (J, p, p), E_j H_j E_j'. overlap : (J, p, p), E_j X_j.
    """

    vcov: Floats
    inverse: Floats
    spread: Floats
    overlap: Floats

    def df(self, contrast: Floats) -> float:
        """Return Satterthwaite's df of the variance of one contrast, shape (p,).

        Source: Pustejovsky & Tipton (2018), J Bus Econ Stat 36, section 3.1: (sum of eigenvalues)^2 / sum of squares of
        the matrix P of the quadratic form, P_jk = [j = k] m'S_j m - h_j'h_k with m = M c, h_j = M^1/2' X_j'E_j' m.
        """
        m = self.inverse @ contrast
        own = np.einsum("a,jab,b->j", m, self.spread, m)
        h = np.einsum("a,jab->jb", m, self.overlap) @ np.linalg.cholesky(self.inverse)
        size = np.einsum("ja,ja->j", h, h)
        total = float((own - size).sum())
        square = float((own**2 - 2.0 * own * size).sum()) + float(((h.T @ h) ** 2).sum())
        return total**2 / square


def cluster_robust(fit: GaussianFit, clusters: Ints, kind: str) -> RobustCovariance:
    """Return the cluster-robust covariance of type "CR0", "CR1" or "CR2".

    Parameters
    ----------
    clusters : shape (n,), cluster of each row used, from 0; every grouping factor must be nested in them.

    Notes
    -----
    CR0 takes A_j as the identity, CR1 multiplies it by sqrt(J / (J - 1)). Rows are scaled by the root of their prior
    weights before anything else.
    """
    state = fit.optimum.state
    inverse = state.fixed_inverse
    p, count = inverse.shape[0], int(clusters.max()) + 1
    meat, spread, overlap = np.zeros((p, p)), np.zeros((count, p, p)), np.zeros((count, p, p))
    for members, Z, X, residual in _stacks(fit, clusters, count):
        basis = np.linalg.qr(np.concatenate([Z, X], axis=2))[0].transpose(0, 2, 1)
        Z, X, residual = basis @ Z, basis @ X, (basis @ residual[:, :, None])[:, :, 0]
        H = Z @ Z.transpose(0, 2, 1)
        H[:, np.arange(H.shape[1]), np.arange(H.shape[1])] += 1.0
        weighted = np.linalg.solve(H, X)
        E = (_root_adjustment(H, X, inverse) @ weighted if kind == "CR2" else weighted).transpose(0, 2, 1)
        scores = (E @ residual[:, :, None])[:, :, 0]
        meat += scores.T @ scores
        spread[members] = E @ H @ E.transpose(0, 2, 1)
        overlap[members] = E @ X
    factor = count / (count - 1.0) if kind == "CR1" else 1.0
    return RobustCovariance(factor * inverse @ meat @ inverse, inverse, factor * spread, np.sqrt(factor) * overlap)


def _root_adjustment(H: Floats, X: Floats, inverse: Floats) -> Floats:
    """Return A of CR2 for a stack of clusters; directions without residual variance get no weight."""
    upper = np.linalg.cholesky(H).transpose(0, 2, 1)
    psi = H - X @ inverse @ X.transpose(0, 2, 1)
    middle = upper @ psi @ upper.transpose(0, 2, 1)
    values, vectors = np.linalg.eigh((middle + middle.transpose(0, 2, 1)) / 2)
    keep = values > 1e-12 * values.max(axis=1, keepdims=True)
    power = np.where(keep, 1.0 / np.sqrt(np.where(keep, values, 1.0)), 0.0)
    turned = vectors.transpose(0, 2, 1) @ upper
    return np.asarray(turned.transpose(0, 2, 1) * power[:, None, :] @ turned)


def _stacks(fit: GaussianFit, clusters: Ints, count: int) -> Iterator[tuple[Ints, Floats, Floats, Floats]]:
    """Yield (clusters, Z Lambda, X, residuals) for clusters of like size, padded with zeros to one shape.

    Rows and columns of zeros change nothing: H is the identity there.
    """
    design, engine = fit.design, fit.engine
    root = np.ones(len(clusters)) if design.weights is None else np.sqrt(design.weights)
    assert design.y is not None
    linear = design.X @ fit.beta + (0.0 if design.offset is None else design.offset)
    residual, X = (design.y - linear) * root, (design.X @ engine.fixed_basis) * root[:, None]
    blocks = []
    for factor, where in zip(engine.factors, engine.slices, strict=True):
        relative = factor.basis @ relative_factor(factor, fit.optimum.theta[where])
        blocks.append((random_columns(design, factor.group) @ relative * root[:, None], factor.codes))
    sizes = np.bincount(clusters, minlength=count)
    row = _position(clusters, sizes)
    places = [_level_places(codes, clusters, count) for _, codes in blocks]
    widths = np.stack([n for _, n in places], axis=1)
    class_of = np.ceil(4.0 * np.log2(np.maximum(sizes, 1))).astype(int)
    for size_class in np.unique(class_of):
        members = np.flatnonzero(class_of == size_class)
        tall = int(sizes[members].max())
        most = widths[members].max(axis=0)
        starts = np.concatenate([[0], np.cumsum([n * b.shape[1] for n, (b, _) in zip(most, blocks, strict=True)])])
        step = max(1, int(_CHUNK // max(1, tall * (int(starts[-1]) + X.shape[1] + 1))))
        for first in range(0, members.size, step):
            chosen = members[first : first + step]
            place = np.full(count, -1)
            place[chosen] = np.arange(chosen.size)
            at = np.flatnonzero(place[clusters] >= 0)
            who, line = place[clusters[at]], row[at]
            Z = np.zeros((chosen.size, tall, int(starts[-1])))
            for (columns, codes), (level, _), start in zip(blocks, places, starts, strict=False):
                q = columns.shape[1]
                for k in range(q):
                    Z[who, line, start + level[codes[at]] * q + k] = columns[at, k]
            here = np.zeros((chosen.size, tall, X.shape[1]))
            here[who, line] = X[at]
            left = np.zeros((chosen.size, tall))
            left[who, line] = residual[at]
            yield chosen, Z, here, left


def _position(codes: Ints, sizes: Ints) -> Ints:
    """Return the place of each row within its cluster, counted from 0."""
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    out = np.empty(codes.size, dtype=np.intp)
    out[order] = np.arange(codes.size) - np.repeat(starts, sizes)
    return out


def _level_places(codes: Ints, clusters: Ints, count: int) -> tuple[Ints, Ints]:
    """Return the place of each level of a factor within its cluster, and the number of levels of each cluster."""
    owner = np.zeros(int(codes.max()) + 1, dtype=np.intp)
    owner[codes] = clusters
    sizes = np.bincount(owner, minlength=count)
    return _position(owner, sizes), sizes
